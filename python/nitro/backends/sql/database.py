"""A database: how statements are sent to it, and what its errors mean.

Outside of a transaction each operation is one statement, committed by itself, on a connection from a small pool; inside
of `transaction()` all of them go over the one connection of the transaction. The driver is used directly; SQLAlchemy
compiles the statements, and has engines of its own for whoever wants its sessions.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterable, Iterator, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
    suppress,
)
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import URL, Dialect, make_url
from sqlalchemy.exc import ArgumentError

from ...config import Settings, settings, shown_url
from ...errors import BackendUnavailable, CommitOutcomeUnknown, ConfigurationError, NitroError
from . import statements
from .pool import OF_THE_PARENT, Gauges

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from .sessions import JoinedAsyncSession, JoinedSession, Part

C = TypeVar("C")
Row = tuple[Any, ...]
Parameters = Sequence[Any]

#: What a task was cancelled by while a statement was executed that was done nevertheless: raised by whoever has asked
#: for it, when it has told the entities.
Late = list[asyncio.CancelledError]


#: Options of a connection of SQLAlchemy that is going to write: on SQLite its transactions wait for others at once, and
#: not when they have read already, which would be too late.
WRITING: dict[str, Any] = {"nitro_writing": True}


#: How far transactions are kept apart, the least first.
ISOLATION_LEVELS = ("read committed", "repeatable read", "serializable")


class Savepoint:
    """A place inside of a transaction, back to which it can be taken.

    Attributes:
        name: What the database calls it.
        told: How many things there were to undo when it was set.
        part: What a session does since; None for the others.
        is_kept: Whether what was done since is part of what is around it; None until that is known.
    """

    __slots__ = ("is_kept", "name", "part", "told")

    def __init__(self, name: str, told: int, part: Part | None = None) -> None:
        self.name, self.told, self.part = name, told, part
        self.is_kept: bool | None = None


class Transaction(Generic[C]):
    """What is going on between BEGIN and COMMIT.

    Savepoints end in the order that the program likes: those of two tasks, or of a session and a `with` block, need not
    be one inside of the other. Databases know only a stack of them, and what one says of one holds for all above it.

    Attributes:
        connection: What it goes over.
        isolation: The level that it was begun with; None for what the database does by itself.
        is_open: Whether it has not ended yet. A task that was started inside may live on after the end.
        is_kept: Whether it was committed. It may be though the end raises CancelledError.
        undo: What is to be called, last first, when it is not kept.
        savepoints: Those that are set, the last one at the end.
        sessions: The sessions of SQLAlchemy that are part of it.
    """

    __slots__ = ("_names", "connection", "is_kept", "is_open", "isolation", "savepoints", "sessions", "undo")

    def __init__(self, connection: C, isolation: str | None = None) -> None:
        self.connection = connection
        self.isolation = isolation
        self.is_open, self.is_kept = True, False
        self.undo: list[Callable[[], None]] = []
        self.savepoints: list[Savepoint] = []
        self.sessions: Sequence[JoinedSession] = ()
        self._names = 0

    def undone(self, told: int = 0) -> None:
        """Takes back what objects of the program were told meanwhile."""
        while len(self.undo) > told:
            self.undo.pop()()

    def marked(self, part: Part | None = None) -> Savepoint:
        """A savepoint, to be set."""
        self._names += 1
        return Savepoint(f"nitro_{self._names}", len(self.undo), part)

    def set(self, name: str) -> Savepoint:
        """A savepoint that somebody else sets in the database."""
        savepoint = Savepoint(name, len(self.undo))
        self.savepoints.append(savepoint)
        return savepoint

    def is_last(self, savepoint: Savepoint) -> bool:
        """Whether no other was set since, so that the database can forget it."""
        return self.savepoints[-1] is savepoint

    def released(self, savepoint: Savepoint) -> None:
        """What was done since a savepoint is part of what is around it."""
        savepoint.is_kept = True
        self.savepoints.remove(savepoint)

    def merged(self, savepoint: Savepoint) -> None:
        """The same, where the database has been told: whatever was set later has ended with it."""
        for later in self._popped(savepoint):
            later.is_kept = True

    def taken_back(self, savepoint: Savepoint) -> None:
        """What was done since a savepoint is not kept."""
        lost: list[Part] = []
        for later in self._popped(savepoint):
            later.is_kept = False
            if later.part is not None and later is not savepoint:
                later.part.is_restored = True
                lost.append(later.part)
        self.undone(savepoint.told)
        for part in lost:
            part.lost()

    def _popped(self, savepoint: Savepoint) -> list[Savepoint]:
        place = self.savepoints.index(savepoint)
        popped = self.savepoints[place:]
        del self.savepoints[place:]
        return popped


class Current(Generic[C]):
    """The transaction that the running code is inside of, in its thread or task."""

    def __init__(self, name: str) -> None:
        self._variable: ContextVar[Transaction[C] | None] = ContextVar(name, default=None)

    def get(self) -> C | None:
        """Its connection; None outside of any."""
        transaction = self._variable.get()
        return transaction.connection if transaction is not None and transaction.is_open else None

    @property
    def transaction(self) -> Transaction[C] | None:
        """The transaction itself; None outside of any."""
        transaction = self._variable.get()
        return transaction if transaction is not None and transaction.is_open else None

    @property
    def undo(self) -> list[Callable[[], None]] | None:
        """What it takes back when it is not kept; None outside of any."""
        transaction = self._variable.get()
        return transaction.undo if transaction is not None and transaction.is_open else None

    def enter(self, connection: C, isolation: str | None = None) -> tuple[Transaction[C], Token[Transaction[C] | None]]:
        """Begins one."""
        transaction = Transaction(connection, isolation)
        return transaction, self._variable.set(transaction)

    def leave(self, token: Token[Transaction[C] | None]) -> None:
        """What follows is outside of it, though it is not over."""
        self._variable.reset(token)

    def end(self, transaction: Transaction[C], token: Token[Transaction[C] | None]) -> None:
        """It is over."""
        transaction.is_open = False
        # Whoever finishes a generator that others have left does so in another context, where it was never set.
        with suppress(ValueError):
            self._variable.reset(token)
        if not transaction.is_kept:
            transaction.undone()
        for session in transaction.sessions:
            session.end()

    def forget(self) -> None:
        """What follows is outside of any."""
        self._variable.set(None)


class Clash(Exception):
    """A write that the database refused for what its schema says.

    Attributes:
        kind: "unique", "foreign key", "not null" or "check".
        table: The table; None where the database does not say.
        columns: The columns, where the database names them.
        constraint: The constraint, where the database names it.
        reason: The database's own words.
    """

    def __init__(
        self, kind: str, reason: str, *, table: str | None = None, columns: Sequence[str] = (), constraint: str = ""
    ) -> None:
        self.kind, self.table, self.columns, self.constraint, self.reason = kind, table, columns, constraint, reason
        super().__init__(reason)


class Unfit(Exception):
    """A value that the database refused; the message is the database's own."""


