"""Sessions of SQLModel inside of a transaction of SQLite, for async code too."""

from __future__ import annotations

import sqlite3
import weakref
from collections import deque
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.util.concurrency import await_

from . import sessions

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from .sqlite import SqliteDatabase


class JoinedSqlite(sessions.JoinedConnection):
    """The connection of a transaction in the hands of SQLAlchemy."""

    def __init__(self, part: sessions.Part, connection: sqlite3.Connection) -> None:
        super().__init__(part, connection)
        self._cursors: weakref.WeakSet[sqlite3.Cursor] = weakref.WeakSet()

    def create_function(self, *_: Any, **__: Any) -> None:
        """SQLAlchemy's own functions are there since it was opened; anew they cannot be had while rows are read."""

    def cursor(self) -> Any:
        """Where a statement is executed."""
        cursor = self._connection.cursor()
        self._cursors.add(cursor)
        return cursor

    def close(self) -> None:
        """Ends what is half read: it would keep the connection in the past."""
        for cursor in list(self._cursors):
            cursor.close()
        super().close()


def session_engine(database: SqliteDatabase) -> sa.Engine:
    """An engine whose connections are those of transactions that are going on."""
    engine = sa.create_engine(database.url, **sessions.options(database, JoinedSqlite, is_async=False))
    sessions.prepare(engine)
    return engine


# --- For async code: what SQLAlchemy takes for the cursor of an asynchronous driver has its statements run by a thread


class ThreadedSqlite(JoinedSqlite):
    """The same for async code."""

    def __init__(self, part: sessions.Part, connection: sqlite3.Connection, database: SqliteDatabase) -> None:
        super().__init__(part, connection)
        self._database = database

    def cursor(self) -> ThreadedCursor:
        """Where a statement is executed."""
        return ThreadedCursor(super().cursor(), self._database)

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


class ThreadedCursor:
    """A cursor whose statements are run by a thread, and whose rows have been read when they are asked for."""

    arraysize = 1

    def __init__(self, cursor: sqlite3.Cursor, database: SqliteDatabase) -> None:
        self._cursor, self._database = cursor, database
        self._rows: deque[Any] = deque()
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        """Executes a statement."""
        await_(self._database._in_thread(self._run, self._cursor.execute, sql, parameters))

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Executes a statement for each row of parameters."""
        await_(self._database._in_thread(self._run, self._cursor.executemany, sql, rows))

    def _run(self, execute: Any, sql: str, parameters: Any) -> None:
        execute(sql, parameters)
        cursor = self._cursor
        self.description, self.lastrowid = cursor.description, cursor.lastrowid
        self._rows = deque(cursor.fetchall())
        self.rowcount = cursor.rowcount

    def fetchone(self) -> Any:
        """The next row; None after the last."""
        return self._rows.popleft() if self._rows else None

    def fetchmany(self, size: int | None = None) -> list[Any]:
        """The next rows."""
        return [self._rows.popleft() for _ in range(min(size or self.arraysize, len(self._rows)))]

    def fetchall(self) -> list[Any]:
        """All further rows."""
        rows = list(self._rows)
        self._rows.clear()
        return rows

    async def _async_soft_close(self) -> None:
        # SQLAlchemy ends here what a driver has to be awaited for.
        self._cursor.close()

    def close(self) -> None:
        """Ends it."""
        self._rows.clear()
        self._cursor.close()


class ThreadedDialect(SQLiteDialect_pysqlite):
    """SQLite for async code, by the sqlite3 module and threads."""

    driver = "nitro"
    is_async = True
    supports_statement_cache = True


registry.register("sqlite.nitro", __name__, ThreadedDialect.__name__)


def async_session_engine(database: SqliteDatabase) -> AsyncEngine:
    """An engine for async code whose connections are those of transactions that are going on."""
    from sqlalchemy.ext.asyncio import create_async_engine

    def connect(part: sessions.Part, connection: sqlite3.Connection) -> ThreadedSqlite:
        return ThreadedSqlite(part, connection, database)

    url = database.url.set(drivername="sqlite+nitro")
    engine = create_async_engine(url, **sessions.options(database, connect, is_async=True))
    sessions.prepare(engine.sync_engine)
    return engine
