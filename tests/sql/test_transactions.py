"""Transactions: together or not at all; in threads, in tasks, and one inside of another."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import nullcontext

import pytest
from sqlmodel import SQLModel

from nitro import Entity, NitroError, SQLModelBackend, UniqueViolation, changes
from nitro.backends.sql.schema import table_of


def fail() -> None:
    raise ZeroDivisionError


class Wallet(Entity):
    owner: str = ""
    balance: int = 0


@pytest.fixture(params=["file", "memory", "postgresql"])
def repository(request: pytest.FixtureRequest, tmp_path, monkeypatch) -> Iterator[SQLModelBackend]:
    urls = {"file": lambda: f"sqlite:///{tmp_path}/nitro.db", "memory": lambda: "sqlite://"}
    url = urls[request.param]() if request.param in urls else request.getfixturevalue("postgres_url")
    repository = SQLModelBackend(url)
    monkeypatch.setattr(Wallet, "__nitro_backend__", repository)
    table = table_of(Wallet)
    SQLModel.metadata.drop_all(repository.database.engine, [table])
    SQLModel.metadata.create_all(repository.database.engine, [table])
    yield repository
    assert repository.database.gauges.idle == repository.database.gauges.open
    repository.database.close()


def test_what_is_done_inside_is_kept_together(repository: SQLModelBackend) -> None:
    with repository.database.transaction():
        ann = Wallet(owner="Ann").save()
        Wallet(owner="Bob").save()
        assert Wallet.get(ann.id).owner == "Ann"
    assert Wallet.where().count() == 2


def test_an_exception_undoes_all(repository: SQLModelBackend) -> None:
    ann = Wallet(owner="Ann", balance=1).save()
    with pytest.raises(ZeroDivisionError), repository.database.transaction():
        Wallet(owner="Bob").save()
        Wallet.where().update(balance=7)
        fail()
    assert Wallet.all() == [ann]
    assert Wallet.get(ann.id).balance == 1


def test_one_inside_of_another_is_part_of_it(repository: SQLModelBackend) -> None:
    with pytest.raises(ZeroDivisionError), repository.database.transaction():
        with repository.database.transaction():
            Wallet().save()
        assert Wallet.where().count() == 1
        fail()
    assert Wallet.where().count() == 0


def test_async_transactions_of_many_tasks(repository: SQLModelBackend) -> None:
    account = Wallet().save()

    async def add() -> None:
        async with repository.database.atransaction():
            found = await Wallet.aget(account.id)
            await asyncio.sleep(0)
            found.balance += 1
            await Wallet.where(id=account.id, balance=found.balance - 1).aupdate(balance=found.balance)

    async def story() -> None:
        await asyncio.gather(*(add() for _ in range(30)))

    asyncio.run(story())
    if repository.database.dialect.name == "sqlite":
        # They write one after the other, from the first statement on.
        assert Wallet.get(account.id).balance == 30
    else:
        assert 1 <= Wallet.get(account.id).balance <= 30


def test_an_async_exception_undoes_all(repository: SQLModelBackend) -> None:
    async def story() -> None:
        with pytest.raises(ZeroDivisionError):
            async with repository.database.atransaction():
                await Wallet().asave()
                assert await Wallet.where().acount() == 1
                fail()
        assert await Wallet.where().acount() == 0

    asyncio.run(story())


def test_a_cancelled_transaction_is_undone(repository: SQLModelBackend) -> None:
    async def story() -> None:
        started = asyncio.Event()

        async def work() -> None:
            async with repository.database.atransaction():
                await Wallet().asave()
                started.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(work())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await Wallet.where().acount() == 0
        await Wallet().asave()
        assert await Wallet.where().acount() == 1

    asyncio.run(story())


def test_other_threads_are_not_part_of_it(repository: SQLModelBackend) -> None:
    if repository.database.gauges.open == 1 and repository.database.url.database is None:
        return  # in memory there is one connection, for which the other thread would wait
    counts: list[int] = []
    with repository.database.transaction():
        Wallet().save()
        thread = threading.Thread(target=lambda: counts.append(Wallet.where().count()))
        thread.start()
        thread.join()
    assert counts == [0]
    assert Wallet.where().count() == 1


def test_save_all_is_all_or_nothing(repository: SQLModelBackend) -> None:
    ann = Wallet(owner="Ann").save()
    others = [Wallet(owner=str(number)) for number in range(300)]
    with pytest.raises(Exception, match="another Wallet with id"):
        Wallet.save_all([*others, Wallet(id=ann.id)])
    assert Wallet.all() == [ann]
    assert {changes.version(other) for other in others} == {0}
    Wallet.save_all(others)
    assert Wallet.where().count() == 301
    ann.balance = 5
    ann.save()
    stale = Wallet.get(ann.id)
    ann.balance = 6
    ann.save()
    stale.balance = 7
    with pytest.raises(Exception, match="loaded as version"):
        Wallet.save_all([Wallet(owner="new"), stale])
    assert Wallet.where().count() == 301


def test_a_clash_inside_of_a_transaction_is_told_as_outside(repository: SQLModelBackend) -> None:
    ann = Wallet(owner="Ann").save()
    with pytest.raises(UniqueViolation, match="id="), repository.database.transaction():
        Wallet(id=ann.id).save()

    async def main() -> None:
        with pytest.raises(UniqueViolation, match="id="):
            async with repository.database.atransaction():
                await Wallet(id=ann.id).asave()

    asyncio.run(main())
    assert Wallet.where().count() == 1


def test_what_is_not_kept_is_not_passed_over_in_silence(repository: SQLModelBackend) -> None:
    """PostgreSQL gives up a transaction for a statement that it refuses, even if the program goes on."""
    ann = Wallet(owner="Ann").save()
    gives_up = repository.database.dialect.name == "postgresql"
    expected = pytest.raises(NitroError, match="keeps nothing of it") if gives_up else nullcontext()
    with expected, repository.database.transaction():
        Wallet(owner="Bob").save()
        with pytest.raises(UniqueViolation):
            Wallet(id=ann.id).save()
    assert Wallet.where(owner="Bob").exists() is not gives_up
    with expected, repository.database.transaction():
        with pytest.raises(UniqueViolation):
            Wallet(id=ann.id).save()
        Wallet.where().count()

    async def main() -> None:
        with expected:
            async with repository.database.atransaction():
                await Wallet(owner="Cleo").asave()
                with pytest.raises(UniqueViolation):
                    await Wallet(id=ann.id).asave()

    asyncio.run(main())
    assert Wallet.where(owner="Cleo").exists() is not gives_up


def test_a_transaction_that_is_cancelled_as_it_begins_locks_nobody_out(repository: SQLModelBackend) -> None:
    async def begin() -> None:
        async with repository.database.atransaction():
            await Wallet().asave()

    async def main() -> None:
        for steps in range(30):
            task = asyncio.ensure_future(begin())
            for _ in range(steps % 10):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            await Wallet(owner="after").asave()

    asyncio.run(main())
    assert Wallet.where(owner="after").count() == 30


def test_what_was_saved_inside_is_unsaved_again(repository: SQLModelBackend) -> None:
    ann = Wallet(owner="Ann").save()
    gone = Wallet(owner="gone").save()
    version = changes.version(ann)
    with pytest.raises(ZeroDivisionError), repository.database.transaction():
        ann.balance = 5
        ann.save()
        ann.owner = "Anna"
        bob = Wallet(owner="Bob").save()
        many = Wallet.save_all([Wallet(owner=str(number)) for number in range(3)])
        gone.delete()
        fail()
    assert changes.of(ann) == {"balance": (0, 5), "owner": ("Ann", "Anna")}
    assert changes.version(ann) == version
    assert [changes.version(one) for one in (bob, *many, gone)] == [0, 0, 0, 0, 1]
    # So the same can be tried again.
    with repository.database.transaction():
        ann.save()
        bob.save()
        Wallet.save_all(many)
        gone.delete()
    assert sorted((wallet.owner, wallet.balance) for wallet in Wallet.all()) == [
        ("0", 0),
        ("1", 0),
        ("2", 0),
        ("Anna", 5),
        ("Bob", 0),
    ]

    async def story() -> None:
        with pytest.raises(ZeroDivisionError):
            async with repository.database.atransaction():
                ann.balance = 9
                await ann.asave()
                fail()

    asyncio.run(story())
    assert changes.of(ann) == {"balance": (5, 9)}


def test_a_loop_over_many_inside(repository: SQLModelBackend) -> None:
    Wallet.save_all([Wallet(balance=number) for number in range(2500)])
    with repository.database.transaction():
        for wallet in Wallet.where().order_by("balance"):
            wallet.balance += 1
            wallet.save()
            if wallet.balance == 2000:
                break
        Wallet(owner="after").save()
    assert Wallet.where().sum("balance") == sum(range(2500)) + 2000

    async def story() -> None:
        async with repository.database.atransaction():
            async for wallet in Wallet.where(owner=""):
                wallet.balance += 1
                await wallet.asave()

    asyncio.run(story())
    assert Wallet.where().sum("balance") == sum(range(2500)) + 4500


def test_verbs_of_the_other_kind_are_part_of_it_or_refused(repository: SQLModelBackend) -> None:
    refused = repository.database.dialect.name == "postgresql"

    async def inside_of_async() -> None:
        async with repository.database.atransaction():
            if refused:
                with pytest.raises(NitroError, match="asave"):
                    Wallet().save()
            else:
                Wallet().save()
            fail()

    async def inside_of_sync() -> None:
        with repository.database.transaction():
            if refused:
                with pytest.raises(NitroError, match="`save`"):
                    await Wallet().asave()
            else:
                await Wallet().asave()
            fail()

    for story in (inside_of_async, inside_of_sync):
        with pytest.raises(ZeroDivisionError):
            asyncio.run(story())
        assert Wallet.where().count() == 0


def test_what_is_done_in_python_stays_inside(repository: SQLModelBackend) -> None:
    async def story() -> None:
        with pytest.raises(ZeroDivisionError):
            async with repository.database.atransaction():
                await Wallet.asave_all([Wallet(balance=number) for number in range(5)])
                assert await Wallet.where().limit(3).asum("balance") == 3
                assert await Wallet.where().in_memory().group_by("owner").acount() == {"": 5}
                page = await Wallet.where().in_memory().order_by("-balance").apage(limit=2, total=True)
                assert ([wallet.balance for wallet in page], page.total) == ([4, 3], 5)
                rest = await Wallet.where().in_memory().order_by("-balance").apage(limit=9, after=page.next_cursor)
                assert [wallet.balance for wallet in rest] == [2, 1, 0]
                assert await Wallet.where(balance=2).in_memory().adelete() == 1
                assert await Wallet.where().acount() == 4
                fail()
        assert await Wallet.where().acount() == 0

    asyncio.run(story())


def test_a_task_that_outlives_a_transaction_is_outside_of_the_next(repository: SQLModelBackend) -> None:
    async def story() -> None:
        go = asyncio.Event()

        async def later() -> None:
            await go.wait()
            await Wallet(owner="later").asave()

        async with repository.database.atransaction():
            task = asyncio.create_task(later())
            await asyncio.sleep(0)
        if repository.database.dialect.name == "sqlite":
            # There is one writer at a time.
            go.set()
            await task
        else:
            with pytest.raises(ZeroDivisionError):
                async with repository.database.atransaction():
                    await Wallet(owner="inside").asave()
                    go.set()
                    await task
                    fail()
        assert [wallet.owner for wallet in await Wallet.aall()] == ["later"]

    asyncio.run(story())


def test_a_loop_that_is_left_inside_of_a_task(repository: SQLModelBackend) -> None:
    Wallet.save_all([Wallet(balance=number) for number in range(2500)])

    async def story() -> None:
        async with repository.database.atransaction():
            async for wallet in Wallet.where(Wallet.balance >= 10).order_by("balance"):
                if wallet.balance == 1500:
                    break
            wallet.balance = -1
            await wallet.asave()
        assert await Wallet.where(balance=-1).acount() == 1

    asyncio.run(story())
