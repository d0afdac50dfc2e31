"""How units of work end: commits, savepoints, repetitions, what follows."""

import asyncio
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import blinker
import pytest
import sqlalchemy as sa
from units_of_work import Broken, Order, Product, in_a_loop

import nitro
from nitro import (
    Entity,
    Repository,
    SQLModelBackend,
    StaleEntityError,
    UniqueViolation,
    UnitOfWork,
    UnitOfWorkError,
    changes,
    on,
)
from nitro.backends.sql.schema import table_of
from nitro.events import captured_events, created, deleted, saved, updated
from nitro.locks import KeyLocks
from nitro.repository import Capabilities


def test_a_commit_in_the_midst_is_kept(repository: Repository) -> None:
    with pytest.raises(Broken), UnitOfWork() as uow:
        first = Order(customer="first").save()
        uow.commit()
        second = Order(customer="second").save()
        first.customer = "changed"
        first.save()
        raise Broken
    assert Order.get(first.id).customer == first.customer == "first"
    assert Order.get_or_none(second.id) is None


def test_a_rollback_in_the_midst_takes_back(repository: Repository) -> None:
    with UnitOfWork() as uow:
        gone = Order(customer="gone").save()
        uow.rollback()
        assert Order.get_or_none(gone.id) is None
        kept = Order(customer="kept").save()
    assert [order.id for order in Order.all()] == [kept.id]


def test_savepoints(repository: Repository) -> None:
    with UnitOfWork() as uow:
        with pytest.raises(Broken), uow.savepoint():
            none = Order(customer="none").save()
            raise Broken
        order = Order(customer="Ann", total=1, number=1).save()
        order.total = 2
        with pytest.raises(Broken), uow.savepoint():
            order.total = 3
            order.save()
            inner = Order(customer="inner").save()
            raise Broken
        assert order.total == 2
        assert changes.of(order) == {"total": (1, 2)}
        order.save()
        with pytest.raises(UniqueViolation), uow.savepoint():
            Order(number=1).save()
        with uow.savepoint(), uow.savepoint():
            Order(customer="deep").save()
    assert Order.get(order.id).total == 2
    assert [Order.get_or_none(one.id) for one in (none, inner)] == [None, None]
    assert Order.where(customer="deep").count() == 1


@in_a_loop
async def test_async_savepoints(repository: Repository) -> None:
    async with UnitOfWork() as uow:
        order = await Order(customer="Ann", total=1).asave()
        with pytest.raises(Broken):
            async with uow.savepoint():
                order.total = 3
                await order.asave()
                inner = await Order(customer="inner").asave()
                raise Broken
        assert order.total == 1
    assert await Order.aget_or_none(inner.id) is None
    assert (await Order.aget(order.id)).total == 1


def test_signals_come_after_the_commit(repository: Repository) -> None:
    order = Order(total=1).save()
    gone = Order().save()
    with captured_events(created, updated, deleted, saved) as sent:
        with UnitOfWork() as uow:
            mine = uow.orders.get(order.id)
            mine.total = 2
            mine.save()
            mine.save()
            new = Product(name="tea").save()
            Order.get(gone.id).delete()
            assert list(sent) == []
        told = [(event.signal.name, event.sender, event.keywords["changes"]) for event in sent]
    assert [(name, sender) for name, sender, _ in told] == [
        ("nitro.updated", mine),
        ("nitro.saved", mine),
        ("nitro.created", new),
        ("nitro.saved", new),
        ("nitro.deleted", gone),
    ]
    assert told[0][2] == {"total": (1, 2)}
    assert told[2][2] == {"id": (None, new.id), "name": (None, "tea"), "stock": (None, 0)}


def test_signals_without_a_unit_come_at_once(repository: Repository) -> None:
    with captured_events(created, updated, deleted, saved) as sent:
        order = Order(total=1).save()
        order.total = 2
        order.save()
        order.save()
        Order.save_all([Order(), Order()])
        order.delete()
    names = [event.signal.name.removeprefix("nitro.") for event in sent]
    assert names == ["created", "saved", "updated", "saved", "created", "saved", "created", "saved", "deleted"]


