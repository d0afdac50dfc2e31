"""Commands that run anew, alone, or once for each key."""

import asyncio
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from bank import Account

import nitro
from nitro import (
    ConfigurationError,
    EntityNotFound,
    KeyReused,
    MemoryRepo,
    NitroError,
    SQLModelBackend,
    StaleEntityError,
    UnitOfWork,
)

THREADS, ROUNDS = 4, 10

#: In live memory there is one object for a record, which nobody can have an old copy of.
several_objects = pytest.mark.parametrize("repository", ["isolated", "sqlite", "postgresql"], indirect=True)


HERE = Path(__file__).parent

ANOTHER_PROCESS = """
import sys
from bank import Account
from nitro import SQLModelBackend

Account.__nitro_backend__ = SQLModelBackend(sys.argv[1])
account = Account.get(sys.argv[2]).pay_in_once(5, idempotency_key="a")
print(account.id, account.balance)
"""


def in_threads(function) -> list:
    with ThreadPoolExecutor(THREADS) as threads:
        return [future.result() for future in [threads.submit(function) for _ in range(THREADS)]]


def balance_of(key: str) -> int:
    return Account.where(id=key).sum("balance")


def another(account: Account) -> Account:
    """The record as another object, where there can be one."""
    return Account.get(account.id)


class TestRetry:
    def test_it_runs_anew_with_what_is_stored(self, repository) -> None:
        account = Account(balance=1).save()
        mine = another(account)
        account.pay_in(10)
        assert mine.pay_in_again(100) == 111
        assert balance_of(account.id) == 111

    def test_an_async_one_does_too(self, repository) -> None:
        async def run() -> None:
            account = await Account(balance=1).asave()
            mine = await Account.aget(account.id)
            account.balance += 10
            await account.asave()
            assert await mine.apay_in_again("100") == 111

        asyncio.run(run())

    @several_objects
    def test_without_it_the_error_goes_up(self, repository) -> None:
        account = Account().save()
        mine = another(account)
        account.pay_in(10)
        with pytest.raises(StaleEntityError):
            mine.pay_in(1)

    @several_objects
    def test_inside_of_a_unit_of_work_the_error_goes_up(self, repository) -> None:
        account = Account().save()
        mine = another(account)
        account.pay_in(10)
        with pytest.raises(StaleEntityError), UnitOfWork():
            mine.pay_in_again(1)
        assert balance_of(account.id) == 10

    @several_objects
    def test_what_was_changed_before_the_call_is_not_thrown_away_for_it(self, repository) -> None:
        account = Account().save()
        mine = another(account)
        account.pay_in(10)
        mine.owner = "Ann"
        with pytest.raises(StaleEntityError):
            mine.pay_in_again(1)
        assert mine.changes["owner"] == ("", "Ann")

    @several_objects
    def test_a_record_that_is_gone_is_not_found(self, repository) -> None:
        account = Account().save()
        mine = another(account)
        account.delete()
        with pytest.raises(EntityNotFound):
            mine.pay_in_again(1)

    def test_a_class_without_versions_is_an_error_that_says_what_to_do(self) -> None:
        class Tally(nitro.Entity, versioned=False):
            count: int = 0

            @nitro.command(retry=3)
            def add(self) -> None:
                self.count += 1

            @nitro.command(retry=3, lock=True)
            def add_alone(self) -> None:
                self.count += 1

        tally = Tally().save()
        with pytest.raises(
            ConfigurationError, match=r"Tally.add has retry=3, and Tally has no versions.*versioned=True.*lock=True"
        ):
            tally.add()
        tally.add_alone()
        assert tally.count == 1


