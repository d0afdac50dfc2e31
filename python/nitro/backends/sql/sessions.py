"""Sessions of SQLModel inside of a transaction: on its connection, and part of it.

What is a transaction to such a session is a savepoint of ours: a commit releases it, a rollback takes it back, and to
give the connection back does nothing. So a session can be committed and rolled back as often as one likes, and what it
did is kept when our transaction is.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, cast

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.orm import make_transient, make_transient_to_detached, object_session
from sqlalchemy.pool import NullPool
from sqlmodel import Session
from sqlmodel.ext.asyncio.session import AsyncSession

from ... import _core, changes
from ...entity import Entity
from ...errors import NitroError

if TYPE_CHECKING:
    from types import TracebackType

    from sqlalchemy.orm import SessionTransaction, UOWTransaction

    from .database import Database, Savepoint, Transaction


class Part:
    """What a session does between two commits: the savepoint of it, and who is to hear when that is taken back.

    Attributes:
        is_restored: Whether SQLAlchemy gives the objects of the session their values back, as it does after a rollback.
    """

    def __init__(self, database: Database, transaction: Transaction[Any]) -> None:
        self._database, self._transaction = database, transaction
        self._savepoint: Savepoint | None = None
        self._connection: sa.Connection | None = None
        self._session: JoinedSession | None = None
        self._nested: list[Savepoint] = []
        self.is_restored = False

    def belongs_to(self, session: JoinedSession, connection: sa.Connection) -> None:
        """Lets it know whose it is."""
        self._session, self._connection = session, connection

    @property
    def is_going_on(self) -> bool:
        """Whether there is something to be committed or rolled back."""
        savepoint = self._savepoint
        return savepoint is not None and savepoint.is_kept is not False and self._transaction.is_open

    def begin(self) -> None:
        """Sets the savepoint."""
        self._savepoint = self._database._set(self._transaction, self)

    def commit(self) -> None:
        """What was done is part of what is around it."""
        self._database._release(self._transaction, self._ended())

    def rollback(self) -> None:
        """What was done is taken back."""
        self.is_restored = True
        self._database._take_back(self._transaction, self._ended())

    async def abegin(self) -> None:
        """`begin`, for async code."""
        self._savepoint = await self._database._aset(self._transaction, self)

    async def acommit(self) -> None:
        """`commit`, for async code."""
        await self._database._arelease(self._transaction, self._ended())

    async def arollback(self) -> None:
        """`rollback`, for async code."""
        self.is_restored = True
        await self._database._atake_back(self._transaction, self._ended())

    def _ended(self) -> Savepoint:
        savepoint, self._savepoint = self._savepoint, None
        assert savepoint is not None, "it is going on"
        return savepoint

    def nested(self) -> None:
        """SQLAlchemy sets a savepoint of its own."""
        # It gives them numbers, and says them later only.
        self._nested.append(self._transaction.set(f"sa_savepoint_{len(self._nested) + 1}"))

    def nested_rollback(self, name: str) -> None:
        """SQLAlchemy takes back what was done since it set a savepoint, and restores its objects."""
        savepoint = self._called(name)
        if savepoint is not None:
            self.is_restored = True
            try:
                self._transaction.taken_back(savepoint)
            finally:
                self.is_restored = False

    def nested_release(self, name: str) -> None:
        """SQLAlchemy releases a savepoint."""
        savepoint = self._called(name)
        if savepoint is not None:
            self._transaction.merged(savepoint)

    def _called(self, name: str) -> Savepoint | None:
        savepoint = next(known for known in self._nested if known.name == name)
        return savepoint if savepoint.is_kept is None else None

    def leave(self) -> None:
        """The connection is of no use to the session any more; nothing is sent over it."""
        if self._connection is not None and not self._connection.closed:
            self._connection.invalidate()

    def lost(self) -> None:
        """It was taken back with what is around it: to the session that is a rollback."""
        self.leave()
        if self._session is not None:
            self._session.rollback()


class JoinedConnection:
    """The connection of a transaction in the hands of SQLAlchemy."""

    def __init__(self, part: Part, connection: Any) -> None:
        self.part, self._connection = part, connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    @property
    def isolation_level(self) -> Any:
        """The driver's, which the transaction has settled."""
        return self._connection.isolation_level

    @isolation_level.setter
    def isolation_level(self, _: Any) -> None:
        refuse_level()

    @property
    def autocommit(self) -> Any:
        """The driver's."""
        return self._connection.autocommit

    @autocommit.setter
    def autocommit(self, _: Any) -> None:
        refuse_level()

    def begin(self) -> None:
        """A transaction of SQLAlchemy begins."""
        self.part.begin()

    def commit(self) -> None:
        """It is kept."""
        if self.part.is_going_on:
            self.part.commit()

    def rollback(self) -> None:
        """It is not kept. SQLAlchemy calls it too when it gives the connection back."""
        if self.part.is_going_on:
            self.part.rollback()

    def close(self) -> None:
        """The connection is not SQLAlchemy's. It gives it up in the middle when a task is cancelled, for one."""
        self.rollback()


def refuse_level() -> NoReturn:
    """SQLAlchemy is to set an isolation level."""
    raise NitroError(
        "a session that is part of a transaction has its isolation level: say transaction(isolation=...) instead"
    )


