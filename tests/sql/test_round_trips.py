"""How many statements each operation takes, and how often it waits for the server: exact numbers."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from wire import Counted, Counts, wire_to

from nitro import (
    Entity,
    Field,
    Ref,
    SQLModelBackend,
    StaleEntityError,
    UniqueViolation,
    UnitOfWork,
    command,
    create_all,
    query,
)
from nitro.backends.sql.database import forget
from nitro.testing.servers import PostgresServer

#: A driver prepares what it has seen so often; what comes then is counted.
OFTEN = 7

#: How many entities are saved at once.
MANY = 20
COPIED = 150


class Shop:
    """Entities in one database, and what they cause there."""

    def __init__(self, url: str) -> None:
        class Order(Entity, backend=SQLModelBackend(url)):
            __tablename__ = "counted_order"

            customer: str = Field(index=True)
            total: float = 0.0
            number: int | None = Field(None, unique=True)

            @command
            def add(self, price: float) -> None:
                self.total += price

            @command
            async def aadd(self, price: float) -> None:
                self.total += price

            @query
            def with_tip(self, share: float) -> float:
                return type(self).get(self.id).total * (1 + share)

            @query
            async def awith_tip(self, share: float) -> float:
                return (await type(self).aget(self.id)).total * (1 + share)

        class Numbered(Entity, backend=SQLModelBackend(url)):
            __tablename__ = "counted_numbered"

            id: int | None = None
            text: str = ""

        class Person(Entity, backend=SQLModelBackend(url)):
            __tablename__ = "counted_person"

            name: str = ""

        class Present(Entity, backend=SQLModelBackend(url)):
            __tablename__ = "counted_present"

            giver: Ref[Person]
            taker: Ref[Person] | None = None

        self.Person: Any = Person
        self.Present: Any = Present
        self.Order: Any = Order
        self.Numbered: Any = Numbered
        self.database = Order._persistence_backend_class.database
        self._numbers = count(1)
        create_all(Order, Numbered, Person, Present)
        Order.save_all(self.new_ones(MANY))

    def new(self) -> Any:
        return self.Order(customer="Ann", total=1, number=next(self._numbers))

    def new_ones(self, many: int) -> list[Any]:
        return [self.new() for _ in range(many)]

    def stored(self) -> Any:
        return self.new().save()

    def changed(self) -> Any:
        order = self.stored()
        order.total += 1
        return order

    def several_changed(self) -> list[Any]:
        orders = self.Order.save_all(self.new_ones(MANY))
        for order in orders:
            order.total += 1
        return orders

    def stale(self) -> Any:
        order = self.changed()
        other = self.Order.get(order.id)
        other.total = 0
        other.save()
        return order

    def taken(self) -> Any:
        return self.Order(customer="Bob", number=self.stored().number)

    def for_bob(self) -> Any:
        self.Order(customer="Bob", number=next(self._numbers)).save()
        return self.Order.where(customer="Bob")

    def presents(self) -> Any:
        """A query for what refers to several others."""
        people = self.Person.save_all([self.Person() for _ in range(3)])
        self.Present.save_all([self.Present(giver=person, taker=people[0]) for person in people])
        return self.Present.where().with_("giver", "taker").limit(10)

    def cursor(self) -> str:
        cursor: str = self.Order.where().order_by("total").page(limit=5).next_cursor
        return cursor

    @contextmanager
    def counted(self) -> Iterator[tuple[list[str], Callable[[], int]]]:
        """(statements so far, how often somebody waited so far), of what happens inside."""
        raise NotImplementedError

    def close(self) -> None:
        self.database.close()


class SqliteShop(Shop):
    @contextmanager
    def counted(self) -> Iterator[tuple[list[str], Callable[[], int]]]:
        connection: sqlite3.Connection = self.database._pool.take()
        statements: list[str] = []
        connection.set_trace_callback(statements.append)
        self.database._pool.give(connection)
        try:
            yield statements, lambda: len(statements)
        finally:
            connection.set_trace_callback(None)
        # Nothing went over another one.
        assert self.database.gauges.open == 1


class PostgresShop(Shop):
    def __init__(self, url: str, counts: Counts) -> None:
        self.counts = counts
        super().__init__(url)

    @contextmanager
    def counted(self) -> Iterator[tuple[list[str], Callable[[], int]]]:
        self.counts.forget()
        yield self.counts.statements, lambda: self.counts.round_trips


@pytest.fixture(scope="module")
def sqlite_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    path: Path = tmp_path_factory.mktemp("round_trips") / "shop.db"
    url = f"sqlite:///{path}"
    yield SqliteShop(url)
    forget(url)


@pytest.fixture(scope="module")
def postgres_shop(postgres_server: PostgresServer) -> Iterator[Shop]:
    counts = Counts()
    with postgres_server.database() as url, wire_to(url, lambda: Counted(counts)) as wire:
        shop = PostgresShop(wire.url, counts)
        yield shop
        forget(wire.url)


@dataclass(frozen=True)
class Case:
    """An operation, and what it takes.

    Attributes:
        arrange: What has to be there before, which is not counted.
        act: The operation, which is given what was arranged.
        async_act: Its asynchronous twin; None where it has none.
        statements: On both databases; (on SQLite, on PostgreSQL) where they differ.
        round_trips: On PostgreSQL, when everything has been prepared.
    """

    title: str
    arrange: Callable[[Shop], Any]
    act: Callable[[Shop, Any], Any]
    async_act: Callable[[Shop, Any], Awaitable[Any]] | None
    statements: int | tuple[int, int]
    round_trips: int


def nothing(_: Shop) -> None:
    pass


def refused(act: Callable[[], Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        act()


async def arefused(act: Awaitable[Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        await act


async def listed(query: Any) -> list[Any]:
    return [order async for order in query]


def with_lock(shop: Shop, order: Any) -> None:
    with shop.Order._persistence_backend_class.locked(shop.Order, order.id):
        pass


async def awith_lock(shop: Shop, order: Any) -> None:
    async with shop.Order._persistence_backend_class.alocked(shop.Order, order.id):
        pass


def save_all_inside(shop: Shop, orders: Any) -> None:
    with shop.database.transaction():
        shop.Order.save_all(orders)


async def asave_all_inside(shop: Shop, orders: Any) -> None:
    async with shop.database.atransaction():
        await shop.Order.asave_all(orders)


def in_a_unit(*acts: Callable[[Any], Any]) -> Callable[[Shop, Any], None]:
    def act(_: Shop, order: Any) -> None:
        with UnitOfWork():
            for one in acts:
                one(order)

    return act


def in_an_async_unit(*acts: Callable[[Any], Awaitable[Any]]) -> Callable[[Shop, Any], Awaitable[None]]:
    async def act(_: Shop, order: Any) -> None:
        async with UnitOfWork():
            for one in acts:
                await one(order)

    return act


def save(order: Any) -> None:
    order.total += 1
    order.save()


async def asave(order: Any) -> None:
    order.total += 1
    await order.asave()


def read(order: Any) -> None:
    assert type(order).get(order.id) == order


async def aread(order: Any) -> None:
    assert await type(order).aget(order.id) == order


def read_by_query(order: Any) -> None:
    assert type(order).where(number=order.number).all() == [order]


async def aread_by_query(order: Any) -> None:
    assert await type(order).where(number=order.number).aall() == [order]


CASES = [
    Case("insert", Shop.new, lambda _, order: order.save(), lambda _, order: order.asave(), 1, 1),
    Case(
        "insert, the database gives the key",
        lambda shop: shop.Numbered(),
        lambda _, numbered: numbered.save(),
        lambda _, numbered: numbered.asave(),
        1,
        1,
    ),
    Case(
        "insert, refused: who has the value is asked",
        Shop.taken,
        lambda _, order: refused(order.save, UniqueViolation),
        lambda _, order: arefused(order.asave(), UniqueViolation),
        2,
        2,
    ),
    Case("save of a change", Shop.changed, lambda _, order: order.save(), lambda _, order: order.asave(), 1, 1),
    Case("upsert", Shop.changed, lambda _, order: order.upsert(), lambda _, order: order.aupsert(), 1, 1),
    Case("save without a change", Shop.stored, lambda _, order: order.save(), lambda _, order: order.asave(), 0, 0),
    Case(
        "save, stale: the stored version is asked",
        Shop.stale,
        lambda _, order: refused(order.save, StaleEntityError),
        lambda _, order: arefused(order.asave(), StaleEntityError),
        2,
        2,
    ),
    Case("delete", Shop.stored, lambda _, order: order.delete(), lambda _, order: order.adelete(), 1, 1),
    Case(
        "delete, stale: the stored version is asked",
        Shop.stale,
        lambda _, order: refused(order.delete, StaleEntityError),
        lambda _, order: arefused(order.adelete(), StaleEntityError),
        2,
        2,
    ),
    Case("refresh", Shop.stored, lambda _, order: order.refresh(), lambda _, order: order.arefresh(), 1, 1),
    Case(
        "get",
        Shop.stored,
        lambda shop, order: shop.Order.get(order.id),
        lambda shop, order: shop.Order.aget(order.id),
        1,
        1,
    ),
    Case(
        "get_or_none of nobody",
        nothing,
        lambda shop, _: shop.Order.get_or_none("nobody"),
        lambda shop, _: shop.Order.aget_or_none("nobody"),
        1,
        1,
    ),
    Case(
        "get_many",
        lambda shop: [order.id for order in shop.Order.where().limit(MANY)],
        lambda shop, keys: shop.Order.get_many(keys),
        lambda shop, keys: shop.Order.aget_many(keys),
        1,
        1,
    ),
    Case("all", nothing, lambda shop, _: shop.Order.all(), lambda shop, _: shop.Order.aall(), 1, 1),
    Case("loop", nothing, lambda shop, _: list(shop.Order.where()), lambda shop, _: listed(shop.Order.where()), 1, 1),
    Case(
        "query",
        nothing,
        lambda shop, _: shop.Order.where(customer="Ann").order_by("-total").limit(5).all(),
        lambda shop, _: shop.Order.where(customer="Ann").order_by("-total").limit(5).aall(),
        1,
        1,
    ),
    Case(
        "first",
        nothing,
        lambda shop, _: shop.Order.where(customer="Ann").first(),
        lambda shop, _: shop.Order.where(customer="Ann").afirst(),
        1,
        1,
    ),
    Case(
        "one",
        lambda shop: shop.stored().id,
        lambda shop, key: shop.Order.where(id=key).one(),
        lambda shop, key: shop.Order.where(id=key).aone(),
        1,
        1,
    ),
    Case(
        "exists",
        nothing,
        lambda shop, _: shop.Order.where(customer="Ann").exists(),
        lambda shop, _: shop.Order.where(customer="Ann").aexists(),
        1,
        1,
    ),
    Case(
        "count",
        nothing,
        lambda shop, _: shop.Order.where(customer="Ann").count(),
        lambda shop, _: shop.Order.where(customer="Ann").acount(),
        1,
        1,
    ),
    Case(
        "sum",
        nothing,
        lambda shop, _: shop.Order.where(customer="Ann").sum("total"),
        lambda shop, _: shop.Order.where(customer="Ann").asum("total"),
        1,
        1,
    ),
    Case(
        "group_by",
        nothing,
        lambda shop, _: shop.Order.where().group_by("customer").count(),
        lambda shop, _: shop.Order.where().group_by("customer").acount(),
        1,
        1,
    ),
    Case(
        "page",
        Shop.cursor,
        lambda shop, after: shop.Order.where().order_by("total").page(limit=5, after=after),
        lambda shop, after: shop.Order.where().order_by("total").apage(limit=5, after=after),
        1,
        1,
    ),
    Case(
        "page, all of them counted",
        Shop.cursor,
        lambda shop, after: shop.Order.where().order_by("total").page(limit=5, after=after, total=True),
        lambda shop, after: shop.Order.where().order_by("total").apage(limit=5, after=after, total=True),
        2,
        2,
    ),
    Case(
        "update by query",
        Shop.for_bob,
        lambda _, query: query.update(total=2.0),
        lambda _, query: query.aupdate(total=2.0),
        1,
        1,
    ),
    # The presents, and the people that both fields refer to: one statement for a class.
    Case("with_", Shop.presents, lambda _, query: query.all(), lambda _, query: query.aall(), 2, 2),
    Case("delete by query", Shop.for_bob, lambda _, query: query.delete(), lambda _, query: query.adelete(), 1, 1),
    # A transaction is begun and committed; what is inserted goes at once, as does its COPY, which is announced.
    Case(
        "save_all of new ones",
        lambda shop: shop.new_ones(MANY),
        lambda shop, orders: shop.Order.save_all(orders),
        lambda shop, orders: shop.Order.asave_all(orders),
        MANY + 2,
        3,
    ),
    Case(
        "save_all of many new ones",
        lambda shop: shop.new_ones(COPIED),
        lambda shop, orders: shop.Order.save_all(orders),
        lambda shop, orders: shop.Order.asave_all(orders),
        (COPIED + 2, 3),
        4,
    ),
    Case(
        "save_all of changes",
        Shop.several_changed,
        lambda shop, orders: shop.Order.save_all(orders),
        lambda shop, orders: shop.Order.asave_all(orders),
        MANY + 2,
        MANY + 2,
    ),
    # Inside of a transaction a savepoint is set and released besides.
    Case(
        "save_all of new ones, inside of a transaction",
        lambda shop: shop.new_ones(MANY),
        save_all_inside,
        asave_all_inside,
        MANY + 4,
        5,
    ),
    Case("locked", Shop.stored, with_lock, awith_lock, 3, 3),
    # A unit of work begins a transaction with its first write, and commits it; one that writes nothing has none.
    Case("empty unit of work", Shop.stored, in_a_unit(), in_an_async_unit(), 0, 0),
    Case("unit of work with one save", Shop.stored, in_a_unit(save), in_an_async_unit(asave), 3, 3),
    Case("unit of work with two saves", Shop.stored, in_a_unit(save, save), in_an_async_unit(asave, asave), 4, 4),
    Case("unit of work with one get", Shop.stored, in_a_unit(read), in_an_async_unit(aread), 1, 1),
    Case("unit of work, the same get twice", Shop.stored, in_a_unit(read, read), in_an_async_unit(aread, aread), 1, 1),
    Case("unit of work with a query", Shop.stored, in_a_unit(read_by_query), in_an_async_unit(aread_by_query), 1, 1),
    Case("command", Shop.stored, lambda _, order: order.add(2.5), lambda _, order: order.aadd(2.5), 1, 1),
    Case(
        "command that changes nothing",
        Shop.stored,
        lambda _, order: order.add(0.0),
        lambda _, order: order.aadd(0.0),
        0,
        0,
    ),
    # The entity that a query is called on is the one of its unit of work.
    Case(
        "query of an entity, of itself",
        Shop.stored,
        lambda _, order: order.with_tip(0.5),
        lambda _, order: order.awith_tip(0.5),
        0,
        0,
    ),
]


@pytest.fixture(params=["sqlite_shop", "postgres_shop"])
def shop(request: pytest.FixtureRequest) -> Shop:
    shop: Shop = request.getfixturevalue(request.param)
    return shop


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_an_operation_takes_as_many_statements_as_recorded(shop: Shop, case: Case) -> None:
    for _ in range(OFTEN):
        case.act(shop, case.arrange(shop))
    subject = case.arrange(shop)
    with shop.counted() as (statements, round_trips):
        case.act(shop, subject)
        counted = (list(statements), round_trips())
    check(shop, case, *counted)


@pytest.mark.parametrize("case", [case for case in CASES if case.async_act], ids=lambda case: case.title)
def test_its_twin_takes_as_many(shop: Shop, case: Case) -> None:
    act = case.async_act
    assert act is not None, "only such cases are asked for"
    with asyncio.Runner() as loop:

        async def awaited(subject: Any) -> Any:
            return await act(shop, subject)

        for _ in range(OFTEN):
            loop.run(awaited(case.arrange(shop)))
        subject = case.arrange(shop)
        with shop.counted() as (statements, round_trips):
            loop.run(awaited(subject))
            counted = (list(statements), round_trips())
        shop.close()
    check(shop, case, *counted)


def check(shop: Shop, case: Case, statements: list[str], round_trips: int) -> None:
    expected = case.statements if isinstance(case.statements, tuple) else (case.statements, case.statements)
    if isinstance(shop, SqliteShop):
        assert len(statements) == expected[0], statements
    else:
        assert (len(statements), round_trips) == (expected[1], case.round_trips), statements


def test_preparing_a_statement_takes_one_round_trip_once(postgres_shop: Shop) -> None:
    postgres_shop.close()
    with postgres_shop.counted() as (statements, round_trips):
        for _ in range(20):
            postgres_shop.Order.get_or_none("nobody")
        assert (len(statements), round_trips()) == (20, 21)


def test_connecting_takes_no_statement(postgres_shop: Shop) -> None:
    assert isinstance(postgres_shop, PostgresShop)
    postgres_shop.close()
    before = postgres_shop.counts.connections
    with postgres_shop.counted() as (statements, _):
        postgres_shop.Order.get_or_none("nobody")
        assert (len(statements), postgres_shop.counts.connections) == (1, before + 1)
