"""How many statements some code sends, to every database."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import Session, select

import nitro
from nitro import Entity, Field, SQLEntity, SQLModelBackend, config
from nitro.backends.sql import statements
from nitro.backends.sql.database import database, forget
from nitro.testing import assert_max_queries, count_queries


class Item(Entity):
    __tablename__ = "counted_item"

    name: str = ""
    rank: int = Field(0, index=True)


class Row(SQLEntity, table=True):
    __tablename__ = "counted_row"

    id: int | None = Field(None, primary_key=True)
    name: str


@pytest.fixture(params=["sqlite", "memory", "postgres"])
def backend(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SQLModelBackend]:
    if request.param == "postgres":
        url = request.getfixturevalue("fresh_database")
    else:
        url = "sqlite:///:memory:" if request.param == "memory" else f"sqlite:///{tmp_path / 'counted.db'}"
    made = SQLModelBackend(url)
    monkeypatch.setattr(Item, "__nitro_backend__", made)
    monkeypatch.setattr(SQLEntity, "__nitro_backend__", made)
    nitro.create_all(Item, Row)
    yield made
    forget(url)


def test_each_statement_counts(backend: SQLModelBackend) -> None:
    with count_queries() as sent:
        item = Item(name="tea").save()
        assert len(sent) == 1
        item.rank = 3
        item.save()
        Item.get(item.id)
        Item.where(Item.rank > 1).order_by("name").first()
        Item.where().count()
        assert len(sent) == 5
        item.delete()
    assert [statement.sql.split()[0] for statement in sent] == [
        "INSERT",
        "UPDATE",
        "SELECT",
        "SELECT",
        "SELECT",
        "DELETE",
    ]
    assert item.id in sent[0].parameters
    Item.where().all()
    assert len(sent) == 6


def test_async_statements_count_too(backend: SQLModelBackend) -> None:
    async def main() -> None:
        item = await Item(name="tea").asave()
        item.rank = 3
        await item.asave()
        await Item.aget(item.id)
        await Item.where(Item.rank > 1).aall()
        assert [found.name async for found in Item.where()] == ["tea"]
        await item.adelete()
        backend.database.close()

    with count_queries() as sent:
        asyncio.run(main())
    assert [statement.sql.split()[0] for statement in sent] == [
        "INSERT",
        "UPDATE",
        "SELECT",
        "SELECT",
        "SELECT",
        "DELETE",
    ]


@pytest.mark.parametrize("many", [20, 200])
def test_a_statement_for_many_rows_and_a_loop_count_once(backend: SQLModelBackend, many: int) -> None:
    with assert_max_queries(1):
        Item.save_all([Item(rank=rank) for rank in range(many)])
    with assert_max_queries(1):
        assert len(list(Item.where())) == many


def test_a_transaction_counts_for_what_is_in_it(backend: SQLModelBackend) -> None:
    Item.save_all([Item(rank=rank) for rank in range(5)])
    with count_queries() as sent, backend.database.transaction():
        Item().save()
        assert len(list(Item.where())) == 6
    assert len(sent) == 2, sent

    async def main() -> None:
        async with backend.database.atransaction():
            await Item().asave()
            assert len([item async for item in Item.where()]) == 7
        await Item.asave_all([Item() for _ in range(3)])
        backend.database.close()

    with assert_max_queries(3):
        asyncio.run(main())


def test_sessions_of_sqlalchemy_count(backend: SQLModelBackend) -> None:
    with assert_max_queries(3) as sent:
        with Session(backend.engine) as session:
            session.add(Row(name="a"))
            session.commit()
            session.exec(select(Row)).all()
            session.exec(sa.text("SELECT 1"))  # type: ignore[call-overload]
        backend.engine.dispose()
    assert len(sent) == 3


def test_statements_of_other_threads_count(backend: SQLModelBackend) -> None:
    with count_queries() as sent:
        thread = threading.Thread(target=lambda: Item.where().count())
        thread.start()
        thread.join()
    assert len(sent) == 1


def test_too_many_statements_fail_and_are_shown(backend: SQLModelBackend) -> None:
    items = Item.save_all([Item(name=f"item {number}") for number in range(3)])
    with pytest.raises(AssertionError) as failure, assert_max_queries(2):
        for item in items:
            Item.get(item.id)
    message = str(failure.value)
    assert message.startswith("3 statements were sent, at most 2 were expected:\n   1. SELECT ")
    assert all(item.id in message for item in items)
    assert "\n3 times: SELECT " in message
    assert "FROM counted_item" in message


def test_an_error_inside_is_not_hidden(backend: SQLModelBackend) -> None:
    with pytest.raises(KeyError), assert_max_queries(0):
        Item.where().count()
        raise KeyError


def test_memory_sends_nothing() -> None:
    class Kept(Entity):
        text: str = ""

    with assert_max_queries(0) as sent:
        Kept.get(Kept().save().id)
    assert sent == []


def test_afterwards_nobody_listens(backend: SQLModelBackend) -> None:
    assert statements.listeners == ()
    with count_queries(), count_queries() as inner:
        Item.where().count()
    assert statements.listeners == ()
    assert len(inner) == 1


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_statements_are_written_to_the_log_where_settings_say_so(
    kind: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(statements, "listeners", ())
    loud = request.getfixturevalue("fresh_database") if kind == "postgres" else f"sqlite:///{tmp_path / 'loud.db'}"
    quiet = f"sqlite:///{tmp_path / 'quiet.db'}"
    monkeypatch.setattr(config, "_explicit", {"sql_echo": True})
    monkeypatch.setattr(config, "_current", None)
    database(loud)
    monkeypatch.setattr(config, "_explicit", {})
    monkeypatch.setattr(config, "_current", None)

    def logged(url: str) -> list[Any]:
        monkeypatch.setattr(Item, "__nitro_backend__", SQLModelBackend(url))
        nitro.create_all(Item)
        caplog.clear()
        with caplog.at_level(logging.INFO, "nitro.sql"):
            Item(id="1", name="tea").save()
        forget(url)
        return [(record.name, record.getMessage()) for record in caplog.records]

    ((name, message),) = logged(loud)
    assert name == "nitro.sql"
    assert message.startswith("INSERT INTO counted_item")
    assert "'tea'" in message
    assert logged(quiet) == []