class NoSuchTable(Exception):
    """A table or a column that is not there; the message is the database's own."""


class Database(ABC):
    """One database, by its URL. Safe from any thread; the methods with an `a` in front are for any event loop."""

    #: How statements are compiled; parameters are given by position.
    dialect: Dialect
    #: Whether many rows go in faster by `copy`.
    copies = False

    def __init__(self, url: URL, configured: Settings) -> None:
        self.url = url
        self.settings = configured
        #: The URL for people, without the password.
        self.name = shown_url(url.render_as_string(hide_password=False))
        self._engine: sa.Engine | None = None
        self._async_engine: AsyncEngine | None = None
        self._joined: sa.Engine | None = None
        self._async_joined: AsyncEngine | None = None
        self._making = threading.Lock()
        if configured.sql_echo:
            statements.add(statements.echo)

    # --- Statements ---

    @abstractmethod
    def fetch_one(self, sql: str, parameters: Parameters) -> Row | None:
        """The first row that a statement gives; None where it gives none. For reading."""

    @abstractmethod
    def fetch_all(self, sql: str, parameters: Parameters, *, write: bool = False) -> list[Row]:
        """Every row that a statement gives."""

    @abstractmethod
    def execute(self, sql: str, parameters: Parameters) -> int:
        """Writes, and tells how many rows that changed."""

    @abstractmethod
    def execute_many(self, sql: str, rows: Iterable[Parameters]) -> None:
        """Writes once for each row of parameters: all of it, or nothing."""

    def copy(self, sql: str, rows: Iterable[Parameters]) -> None:
        """Writes rows by COPY, where the database `copies`: all of them, or none."""
        raise NotImplementedError(f"{self.name} has no COPY")

    async def acopy(self, sql: str, rows: Iterable[Parameters]) -> None:
        """`copy`, for async code."""
        raise NotImplementedError(f"{self.name} has no COPY")

    @abstractmethod
    def stream(self, sql: str, parameters: Parameters, *, size: int) -> Iterator[list[Row]]:
        """What a statement gives, `size` rows at a time, while the rest stays in the database."""

    @abstractmethod
    def transaction(self, isolation: str | None = None) -> AbstractContextManager[Transaction[Any]]:
        """Whatever this thread does inside is kept together, or not at all when it ends with an exception.

        One inside of another is part of it, and gives the outer one.

        Args:
            isolation: "read committed", "repeatable read" or "serializable": how far others who write at the same time
                are kept out. None takes what the database does by itself: PostgreSQL reads what is committed when a
                statement begins. SQLite has one writer at a time, which is serializable, whatever is asked for.

        Raises:
            NitroError: If the level is none of these, or the transaction outside was not begun with it.
            WriteConflict: If others were in the way, at any statement or at the end: it can be repeated.
        """

    @abstractmethod
    async def afetch_one(self, sql: str, parameters: Parameters) -> Row | None:
        """`fetch_one`, for async code."""

    @abstractmethod
    async def afetch_all(
        self, sql: str, parameters: Parameters, *, write: bool = False, late: Late | None = None
    ) -> list[Row]:
        """`fetch_all`, for async code.

        Args:
            sql: See there, as for the others.
            parameters: See there.
            write: Whether it writes.
            late: Takes up the cancellation of a task that came too late; None has it raised.
        """

    @abstractmethod
    async def aexecute(self, sql: str, parameters: Parameters, late: Late | None = None) -> int:
        """`execute`, for async code; `late` as for `afetch_all`."""

    @abstractmethod
    async def aexecute_many(self, sql: str, rows: Iterable[Parameters]) -> None:
        """`execute_many`, for async code."""

    @abstractmethod
    def astream(self, sql: str, parameters: Parameters, *, size: int) -> AsyncIterator[list[Row]]:
        """`stream`, for async code."""

    @abstractmethod
    def atransaction(self, isolation: str | None = None) -> AbstractAsyncContextManager[Transaction[Any]]:
        """`transaction`, for async code.

        A task that is cancelled while it commits waits for the outcome, and ends then: `is_kept` tells it.
        """

    def _check_isolation(self, isolation: str, outer: Transaction[Any] | None) -> None:
        if isolation not in ISOLATION_LEVELS:
            known = ", ".join(map(repr, ISOLATION_LEVELS))
            raise NitroError(f"{self.name} has no isolation level {isolation!r}: the levels are {known}")
        if outer is not None and outer.isolation != isolation:
            begun = "without a level" if outer.isolation is None else f"as {outer.isolation!r}"
            raise NitroError(
                f"a transaction that is {isolation!r} cannot be part of one of {self.name} that was begun "
                f"{begun}: ask for the level where the outer one begins"
            )

    @property
    def reads_at_once(self) -> bool:
        """Whether nobody is waited for when something is read now: neither a server, nor who has a connection."""
        return False

    # --- Savepoints ---

    @contextmanager
    def savepoint(self) -> Generator[Savepoint]:
        """What this thread does inside of it, inside of a transaction, is taken back when it ends with an exception.

        The exception goes on; whoever catches it goes on with the transaction. Entities that were saved or deleted
        inside know again what they knew before.

        Raises:
            NitroError: Outside of a transaction; and at the end, if a statement was refused inside and the program went
                on, or if what is around it was rolled back meanwhile.

        Example:
            >>> class Stall(nitro.Entity, backend=nitro.SQLModelBackend("sqlite://")):
            ...     number: int = nitro.Field(unique=True)
            >>> nitro.create_all(Stall)
            >>> database = Stall._persistence_backend_class.database
            >>> with database.transaction():
            ...     first = Stall(number=1).save()
            ...     try:
            ...         with database.savepoint():
            ...             other = Stall(number=2).save()
            ...             again = Stall(number=1).save()
            ...     except nitro.UniqueViolation:
            ...         pass
            >>> [stall.number for stall in Stall.all()], nitro.changes.version(other)
            ([1], 0)
        """
        transaction = self._transaction(is_async=False)
        if transaction is None:
            raise NitroError("a savepoint is set inside of a transaction: put it into `with ...transaction():`")
        savepoint = self._set(transaction)
        try:
            yield savepoint
        except BaseException:
            # Without a connection there is nothing to undo.
            with suppress(BackendUnavailable):
                self._take_back(transaction, savepoint)
            raise
        self._release(transaction, savepoint)

    @asynccontextmanager
    async def asavepoint(self) -> AsyncGenerator[Savepoint]:
        """`savepoint`, for async code."""
        transaction = self._transaction(is_async=True)
        if transaction is None:
            raise NitroError(
                "a savepoint is set inside of a transaction: put it into an `async with ...atransaction():`"
            )
        savepoint = await self._aset(transaction)
        try:
            yield savepoint
        except BaseException:
            with suppress(BackendUnavailable):
                await self._atake_back(transaction, savepoint)
            raise
        await self._arelease(transaction, savepoint)

    def together(self) -> AbstractContextManager[Transaction[Any] | Savepoint]:
        """What is done inside is kept together or not at all: a transaction, or a savepoint where there is one."""
        return self.savepoint() if self.in_transaction else self.transaction()

    def atogether(self) -> AbstractAsyncContextManager[Transaction[Any] | Savepoint]:
        """`together`, for async code."""
        return self.asavepoint() if self.in_transaction else self.atransaction()

    def _set(self, transaction: Transaction[Any], part: Part | None = None) -> Savepoint:
        savepoint = transaction.marked(part)
        self._command(transaction.connection, f"SAVEPOINT {savepoint.name}")
        transaction.savepoints.append(savepoint)
        return savepoint

    async def _aset(self, transaction: Transaction[Any], part: Part | None = None) -> Savepoint:
        savepoint = transaction.marked(part)
        await self._acommand(transaction.connection, f"SAVEPOINT {savepoint.name}")
        transaction.savepoints.append(savepoint)
        return savepoint

    def _release(self, transaction: Transaction[Any], savepoint: Savepoint) -> None:
        """What was done since a savepoint is part of what is around it."""
        if self._is_given_up(transaction.connection):
            self._take_back(transaction, savepoint)
        if self._is_to_release(transaction, savepoint):
            self._command(transaction.connection, f"RELEASE SAVEPOINT {savepoint.name}")
            transaction.released(savepoint)

    async def _arelease(self, transaction: Transaction[Any], savepoint: Savepoint) -> None:
        if self._is_given_up(transaction.connection):
            await self._atake_back(transaction, savepoint)
        if self._is_to_release(transaction, savepoint):
            late: Late = []
            await self._acommand(transaction.connection, f"RELEASE SAVEPOINT {savepoint.name}", late=late)
            transaction.released(savepoint)
            if late:
                raise late[0]

    def _is_to_release(self, transaction: Transaction[Any], savepoint: Savepoint) -> bool:
        """Whether the database has to be told that a savepoint is not needed any more."""
        if savepoint.is_kept is False:
            raise NitroError(
                f"{self.name} keeps nothing of what was done since this savepoint was set: a statement was refused, or "
                "a savepoint before it was rolled back; let the error of the statement end the savepoint"
            )
        if savepoint.is_kept is None and not transaction.is_last(savepoint):
            # To the database all that were set later would end with it.
            transaction.released(savepoint)
        return savepoint.is_kept is None

    def _take_back(self, transaction: Transaction[Any], savepoint: Savepoint) -> None:
        """What was done since a savepoint is not kept."""
        if self._is_to_take_back(savepoint):
            try:
                self._command(transaction.connection, *_taking_back(savepoint))
            finally:
                transaction.taken_back(savepoint)

    async def _atake_back(self, transaction: Transaction[Any], savepoint: Savepoint) -> None:
        if self._is_to_take_back(savepoint):
            try:
                await self._acommand(transaction.connection, *_taking_back(savepoint))
            finally:
                transaction.taken_back(savepoint)

    def _is_to_take_back(self, savepoint: Savepoint) -> bool:
        if savepoint.is_kept:
            raise NitroError(
                "what was done since this savepoint cannot be taken back by itself any more: the savepoint around it "
                "has ended, and has kept it"
            )
        return savepoint.is_kept is None

    @abstractmethod
    def _transaction(self, *, is_async: bool) -> Transaction[Any] | None:
        """The transaction that whoever asks is inside of, which was begun for code of this kind; None outside."""

    @abstractmethod
    def _is_inside(self, transaction: Transaction[Any]) -> bool:
        """Whether whoever asks is inside of a transaction."""

    @abstractmethod
    def _command(self, connection: Any, *commands: str) -> None:
        """Executes commands that have no parameters and give no rows, on the connection of a transaction."""

    @abstractmethod
    async def _acommand(self, connection: Any, *commands: str, late: Late | None = None) -> None:
        """`_command`, for async code; `late` as for `afetch_all`."""

    @abstractmethod
    def _is_given_up(self, connection: Any) -> bool:
        """Whether the database has given up the transaction of a connection."""

    # --- Sessions of SQLAlchemy on the connection of a transaction ---

    def session(self) -> JoinedSession:
        """A `Session` of SQLModel that is part of the transaction that is going on.

        What it flushes is seen by the verbs of entities, and the other way round, before anything is committed. Its
        commit keeps what it did as far as the transaction is kept. Its rollback takes back what was done since its
        first statement after the last commit, which includes what the verbs did meanwhile. To close it leaves the
        transaction as it is, without what the session has not committed; at the end of `with`, and of the transaction,
        it is committed by itself. After the transaction it cannot be used any more.

        Raises:
            NitroError: Outside of a transaction.

        Example:
            >>> from sqlmodel import select
            >>> class Kite(nitro.SQLEntity, table=True, backend=nitro.SQLModelBackend("sqlite://")):
            ...     colour: str
            >>> nitro.create_all(Kite)
            >>> database = Kite._persistence_backend_class.database
            >>> with database.transaction(), database.session() as session:
            ...     session.add(Kite(colour="red"))
            ...     session.flush()
            ...     kite = Kite.where(colour="red").one()
            ...     session.exec(select(Kite.colour)).all()
            ['red']
        """
        from .sessions import JoinedSession

        transaction = self._transaction(is_async=False)
        if transaction is None:
            raise NitroError(
                "a session is part of a transaction: put it into `with ...transaction():`, or outside of any take "
                "Session(backend.engine)"
            )
        return JoinedSession(self._session_engine, database=self, transaction=transaction)

    def asession(self) -> JoinedAsyncSession:
        """`session`, for async code: an `AsyncSession` of SQLModel."""
        from .sessions import JoinedAsyncSession, JoinedSession

        transaction = self._transaction(is_async=True)
        if transaction is None:
            raise NitroError(
                "a session is part of a transaction: put it into `async with ...atransaction():`, or outside of any "
                "take AsyncSession(backend.async_engine)"
            )
        return JoinedAsyncSession(
            self._async_session_engine, sync_session_class=JoinedSession, database=self, transaction=transaction
        )

    @property
    def _session_engine(self) -> sa.Engine:
        with self._making:
            if self._joined is None:
                self._joined = self._new_session_engine()
                quoting(self._joined.dialect)
            return self._joined

    @property
    def _async_session_engine(self) -> AsyncEngine:
        with self._making:
            if self._async_joined is None:
                self._async_joined = self._new_async_session_engine()
                quoting(self._async_joined.dialect)
            return self._async_joined

    @abstractmethod
    def _new_session_engine(self) -> sa.Engine:
        """An engine whose connections are those of transactions that are going on."""

    @abstractmethod
    def _new_async_session_engine(self) -> AsyncEngine:
        """The same for async code."""

    @abstractmethod
    def refused(self, error: BaseException, text: str) -> NitroError:
        """What an error of the driver means that lies in neither a class nor the values of an entity.

        Args:
            error: The driver's.
            text: What to say of it.
        """

    def _given_up(self) -> NitroError:
        return NitroError(
            f"{self.name} has refused a statement of this transaction, and keeps nothing of it: "
            "let the error of that statement end the transaction"
        )

    # --- Connections ---

    @property
    @abstractmethod
    def undo(self) -> list[Callable[[], None]] | None:
        """What to call, last first, when the transaction that whoever asks is inside of is not kept; None outside."""

    @abstractmethod
    def stand_apart(self) -> None:
        """The running task, or thread, has no part in a transaction of the one that has started it."""

    @property
    def in_transaction(self) -> bool:
        """Whether whoever asks is inside of a transaction."""
        return self.undo is not None

    @property
    @abstractmethod
    def gauges(self) -> Gauges:
        """How many connections there are now, of threads and of event loops together."""

    def close(self) -> None:
        """Closes the connections; the next statement opens others."""
        for engine in (self._engine, self._async_engine and self._async_engine.sync_engine):
            if engine is not None:
                engine.dispose()
        self._engine = self._async_engine = None

    def forked(self) -> None:
        """In a child process, before it does anything: what is open is the parent's, and stays open there."""
        self._making = threading.Lock()
        for engine in (self._engine, self._async_engine and self._async_engine.sync_engine):
            if engine is not None:
                # Nor may they be collected here, which would close them.
                OF_THE_PARENT.append(engine.pool)
                engine.dispose(close=False)

    @property
    def engine(self) -> sa.Engine:
        """An engine of SQLAlchemy for the same database, for sessions and the like."""
        with self._making:
            if self._engine is None:
                self._engine = self._new_engine()
                quoting(self._engine.dialect)
            return self._engine

    @property
    def async_engine(self) -> AsyncEngine:
        """The same for async sessions."""
        with self._making:
            if self._async_engine is None:
                self._async_engine = self._new_async_engine()
                quoting(self._async_engine.dialect)
            return self._async_engine

    @abstractmethod
    def _new_engine(self) -> sa.Engine: ...

    @abstractmethod
    def _new_async_engine(self) -> AsyncEngine: ...

    def _lost(self, error: BaseException, *, write: bool) -> NoReturn:
        reason = str(error).strip().splitlines()
        why = f" ({reason[0]})" if reason else ""
        if write:
            raise CommitOutcomeUnknown(
                f"{self.name} was lost while it was writing{why}: what was written may be there or not, "
                "load it before you try again"
            ) from error
        raise BackendUnavailable(f"{self.name} cannot be reached{why}: see whether it runs, and try again") from error