def test_no_signal_of_what_is_taken_back(repository: Repository) -> None:
    done: list[str] = []
    with captured_events(created) as sent, pytest.raises(Broken), UnitOfWork() as uow:
        uow.on_commit(lambda: done.append("never"))
        Order().save()
        raise Broken
    assert (list(sent), done) == ([], [])


def test_what_follows_a_commit_is_outside_and_all_of_it_runs(repository: Repository) -> None:
    done: list[Any] = []

    def fails() -> None:
        raise Broken

    with pytest.raises(ExceptionGroup, match="is committed") as raised, UnitOfWork() as uow:
        order = Order().save()
        uow.on_commit(fails)
        uow.on_commit(lambda: done.append(nitro.work.current()))
    assert done == [None]
    assert raised.group_contains(Broken)
    assert Order.get(order.id)


@in_a_loop
async def test_a_unit_waits_for_the_async_handlers_of_what_is_sent_inside(repository: Repository) -> None:
    placed = blinker.Signal()

    @on(placed)
    async def note(order: Order) -> None:
        await asyncio.sleep(0)
        await Product(name=order.customer).asave()

    async with UnitOfWork():
        await Order(customer="Ann").asave()
        placed.send(Order(customer="Bob"))
    assert (await Product.where().aone()).name == "Bob"
    with pytest.raises(Broken):
        async with UnitOfWork():
            placed.send(Order(customer="Cid"))
            await asyncio.sleep(0)
            raise Broken
    assert await Product.where().acount() == 1


@in_a_loop
async def test_coroutines_follow_an_async_commit(repository: Repository) -> None:
    done: list[int] = []

    async def later() -> None:
        await asyncio.sleep(0)
        done.append(await Order.where().acount())

    async with UnitOfWork() as uow:
        await Order().asave()
        uow.on_commit(later)
    assert done == [1]


def test_a_coroutine_cannot_follow_a_commit_that_awaits_nothing(repository: Repository) -> None:
    async def later() -> None: ...

    with pytest.raises(ExceptionGroup) as raised, UnitOfWork() as uow:
        Order().save()
        # Only when it is called can be seen that it is to be awaited.
        uow.on_commit(lambda: later())
    assert raised.group_contains(UnitOfWorkError, match="only `async with UnitOfWork")


def test_a_function_runs_anew_when_others_were_quicker(repository: Repository) -> None:
    order = Order(total=0).save()
    ran: list[float] = []

    @UnitOfWork(retries=2)
    def add() -> float:
        mine = Order.get(order.id)
        if len(ran) < 2:
            # Somebody else, in a thread that is not inside of this unit.
            other = threading.Thread(target=lambda: _add_one(order.id))
            other.start()
            other.join()
        ran.append(mine.total)
        mine.total += 10
        mine.save()
        return mine.total

    # Where the object is the record nobody has an old copy.
    conflicts = 0 if repository.capabilities.live else 2
    assert add() == 10 + (1 if repository.capabilities.live else 2)
    assert len(ran) == conflicts + 1


def test_it_gives_up_after_its_repetitions(repository: Repository) -> None:
    ran: list[int] = []

    @UnitOfWork(retries=2)
    def never() -> None:
        ran.append(1)
        raise StaleEntityError(Order, "1", expected_version=1, stored_version=2)

    with pytest.raises(StaleEntityError):
        never()
    assert len(ran) == 3
    ran.clear()
    with pytest.raises(StaleEntityError), UnitOfWork():
        never()
    assert len(ran) == 1


@in_a_loop
async def test_a_coroutine_function_runs_anew(repository: Repository) -> None:
    ran: list[int] = []

    @UnitOfWork(retries=1)
    async def once_more() -> str:
        await Order().asave()
        ran.append(1)
        if len(ran) == 1:
            raise StaleEntityError(Order, "1", expected_version=1, stored_version=2)
        return "done"

    assert await once_more() == "done"
    assert await Order.where().acount() == 1


