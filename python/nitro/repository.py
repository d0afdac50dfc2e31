"""Where entities live: what a backend is, and which backend a class has."""

from __future__ import annotations

import datetime
import os
import sys
import threading
import zlib
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Iterable, Iterator, Mapping
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
    nullcontext,
)
from dataclasses import dataclass
from itertools import takewhile
from types import EllipsisType, FunctionType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

from . import _core, changes
from ._core import Condition, FieldRef
from .errors import ConfigurationError, NitroError, UnsupportedQuery, WriteConflict
from .expressions import field_of
from .queries import Page, Query, cursor_bytes, cursor_text

if TYPE_CHECKING:
    from .entity import Entity

E = TypeVar("E", bound="Entity")
C = TypeVar("C")
T = TypeVar("T", "threading.Event", "_Turn")

_IN_MEMORY = "; .in_memory() reads everything, and filters and sorts here"

#: Seconds that a saved entity is kept: None for ever, Ellipsis for what the class says.
Ttl = float | None | EllipsisType


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a backend can do. The conformance suite tests what is declared."""

    #: The object that `get` hands out is the record: an assignment is seen by everyone at once.
    live: bool = False
    #: A save over a version that moved is refused.
    versions: bool = False
    #: `unique=True` is enforced.
    unique: bool = False
    #: Entities can expire.
    ttl: bool = False
    #: Sorts by any field.
    ordering: bool = False
    #: Conditions that the backend answers itself, by the names of `Condition.operator`; None for all of them.
    operators: frozenset[str] | None = None
    #: Looks into nested models, dictionaries and lists: `Order.address.city`, `Order.lines.any(...)`.
    paths: bool = False
    #: Has `locked` and `alocked`.
    locks: bool = False
    #: Changes in a unit of work are kept together or not at all, and nobody sees a part of them.
    transactions: bool = False
    #: What was written can be taken back: has `taking_back`.
    undo: bool = False
    #: Some of the changes in a unit of work can be taken back without the others: has `savepoint`.
    savepoints: bool = False


@dataclass(frozen=True, slots=True)
class CommandKey:
    """An idempotency key of a command, for as long as nobody else can use it."""

    #: (arguments, result) as they were recorded by the call that used it before; None where this is the first.
    known: tuple[str, str] | None
    #: Records the result of this call, in the transaction that is going on.
    record: Callable[[str], None]
    #: The same for async code.
    arecord: Callable[[str], Awaitable[None]]
    #: Takes back what was recorded, where no transaction does.
    forget: Callable[[], None]


def takes_command_keys(entity_class: type) -> bool:
    """Whether a class has a command that takes idempotency keys."""
    for base in entity_class.__mro__:
        for value in list(vars(base).values()):
            function = getattr(value, "__func__", value)
            if isinstance(function, FunctionType) and getattr(
                getattr(function, "__nitro_command__", None), "idempotent", False
            ):
                return True
    return False


class Repository(ABC):
    """A store of entities of any number of classes. Safe from any thread.

    A backend has to say how to `get`, `select`, `save`, `delete` and `refresh`; the rest follows from these, and is
    there to be replaced by something faster. The methods with an `a` in front call the ones without.
    """

    capabilities: Capabilities = Capabilities()

    # --- What a backend must have ---

    @abstractmethod
    def get(self, entity_class: type[E], key: Any) -> E | None:
        """The entity with this key, which has the key field's type; None when there is none."""

    @abstractmethod
    def select(self, query: Query[E]) -> list[E]:
        """What a query finds: `_class`, `_conditions`, `_order`, `_limit` and `_offset` say what is asked.

        Raises:
            UnsupportedQuery: If the backend cannot answer.
        """

    @abstractmethod
    def save(self, entity: Entity, *, ttl: Ttl = ...) -> None:
        """Stores the entity and what changed in it.

        Args:
            entity: A new entity, or one that was loaded or saved before.
            ttl: Seconds until it is gone; None keeps it for ever; Ellipsis does what its class says.

        Raises:
            StaleEntityError: If the stored version moved since the entity was loaded.
            UniqueViolation: If another entity has the same key, or the same value in a unique field.
        """

    @abstractmethod
    def delete(self, entity: Entity) -> None:
        """Removes the entity.

        Raises:
            EntityNotFound: If it is not stored.
            StaleEntityError: If the stored version moved since the entity was loaded.
        """

    @abstractmethod
    def refresh(self, entity: Entity) -> None:
        """Gives the entity the values of the stored record.

        Raises:
            EntityNotFound: If it is not stored.
        """

    # --- What it begins with ---

    def check_save(self, entity_class: type[Entity], ttl: Ttl = ...) -> float | None:
        """The seconds that an entity which is saved now is kept; None keeps it for ever.

        Raises:
            UnsupportedQuery: If the class or the save asks for what `capabilities` does not declare.
        """
        kept = entity_class.__nitro_ttl__ if isinstance(ttl, EllipsisType) else ttl
        name = type(self).__name__
        if kept is not None and not self.capabilities.ttl:
            raise UnsupportedQuery(
                f"{name} keeps every {entity_class.__name__} for ever: save it without ttl={kept}, or use a backend "
                "whose entities can expire"
            )
        if not self.capabilities.unique:
            for index, _, unique in entity_class.__nitro_indexes__:
                if unique:
                    raise UnsupportedQuery(
                        f"{name} cannot keep {entity_class.__name__}.{index} unique: declare it without unique=True, "
                        "or use a backend that can"
                    )
        return kept

    def check_query(self, query: Query[Any]) -> None:
        """Whether the backend may be asked this.

        Raises:
            UnsupportedQuery: If the query asks for what `capabilities` does not declare, and does not allow it to be
                done in memory.
        """
        if query._in_memory:
            return
        for condition in query._conditions:
            self._check_condition(condition)
        for ordering in query._order:
            if not self.capabilities.ordering:
                raise UnsupportedQuery(f"{type(self).__name__} does not sort by {ordering.field!r}{_IN_MEMORY}")
            self._check_path(ordering.field)

    def _check_condition(self, condition: Condition) -> None:
        operators = self.capabilities.operators
        if operators is not None and condition.operator not in operators:
            raise UnsupportedQuery(
                f"{type(self).__name__} has no {condition.operator!r} to answer {condition!r}{_IN_MEMORY}"
            )
        for operand in condition.operands:
            if isinstance(operand, Condition):
                # The items of a list are looked at from within.
                if condition.operator != "any":
                    self._check_condition(operand)
            elif isinstance(operand, FieldRef):
                self._check_path(operand, inside=condition.operator == "any")

    def _check_path(self, field: FieldRef, *, inside: bool = False) -> None:
        if (inside or len(field._path) > 1) and not self.capabilities.paths:
            raise UnsupportedQuery(
                f"{type(self).__name__} does not look inside of fields, as {field!r} does{_IN_MEMORY}"
            )

    # --- What follows from it ---

    def get_many(self, entity_class: type[E], keys: Iterable[Any]) -> list[E]:
        """The entities with these keys, in the keys' order; keys that nobody has are passed over."""
        found = (self.get(entity_class, key) for key in keys)
        return [entity for entity in found if entity is not None]

    def save_all(self, entities: Iterable[Entity], *, ttl: Ttl = ...) -> None:
        """Stores many entities, in order; stops at the first that is refused."""
        for entity in entities:
            self.save(entity, ttl=ttl)

    def upsert(self, entity: Entity, *, ttl: Ttl = ...) -> None:
        """Stores the entity with all its values, whether its key is stored or not and whatever the version is.

        Raises:
            UniqueViolation: If another entity has the same value in a unique field.
        """
        cls = type(entity)
        stored = self.get(cls, entity.__dict__[cls.__nitro_key__])
        if stored is None or stored is entity:
            self.save(entity, ttl=ttl)
        elif self.capabilities.live:
            # There is one object for a record: this one from here on.
            self.delete(stored)
            changes.saved(entity, 0)
            self.save(entity, ttl=ttl)
        else:
            for name in cls.__pydantic_fields__:
                setattr(stored, name, entity.__dict__[name])
            self.save(stored, ttl=ttl)
            changes.renew(entity, stored)

    def stream(self, query: Query[E]) -> Iterator[E]:
        """What a query finds, one after the other; a backend may read on while somebody looks at them."""
        yield from self.select(query)

    def count(self, query: Query[Any]) -> int:
        """How many a query finds."""
        return len(self.select(query))

    def page(self, query: Query[E], limit: int, after: str | None, total: bool) -> Page[E]:
        """At most `limit` of what a query finds, after the cursor `after`; the number of all where `total`.

        Raises:
            ValueError: If `after` is no cursor of this query.
        """
        everything = query.limit(None)
        positions = [(_position(entity, query), entity) for entity in self.select(everything.offset(0))]
        positions.sort(key=lambda pair: pair[0])
        if after is None:
            del positions[: query._offset]
        else:
            reached = _cursor_of(after, query)
            positions = [pair for pair in positions if pair[0] > reached]
        items = positions[:limit]
        cursor = cursor_text(_signature(query) + items[-1][0]) if len(positions) > limit else None
        return Page([entity for _, entity in items], cursor, self.count(everything) if total else None)

    def delete_all(self, query: Query[Any]) -> int:
        """Deletes what a query finds, and tells how many that was."""
        found = self.select(query)
        for entity in found:
            self.delete(entity)
        return len(found)

    def update_all(self, query: Query[Any], values: Mapping[str, Any]) -> int:
        """Gives what a query finds new values, and tells how many that was."""
        found = self.select(query)
        for entity in found:
            for name, value in values.items():
                setattr(entity, name, value)
            self.save(entity)
        return len(found)

    def aggregate(
        self, query: Query[Any], function: str, field: FieldRef | None, group_by: tuple[FieldRef, ...] = ()
    ) -> Any:
        """`count`, `sum`, `avg`, `min` or `max` of a field over what a query finds; by group where there are any."""
        found = self.select(query)
        if not group_by:
            return summed_up(function, [_core.value_at(entity, field) for entity in found] if field else found)
        groups: dict[bytes, tuple[Any, list[Any]]] = {}
        for entity in found:
            names = tuple(_core.value_at(entity, by) for by in group_by)
            name: Any = names[0] if len(names) == 1 else names
            members = groups.setdefault(_core.sort_key(names), (name, []))[1]
            members.append(_core.value_at(entity, field) if field else entity)
        return {name: summed_up(function, members) for name, members in groups.values()}

    def explain(self, query: Query[Any]) -> str:
        """How a query would be answered, for people."""
        return f"{type(self).__name__} reads {query!r}"

    def clear(self, entity_class: type[Entity] | None = None) -> None:  # noqa: ARG002  (what others do)
        """Forgets every entity of a class, or every entity: for tests."""
        raise UnsupportedQuery(f"{type(self).__name__} cannot be cleared")

    def locked(self, entity_class: type[E], key: Any) -> AbstractContextManager[E]:  # noqa: ARG002  (what others do)
        """The entity with this key, while nobody else has it `locked`.

        Whoever has it may lock it again. Inside of a unit of work, where the backend has no transactions, the lock is
        left when the unit is kept or given up, and not at the end of the block.

        Raises:
            EntityNotFound: If there is none.
            WriteConflict: If whoever has it waits for what is locked here.
        """
        raise UnsupportedQuery(f"{type(self).__name__} has no locks")

    def command_key(
        self,
        entity_class: type[Entity],  # noqa: ARG002  (what others do)
        command: str,
        key: str,  # noqa: ARG002
        arguments: str,  # noqa: ARG002
    ) -> AbstractContextManager[CommandKey]:
        """The idempotency key of a command, when nobody else is using it.

        Where the backend has transactions it is called inside of one, which nobody else can use it before the end of;
        where it has none, it is left when the unit of work is kept or given up. The same unit may use it again.

        Args:
            entity_class: The class of the command.
            command: Its name; no two commands share a key.
            key: What the caller has given.
            arguments: What tells calls with the same arguments from others.

        Raises:
            WriteConflict: If another call has been using it for too long.
        """
        raise UnsupportedQuery(f"{type(self).__name__} keeps no keys, which {command} with idempotent=True needs")

    def forget_command_keys(self, older_than: datetime.timedelta) -> int:  # noqa: ARG002  (as above)
        """Forgets the idempotency keys that were used first longer ago than that, and tells how many those were."""
        raise UnsupportedQuery(f"{type(self).__name__} keeps no idempotency keys of commands")

    def transaction(self, isolation: str | None = None) -> AbstractContextManager[object]:  # noqa: ARG002  (what others do)
        """What is changed inside is kept together or not at all, where the backend declares `transactions`.

        Args:
            isolation: "read committed", "repeatable read" or "serializable"; None takes what the backend does by
                itself.
        """
        return nullcontext()

    @property
    def transaction_scope(self) -> object:
        """What a transaction spans: repositories that have one in common share their transactions."""
        return self

    def waits(self, *, is_reading: bool) -> bool:  # noqa: ARG002  (what others do)
        """Whether to read, or to write, may mean to wait now, for another process or for who has a connection: an event
        loop lets a thread do that."""
        return True

    def stand_apart(self) -> None:  # noqa: B027  (most have no transactions)
        """The running task, or thread, has no part in a transaction of the one that has started it."""

    def taking_back(self, entity: Entity) -> Callable[[], None]:  # noqa: ARG002  (what others do)
        """A function that takes back whatever is written of the entity from now on: see `Capabilities.undo`."""
        raise UnsupportedQuery(f"{type(self).__name__} cannot take back what it has written")

    def savepoint(self) -> AbstractContextManager[object]:
        """What is changed inside of it, inside of a `transaction`, is taken back when it ends with an exception.

        Raises:
            UnsupportedQuery: Where the backend does not declare `savepoints`.
        """
        raise UnsupportedQuery(f"{type(self).__name__} has no savepoints")

    def _remember(self, entity_class: type[Entity]) -> None:  # noqa: B027  (most have no quicker way)
        """Called when entities of a class are looked up that lives here: a chance to be quicker the next time."""

    # --- The same for async code ---

    async def aget(self, entity_class: type[E], key: Any) -> E | None:
        """`get`, for async code."""
        return self.get(entity_class, key)

    def alocked(self, entity_class: type[E], key: Any) -> AbstractAsyncContextManager[E]:  # noqa: ARG002  (as above)
        """`locked`, for async code: the event loop goes on while it waits."""
        raise UnsupportedQuery(f"{type(self).__name__} has no locks")

    def acommand_key(
        self, entity_class: type[Entity], command: str, key: str, arguments: str
    ) -> AbstractAsyncContextManager[CommandKey]:
        """`command_key`, for async code."""
        return _awaited(self.command_key(entity_class, command, key, arguments))

    async def aforget_command_keys(self, older_than: datetime.timedelta) -> int:
        """`forget_command_keys`, for async code."""
        return self.forget_command_keys(older_than)

    def atransaction(self, isolation: str | None = None) -> AbstractAsyncContextManager[object]:  # noqa: ARG002  (as above)
        """`transaction`, for async code.

        A task may be cancelled while it commits. Where that is kept, and CancelledError raised nevertheless, what was
        entered has an attribute `is_kept` that is true then.
        """
        return nullcontext()

    def asavepoint(self) -> AbstractAsyncContextManager[object]:
        """`savepoint`, for async code; `is_kept` as for `atransaction`."""
        raise UnsupportedQuery(f"{type(self).__name__} has no savepoints")

    async def aget_many(self, entity_class: type[E], keys: Iterable[Any]) -> list[E]:
        """`get_many`, for async code."""
        return self.get_many(entity_class, keys)

    async def aselect(self, query: Query[E]) -> list[E]:
        """`select`, for async code."""
        return self.select(query)

    async def aupsert(self, entity: Entity, *, ttl: Ttl = ...) -> None:
        """`upsert`, for async code."""
        self.upsert(entity, ttl=ttl)

    async def astream(self, query: Query[E]) -> AsyncIterator[E]:
        """`stream`, for async code."""
        for entity in await self.aselect(query):
            yield entity

    async def acount(self, query: Query[Any]) -> int:
        """`count`, for async code."""
        return self.count(query)

    async def apage(self, query: Query[E], limit: int, after: str | None, total: bool) -> Page[E]:
        """`page`, for async code."""
        return self.page(query, limit, after, total)

    async def asave(self, entity: Entity, *, ttl: Ttl = ...) -> None:
        """`save`, for async code."""
        self.save(entity, ttl=ttl)

    async def asave_all(self, entities: Iterable[Entity], *, ttl: Ttl = ...) -> None:
        """`save_all`, for async code."""
        self.save_all(entities, ttl=ttl)

    async def adelete(self, entity: Entity) -> None:
        """`delete`, for async code."""
        self.delete(entity)

    async def arefresh(self, entity: Entity) -> None:
        """`refresh`, for async code."""
        self.refresh(entity)

    async def adelete_all(self, query: Query[Any]) -> int:
        """`delete_all`, for async code."""
        return self.delete_all(query)

    async def aupdate_all(self, query: Query[Any], values: Mapping[str, Any]) -> int:
        """`update_all`, for async code."""
        return self.update_all(query, values)

    async def aaggregate(
        self, query: Query[Any], function: str, field: FieldRef | None, group_by: tuple[FieldRef, ...] = ()
    ) -> Any:
        """`aggregate`, for async code."""
        return self.aggregate(query, function, field, group_by)


