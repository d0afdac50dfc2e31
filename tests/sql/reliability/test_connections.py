"""Ten thousand operations with errors in between, in threads and in tasks that are cancelled: no connection is lost."""

import asyncio
import gc
import random
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from scale import OPERATIONS, UNITS
from sqlalchemy import QueuePool
from sqlmodel import SQLModel

import nitro
from nitro import (
    BackendUnavailable,
    Entity,
    EntityNotFound,
    Field,
    NitroError,
    SchemaMismatch,
    SQLModelBackend,
    StaleEntityError,
    UniqueViolation,
    UnknownFieldError,
    UnstorableValue,
)
from nitro.backends.sql.database import Database, forget
from nitro.backends.sql.schema import table_of
from rows import rows, wait_until

#: At most so many connections.
SIZE = 4
THREADS = 8
#: Event loops that come and go.
LOOPS = 20


class Seat(Entity):
    number: int | None = Field(default=None, unique=True)
    name: str = ""


class Nowhere(Entity):
    """Its table is never made."""


class Broken(Exception):
    """What goes wrong in a program of which Nitro knows nothing."""


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    url = f"sqlite:///{tmp_path}/nitro.db"
    if request.param == "postgresql":
        url = request.getfixturevalue("fresh_database")
    nitro.configure(sql_pool_size=SIZE, sql_pool_timeout=60)
    repository = SQLModelBackend(url)
    try:
        database = repository.database
    finally:
        nitro.configure(sql_pool_size=None, sql_pool_timeout=None)
    for entity_class in (Seat, Nowhere):
        monkeypatch.setattr(entity_class, "__nitro_backend__", repository)
    SQLModel.metadata.create_all(database.engine, [table_of(Seat)])
    # SQLAlchemy has connections of its own.
    database.engine.dispose()
    Seat(id="taken", number=0).save()
    Seat.save_all([Seat(id=f"seat {number}", name="stays") for number in range(1500)])
    yield database
    forget(url)


def open_connections(database: Database) -> int:
    """As others count them: the server, or Python for files."""
    if database.dialect.name == "sqlite":
        connections = [found for found in gc.get_objects() if isinstance(found, sqlite3.Connection)]
        return sum(file_of(connection) == database.url.database for connection in connections)
    there = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'nitro'"
    return rows(database.url.render_as_string(hide_password=False), there)[0][0]


def file_of(connection: sqlite3.Connection) -> str | None:
    try:
        return connection.execute("PRAGMA database_list").fetchone()[2]
    except sqlite3.ProgrammingError:
        return None  # it is closed, or belongs to another thread


def assert_none_is_lost(database: Database, *, most: int = SIZE) -> None:
    # Those of SQLAlchemy's engine, which looks at tables that will not do, are back in a pool of their own.
    pool = database.engine.pool
    assert isinstance(pool, QueuePool)
    assert pool.checkedout() == 0
    database.engine.dispose()
    gauges = database.gauges
    assert gauges.idle == gauges.open
    assert gauges.open <= most
    assert gauges.waiting == gauges.apart == 0
    # A server learns a moment later that a client has hung up.
    wait_until(lambda: open_connections(database) == gauges.open, "as many are open as are in the pool")


def breaks(seat: Seat) -> None:
    seat.save()
    raise Broken


# --- By threads ---


def saves(chance: random.Random) -> None:
    seat = Seat().save()
    seat.name = "x" * chance.randrange(50)
    seat.save()
    seat.delete()


def reads(chance: random.Random) -> None:
    Seat.get_or_none(f"seat {chance.randrange(3000)}")
    Seat.get_many([f"seat {chance.randrange(3000)}" for _ in range(3)])
    Seat.where(name="stays").order_by("-id").limit(2).all()
    Seat.where(name="stays").page(limit=2)
    Seat.where().count()


def is_not_found(_: random.Random) -> None:
    with pytest.raises(EntityNotFound):
        Seat.get("nobody")


def is_stale(_: random.Random) -> None:
    seat = Seat().save()
    other = Seat.get(seat.id)
    other.name = "other"
    other.save()
    seat.name = "mine"
    with pytest.raises(StaleEntityError):
        seat.save()
    other.delete()


def clashes(_: random.Random) -> None:
    with pytest.raises(UniqueViolation):
        Seat(number=0).save()


