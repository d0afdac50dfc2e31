"""Where entities live: what a backend is, and which backend a class has."""

from __future__ import annotations

import datetime
import threading
import zlib
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    nullcontext,
)
from dataclasses import dataclass
from types import EllipsisType, FunctionType
from typing import TYPE_CHECKING, Any, TypeVar

from . import _core, changes
from ._core import Condition, FieldRef
from .errors import ConfigurationError, UnsupportedQuery
from .expressions import field_of
from .queries import Page, Query, cursor_bytes, cursor_text

if TYPE_CHECKING:
    from .entity import Entity

E = TypeVar("E", bound="Entity")
C = TypeVar("C")

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
