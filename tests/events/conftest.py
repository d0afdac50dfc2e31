"""Entities on every backend that there is, for events."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stores import KINDS, fresh_store, live_in


@pytest.fixture(params=KINDS)
def lives(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., None]]:
    """A function that has entities of some classes live in a fresh store."""
    with fresh_store(request, tmp_path) as store:

        def live(*classes: Any) -> None:
            for entity_class in classes:
                # Other tests have an Order, too.
                table = f"{entity_class.__module__}_{entity_class.__name__}".lower()
                monkeypatch.setattr(entity_class, "__tablename__", table, raising=False)
            live_in(store, classes, monkeypatch)

        yield live
