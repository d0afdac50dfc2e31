"""Entities on every backend that there is, for events."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import nitro
from nitro import MemoryRepo, SQLModelBackend
from nitro.backends.sql.database import forget


@pytest.fixture(params=["memory", "isolated", "sqlite", "postgresql"])
def lives(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., None]]:
    """A function that has entities of some classes live in a fresh store."""
    kind: str = request.param
    if kind in ("memory", "isolated"):
        made: Any = MemoryRepo(isolated=kind == "isolated")
    elif kind == "postgresql":
        made = SQLModelBackend(request.getfixturevalue("fresh_database"))
    else:
        made = SQLModelBackend(f"sqlite:///{tmp_path}/nitro.db")

    def live(*classes: Any) -> None:
        for entity_class in classes:
            monkeypatch.setattr(entity_class, "__nitro_backend__", made)
            # Other tests have an Order, too.
            table = f"{entity_class.__module__}_{entity_class.__name__}".lower()
            monkeypatch.setattr(entity_class, "__tablename__", table, raising=False)
        if isinstance(made, SQLModelBackend):
            nitro.create_all(*classes)

    yield live
    if isinstance(made, SQLModelBackend):
        gauges = made.database.gauges
        assert gauges.idle == gauges.open
        forget(made.database.url.render_as_string(hide_password=False))
