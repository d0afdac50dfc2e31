"""Tasks that are cancelled while the database commits: what was kept is kept for the program too."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import anyio
import pytest
from units_of_work import Broken, in_a_loop
from wire import Conversation, Send, wire_to

import nitro
from nitro import CommitOutcomeUnknown, Entity, Field, SQLModelBackend, UnitOfWork, changes, command
from nitro.backends.sql import prepared
from nitro.backends.sql.database import forget
from nitro.backends.sql.sqlite import SqliteDatabase
from nitro.events import captured_events, created, deleted, updated


class Parcel(Entity):
    __tablename__ = "parcel_of_cancelled_units"

    street: str = ""
    weight: int = 0

    @command
    async def move(self, street: str) -> None:
        self.street = street


class Stamp(Entity):
    """Its key is given by the database."""

    __tablename__ = "stamp_of_cancelled_units"

    number: int | None = Field(default=None, primary_key=True)
    colour: str = ""


CLASSES = (Parcel, Stamp)


class Gate:
    """Holds what the database has done, before the program hears of it."""

    def __init__(self) -> None:
        self.word = ""
        self._came, self._opened = threading.Event(), threading.Event()

    def hold(self, word: str) -> None:
        """From now on, for one statement that begins so."""
        self.word = word
        self._opened.clear()

    def is_for(self, statement: str) -> bool:
        """Whether it is the statement that is to be held; no further one is."""
        is_it = bool(self.word) and statement.upper().startswith(self.word)
        if is_it:
            self.word = ""
        return is_it

    def pass_through(self) -> None:
        self._came.set()
        assert self._opened.wait(30)

    async def came(self) -> None:
        """Waits until the statement is done, and held."""
        assert await asyncio.to_thread(self._came.wait, 30)
        self._came.clear()

    def open(self) -> None:
        self._opened.set()


class HeldAnswers(Conversation):
    """PostgreSQL's answer to the statement is held."""

    def __init__(self, gate: Gate) -> None:
        super().__init__()
        self._gate, self._is_awaited = gate, False

    def asked(self, data: bytes, send: Send) -> bool:
        for text, _ in self.executed(data):
            self._is_awaited = self._is_awaited or (text is not None and self._gate.is_for(text))
        return super().asked(data, send)

    def answered(self, data: bytes, send: Send) -> bool:
        if b"Z" in self.letters(data) and self._is_awaited:
            self._is_awaited = False
            self._gate.pass_through()
        try:
            return super().answered(data, send)
        except OSError:
            return False  # the client has hung up meanwhile