@asynccontextmanager
async def _awaited(manager: AbstractContextManager[C]) -> AsyncGenerator[C]:
    with manager as entered:
        yield entered


def summed_up(function: str, values: list[Any]) -> Any:
    """`count`, `sum`, `avg`, `min` or `max` of values; None is passed over."""
    if function == "count":
        return len(values)
    present = [value for value in values if value is not None]
    if function == "sum":
        return _added(present) if present else 0
    if not present:
        return None
    if function == "avg":
        return _added(present) / len(present)
    return (min if function == "min" else max)(present, key=_core.sort_key)


def _added(values: list[Any]) -> Any:
    # Not every value that can be added can be added to 0.
    first, *rest = values
    return sum(rest, first)


def _position(entity: Entity, query: Query[Any]) -> bytes:
    """Where an entity stands in the order of a query, no two at the same place."""
    return query._place(entity) + _core.sort_key(
        _core.value_at(entity, field_of(type(entity), type(entity).__nitro_key__))
    )


def _signature(query: Query[Any]) -> bytes:
    """What a cursor of a query begins with: one of another order is no cursor of it."""
    return zlib.crc32(repr(query._order).encode(errors="surrogatepass")).to_bytes(4, "big")


def _cursor_of(after: str, query: Query[Any]) -> bytes:
    signature, reached = (cursor := cursor_bytes(after))[:4], cursor[4:]
    if signature != _signature(query) or not reached:
        raise ValueError("after takes the next_cursor of a page of the same query, in the same order")
    return reached