def clashes_among_many(chance: random.Random) -> None:
    with pytest.raises(UniqueViolation):
        Seat.save_all([*(Seat() for _ in range(chance.choice((2, 120)))), Seat(number=0)])


def is_unstorable(_: random.Random) -> None:
    with pytest.raises(UnstorableValue):
        Seat(name="\0").save()
    with pytest.raises(UnstorableValue):
        Seat(number=2**70).save()


def asks_what_is_not_there(_: random.Random) -> None:
    with pytest.raises(SchemaMismatch):
        Nowhere.all()
    with pytest.raises(SchemaMismatch):
        Nowhere().save()
    with pytest.raises(UnknownFieldError):
        Seat.where(colour="red").all()


def breaks_in_a_transaction(database: Database) -> Callable[[random.Random], None]:
    def breaking(chance: random.Random) -> None:
        with pytest.raises(Broken), database.transaction():
            if chance.random() < 0.5:
                Seat.get("taken")
            breaks(Seat())

    return breaking


def clashes_in_a_transaction(database: Database) -> Callable[[random.Random], None]:
    def clashing(_: random.Random) -> None:
        with pytest.raises(UniqueViolation), database.transaction():
            Seat().save()
            Seat(number=0).save()

    return clashing


def stops_reading(chance: random.Random) -> None:
    for place, _ in enumerate(Seat.where(name="stays")):
        if place == chance.choice((0, 5, 1200)):
            break


def breaks_while_reading(_: random.Random) -> None:
    def reading() -> None:
        for seat in Seat.where(name="stays"):
            raise Broken(seat)

    with pytest.raises(Broken):
        reading()


def operations(database: Database) -> list[Callable[[random.Random], None]]:
    often = [saves, reads, is_not_found, is_stale, clashes, is_unstorable]
    transactions = [breaks_in_a_transaction(database), clashes_in_a_transaction(database)]
    seldom = [asks_what_is_not_there, clashes_among_many, stops_reading, breaks_while_reading]
    return [*often * 5, *transactions * 5, *seldom]


def work(database: Database, seed: int, count: int) -> None:
    chance, choices = random.Random(seed), operations(database)
    for _ in range(count):
        chance.choice(choices)(chance)


def test_one_thread_loses_no_connection(database: Database) -> None:
    work(database, 1, OPERATIONS)
    assert_none_is_lost(database)
    assert database.gauges.open == 1


