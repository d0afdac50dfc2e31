"""Augmented assignments: an edit in place and an assignment at once."""

from typing import Any

import pytest
from pydantic import ValidationError

import nitro
from nitro import Entity, MemoryRepo


class Order(Entity, backend=MemoryRepo()):
    count: int = 1
    total: float = 1.0
    name: str = "a"
    tags: list[str] = []
    labels: set[str] = set()
    table: dict[str, int] = {}
    pair: tuple[int, ...] = (1,)
    anything: Any = None


def test_numbers_and_text():
    order = Order()
    order.count += 1
    order.total *= 3
    order.name += "b"
    order.pair += (2,)
    assert order.changes == {"count": (1, 2), "total": (1.0, 3.0), "name": ("a", "ab"), "pair": ((1,), (1, 2))}
    order.count -= 1
    assert "count" not in order.changes


def test_containers():
    order = Order(tags=["a"], labels={"a"}, table={"a": 1})
    order.tags += ["b"]
    order.labels |= {"b"}
    order.table |= {"b": 2}
    assert order.changes == {
        "tags": (["a"], ["a", "b"]),
        "labels": ({"a"}, {"a", "b"}),
        "table": ({"a": 1}, {"a": 1, "b": 2}),
    }
    order.tags *= 2
    order.labels &= {"b"}
    assert order.changes["tags"] == (["a"], ["a", "b", "a", "b"])
    assert order.changes["labels"] == ({"a"}, {"b"})
    order.revert_changes()
    assert (order.tags, order.labels, order.table) == (["a"], {"a"}, {"a": 1})
    assert not order.is_changed


def test_a_container_assigned_to_itself_after_an_edit():
    order = Order(tags=["a"])
    order.tags.append("b")
    order.tags = order.tags
    assert order.changes == {"tags": (["a"], ["a", "b"])}
    order.tags.pop()
    assert order.changes == {}
    order.anything = order.tags
    order.tags.append("c")
    assert order.changes["tags"] == (["a"], ["a", "c"])
    order.revert_changes()
    assert (order.tags, order.anything) == (["a"], None)


def test_an_augmented_assignment_that_is_refused_left_its_edit_behind():
    """Python edits the list before anybody is asked; it is found, refused by save, and taken back."""
    order = Order(tags=["a"]).save()
    with pytest.raises(ValidationError, match="tags"):
        order.tags += [5]
    assert order.changes == {"tags": (["a"], ["a", 5])}
    with pytest.raises(ValidationError, match="tags"):
        order.save()
    order.revert_changes()
    assert order.tags == ["a"]
    order.delete()


def test_walrus_chained_and_unpacked_assignments():
    order, other = Order(), Order()
    order.name = other.name = "z"
    order.count, other.count = 5, 6
    assert order.changes == {"name": ("a", "z"), "count": (1, 5)}
    assert other.changes == {"name": ("a", "z"), "count": (1, 6)}
    for order.count in range(3):
        pass
    assert order.count == 2
    setattr(order, "total", 5)  # noqa: B010
    assert nitro.changes.original(order, "total") == 1.0
