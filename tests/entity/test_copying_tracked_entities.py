"""A copy of a changed entity knows from what it changed, and nobody is asked for that whether values are equal."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

import nitro
from nitro import Entity

asked: list[str] = []


class Weight(Entity):
    grams: int = 0
    notes: list[str] = []

    def __eq__(self, other: object) -> bool:
        asked.append("eq")
        return self is other

    __hash__ = None  # type: ignore[assignment]


COPIES: list[Callable[[Any], Any]] = [copy.copy, copy.deepcopy, lambda weight: weight.model_copy()]


@pytest.mark.parametrize("copied", COPIES)
def test_what_stands_where_a_number_belongs_is_not_asked(copied: Callable[[Any], Any]) -> None:
    weight = Weight()
    weight.__dict__["grams"] = weight
    weight.grams = 5
    asked.clear()
    other = copied(weight)
    assert asked == []
    assert other.grams == 5
    assert nitro.changes.fields(other) == {"grams"}


@pytest.mark.parametrize("copied", COPIES)
def test_what_was_belongs_to_each_by_itself(copied: Callable[[Any], Any]) -> None:
    weight = Weight(grams=1, notes=["a"]).save()
    weight.grams = 2
    weight.notes = ["b"]
    other = copied(weight)
    assert nitro.changes.of(other) == {"grams": (1, 2), "notes": (["a"], ["b"])}
    assert nitro.changes.version(other) == 1
    other.notes.append("c")
    nitro.changes.revert(other)
    assert (other.grams, other.notes) == (1, ["a"])
    assert nitro.changes.fields(weight) == {"grams", "notes"}
    nitro.changes.revert(weight)
    assert weight.notes == ["a"]
    assert not nitro.changes.exist(other)
