"""Deleting and updating what a query finds."""

import pytest
from pydantic import ValidationError

from nitro import Entity, Field, MemoryRepo, UniqueViolation, UnknownFieldError, changes

store = MemoryRepo()
isolated = MemoryRepo(isolated=True)


class Order(Entity, backend=store):
    name: str = Field(unique=True)
    total: float = Field(0.0, ge=0, index=True)
    status: str = "draft"


class Note(Entity, backend=isolated):
    name: str
    stars: int = Field(0, index=True)


@pytest.fixture(autouse=True)
def _orders(_stores_in_step: None) -> None:
    for number, name in enumerate("abcde"):
        Order(name=name, total=number).save()
        Note(name=name, stars=number).save()


def test_delete_tells_how_many_it_deleted():
    assert Order.where(Order.total >= 3).delete() == 2
    assert [order.name for order in Order.all()] == ["a", "b", "c"]
    assert Order.where(Order.total >= 3).delete() == 0


def test_delete_keeps_to_order_limit_and_offset():
    assert Order.where().order_by("-total").offset(1).limit(2).delete() == 2
    assert [order.name for order in Order.all()] == ["a", "b", "e"]


def test_update_gives_new_values_and_saves_them():
    assert Order.where(Order.total < 2).update(total=9, status="placed") == 2
    assert [(order.total, order.status) for order in Order.where(total=9)] == [(9.0, "placed")] * 2
    first = Order.where(name="a").one()
    assert not first.is_changed
    assert changes.previous(first) == {"total": (0.0, 9.0), "status": ("draft", "placed")}
    assert Order.where(name="nobody").update(total=1) == 0


def test_update_of_copies_reaches_the_store():
    assert Note.where(Note.stars > 2).update(stars=100) == 2
    assert Note.where(stars=100).count() == 2
    assert Note.where(Note.stars < 2).delete() == 2
    assert [note.name for note in Note.all()] == ["c", "d", "e"]


def test_update_validates():
    with pytest.raises(ValidationError, match="greater than or equal to 0"):
        Order.where(name="a").update(total=-1)
    assert Order.where(name="a").one().total == 0
    Order.where(name="a").update(total="7.5")
    assert Order.where(total=7.5).count() == 1


def test_update_of_an_unknown_field_is_refused_before_anything_is_read():
    with pytest.raises(UnknownFieldError, match="Order has no field 'totl'; did you mean 'total'?"):
        Order.where().update(status="x", totl=1)
    assert Order.where(status="x").count() == 0


def test_update_keeps_unique_fields_unique():
    with pytest.raises(UniqueViolation, match="Order with name='b' is stored"):
        Order.where(name="a").update(name="b")
    assert [order.name for order in Order.all()] == ["a", "b", "c", "d", "e"]