def hold_threads(database: SqliteDatabase, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that SQLite's statements run in is held."""

    def held(function: Callable[..., Any], statement: Callable[..., str]) -> Callable[..., Any]:
        def run(*arguments: Any, **keywords: Any) -> Any:
            result = function(*arguments, **keywords)
            if gate.is_for(statement(*arguments)):
                gate.pass_through()
            return result

        return run

    monkeypatch.setattr(database, "_commit", held(database._commit, lambda _: "COMMIT"))
    for name in ("execute", "fetch_all"):
        monkeypatch.setattr(database, name, held(getattr(database, name), lambda sql, *_: sql))


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture(params=["sqlite", "postgresql"])
def repository(
    request: pytest.FixtureRequest, tmp_path: Path, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SQLModelBackend]:
    """Where they live; every connection is given back in the end."""

    def ready(url: str) -> SQLModelBackend:
        made = SQLModelBackend(url)
        for entity_class in CLASSES:
            monkeypatch.setattr(entity_class, "__nitro_backend__", made)
        nitro.create_all(*CLASSES)
        return made

    def checked(made: SQLModelBackend) -> None:
        gauges = made.database.gauges
        assert gauges.idle == gauges.open
        assert gauges.apart == gauges.waiting == 0
        forget(made.database.url.render_as_string(hide_password=False))

    if request.param == "sqlite":
        made = ready(f"sqlite:///{tmp_path}/nitro.db")
        assert isinstance(made.database, SqliteDatabase)
        hold_threads(made.database, gate, monkeypatch)
        yield made
        checked(made)
        return
    with wire_to(request.getfixturevalue("fresh_database"), lambda: HeldAnswers(gate)) as wire:
        made = ready(wire.url)
        yield made
        checked(made)


# --- How tasks are cancelled ------------------------------------------------------------------------------------------

Work = Callable[[], Awaitable[None]]


async def by_hand(work: Work, gate: Gate) -> None:
    """As servers do with a request that nobody waits for."""
    task = asyncio.ensure_future(work())
    await gate.came()
    task.cancel()
    await asyncio.sleep(0)
    gate.open()
    with pytest.raises(asyncio.CancelledError):
        await task


async def twice(work: Work, gate: Gate) -> None:
    task = asyncio.ensure_future(work())
    await gate.came()
    for _ in range(2):
        task.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    gate.open()
    with pytest.raises(asyncio.CancelledError):
        await task


async def given_time(work: Work, gate: Gate) -> None:
    """Cancels what is done in the task, which goes on."""

    async def open_late() -> None:
        await gate.came()
        limit.reschedule(asyncio.get_running_loop().time())
        while not limit.expired():
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        gate.open()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(None) as limit:
            opener = asyncio.ensure_future(open_late())
            await work()
    await opener


async def by_timeout(work: Work, gate: Gate) -> None:
    await asyncio.ensure_future(given_time(work, gate))


async def by_scope(work: Work, gate: Gate) -> None:
    """anyio cancels whatever is awaited in a scope, again and again until it is left."""

    async def open_late(scope: anyio.CancelScope) -> None:
        await gate.came()
        scope.cancel()
        for _ in range(5):
            await asyncio.sleep(0)
        gate.open()

    with anyio.CancelScope() as scope:
        opener = asyncio.ensure_future(open_late(scope))
        await work()
    await opener
    assert scope.cancelled_caught


ways = pytest.mark.parametrize("cancelled", [by_hand, twice, by_timeout, by_scope])
Cancelled = Callable[[Work, Gate], Awaitable[None]]


# --- Units ------------------------------------------------------------------------------------------------------------


@ways
@in_a_loop
async def test_what_is_committed_is_kept(repository: SQLModelBackend, gate: Gate, cancelled: Cancelled) -> None:
    parcel = await Parcel(street="Elm").asave()
    gone = await Parcel(street="gone").asave()
    new: list[Parcel] = []
    done: list[str] = []

    async def later() -> None:
        await asyncio.sleep(0)
        done.append(f"{await Parcel.where().acount()} parcels")

    async def work() -> None:
        async with UnitOfWork() as uow:
            parcel.street = "Oak"
            await parcel.asave()
            await gone.adelete()
            new.append(await Parcel(street="new").asave())
            uow.on_commit(later)
            uow.on_commit(lambda: done.append("plain"))
            gate.hold("COMMIT")

    with captured_events(created, updated, deleted) as sent:
        await cancelled(work, gate)
    assert (parcel.street, changes.of(parcel), changes.version(parcel)) == ("Oak", {}, 2)
    assert [changes.version(one) for one in (gone, *new)] == [0, 1]
    assert done == ["2 parcels", "plain"]
    assert [event.signal.name for event in sent] == ["nitro.updated", "nitro.deleted", "nitro.created"]
    assert {one.street for one in await Parcel.aall()} == {"Oak", "new"}
    parcel.street = "Fir"
    await parcel.asave()


@ways
@in_a_loop
async def test_what_is_committed_in_the_midst_is_kept(
    repository: SQLModelBackend, gate: Gate, cancelled: Cancelled
) -> None:
    parcel = Parcel(street="Elm")

    async def work() -> None:
        async with UnitOfWork() as uow:
            await parcel.asave()
            gate.hold("COMMIT")
            await uow.commit()
            raise AssertionError("it is cancelled")

    await cancelled(work, gate)
    assert changes.version(parcel) == 1
    assert (await Parcel.aget(parcel.id)).street == "Elm"


@ways
@in_a_loop
async def test_what_a_transaction_has_committed_is_kept(
    repository: SQLModelBackend, gate: Gate, cancelled: Cancelled
) -> None:
    parcel, other = await Parcel(street="Elm").asave(), Parcel(street="Ash")

    async def in_a_transaction() -> None:
        async with repository.atransaction():
            await other.asave()
            gate.hold("COMMIT")

    async def locked() -> None:
        async with Parcel.alocked(parcel.id) as mine:
            mine.street = "Oak"
            await mine.asave()
            found.append(mine)
            gate.hold("COMMIT")

    found: list[Parcel] = []
    await cancelled(in_a_transaction, gate)
    await cancelled(locked, gate)
    assert [changes.version(one) for one in (other, *found)] == [1, 2]
    assert {one.street for one in await Parcel.aall()} == {"Oak", "Ash"}


@ways
@in_a_loop
async def test_what_follows_a_commit_is_done_to_its_end(
    repository: SQLModelBackend, gate: Gate, cancelled: Cancelled, caplog: pytest.LogCaptureFixture
) -> None:
    done: list[str] = []

    async def slow() -> None:
        gate.hold("INSERT")
        await Parcel(street="slow").asave()
        await asyncio.sleep(0)
        done.append("slow")

    def fails() -> None:
        raise Broken

    async def work() -> None:
        async with UnitOfWork() as uow:
            await Parcel().asave()
            uow.on_commit(slow)
            uow.on_commit(fails)
            uow.on_commit(lambda: done.append("plain"))

    await cancelled(work, gate)
    assert done == ["slow", "plain"]
    (record,) = caplog.records
    assert "is committed" in record.message
    assert await Parcel.where().acount() == 2


@in_a_loop
async def test_what_is_cancelled_before_its_commit_is_taken_back(repository: SQLModelBackend, gate: Gate) -> None:
    parcel = await Parcel(street="Elm").asave()

    for way in (by_hand, twice, by_timeout, by_scope):

        async def work() -> None:
            async with UnitOfWork():
                parcel.street = "Oak"
                gate.hold("UPDATE")
                await parcel.asave()

        await way(work, gate)
        assert (parcel.street, changes.version(parcel), changes.of(parcel)) == ("Elm", 1, {})
        assert (await Parcel.aget(parcel.id)).street == "Elm"


@pytest.mark.parametrize("cancelled", [given_time, by_scope])
@in_a_loop
async def test_what_is_written_and_cancelled_is_known_to_a_unit_that_goes_on(
    repository: SQLModelBackend, gate: Gate, cancelled: Cancelled
) -> None:
    parcel = await Parcel(street="Elm").asave()
    gone = await Parcel(street="gone").asave()
    new, put = Parcel(street="new"), Parcel(street="put")

    def held(word: str, verb: Callable[[], Awaitable[Any]]) -> Work:
        async def work() -> None:
            gate.hold(word)
            await verb()

        return work

    with captured_events(created, updated, deleted) as sent:
        async with UnitOfWork() as uow:
            parcel.street = "Oak"
            await cancelled(held("UPDATE", parcel.asave), gate)
            await cancelled(held("INSERT", new.asave), gate)
            await cancelled(held("INSERT", put.aupsert), gate)
            await cancelled(held("DELETE", gone.adelete), gate)
            assert await uow.parcels.get(new.id) is new
    assert [changes.version(one) for one in (parcel, new, put, gone)] == [2, 1, 1, 0]
    names = [event.signal.name.removeprefix("nitro.") for event in sent]
    assert names == ["updated", "created", "created", "deleted"]
    assert {one.street for one in await Parcel.aall()} == {"Oak", "new", "put"}


@ways
@in_a_loop
async def test_what_a_command_has_stored_is_known_to_the_entity(
    repository: SQLModelBackend, gate: Gate, cancelled: Cancelled
) -> None:
    parcel = await Parcel(street="Elm").asave()
    parcel.street, parcel.weight = "Ash", 5

    async def work() -> None:
        gate.hold("UPDATE")
        await parcel.move("Oak")

    await cancelled(work, gate)
    assert (parcel.street, parcel.weight, changes.of(parcel), changes.version(parcel)) == ("Oak", 5, {}, 2)


@pytest.mark.parametrize("word", ["COMMIT", "INSERT"])
@in_a_loop
async def test_nobody_waits_for_ever_for_a_server_that_says_nothing(
    repository: SQLModelBackend, gate: Gate, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if isinstance(repository.database, SqliteDatabase):
        return  # a file does not fall silent
    monkeypatch.setattr(prepared, "ANSWERING", 0.01)
    monkeypatch.setattr(prepared, "ENDING", 0.01)
    parcel = Parcel()

    async def unit() -> None:
        async with UnitOfWork():
            await parcel.asave()
            gate.hold(word)

    async def statement() -> None:
        gate.hold(word)
        await parcel.asave()

    task = asyncio.ensure_future(unit() if word == "COMMIT" else statement())
    await gate.came()
    task.cancel()
    with pytest.raises(CommitOutcomeUnknown, match="it has not answered for 0.01 seconds"):
        await task
    gate.open()
    assert changes.version(parcel) == 0
    # It was stored, as may be: nobody could know.
    assert await Parcel.aget_or_none(parcel.id) is not None


# --- Outside of units -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_heard", [False, True], ids=["alone", "heard"])
@ways
@in_a_loop
async def test_what_is_written_is_known_to_the_entity(
    repository: SQLModelBackend, gate: Gate, cancelled: Cancelled, is_heard: bool
) -> None:
    parcel = await Parcel(street="Elm").asave()
    gone = await Parcel(street="gone").asave()
    new, put, stamp = Parcel(street="new"), Parcel(street="put"), Stamp()
    many = [Parcel(street="many"), Parcel(street="more")]
    parcel.street = "Oak"

    def held(word: str, verb: Callable[[], Awaitable[Any]]) -> Work:
        async def work() -> None:
            gate.hold(word)
            await verb()

        return work

    with captured_events(created, updated, deleted) if is_heard else nullcontext([]) as sent:
        await cancelled(held("UPDATE", parcel.asave), gate)
        await cancelled(held("DELETE", gone.adelete), gate)
        await cancelled(held("INSERT", new.asave), gate)
        await cancelled(held("INSERT", put.aupsert), gate)
        await cancelled(held("INSERT", stamp.asave), gate)
        await cancelled(held("COMMIT", lambda: Parcel.asave_all(many)), gate)
    names = [event.signal.name.removeprefix("nitro.") for event in sent]
    assert names == (["updated", "deleted", *["created"] * 5] if is_heard else [])
    assert [changes.version(one) for one in (parcel, gone, new, put, stamp, *many)] == [2, 0, 1, 1, 1, 1, 1]
    assert stamp.number is not None
    assert {one.street for one in await Parcel.aall()} == {"Oak", "new", "put", "many", "more"}
    for one in (parcel, new, put, stamp, *many):
        await one.asave()
