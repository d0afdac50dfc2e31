"""The signals of the life of entities."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from blinker import ANY, signal

from nitro import Entity, UnitOfWork, off, on
from nitro.events import created, deleted, saved, updated


class Order(Entity):
    total: float = 0.0


class Product(Entity):
    stock: int = 0


story: list[Any] = []


@pytest.fixture(autouse=True)
def _stored(lives: Callable[..., None]) -> None:
    lives(Order, Product)
    story.clear()


def test_they_are_signals_of_blinker():
    def receiver(sender: Any, **keywords: Any) -> None: ...

    for lifecycle, name in ((created, "created"), (updated, "updated"), (deleted, "deleted"), (saved, "saved")):
        assert signal(f"nitro.{name}") is lifecycle
        assert lifecycle.name == f"nitro.{name}"
        assert not lifecycle.has_receivers_for(ANY)
        with lifecycle.connected_to(receiver):
            assert lifecycle.has_receivers_for(Order())
            assert list(lifecycle.receivers_for(ANY)) == [receiver]
        assert not lifecycle.receivers


def test_handlers_hear_of_what_was_stored_after_the_commit():
    @on(created, Order)
    def order_created(order: Order, changes: dict[str, Any]) -> None:
        story.append(("created", order.total, changes["total"]))

    @on(updated, Order, when=Order.total > 100)
    def order_grew(order: Order, changes: dict[str, Any]) -> None:
        story.append(("grew", changes))

    @on(saved)
    def any_saved(entity: Entity) -> None:
        story.append(("saved", type(entity)))

    @on(deleted)
    def any_deleted(entity: Entity) -> None:
        story.append(("deleted", type(entity)))

    with UnitOfWork():
        order = Order(total=5).save()
        Product().save()
        assert story == []
    assert story == [("created", 5, (None, 5)), ("saved", Order), ("saved", Product)]
    story.clear()
    with UnitOfWork():
        order.total = 200
        order.save()
    assert story == [("grew", {"total": (5, 200)}), ("saved", Order)]
    story.clear()
    with UnitOfWork():
        order.delete()
    assert story == [("deleted", Order)]
    for handler in (order_created, order_grew, any_saved, any_deleted):
        off(handler)


def test_a_condition_is_decided_as_the_entity_was_when_it_was_saved():
    @on(updated, Order, when=Order.total > 100)
    def order_grew(order: Order, changes: dict[str, Any]) -> None:
        story.append(("grew", changes["total"], order.total))

    @on(saved, Order, when=lambda order: order.total == 50)
    async def order_is_fifty(order: Order, changes: dict[str, Any]) -> None:
        story.append(("fifty", changes["total"], order.total))

    async def save_twice(order: Order) -> None:
        async with UnitOfWork():
            for total in 150.0, 50.0:
                order.total = total
                await order.asave()
            order.total = 1000.0
            await order.asave()

    order = Order(total=5).save()
    with UnitOfWork():
        for total in 150.0, 50.0, 7.0:
            order.total = total
            order.save()
    # The entity itself is as it is now.
    expected = [("grew", (5, 150), 7), ("fifty", (150, 50), 7)]
    assert story == expected
    story.clear()
    asyncio.run(save_twice(order))
    off(order_grew)
    off(order_is_fifty)
    assert story == [("grew", (7, 150), 1000), ("fifty", (150, 50), 1000), ("grew", (50, 1000), 1000)]


def test_a_condition_of_a_deletion_is_decided_as_it_is_deleted():
    @on(deleted, Order, when=Order.total > 100)
    def big_deleted(order: Order) -> None:
        story.append(order.total)

    order = Order(total=150).save()
    with UnitOfWork():
        order.delete()
        order.total = 5
    off(big_deleted)
    assert story == [5]


def test_a_handler_that_runs_once_runs_for_the_first_that_fits():
    @on(updated, Order, when=Order.total > 100, once=True)
    def first_big(order: Order, changes: dict[str, Any]) -> None:
        story.append(changes["total"][1])

    order = Order(total=5).save()
    with UnitOfWork():
        for total in 50.0, 150.0, 250.0:
            order.total = total
            order.save()
    assert story == [150]
    off(first_big)


def test_a_condition_that_raises_is_an_error_of_its_handler_after_the_commit():
    def asks(order: Order) -> bool:
        raise LookupError("no answer")

    @on(saved, Order, when=asks)
    def unlucky(order: Order) -> None: ...

    on(saved, Order)(story.append)
    order = Order()
    with pytest.raises(ExceptionGroup) as raised, UnitOfWork():
        order.save()
    off(unlucky)
    off(story.append)
    assert raised.group_contains(LookupError, match="no answer")
    assert story == [order]
    assert len(Order.all()) == 1


def test_whoever_sends_the_signal_by_hand_has_the_condition_decided_then():
    order, other = Order(total=5).save(), Order(total=500).save()

    @on(updated, Order)
    def sends(order: Order) -> None:
        updated.send(other, changes={})

    @on(updated, Order, when=Order.total > 100)
    def big(order: Order) -> None:
        story.append(order.total)

    off(sends)
    on(updated, Order, when=lambda order: order.total < 100)(sends)
    with UnitOfWork():
        order.total = 6
        order.save()
    off(sends)
    off(big)
    assert story == [500]


def test_handlers_hear_of_it_at_once_where_there_is_no_unit_of_work():
    @on(saved, Order)
    def order_saved(order: Order, changes: dict[str, Any]) -> None:
        assert Order.get(order.id).total == order.total
        story.append(changes["total"])

    @on(deleted, Order)
    def order_deleted(order: Order) -> None:
        story.append(Order.get_or_none(order.id))

    order = Order(total=1).save()
    order.total = 2
    order.save()
    asyncio.run(Order(total=3).asave())
    order.delete()
    off(order_saved)
    off(order_deleted)
    Order(total=4).save()
    assert story == [(None, 1), (1, 2), (None, 3), None]


def test_a_handler_can_store_entities_of_which_others_hear():
    @on(created, Order)
    def stock(order: Order) -> None:
        Product(stock=5).save()

    @on(created, Product)
    def noted(product: Product) -> None:
        story.append(product.stock)

    Order().save()
    with UnitOfWork():
        Order().save()
        assert story == [5]
    off(stock)
    off(noted)
    assert story == [5, 5]


def test_nobody_hears_of_what_was_taken_back():
    on(saved)(story.append)
    with pytest.raises(ValueError, match="given up"), UnitOfWork():
        Order().save()
        raise ValueError("given up")
    off(story.append)
    assert story == []


def test_async_handlers_are_awaited_in_an_async_unit_of_work():
    @on(created, Order)
    async def stock(order: Order) -> None:
        await Product(stock=1).asave()
        story.append("done")

    async def place() -> None:
        async with UnitOfWork():
            await Order().asave()
        assert story == ["done"]

    asyncio.run(place())
    off(stock)
    assert len(Product.all()) == 1


def test_an_error_of_a_handler_says_that_the_entity_is_stored():
    @on(created, Order)
    def fails(order: Order) -> None:
        raise ValueError("no mail")

    with pytest.raises(ExceptionGroup) as raised, UnitOfWork():
        Order().save()
    off(fails)
    group: Any = raised.value
    while isinstance(group.exceptions[0], ExceptionGroup):
        group = group.exceptions[0]
    assert group.message == "nitro.created: 1 of 1 handlers failed; what was stored stays so"
    assert len(Order.all()) == 1
