"""Eight threads do everything at once, and every result is checked."""

import copy
import gc
import itertools
import json
import pickle
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from operations import GOOD, OCCASIONAL, OPERATIONS, Order, Slow, Wide
from pydantic import ValidationError

import nitro
from nitro import Entity, Model

THREADS = 8
SECONDS = 1.2

#: They edit objects that the whole module shares; an entity belongs to one thread at a time.
ON_SHARED_OBJECTS = {
    "assign", "assign, coerced", "assign, many fields", "assign, slow", "assign, not validated", "assign, validated model",
    "revert, many fields", "save again and again", "save, refused", "assign, refused", "assign, refused container",
    "assign, refused, slow", "changes, none", "compare", "dump", "encode a list", "refresh", "all and where", "copy", "deepcopy",
    "save and delete",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _switching_often() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)


def for_a_while(action: Callable[[int, int], None]) -> int:
    """Runs the action in every thread until the time is up; gives the number of rounds."""
    start = threading.Barrier(THREADS)
    end = time.monotonic() + SECONDS

    def run(number: int) -> int:
        start.wait()
        for count in itertools.count():
            if time.monotonic() > end:
                return count
            action(number, count)
        raise AssertionError("unreachable")

    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(run, range(THREADS)))


def test_entities_of_each_thread_are_its_own():
    def life(number: int, count: int) -> None:
        name = f"{number}-{count}"
        order = Order(name=name, tags=[name], lines=[{"product": name}])
        assert not order.is_changed
        order.total = count + 1
        order.tags.append("x")
        order.lines[0].quantity = count + 2
        assert order.changes["total"] == (0.0, float(count + 1))
        assert order.changes["tags"] == ([name], [name, "x"])
        dumped = json.loads(order.model_dump_json())
        assert dumped["name"] == order.model_dump()["name"] == name
        assert dumped["lines"][0]["quantity"] == count + 2
        order.save()
        assert Order.get(order.id) is order
        back = nitro.decode(Order, nitro.encode(order))
        assert back == order
        assert pickle.loads(pickle.dumps(order)) == copy.deepcopy(order) == order
        with pytest.raises(ValidationError):
            order.count = -1
        order.name = "gone"
        order.revert_changes()
        assert order.name == name
        order.delete()
        assert Order.get_or_none(order.id) is None

    assert for_a_while(life) > THREADS


def test_every_operation_at_once():
    safe = [function for name, function in OPERATIONS.items() if name not in ON_SHARED_OBJECTS]

    def work(number: int, count: int) -> None:
        safe[(number * 31 + count) % len(safe)]()

    assert for_a_while(work) > THREADS


def test_shared_instances_are_read_by_all():
    order, wide, slow = Order(**GOOD), Wide.model_construct(f1=1), Slow(name="a")
    expected = (order.model_dump(), order.model_dump_json(), slow.model_dump_json(), repr(order))
    fresh: list[Any] = [Order(**GOOD) for _ in range(50_000 // THREADS)]

    def read(number: int, count: int) -> None:
        assert (order.model_dump(), order.model_dump_json(), slow.model_dump_json(), repr(order)) == expected
        assert wide.f1 == 1
        # Threads race for the first look at the dictionary and at the names of the given fields.
        shared = fresh[count % len(fresh)]
        assert len(vars(shared)) == 18
        assert shared.model_fields_set == GOOD.keys()
        assert shared == order

    assert for_a_while(read) > THREADS


def test_classes_are_made_while_others_are_used():
    def work(number: int, count: int) -> None:
        if number < 2:
            for function in OCCASIONAL.values():
                function()

            class Fresh(Entity):
                name: str = str(number)

            assert Fresh().name == str(number)
        elif number == 2:
            gc.collect()
        else:
            order = Order(**GOOD)
            order.total += 1
            assert order.changes == {"total": (1.5, 2.5)}

    assert for_a_while(work) > THREADS


def test_a_class_is_rebuilt_and_patched_while_it_is_used():
    class Point(Model):
        x: int
        y: int = 0

    class Child(Point):
        z: int = 0

    original = Point.__init__

    def work(number: int, count: int) -> None:
        if number == 0:
            Point.model_rebuild(force=True)
        elif number == 1:
            Point.__init__ = lambda self, **data: original(self, **data)  # type: ignore[method-assign]
            del Point.__init__
        else:
            assert Point(x=count).model_dump() == {"x": count, "y": 0}
            child = Child(x=count, z="3")  # type: ignore[arg-type]
            child.y = 5
            assert child.model_dump_json() == f'{{"x":{count},"y":5,"z":3}}'
            assert Child.model_validate({"x": count}).model_fields_set == {"x"}

    assert for_a_while(work) > THREADS


def test_one_entity_that_all_write_to_stays_whole():
    """It belongs to one thread at a time; but whatever the threads do, nothing breaks."""
    order = Order(name="a")

    def write(number: int, count: int) -> None:
        order.name = str(number)
        order.tags = [str(number)] * 3
        order.tags.append("x")
        order.anything = {number: [count]}
        assert order.name in "a01234567"
        list(order.changes)
        order.model_dump_json()
        if count % 7 == 0:
            order.revert_changes()
        if count % 11 == 0:
            vars(order)

    assert for_a_while(write) > THREADS
    order.tags = ["end"]
    order.name = "end"
    assert order.model_dump()["tags"] == ["end"]
    assert Order.model_validate_json(order.model_dump_json()).name == "end"