def _add_one(key: str) -> None:
    order = Order.get(key)
    order.total += 1
    order.save()


class Plain(Repository):
    """A backend that can take nothing back, as third parties write them."""

    capabilities = Capabilities(versions=True, operators=frozenset())

    def __init__(self) -> None:
        self.records: dict[Any, dict[str, Any]] = {}
        self.fails = False

    def get(self, entity_class: type[Any], key: Any) -> Any:
        record = self.records.get(key)
        if record is None:
            return None
        entity = entity_class(**record)
        changes.loaded(entity, 1)
        return entity

    def select(self, query: nitro.Query[Any]) -> list[Any]:
        return query.among([self.get(query._class, key) for key in self.records])

    def save(self, entity: Entity, *, ttl: Any = ...) -> None:
        if self.fails:
            raise Broken
        self.records[nitro.identity(entity)] = entity.model_dump()
        changes.saved(entity, 1)

    def delete(self, entity: Entity) -> None:
        del self.records[nitro.identity(entity)]
        changes.saved(entity, 0)

    def refresh(self, entity: Entity) -> None:
        changes.renew(entity, self.get(type(entity), nitro.identity(entity)))


class Note(Entity, backend=Plain()):
    text: str = ""
    tags: list[str] = []


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> Plain:
    made = Plain()
    monkeypatch.setattr(Note, "__nitro_backend__", made)
    return made


def test_backends_that_take_nothing_back_follow_the_commit(repository: Repository, plain: Plain) -> None:
    old = Note(text="old").save()
    with captured_events(created, deleted) as sent, UnitOfWork():
        order = Order().save()
        note = Note(text="new").save()
        assert Note.get(note.id) is note
        Note.get(old.id).delete()
        assert Note.get_or_none(old.id) is None
        assert set(plain.records) == {old.id}
    assert set(plain.records) == {note.id}
    assert changes.version(note) == 1
    assert [event.sender for event in sent] == [order, note, old]
    with pytest.raises(Broken), UnitOfWork():
        Order().save()
        note.text = "changed"
        note.save()
        raise Broken
    assert (note.text, plain.records[note.id]["text"]) == ("new", "new")


def test_when_they_fail_the_commit_stands(repository: Repository, plain: Plain) -> None:
    plain.fails = True
    with pytest.raises(ExceptionGroup, match="is committed") as raised, UnitOfWork():
        order = Order().save()
        Note(text="new").save()
    assert raised.group_contains(Broken)
    assert Order.get(order.id)


def test_a_session_of_sqlmodel_is_part_of_it(repository: Repository) -> None:
    if not isinstance(repository, SQLModelBackend):
        with UnitOfWork() as uow, pytest.raises(UnitOfWorkError, match="MemoryRepo has no sessions"):
            uow.session(repository)
        return
    table = table_of(Order)
    with pytest.raises(Broken), UnitOfWork() as uow:
        order = Order(customer="Ann").save()
        with uow.session() as session:
            assert session.execute(sa.select(table.c.customer)).scalars().all() == ["Ann"]
            session.execute(table.update().values(customer="Bob"))
            session.commit()
        assert Order.where(customer="Bob").count() == 1
        raise Broken
    assert Order.get_or_none(order.id) is None
    with UnitOfWork() as uow:
        order = Order(customer="Ann").save()
        uow.session().execute(table.update().values(customer="Bob"))
    assert Order.get(order.id).customer == "Bob"


@in_a_loop
async def test_an_async_session_of_sqlmodel_is_part_of_it(repository: Repository) -> None:
    if not isinstance(repository, SQLModelBackend):
        async with UnitOfWork() as uow:
            with pytest.raises(UnitOfWorkError, match="MemoryRepo has no sessions"):
                await uow.session(repository)
        return
    table = table_of(Order)
    with pytest.raises(Broken):
        async with UnitOfWork() as uow:
            order = await Order(customer="Ann").asave()
            async with await uow.session() as session:
                await (await session.connection()).execute(table.update().values(customer="Bob"))
                await session.commit()
            assert await Order.where(customer="Bob").acount() == 1
            raise Broken
    assert await Order.aget_or_none(order.id) is None