class _KeyLock:
    """A lock that somebody has, and those who wait for it, each with what tells them that it is theirs."""

    __slots__ = ("depth", "owner", "waiting")

    def __init__(self, owner: object) -> None:
        self.owner = owner
        self.depth = 1
        self.waiting: deque[tuple[object, threading.Event | _Turn]] = deque()


class _Wait(NamedTuple):
    """What somebody waits for."""

    lock: _KeyLock
    #: The thread that they run in.
    thread: int
    #: The event loop that goes on only when they do; None where it goes on meanwhile, or there is none.
    stops: object


# Those who wait for one another may do so for locks of several repositories, so all of them are seen together.
_guard = threading.Lock()
#: {who has a lock: how many}
_held: dict[object, int] = {}
_waits: dict[object, _Wait] = {}


class KeyLocks:
    """A lock for each key that somebody wants, for as long as somebody does.

    Threads and the tasks of event loops wait for one another, in the order in which they came. Whoever has the lock may
    take it again: the task, or the thread outside of any task. Who would wait for somebody who waits for them is told.

    Args:
        describe: What the lock of a key is called in errors.
    """

    def __init__(self, describe: Callable[[Any], str] = repr) -> None:
        self._describe = describe
        self._locks: dict[Any, _KeyLock] = {}

    @contextmanager
    def hold(self, key: Any) -> Generator[None]:
        """Waits until nobody else holds the lock of this key, and holds it.

        Raises:
            WriteConflict: If whoever holds it waits for a lock that is held here.
            NitroError: If a task of the event loop that would have to stop meanwhile holds it.
        """
        me = _running()
        turn = self._take(key, me, threading.Event)
        if turn is not None:
            try:
                turn.wait()
            except BaseException:
                self._leave(key, me, turn)
                raise
        try:
            yield
        finally:
            self._give(key)

    @asynccontextmanager
    async def ahold(self, key: Any) -> AsyncGenerator[None]:
        """`hold`, for async code: the event loop goes on meanwhile."""
        me = _running()
        turn = self._take(key, me, _Turn)
        if turn is not None:
            try:
                await turn.wait()
            except BaseException:
                self._leave(key, me, turn)
                raise
        try:
            yield
        finally:
            self._give(key)

    def _take(self, key: Any, me: object, turns: type[T]) -> T | None:
        """What to wait for; None where the lock is ours at once."""
        with _guard:
            lock = self._locks.get(key)
            if lock is None:
                self._locks[key] = _KeyLock(me)
                _held[me] = _held.get(me, 0) + 1
                return None
            if lock.owner == me:
                lock.depth += 1
                return None
            wait = _Wait(lock, threading.get_ident(), None if turns is _Turn else _running_loop())
            refusal = _refusal(me, wait)
            if refusal is None:
                turn = turns()
                lock.waiting.append((me, turn))
                _waits[me] = wait
                return turn
        kind, why = refusal
        raise kind(f"{self._describe(key)} {why}")

    def _give(self, key: Any) -> None:
        with _guard:
            lock = self._locks[key]
            lock.depth -= 1
            if lock.depth:
                return
            count = _held.pop(lock.owner) - 1
            if count:
                _held[lock.owner] = count
            while lock.waiting:
                lock.owner, turn = lock.waiting.popleft()
                _waits.pop(lock.owner, None)
                try:
                    turn.set()
                except RuntimeError:
                    continue  # its event loop is closed
                lock.depth = 1
                _held[lock.owner] = _held.get(lock.owner, 0) + 1
                return
            del self._locks[key]

    def _leave(self, key: Any, me: object, turn: threading.Event | _Turn) -> None:
        """Somebody waits no longer; the lock may be theirs already."""
        with _guard:
            lock = self._locks.get(key)
            is_ours = lock is not None and lock.owner == me
            if lock is not None and (me, turn) in lock.waiting:
                lock.waiting.remove((me, turn))
                _waits.pop(me, None)
        if is_ours:
            self._give(key)


