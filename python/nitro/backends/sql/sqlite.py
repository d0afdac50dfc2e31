"""SQLite, by the sqlite3 module of the standard library.

A file is in WAL mode, so readers and the one writer do not wait for each other. A database in memory has one
connection, which everybody takes in turn.
"""

from __future__ import annotations

import asyncio
import contextvars
import re
import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from contextvars import Token
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import URL
from sqlalchemy.pool import NullPool
from sqlalchemy.util import greenlet_spawn

from ..._tasks import settled
from ...config import Settings
from ...errors import BackendError, BackendUnavailable, NitroError, WriteConflict
from . import sqlite_functions, statements
from .database import (
    WRITING,
    Clash,
    Current,
    Database,
    Late,
    NoSuchTable,
    Parameters,
    Row,
    Transaction,
    Unfit,
    quoting,
)
from .pool import Gauges, Pool

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

T = TypeVar("T")

_CACHED_STATEMENTS = 512
#: How many statements of async code run at once.
_THREADS = 4
#: Seconds to wait for another process that is writing.
_BUSY = 30.0

#: Gives a connection the functions that SQLAlchemy takes for granted.
_INSTALL: Callable[[Any], None] = SQLiteDialect_pysqlite(dbapi=sqlite3).on_connect()  # type: ignore[assignment]

_CLASHES = (
    (re.compile(r"UNIQUE constraint failed: (?:index '(?P<index>.*)'|(?P<columns>.*))"), "unique"),
    (re.compile(r"NOT NULL constraint failed: (?P<columns>.*)"), "not null"),
    (re.compile(r"CHECK constraint failed: (?P<index>.*)"), "check"),
    (re.compile(r"FOREIGN KEY constraint failed"), "foreign key"),
)


