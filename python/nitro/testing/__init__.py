"""For tests: of what is built on Nitro, and of backends.

`nitro_memory`, `frozen_clock`, `seeded_ids`, `factory`, `count_queries`, `assert_max_queries` and `captured_events` are
for tests of what is built on Nitro; pytest has most of them as fixtures, by a plugin that comes with the package.

`RepositoryConformance` is what a backend must do, as tests: subclass it in the tests of yours.

Example:
    >>> import pytest
    >>> class TestMyBackend(nitro.testing.RepositoryConformance):
    ...     @pytest.fixture
    ...     def repository(self):
    ...         return nitro.MemoryRepo()

`nitro.testing.servers` starts a real PostgreSQL for tests, and `nitro.testing.fixtures` has fixtures with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nitro.events import captured_events

    from .clock import FrozenClock, frozen_clock
    from .conformance import RepositoryConformance
    from .factories import Factory, factory
    from .ids import seeded_ids
    from .memory import nitro_memory
    from .statements import Statement, assert_max_queries, count_queries

__all__ = [
    "Factory",
    "FrozenClock",
    "RepositoryConformance",
    "Statement",
    "assert_max_queries",
    "captured_events",
    "count_queries",
    "factory",
    "frozen_clock",
    "nitro_memory",
    "seeded_ids",
]

#: Where each of them is. They are imported when they are asked for: the suite for backends needs pytest.
_LAZY = {
    "Factory": "nitro.testing.factories",
    "FrozenClock": "nitro.testing.clock",
    "RepositoryConformance": "nitro.testing.conformance",
    "Statement": "nitro.testing.statements",
    "assert_max_queries": "nitro.testing.statements",
    "captured_events": "nitro.events",
    "count_queries": "nitro.testing.statements",
    "factory": "nitro.testing.factories",
    "frozen_clock": "nitro.testing.clock",
    "nitro_memory": "nitro.testing.memory",
    "seeded_ids": "nitro.testing.ids",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_LAZY[name]), name)
    globals()[name] = value
    return value
