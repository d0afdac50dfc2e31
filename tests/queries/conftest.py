"""Every test begins with empty stores; after it, the indexes of every store say what its entities say."""

from collections.abc import Iterator

import pytest

from nitro import MemoryRepo


@pytest.fixture(autouse=True)
def _stores_in_step(request: pytest.FixtureRequest) -> Iterator[None]:
    stores = [value for value in vars(request.module).values() if isinstance(value, MemoryRepo)]
    for store in stores:
        store.clear()
    yield
    for store in stores:
        assert store.check() == []