def test_changes_of_a_query_are_part_of_it(repository: Repository, plain: Plain) -> None:
    Order.save_all([Order(total=number) for number in range(4)])
    Note.save_all([Note(text=text) for text in "ab"])
    with pytest.raises(Broken), UnitOfWork():
        first = Order.where(total=0).one()
        assert Order.where(Order.total < 2).update(status="small") == 2
        assert Order.get(first.id).status == "small"
        assert Order.where(Order.total > 2).delete() == 1
        assert Note.where().update(text="c") == 2
        raise Broken
    assert Order.where(status="draft").count() == 4
    with UnitOfWork():
        assert Order.where(Order.total < 2).update(status="small") == 2
        assert Note.where(text="a").delete() == 1
    assert Order.where(status="small").count() == 2
    assert [note.text for note in Note.all()] == ["b"]


@in_a_loop
async def test_changes_of_an_async_query_are_part_of_it(repository: Repository, plain: Plain) -> None:
    await Order.asave_all([Order(total=number) for number in range(4)])
    await Note.asave_all([Note(text=text) for text in "ab"])
    with pytest.raises(Broken):
        async with UnitOfWork():
            assert await Order.where(Order.total < 2).aupdate(status="small") == 2
            assert await Order.where(Order.total > 2).adelete() == 1
            raise Broken
    assert await Order.where(status="draft").acount() == 4
    async with UnitOfWork():
        assert await Order.where(Order.total < 2).aupdate(status="small") == 2
        assert await Note.where(text="a").adelete() == 1
        assert await Note.where(text="b").aupdate(text="c") == 1
    assert await Order.where(status="small").acount() == 2
    assert [note.text for note in await Note.aall()] == ["c"]


def test_what_is_written_after_the_commit_is_what_was_saved(plain: Plain) -> None:
    old = Note(text="old", tags=["a"]).save()

    @UnitOfWork()
    def work() -> Note:
        new = Note(text="new").save()
        new.text = "forgotten"
        mine = Note.get(old.id)
        mine.tags.append("b")
        mine.save()
        mine.tags.append("c")
        mine.text = "forgotten"
        Note(text="twice").save().text = "again"
        return new

    with pytest.warns(nitro.UnsavedChangesWarning) as caught:
        new = work()
    assert len(caught) == 3
    assert (plain.records[new.id]["text"], plain.records[old.id]["tags"]) == ("new", ["a", "b"])
    assert changes.of(new) == {"text": ("new", "forgotten")}
    new.save()
    assert plain.records[new.id]["text"] == "forgotten"


def test_the_last_save_of_several_is_written(plain: Plain) -> None:
    with UnitOfWork() as uow:
        note = Note(text="one").save()
        note.text = "two"
        note.save()
        with pytest.raises(Broken), uow.savepoint():
            note.text = "three"
            note.save()
            raise Broken
    assert (note.text, plain.records[note.id]["text"], changes.exist(note)) == ("two", "two", False)
    with UnitOfWork():
        note.delete()
        note.text = "anew"
        note.save()
        assert [found.text for found in Note.all()] == ["anew"]
        note.text = "anew, and again"
        note.save()
    assert plain.records[note.id]["text"] == note.text == "anew, and again"


def test_what_cannot_be_written_after_the_commit_stays_as_it_was_assigned(plain: Plain) -> None:
    note = Note(text="old").save()
    with pytest.raises(ExceptionGroup, match="is committed"), UnitOfWork():
        note.text = "saved"
        note.save()
        note.text = "assigned"
        plain.fails = True
    assert changes.of(note) == {"text": ("old", "assigned")}
    assert plain.records[note.id]["text"] == "old"


