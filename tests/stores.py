"""A fresh store of each kind, of which nothing is left open afterwards."""

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import nitro
from nitro import MemoryRepo, Repository, SQLModelBackend
from nitro.backends.sql.database import forget

#: The kinds that most tests are about.
KINDS = ("memory", "isolated", "sqlite", "postgresql")


@contextmanager
def fresh_store(request: pytest.FixtureRequest, directory: Path) -> Generator[Repository]:
    """The store of the kind that the fixture's parameter names; "sqlite-memory" is one more."""
    kind: str = request.param
    if kind in ("memory", "isolated"):
        memory = MemoryRepo(isolated=kind == "isolated")
        yield memory
        assert memory.check() == []
        return
    if kind == "postgresql":
        made = SQLModelBackend(request.getfixturevalue("fresh_database"))
    else:
        made = SQLModelBackend("sqlite://" if kind == "sqlite-memory" else f"sqlite:///{directory}/nitro.db")
    yield made
    gauges = made.database.gauges
    assert gauges.idle == gauges.open
    forget(made.database.url.render_as_string(hide_password=False))


def live_in(store: Repository, entity_classes: Iterable[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Has entities of some classes live in a store, for as long as a test takes."""
    listed = list(entity_classes)
    for entity_class in listed:
        monkeypatch.setattr(entity_class, "__nitro_backend__", store)
    if isinstance(store, SQLModelBackend):
        nitro.create_all(*listed)
