"""What is hard to take back: what others have, what moved, what comes from outside, what was left to others."""

import asyncio
import threading
from collections.abc import AsyncGenerator
from contextlib import suppress

import pytest
from pydantic import field_validator
from units_of_work import Broken, Order, Product, in_a_loop

from nitro import (
    Entity,
    Field,
    MemoryRepo,
    Repository,
    SQLModelBackend,
    StaleEntityError,
    UniqueViolation,
    UnitOfWork,
    UnitOfWorkError,
    changes,
    command,
)
from nitro.events import captured_events, updated


def test_what_others_have_stored_stays_where_a_save_was_refused(repository: Repository) -> None:
    theirs = Order(id="1", customer="theirs").save()
    with pytest.raises(UniqueViolation), UnitOfWork():
        Order(id="1", customer="mine").save()
    assert Order.get("1").customer == theirs.customer == "theirs"
    with pytest.raises(Broken), UnitOfWork():
        Order(id="1", customer="mine").upsert()
        raise Broken
    assert Order.get("1").customer == "theirs"
    with pytest.raises(UniqueViolation), UnitOfWork():
        Order.save_all([Order(id="2"), Order(id="1")])
    assert [order.customer for order in Order.all()] == ["theirs"]


def test_unique_values_that_moved_are_moved_back(repository: Repository) -> None:
    one, other = Order(number=1).save(), Order(number=2).save()
    with pytest.raises(Broken), UnitOfWork():
        first, second = Order.get(one.id), Order.get(other.id)
        first.number = 3
        first.save()
        second.number = 1
        raise Broken
    assert [Order.get(order.id).number for order in (one, other)] == [1, 2]
    assert (first.number, second.number) == (1, 2)
    with pytest.raises(Broken), UnitOfWork():
        first, second = Order.get(one.id), Order.get(other.id)
        for order, number in ((first, 3), (second, 1), (first, 2)):
            order.number = number
            order.save()
        raise Broken
    assert [Order.get(order.id).number for order in (one, other)] == [1, 2]


def test_keys_that_moved_are_moved_back(repository: Repository) -> None:
    order = Order(id="1", customer="Ann").save()
    with pytest.raises(Broken), UnitOfWork():
        mine = Order.get("1")
        mine.id = "2"
        mine.save()
        assert Order.get_or_none("1") is None
        assert Order.get("2") is mine
        raise Broken
    assert (mine.id, Order.get("1").customer, Order.get_or_none("2")) == ("1", "Ann", None)
    assert order.customer == "Ann"


class Secret(Entity, backend=MemoryRepo()):
    text: str = Field(default="", index=True)
    note: str = ""

    @field_validator("text")
    @classmethod
    def hidden(cls, text: str) -> str:
        return f"<{text}>"


def test_values_are_put_back_without_another_validation() -> None:
    secret = Secret(text="a").save()
    secret.text = "b"
    with pytest.raises(Broken), UnitOfWork():
        Secret.get(secret.id).note = "c"
        raise Broken
    assert (secret.text, secret.note) == ("<b>", "")
    assert changes.of(secret) == {"text": ("<a>", "<b>")}
    assert Secret.where(text="<b>").one() is secret
    assert MemoryRepo.check(Secret.__nitro_backend__) == []


def test_a_savepoint_is_for_what_may_fail_inside(repository: Repository) -> None:
    with UnitOfWork() as uow:
        order = Order(customer="Ann").save()
        with pytest.raises(Broken), uow.savepoint(), UnitOfWork():
            Order(customer="Bob").save()
            raise Broken
    assert [kept.id for kept in Order.all()] == [order.id]


def test_a_function_does_not_run_anew_with_old_entities_from_outside(repository: Repository) -> None:
    if repository.capabilities.live:
        return  # the object is the record, and never old
    order = Order(total=1).save()
    other = Order.get(order.id)
    other.total = 5
    other.save()
    ran: list[int] = []

    @UnitOfWork(retries=3)
    def add() -> None:
        ran.append(1)
        order.total += 10
        order.save()

    with pytest.raises(StaleEntityError):
        add()
    assert ran == [1]
    assert Order.get(order.id).total == 5


