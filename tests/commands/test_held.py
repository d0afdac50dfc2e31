"""What is locked inside of a unit of work is locked until that is kept or given up, on every store."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest
from bank import Account

import nitro
from nitro import MemoryRepo, UnitOfWork, UnitOfWorkError

pytestmark = pytest.mark.usefixtures("repository")

#: Seconds: how long whoever has to wait is watched, and how long they may take in the end.
A_WHILE, LONG = 0.2, 30

in_memory = pytest.mark.parametrize("repository", ["memory", "isolated"], indirect=True)


class Broken(Exception):
    pass


class Another:
    """Somebody else, in a thread of their own, who does something meanwhile."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self._future: Future[Any] = Future()

        def run() -> None:
            try:
                self._future.set_result(function())
            except BaseException as error:  # noqa: BLE001 - given to whoever asks
                self._future.set_exception(error)

        threading.Thread(target=run, daemon=True).start()

    def waits(self) -> bool:
        try:
            self._future.exception(A_WHILE)
        except TimeoutError:
            return True
        return False

    def result(self) -> Any:
        return self._future.result(LONG)


def balance_of(key: str) -> int:
    return Account.where(id=key).sum("balance")


class TestLocks:
    @pytest.mark.parametrize("fails", [True, False])
    def test_that_of_a_command_is_held_to_the_end_of_the_unit(self, fails: bool) -> None:
        key = Account(balance=1).save().id
        try:
            with UnitOfWork():
                assert Account.get(key).pay_in_alone(10) == 11
                other = Another(lambda: Account.get(key).pay_in_alone(100))
                assert other.waits()
                if fails:
                    raise Broken
        except Broken:
            pass
        assert other.result() == balance_of(key) == (101 if fails else 111)

    def test_so_is_that_of_a_command_in_a_command(self) -> None:
        account, other = Account().save(), Account().save()
        others: list[Another] = []

        @nitro.command
        def pay_in_both(first: Account, second: Account) -> None:
            first.pay_in_alone(1)
            others.append(Another(lambda: Account.get(account.id).pay_in_alone(10)))
            assert others[0].waits()
            second.pay_in_alone(1)
            raise Broken

        with pytest.raises(Broken):
            pay_in_both(account, other)
        assert others[0].result() == balance_of(account.id) == 10

    def test_so_is_that_of_the_verb(self) -> None:
        key = Account(balance=1).save().id
        with pytest.raises(Broken), UnitOfWork():
            with Account.locked(key) as account:
                account.balance += 10
                account.save()
            other = Another(lambda: Account.get(key).pay_in_alone(100))
            assert other.waits()
            raise Broken
        assert other.result() == balance_of(key) == 101

    def test_async_ones_too(self) -> None:
        key = Account(balance=1).save().id
        others: list[Another] = []

        async def run() -> None:
            async with UnitOfWork():
                await (await Account.aget(key)).apay_in_alone(10)
                async with Account.alocked(key) as account:
                    account.balance += 10
                    await account.asave()
                others.append(Another(lambda: Account.get(key).pay_in_alone(100)))
                assert await asyncio.to_thread(others[0].waits)
                raise Broken

        with pytest.raises(Broken):
            asyncio.run(run())
        assert others[0].result() == balance_of(key) == 101

    def test_a_task_waits_for_the_unit_of_another_task(self) -> None:
        key = Account(balance=1).save().id

        async def run() -> None:
            is_locked, steps = asyncio.Event(), []

            async def first() -> None:
                async with UnitOfWork():
                    await (await Account.aget(key)).apay_in_alone(10)
                    is_locked.set()
                    for _ in range(20):
                        await asyncio.sleep(0)
                    steps.append("first")

            async def second() -> None:
                await is_locked.wait()
                await (await Account.aget(key)).apay_in_alone(100)
                steps.append("second")

            await asyncio.gather(first(), second())
            assert steps == ["first", "second"]

        asyncio.run(run())
        assert balance_of(key) == 111

    @pytest.mark.parametrize("end", ["commit", "rollback"])
    def test_a_commit_or_a_rollback_in_the_midst_gives_it_back(self, end: str) -> None:
        key = Account(balance=1).save().id
        with UnitOfWork() as uow:
            Account.get(key).pay_in_alone(10)
            getattr(uow, end)()
            other = Another(lambda: Account.get(key).pay_in_alone(100))
            assert other.result() == (111 if end == "commit" else 101)

        async def run() -> None:
            async with UnitOfWork() as uow:
                await (await Account.aget(key)).apay_in_alone(10)
                await getattr(uow, end)()
                other = Another(lambda: Account.get(key).pay_in_alone(100))
                await asyncio.to_thread(other.result)

        asyncio.run(run())
        assert balance_of(key) == (221 if end == "commit" else 201)

    def test_what_follows_the_commit_may_lock_it_anew(self) -> None:
        key = Account(balance=1).save().id
        others: list[Any] = []
        with UnitOfWork() as uow:
            Account.get(key).pay_in_alone(10)
            uow.on_commit(lambda: others.append(Another(lambda: Account.get(key).pay_in_alone(100)).result()))
        assert others == [111]

    def test_the_unit_may_lock_again_what_it_has_locked(self) -> None:
        key = Account().save().id
        with UnitOfWork():
            with Account.locked(key) as account:
                assert account.pay_in_alone(1) == 1
                with Account.locked(key) as again:
                    assert again.pay_in_alone(1) == 2
            assert Account.get(key).pay_in_alone(1) == 3
        with Account.locked(key) as account:
            assert account.pay_in_alone(1) == 4

        @nitro.command
        def pay_in_twice(account: Account) -> int:
            account.pay_in_alone(1)
            return account.pay_in_alone(1)

        assert pay_in_twice(account) == balance_of(key) == 6

    def test_an_async_unit_may_too(self) -> None:
        async def run() -> None:
            key = (await Account().asave()).id
            async with UnitOfWork():
                async with Account.alocked(key) as account:
                    assert await account.apay_in_alone(1) == 1
                    async with Account.alocked(key) as again:
                        assert await again.apay_in_alone(1) == 2
                assert await (await Account.aget(key)).apay_in_alone(1) == 3
            async with Account.alocked(key) as account:
                assert await account.apay_in_alone(1) == 4
            assert (await Account.aget(key)).balance == 4

        asyncio.run(run())

    def test_a_lock_that_outlives_the_unit_is_given_back_at_its_own_end(self, repository: Any) -> None:
        key = Account().save().id
        if not isinstance(repository, MemoryRepo):
            return
        unit = UnitOfWork()
        unit.__enter__()
        locked = Account.locked(key)
        locked.__enter__()
        unit.__exit__(None, None, None)
        other = Another(lambda: Account.get(key).pay_in_alone(1))
        assert other.waits()
        locked.__exit__(None, None, None)
        assert other.result() == 1

    @in_memory
    def test_async_code_locks_in_an_async_unit(self, repository: Any) -> None:
        key = Account().save().id

        async def run() -> None:
            with UnitOfWork():
                with Account.locked(key) as account:
                    account.pay_in_alone(1)
                with pytest.raises(UnitOfWorkError, match="write `async with UnitOfWork"):
                    async with Account.alocked(key):
                        pass

        asyncio.run(run())

    @in_memory
    def test_none_is_left(self, repository: MemoryRepo) -> None:
        from nitro import locks as module

        keys = [Account().save().id for _ in range(3)]

        async def work() -> None:
            async with UnitOfWork():
                for key in keys:
                    await (await Account.aget(key)).apay_in_alone(1)
                    await asyncio.sleep(0)

        async def run() -> None:
            tasks = [asyncio.create_task(work()) for _ in range(100)]
            for task in tasks[::2]:
                await asyncio.sleep(0)
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run(run())
        assert (repository._locks._locks, module._held, module._waits) == ({}, {}, {})


