"""PostgreSQL, by psycopg 3: its connections of threads, and its asynchronous ones of event loops."""

from __future__ import annotations

import asyncio
import select
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterable, Iterator
from contextlib import aclosing, asynccontextmanager, closing, contextmanager, suppress
from dataclasses import astuple
from itertools import count, islice
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import psycopg
import sqlalchemy as sa
from psycopg import errors
from psycopg.pq import TransactionStatus
from psycopg.types.string import TextLoader
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.engine import URL
from sqlalchemy.util import greenlet_spawn

from ...config import Settings
from ...errors import BackendError, BackendUnavailable, NitroError, WriteConflict
from . import statements
from .database import (
    ISOLATION_LEVELS,
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
from .pool import AsyncPool, Gauges, Pool
from .prepared import Prepared

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

T = TypeVar("T")

#: What a statement may raise: texts are encoded by the driver.
_ERRORS = (psycopg.Error, UnicodeError)

#: What to do about an error that lies neither in the statement nor in its values, by its SQLSTATE, or by what that
#: begins with.
_REMEDIES = {
    "25006": "connect to a server, and as a role, that may write",
    "42501": "grant the role what it needs",
    "53": "make room, or allow the server more",
    "53100": "make room on the disk of the server",
    "54": "ask for less at once; a long text fits into no index",
    "58": "see what its log says",
    "XX": "see what its log says",
}


#: What begins a transaction, by its level.
_BEGIN: dict[str | None, bytes] = {
    None: b"BEGIN",
    **{level: f"BEGIN ISOLATION LEVEL {level.upper()}".encode() for level in ISOLATION_LEVELS},
}


class _Held:
    """A connection, and how to see whether the server has hung up."""

    __slots__ = ("connection", "poll", "prepared")

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.prepared = Prepared(connection)
        self.poll = select.poll()
        self.poll.register(connection.pgconn.socket, select.POLLIN | select.POLLHUP)


def _is_alive(held: _Held) -> bool:
    # On an idle connection nothing is to be read, unless the server has ended it.
    return not held.poll.poll(0) and not held.connection.closed


def _at_once(size: int) -> int:
    """How many rows the driver can take from the server at a time; libpq 17 was the first to take several."""
    return size if psycopg.capabilities.has_stream_chunked() else 1


def _close(held: _Held) -> None:
    held.connection.pgconn.finish()


class PostgresDatabase(Database):
    """One database of a PostgreSQL server."""

    copies = True

    def __init__(self, url: URL, configured: Settings) -> None:
        super().__init__(url, configured)
        self.dialect = quoting(PGDialect_psycopg(paramstyle="format"))
        self._pool: Pool[_Held] = Pool(
            self._connect,
            _is_alive,
            _close,
            size=configured.sql_pool_size,
            timeout=configured.sql_pool_timeout,
            name=self.name,
        )
        self._held: Current[_Held] = Current("nitro_postgres_transaction")
        self._async_held: Current[_Held] = Current("nitro_postgres_async_transaction")
        self._loops: dict[int, tuple[asyncio.AbstractEventLoop, AsyncPool[_Held]]] = {}
        self._loops_lock = threading.Lock()
        self._cursors = count(1)

    def _options(self) -> dict[str, Any]:
        options: dict[str, Any] = {
            "host": self.url.host,
            "port": self.url.port,
            "user": self.url.username,
            "password": self.url.password,
            "dbname": self.url.database,
            "connect_timeout": max(1, round(self.settings.sql_connect_timeout)),
            "application_name": "nitro",
            **self.url.query,
        }
        said = {name: value for name, value in options.items() if value is not None}
        said["options"] = f"{said.get('options', '')} -c timezone=UTC".strip()
        return said

    def _connect(self) -> _Held:
        try:
            connection = psycopg.Connection.connect(autocommit=True, **self._options())
        except psycopg.Error as error:
            self._lost(error, write=False)
        connection.adapters.register_loader("jsonb", TextLoader)
        connection.adapters.register_loader("json", TextLoader)
        return _Held(connection)

    async def _aconnect(self) -> _Held:
        try:
            connection = await psycopg.AsyncConnection.connect(autocommit=True, **self._options())
        except psycopg.Error as error:
            self._lost(error, write=False)
        connection.adapters.register_loader("jsonb", TextLoader)
        connection.adapters.register_loader("json", TextLoader)
        return _Held(connection)

    def _inside(self) -> _Held | None:
        """The connection of the transaction of this thread; None outside of any."""
        held = self._held.get()
        if held is None and self._async_held.get() is not None:
            raise NitroError(
                f"inside of `async with ...atransaction()` {self.name} is asked by the verbs for async code, as "
                "`asave`: another verb would not be part of the transaction"
            )
        return held

    def _ainside(self) -> _Held | None:
        """The connection of the transaction of this task; None outside of any."""
        held = self._async_held.get()
        if held is None and self._held.get() is not None:
            raise NitroError(
                f"inside of `with ...transaction()` {self.name} is asked by the verbs without an a, as `save`: "
                "another verb would not be part of the transaction"
            )
        return held

    # --- Statements ---

    def _run(self, held: _Held, read: Callable[[Any], T], sql: str, parameters: Parameters) -> T:
        if statements.listeners:
            statements.tell(self, sql, parameters)
        return held.prepared.run(read, sql, parameters)

    def fetch_one(self, sql: str, parameters: Parameters) -> Row | None:
        held = self._inside()
        taken = self._pool.take() if held is None else held
        try:
            return self._run(taken, taken.prepared.one, sql, parameters)
        except _ERRORS as error:
            self._failed(error, taken, write=False)
        finally:
            if held is None:
                self._give(self._pool, taken)

    def fetch_all(self, sql: str, parameters: Parameters, *, write: bool = False) -> list[Row]:
        held = self._inside()
        taken = self._pool.take() if held is None else held
        try:
            return self._run(taken, taken.prepared.every, sql, parameters)
        except _ERRORS as error:
            self._failed(error, taken, write=write and held is None)
        finally:
            if held is None:
                self._give(self._pool, taken)

    def execute(self, sql: str, parameters: Parameters) -> int:
        held = self._inside()
        taken = self._pool.take() if held is None else held
        try:
            return self._run(taken, taken.prepared.rowcount, sql, parameters)
        except _ERRORS as error:
            self._failed(error, taken, write=held is None)
        finally:
            if held is None:
                self._give(self._pool, taken)

    def execute_many(self, sql: str, rows: Iterable[Parameters]) -> None:
        with self.transaction():
            held = self._held.get()
            assert held is not None, "a transaction has a connection"
            if statements.listeners:
                statements.tell(self, sql)
            try:
                with held.connection.cursor() as cursor:
                    cursor.executemany(sql, rows)
            except _ERRORS as error:
                self._failed(error, held, write=False)

    def copy(self, sql: str, rows: Iterable[Parameters]) -> None:
        """Writes rows by COPY: all of them, or none."""
        with self.transaction():
            held = self._held.get()
            assert held is not None, "a transaction has a connection"
            if statements.listeners:
                statements.tell(self, sql)
            try:
                with held.connection.cursor() as cursor, cursor.copy(sql) as copy:
                    for row in rows:
                        copy.write_row(row)
            except _ERRORS as error:
                self._failed(error, held, write=False)

    def stream(self, sql: str, parameters: Parameters, *, size: int) -> Iterator[list[Row]]:
        # Rows come as the server sends them, some at a time: no cursor is declared for it, and no transaction begun.
        if self._inside() is not None:
            # Other statements of the transaction go over the same connection while somebody looks at the rows.
            name = f"nitro_{next(self._cursors)}"
            self.execute(f"DECLARE {name} NO SCROLL CURSOR FOR {sql}", parameters)
            try:
                while rows := self.fetch_all(f"FETCH FORWARD {size} FROM {name}", ()):
                    yield rows
            finally:
                # A transaction that is over, or given up, has no cursors any more.
                if self._held.get() is not None:
                    with suppress(NitroError):
                        self.execute(f"CLOSE {name}", ())
            return
        if statements.listeners:
            statements.tell(self, sql, parameters)
        taken = self._pool.take()
        is_apart = False
        try:
            with (
                taken.connection.cursor() as cursor,
                closing(cursor.stream(sql, parameters, size=_at_once(size))) as every,
            ):
                while len(rows := list[Row](islice(every, size))) == size:
                    if not is_apart:
                        # While somebody looks at the rows, others must not wait for this connection.
                        self._pool.set_apart(taken)
                        is_apart = True
                    yield rows
        except _ERRORS as error:
            self._failed(error, taken, write=False)
        finally:
            self._give(self._pool, taken, is_apart=is_apart)
        yield rows

    @contextmanager
    def transaction(self, isolation: str | None = None) -> Generator[Transaction[_Held]]:
        outer = self._transaction(is_async=False)
        if isolation is not None:
            self._check_isolation(isolation, outer)
        if outer is not None:
            yield outer
            return
        taken = self._pool.take()
        transaction, token = self._held.enter(taken, isolation)
        try:
            try:
                taken.prepared.command(_BEGIN[isolation])
            except psycopg.Error as error:
                self._failed(error, taken, write=False)
            try:
                yield transaction
                for session in transaction.sessions:
                    session.commit()
            except BaseException:
                # Without a connection there is nothing to undo: the server does that when it misses the client.
                with suppress(psycopg.OperationalError):
                    taken.prepared.command(b"ROLLBACK")
                raise
            # The driver may have closed it, as it does where it cannot cancel a statement: then no COMMIT is sent.
            is_there = not taken.connection.closed
            try:
                ended = taken.prepared.command(b"COMMIT")
            except _ERRORS as error:
                self._failed(error, taken, write=is_there)
            self._check_kept(ended)
            transaction.is_kept = True
        finally:
            self._held.end(transaction, token)
            self._give(self._pool, taken)

    def _transaction(self, *, is_async: bool) -> Transaction[_Held] | None:
        if is_async:
            self._ainside()
            return self._async_held.transaction
        self._inside()
        return self._held.transaction

    def _is_inside(self, transaction: Transaction[Any]) -> bool:
        return transaction is self._held.transaction or transaction is self._async_held.transaction

    def _command(self, connection: _Held, *commands: str) -> None:
        try:
            connection.prepared.command("; ".join(commands).encode())
        except psycopg.Error as error:
            self._failed(error, connection, write=False)

    async def _acommand(self, connection: _Held, *commands: str, late: Late | None = None) -> None:
        try:
            await connection.prepared.acommand("; ".join(commands).encode(), late)
        except psycopg.Error as error:
            self._failed(error, connection, write=False)

    def _is_given_up(self, connection: _Held) -> bool:
        return connection.connection.pgconn.transaction_status == TransactionStatus.INERROR

    # --- The same for async code ---

    def _here(self) -> AsyncPool[_Held]:
        """The pool of the running event loop."""
        loop = asyncio.get_running_loop()
        known = self._loops.get(id(loop))
        if known is not None and known[0] is loop:
            return known[1]
        with self._loops_lock:
            for key, (other, pool) in list(self._loops.items()):
                if other.is_closed():
                    # Nobody is left to use them.
                    pool.close()
                    del self._loops[key]
            pool = AsyncPool(
                self._aconnect,
                _is_alive,
                _close,
                size=self.settings.sql_pool_size,
                timeout=self.settings.sql_pool_timeout,
                name=self.name,
            )
            self._loops[id(loop)] = loop, pool
            return pool

    async def _arun(
        self, held: _Held, read: Callable[[Any], T], sql: str, parameters: Parameters, late: Late | None = None
    ) -> T:
        if statements.listeners:
            statements.tell(self, sql, parameters)
        return await held.prepared.arun(read, sql, parameters, late)

    async def afetch_one(self, sql: str, parameters: Parameters) -> Row | None:
        held, pool = self._ainside(), self._here()
        taken = pool.take_idle() or await pool.take() if held is None else held
        try:
            return await self._arun(taken, taken.prepared.one, sql, parameters)
        except _ERRORS as error:
            self._failed(error, taken, write=False)
        finally:
            if held is None:
                self._give(pool, taken)

    async def afetch_all(
        self, sql: str, parameters: Parameters, *, write: bool = False, late: Late | None = None
    ) -> list[Row]:
        held, pool = self._ainside(), self._here()
        taken = pool.take_idle() or await pool.take() if held is None else held
        try:
            return await self._arun(taken, taken.prepared.every, sql, parameters, late)
        except _ERRORS as error:
            self._failed(error, taken, write=write and held is None)
        finally:
            if held is None:
                self._give(pool, taken)

    async def aexecute(self, sql: str, parameters: Parameters, late: Late | None = None) -> int:
        held, pool = self._ainside(), self._here()
        taken = pool.take_idle() or await pool.take() if held is None else held
        try:
            return await self._arun(taken, taken.prepared.rowcount, sql, parameters, late)
        except _ERRORS as error:
            self._failed(error, taken, write=held is None)
        finally:
            if held is None:
                self._give(pool, taken)

    async def aexecute_many(self, sql: str, rows: Iterable[Parameters]) -> None:
        async with self.atransaction():
            held = self._async_held.get()
            assert held is not None, "a transaction has a connection"
            if statements.listeners:
                statements.tell(self, sql)
            try:
                async with held.connection.cursor() as cursor:
                    await cursor.executemany(sql, rows)
            except _ERRORS as error:
                self._failed(error, held, write=False)

    async def acopy(self, sql: str, rows: Iterable[Parameters]) -> None:
        """`copy`, for async code."""
        async with self.atransaction():
            held = self._async_held.get()
            assert held is not None, "a transaction has a connection"
            if statements.listeners:
                statements.tell(self, sql)
            try:
                async with held.connection.cursor() as cursor, cursor.copy(sql) as copy:
                    for row in rows:
                        await copy.write_row(row)
            except _ERRORS as error:
                self._failed(error, held, write=False)

    async def astream(self, sql: str, parameters: Parameters, *, size: int) -> AsyncIterator[list[Row]]:
        if self._ainside() is not None:
            name = f"nitro_{next(self._cursors)}"
            await self.aexecute(f"DECLARE {name} NO SCROLL CURSOR FOR {sql}", parameters)
            try:
                while rows := await self.afetch_all(f"FETCH FORWARD {size} FROM {name}", ()):
                    yield rows
            finally:
                if self._async_held.get() is not None:
                    with suppress(NitroError):
                        await self.aexecute(f"CLOSE {name}", ())
            return
        if statements.listeners:
            statements.tell(self, sql, parameters)
        pool = self._here()
        taken = pool.take_idle() or await pool.take()
        is_apart = False
        rows: list[Row] = []
        try:
            async with (
                taken.connection.cursor() as cursor,
                aclosing(cursor.stream(sql, parameters, size=_at_once(size))) as every,
            ):
                async for row in every:
                    rows.append(row)
                    if len(rows) == size:
                        if not is_apart:
                            pool.set_apart(taken)
                            is_apart = True
                        yield rows
                        rows = []
        except _ERRORS as error:
            self._failed(error, taken, write=False)
        finally:
            self._give(pool, taken, is_apart=is_apart)
        yield rows

    @asynccontextmanager
    async def atransaction(self, isolation: str | None = None) -> AsyncGenerator[Transaction[_Held]]:
        outer = self._transaction(is_async=True)
        if isolation is not None:
            self._check_isolation(isolation, outer)
        if outer is not None:
            yield outer
            return
        pool = self._here()
        taken = await pool.take()
        transaction, token = self._async_held.enter(taken, isolation)
        late: Late = []
        try:
            try:
                await taken.prepared.acommand(_BEGIN[isolation])
            except psycopg.Error as error:
                self._failed(error, taken, write=False)
            try:
                yield transaction
                for session in transaction.sessions:
                    await greenlet_spawn(session.commit)
            except BaseException:
                # Without a connection there is nothing to undo: the server does that when it misses the client.
                with suppress(psycopg.OperationalError):
                    await taken.prepared.acommand(b"ROLLBACK")
                raise
            # The driver may have closed it, as it does where it cannot cancel a statement: then no COMMIT is sent.
            is_there = not taken.connection.closed
            try:
                ended = await taken.prepared.acommand(b"COMMIT", late)
            except _ERRORS as error:
                self._failed(error, taken, write=is_there)
            self._check_kept(ended)
            transaction.is_kept = True
        finally:
            self._async_held.end(transaction, token)
            self._give(pool, taken)
            if late:
                raise late[0]

    # --- Errors ---

    def _check_kept(self, ended: bytes | None) -> None:
        """Whether a COMMIT has kept the transaction: one with a statement that was refused is undone, and no error."""
        if ended == b"ROLLBACK":
            raise self._given_up()

    def _give(self, pool: Pool[_Held] | AsyncPool[_Held], held: _Held, *, is_apart: bool = False) -> None:
        # A cancelled task, for one, leaves a statement behind that is still running.
        is_idle = held.connection.pgconn.transaction_status == TransactionStatus.IDLE
        if is_apart:
            pool.take_back(held, is_usable=is_idle)
        elif is_idle:
            pool.give(held)
        else:
            pool.drop(held)

    def _failed(self, error: psycopg.Error | UnicodeError, held: _Held, *, write: bool) -> NoReturn:
        if isinstance(error, UnicodeError):
            raise Unfit(str(error)) from error
        text = (error.diag.message_primary or str(error)).strip()
        if isinstance(error, errors.QueryCanceled) and not held.connection.closed:
            raise BackendUnavailable(
                f"{self.name} has given a statement up ({text}): nothing of it is kept, allow it more time"
            ) from error
        if held.connection.closed or isinstance(error, errors.OperatorIntervention):
            self._lost(error, write=write)
        if isinstance(error, errors.IntegrityError):
            kinds: dict[type[psycopg.Error], str] = {
                errors.UniqueViolation: "unique",
                errors.ForeignKeyViolation: "foreign key",
                errors.NotNullViolation: "not null",
                errors.CheckViolation: "check",
            }
            detail = error.diag.message_detail
            raise Clash(
                kinds.get(type(error), "check"),
                f"{text} ({detail})" if detail else text,
                table=error.diag.table_name,
                columns=[error.diag.column_name] if error.diag.column_name else (),
                constraint=error.diag.constraint_name or "",
            ) from error
        if isinstance(error, errors.InFailedSqlTransaction):
            raise self._given_up() from error
        if isinstance(error, errors.UndefinedTable | errors.UndefinedColumn):
            raise NoSuchTable(text) from error
        if isinstance(error, psycopg.DataError):
            raise Unfit(text) from error
        raise self.refused(error, text) from error

    def refused(self, error: BaseException, text: str) -> NitroError:
        if isinstance(error, errors.DeadlockDetected | errors.SerializationFailure | errors.LockNotAvailable):
            return WriteConflict(f"{self.name}: {text}: nothing was written, repeat it")
        state: str = getattr(error, "sqlstate", None) or ""
        return BackendError(self.name, text, _REMEDIES.get(state) or _REMEDIES.get(state[:2], ""))

    # --- Connections ---

    @property
    def undo(self) -> list[Callable[[], None]] | None:
        undo = self._held.undo
        return self._async_held.undo if undo is None else undo

    def stand_apart(self) -> None:
        self._held.forget()
        self._async_held.forget()

    @property
    def gauges(self) -> Gauges:
        every = [self._pool.gauges, *(pool.gauges for loop, pool in self._loops.values() if not loop.is_closed())]
        return Gauges(*(sum(figures) for figures in zip(*map(astuple, every), strict=True)))

    def close(self) -> None:
        super().close()
        self._pool.close()
        with self._loops_lock:
            for _, pool in self._loops.values():
                pool.close()
            self._loops.clear()

    def forked(self) -> None:
        super().forked()
        self._pool.forked()
        self._loops_lock = threading.Lock()
        self._cursors = count(1)
        for _, pool in self._loops.values():
            pool.forked()
        self._loops.clear()
        self._held.forget()
        self._async_held.forget()

    def _new_engine(self) -> sa.Engine:
        return sa.create_engine(
            self.url.set(drivername="postgresql+psycopg"),
            pool_size=self.settings.sql_pool_size,
            pool_timeout=self.settings.sql_pool_timeout,
            pool_pre_ping=True,
            echo=self.settings.sql_echo,
            connect_args={"options": "-c timezone=UTC"},
        )

    def _new_async_engine(self) -> AsyncEngine:
        from sqlalchemy.ext.asyncio import create_async_engine

        return create_async_engine(
            self.url.set(drivername="postgresql+psycopg"),
            pool_size=self.settings.sql_pool_size,
            pool_timeout=self.settings.sql_pool_timeout,
            pool_pre_ping=True,
            echo=self.settings.sql_echo,
            connect_args={"options": "-c timezone=UTC"},
        )

    def _new_session_engine(self) -> sa.Engine:
        from .postgres_sessions import session_engine

        return session_engine(self)

    def _new_async_session_engine(self) -> AsyncEngine:
        from .postgres_sessions import async_session_engine

        return async_session_engine(self)