@in_a_loop
async def test_what_async_code_writes_after_the_commit_is_what_was_saved(plain: Plain) -> None:
    async with UnitOfWork():
        note = await Note(text="saved").asave()
        note.text = "assigned"
        note.revert_changes()
        note.text = "saved"
        await note.asave()
        note.text = "other"
        note.text = "saved"
    assert (plain.records[note.id]["text"], changes.exist(note)) == ("saved", False)


def test_what_an_upsert_has_done_is_told(repository: Repository) -> None:
    order = Order(id="1", total=1).save()
    with captured_events(created, updated, saved) as sent:
        Order(id="1", total=2).upsert()
        Order(id="2").upsert()
        with UnitOfWork():
            Order(id="1", total=3).upsert()
            Order(id="3").upsert()
            mine = Order.get("2")
            mine.total = 5
            mine.upsert()
    assert Order.get(order.id).total == 3
    told = [(event.signal.name.removeprefix("nitro."), event.sender.id) for event in sent]
    assert told[::2] == [("updated", "1"), ("created", "2"), ("updated", "1"), ("created", "3"), ("updated", "2")]
    assert told[1::2] == [("saved", key) for _, key in told[::2]]


@in_a_loop
async def test_what_an_async_upsert_has_done_is_told(repository: Repository) -> None:
    await Order(id="1", total=1).asave()
    with captured_events(created, updated) as sent:
        await Order(id="1", total=2).aupsert()
        await Order(id="2").aupsert()
        async with UnitOfWork():
            await Order(id="1", total=3).aupsert()
            await Order(id="3").aupsert()
    told = [(event.signal.name.removeprefix("nitro."), event.sender.id) for event in sent]
    assert told == [("updated", "1"), ("created", "2"), ("updated", "1"), ("created", "3")]


def test_after_an_upsert_is_taken_back_all_is_as_before(repository: Repository) -> None:
    order = Order(id="1", total=1).save()
    with captured_events(created, updated) as sent, pytest.raises(Broken), UnitOfWork():
        Order(id="1", total=2).upsert()
        Order(id="2").upsert()
        raise Broken
    assert list(sent) == []
    assert [found.total for found in Order.all()] == [1]
    order.total = 4
    order.save()
    assert Order.get("1").total == 4


def test_nothing_is_known_of_a_save_that_is_taken_back(repository: Repository) -> None:
    order = Order(total=1).save()
    order.total = 2
    order.save()
    assert changes.previous(order) == {"total": (1, 2)}
    with pytest.raises(Broken), UnitOfWork():
        mine = Order.get(order.id)
        mine.total = 3
        mine.save()
        assert changes.previous(mine) == {"total": (2, 3)}
        new = Order().save()
        assert changes.previous(new)
        raise Broken
    assert changes.previous(mine) == changes.previous(new) == {}
    mine.total = 4
    mine.save()
    assert changes.previous(mine) == {"total": (2, 4)}


class Locking(Plain):
    """It can take nothing back, and has locks."""

    capabilities = Capabilities(versions=True, operators=frozenset(), locks=True)

    def __init__(self) -> None:
        super().__init__()
        self.locks = KeyLocks()

    @asynccontextmanager
    async def alocked(self, entity_class: type[Any], key: Any) -> AsyncGenerator[Any]:
        async with self.locks.ahold(key):
            yield self.get(entity_class, key)


@in_a_loop
async def test_what_follows_a_commit_may_lock_what_the_unit_has_locked(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Note, "__nitro_backend__", Locking())
    order, note = await Order().asave(), await Note(text="old").asave()
    seen: list[Any] = []

    async def look() -> None:
        async with asyncio.timeout(10):
            if repository.capabilities.locks:
                async with Order.alocked(order.id) as mine:
                    seen.append(mine.total)
            async with Note.alocked(note.id) as found:
                seen.append(found.text)

    async with UnitOfWork() as uow:
        async with Order.alocked(order.id) as mine, Note.alocked(note.id) as found:
            mine.total, found.text = 5, "new"
            await mine.asave()
            await found.asave()
        uow.on_commit(look)
    assert seen == [5, "new"]