class TestIdempotencyKeys:
    @pytest.mark.parametrize("fails", [True, False])
    def test_one_is_held_to_the_end_of_the_unit(self, fails: bool) -> None:
        account = Account().save()
        # In memory others see what is not kept yet, so it is loaded before.
        theirs = Account.get(account.id)
        try:
            with UnitOfWork():
                Account.get(account.id).pay_in_once(5, idempotency_key="a")
                other = Another(lambda: theirs.pay_in_once(5, idempotency_key="a"))
                assert other.waits()
                if fails:
                    raise Broken
        except Broken:
            pass
        other.result()
        assert balance_of(account.id) == 5

    def test_an_async_one_too(self) -> None:
        key = Account().save().id
        theirs = Account.get(key)
        others: list[Another] = []

        async def run() -> None:
            async with UnitOfWork():
                await (await Account.aget(key)).apay_in_once(5, idempotency_key="a")
                others.append(Another(lambda: asyncio.run(theirs.apay_in_once(5, idempotency_key="a"))))
                assert await asyncio.to_thread(others[0].waits)
                raise Broken

        with pytest.raises(Broken):
            asyncio.run(run())
        others[0].result()
        assert balance_of(key) == 5

    def test_the_unit_may_use_it_again(self) -> None:
        account = Account().save()
        with UnitOfWork():
            account.pay_in_once(5, idempotency_key="a")
            account.pay_in_once(5, idempotency_key="a")
        account.pay_in_once(5, idempotency_key="a")
        assert balance_of(account.id) == 5

        async def run() -> None:
            async with UnitOfWork():
                account = await Account().asave()
                await account.apay_in_once(5, idempotency_key="a")
                await account.apay_in_once(5, idempotency_key="a")
            assert (await Account.aget(account.id)).balance == 5

        asyncio.run(run())

    def test_what_a_savepoint_takes_back_is_not_recorded(self) -> None:
        account = Account().save()
        with UnitOfWork() as uow:
            with pytest.raises(Broken), uow.savepoint():
                account.pay_in_once(5, idempotency_key="a")
                raise Broken
            assert account.balance == 0
            account.pay_in_once(5, idempotency_key="a")
        assert balance_of(account.id) == 5
