"""A repository is safe from any thread."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from nitro import Entity, EntityNotFound, MemoryRepo, StaleEntityError, UniqueViolation

THREADS = 8


def together(action: Callable[[int], Any]) -> list[Any]:
    """The results of the action, run in all threads at once."""
    start = threading.Barrier(THREADS)

    def run(number: int) -> Any:
        start.wait()
        return action(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, range(THREADS)))


def define() -> Any:
    class Order(Entity, backend=MemoryRepo()):
        name: str = ""
        total: int = 0
        tags: list[int] = []

    return Order


def test_saves_of_many_threads_are_all_there():
    Order = define()

    def work(number: int) -> list[str]:
        return [Order(name=str(number)).save().id for _ in range(1000)]

    ids = [id for found in together(work) for id in found]
    assert len(set(ids)) == len(Order.all()) == THREADS * 1000
    assert all(Order.get(id).id == id for id in ids)


def test_saving_getting_finding_and_deleting_at_once():
    Order = define()

    def work(number: int) -> int:
        kept = 0
        for round in range(300):
            order = Order(name=str(number), total=round).save()
            assert Order.get(order.id) is order
            order.tags.append(round)
            order.save()
            assert order.previous_changes == {"tags": ([], [round])}
            if round % 3:
                order.delete()
                assert Order.get_or_none(order.id) is None
            else:
                kept += 1
            if round % 50 == 0:
                assert all(found.name == str(number) for found in Order.where(name=str(number)))
                Order.all()
        return kept

    kept = sum(together(work))
    assert len(Order.all()) == kept


def test_of_strangers_with_one_key_exactly_one_is_stored():
    Order = define()

    def work(number: int) -> int:
        stored = 0
        for key in range(300):
            try:
                Order(id=str(key), name=str(number)).save()
                stored += 1
            except UniqueViolation:
                pass
        return stored

    assert sum(together(work)) == 300
    assert len(Order.all()) == 300


def test_of_copies_of_one_version_exactly_one_is_stored():
    Order = define()
    Order(id="1").save()

    def work(number: int) -> int:
        done = 0
        while done < 100:
            copied = Order.get("1").model_copy(deep=True)
            copied.total += 1
            try:
                copied.save()
                done += 1
            except StaleEntityError:
                continue
        return done

    assert sum(together(work)) == THREADS * 100
    assert Order.get("1").total == THREADS * 100


def test_a_record_is_deleted_once():
    Order = define()
    for key in range(300):
        Order(id=str(key)).save()

    def work(number: int) -> int:
        deleted = 0
        for key in range(300):
            order = Order.get_or_none(str(key))
            if order is not None:
                try:
                    order.delete()
                    deleted += 1
                except EntityNotFound:
                    pass
        return deleted

    assert sum(together(work)) == 300
    assert Order.all() == []


def test_a_shared_backend_is_made_once():
    made: list[MemoryRepo] = []

    class Slow(MemoryRepo):
        def __init__(self) -> None:
            super().__init__()
            made.append(self)

    class Order(Entity, backend=Slow):
        pass

    together(lambda number: Order().save())
    assert len(made) == 1
    assert len(Order.all()) == THREADS


def test_classes_made_in_threads():
    def work(number: int) -> Any:
        results = []
        for _ in range(10):
            Order = define()
            order = Order(name=str(number)).save()
            order.total = 5
            results.append(Order.get(order.id).changes)
        return results

    assert all(changes == {"total": (0, 5)} for results in together(work) for changes in results)


@pytest.mark.parametrize("count", [1, 50])
def test_clearing_while_others_save(count):
    Order = define()
    repository = Order.__nitro_backend__

    def work(number: int) -> None:
        for _ in range(200):
            if number == 0:
                repository.clear()
            else:
                Order.save_all([Order() for _ in range(count // 10 + 1)])
                Order.all()

    together(work)
    repository.clear()
    assert Order.all() == []
