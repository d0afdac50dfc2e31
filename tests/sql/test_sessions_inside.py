"""Sessions of SQLModel that are part of a transaction: what they write is in it, and they end where it ends."""

import asyncio
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncSession as PlainAsyncSession
from sqlalchemy.orm import registry, selectinload
from sqlalchemy.orm.exc import StaleDataError
from sqlmodel import Column, Relationship, Session, SQLModel, col, select
from sqlmodel import Field as SQLModelField
from sqlmodel.ext.asyncio.session import AsyncSession
from wallets import DATABASES, fail

from nitro import Field, NitroError, NotLoaded, SQLEntity, SQLModelBackend, changes


class Base(SQLEntity, registry=registry()):
    """Classes with a metadata of their own."""


class Fellowship(Base, table=True):
    """Some knights."""

    id: int | None = Field(None, primary_key=True)
    name: str

    knights: list["Knight"] = Relationship(back_populates="fellowship")


class Knight(Base, table=True):
    id: int | None = Field(None, primary_key=True)
    name: str = Field(unique=True)
    age: int = 0
    tags: list[str] = []
    fellowship_id: int | None = Field(None, foreign_key="fellowship.id")

    fellowship: Fellowship | None = Relationship(back_populates="knights")


class Treasure(Base, table=True, versioned=True):
    owner: str
    gold: int = 0


class Plain(SQLModel, registry=registry(metadata=Base.metadata)):
    """The same for classes of SQLModel."""


class Horse(Plain, table=True):
    """A class of SQLModel, of which Nitro knows nothing."""

    id: int | None = SQLModelField(None, primary_key=True)
    name: str
    age: int = 0
    papers: dict[str, Any] = SQLModelField(default_factory=dict, sa_column=Column(sa.JSON))


#: A table, without a class.
CASTLE = sa.Table("castle", Base.metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("plan", sa.JSON))


