"""An isolated store: copies go in and come out, as with a database."""

import pytest

from nitro import Entity, EntityNotFound, Field, MemoryRepo, StaleEntityError

store = MemoryRepo(isolated=True)


class Order(Entity, backend=store):
    status: str = Field("draft", index=True)
    total: float = 0.0
    tags: list[str] = []


def test_it_says_what_it_is():
    assert not store.capabilities.live
    assert store.capabilities.versions


def test_what_is_assigned_shows_after_a_save():
    order = Order(tags=["a"]).save()
    order.status = "placed"
    order.tags.append("b")
    assert Order.get(order.id).status == "draft"
    assert Order.get(order.id).tags == ["a"]
    assert Order.where(status="placed").count() == 0
    order.save()
    assert Order.get(order.id).tags == ["a", "b"]
    assert Order.where(status="placed").count() == 1
    assert Order.where(status="draft").count() == 0


def test_every_read_gives_another_object():
    order = Order().save()
    reads = [
        Order.get(order.id),
        Order.all()[0],
        Order.where().first(),
        *Order.where().page(),
        *Order.get_many([order.id]),
    ]
    assert all(read == order and read is not order for read in reads)
    assert len(set(map(id, reads))) == len(reads)
    reads[0].tags.append("x")
    assert Order.get(order.id).tags == []


def test_a_read_is_unchanged_and_knows_what_it_was():
    order = Order().save()
    read = Order.get(order.id)
    assert not read.is_changed
    read.total = 5
    assert read.changes == {"total": (0.0, 5.0)}
    read.revert_changes()
    assert read.total == 0


def test_a_save_over_what_somebody_else_saved():
    order = Order().save()
    early, late = Order.get(order.id), Order.get(order.id)
    late.total = 1
    late.save()
    early.total = 2
    with pytest.raises(StaleEntityError, match="was loaded as version 1 and it is at 2 now"):
        early.save()
    assert Order.get(order.id).total == 1
    assert early.changes == {"total": (0.0, 2.0)}
    early.refresh()
    assert (early.total, early.is_changed) == (1.0, False)
    early.total = 3
    early.save()
    assert Order.get(order.id).total == 3


def test_a_delete_of_what_somebody_else_saved():
    order = Order().save()
    early = Order.get(order.id)
    order.total = 1
    order.save()
    with pytest.raises(StaleEntityError):
        early.delete()
    order.delete()
    with pytest.raises(StaleEntityError, match="it was deleted"):
        early.save()
    with pytest.raises(EntityNotFound):
        early.delete()
    with pytest.raises(EntityNotFound):
        early.refresh()


def test_another_key():
    order = Order(id="1").save()
    order.id = "2"
    order.save()
    assert Order.get_or_none("1") is None
    assert Order.get("2").status == "draft"
    assert [order.id for order in Order.all()] == ["2"]


def test_many_at_once():
    orders = Order.save_all([Order(status=str(number)) for number in range(5)])
    orders[0].status = "changed"
    assert [order.status for order in Order.all()] == ["0", "1", "2", "3", "4"]
    Order.save_all([orders[0], Order(status="new")])
    assert sorted(order.status for order in Order.all()) == ["1", "2", "3", "4", "changed", "new"]