def _taking_back(savepoint: Savepoint) -> tuple[str, str]:
    return f"ROLLBACK TO SAVEPOINT {savepoint.name}", f"RELEASE SAVEPOINT {savepoint.name}"


#: Words that have to stand in quotes as the name of a column, and that SQLAlchemy does not know.
_RESERVED = {
    "sqlite": {"nothing", "returning"},
    "postgresql": {"collation", "concurrently", "lateral", "tablesample"},
}


def quoting(dialect: Dialect) -> Dialect:
    """A dialect that quotes every word that it has to."""
    preparer = dialect.identifier_preparer
    preparer.reserved_words = preparer.reserved_words | _RESERVED[dialect.name]
    return dialect


_databases: dict[str, Database] = {}
_lock = threading.Lock()


def database(url: str | URL | None = None) -> Database:
    """The database of a URL, one in this process; None stands for the one that is configured.

    Raises:
        ConfigurationError: If the URL is none, or of a database that Nitro does not know.
    """
    configured = settings()
    if isinstance(url, URL):
        url = url.render_as_string(hide_password=False)
    text = configured.sql_url if url is None else url
    known = _databases.get(text)
    if known is not None:
        return known
    with _lock:
        known = _databases.get(text)
        if known is None:
            known = _databases[text] = _opened(text, configured)
        return known