class JoinedSession(Session):
    """A session of SQLModel that is part of a transaction.

    At the end of `with`, and of the transaction, what it did is committed. New objects and changed entities that are
    taken back by what is around it, and not by its own rollback, are not in it any more.
    """

    def __init__(self, bind: Any = None, *, database: Database, transaction: Transaction[Any], **keywords: Any) -> None:
        # A commit of it ends nothing, so nothing has to be loaded again.
        super().__init__(bind, expire_on_commit=False, **keywords)
        self._database, self._joined_transaction = database, transaction
        self._part: Part | None = None
        transaction.sessions = [*transaction.sessions, self]

    def check(self) -> None:
        """Whether the session can be used.

        Raises:
            NitroError: If the transaction that it is part of is over, or another one is going on here.
        """
        if not self._joined_transaction.is_open:
            raise NitroError(
                f"the transaction of {self._database.name} that this session is part of is over: take another session "
                "inside of the next one"
            )
        if not self._database._is_inside(self._joined_transaction):
            raise NitroError(
                f"this session is part of a transaction of {self._database.name} that another task or thread has "
                "begun: each takes a session of its own, inside of a transaction of its own"
            )

    def get_bind(self, *arguments: Any, **keywords: Any) -> Any:
        """SQLAlchemy asks for it before whatever it does with the database."""
        self.check()
        return super().get_bind(*arguments, **keywords)

    def commit(self) -> None:
        """Keeps what was done, as far as the transaction is kept."""
        self.check()
        super().commit()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.commit()
        finally:
            self.close()

    def undo(self, function: Callable[[], None]) -> None:
        """Calls a function where what is written now is taken back by what is around the session."""
        part = self._part
        assert part is not None, "nothing is written outside of one"
        part._transaction.undo.append(partial(_undone, part, function))

    def wrote(self, entity: Entity) -> None:
        """Remembers what an entity knows, before it is told of what was written of it."""
        self.undo(partial(_unwritten, entity, _core.version(entity), _core.originals(entity)))

    def end(self) -> None:
        """The transaction has ended."""
        if self._part is not None:
            self._part.leave()
        self.close()


class JoinedAsyncSession(AsyncSession):
    """The same for async code."""

    async def __aexit__(self, type_: Any, value: Any, traceback: Any) -> None:
        try:
            if value is None:
                await self.commit()
        finally:
            await super().__aexit__(type_, value, traceback)


# --- What sessions do ------------------------------------------------------------------------------------------------


def _begun(session: JoinedSession, _: SessionTransaction, connection: sa.Connection) -> None:
    part = _part(connection)
    part.belongs_to(session, connection)
    session._part = part


def _check(session: JoinedSession, _: Any) -> None:
    session.check()


def _flushed(session: JoinedSession, _: UOWTransaction) -> None:
    """Remembers what is to be done with objects when it is not the session that takes back what it has written."""
    for entity in session.deleted:
        if isinstance(entity, Entity):
            session.wrote(entity)
    plain = [
        [known for known in written if not isinstance(known, Entity)]
        for written in (session.new, session.dirty, session.deleted)
    ]
    if any(plain):
        session.undo(partial(_unwritten_objects, *plain))


def _committed(session: JoinedSession) -> None:
    # Without `expire_on_commit` SQLAlchemy tells nobody that what was deleted is gone.
    if not session.in_nested_transaction() and session._transaction is not None:
        for state in list(session._transaction._deleted):
            entity = state.obj()
            if isinstance(entity, Entity):
                changes.saved(entity, 0)
                _followed(entity)


def _undone(part: Part, function: Callable[[], None]) -> None:
    if not part.is_restored:
        function()


def _unwritten(entity: Entity, version: int, originals: dict[str, Any]) -> None:
    session = object_session(entity)
    if session is not None:
        # What would be written by the next flush, without a word, is what was to be taken back.
        session.expunge(entity)
    changes.restore(entity, version, originals)
    _followed(entity)


def _unwritten_objects(new: list[Any], changed: list[Any], deleted: list[Any]) -> None:
    for written in new:
        make_transient(written)
    for written in changed:
        session = object_session(written)
        if session is not None and written in session:
            session.expire(written)
    for written in deleted:
        make_transient(written)
        make_transient_to_detached(written)


def _followed(entity: Entity) -> None:
    follow = type(entity).__nitro_follow__
    if follow is not None:
        follow(entity)


event.listen(JoinedSession, "after_begin", _begun)
event.listen(JoinedSession, "before_attach", _check)
event.listen(JoinedSession, "after_flush", _flushed)
event.listen(JoinedSession, "after_commit", _committed)


# --- Engines ---------------------------------------------------------------------------------------------------------


def options(database: Database, connect: Callable[[Part, Any], Any], *, is_async: bool) -> dict[str, Any]:
    """What an engine is made with whose connections are those of the transactions that are going on.

    Args:
        database: Whose transactions.
        connect: Makes what SQLAlchemy takes for a connection.
        is_async: Whether the transactions are those of async code.
    """

    def creator() -> Any:
        transaction = database._transaction(is_async=is_async)
        assert transaction is not None, "a session looks whether there is one"
        return connect(Part(database, transaction), transaction.connection)

    return {"creator": creator, "poolclass": NullPool, "echo": database.settings.sql_echo}


def prepare(engine: sa.Engine) -> None:
    """Has the transactions of an engine, and their savepoints, be savepoints of ours."""
    event.listen(engine, "begin", _begin)
    event.listen(engine, "savepoint", _savepoint)
    event.listen(engine, "rollback_savepoint", _rollback_savepoint)
    event.listen(engine, "release_savepoint", _release_savepoint)


def _begin(connection: sa.Connection) -> None:
    cast("Any", connection.connection.dbapi_connection).begin()


def _part(connection: sa.Connection) -> Part:
    return cast("Any", connection.connection.dbapi_connection).part


def _savepoint(connection: sa.Connection, _: str | None) -> None:
    _part(connection).nested()


def _rollback_savepoint(connection: sa.Connection, name: str, _: None) -> None:
    _part(connection).nested_rollback(name)


def _release_savepoint(connection: sa.Connection, name: str, _: None) -> None:
    _part(connection).nested_release(name)
