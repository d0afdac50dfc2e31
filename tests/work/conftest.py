"""Entities on every backend that there is, for units of work."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from units_of_work import CLASSES

from nitro import Repository
from stores import KINDS, fresh_store, live_in


@pytest.fixture(params=[*KINDS, "sqlite-memory"])
def repository(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    """Where Order and Product live; nothing of it is left open afterwards."""
    with fresh_store(request, tmp_path) as store:
        live_in(store, CLASSES, monkeypatch)
        yield store