def _opened(text: str, configured: Settings) -> Database:
    try:
        url = make_url(text)
    except ArgumentError:
        raise ConfigurationError(
            "the SQL URL cannot be read: write it as sqlite:///shop.db or postgresql://user:password@host/name"
        ) from None
    backend = url.get_backend_name()
    if backend == "sqlite":
        from .sqlite import SqliteDatabase

        return SqliteDatabase(url, configured)
    if backend in ("postgresql", "postgres"):
        try:
            from .postgres import PostgresDatabase
        except ModuleNotFoundError as error:
            raise ConfigurationError(
                f"{shown_url(text)} needs the driver psycopg: pip install 'nitro[postgres]'"
            ) from error
        return PostgresDatabase(url, configured)
    raise ConfigurationError(
        f"{shown_url(text)} is neither SQLite nor PostgreSQL, which are the databases that Nitro knows"
    )


def forget(url: str) -> None:
    """Closes the connections to the database of a URL, which may be gone; asked for again it is another object."""
    with _lock:
        known = _databases.pop(url, None)
    if known is not None:
        known.close()


@atexit.register
def close_all() -> None:
    """Closes every connection of this process."""
    with _lock:
        for known in _databases.values():
            known.close()


def _forked() -> None:
    global _lock
    _lock = threading.Lock()
    for known in _databases.values():
        known.forked()


os.register_at_fork(after_in_child=_forked)