@pytest.fixture(params=DATABASES)
def repository(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[SQLModelBackend]:
    urls = {"file": lambda: f"sqlite:///{request.getfixturevalue('tmp_path')}/nitro.db", "memory": lambda: "sqlite://"}
    url = urls[request.param]() if request.param in urls else request.getfixturevalue("fresh_database")
    repository = SQLModelBackend(url)
    for entity_class in (Fellowship, Knight, Treasure):
        monkeypatch.setattr(entity_class, "__nitro_backend__", repository)
    Base.metadata.create_all(repository.engine)
    repository.engine.dispose()
    yield repository
    gauges = repository.database.gauges
    assert gauges.idle == gauges.open
    repository.database.close()


@pytest.fixture
def server(postgres_server, monkeypatch) -> Iterator[SQLModelBackend]:
    with postgres_server.database() as url:
        repository = SQLModelBackend(url)
        monkeypatch.setattr(Knight, "__nitro_backend__", repository)
        Base.metadata.create_all(repository.engine)
        yield repository
        repository.database.close()


def names() -> list[str]:
    return sorted(knight.name for knight in Knight.all())


def horses(repository: SQLModelBackend) -> list[tuple[str, int]]:
    """As another connection sees them."""
    with Session(repository.engine) as session:
        found = [(horse.name, horse.age) for horse in session.exec(select(Horse).order_by(Horse.name))]
    repository.engine.dispose()
    return found


# --- What is written ---


def test_it_is_a_session_of_sqlmodel(repository):
    async def story():
        async with repository.atransaction(), repository.asession() as session:
            assert isinstance(session, AsyncSession)
            assert isinstance(session, PlainAsyncSession)

    with repository.transaction(), repository.session() as session:
        assert isinstance(session, Session)
    asyncio.run(story())


def test_verbs_and_the_session_see_what_the_other_has_written_before_anything_is_committed(repository):
    with repository.transaction():
        session = repository.session()
        session.add(Knight(name="Galahad"))
        session.flush()
        assert names() == ["Galahad"]
        Knight(name="Lancelot").save()
        assert session.exec(select(Knight.name).order_by(Knight.name)).all() == ["Galahad", "Lancelot"]
        found = session.exec(select(Knight).where(Knight.name == "Lancelot")).one()
        found.age = 30
        # Whatever it asks, a session writes first what it knows of.
        assert session.exec(select(sa.func.sum(Knight.age))).one() == 30
        assert Knight.where(name="Lancelot").one().age == 30
        assert repository.database.gauges.open == 1
    assert names() == ["Galahad", "Lancelot"]


def test_what_a_session_wrote_is_kept_with_the_transaction_and_not_before(repository):
    with pytest.raises(ZeroDivisionError), repository.transaction():
        with repository.session() as session:
            session.add(Knight(name="Galahad"))
            session.commit()
            session.add(Horse(name="Gringolet"))
            session.commit()
        fail()
    assert names() == []
    assert horses(repository) == []
    with repository.transaction():
        with repository.session() as session:
            session.add(Knight(name="Galahad"))
            session.add(Horse(name="Gringolet", papers={"sire": ["a", 1]}))
            session.exec(CASTLE.insert(), params=[{"plan": {"towers": 4}}, {"plan": [1, 2]}])
        assert names() == ["Galahad"]
    assert names() == ["Galahad"]
    assert horses(repository) == [("Gringolet", 0)]


def test_values_come_out_as_they_do_from_a_session_of_its_own(repository):
    with repository.transaction(), repository.session() as session:
        session.add(Knight(name="Galahad", tags=["pure", "young"]))
        session.add(Horse(name="Gringolet", papers={"sire": ["a", 1], "dam": None}))
        session.exec(CASTLE.insert().values(plan={"towers": [4.5, None]}))
        session.flush()
        session.expunge_all()
        assert session.exec(select(Knight)).one().tags == ["pure", "young"]
        assert session.exec(select(Horse)).one().papers == {"sire": ["a", 1], "dam": None}
        assert session.exec(select(CASTLE.c.plan)).one() == {"towers": [4.5, None]}
        # And the verbs read as they always do.
        assert Knight.where(name="Galahad").one().tags == ["pure", "young"]


def test_what_is_added_is_written_at_the_end_of_the_transaction_if_not_before(repository):
    with repository.transaction():
        session = repository.session()
        galahad = Knight(name="Galahad")
        session.add_all([galahad, Horse(name="Gringolet")])
    assert names() == ["Galahad"]
    assert horses(repository) == [("Gringolet", 0)]
    assert (galahad.id is not None, changes.version(galahad), galahad.is_changed) == (True, 1, False)
    galahad.age = 18
    galahad.save()
    assert Knight.get(galahad.id).age == 18
    with pytest.raises(IntegrityError), repository.transaction():
        repository.session().add(Knight(name="Galahad"))
    assert names() == ["Galahad"]


def test_relations_are_written_and_loaded(repository):
    with repository.transaction(), repository.session() as session:
        fellowship = Fellowship(name="Round Table", knights=[Knight(name="Galahad"), Knight(name="Lancelot")])
        session.add(fellowship)
        session.commit()
        assert sorted(knight.name for knight in session.get(Fellowship, fellowship.id).knights) == [
            "Galahad",
            "Lancelot",
        ]
        galahad = Knight.where(name="Galahad").one()
        assert galahad.fellowship_id == fellowship.id
        again = session.exec(select(Fellowship).options(selectinload(Fellowship.knights))).one()
        assert again is fellowship


# --- Ends of the session ---


def test_a_rollback_takes_back_what_the_session_did_since_its_commit(repository):
    with repository.transaction():
        Knight(name="Arthur").save()
        session = repository.session()
        galahad = Knight(name="Galahad")
        session.add(galahad)
        session.commit()
        session.add(Knight(name="Mordred"))
        galahad.age = 99
        session.flush()
        assert names() == ["Arthur", "Galahad", "Mordred"]
        session.rollback()
        assert names() == ["Arthur", "Galahad"]
        assert galahad.age == 0
        galahad.age = 17
        session.commit()
    assert sorted((knight.name, knight.age) for knight in Knight.all()) == [("Arthur", 0), ("Galahad", 17)]


def test_to_close_it_leaves_the_transaction_as_it_is(repository):
    with repository.transaction():
        Knight(name="Arthur").save()
        session = repository.session()
        session.add(Knight(name="Galahad"))
        session.commit()
        session.add(Knight(name="Mordred"))
        session.flush()
        session.close()
        assert names() == ["Arthur", "Galahad"]
        with pytest.raises(ZeroDivisionError), repository.session() as other:
            other.add(Knight(name="Mordred"))
            other.flush()
            fail()
        Knight(name="Lancelot").save()
        # It can be used again, as any that was closed.
        session.add(Knight(name="Percival"))
        session.commit()
    assert names() == ["Arthur", "Galahad", "Lancelot", "Percival"]


def test_a_flush_that_is_refused_leaves_the_transaction_usable(repository):
    Knight(name="Arthur").save()
    with repository.transaction():
        Knight(name="Lancelot").save()
        with repository.session() as session:
            session.add(Knight(name="Arthur"))
            with pytest.raises(IntegrityError):
                session.flush()
            session.rollback()
            session.add(Knight(name="Galahad"))
        Knight(name="Percival").save()
    assert names() == ["Arthur", "Galahad", "Lancelot", "Percival"]


def test_nested_transactions_of_the_session(repository):
    Knight(name="Arthur").save()
    with repository.transaction(), repository.session() as session:
        session.add(Knight(name="Galahad"))
        with pytest.raises(IntegrityError), session.begin_nested():
            session.add(Knight(name="Arthur"))
        with session.begin_nested():
            session.add(Knight(name="Percival"))
            lancelot = Knight(name="Lancelot").save()
        with pytest.raises(ZeroDivisionError), session.begin_nested():
            # With its first statement it begins.
            assert len(session.exec(select(Knight)).all()) == 4
            lancelot.age = 5
            lancelot.save()
            mordred = Knight(name="Mordred").save()
            fail()
        # What the verbs did meanwhile was taken back too, and they know.
        assert (changes.of(lancelot), changes.version(mordred)) == ({"age": (0, 5)}, 0)
    assert names() == ["Arthur", "Galahad", "Lancelot", "Percival"]


def test_after_the_transaction_it_cannot_be_used(repository):
    with repository.transaction():
        session = repository.session()
        session.add(Knight(name="Galahad"))
    with repository.transaction():
        other = repository.session()
        for use in (
            lambda: session.add(Knight(name="Mordred")),
            lambda: session.exec(select(Knight)).all(),
            lambda: session.commit(),
            lambda: session.get(Knight, 1),
        ):
            with pytest.raises(NitroError, match="is over: take another session"):
                use()
        assert other.exec(select(Knight.name)).all() == ["Galahad"]
        session.close()
    assert names() == ["Galahad"]


def test_outside_of_a_transaction_there_is_none(repository):
    with pytest.raises(NitroError, match=r"Session\(backend.engine\)"):
        repository.session()
    with pytest.raises(NitroError, match=r"AsyncSession\(backend.async_engine\)"):
        repository.asession()


def test_another_thread_cannot_use_it(repository):
    refused: list[BaseException] = []

    def work() -> None:
        with pytest.raises(NitroError, match="another task or thread") as error:
            session.exec(select(Knight)).all()
        refused.append(error.value)

    with repository.transaction():
        session = repository.session()
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert len(refused) == 1


# --- What entities know afterwards ---


def test_entities_of_a_session_know_again_what_they_knew_before_the_transaction(repository):
    arthur, gone = Knight(name="Arthur").save(), Knight(name="gone").save()
    with pytest.raises(ZeroDivisionError), repository.transaction():
        with repository.session() as session:
            new = Knight(name="Galahad")
            session.add(new)
            found, lost = session.get(Knight, arthur.id), session.get(Knight, gone.id)
            found.age = 5
            session.commit()
            found.age = 6
            session.delete(lost)
            session.commit()
            assert [changes.version(knight) for knight in (new, found, lost)] == [1, 3, 0]
        late = repository.session()
        other = Knight(name="Lancelot")
        late.add(other)
        late.flush()
        fail()
    assert [changes.version(knight) for knight in (new, other, found, lost)] == [0, 0, 1, 1]
    assert changes.of(found) == {"age": (0, 6)}
    # So the same can be tried again, by verbs and by sessions of any kind.
    with repository.transaction():
        found.save()
        lost.delete()
        other.save()
        with repository.session() as session:
            session.add(new)
    assert sorted((knight.name, knight.age) for knight in Knight.all()) == [
        ("Arthur", 6),
        ("Galahad", 0),
        ("Lancelot", 0),
    ]
    assert not new.is_changed


def test_what_is_to_be_changed_again_can_be_by_a_session(repository):
    arthur = Knight(name="Arthur").save()
    with pytest.raises(ZeroDivisionError), repository.transaction():
        with repository.session() as session:
            found = session.get(Knight, arthur.id)
            found.age = 5
        fail()
    with repository.transaction(), repository.session() as session:
        session.add(found)
        assert found in session.dirty
    assert Knight.get(arthur.id).age == 5


def test_objects_of_sqlmodel_after_the_transaction_was_taken_back(repository):
    with repository.transaction(), repository.session() as session:
        session.add_all([Horse(name="old", age=1), Horse(name="gone")])
    with pytest.raises(ZeroDivisionError), repository.transaction():
        with repository.session() as session:
            new = Horse(name="new")
            session.add(new)
            gone = session.exec(select(Horse).where(Horse.name == "gone")).one()
            session.delete(gone)
        fail()
    assert horses(repository) == [("gone", 0), ("old", 1)]
    assert sa.inspect(new).transient
    assert sa.inspect(gone).detached
    with repository.transaction(), repository.session() as session:
        session.add(new)
        session.delete(gone)
    assert horses(repository) == [("new", 0), ("old", 1)]


def test_what_is_deleted_is_stored_no_more(repository):
    arthur = Knight(name="Arthur").save()
    with repository.transaction(), repository.session() as session:
        found = session.get(Knight, arthur.id)
        session.delete(found)
        session.flush()
        assert names() == []
        assert changes.version(found) == 1
        session.commit()
        assert changes.version(found) == 0
        found.save()
    assert names() == ["Arthur"]


def test_versions_are_checked_as_in_any_session(repository):
    Treasure(id="grail", owner="Galahad").save()
    with repository.transaction(), repository.session() as session:
        treasure = session.get(Treasure, "grail")
        treasure.gold = 1
        session.commit()
        assert changes.version(treasure) == 2
        by_verb = Treasure.get("grail")
        by_verb.gold = 2
        by_verb.save()
        treasure.gold = 3
        with pytest.raises(StaleDataError):
            session.flush()
        session.rollback()
        assert (treasure.gold, changes.version(treasure)) == (2, 3)
        treasure.gold = 4
    assert (Treasure.get("grail").gold, changes.version(treasure)) == (4, 4)


def test_entities_of_a_session_can_be_read_after_it(repository):
    with repository.transaction():
        session = repository.session()
        galahad = Knight(name="Galahad", tags=["pure"])
        horse = Horse(name="Gringolet")
        session.add_all([galahad, horse])
    assert (galahad.name, galahad.tags, horse.name, horse.id) == ("Galahad", ["pure"], "Gringolet", 1)
    with pytest.raises(NotLoaded, match="belongs to no open session"):
        _ = Knight.get(galahad.id).fellowship


# --- Together with savepoints ---


def test_a_savepoint_takes_back_what_a_session_has_done_inside(repository):
    with repository.transaction():
        session = repository.session()
        arthur, horse = Knight(name="Arthur"), Horse(name="Gringolet")
        session.add_all([arthur, horse])
        session.flush()
        with pytest.raises(ZeroDivisionError), repository.savepoint():
            arthur.age = 50
            horse.age = 5
            mordred = Knight(name="Mordred")
            session.add_all([mordred, Horse(name="Mordred's")])
            session.flush()
            fail()
        assert names() == ["Arthur"]
        assert (changes.version(mordred), changes.of(arthur)) == (0, {"age": (0, 50)})
        assert horse.age == 0
        session.add(Knight(name="Galahad"))
        session.commit()
    # What was to be taken back is not written by the way.
    assert sorted((knight.name, knight.age) for knight in Knight.all()) == [("Arthur", 0), ("Galahad", 0)]
    assert horses(repository) == [("Gringolet", 0)]


def test_a_session_that_begins_inside_of_a_savepoint_goes_on_after_it(repository):
    with repository.transaction():
        arthur = Knight(name="Arthur").save()
        session = repository.session()
        with pytest.raises(ZeroDivisionError), repository.savepoint():
            found = session.get(Knight, arthur.id)
            found.age = 50
            session.add(Knight(name="Mordred"))
            session.flush()
            fail()
        assert found.age == 0
        found.age = 40
        with repository.savepoint():
            session.add(Knight(name="Galahad"))
            session.flush()
        session.commit()
        with repository.savepoint():
            session.add(Knight(name="Percival"))
            session.flush()
        session.rollback()
    assert sorted((knight.name, knight.age) for knight in Knight.all()) == [("Arthur", 40), ("Galahad", 0)]


def test_a_commit_inside_of_a_savepoint_that_began_later(repository):
    with repository.transaction():
        session = repository.session()
        session.add(Knight(name="Arthur"))
        session.flush()
        with pytest.raises(ZeroDivisionError), repository.savepoint():
            session.add(Knight(name="Mordred"))
            session.commit()
            fail()
        Knight(name="Galahad").save()
        with repository.savepoint():
            session.add(Knight(name="Percival"))
            session.flush()
            session.rollback()
            session.add(Knight(name="Lancelot"))
            session.commit()
    assert names() == ["Arthur", "Galahad", "Lancelot"]


# --- Async code ---


def test_sessions_of_async_code(repository):
    async def story() -> Knight:
        async with repository.atransaction():
            session = repository.asession()
            galahad = Knight(name="Galahad", tags=["pure"])
            session.add(galahad)
            await session.flush()
            key = galahad.id
            assert [knight.name for knight in await Knight.aall()] == ["Galahad"]
            await Knight(name="Lancelot", age=30).asave()
            assert (await session.exec(select(Knight.name).order_by(Knight.name))).all() == ["Galahad", "Lancelot"]
            await session.commit()
            session.add(Horse(name="Gringolet", papers={"sire": 1}))
            session.add(Knight(name="Mordred"))
            await session.flush()
            await session.rollback()
            async with repository.asession() as other:
                lancelot = (await other.exec(select(Knight).where(Knight.name == "Lancelot"))).one()
                lancelot.age = 31
                other.add(Horse(name="Bayard", papers={"sire": [1]}))
                await other.exec(CASTLE.insert(), params=[{"plan": {"towers": 4}}, {"plan": [1, 2]}])
                plans = await other.stream(sa.select(CASTLE.c.plan).order_by(CASTLE.c.id))
                assert [plan async for (plan,) in plans] == [{"towers": 4}, [1, 2]]
                await other.commit()
                assert (await other.exec(select(Horse))).one().papers == {"sire": [1]}
            assert (await Knight.where(name="Lancelot").aone()).age == 31
            assert repository.database.gauges.open <= 2
        assert (await Knight.aget(key)).tags == ["pure"]
        with pytest.raises(NitroError, match="is over: take another session"):
            await session.exec(select(Knight))
        with pytest.raises(NitroError, match="is over: take another session"):
            session.add(Knight(name="Mordred"))
        await session.close()
        return galahad

    galahad = asyncio.run(story())
    assert (changes.version(galahad), names()) == (1, ["Galahad", "Lancelot"])
    assert horses(repository) == [("Bayard", 0)]


def test_an_async_session_needs_no_driver_of_its_own(repository, monkeypatch):
    monkeypatch.setitem(sys.modules, "aiosqlite", None)

    async def story() -> None:
        async with repository.atransaction(), repository.asession() as session:
            session.add(Knight(name="Galahad"))
            await session.run_sync(lambda sync: sync.flush())
            found = (await session.exec(select(Knight).options(selectinload(Knight.fellowship)))).one()
            await session.refresh(found)
            assert (found.name, found.fellowship) == ("Galahad", None)
            assert await session.get(Knight, found.id) is found

    asyncio.run(story())
    assert names() == ["Galahad"]


def test_an_async_transaction_that_is_not_kept(repository):
    async def story() -> None:
        arthur = await Knight(name="Arthur").asave()
        with pytest.raises(ZeroDivisionError):
            async with repository.atransaction():
                session = repository.asession()
                new, found = Knight(name="Galahad"), await session.get(Knight, arthur.id)
                found.age = 5
                session.add(new)
                await session.commit()
                session.add(Knight(name="Mordred"))
                await session.flush()
                fail()
        assert (changes.version(new), changes.version(found), changes.of(found)) == (0, 1, {"age": (0, 5)})
        async with repository.atransaction():
            await found.asave()
            with pytest.raises(IntegrityError):
                async with repository.asession() as session:
                    session.add(Knight(name="Arthur"))
            with pytest.raises(ZeroDivisionError):
                async with repository.asession() as session:
                    session.add(Knight(name="Mordred"))
                    await session.flush()
                    fail()
            with pytest.raises(ZeroDivisionError):
                async with repository.asavepoint():
                    async with repository.asession() as session:
                        session.add(Knight(name="Mordred"))
                    fail()
            await Knight(name="Lancelot").asave()
            repository.asession().add(new)

    asyncio.run(story())
    assert sorted((knight.name, knight.age) for knight in Knight.all()) == [
        ("Arthur", 5),
        ("Galahad", 0),
        ("Lancelot", 0),
    ]


def test_a_task_that_is_cancelled_in_a_session(repository):
    async def story() -> None:
        async with repository.atransaction():
            await Knight(name="Arthur").asave()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05), repository.asession() as session:
                    session.add(Knight(name="Mordred"))
                    await session.flush()
                    if repository.database.dialect.name == "postgresql":
                        await (await session.connection()).execute(sa.text("SELECT pg_sleep(30)"))
                    await asyncio.Event().wait()
            assert [knight.name for knight in await Knight.aall()] == ["Arthur"]
            await Knight(name="Galahad").asave()

    asyncio.run(story())
    assert names() == ["Arthur", "Galahad"]