def _refusal(me: object, wait: _Wait) -> tuple[type[NitroError], str] | None:
    """Why somebody may not wait: it would be for ever."""
    if me not in _held and wait.thread not in _held and wait.stops is None:
        # Nobody waits for them.
        return None
    stopped = {other.stops: waiter for waiter, other in _waits.items() if other.stops is not None}
    inside: dict[int, list[object]] = {}
    for waiter, other in _waits.items():
        inside.setdefault(other.thread, []).append(waiter)
    found: tuple[type[NitroError], str] | None = None
    seen: set[object] = set()
    # Who comes before in the queue has to come to an end, too.
    waiting = [wait.lock.owner, *(other for other, _ in wait.lock.waiting)]
    while waiting:
        other = waiting.pop()
        if other == me:
            return WriteConflict, _DEADLOCK
        if other in seen:
            continue
        seen.add(other)
        its = _waits.get(other)
        if its is not None and its.lock is not wait.lock:
            waiting.append(its.lock.owner)
            waiting += takewhile(lambda one, other=other: one != other, (one for one, _ in its.lock.waiting))
        if isinstance(other, int):
            if other == wait.thread:
                return (NitroError, _AROUND_THE_LOOP) if other == wait.lock.owner else (WriteConflict, _DEADLOCK)
            # It goes on when the event loop that it runs has ended.
            waiting += inside.get(other, ())
        else:
            loop = cast("Any", other).get_loop()
            if loop is wait.stops:
                found = NitroError, _IN_THE_LOOP
            elif loop in stopped:
                waiting.append(stopped[loop])
    return found


