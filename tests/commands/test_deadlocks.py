"""Locks of memory that are taken in opposite order: one is told, and nobody waits for ever."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import pytest

import nitro
from nitro import MemoryRepo, NitroError, WriteConflict
from nitro.locks import KeyLocks

SECONDS = 20


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    yield
    from nitro import locks

    assert not locks._waits
    assert not locks._held


def in_threads(*functions: Callable[[], Any]) -> list[Any]:
    """What each of them gives, or raises. A thread that is stuck fails the test, which goes on without it."""

    def run(function: Callable[[], Any], future: Future[Any]) -> None:
        try:
            future.set_result(function())
        except BaseException as error:  # noqa: BLE001 - given to whoever asks
            future.set_exception(error)

    futures: list[Future[Any]] = [Future() for _ in functions]
    for pair in zip(functions, futures, strict=True):
        threading.Thread(target=run, args=pair, daemon=True).start()
    return [future.exception(SECONDS) or future.result() for future in futures]


def conflicts(results: list[Any]) -> int:
    assert all(result is None or isinstance(result, WriteConflict) for result in results), results
    return sum(isinstance(result, WriteConflict) for result in results)


def in_order(locks: KeyLocks, meeting: threading.Barrier, first: str, second: str) -> Callable[[], None]:
    def work() -> None:
        with locks.hold(first):
            meeting.wait(SECONDS)
            with locks.hold(second):
                pass

    return work


def test_two_threads_in_opposite_order() -> None:
    locks, meeting = KeyLocks(), threading.Barrier(2)
    results = in_threads(in_order(locks, meeting, "a", "b"), in_order(locks, meeting, "b", "a"))
    assert conflicts(results) == 1


def test_a_ring_of_threads() -> None:
    locks, meeting = KeyLocks(), threading.Barrier(5)
    results = in_threads(*(in_order(locks, meeting, str(n), str((n + 1) % 5)) for n in range(5)))
    assert conflicts(results) == 1


def test_the_locks_of_two_repositories() -> None:
    first, second, meeting = KeyLocks(), KeyLocks(), threading.Barrier(2)

    def work(one: KeyLocks, other: KeyLocks) -> None:
        with one.hold("a"):
            meeting.wait(SECONDS)
            with other.hold("a"):
                pass

    results = in_threads(lambda: work(first, second), lambda: work(second, first))
    assert conflicts(results) == 1


def test_two_tasks_in_opposite_order() -> None:
    locks = KeyLocks()

    async def run() -> list[Any]:
        meeting, waiting = asyncio.Event(), 0

        async def work(first: str, second: str) -> None:
            nonlocal waiting
            async with locks.ahold(first):
                waiting += 1
                if waiting == 2:
                    meeting.set()
                await meeting.wait()
                async with locks.ahold(second):
                    pass

        async with asyncio.timeout(SECONDS):
            return await asyncio.gather(work("a", "b"), work("b", "a"), return_exceptions=True)

    assert conflicts(asyncio.run(run())) == 1


def test_a_task_and_a_thread_in_opposite_order() -> None:
    locks, meeting = KeyLocks(), threading.Barrier(2)

    async def run() -> None:
        async with locks.ahold("b"):
            await asyncio.to_thread(meeting.wait, SECONDS)
            async with asyncio.timeout(SECONDS), locks.ahold("a"):
                pass

    results = in_threads(in_order(locks, meeting, "a", "b"), lambda: asyncio.run(run()))
    assert conflicts(results) == 1


def test_tasks_of_two_loops_in_opposite_order() -> None:
    locks, meeting = KeyLocks(), threading.Barrier(2)

    async def work(first: str, second: str) -> None:
        async with locks.ahold(first):
            await asyncio.to_thread(meeting.wait, SECONDS)
            async with asyncio.timeout(SECONDS), locks.ahold(second):
                pass

    results = in_threads(lambda: asyncio.run(work("a", "b")), lambda: asyncio.run(work("b", "a")))
    assert conflicts(results) == 1


def test_a_sync_lock_in_a_task_belongs_to_the_task() -> None:
    locks, meeting = KeyLocks(), threading.Barrier(2)

    async def run() -> None:
        with locks.hold("b"):
            async with locks.ahold("b"):
                meeting.wait(SECONDS)
                with locks.hold("a"):
                    pass

    results = in_threads(in_order(locks, meeting, "a", "b"), lambda: asyncio.run(run()))
    assert conflicts(results) == 1


def test_a_task_that_stops_its_loop_stops_the_others_of_it() -> None:
    """One task has b and, with the loop, all others wait for c; who has c waits for another task, which has a."""
    locks, is_taken, is_blocked = KeyLocks(), threading.Event(), threading.Event()

    def other() -> None:
        with locks.hold("c"):
            is_taken.set()
            assert is_blocked.wait(SECONDS)
            with locks.hold("a"):
                pass

    async def run() -> None:
        async def hold() -> None:
            async with locks.ahold("a"):
                has_a.set()
                await go_on.wait()

        has_a, go_on = asyncio.Event(), asyncio.Event()
        holding = asyncio.create_task(hold())
        await has_a.wait()
        assert await asyncio.to_thread(is_taken.wait, SECONDS)
        # The thread goes on when this one waits, which nobody but itself could tell it: so it is told a little before.
        is_blocked.set()
        try:
            with locks.hold("c"):
                pass
        finally:
            go_on.set()
            await holding

    results = in_threads(other, lambda: asyncio.run(run()))
    # Whoever comes last is told.
    errors = [result for result in results if result is not None]
    assert len(errors) == 1
    assert isinstance(errors[0], WriteConflict if results[0] else NitroError)


def test_a_lock_that_the_thread_has_around_its_loop_is_an_error() -> None:
    locks = KeyLocks()

    async def run() -> None:
        async with locks.ahold("a"):
            pass

    def work() -> None:
        with locks.hold("a"):
            asyncio.run(run())

    (result,) = in_threads(work)
    assert isinstance(result, NitroError)
    assert "this thread has it locked outside of the event loop that it runs" in str(result)


def test_what_a_thread_has_around_its_loop_is_waited_for_until_the_loop_ends() -> None:
    locks, meeting = KeyLocks(), threading.Barrier(2)

    async def run() -> None:
        meeting.wait(SECONDS)
        async with asyncio.timeout(SECONDS), locks.ahold("b"):
            pass

    def work() -> None:
        with locks.hold("a"):
            asyncio.run(run())

    results = in_threads(work, in_order(locks, meeting, "b", "a"))
    assert conflicts(results) == 1


def test_who_has_given_up_waiting_is_in_nobodys_way() -> None:
    locks = KeyLocks()

    async def run() -> None:
        async def wait() -> None:
            async with locks.ahold("b"), locks.ahold("a"):
                pass

        async with locks.ahold("a"):
            waiting = asyncio.create_task(wait())
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            async with locks.ahold("b"):
                pass

    asyncio.run(run())


def test_who_waits_in_one_order_is_never_told() -> None:
    locks, names = KeyLocks(), "abcd"

    def work() -> None:
        for number in range(50):
            with locks.hold(names[number % 3]), locks.hold(names[number % 3 + 1]):
                pass

    async def awork() -> None:
        async def once(number: int) -> None:
            async with locks.ahold(names[number % 3]):
                await asyncio.sleep(0)
                async with locks.ahold(names[number % 3 + 1]):
                    await asyncio.sleep(0)

        await asyncio.gather(*map(once, range(200)))

    assert in_threads(work, work, lambda: asyncio.run(awork()), lambda: asyncio.run(awork())) == [None] * 4


class Purse(nitro.Entity):
    __tablename__ = "bank_purses"
    money: int = 0

    @nitro.command(lock=True, retry=20)
    def give(self, other: "Purse", amount: int) -> None:
        with Purse.locked(other.id) as mine:
            mine.money += amount
            mine.save()
        self.money -= amount

    @nitro.command(lock=True, retry=20)
    async def agive(self, other: "Purse", amount: int) -> None:
        async with Purse.alocked(other.id) as mine:
            await asyncio.sleep(0)
            mine.money += amount
            await mine.asave()
        self.money -= amount


@pytest.mark.parametrize("isolated", [True, False])
def test_commands_that_are_in_each_others_way_are_all_done(isolated: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Purse, "__nitro_backend__", MemoryRepo(isolated=isolated))
    first, second = Purse(money=100).save().id, Purse(money=100).save().id

    def work(giver: str, taker: str) -> None:
        for _ in range(20):
            Purse.get(giver).give(Purse.get(taker), 1)

    async def awork() -> None:
        async def once(giver: str, taker: str) -> None:
            await (await Purse.aget(giver)).agive(await Purse.aget(taker), 1)

        async with asyncio.timeout(SECONDS):
            await asyncio.gather(*(once(*pair) for pair in [(first, second), (second, first)] * 10))

    results = in_threads(lambda: work(first, second), lambda: work(second, first), lambda: asyncio.run(awork()))
    assert results == [None] * 3
    assert [Purse.get(key).money for key in (first, second)] == [100, 100]


def test_the_message_names_the_entity_and_what_to_do() -> None:
    class Tally(nitro.Entity, backend=MemoryRepo()):
        count: int = 0

    Tally.save_all([Tally(id="a"), Tally(id="b")])
    meeting = threading.Barrier(2)

    def work(first: str, second: str) -> None:
        with Tally.locked(first):
            meeting.wait(SECONDS)
            with Tally.locked(second):
                pass

    results = in_threads(lambda: work("a", "b"), lambda: work("b", "a"))
    (error,) = [result for result in results if result is not None]
    assert isinstance(error, WriteConflict)
    assert str(error) in {
        f"Tally '{key}' is locked by another thread or task, which waits for what this one has locked (a deadlock): this "
        "one is given up, repeat it (@command(retry=...) does), and lock in the same order everywhere"
        for key in "ab"
    }
