"""What this directory shares: the collector looks only at what the tests make."""

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module", autouse=True)
def _nothing_old_in_sight() -> Iterator[None]:
    """Without this, every collection would walk through all that was imported and collected before."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