def test_async_sessions_of_many_tasks(repository):
    async def work(number: int) -> None:
        async with repository.atransaction(), repository.asession() as session:
            session.add(Knight(name=str(number)))
            await session.flush()
            assert len((await session.exec(select(Knight).where(col(Knight.name) == str(number)))).all()) == 1

    async def story() -> None:
        await asyncio.gather(*(work(number) for number in range(20)))

    asyncio.run(story())
    assert len(names()) == 20


# --- What is left behind ---


def test_a_result_that_is_half_read_keeps_nobody_in_the_past(repository):
    Knight.save_all([Knight(name=str(number)) for number in range(300)])
    with repository.transaction(), repository.session() as session:
        rows = session.exec(select(Knight.name), execution_options={"yield_per": 10})
        assert rows.first() is not None
        half = iter(session.connection().execute(sa.text("SELECT name FROM knight")))
        next(half)
    writer = threading.Thread(target=lambda: Knight(name="later").save())
    writer.start()
    writer.join()
    assert Knight.where(name="later").exists()


def test_a_session_adds_nothing_to_the_connection_for_good(server):
    with server.transaction(), server.session() as session:
        session.exec(select(Knight)).all()
        connection = session.connection().connection.driver_connection._connection
        before = len(connection._notice_handlers)
    for _ in range(5):
        with server.transaction(), server.session() as session:
            session.exec(select(Knight)).all()
            assert session.connection().connection.driver_connection._connection is connection
    assert len(connection._notice_handlers) == before
    assert connection.autocommit


def test_a_level_of_its_own_is_refused(server):
    with server.transaction(isolation="serializable"), server.session() as session:
        assert session.connection().execute(sa.text("SHOW transaction_isolation")).scalar_one() == "serializable"
    with server.transaction():
        with pytest.raises(NitroError, match=r"transaction\(isolation="), server.session() as session:
            session.connection(execution_options={"isolation_level": "SERIALIZABLE"})
        Knight(name="Galahad").save()
    assert names() == ["Galahad"]


def test_a_closed_connection_of_sqlalchemy_is_no_way_around_it(repository):
    with repository.transaction(), repository.session() as session:
        session.add(Knight(name="Galahad"))
        session.flush()
        connection = session.connection()
        with pytest.raises(InvalidRequestError):
            connection.begin()
        connection.connection.commit()
    assert names() == ["Galahad"]