class SqliteDatabase(Database):
    """One file of SQLite, or one database in memory."""

    def __init__(self, url: URL, configured: Settings) -> None:
        super().__init__(url, configured)
        self.dialect = quoting(SQLiteDialect_pysqlite(paramstyle="qmark"))
        name = url.database or ":memory:"
        self.in_memory = name == ":memory:" or "mode=memory" in name or url.query.get("mode") == "memory"
        self._pool: Pool[sqlite3.Connection] = Pool(
            self._connect,
            _always,
            sqlite3.Connection.close,
            size=1 if self.in_memory else configured.sql_pool_size,
            timeout=configured.sql_pool_timeout,
            name=self.name,
        )
        self._held: Current[sqlite3.Connection] = Current("nitro_sqlite_transaction")
        self._workers: dict[bool, ThreadPoolExecutor] = {}

    def _connect(self) -> sqlite3.Connection:
        arguments, options = cast("tuple[list[Any], dict[str, Any]]", self.dialect.create_connect_args(self.url))
        said: Any = {"timeout": _BUSY, **options, "isolation_level": None, "check_same_thread": False}
        try:
            connect: Any = sqlite3.connect
            connection: sqlite3.Connection = connect(*arguments, cached_statements=_CACHED_STATEMENTS, **said)
        except sqlite3.Error as error:
            raise self._not_opened(error) from error
        try:
            connection.execute("PRAGMA foreign_keys = ON")
            if not self.in_memory:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = NORMAL")
        except sqlite3.Error as error:
            connection.close()
            raise self._not_opened(error) from error
        sqlite_functions.install(connection)
        # Sessions of SQLAlchemy may come to use it, and miss its own functions.
        _INSTALL(connection)
        return connection

    def _not_opened(self, error: sqlite3.Error) -> BackendUnavailable:
        remedy = _REMEDIES.get(_code(error), "see whether its directory exists and can be written")
        return BackendUnavailable(f"{self.name} cannot be opened ({error}): {remedy}")

    # --- Statements ---

    def fetch_one(self, sql: str, parameters: Parameters) -> Row | None:
        if statements.listeners:
            statements.tell(self, sql, parameters)
        held = self._held.get()
        connection = self._pool.take() if held is None else held
        try:
            return connection.execute(sql, parameters).fetchone()
        except (sqlite3.Error, OverflowError, UnicodeError) as error:
            self._failed(error)
        finally:
            if held is None:
                self._pool.give(connection)

    def fetch_all(self, sql: str, parameters: Parameters, *, write: bool = False) -> list[Row]:  # noqa: ARG002  (a file is not lost half way)
        if statements.listeners:
            statements.tell(self, sql, parameters)
        held = self._held.get()
        connection = self._pool.take() if held is None else held
        try:
            return connection.execute(sql, parameters).fetchall()
        except (sqlite3.Error, OverflowError, UnicodeError) as error:
            self._failed(error)
        finally:
            if held is None:
                self._pool.give(connection)

    def execute(self, sql: str, parameters: Parameters) -> int:
        if statements.listeners:
            statements.tell(self, sql, parameters)
        held = self._held.get()
        connection = self._pool.take() if held is None else held
        try:
            return connection.execute(sql, parameters).rowcount
        except (sqlite3.Error, OverflowError, UnicodeError) as error:
            self._failed(error)
        finally:
            if held is None:
                self._pool.give(connection)

    def execute_many(self, sql: str, rows: Iterable[Parameters]) -> None:
        with self.transaction():
            connection = self._held.get()
            assert connection is not None, "a transaction has a connection"
            if statements.listeners:
                statements.tell(self, sql)
            try:
                connection.executemany(sql, rows)
            except (sqlite3.Error, OverflowError, UnicodeError) as error:
                self._failed(error)

    def stream(self, sql: str, parameters: Parameters, *, size: int) -> Iterator[list[Row]]:
        if self.in_memory:
            # Whoever looks at the rows may want to use the only connection meanwhile.
            yield self.fetch_all(sql, parameters)
            return
        if statements.listeners:
            statements.tell(self, sql, parameters)
        held = self._held.get()
        connection = self._pool.take() if held is None else held
        is_apart, cursor = False, connection.cursor()
        try:
            cursor.execute(sql, parameters)
            while len(rows := cursor.fetchmany(size)) == size:
                if held is None and not is_apart:
                    # While somebody looks at the rows, others must not wait for this connection.
                    self._pool.set_apart(connection)
                    is_apart = True
                yield rows
        except (sqlite3.Error, OverflowError, UnicodeError) as error:
            self._failed(error)
        finally:
            # Before anybody else has the connection: a statement that is half read keeps what is written from it.
            cursor.close()
            if is_apart:
                self._pool.take_back(connection)
            elif held is None:
                self._pool.give(connection)
        yield rows

    @property
    def reads_at_once(self) -> bool:
        # One connection to spare: a thread may take one at the same moment.
        return not self.in_memory and self._pool.free > 1

    @contextmanager
    def transaction(self, isolation: str | None = None) -> Generator[Transaction[sqlite3.Connection]]:
        outer = self._held.transaction
        if isolation is not None:
            self._check_isolation(isolation, outer)
        if outer is not None:
            yield outer
            return
        connection = self._pool.take()
        transaction, token = self._held.enter(connection, isolation)
        try:
            self._begin(connection)
            try:
                yield transaction
                for session in transaction.sessions:
                    session.commit()
            except BaseException:
                _roll_back(connection)
                raise
            self._commit(connection)
            transaction.is_kept = True
        finally:
            self._held.end(transaction, token)
            self._pool.give(connection)

    def _transaction(self, *, is_async: bool) -> Transaction[sqlite3.Connection] | None:  # noqa: ARG002  (one for both)
        return self._held.transaction

    def _is_inside(self, transaction: Transaction[Any]) -> bool:
        return self._held.transaction is transaction

    def _command(self, connection: sqlite3.Connection, *commands: str) -> None:
        try:
            for command in commands:
                if self._is_given_up(connection):
                    raise self._given_up()
                connection.execute(command)
        except sqlite3.Error as error:
            self._failed(error)

    async def _acommand(self, connection: sqlite3.Connection, *commands: str, late: Late | None = None) -> None:
        if len(commands) == 1:
            # To set a savepoint, and to forget it, takes microseconds.
            self._command(connection, *commands)
        else:
            await self._in_thread(self._command, connection, *commands, late=late)

    def _is_given_up(self, connection: sqlite3.Connection) -> bool:
        # As when the disk is full.
        return not connection.in_transaction

    def _begin(self, connection: sqlite3.Connection) -> None:
        try:
            # At once for writing: one that reads first and then wants to write is refused when another wrote meanwhile.
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            self._failed(error)

    def _commit(self, connection: sqlite3.Connection) -> None:
        try:
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            _roll_back(connection)
            self._failed(error)

    # --- The same for async code: what is read by its key takes microseconds and is read at once, the rest by a thread

    async def _in_thread(
        self,
        function: Callable[..., T],
        *arguments: Any,
        context: contextvars.Context | None = None,
        late: Late | None = None,
    ) -> T:
        # What may have to wait for a transaction must not keep the thread busy that the transaction needs.
        inside = self._held.get() is not None
        workers = self._workers.get(inside)
        if workers is None:
            with self._making:
                if inside not in self._workers:
                    self._workers[inside] = ThreadPoolExecutor(1 if inside else _THREADS, "nitro-sqlite")
                workers = self._workers[inside]
        run = partial((context or contextvars.copy_context()).run, function, *arguments)
        return await _finished(asyncio.get_running_loop().run_in_executor(workers, run), late)

    async def _on_connection(self, function: Callable[..., T], *arguments: Any, late: Late | None) -> T:
        """Calls a method in a thread that has a connection already, so that no thread waits for one."""
        if self._held.get() is not None:
            return await self._in_thread(function, *arguments, late=late)
        connection = await self._pool.atake()
        lent, token = self._held.enter(connection)
        context = contextvars.copy_context()
        self._held.leave(token)
        try:
            return await self._in_thread(function, *arguments, context=context, late=late)
        finally:
            lent.is_open = False
            self._pool.give(connection)

    async def afetch_one(self, sql: str, parameters: Parameters) -> Row | None:
        if statements.listeners:
            statements.tell(self, sql, parameters)
        held = self._held.get()
        connection = self._pool.take_idle() if held is None else held
        if connection is None:
            connection = await self._pool.atake()
        try:
            return connection.execute(sql, parameters).fetchone()
        except (sqlite3.Error, OverflowError, UnicodeError) as error:
            self._failed(error)
        finally:
            if held is None:
                self._pool.give(connection)

    async def afetch_all(
        self,
        sql: str,
        parameters: Parameters,
        *,
        write: bool = False,  # noqa: ARG002  (a file is not lost half way)
        late: Late | None = None,
    ) -> list[Row]:
        return await self._on_connection(self.fetch_all, sql, parameters, late=late)

    async def aexecute(self, sql: str, parameters: Parameters, late: Late | None = None) -> int:
        return await self._on_connection(self.execute, sql, parameters, late=late)

    async def aexecute_many(self, sql: str, rows: Iterable[Parameters]) -> None:
        async with self.atransaction():
            await self._in_thread(self.execute_many, sql, rows)

    async def astream(self, sql: str, parameters: Parameters, *, size: int) -> AsyncIterator[list[Row]]:
        if self.in_memory:
            yield await self.afetch_all(sql, parameters)
            return
        if statements.listeners:
            statements.tell(self, sql, parameters)
        held = self._held.get()
        connection = await self._pool.atake() if held is None else held
        is_apart, cursor = False, connection.cursor()
        try:
            await self._in_thread(cursor.execute, sql, parameters)
            while len(rows := await self._in_thread(cursor.fetchmany, size)) == size:
                if held is None and not is_apart:
                    self._pool.set_apart(connection)
                    is_apart = True
                yield rows
        except (sqlite3.Error, OverflowError, UnicodeError) as error:
            self._failed(error)
        finally:
            # Before anybody else has the connection: a statement that is half read keeps what is written from it.
            cursor.close()
            if is_apart:
                self._pool.take_back(connection)
            elif held is None:
                self._pool.give(connection)
        yield rows

    @asynccontextmanager
    async def atransaction(self, isolation: str | None = None) -> AsyncGenerator[Transaction[sqlite3.Connection]]:
        outer = self._held.transaction
        if isolation is not None:
            self._check_isolation(isolation, outer)
        if outer is not None:
            yield outer
            return
        connection = await self._pool.atake()
        entered: tuple[Transaction[sqlite3.Connection], Token[Any]] | None = None
        late: Late = []
        try:
            await self._in_thread(self._begin, connection)
            entered = self._held.enter(connection, isolation)
            yield entered[0]
            for session in entered[0].sessions:
                await greenlet_spawn(session.commit)
            await self._in_thread(self._commit, connection, late=late)
            entered[0].is_kept = True
        except BaseException:
            # The task may have been cancelled as the transaction began.
            _roll_back(connection)
            raise
        finally:
            if entered is not None:
                self._held.end(*entered)
            self._pool.give(connection)
        if late:
            raise late[0]

    # --- Errors ---

    def _failed(self, error: Exception) -> NoReturn:
        text = str(error)
        if isinstance(error, sqlite3.IntegrityError):
            for pattern, kind in _CLASHES:
                found = pattern.match(text)
                if found:
                    groups = found.groupdict()
                    names = (groups.get("columns") or "").split(", ") if groups.get("columns") else []
                    table = names[0].rpartition(".")[0] if names else None
                    columns = [name.rpartition(".")[2] for name in names]
                    raise Clash(
                        kind, text, table=table, columns=columns, constraint=groups.get("index") or ""
                    ) from error
        if isinstance(error, OverflowError | UnicodeError | sqlite3.DataError):
            raise Unfit(text) from error
        if text.startswith(("no such table", "no such column")) or " has no column named " in text:
            raise NoSuchTable(text) from error
        raise self.refused(error, text) from error

    def refused(self, error: BaseException, text: str) -> NitroError:
        code = _code(error)
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return WriteConflict(
                f"another process has been writing to {self.name} for {_BUSY:g} seconds: nothing was written, try again"
            )
        if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR):
            return BackendUnavailable(f"{self.name} cannot be read or written: {text}")
        return BackendError(self.name, text, _REMEDIES.get(code, ""))

    # --- Connections ---

    @property
    def undo(self) -> list[Callable[[], None]] | None:
        return self._held.undo

    def stand_apart(self) -> None:
        self._held.forget()

    @property
    def gauges(self) -> Gauges:
        return self._pool.gauges

    def close(self) -> None:
        super().close()
        self._pool.close()
        with self._making:
            workers, self._workers = self._workers, {}
        for worker in workers.values():
            worker.shutdown(wait=True)

    def forked(self) -> None:
        super().forked()
        # What is in memory was copied.
        self._pool.forked(keep=self.in_memory)
        self._workers.clear()
        self._held.forget()

    def _new_engine(self) -> sa.Engine:
        engine = sa.create_engine(
            self.url,
            creator=self._borrowed if self.in_memory else self._connect,
            **({"poolclass": NullPool} if self.in_memory else {"pool_size": self.settings.sql_pool_size}),
            echo=self.settings.sql_echo,
        )
        _begin_at_once(engine)
        return engine

    def _new_session_engine(self) -> sa.Engine:
        from .sqlite_sessions import session_engine

        return session_engine(self)

    def _new_async_session_engine(self) -> AsyncEngine:
        from .sqlite_sessions import async_session_engine

        return async_session_engine(self)

    def _borrowed(self) -> Any:
        return _Borrowed(self._pool.take(), self._pool)

    def _new_async_engine(self) -> AsyncEngine:
        from sqlalchemy.ext.asyncio import create_async_engine

        from ...errors import ConfigurationError

        if self.in_memory:
            raise ConfigurationError(
                "async sessions of SQLAlchemy need a database that is in a file: sqlite:///shop.db, for one"
            )
        try:
            engine = create_async_engine(self.url.set(drivername="sqlite+aiosqlite"), echo=self.settings.sql_echo)
        except ModuleNotFoundError as error:
            raise ConfigurationError(
                "async sessions of SQLAlchemy over SQLite need aiosqlite: pip install aiosqlite"
            ) from error

        def prepare(connection: Any, _: Any) -> None:
            cursor = connection.cursor()
            for pragma in ("foreign_keys = ON", "journal_mode = WAL", "synchronous = NORMAL"):
                cursor.execute(f"PRAGMA {pragma}")
            cursor.close()

        event.listen(engine.sync_engine, "connect", prepare)
        return engine