class TestLock:
    def test_threads_take_turns(self, repository) -> None:
        key = Account().save().id

        def work() -> None:
            for _ in range(ROUNDS):
                Account.get(key).pay_in_alone(1)

        in_threads(work)
        assert balance_of(key) == THREADS * ROUNDS

    def test_tasks_take_turns(self, repository) -> None:
        async def run() -> int:
            key = (await Account().asave()).id

            async def work() -> None:
                for _ in range(ROUNDS):
                    await (await Account.aget(key)).apay_in_alone(1)

            await asyncio.gather(*(work() for _ in range(THREADS)))
            return (await Account.aget(key)).balance

        assert asyncio.run(run()) == THREADS * ROUNDS

    def test_the_newest_values_are_inside(self, repository) -> None:
        account = Account().save()
        mine = another(account)
        account.pay_in(10)
        assert mine.pay_in_alone(1) == 11

    @several_objects
    def test_changes_from_before_the_call_that_are_out_of_date_are_stale(self, repository) -> None:
        account = Account().save()
        mine = another(account)
        account.pay_in(10)
        mine.owner = "Ann"
        with pytest.raises(StaleEntityError):
            mine.pay_in_alone(1)
        assert balance_of(account.id) == 10

    def test_a_new_entity_needs_no_lock(self, repository) -> None:
        account = Account()
        assert account.pay_in_alone(1) == 1
        assert balance_of(account.id) == 1

    def test_locked_as_a_verb(self, repository) -> None:
        account = Account().save()
        with Account.locked(account.id) as mine:
            mine.balance += 1
            mine.save()
        assert balance_of(account.id) == 1
        with pytest.raises(EntityNotFound), Account.locked("nobody"):
            pass

        async def run() -> None:
            async with Account.alocked(account.id) as mine:
                mine.balance += 1
                await mine.asave()
            with pytest.raises(EntityNotFound):
                async with Account.alocked("nobody"):
                    pass

        asyncio.run(run())
        assert balance_of(account.id) == 2

    def test_an_unsuitable_key_is_not_found(self, repository) -> None:
        with pytest.raises(EntityNotFound), Account.locked(object()):
            pass


class TestLocksOfMemory:
    def test_who_holds_one_can_take_it_again(self) -> None:
        repository = MemoryRepo()

        class Tally(nitro.Entity, backend=repository):
            count: int = 0

        key = Tally().save().id
        with Tally.locked(key), Tally.locked(key):
            pass

        async def run() -> None:
            async with Tally.alocked(key), Tally.alocked(key):
                pass

        asyncio.run(run())
        assert not repository._locks._locks

    def test_a_task_that_waits_does_not_stop_the_others(self) -> None:
        repository = MemoryRepo()

        class Tally(nitro.Entity, backend=repository):
            count: int = 0

        key = Tally().save().id
        taken, leave = threading.Event(), threading.Event()

        def hold() -> None:
            with Tally.locked(key):
                taken.set()
                assert leave.wait(10)

        async def run() -> list[str]:
            done: list[str] = []

            async def wait() -> None:
                async with Tally.alocked(key):
                    done.append("waited")

            waiting = asyncio.create_task(wait())
            await asyncio.sleep(0)
            cancelled = asyncio.create_task(wait())
            await asyncio.sleep(0)
            done.append("others")
            cancelled.cancel()
            with pytest.raises(asyncio.CancelledError):
                await cancelled
            leave.set()
            await waiting
            return done

        thread = threading.Thread(target=hold)
        thread.start()
        assert taken.wait(10)
        assert asyncio.run(run()) == ["others", "waited"]
        thread.join()
        assert not repository._locks._locks

    def test_a_sync_lock_that_another_task_of_the_thread_holds_is_an_error(self) -> None:
        class Tally(nitro.Entity, backend=MemoryRepo()):
            count: int = 0

        key = Tally().save().id

        async def run() -> None:
            async def hold() -> None:
                with Tally.locked(key):
                    raise AssertionError("it is locked")

            async with Tally.alocked(key):
                with pytest.raises(NitroError, match="another task of this event loop"):
                    await asyncio.create_task(hold())

        asyncio.run(run())

    def test_under_cancellation_none_is_left(self) -> None:
        repository = MemoryRepo()

        class Tally(nitro.Entity, backend=repository):
            count: int = 0

        key = Tally().save().id

        async def run() -> None:
            async def work() -> None:
                async with Tally.alocked(key):
                    await asyncio.sleep(0)

            tasks = [asyncio.create_task(work()) for _ in range(200)]
            for number in range(100):
                await asyncio.sleep(0)
                tasks[number * 2].cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(result is None or isinstance(result, asyncio.CancelledError) for result in results)

        asyncio.run(run())
        assert not repository._locks._locks


