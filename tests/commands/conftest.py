"""Accounts on every backend that there is."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bank import CLASSES

import nitro
from nitro import MemoryRepo, Repository, SQLModelBackend
from nitro.backends.sql.database import forget


@pytest.fixture(params=["memory", "isolated", "sqlite", "postgresql"])
def repository(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    """Where accounts live; nothing of it is left open afterwards."""
    kind: str = request.param
    if kind in ("memory", "isolated"):
        made: Any = MemoryRepo(isolated=kind == "isolated")
    elif kind == "postgresql":
        made = SQLModelBackend(request.getfixturevalue("fresh_database"))
    else:
        made = SQLModelBackend(f"sqlite:///{tmp_path}/bank.db")
    for entity_class in CLASSES:
        monkeypatch.setattr(entity_class, "__nitro_backend__", made)
    if isinstance(made, SQLModelBackend):
        nitro.create_all(*CLASSES)
    yield made
    if isinstance(made, SQLModelBackend):
        gauges = made.database.gauges
        assert gauges.idle == gauges.open
        forget(made.database.url.render_as_string(hide_password=False))
    else:
        assert made.check() == []