_DEADLOCK = (
    "is locked by another thread or task, which waits for what this one has locked (a deadlock): this one is given up, "
    "repeat it (@command(retry=...) does), and lock in the same order everywhere"
)
_IN_THE_LOOP = (
    "is locked, and another task of this event loop has to go on before it is not, which it could not while this one "
    "waits: lock it by `async with ...alocked(...)`, which lets the others go on"
)
_AROUND_THE_LOOP = (
    "is locked, and this thread has it locked outside of the event loop that it runs, to whose end it is kept: "
    "lock it inside of the loop, or outside, and not in both"
)


class _Turn:
    """What `threading.Event` is, for a task."""

    def __init__(self) -> None:
        import asyncio

        self._loop = asyncio.get_running_loop()
        self._future = self._loop.create_future()

    def set(self) -> None:
        """Lets the task go on. From any thread.

        Raises:
            RuntimeError: If the event loop is closed.
        """
        self._loop.call_soon_threadsafe(self._go_on)

    def _go_on(self) -> None:
        if not self._future.done():
            self._future.set_result(None)

    async def wait(self) -> None:
        """Waits until it is set."""
        await self._future


def _running_loop() -> object:
    asyncio: Any = sys.modules.get("asyncio")
    return None if asyncio is None else asyncio._get_running_loop()


