"""In memory the object is the record; versions keep copies from overwriting one another."""

import copy
from typing import Any

import pytest

import nitro
from nitro import Entity, Field, MemoryRepo, StaleEntityError, UniqueViolation


class Counter(Entity):
    count: int = 0

    def increment(self) -> None:
        self.count += 1


def define() -> Any:
    class Order(Entity, backend=MemoryRepo()):
        name: str = "a"
        total: float = 0.0
        tags: list[str] = []

    return Order


def test_an_increment_without_a_save_is_seen_by_everyone():
    id = Counter().save().id
    Counter.get(id).increment()
    Counter.get(id).increment()
    assert Counter.get(id).count == 2
    assert [counter.count for counter in Counter.all() if counter.id == id] == [2]
    assert Counter.where(count=2).exists()
    assert Counter.get(id).changes == {"count": (0, 2)}
    Counter.get(id).save()
    assert Counter.get(id).previous_changes == {"count": (0, 2)}
    Counter.get(id).increment()
    Counter.get(id).revert_changes()
    assert Counter.get(id).count == 2
    Counter.get(id).delete()


def test_edits_in_place_are_seen_by_everyone():
    Order = define()
    id = Order().save().id
    Order.get(id).tags.append("x")
    assert Order.get(id).tags == ["x"]
    assert Order.where(tags=["x"]).count() == 1


def test_a_copy_takes_the_place_of_the_record():
    Order = define()
    order = Order().save()
    copied = copy.deepcopy(order)
    copied.total = 5.0
    assert Order.get(order.id).total == 0.0
    copied.save()
    assert Order.get(order.id) is copied
    assert copied.previous_changes == {"total": (0.0, 5.0)}


def test_a_stale_copy_is_refused():
    Order = define()
    order = Order().save()
    early = copy.deepcopy(order)
    order.total = 1.0
    order.save()
    early.total = 2.0
    with pytest.raises(StaleEntityError, match=r"Order '.*' was loaded as version 1 and it is at 2 now") as caught:
        early.save()
    error = caught.value
    assert (error.entity_class, error.key, error.expected_version, error.stored_version) == (Order, order.id, 1, 2)
    assert Order.get(order.id) is order
    assert order.total == 1.0
    assert early.changes == {"total": (0.0, 2.0)}
    early.refresh()
    early.total = 3.0
    early.save()
    assert Order.get(order.id).total == 3.0
    with pytest.raises(StaleEntityError):
        order.save()


def test_a_stale_copy_cannot_delete():
    Order = define()
    order = Order().save()
    early = copy.deepcopy(order)
    order.total = 1.0
    order.save()
    with pytest.raises(StaleEntityError):
        early.delete()
    assert Order.get(order.id) is order
    early.refresh()
    early.delete()
    assert Order.all() == []


def test_a_copy_of_what_was_deleted_is_stale():
    Order = define()
    order = Order().save()
    early = copy.deepcopy(order)
    order.delete()
    early.total = 1.0
    with pytest.raises(StaleEntityError, match="it was deleted") as caught:
        early.save()
    assert caught.value.stored_version is None
    assert Order.all() == []


def test_of_many_copies_one_wins():
    Order = define()
    order = Order().save()
    copies = [copy.deepcopy(order) for _ in range(10)]
    refused = 0
    for number, copied in enumerate(copies):
        copied.total = float(number + 1)
        try:
            copied.save()
        except StaleEntityError:
            refused += 1
    assert refused == 9
    assert Order.get(order.id).total == 1.0


def test_a_stranger_with_the_same_key_is_refused():
    Order = define()
    order = Order(id="1").save()
    with pytest.raises(UniqueViolation, match=r"another Order with id='1' is stored") as caught:
        Order(id="1", name="stranger").save()
    assert (caught.value.entity_class, caught.value.field, caught.value.value) == (Order, "id", "1")
    assert Order.get("1") is order

    class Product(Entity, backend=MemoryRepo()):
        sku: str = Field(primary_key=True)

    Product(sku="a").save()
    with pytest.raises(UniqueViolation, match="sku='a'"):
        Product(sku="a").save()


def test_saving_without_changes_confirms():
    Order = define()
    order = Order().save()
    copied = copy.deepcopy(order)
    order.save()
    with pytest.raises(StaleEntityError):
        copied.save()


def test_the_version_is_no_field():
    Order = define()
    order = Order().save()
    order.save()
    assert set(order.model_dump()) == {"id", "name", "total", "tags"}
    assert set(vars(order)) == {"id", "name", "total", "tags"}
    assert order == Order(id=order.id)


def test_a_failed_save_leaves_changes_and_version():
    Order = define()
    order = Order(tags=["x"]).save()
    order.tags.append(5)
    with pytest.raises(ValueError, match="tags"):
        order.save()
    assert order.changes == {"tags": (["x"], ["x", 5])}
    order.revert_changes()
    order.save()
    assert order.tags == ["x"]


def test_clearing_a_store_makes_copies_strangers():
    Order = define()
    order = Order().save()
    repository = Order.__nitro_backend__
    repository.clear()
    assert Order.all() == []
    with pytest.raises(nitro.EntityNotFound):
        order.delete()
