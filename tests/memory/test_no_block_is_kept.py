"""No operation leaves anything behind: the count of allocated blocks is flat."""

from collections.abc import Callable
from typing import Any

import pytest
from operations import OCCASIONAL, OPERATIONS

from counting import growth

#: What the interpreter may keep for itself at any moment, such as a free list that was refilled.
TOLERATED = 8


def flat(operation: Callable[[], Any], rounds: int, warm_up: int) -> bool:
    """Whether some window of so many rounds keeps nothing.

    The interpreter fills caches of its own at moments of its choosing, so one window may be unlucky. A block that an
    operation keeps shows in every window, once a round.
    """
    # A leak shows in every window; caches of the interpreter (those of pickle above all) take some to settle.
    return any(growth(operation, rounds, warm_up) <= TOLERATED for _ in range(40))


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_keeps_nothing(name):
    assert flat(OPERATIONS[name], rounds=150, warm_up=50)


@pytest.mark.parametrize("name", OCCASIONAL)
def test_a_rare_operation_keeps_nothing(name):
    assert flat(OCCASIONAL[name], rounds=15, warm_up=3)


def test_one_kept_block_a_round_is_noticed():
    kept: list[object] = []
    assert not flat(lambda: kept.append(object()), rounds=150, warm_up=50)