def _running() -> object:
    """Who is running: the task; outside of any the number of the thread."""
    asyncio: Any = sys.modules.get("asyncio")
    if asyncio is not None and asyncio._get_running_loop() is not None:
        task = asyncio.current_task()
        if task is not None:
            return task
    return threading.get_ident()


def _forked() -> None:
    global _guard
    _guard = threading.Lock()


os.register_at_fork(after_in_child=_forked)


_shared: dict[type, Repository] = {}
_shared_lock = threading.Lock()
_substitute: Callable[[type[Entity]], Repository] | None = None
#: The classes of the backends that entities name. To ask isinstance each time takes longer than all the rest.
_looked_at: set[type] = set()


def substitute(
    give: Callable[[type[Entity]], Repository] | None,
) -> Callable[[type[Entity]], Repository] | None:
    """Has a function give the repository of every class, whatever the class names; None ends that. For tests.

    Returns:
        What did so before.
    """
    global _substitute
    before, _substitute = _substitute, give
    _core.forget_tables()
    return before


def is_substituted() -> bool:
    """Whether classes live elsewhere than they say."""
    return _substitute is not None


def repository_of(entity_class: type[Entity]) -> Repository:
    """The repository of a class: the one it names, or the shared one of the backend class that it names.

    Raises:
        ConfigurationError: If what the class names is no backend.
    """
    if _substitute is not None:
        return _substitute(entity_class)
    backend = entity_class.__nitro_backend__
    if not isinstance(backend, type):
        return backend if type(backend) in _looked_at else _checked(entity_class, backend)
    repository = _shared.get(backend)
    if repository is None:
        with _shared_lock:
            repository = _shared.get(backend)
            if repository is None:
                repository = _shared[backend] = _checked(entity_class, backend())
    return repository


def _checked(entity_class: type, backend: object) -> Repository:
    if not isinstance(backend, Repository):
        raise ConfigurationError(
            f"{entity_class.__name__} names {backend!r} as its backend, which is no Repository: "
            "name a backend class such as MemoryRepo, or an instance of one"
        )
    _looked_at.add(type(backend))
    return backend
