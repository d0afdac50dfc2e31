"""What a unit of work may not be used for, and what it says then."""

import asyncio
import threading
from pathlib import Path

import pytest
from units_of_work import Broken, Order, Product, in_a_loop

import nitro
from nitro import Entity, MemoryRepo, Repository, SQLModelBackend, UnitOfWork, UnitOfWorkError, UnsavedChangesWarning
from nitro.backends.sql.database import forget
from nitro.work import current


def test_another_thread_may_not_use_it(repository: Repository) -> None:
    import contextvars

    with UnitOfWork() as uow:
        context = contextvars.copy_context()
        errors: list[Exception] = []

        def work() -> None:
            for verb in (Order().save, lambda: uow.orders, Order.all):
                try:
                    verb()
                except UnitOfWorkError as error:
                    errors.append(error)

        thread = threading.Thread(target=context.run, args=(work,))
        thread.start()
        thread.join()
        assert [str(error)[:32] for error in errors] == ["a unit of work belongs to the th"] * 3
    assert Order.all() == []


def test_threads_have_units_of_their_own(repository: Repository) -> None:
    def work(customer: str) -> None:
        for number in range(20):
            try:
                with UnitOfWork():
                    Order(customer=customer).save()
                    if number % 2:
                        raise Broken
            except Broken:
                pass

    threads = [threading.Thread(target=work, args=(name,)) for name in ("Ann", "Bob", "Cid")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name in ("Ann", "Bob", "Cid"):
        assert Order.where(customer=name).count() == 10


async def kept_by_itself(customer: str) -> None:
    async with UnitOfWork():
        await Order(customer=customer).asave()


@in_a_loop
async def test_another_task_may_not_use_it(repository: Repository) -> None:
    async with UnitOfWork():
        with pytest.raises(UnitOfWorkError, match="belongs to the task"):
            await asyncio.gather(Order().asave(), Order().asave())
        with pytest.raises(ExceptionGroup):
            async with asyncio.TaskGroup() as group:
                group.create_task(Order().asave())
        await asyncio.gather(kept_by_itself("a"), kept_by_itself("b"))
        await Order(customer="mine").asave()
    assert {order.customer for order in await Order.aall()} == {"a", "b", "mine"}


@in_a_loop
async def test_tasks_have_units_of_their_own(repository: Repository) -> None:
    async def work(customer: str, *, fails: bool) -> None:
        async with UnitOfWork():
            assert current() is not None
            await Order(customer=customer).asave()
            await asyncio.sleep(0)
            await Product(name=customer).asave()
            if fails:
                raise Broken

    ended = await asyncio.gather(
        *(work(str(number), fails=number % 2 == 1) for number in range(10)), return_exceptions=True
    )
    assert [type(error) for error in ended] == [type(None), Broken] * 5
    assert {order.customer for order in await Order.aall()} == {"0", "2", "4", "6", "8"}
    assert await Product.where().acount() == 5


@in_a_loop
async def test_a_task_that_lives_on_is_outside(repository: Repository) -> None:
    over = asyncio.Event()

    async def later() -> None:
        await over.wait()
        assert current() is None
        await Order(customer="later").asave()

    with pytest.raises(Broken):
        async with UnitOfWork():
            task = asyncio.create_task(later())
            await Order(customer="now").asave()
            raise Broken
    over.set()
    await task
    assert [order.customer for order in await Order.aall()] == ["later"]


def test_after_its_end_it_is_of_no_use(repository: Repository) -> None:
    with UnitOfWork() as uow:
        orders = uow.orders
    for use in (lambda: uow.orders, uow.commit, uow.rollback, uow.savepoint, lambda: orders.save(Order())):
        with pytest.raises(UnitOfWorkError, match="has ended"):
            use()
    assert repr(uow) == "<UnitOfWork, ended, 0 entities>"


@in_a_loop
async def test_the_kind_of_unit_and_the_kind_of_verb_have_to_agree(repository: Repository) -> None:
    if not repository.capabilities.transactions:
        # Memory waits for nobody: both kinds do.
        async with UnitOfWork():
            order = Order().save()
        assert Order.get(order.id)
        return
    with pytest.raises(UnitOfWorkError, match="write `with UnitOfWork"):
        async with UnitOfWork():
            Order().save()
    with pytest.raises(UnitOfWorkError, match="write `async with UnitOfWork"), UnitOfWork():
        await Order().asave()


def test_a_second_database_is_refused(tmp_path: Path) -> None:
    urls = [f"sqlite:///{tmp_path}/{name}.db" for name in ("one", "two")]

    class One(Entity, backend=SQLModelBackend(urls[0])):
        name: str = ""

    class Two(Entity, backend=SQLModelBackend(urls[1])):
        name: str = ""

    class Aside(Entity, backend=MemoryRepo()):
        name: str = ""

    nitro.create_all(One, Two)
    with pytest.raises(UnitOfWorkError, match="kept together in one database"), UnitOfWork():
        Aside().save()
        One().save()
        Two().save()
    assert One.all() == Two.all() == Aside.all() == []
    for url in urls:
        forget(url)


def test_a_forgotten_save_is_loud(repository: Repository) -> None:
    order = Order(customer="Ann").save()
    if repository.capabilities.live:
        with UnitOfWork():
            Order.get(order.id).total = 5
        assert Order.get(order.id).total == 5
        return

    @UnitOfWork()
    def forgets() -> None:
        mine = Order.get(order.id)
        mine.total = 5
        mine.tags.append("new")

    with pytest.warns(UnsavedChangesWarning, match=rf"Order '{order.id}' was changed .* \(total, tags\)"):
        forgets()


def test_names_of_entities(repository: Repository) -> None:
    with UnitOfWork() as uow:
        assert repr(uow.products) == "<Product of a unit of work>"
        with pytest.raises(AttributeError, match="no 'ordres', .*; did you mean 'orders'?"):
            _ = uow.ordres
        with pytest.raises(TypeError, match="Product of a unit of work, got Order"):
            uow.products.save(Order())  # type: ignore[arg-type]


def test_one_is_entered_once() -> None:
    unit = UnitOfWork()
    with unit, pytest.raises(UnitOfWorkError, match="is going on already"), unit:
        pass
    with unit:
        pass


def test_a_block_cannot_be_run_anew() -> None:
    with pytest.raises(UnitOfWorkError, match="cannot be run anew"), UnitOfWork(retries=2):
        pass
    with pytest.raises(ValueError, match="from 0 on"):
        UnitOfWork(retries=-1)
