"""What the handle of a unit of work can do, and what it says to those who use it wrongly."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from units_of_work import Broken, Order, Product, in_a_loop

from nitro import (
    EntityNotFound,
    Repository,
    SQLModelBackend,
    UniqueViolation,
    UnitOfWork,
    UnitOfWorkError,
)


async def send_mail() -> None: ...


class Mail:
    async def __call__(self) -> None: ...

    async def send(self) -> None: ...


# --- What comes after the commit --------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, "mail", 5])
def test_what_cannot_be_called_is_refused_at_once(value: Any) -> None:
    with UnitOfWork() as uow, pytest.raises(TypeError, match=f"on_commit takes a function .*, got {value!r}"):
        uow.on_commit(value)


def test_a_coroutine_is_no_coroutine_function() -> None:
    coroutine = send_mail()
    with UnitOfWork() as uow, pytest.raises(TypeError, match="got <coroutine object send_mail .*: give the function"):
        uow.on_commit(coroutine)  # type: ignore[arg-type]
    coroutine.close()


@pytest.mark.parametrize("function", [send_mail, partial(send_mail), Mail(), Mail().send])
def test_what_is_to_be_awaited_is_refused_by_a_unit_that_awaits_nothing(function: Callable[[], Any]) -> None:
    with UnitOfWork() as uow, pytest.raises(UnitOfWorkError, match="only `async with UnitOfWork"):
        uow.on_commit(function)


# --- Sessions ---------------------------------------------------------------------------------------------------------


@in_a_loop
async def test_a_session_of_the_database_of_a_class(repository: Repository) -> None:
    if not isinstance(repository, SQLModelBackend):
        with UnitOfWork() as uow, pytest.raises(UnitOfWorkError, match="MemoryRepo, where Order is, has no sessions"):
            uow.session(Order)
        return
    with UnitOfWork() as uow, uow.session(Order) as session:
        assert session.connection() is not None
    async with UnitOfWork() as uow, await uow.session(Order) as session:
        assert await session.connection() is not None


@pytest.mark.parametrize("value", ["orders", Order.id, object])
def test_a_session_of_nothing_is_refused(value: Any) -> None:
    with UnitOfWork() as uow, pytest.raises(TypeError, match="session takes a repository or a class of entities, got"):
        uow.session(value)


# --- Savepoints of the wrong kind -------------------------------------------------------------------------------------


@in_a_loop
async def test_a_savepoint_of_the_wrong_kind_names_the_right_one(repository: Repository) -> None:
    with pytest.raises(UnitOfWorkError, match=r"write `async with uow.savepoint\(\)`"):
        async with UnitOfWork() as uow:
            with uow.savepoint():  # type: ignore[attr-defined]
                pass
    with pytest.raises(UnitOfWorkError, match=r"write `with uow.savepoint\(\)`"), UnitOfWork() as uow:
        async with uow.savepoint():  # type: ignore[attr-defined]
            pass
    with pytest.raises(UnitOfWorkError, match=r"write `async with uow.savepoint\(\)`"):
        async with UnitOfWork():
            with UnitOfWork() as inner, inner.savepoint():
                pass


# --- Verbs ------------------------------------------------------------------------------------------------------------


def test_the_verbs_of_the_class(repository: Repository) -> None:
    with UnitOfWork() as uow:
        order = uow.orders.create(customer="Ann", number=1)
        assert uow.orders.get_many([order.id, "nobody's"]) == [order]
        others = uow.orders.save_all([Order(number=2), Order(number=3)])
        assert uow.orders.get_many(other.id for other in others) == others
        with uow.orders.locked(order.id) as mine:
            assert mine is order
            mine.total = 5
            uow.orders.save(mine)
        with pytest.raises(TypeError, match=r"save_all\(\) of Order got a Product|Order"):
            uow.orders.save_all([Product()])  # type: ignore[list-item]
    assert [order.number for order in Order.where().order_by("number")] == [1, 2, 3]
    assert Order.get(order.id).total == 5
    with UnitOfWork() as uow, pytest.raises(EntityNotFound), uow.orders.locked("nobody's"):
        pass


@in_a_loop
async def test_the_verbs_of_the_class_in_async_code(repository: Repository) -> None:
    async with UnitOfWork() as uow:
        order = await uow.orders.create(customer="Ann", number=1)
        assert await uow.orders.get_many([order.id, "nobody's"]) == [order]
        others = await uow.orders.save_all([Order(number=2), Order(number=3)])
        assert await uow.orders.get_many(other.id for other in others) == others
        async with uow.orders.locked(order.id) as mine:
            assert mine is order
            mine.total = 5
            await uow.orders.save(mine)
    assert sorted(str(order.number) for order in await Order.aall()) == ["1", "2", "3"]
    assert (await Order.aget(order.id)).total == 5


def test_what_they_store_is_taken_back(repository: Repository) -> None:
    with pytest.raises(Broken), UnitOfWork() as uow:
        uow.orders.create(number=1)
        uow.orders.save_all([Order(number=2)])
        raise Broken
    assert Order.all() == []
    with UnitOfWork() as uow:
        uow.orders.create(number=1)
        with pytest.raises(UniqueViolation), uow.savepoint():
            uow.orders.create(number=1)
    assert Order.where().count() == 1


@in_a_loop
async def test_after_its_end_they_are_of_no_use(repository: Repository) -> None:
    with UnitOfWork() as uow:
        orders = uow.orders
    for use in (
        lambda: orders.create(),
        lambda: orders.get_many([]),
        lambda: orders.save_all([]),
        lambda: orders.locked("1"),
        lambda: orders.get("1"),
        lambda: orders.all(),
    ):
        with pytest.raises(UnitOfWorkError, match="has ended"):
            use()
    async with UnitOfWork() as auow:
        aorders = auow.orders
    for ause in (
        lambda: aorders.create(),
        lambda: aorders.get_many([]),
        lambda: aorders.save_all([]),
        lambda: aorders.get("1"),
        lambda: aorders.all(),
    ):
        with pytest.raises(UnitOfWorkError, match="has ended"):
            await ause()
