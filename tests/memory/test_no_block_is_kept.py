"""No operation leaves anything behind: the count of allocated blocks is the same before and after."""

import pytest
from operations import OCCASIONAL, OPERATIONS

from counting import growth


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_keeps_nothing(name):
    assert growth(OPERATIONS[name], rounds=150, warm_up=50) == 0


@pytest.mark.parametrize("name", OCCASIONAL)
def test_a_rare_operation_keeps_nothing(name):
    assert growth(OCCASIONAL[name], rounds=15, warm_up=3) == 0


def test_a_single_kept_block_is_noticed():
    kept: list[object] = []
    # Room in the list for what comes, so that only the object counts.
    kept.extend([None] * 100)
    del kept[:50]
    rounds = iter(range(200))

    def keep_once() -> None:
        if next(rounds) == 100:
            kept.append(object())

    assert growth(keep_once, rounds=150, warm_up=50) == 1


def test_names_made_on_the_way_are_not_taken_for_kept_ones():
    """The interpreter keeps the names of the latest look-ups alive, each at an address of its own."""
    numbers = iter(range(200))
    names: list[str] = []

    def look_up() -> None:
        names.append(f"name {next(numbers)}")
        getattr(pytest, names[-1], None)
        if len(names) == 200:
            names.clear()

    assert growth(look_up, rounds=150, warm_up=50) <= 0
