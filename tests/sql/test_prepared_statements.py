"""Statements that come again and again are prepared, and prepared anew where that is of no use any more."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from nitro import Entity, Field, SQLModelBackend
from nitro.backends.sql.database import Database
from nitro.backends.sql.prepared import REMEMBERED
from nitro.backends.sql.schema import table_of

#: More than it takes until a statement is prepared.
OFTEN = 10


class Note(Entity):
    __tablename__ = "prepared_note"

    text: str = ""
    stars: int = Field(0, index=True)


@pytest.fixture
def database(fresh_database: str) -> Iterator[Database]:
    Note._persistence_backend_class = SQLModelBackend(fresh_database)
    database: Database = Note._persistence_backend_class.database
    table_of(Note).create(database.engine)
    return database


@pytest.fixture
def note(database: Database) -> Note:
    note = Note(text="hello").save()
    for _ in range(OFTEN):
        assert Note.get(note.id).text == "hello"
    return note


def names(database: Database) -> set[str]:
    return {name for (name,) in database.fetch_all("SELECT name FROM pg_prepared_statements", ())}


def change_the_type(database: Database) -> None:
    with database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE prepared_note ALTER COLUMN stars TYPE integer")


def test_a_statement_is_prepared_once(database: Database, note: Note) -> None:
    before = names(database)
    assert before
    for _ in range(OFTEN):
        assert Note.get(note.id) == note
    assert names(database) == before


def test_no_more_are_kept_than_that(database: Database, note: Note) -> None:
    for limit in range(1, 2 * REMEMBERED):
        for _ in range(OFTEN):
            rows = database.fetch_all(f"SELECT %s::text FROM prepared_note LIMIT {limit}", ("x",))
            assert rows == [("x",)]
    assert REMEMBERED / 2 < len(names(database)) <= REMEMBERED
    assert Note.get(note.id) == note


def test_a_percent_sign_is_no_parameter(database: Database) -> None:
    for _ in range(OFTEN):
        assert database.fetch_one("SELECT %s::text || '%%s' || %s::text", ("a", "b")) == ("a%sb",)


def test_a_table_that_changed_is_read_as_it_is_now(database: Database, note: Note) -> None:
    change_the_type(database)
    for _ in range(OFTEN):
        assert Note.get(note.id) == note


def test_a_table_that_changed_is_read_as_it_is_now_by_tasks(database: Database, note: Note) -> None:
    async def reading() -> None:
        for _ in range(OFTEN):
            assert await Note.aget(note.id) == note
        await asyncio.to_thread(change_the_type, database)
        for _ in range(OFTEN):
            assert await Note.aget(note.id) == note

    asyncio.run(reading())


def test_inside_of_a_transaction_only_that_one_fails(database: Database, note: Note) -> None:
    change_the_type(database)
    with pytest.raises(Exception, match="cached plan"), database.transaction():
        Note.get(note.id)
    with database.transaction():
        assert Note.get(note.id) == note


def test_somebody_deallocates_all_of_them(database: Database, note: Note) -> None:
    database.execute("DEALLOCATE ALL", ())
    for _ in range(OFTEN):
        assert Note.get(note.id) == note


def test_a_transaction_that_fails_leaves_them_prepared(database: Database, note: Note) -> None:
    before = names(database)
    with pytest.raises(ZeroDivisionError), database.transaction():
        note.text = "changed"
        note.save()
        raise ZeroDivisionError
    assert names(database) >= before
    assert Note.get(note.id).text == "hello"


def test_tasks_of_one_transaction_get_what_they_asked_for(database: Database) -> None:
    notes = Note.save_all([Note(text=str(number), stars=number) for number in range(50)])

    async def read(note: Note) -> Any:
        for _ in range(OFTEN):
            assert (await Note.aget(note.id)).text == note.text
            assert [found.id for found in await Note.where(stars=note.stars).aall()] == [note.id]

    async def together() -> None:
        async with database.atransaction():
            await asyncio.gather(*(read(note) for note in notes))

    asyncio.run(together())
