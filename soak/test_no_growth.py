"""A million operations of each kind leave nothing behind: no block, no memory of the process.

`NITRO_SOAK_ROUNDS` sets another number of rounds. The operations are those of `tests/memory`.
"""

import gc
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "memory"))

from operations import OCCASIONAL, OPERATIONS

from counting import growth

ROUNDS = int(os.environ.get("NITRO_SOAK_ROUNDS", "1000000"))
#: Rounds of what takes milliseconds each.
OCCASIONAL_ROUNDS = max(ROUNDS // 500, 10)
RESIDENT_BYTES = 4 * 2**20


@pytest.fixture(autouse=True)
def _nothing_old_in_sight() -> Iterator[None]:
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def resident_bytes() -> int:
    """What the process has in memory, as Linux counts it."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def assert_flat(operation: Callable[[], Any], rounds: int) -> None:
    for _ in range(max(rounds // 20, 10)):
        operation()
    resident = resident_bytes()
    assert growth(operation, rounds, warm_up=0) == 0
    assert resident_bytes() - resident <= RESIDENT_BYTES


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_leaves_nothing_behind(name):
    assert_flat(OPERATIONS[name], ROUNDS)


@pytest.mark.parametrize("name", OCCASIONAL)
def test_a_rare_operation_leaves_nothing_behind(name):
    assert_flat(OCCASIONAL[name], OCCASIONAL_ROUNDS)


def test_all_operations_in_turn_leave_nothing_behind():
    """What one operation leaves and another takes up would not show when each runs alone."""

    def all_of_them() -> None:
        for operation in OPERATIONS.values():
            operation()

    assert_flat(all_of_them, max(ROUNDS // 100, 10))
