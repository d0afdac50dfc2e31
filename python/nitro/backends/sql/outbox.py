"""The outbox and the inbox of a database: the events that wait to be delivered, and those that a handler has had.

A worker claims events for a time, its lease, and delivers them one after the other. An event goes when it is delivered,
and what the inbox says of it goes with it.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from ...errors import SchemaMismatch
from .database import Database, NoSuchTable, Row
from .moments import at, placed
from .types import BIG_INTEGER, Moment

if TYPE_CHECKING:
    from collections.abc import Generator

#: What is to be delivered, and what has failed too often.
WAITING, DEAD = "waiting", "dead"

_METADATA = sa.MetaData()


def _json() -> Any:
    # Text that is kept as it came: JSONB would put it in order, and takes no "\u0000".
    return sa.JSON().with_variant(sa.Text(), "sqlite")


OUTBOX = sa.Table(
    "nitro_outbox",
    _METADATA,
    sa.Column("position", BIG_INTEGER, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String(), nullable=False),
    sa.Column("signal", sa.String(), nullable=False),
    sa.Column("sender_class", sa.String(), nullable=False),
    sa.Column("sender_key", sa.String(), nullable=False),
    sa.Column("sender", _json(), nullable=False),
    sa.Column("keywords", _json(), nullable=False),
    sa.Column("handlers", _json(), nullable=False),
    sa.Column("created_at", Moment(), nullable=False),
    sa.Column("attempts", sa.Integer(), nullable=False),
    sa.Column("available_at", Moment(), nullable=False),
    sa.Column("claimed_by", sa.String()),
    sa.Column("claimed_until", Moment()),
    sa.Column("state", sa.String(), nullable=False),
    sa.Column("error", sa.String()),
    sa.UniqueConstraint("id", name="uq_nitro_outbox_id"),
    sa.Index("ix_nitro_outbox_sender", "sender_class", "sender_key", "position"),
)

INBOX = sa.Table(
    "nitro_inbox",
    _METADATA,
    sa.Column(
        "event_id",
        sa.String(),
        sa.ForeignKey("nitro_outbox.id", name="fk_nitro_inbox_event", ondelete="CASCADE"),
        primary_key=True,
    ),
    sa.Column("handler", sa.String(), primary_key=True),
)

TABLES: tuple[sa.Table, ...] = (OUTBOX, INBOX)

#: Functions that say whether a database is to have an outbox: who sends durable events, and who delivers them, says so.
wanted_by: list[Callable[[Database], bool]] = []


def tables_of(store: Database) -> tuple[sa.Table, ...]:
    """The tables of the outbox, where a database is to have one."""
    return TABLES if any(wants(store) for wants in wanted_by) else ()


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """A row of the outbox.

    Attributes:
        id: A UUIDv7.
        signal: The name of the signal.
        sender_class: The module-qualified name of the sender's class.
        sender_key: Its key, as text.
        sender: The sender as it was, as JSON.
        keywords: The keyword arguments, as JSON.
        handlers: The names of the handlers that it is for, as JSON.
        created_at: When it was sent.
        attempts: How often its delivery has failed.
        is_taken_over: Whether another worker had claimed it and has not said what became of it.
        error: What the last attempt failed with; None before any.
    """

    id: str
    signal: str
    sender_class: str
    sender_key: str
    sender: str
    keywords: str
    handlers: str
    created_at: datetime.datetime
    attempts: int = 0
    is_taken_over: bool = False
    error: str | None = None


_SELECTED = "id, signal, sender_class, sender_key, sender, keywords, handlers, created_at, attempts, claimed_by, error"

# "@" stands for this moment, or one that comes some seconds later: see `moments`.

#: What a worker may claim. An earlier event of the same entity that somebody has, or that waits to be tried again,
#: keeps the later ones; the others among the first are claimed together, so they stay in order.
_CLAIMABLE = """
FROM nitro_outbox AS o
WHERE state = 'waiting' AND available_at <= @ AND (claimed_until IS NULL OR claimed_until < @)
AND NOT EXISTS (
    SELECT 1 FROM nitro_outbox AS e
    WHERE e.sender_class = o.sender_class AND e.sender_key = o.sender_key AND e.position < o.position
    AND e.state = 'waiting' AND (e.available_at > @ OR e.claimed_until >= @)
)
ORDER BY position LIMIT ?"""

#: PostgreSQL's lock of whoever claims: two that looked at the same time could each take events of one entity.
_CLAIMING = int.from_bytes(b"nitro ob", "big")

_ADD = (
    "INSERT INTO nitro_outbox (id, signal, sender_class, sender_key, sender, keywords, handlers, created_at, attempts, "
    "available_at, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, @, 'waiting')"
)
_FAILED = (
    "UPDATE nitro_outbox SET attempts = ?, available_at = @, state = ?, error = ?, claimed_by = NULL, "
    "claimed_until = NULL WHERE id = ? AND claimed_by = ?"
)
_RELEASE = "UPDATE nitro_outbox SET claimed_by = NULL, claimed_until = NULL WHERE claimed_by = ?"
_REPLAY = "UPDATE nitro_outbox SET state = 'waiting', attempts = 0, available_at = @, error = NULL WHERE state = 'dead'"

#: What failed last at that moment, or before.
_LONG_DEAD = "FROM nitro_outbox WHERE state = 'dead' AND available_at <= @"


class Outbox:
    """The outbox and the inbox of one database.

    Statements are part of the transaction that whoever calls is inside of, if any. What time it is the database says.

    Args:
        store: The database.
    """

    def __init__(self, store: Database) -> None:
        self.store = store
        self._is_postgres = store.dialect.name == "postgresql"
        encode, decode = Moment().codec(store.dialect.name)
        assert encode is not None, "moments have a form of their own in each database"
        assert decode is not None, "moments have a form of their own in each database"
        self._moment_in, self._moment_out = encode, decode
        # While a handler runs, the event must not go: who takes it over waits with its own row in the inbox.
        lock = " FOR KEY SHARE" if self._is_postgres else ""
        self._receive = self._sql(
            "INSERT INTO nitro_inbox (event_id, handler) SELECT id, ? FROM nitro_outbox "
            f"WHERE id = ? AND claimed_by = ?{lock} ON CONFLICT DO NOTHING"
        )

        self._deliver = self._sql("DELETE FROM nitro_outbox WHERE id = ? AND claimed_by = ?")

    def _sql(self, sql: str) -> str:
        return placed(self.store, sql)

    def _at(self, seconds: float = 0.0) -> tuple[Any, ...]:
        return at(self.store, seconds)

    # --- Sending ---

    def add(self, event: StoredEvent) -> None:
        """Writes an event.

        Raises:
            Unfit: If the database does not take one of its texts.
        """
        with self._translated():
            self.store.execute(self._sql(_ADD), self._row(event))

    async def aadd(self, event: StoredEvent) -> None:
        """`add`, for async code."""
        with self._translated():
            await self.store.aexecute(self._sql(_ADD), self._row(event))

    def _row(self, event: StoredEvent) -> Sequence[Any]:
        texts = (event.signal, event.sender_class, event.sender_key, event.sender, event.keywords, event.handlers)
        return (event.id, *texts, self._moment_in(event.created_at), *self._at())

    # --- Delivering ---

    def claim(self, worker: str, *, limit: int, lease: float) -> list[StoredEvent]:
        """Claims events that can be delivered, in their order.

        Args:
            worker: Who claims.
            limit: How many at most.
            lease: Seconds until others may take over what is still there.
        """
        find = self._sql(f"SELECT position, {_SELECTED} {_CLAIMABLE}")
        now = 4 * self._at()
        with self._translated():
            # Who only looks whether there is anything keeps nobody waiting.
            if not self.store.fetch_all(self._sql(f"SELECT 1 {_CLAIMABLE}"), (*now, 1)):
                return []
            with self.store.transaction():
                if self._is_postgres:
                    self.store.fetch_one(f"SELECT pg_advisory_xact_lock({_CLAIMING})", ())
                rows = self.store.fetch_all(find, (*now, limit))
                if rows:
                    places = ", ".join("?" for _ in rows)
                    claim = f"UPDATE nitro_outbox SET claimed_by = ?, claimed_until = @ WHERE position IN ({places})"
                    self.store.execute(self._sql(claim), (worker, *self._at(lease), *(row[0] for row in rows)))
        return [self._event(row[1:]) for row in rows]

    def renew(self, worker: str, *, lease: float) -> None:
        """Lets a worker keep what it has claimed for another lease, in seconds from now."""
        sql = self._sql("UPDATE nitro_outbox SET claimed_until = @ WHERE claimed_by = ?")
        self.store.execute(sql, (*self._at(lease), worker))

    def release(self, worker: str) -> None:
        """Gives back what a worker has claimed and not delivered."""
        self.store.execute(self._sql(_RELEASE), (worker,))

    def receive(self, event_id: str, handler: str, worker: str) -> bool:
        """Writes into the inbox that a handler has an event, in the transaction in which it runs.

        Returns:
            False if it has had it before, or if the worker has no claim on the event any more.
        """
        return bool(self.store.execute(self._receive, (handler, event_id, worker)))

    async def areceive(self, event_id: str, handler: str, worker: str) -> bool:
        """`receive`, for async code."""
        return bool(await self.store.aexecute(self._receive, (handler, event_id, worker)))

    def attempt(self, event: StoredEvent, worker: str) -> None:
        """Counts an attempt before it is made: the one before may have ended the process that made it."""
        self.store.execute(
            self._sql("UPDATE nitro_outbox SET attempts = ? WHERE id = ? AND claimed_by = ?"),
            (event.attempts + 1, event.id, worker),
        )

    def delivered(self, event_id: str, worker: str) -> bool:
        """Removes an event that every handler has had, and what the inbox says of it.

        Returns:
            False if the worker has no claim on it any more.
        """
        return bool(self.store.execute(self._deliver, (event_id, worker)))

    async def adelivered(self, event_id: str, worker: str) -> bool:
        """`delivered`, for async code."""
        return bool(await self.store.aexecute(self._deliver, (event_id, worker)))

    def failed(self, event: StoredEvent, worker: str, *, error: str, again_in: float | None) -> None:
        """Notes that a delivery has failed, and gives later events of the same entity back where they have to wait.

        Args:
            event: The event.
            worker: Who has tried.
            error: Why, for people.
            again_in: Seconds until it is to be tried again; None makes it a dead letter.
        """
        state = DEAD if again_in is None else WAITING
        # PostgreSQL has no NUL in its texts, and no half of a pair.
        text = error.replace("\0", "\ufffd").encode(errors="replace").decode()
        moment = self._at(again_in or 0.0)
        with self.store.transaction():
            self.store.execute(self._sql(_FAILED), (event.attempts + 1, *moment, state, text, event.id, worker))
            if again_in is not None:
                self.store.execute(
                    self._sql(f"{_RELEASE} AND sender_class = ? AND sender_key = ?"),
                    (worker, event.sender_class, event.sender_key),
                )

    # --- Looking ---

    def waiting(self) -> int:
        """How many events wait to be delivered."""
        return self._read("SELECT count(*) FROM nitro_outbox WHERE state = 'waiting'")[0][0]

    def dead(self) -> list[StoredEvent]:
        """The events that have failed too often, in their order."""
        sql = f"SELECT {_SELECTED} FROM nitro_outbox WHERE state = 'dead' ORDER BY position"
        return [self._event(row) for row in self._read(sql)]

    def replay(self, event_id: str | None) -> int:
        """Lets a dead event be tried again, or each of them where `event_id` is None; how many that were."""
        sql, parameters = (_REPLAY, ()) if event_id is None else (f"{_REPLAY} AND id = ?", (event_id,))
        with self._translated():
            return self.store.execute(self._sql(sql), (*self._at(), *parameters))

    def forget(self, seconds: float) -> int:
        """Removes what has been dead for so many seconds; how many that were."""
        with self._translated():
            # Who only looks keeps nobody waiting.
            if not self.store.fetch_all(self._sql(f"SELECT 1 {_LONG_DEAD} LIMIT 1"), self._at(-seconds)):
                return 0
            return self.store.execute(self._sql(f"DELETE {_LONG_DEAD}"), self._at(-seconds))

    def _read(self, sql: str) -> list[Row]:
        with self._translated():
            return self.store.fetch_all(sql, ())

    def _event(self, row: Row) -> StoredEvent:
        event_id, signal, sender_class, sender_key, sender, keywords, handlers, created, attempts, claimed_by, error = (
            row
        )
        return StoredEvent(
            id=event_id,
            signal=signal,
            sender_class=sender_class,
            sender_key=sender_key,
            sender=sender,
            keywords=keywords,
            handlers=handlers,
            created_at=self._moment_out(created),
            attempts=attempts,
            is_taken_over=claimed_by is not None,
            error=error,
        )

    # --- What went wrong ---

    @contextmanager
    def _translated(self) -> Generator[None]:
        try:
            yield
        except NoSuchTable as error:
            raise SchemaMismatch(
                f"{self.store.name} has no outbox as durable events need it ({error}): nitro.create_all() makes it "
                "where there is a durable handler or a relay, as do `nitro db revision` and `nitro db upgrade`"
            ) from error