@in_a_loop
async def test_a_unit_of_another_task_has_no_part_in_the_transaction(repository: Repository) -> None:
    if isinstance(repository, SQLModelBackend) and repository.database.dialect.name == "sqlite":
        return  # where one writes, nobody else can

    @UnitOfWork()
    async def child(customer: str, *, fails: bool) -> None:
        await Product(name=customer).asave()
        if fails:
            raise Broken

    with pytest.raises(Broken):
        async with UnitOfWork():
            await Order(customer="outer").asave()
            await asyncio.create_task(child("kept", fails=False))
            raise Broken
    async with UnitOfWork():
        await Order(customer="outer").asave()
        with pytest.raises(Broken):
            await asyncio.create_task(child("gone", fails=True))
    assert [product.name for product in await Product.aall()] == ["kept"]
    assert [order.customer for order in await Order.aall()] == ["outer"]


@in_a_loop
async def test_a_unit_that_is_left_to_others_gives_its_connection_back(repository: Repository) -> None:
    async def left() -> AsyncGenerator[None]:
        async with UnitOfWork():
            await Order(customer="left").asave()
            yield

    generator = left()
    await anext(generator)
    with pytest.raises(UnitOfWorkError, match="left to another"):
        await asyncio.create_task(finishing(generator))
    assert await Order.where().acount() == 0
    generator = left()
    await anext(generator)
    # As the event loop does with those that nobody has any more.
    await asyncio.create_task(closing(generator))
    assert await Order.where().acount() == 0


async def finishing(generator: AsyncGenerator[None]) -> None:
    with suppress(StopAsyncIteration):
        await anext(generator)


async def closing(generator: AsyncGenerator[None]) -> None:
    await generator.aclose()


def test_signals_of_what_is_locked_come_after_its_commit(repository: Repository) -> None:
    order = Order(total=1).save()
    with captured_events(updated) as sent:
        with pytest.raises(Broken), repository_locked(order.id) as mine:
            mine.total = 2
            mine.save()
            raise Broken
        if repository.capabilities.transactions:
            assert list(sent) == []
        with repository_locked(order.id) as mine:
            mine.total = 3
            mine.save()
            before = len(sent)
        assert len(sent) == before + 1
    assert Order.get(order.id).total == 3


def repository_locked(key: str):
    return Order.locked(key)


class Cart(Entity, backend=MemoryRepo(isolated=True)):
    total: int = 0

    @classmethod
    @command
    def add_to_all(cls, carts: list["Cart"], by: int) -> None:
        for cart in carts:
            cart.total += by
        if by < 0:
            raise Broken


def test_a_command_saves_the_entities_in_a_list() -> None:
    carts = [Cart().save(), Cart().save()]
    Cart.add_to_all(carts, 5)
    assert [Cart.get(cart.id).total for cart in carts] == [5, 5]
    with pytest.raises(Broken):
        Cart.add_to_all(carts, -1)
    assert [cart.total for cart in carts] == [5, 5]


def test_generators_are_no_units() -> None:
    with pytest.raises(UnitOfWorkError, match="is a generator"):

        @UnitOfWork()
        def numbers():  # type: ignore[no-untyped-def]
            yield 1


def test_isolation_levels_are_known() -> None:
    with pytest.raises(ValueError, match="isolation takes one of read committed, .*, got 'serialisable'"):
        UnitOfWork(isolation="serialisable")


def test_with_an_isolation_level_reading_is_part_of_the_transaction(repository: Repository) -> None:
    if not isinstance(repository, SQLModelBackend) or repository.database.dialect.name != "postgresql":
        with UnitOfWork(isolation="serializable"):
            assert Order.where().count() == 0
        return
    product = Product(stock=1).save()
    with UnitOfWork(isolation="repeatable read"):
        assert product.refresh().stock == 1
        writer = threading.Thread(target=lambda: Order().save())
        writer.start()
        writer.join()
        assert Order.where().count() == 0
    assert Order.where().count() == 1