class TestIdempotencyKeys:
    def test_a_second_call_with_the_key_does_not_run_and_gives_what_the_first_gave(self, repository) -> None:
        account = Account().save()
        first = account.pay_in_once(5, idempotency_key="a")
        second = account.pay_in_once(amount="5", idempotency_key="a")
        assert first.id == second.id == account.id
        assert balance_of(account.id) == 5
        assert isinstance(second, Account)
        account.pay_in_once(5, idempotency_key="b")
        account.pay_in_once(5)
        assert balance_of(account.id) == 15

    def test_an_old_object_gets_the_values_that_are_stored(self, repository) -> None:
        account = Account().save()
        old = another(account)
        account.pay_in_once(5, idempotency_key="a")
        assert old.pay_in_once(5, idempotency_key="a").balance == 5

    def test_an_async_one_does_the_same(self, repository) -> None:
        async def run() -> None:
            account = await Account().asave()
            old = await Account.aget(account.id)
            await account.apay_in_once(5, idempotency_key="a")
            again = await old.apay_in_once(5, idempotency_key="a")
            assert (again.id, again.balance) == (account.id, 5)
            assert (await Account.aget(account.id)).balance == 5

        asyncio.run(run())

    def test_a_classmethod_can_have_them(self, repository) -> None:
        (first,) = Account.open_once("Ann", [{"product": "tea"}], idempotency_key="a")
        (second,) = Account.open_once(owner="Ann", lines=[{"product": "tea", "quantity": 1}], idempotency_key="a")
        assert first.id == second.id
        assert Account.where().count() == 1

    def test_the_key_with_other_arguments_is_an_error(self, repository) -> None:
        account, other = Account().save(), Account().save()
        account.pay_in_once(5, idempotency_key="a")
        with pytest.raises(
            KeyReused, match=r"Account.pay_in_once was called with idempotency_key='a' before"
        ) as caught:
            account.pay_in_once(6, idempotency_key="a")
        assert (caught.value.command, caught.value.key) == ("Account.pay_in_once", "a")
        with pytest.raises(KeyReused):
            other.pay_in_once(5, idempotency_key="a")
        assert (balance_of(account.id), balance_of(other.id)) == (5, 0)

    def test_two_commands_do_not_share_keys(self, repository) -> None:
        account = Account().save()
        account.pay_in_once(5, idempotency_key="a")
        Account.open_once("Ann", idempotency_key="a")
        assert Account.where().count() == 2

    def test_what_fails_is_not_recorded(self, repository) -> None:
        account = Account().save()
        with pytest.raises(ZeroDivisionError), UnitOfWork():
            account.pay_in_once(5, idempotency_key="a")
            raise ZeroDivisionError
        assert (account.balance, balance_of(account.id)) == (0, 0)
        account.pay_in_once(5, idempotency_key="a")
        assert balance_of(account.id) == 5

    def test_of_calls_at_the_same_time_one_runs(self, repository) -> None:
        key = Account().save().id
        start = threading.Barrier(THREADS)

        def work() -> str:
            account = Account.get(key)
            start.wait(10)
            return account.pay_in_once(5, idempotency_key="a").id

        assert in_threads(work) == [key] * THREADS
        assert balance_of(key) == 5

    @pytest.mark.parametrize("repository", ["sqlite", "postgresql"], indirect=True)
    def test_of_processes_at_the_same_time_one_runs(self, repository) -> None:
        key = Account().save().id
        url = repository.database.url.render_as_string(hide_password=False)
        processes = [
            subprocess.Popen(
                [sys.executable, "-c", ANOTHER_PROCESS, url, key], stdout=subprocess.PIPE, cwd=HERE, text=True
            )
            for _ in range(THREADS)
        ]
        assert [process.communicate(timeout=60)[0] for process in processes] == [f"{key} 5\n"] * THREADS
        assert balance_of(key) == 5

    def test_of_tasks_at_the_same_time_one_runs(self, repository) -> None:
        async def run() -> int:
            key = (await Account().asave()).id

            async def work() -> None:
                await (await Account.aget(key)).apay_in_once(5, idempotency_key="a")

            await asyncio.gather(*(work() for _ in range(THREADS)))
            return (await Account.aget(key)).balance

        assert asyncio.run(run()) == 5

    def test_a_database_without_the_table_says_how_to_make_it(self, tmp_path) -> None:
        class Till(nitro.Entity, backend=SQLModelBackend(f"sqlite:///{tmp_path}/till.db")):
            __tablename__ = "bank_tills"
            count: int = 0

        nitro.create_all(Till)

        class Till(Till):  # type: ignore[no-redef]
            __tablename__ = "bank_tills_again"

            @nitro.command(idempotent=True)
            def add(self) -> None:
                self.count += 1

        with pytest.raises(nitro.SchemaMismatch, match=r"no table nitro_command_keys.*nitro.create_all\(\)"):
            Till().add(idempotency_key="a")
        nitro.create_all(Till)
        Till().add(idempotency_key="a")
        assert Till.where().count() == 1

    def test_a_command_without_idempotent_takes_no_key(self, repository) -> None:
        from pydantic import ValidationError

        with pytest.raises(ValidationError, match="idempotency_key"):
            Account().pay_in(5, idempotency_key="a")