def test_threads_that_wait_for_one_another_lose_no_connection(database: Database) -> None:
    with ThreadPoolExecutor(THREADS) as threads:
        working = [threads.submit(work, database, seed, OPERATIONS // THREADS) for seed in range(THREADS)]
    for one in working:
        one.result()
    assert_none_is_lost(database)


def test_connections_that_the_server_ends_are_not_counted_any_more(database: Database) -> None:
    if database.dialect.name == "sqlite":
        # A file has no server; its connections end when the pool is closed.
        database.close()
        assert open_connections(database) == 0
        assert Seat.get("taken").number == 0
        assert_none_is_lost(database)
        return
    url = database.url.render_as_string(hide_password=False)
    nitros = "FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'nitro'"
    # Until they are gone, or ten seconds.
    end = f"SELECT pg_terminate_backend(pid, 10000) {nitros}"

    def broken(*, by_nitro: bool) -> None:
        with database.transaction():
            Seat.get("taken")
            rows(url, end)
            if by_nitro:
                Seat.get("taken")
            raise Broken

    for _ in range(25):
        with pytest.raises(BackendUnavailable) as lost:
            broken(by_nitro=True)
        # Nothing is unknown where no COMMIT was sent.
        assert lost.type is BackendUnavailable
        with pytest.raises(Broken):
            broken(by_nitro=False)
        assert Seat.get("taken").number == 0
        # An idle one that has ended is nobody's error: the next operation opens another.
        rows(url, end)
        assert Seat.get("taken").number == 0
    assert_none_is_lost(database)


# --- By tasks ---


async def asaves(chance: random.Random) -> None:
    seat = await Seat().asave()
    seat.name = "x" * chance.randrange(50)
    await seat.asave()
    await seat.adelete()


async def areads(chance: random.Random) -> None:
    await Seat.aget_or_none(f"seat {chance.randrange(3000)}")
    await Seat.where(name="stays").order_by("-id").limit(2).aall()
    await Seat.where(name="stays").apage(limit=2)
    await Seat.where().acount()


async def aclashes(_: random.Random) -> None:
    with pytest.raises(UniqueViolation):
        await Seat(number=0).asave()


async def aclashes_among_many(chance: random.Random) -> None:
    with pytest.raises(UniqueViolation):
        await Seat.asave_all([*(Seat() for _ in range(chance.choice((2, 120)))), Seat(number=0)])


async def ais_unstorable(_: random.Random) -> None:
    with pytest.raises(UnstorableValue):
        await Seat(name="\0").asave()


async def aasks_what_is_not_there(_: random.Random) -> None:
    with pytest.raises(SchemaMismatch):
        await Nowhere.where().aall()


async def astops_reading(chance: random.Random) -> None:
    place = 0
    async for _ in Seat.where(name="stays"):
        place += 1
        if place == chance.choice((1, 5, 1200)):
            break


def abreaks_in_a_transaction(database: Database) -> Callable[[random.Random], Awaitable[None]]:
    async def breaking(_: random.Random) -> None:
        with pytest.raises(Broken):
            async with database.atransaction():
                await Seat().asave()
                await Seat.aget("taken")
                raise Broken

    return breaking


def aoperations(database: Database) -> list[Callable[[random.Random], Awaitable[None]]]:
    often = [asaves, areads, aclashes, ais_unstorable, abreaks_in_a_transaction(database)]
    return [*often * 5, aasks_what_is_not_there, aclashes_among_many, astops_reading]


async def one_after_the_other(
    database: Database, seed: int, count: int, ended: Counter[str], *, cancelling: bool
) -> None:
    chance, choices = random.Random(seed), aoperations(database)
    for _ in range(count):
        task = asyncio.ensure_future(chance.choice(choices)(chance))
        if cancelling and chance.random() < 0.5:
            for _ in range(chance.randrange(12)):
                await asyncio.sleep(0)
            if chance.random() < 0.5:
                await asyncio.sleep(chance.random() * 0.002)
            task.cancel()
        try:
            await task
            ended["done"] += 1
        except asyncio.CancelledError:
            ended["cancelled"] += 1


async def all_at_once(database: Database, count: int, *, cancelling: bool = True) -> Counter[str]:
    ended: Counter[str] = Counter()
    async with asyncio.TaskGroup() as group:
        for seed in range(THREADS):
            group.create_task(one_after_the_other(database, seed, count // THREADS, ended, cancelling=cancelling))
    return ended


def test_tasks_that_are_cancelled_lose_no_connection(database: Database) -> None:
    async def main() -> Counter[str]:
        ended = await all_at_once(database, OPERATIONS)
        # What a cancelled task has begun ends by itself, in a thread or in the server.
        await asyncio.get_running_loop().shutdown_default_executor()
        async with asyncio.timeout(30):
            while database.gauges.idle != database.gauges.open or database.gauges.apart:
                await asyncio.sleep(0.001)
        # Threads and event loops have as many each.
        assert_none_is_lost(database, most=2 * SIZE)
        return ended

    ended = asyncio.run(main())
    assert ended["cancelled"] > OPERATIONS / 20
    assert ended["done"] > OPERATIONS / 4


# --- By tasks with transactions of several parts ---


async def takes_back(database: Database, unit: str, chance: random.Random) -> None:
    """Something that fails, and of which nothing may be there afterwards."""
    with pytest.raises((Broken, UniqueViolation)):
        async with database.asavepoint():
            await Seat(name=f"{unit} lost").asave()
            if chance.random() < 0.5:
                await Seat(number=0).asave()
            async with database.asavepoint():
                await Seat(name=f"{unit} lost").asave()
            raise Broken


async def unit_of_parts(database: Database, unit: str, chance: random.Random) -> None:
    """Saves four seats, or none."""
    async with database.atransaction(isolation=chance.choice((None, "read committed"))):
        await Seat(name=unit).asave()
        if chance.random() < 0.5:
            await takes_back(database, unit, chance)
        async with database.asavepoint():
            await Seat(name=unit).asave()
            if chance.random() < 0.3:
                await takes_back(database, unit, chance)
        if chance.random() < 0.3:
            async with database.asession() as session:
                await (await session.connection()).execute(sa.insert(table_of(Seat)).values(id=f"{unit} s", name=unit))
                if chance.random() < 0.3:
                    await session.commit()
        else:
            await Seat.asave_all([Seat(name=unit)])
        await Seat(name=unit).asave()


async def is_given_time(database: Database, unit: str, chance: random.Random) -> None:
    """The same, where it is a part that is cancelled, and the rest of the transaction goes on."""
    async with database.atransaction():
        for part in ("a", "b"):
            try:
                async with asyncio.timeout(chance.random() * 0.004), database.asavepoint():
                    await Seat(name=f"{unit}{part}").asave()
                    await takes_back(database, unit, chance)
                    for _ in range(3):
                        await Seat(name=f"{unit}{part}").asave()
            except TimeoutError:
                pass


async def units_after_one_another(database: Database, seed: int, count: int, ended: Counter[str]) -> None:
    chance = random.Random(seed)
    for number in range(count):
        kind = chance.choice((unit_of_parts, unit_of_parts, is_given_time))
        task = asyncio.ensure_future(kind(database, f"unit {seed} {number}", chance))
        if chance.random() < 0.8:
            for _ in range(chance.randrange(40)):
                await asyncio.sleep(0)
            await asyncio.sleep(chance.random() * chance.choice((0, 0.002, 0.02, 0.1)))
            task.cancel()
        if chance.random() < 0.1:
            # Who is cancelled may be so again as it takes back what it did.
            await asyncio.sleep(0)
            task.cancel()
        await asyncio.wait([task])
        if task.cancelled():
            ended["cancelled"] += 1
        elif task.exception() is None:
            ended["done"] += 1
        else:
            # Where a savepoint was cancelled as it was set, all is given up; and the driver closes what it cannot cancel.
            with pytest.raises(NitroError, match="keeps nothing of|cannot be reached"):
                await task
            ended["given up"] += 1


def test_transactions_that_are_cancelled_leave_nothing_open_and_nothing_half_done(database: Database) -> None:
    async def main() -> Counter[str]:
        ended: Counter[str] = Counter()
        async with asyncio.TaskGroup() as group:
            for seed in range(THREADS):
                group.create_task(units_after_one_another(database, seed, UNITS // THREADS, ended))
        await asyncio.get_running_loop().shutdown_default_executor()
        async with asyncio.timeout(30):
            while database.gauges.idle != database.gauges.open or database.gauges.apart:
                await asyncio.sleep(0.001)
        assert_none_is_lost(database, most=2 * SIZE)
        # Nobody holds a lock any more.
        async with database.atransaction(), asyncio.timeout(30):
            await Seat.where(id="taken").aupdate(name="free")
        return ended

    ended = asyncio.run(main())
    assert ended["cancelled"] >= UNITS / 3
    assert ended["done"] > UNITS / 20
    assert_nothing_is_going_on(database)
    units = Counter(seat.name for seat in Seat.where() if seat.name.startswith("unit "))
    assert not [unit for unit in units if unit.endswith("lost")]
    assert set(units.values()) == {4}


def assert_nothing_is_going_on(database: Database) -> None:
    """As the server sees it; in a file nobody else could write."""
    url = database.url.render_as_string(hide_password=False)
    if database.dialect.name == "sqlite":
        with closing(sqlite3.connect(database.url.database or "", timeout=0)) as other:
            # Nobody writes, and nobody reads what was there in the past.
            assert other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
        return
    going_on = "SELECT state, query FROM pg_stat_activity WHERE datname = current_database() AND xact_start IS NOT NULL"
    assert rows(url, f"{going_on} AND pid <> pg_backend_pid()") == []


# --- Loops ---


def test_loops_that_are_left_lose_no_connection(database: Database) -> None:
    async def leaves() -> None:
        async for _ in Seat.where(name="stays"):
            # The connection is still set apart, and Python closes what reads from it in a task of its own.
            return

    async def main() -> None:
        for _ in range(2 * SIZE):
            await leaves()
        async with asyncio.timeout(30):
            while database.gauges.apart:
                await asyncio.sleep(0.001)
        assert_none_is_lost(database, most=2 * SIZE)

    asyncio.run(main())


def test_event_loops_that_come_and_go_leave_no_connections(database: Database) -> None:
    for _ in range(LOOPS):
        asyncio.run(all_at_once(database, THREADS * 5, cancelling=False))

    async def main() -> None:
        await Seat.aget("taken")
        # Threads and event loops have as many each.
        assert_none_is_lost(database, most=2 * SIZE)

    asyncio.run(main())
