"""Sessions of SQLModel inside of a transaction of PostgreSQL, for async code too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from psycopg.types.json import JsonbLoader, JsonLoader
from sqlalchemy.dialects.postgresql.psycopg import (
    AsyncAdapt_psycopg_connection,
    AsyncAdapt_psycopg_cursor,
    AsyncAdapt_psycopg_ss_cursor,
)
from sqlalchemy.util.concurrency import await_

from . import sessions

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from .postgres import PostgresDatabase


def _reading_json(cursor: Any) -> Any:
    """A cursor that gives what is in JSON, as SQLAlchemy expects; Nitro reads the texts by itself."""
    cursor.adapters.register_loader("json", JsonLoader)
    cursor.adapters.register_loader("jsonb", JsonbLoader)
    return cursor


def _options(database: PostgresDatabase, connect: Any, *, is_async: bool) -> dict[str, Any]:
    # To have hstore, each connection would have to ask what it is called there.
    return {**sessions.options(database, connect, is_async=is_async), "use_native_hstore": False}


class JoinedPostgres(sessions.JoinedConnection):
    """The connection of a transaction in the hands of SQLAlchemy."""

    def add_notice_handler(self, handler: Any) -> None:
        """The connection outlives the session, and would have one more handler for each."""

    def cursor(self, *arguments: Any, **keywords: Any) -> Any:
        """Where a statement is executed."""
        return _reading_json(self._connection.cursor(*arguments, **keywords))


def session_engine(database: PostgresDatabase) -> sa.Engine:
    """An engine whose connections are those of transactions that are going on."""

    def connect(part: sessions.Part, held: Any) -> JoinedPostgres:
        return JoinedPostgres(part, held.connection)

    url = database.url.set(drivername="postgresql+psycopg")
    engine = sa.create_engine(url, **_options(database, connect, is_async=False))
    sessions.prepare(engine)
    return engine


# --- For async code -----------------------------------------------------------------------------------------------


class _Cursor(AsyncAdapt_psycopg_cursor):
    __slots__ = ()

    def _make_new_cursor(self, connection: Any) -> Any:
        return _reading_json(super()._make_new_cursor(connection))


class _ServerCursor(AsyncAdapt_psycopg_ss_cursor):
    __slots__ = ()

    def _make_new_cursor(self, connection: Any) -> Any:
        return _reading_json(super()._make_new_cursor(connection))


class AwaitedPostgres(AsyncAdapt_psycopg_connection):
    """The same for async code."""

    __slots__ = ("part",)

    def __init__(self, dbapi: Any, connection: Any, part: sessions.Part) -> None:
        super().__init__(dbapi, connection)
        self.part = part

    def add_notice_handler(self, handler: Any) -> None:
        """See `JoinedPostgres`."""

    def set_autocommit(self, value: Any) -> None:  # noqa: ARG002  (as it is called)
        """See `JoinedConnection`."""
        sessions.refuse_level()

    def set_isolation_level(self, value: Any) -> None:  # noqa: ARG002  (as it is called)
        """See `JoinedConnection`."""
        sessions.refuse_level()

    def cursor(self, name: str | None = None, /) -> Any:
        """Where a statement is executed."""
        return _ServerCursor(self, name) if name else _Cursor(self)

    def begin(self) -> None:
        """A transaction of SQLAlchemy begins."""
        await_(self.part.abegin())

    def commit(self) -> None:
        """It is kept."""
        if self.part.is_going_on:
            await_(self.part.acommit())

    def rollback(self) -> None:
        """It is not kept."""
        if self.part.is_going_on:
            await_(self.part.arollback())

    def close(self) -> None:
        """The connection is not SQLAlchemy's."""
        self.rollback()


def async_session_engine(database: PostgresDatabase) -> AsyncEngine:
    """An engine for async code whose connections are those of transactions that are going on."""
    from sqlalchemy.ext.asyncio import create_async_engine

    def connect(part: sessions.Part, held: Any) -> AwaitedPostgres:
        return AwaitedPostgres(engine.dialect.dbapi, held.connection, part)

    url = database.url.set(drivername="postgresql+psycopg")
    engine = create_async_engine(url, **_options(database, connect, is_async=True))
    sessions.prepare(engine.sync_engine)
    return engine