async def _finished(future: asyncio.Future[T], late: Late | None) -> T:
    """The result of a thread; when the task is cancelled, only after the thread has ended: it has the connection."""
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError as error:
        await settled(future)
        # Nobody hears of what went wrong, and nobody has to.
        if future.cancelled() or future.exception() is not None or late is None:
            raise
        late.append(error)
        return future.result()


class _Borrowed:
    """A connection of the pool in the hands of SQLAlchemy: closing it gives it back."""

    def __init__(self, connection: sqlite3.Connection, pool: Pool[sqlite3.Connection]) -> None:
        self._connection, self._pool = connection, pool

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def close(self) -> None:
        _roll_back(self._connection)
        self._pool.give(self._connection)


def _begin_at_once(engine: sa.Engine) -> None:
    """Transactions as SQLAlchemy means them: the module would begin them late, and not before DDL."""

    def begin(connection: sa.Connection) -> None:
        writes = WRITING.items() <= connection.get_execution_options().items()
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    event.listen(engine, "begin", begin)


#: What to do about an error that lies neither in the statement nor in its values, by its code.
_REMEDIES = {
    sqlite3.SQLITE_CORRUPT: "restore the file from a copy; `PRAGMA integrity_check` tells what is left of it",
    sqlite3.SQLITE_FULL: "make room for it",
    sqlite3.SQLITE_NOTADB: "name another file, for what is in this one is no database that SQLite can read",
    sqlite3.SQLITE_PERM: "let this program write the file and its directory",
    sqlite3.SQLITE_READONLY: "let this program write the file and its directory",
}


def _code(error: BaseException) -> int:
    # The low byte says what it is, the others which kind of that; what the module itself finds wrong has none.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _always(_: sqlite3.Connection) -> bool:
    return True


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")
