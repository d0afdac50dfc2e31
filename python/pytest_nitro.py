"""Nitro's plugin for pytest: fixtures, and a forgotten save is an error.

It stands beside the package, as whoever imports a module of a package imports the package too. So a run whose tests
have nothing to do with Nitro does not load it, and what measures the coverage of Nitro sees all of it being loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from nitro.events import CapturedEvents
    from nitro.testing import FrozenClock, Statement

_MARKER = "nitro_memory"


class _ByName(type):
    """Tells a class of Nitro's by its name, so that Nitro is not imported for it."""

    def __subclasscheck__(cls, other: type) -> bool:
        return any((base.__module__, base.__name__) == ("nitro.errors", cls.__name__) for base in other.__mro__)


class UnsavedChangesWarning(UserWarning, metaclass=_ByName):
    """Stands for `nitro.errors.UnsavedChangesWarning` in the filters of warnings."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini(_MARKER, "keep the entities of every test in a memory of its own", type="bool", default=False)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", f"{_MARKER}(wanted=True): keep the entities of this test in a memory of its own, or do not"
    )
    # Before the filters of the project, which have the last word.
    config.getini("filterwarnings").insert(0, f"error::{__name__}.{UnsavedChangesWarning.__name__}")


@pytest.fixture(autouse=True)
def _nitro_memory_where_it_is_wanted(request: pytest.FixtureRequest) -> None:
    marker = request.node.get_closest_marker(_MARKER)
    if marker is None:
        wanted = request.config.getini(_MARKER)
    else:
        wanted = marker.args[0] if marker.args else marker.kwargs.get("wanted", True)
    if wanted:
        request.getfixturevalue("nitro_memory")


@pytest.fixture
def nitro_memory() -> Iterator[None]:
    """Keeps the entities of every class in an empty memory, whatever backend the class names."""
    from nitro.testing import nitro_memory

    with nitro_memory():
        yield


@pytest.fixture
def captured_events() -> Iterator[CapturedEvents]:
    """A list of the events that are sent during the test."""
    from nitro.events import captured_events

    with captured_events() as events:
        yield events


@pytest.fixture
def frozen_clock() -> Iterator[FrozenClock]:
    """A clock that stands at the beginning of 2025 until the test moves it by `tick` or `move_to`."""
    from nitro.testing import frozen_clock

    with frozen_clock() as clock:
        yield clock


@pytest.fixture
def seeded_ids() -> Iterator[None]:
    """Gives new entities ids that are the same in every run."""
    from nitro.testing import seeded_ids

    with seeded_ids():
        yield


@pytest.fixture
def count_queries() -> Callable[[], AbstractContextManager[list[Statement]]]:
    """`with count_queries() as statements:` has the statements that are sent to databases inside."""
    from nitro.testing import count_queries

    return count_queries


@pytest.fixture
def assert_max_queries() -> Callable[[int], AbstractContextManager[list[Statement]]]:
    """`with assert_max_queries(3):` fails when more statements are sent to databases inside, and shows them."""
    from nitro.testing import assert_max_queries

    return assert_max_queries
