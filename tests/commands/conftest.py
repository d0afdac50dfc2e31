"""Accounts on every backend that there is."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from bank import CLASSES

from nitro import Repository
from stores import KINDS, fresh_store, live_in


@pytest.fixture(params=KINDS)
def repository(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    """Where accounts live; nothing of it is left open afterwards."""
    with fresh_store(request, tmp_path) as store:
        live_in(store, CLASSES, monkeypatch)
        yield store
