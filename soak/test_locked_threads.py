"""Sixteen threads at one store for ten minutes: no update under a lock is lost, and no index drifts.

`NITRO_SOAK_MINUTES` sets another time, in minutes.
"""

import datetime
import os
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from enum import Enum
from uuid import UUID

import pytest
from pydantic import field_validator

from nitro import Entity, EntityNotFound, Field, Index, MemoryRepo, UniqueViolation

MINUTES = float(os.environ.get("NITRO_SOAK_MINUTES", "10"))
THREADS = 16
COUNTERS = 12


class Status(Enum):
    DRAFT = "draft"
    PLACED = "placed"
    SHIPPED = "shipped"


store = MemoryRepo()


class Order(Entity, backend=store):
    """Its indexes are over types that are read at once and over types that only Python can read."""

    count: int = Field(0, index=True)
    status: Status = Field(Status.DRAFT, index=True)
    total: float = Field(0.0, index=True)
    price: Decimal = Field(Decimal(0), index=True)
    reference: UUID = Field(UUID(int=0), index=True)
    moment: datetime.datetime | None = Field(None, index=True)
    code: str | None = Field(None, unique=True)
    by_status = Index("status", "-total")


class Careful(Order):
    """Its own code runs at every assignment, and may be interrupted."""

    @field_validator("total", "price")
    @classmethod
    def not_negative(cls, value: float) -> float:
        return abs(value)


def work(number: int, until: float, done: Counter[str], counted: Counter[tuple[type, str]]) -> None:
    generator = random.Random(number)
    zone = datetime.timezone(datetime.timedelta(hours=generator.randrange(-12, 12)))
    mine: list[Order] = []

    def assign(order: Order) -> None:
        choice = generator.randrange(6)
        if choice == 0:
            order.status = generator.choice(list(Status))
        elif choice == 1:
            order.total = generator.random()
        elif choice == 2:
            order.price = Decimal(generator.randrange(1000)) / 10
        elif choice == 3:
            order.reference = UUID(int=generator.getrandbits(128))
        elif choice == 4:
            order.moment = datetime.datetime(2026, 1, generator.randrange(1, 29), tzinfo=zone)
        else:
            try:
                order.code = generator.choice([None, str(generator.randrange(500))])
            except UniqueViolation:
                done["clash"] += 1

    def increment() -> None:
        cls, key = generator.choice([Order, Careful]), str(generator.randrange(COUNTERS))
        with store.locked(cls, key) as order:
            count = order.count
            if generator.randrange(4) == 0:
                # Time for the others.
                cls.where(status=Status.PLACED).limit(3).all()
            order.count = count + 1
            if generator.randrange(3) == 0:
                order.save()
        counted[cls, key] += 1

    def change() -> None:
        key = str(generator.randrange(COUNTERS))
        if generator.randrange(2):
            # No lock: everyone writes to the same records.
            assign(Order.get(key))
        else:
            # Pydantic writes all fields anew after a validator has run, so these take turns.
            with store.locked(Careful, key) as order:
                assign(order)

    def insert() -> None:
        order = generator.choice([Order, Careful])(total=generator.random())
        assign(order)
        try:
            mine.append(order.save())
        except UniqueViolation:
            done["clash"] += 1

    def delete() -> None:
        if len(mine) > 20:
            order = mine.pop(generator.randrange(len(mine)))
            assign(order)
            order.delete()

    def revert() -> None:
        if mine:
            order = generator.choice(mine)
            assign(order)
            try:
                order.revert_changes()
            except UniqueViolation:
                done["clash"] += 1

    def query() -> None:
        cls = generator.choice([Order, Careful])
        kind = generator.randrange(5)
        if kind == 0:
            assert cls.where(cls.count >= 0).count() >= COUNTERS
        elif kind == 1:
            found = cls.where(status=Status.PLACED).order_by("-total").limit(10).all()
            assert len(found) <= 10
        elif kind == 2:
            page = cls.where(cls.price > 50).order_by("price").page(limit=5)
            if page.next_cursor:
                cls.where(cls.price > 50).order_by("price").page(limit=5, after=page.next_cursor)
        elif kind == 3:
            cls.where((cls.status == Status.DRAFT) | (cls.price < 10), cls.total < 0.5).all()
        else:
            for order in cls.where(cls.reference > UUID(int=2**127)).order_by("moment"):
                assert order.reference is not None

    def delete_by_query() -> None:
        # What is mine may be deleted by others as well: they are strangers to this list from here on.
        code = str(generator.randrange(500))
        for order in Order.where(code=code):
            if order.id not in KEYS:
                try:
                    order.delete()
                except EntityNotFound:
                    done["deleted before"] += 1

    def save() -> None:
        if mine:
            order = generator.choice(mine)
            try:
                order.save()
            except UniqueViolation:
                done["clash"] += 1

    actions = [increment, increment, change, change, insert, delete, revert, query, query, save, delete_by_query]
    while time.monotonic() < until:
        for _ in range(20):
            action = generator.choice(actions)
            try:
                action()
            except EntityNotFound:
                # Somebody else has deleted it.
                assert action in (delete, save), action
            done[action.__name__] += 1


KEYS = {str(number) for number in range(COUNTERS)}


@pytest.fixture(autouse=True)
def _threads_change_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    yield
    sys.setswitchinterval(before)


def test_nothing_is_lost_and_nothing_drifts():
    for cls in (Order, Careful):
        cls.save_all([cls(id=key) for key in sorted(KEYS)])
    until = time.monotonic() + MINUTES * 60
    done = [Counter() for _ in range(THREADS)]
    counted = [Counter() for _ in range(THREADS)]
    errors = []

    def run(number: int) -> None:
        try:
            work(number, until, done[number], counted[number])
        except BaseException as error:
            errors.append(error)
            raise

    threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(dict(sum(done, Counter())), "entities:", Order.where().count() + Careful.where().count())
    assert errors == []
    assert store.check() == []
    expected = sum(counted, Counter())
    assert {(cls, key): cls.get(key).count for cls in (Order, Careful) for key in KEYS} == dict(expected)
