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
