"""A repository is safe from any thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from nitro import EntityNotFound, Repository, StaleEntityError, UniqueViolation

from .domain import Account, Order

T = TypeVar("T")

THREADS = 16


def together(action: Callable[[int], T]) -> list[T]:
    """The results of an action that all threads begin at once."""
    start = threading.Barrier(THREADS)

    def run(number: int) -> T:
        start.wait()
        return action(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, range(THREADS)))


class Threads:
    def test_what_many_threads_save_is_all_there(self) -> None:
        def work(number: int) -> list[str]:
            return [Order(name=str(number), rank=number).save().id for _ in range(25)]

        ids = [id for found in together(work) for id in found]
        assert len(set(ids)) == THREADS * 25
        assert {order.id for order in Order.all()} == set(ids)
        assert Order.where().count() == THREADS * 25

    def test_reading_never_fails_because_somebody_writes(self) -> None:
        def work(number: int) -> int:
            saved = 0
            for round in range(15):
                order = Order(name=str(number), rank=round).save()
                assert Order.get(order.id).name == str(number)
                assert order.id in {found.id for found in Order.where()}
                assert Order.where().count() >= 1
                assert Order.where().limit(5).all()
                if round % 3:
                    order.delete()
                    assert Order.get_or_none(order.id) is None
                else:
                    saved += 1
            return saved

        assert Order.where().count() == 0
        assert sum(together(work)) == Order.where().count()

    def test_no_save_over_another_goes_unnoticed(self, repository: Repository) -> None:
        if not repository.capabilities.versions:
            return
        id = Order().save().id

        def increment() -> None:
            # Each refusal is due to a save of somebody else, and there are not more of these.
            for _ in range(THREADS * 5):
                # A copy of its own, where the object is the record.
                order = Order.get(id).model_copy(deep=True)
                order.rank += 1
                try:
                    order.save()
                except StaleEntityError:
                    continue
                return
            raise AssertionError("no save succeeds any more")

        def work(_: int) -> None:
            for _ in range(5):
                increment()

        together(work)
        assert Order.get(id).rank == THREADS * 5

    def test_no_update_under_a_lock_is_lost(self, repository: Repository) -> None:
        if not repository.capabilities.locks:
            return
        ids = [Order().save().id for _ in range(3)]

        def work(_: int) -> None:
            for round in range(12):
                with repository.locked(Order, ids[round % 3]) as order:
                    rank = order.rank
                    Order.where().count()
                    order.rank = rank + 1
                    order.save()

        together(work)
        assert [Order.get(id).rank for id in ids] == [THREADS * 4] * 3

    def test_no_update_of_a_task_under_a_lock_is_lost(self, repository: Repository) -> None:
        if not repository.capabilities.locks:
            return
        ids = [Order().save().id for _ in range(3)]

        async def add(key: str) -> None:
            async with repository.alocked(Order, key) as order:
                rank = order.rank
                await asyncio.sleep(0)
                await Order.where().acount()
                order.rank = rank + 1
                await order.asave()

        async def story() -> None:
            async with asyncio.TaskGroup() as tasks:
                for number in range(30):
                    tasks.create_task(add(ids[number % 3]))

        asyncio.run(story())
        assert [Order.get(id).rank for id in ids] == [10] * 3

    def test_of_all_who_want_a_key_one_gets_it(self) -> None:
        def work(number: int) -> list[str]:
            won: list[str] = []
            for round in range(10):
                try:
                    Order(id=str(round), rank=number).save()
                except UniqueViolation:
                    continue
                won.append(str(round))
            return won

        winners = [(id, number) for number, won in enumerate(together(work)) for id in won]
        assert sorted(id for id, _ in winners) == [str(round) for round in range(10)]
        assert {order.id: order.rank for order in Order.all()} == dict(winners)

    def test_of_all_who_want_a_unique_value_one_gets_it(self, repository: Repository) -> None:
        if not repository.capabilities.unique:
            return

        def work(_: int) -> int:
            won = 0
            for round in range(10):
                try:
                    Account(email=f"{round}@x").save()
                except UniqueViolation:
                    continue
                won += 1
            return won

        assert sum(together(work)) == 10
        assert sorted(str(account.email) for account in Account.all()) == [f"{round}@x" for round in range(10)]

    def test_a_record_is_deleted_once(self) -> None:
        ids = [Order().save().id for _ in range(30)]

        def work(_: int) -> int:
            deleted = 0
            for id in ids:
                order = Order.get_or_none(id)
                if order is None:
                    continue
                try:
                    order.delete()
                except EntityNotFound:
                    continue
                deleted += 1
            return deleted

        assert sum(together(work)) == 30
        assert Order.all() == []

    def test_event_loops_of_several_threads(self) -> None:
        def work(number: int) -> int:
            async def story() -> int:
                await asyncio.gather(*(Order(rank=number).asave() for _ in range(5)))
                return len([order async for order in Order.where() if order.rank == number])

            return asyncio.run(story())

        assert together(work) == [5] * THREADS
