"""What stands in for repositories inside of a unit of work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Generator, Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from .. import _core, events
from .._ambient import set_stand_in
from ..entity import Entity, validate_changes
from ..errors import EntityNotFound, UnitOfWorkError
from ..queries import Page, Query
from ..repository import CommandKey, Repository, Ttl
from .unit import Unit, ambient

if TYPE_CHECKING:
    from .._core import FieldRef
    from ..events import LifecycleSignal

E = TypeVar("E", bound=Entity)
T = TypeVar("T")


#: What an entity was like before it was stored: the signal that tells of it, its key where that may change, its
#: version, what takes it back.
_Before = tuple["LifecycleSignal | None", Any, int, "Callable[[], None] | None"]


class Joined(Repository):
    """What stands in for a repository inside of a unit of work."""

    def __init__(self, unit: Unit, repository: Repository) -> None:
        self._unit, self._repository = unit, repository
        self.capabilities = able = repository.capabilities
        self._has_transactions = able.transactions
        self._has_undo = able.undo and not able.transactions
        self._is_later = not able.undo and not able.transactions

    # --- Reading ---

    def _begin_to_read(self) -> None:
        """Where an isolation level is asked for, what is read is part of the transaction too."""
        if self._unit.isolation is not None and self._has_transactions:
            self._unit.join(self._repository)

    async def _abegin_to_read(self) -> None:
        if self._unit.isolation is not None and self._has_transactions:
            await self._unit.ajoin(self._repository)

    def get(self, entity_class: type[E], key: Any) -> E | None:
        self._begin_to_read()
        known = self._unit.entities.get((entity_class, key))
        if known is not None:
            return known  # type: ignore[return-value]  (of this class)
        found = self._repository.get(entity_class, key)
        return None if found is None else self._found(found)

    def _found(self, entity: E) -> E | None:
        return None if self._is_later and self._unit.is_deleted(entity) else self._unit.known(entity)

    def _all_found(self, entities: Iterable[E]) -> list[E]:
        found = map(self._found, entities)
        return [entity for entity in found if entity is not None]

    def get_many(self, entity_class: type[E], keys: Iterable[Any]) -> list[E]:
        self._begin_to_read()
        return self._all_found(self._repository.get_many(entity_class, keys))

    def select(self, query: Query[E]) -> list[E]:
        self._begin_to_read()
        return self._all_found(self._repository.select(query))

    def stream(self, query: Query[E]) -> Iterator[E]:
        self._begin_to_read()
        # There may be more of them than can be kept.
        for entity in self._repository.stream(query):
            if not (self._is_later and self._unit.is_deleted(entity)):
                yield self._unit.streamed(entity)

    def page(self, query: Query[E], limit: int, after: str | None, total: bool) -> Page[E]:
        self._begin_to_read()
        page = self._repository.page(query, limit, after, total)
        return Page(self._all_found(page.items), page.next_cursor, page.total)

    def count(self, query: Query[Any]) -> int:
        self._begin_to_read()
        return self._repository.count(query)

    def aggregate(
        self, query: Query[Any], function: str, field: FieldRef | None, group_by: tuple[FieldRef, ...] = ()
    ) -> Any:
        self._begin_to_read()
        return self._repository.aggregate(query, function, field, group_by)

    def explain(self, query: Query[Any]) -> str:
        return self._repository.explain(query)

    @contextmanager
    def locked(self, entity_class: type[E], key: Any) -> Generator[E]:
        with self._to_the_end(self._repository.locked(entity_class, key)) as entity:
            yield self._unit.newest(entity)

    def command_key(
        self, entity_class: type[Entity], command: str, key: str, arguments: str
    ) -> AbstractContextManager[CommandKey]:
        return self._to_the_end(self._repository.command_key(entity_class, command, key, arguments))

    @contextmanager
    def _to_the_end(self, lock: AbstractContextManager[T]) -> Generator[T]:
        """Enters a lock, and leaves it when the unit is kept or given up: until then, nobody else may count on it."""
        if self._has_transactions:
            # The transaction holds it.
            self._unit.join(self._repository)
            with lock as entered:
                yield entered
            return
        entered = lock.__enter__()
        try:
            yield entered
        finally:
            self._unit.hold(lock)

    # --- Writing ---

    def save(self, entity: Entity, *, ttl: Ttl = ...) -> None:
        if self._has_transactions and (_core.is_changed(entity) or not _core.version(entity)):
            self._unit.join(self._repository)
        before = self._before(entity)
        if self._is_later:
            self._save_later("save", entity, ttl)
        else:
            self._repository.save(entity, ttl=ttl)
        self._after(entity, before)

    def upsert(self, entity: Entity, *, ttl: Ttl = ...) -> None:
        if self._has_transactions:
            self._unit.join(self._repository)
        before = self._before(entity)
        if self._is_later:
            self._save_later("upsert", entity, ttl)
            self._after(entity, before)
            return
        was_there = self._looks(before) and self._repository.get(type(entity), _core.identity(entity)) is not None
        self._repository.upsert(entity, ttl=ttl)
        self._after(entity, _upserted(entity, before, was_there=was_there))

    def save_all(self, entities: Iterable[Entity], *, ttl: Ttl = ...) -> None:
        listed = list({id(entity): entity for entity in entities}.values())
        if self._has_transactions:
            self._unit.join(self._repository)
        if self._is_later:
            for entity in listed:
                self.save(entity, ttl=ttl)
            return
        before = [self._before(entity) for entity in listed]
        try:
            self._repository.save_all(listed, ttl=ttl)
        except BaseException:
            self._after_some(listed, before)
            raise
        for entity, it in zip(listed, before, strict=True):
            self._after(entity, it)

    def delete(self, entity: Entity) -> None:
        if self._has_transactions:
            self._unit.join(self._repository)
        before = self._before_delete(entity)
        if not self._is_later:
            self._repository.delete(entity)
        self._after_delete(entity, before)

    def delete_all(self, query: Query[Any]) -> int:
        if not self._has_transactions:
            return super().delete_all(query)
        self._unit.check_writes()
        self._unit.join(self._repository)
        count = self._repository.delete_all(query)
        self._unit.forget(query._class)
        return count

    def update_all(self, query: Query[Any], values: Mapping[str, Any]) -> int:
        if not self._has_transactions:
            return super().update_all(query, values)
        self._unit.check_writes()
        self._unit.join(self._repository)
        self._unit.write_many(query._class)
        count = self._repository.update_all(query, values)
        self._unit.forget(query._class)
        return count

    def refresh(self, entity: Entity) -> None:
        self._begin_to_read()
        self._unit.loaded(entity)
        self._repository.refresh(entity)

    def clear(self, entity_class: type[Entity] | None = None) -> None:
        self._repository.clear(entity_class)
        self._unit.forget(entity_class or Entity)

    @contextmanager
    def transaction(self, isolation: str | None = None) -> Generator[None]:
        check_isolation(self._unit, isolation)
        if self._has_transactions:
            self._unit.join(self._repository)
        with self._unit.savepoint():
            yield

    # --- What comes before and after ---

    def _before(self, entity: Entity) -> _Before:
        """Remembers what the entity is like before it is stored."""
        self._unit.write(entity)
        version = _core.version(entity)
        if not version:
            signal, key = events.created, None
        elif _core.is_changed(entity):
            signal, key = events.updated, _core.original_identity(entity)
        else:
            signal = key = None
        take_back = self._repository.taking_back(entity) if self._has_undo else None
        return signal, key, version, take_back

    def _after(self, entity: Entity, before: _Before) -> None:
        announced, key_before, _, take_back = before
        known, cls, key = self._unit.entities, type(entity), _core.identity(entity)
        if announced is None:
            # Nothing was stored: the object that is known for the record stays that.
            known.setdefault((cls, key), entity)
        else:
            known[cls, key] = entity
        if key_before is not None and key != key_before:
            known.pop((cls, key_before), None)
        if take_back is not None:
            self._unit.undo(take_back)
        if announced is not None and (announced.receivers or events.saved.receivers):
            changes = _core.changes(entity) if self._is_later else _core.previous_changes(entity)
            self._unit.announce(announced, entity, changes)
            self._unit.announce(events.saved, entity, changes)

    def _looks(self, before: _Before) -> bool:
        """Whether to look if a record is there that is going to be replaced: databases tell afterwards."""
        return not before[2] and not self.capabilities.transactions

    def _after_some(self, entities: list[Entity], before: list[_Before]) -> None:
        """Some may have been stored, and then another was refused, or the task cancelled."""
        for entity, it in zip(entities, before, strict=True):
            if _core.version(entity) != it[2]:
                self._after(entity, it)

    def _save_later(self, verb: str, entity: Entity, ttl: Ttl) -> None:
        self._repository.check_save(type(entity), ttl)
        validate_changes(entity)
        self._unit.later(self._repository, verb, entity, {"ttl": ttl})

    def _before_delete(self, entity: Entity) -> _Before:
        signal, _, version, take_back = self._before(entity)
        key = _core.original_identity(entity)
        if self._is_later:
            if not version and (type(entity), key) not in self._unit.entities:
                raise EntityNotFound(type(entity), key)
            self._unit.later(self._repository, "delete", entity, {})
        return signal, key, version, take_back

    def _after_delete(self, entity: Entity, before: _Before) -> None:
        _, key, _, take_back = before
        self._unit.entities.pop((type(entity), key), None)
        if take_back is not None:
            self._unit.undo(take_back)
        if events.deleted.receivers:
            self._unit.announce(events.deleted, entity, {})

    # --- The same for async code ---

    async def aget(self, entity_class: type[E], key: Any) -> E | None:
        await self._abegin_to_read()
        known = self._unit.entities.get((entity_class, key))
        if known is not None:
            return known  # type: ignore[return-value]  (of this class)
        found = await self._repository.aget(entity_class, key)
        return None if found is None else self._found(found)

    async def aget_many(self, entity_class: type[E], keys: Iterable[Any]) -> list[E]:
        await self._abegin_to_read()
        return self._all_found(await self._repository.aget_many(entity_class, keys))

    async def aselect(self, query: Query[E]) -> list[E]:
        await self._abegin_to_read()
        return self._all_found(await self._repository.aselect(query))

    async def astream(self, query: Query[E]) -> AsyncIterator[E]:
        await self._abegin_to_read()
        async for entity in self._repository.astream(query):
            if not (self._is_later and self._unit.is_deleted(entity)):
                yield self._unit.streamed(entity)

    async def apage(self, query: Query[E], limit: int, after: str | None, total: bool) -> Page[E]:
        await self._abegin_to_read()
        page = await self._repository.apage(query, limit, after, total)
        return Page(self._all_found(page.items), page.next_cursor, page.total)

    async def acount(self, query: Query[Any]) -> int:
        await self._abegin_to_read()
        return await self._repository.acount(query)

    async def aaggregate(
        self, query: Query[Any], function: str, field: FieldRef | None, group_by: tuple[FieldRef, ...] = ()
    ) -> Any:
        await self._abegin_to_read()
        return await self._repository.aaggregate(query, function, field, group_by)

    @asynccontextmanager
    async def alocked(self, entity_class: type[E], key: Any) -> AsyncGenerator[E]:
        async with self._ato_the_end(self._repository.alocked(entity_class, key)) as entity:
            yield self._unit.newest(entity)

    def acommand_key(
        self, entity_class: type[Entity], command: str, key: str, arguments: str
    ) -> AbstractAsyncContextManager[CommandKey]:
        return self._ato_the_end(self._repository.acommand_key(entity_class, command, key, arguments))

    @asynccontextmanager
    async def _ato_the_end(self, lock: AbstractAsyncContextManager[T]) -> AsyncGenerator[T]:
        if self._has_transactions:
            await self._unit.ajoin(self._repository)
            async with lock as entered:
                yield entered
            return
        if not self._unit.is_async:
            raise UnitOfWorkError(
                "inside of `with UnitOfWork()`, which awaits nothing at its end, async code cannot lock anything: "
                "write `async with UnitOfWork()`"
            )
        entered = await lock.__aenter__()
        try:
            yield entered
        finally:
            await self._unit.ahold(lock)

    async def asave(self, entity: Entity, *, ttl: Ttl = ...) -> None:
        if self._has_transactions and (_core.is_changed(entity) or not _core.version(entity)):
            await self._unit.ajoin(self._repository)
        before = self._before(entity)
        if self._is_later:
            self._save_later("save", entity, ttl)
        else:
            try:
                await self._repository.asave(entity, ttl=ttl)
            except asyncio.CancelledError:
                self._after_some([entity], [before])
                raise
        self._after(entity, before)

    async def aupsert(self, entity: Entity, *, ttl: Ttl = ...) -> None:
        if self._has_transactions:
            await self._unit.ajoin(self._repository)
        before = self._before(entity)
        if self._is_later:
            self._save_later("upsert", entity, ttl)
            self._after(entity, before)
            return
        was_there = (
            self._looks(before) and await self._repository.aget(type(entity), _core.identity(entity)) is not None
        )
        try:
            await self._repository.aupsert(entity, ttl=ttl)
        except asyncio.CancelledError:
            self._after_some([entity], [_upserted(entity, before, was_there=was_there)])
            raise
        self._after(entity, _upserted(entity, before, was_there=was_there))

    async def asave_all(self, entities: Iterable[Entity], *, ttl: Ttl = ...) -> None:
        listed = list({id(entity): entity for entity in entities}.values())
        if self._has_transactions:
            await self._unit.ajoin(self._repository)
        if self._is_later:
            for entity in listed:
                await self.asave(entity, ttl=ttl)
            return
        before = [self._before(entity) for entity in listed]
        try:
            await self._repository.asave_all(listed, ttl=ttl)
        except BaseException:
            self._after_some(listed, before)
            raise
        for entity, it in zip(listed, before, strict=True):
            self._after(entity, it)

    async def adelete(self, entity: Entity) -> None:
        if self._has_transactions:
            await self._unit.ajoin(self._repository)
        before = self._before_delete(entity)
        if not self._is_later:
            try:
                await self._repository.adelete(entity)
            except asyncio.CancelledError:
                if not _core.version(entity):
                    self._after_delete(entity, before)
                raise
        self._after_delete(entity, before)

    async def adelete_all(self, query: Query[Any]) -> int:
        if not self._has_transactions:
            found = await self.aselect(query)
            for entity in found:
                await self.adelete(entity)
            return len(found)
        self._unit.check_writes()
        await self._unit.ajoin(self._repository)
        count = await self._repository.adelete_all(query)
        self._unit.forget(query._class)
        return count

    async def aupdate_all(self, query: Query[Any], values: Mapping[str, Any]) -> int:
        if not self._has_transactions:
            found = await self.aselect(query)
            for entity in found:
                for name, value in values.items():
                    setattr(entity, name, value)
                await self.asave(entity)
            return len(found)
        self._unit.check_writes()
        await self._unit.ajoin(self._repository)
        self._unit.write_many(query._class)
        count = await self._repository.aupdate_all(query, values)
        self._unit.forget(query._class)
        return count

    async def arefresh(self, entity: Entity) -> None:
        await self._abegin_to_read()
        self._unit.loaded(entity)
        await self._repository.arefresh(entity)

    @asynccontextmanager
    async def atransaction(self, isolation: str | None = None) -> AsyncGenerator[None]:
        check_isolation(self._unit, isolation)
        if self._has_transactions:
            await self._unit.ajoin(self._repository)
        async with self._unit.asavepoint():
            yield


def _upserted(entity: Entity, before: _Before, *, was_there: bool) -> _Before:
    """What an upsert has done, as far as the entity tells, or whoever has looked before."""
    announced, key, version, take_back = before
    now = _core.version(entity)
    if was_there or now > max(version, 1):
        announced = events.updated
    return announced, key, version, take_back


def check_isolation(unit: Unit, isolation: str | None) -> None:
    if isolation is not None and isolation != unit.isolation:
        raise UnitOfWorkError(
            f"the unit of work has the isolation level {unit.isolation!r}, and what is inside of it asks for "
            f"{isolation!r}: ask for it where the outer one begins"
        )


class Part:
    """A unit of work inside of another: a part of that."""

    __slots__ = ("_unit",)

    def __init__(self, unit: Unit) -> None:
        self._unit = unit

    def __enter__(self) -> Unit:
        return self._unit

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        if error is not None:
            self._unit.fail_inside()

    async def __aenter__(self) -> Unit:
        return self._unit

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        self.__exit__(kind, error, traceback)


def entering(*, is_async: bool, isolation: str | None = None) -> Unit | Part:
    """A unit of work to be entered, by `with` or `async with`: a new one, or a part of the one that is going on.

    Raises:
        UnitOfWorkError: If the one that is going on has another isolation level than is asked for.
    """
    outer = ambient.get()
    # Where a task or a thread was started inside of another's, its own is kept by itself.
    if outer is not None and outer.is_open and outer.is_mine:
        check_isolation(outer, isolation)
        return Part(outer)
    unit = Unit(is_async=is_async, isolation=isolation)
    if outer is not None and outer.is_open:
        unit.stand_apart()
    return unit


#: What Announcing leaves to the repository.
_READING = (
    "get", "get_many", "select", "stream", "page", "count", "aggregate", "explain", "refresh", "delete_all",
    "update_all", "aget", "aget_many", "aselect", "astream", "apage", "acount", "aaggregate", "arefresh",
    "adelete_all", "aupdate_all", "clear",
)  # fmt: skip


class Announcing(Joined):
    """What stands in for a repository outside of units of work, while somebody listens: what is written is a unit of
    its own, and the signals are sent at once."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self.capabilities = repository.capabilities
        for name in _READING:
            setattr(self, name, getattr(repository, name))

    def _alone(self, *, is_async: bool) -> tuple[Unit, Joined]:
        unit = Unit(is_async=is_async)
        # An entity whose save is refused keeps what was assigned.
        unit.reverts = False
        joined = unit.joined[self._repository] = Joined(unit, self._repository)
        joined._has_undo = joined._is_later = False
        # A statement by itself needs no transaction, unless events are kept together with it.
        joined._has_transactions &= any(map(events.durable_handlers, _SIGNALS))
        return unit, joined

    def save(self, entity: Entity, *, ttl: Ttl = ...) -> None:
        unit, joined = self._alone(is_async=False)
        with unit:
            joined.save(entity, ttl=ttl)

    def upsert(self, entity: Entity, *, ttl: Ttl = ...) -> None:
        unit, joined = self._alone(is_async=False)
        with unit:
            joined.upsert(entity, ttl=ttl)

    def save_all(self, entities: Iterable[Entity], *, ttl: Ttl = ...) -> None:
        unit, joined = self._alone(is_async=False)
        with unit:
            joined.save_all(entities, ttl=ttl)

    def delete(self, entity: Entity) -> None:
        unit, joined = self._alone(is_async=False)
        with unit:
            joined.delete(entity)

    @contextmanager
    def transaction(self, isolation: str | None = None) -> Generator[None]:
        unit = Unit(is_async=False, isolation=isolation)
        unit.reverts = False
        with unit:
            if self.capabilities.transactions:
                unit.join(self._repository)
            yield

    @contextmanager
    def locked(self, entity_class: type[E], key: Any) -> Generator[E]:
        unit = Unit(is_async=False)
        unit.reverts = False
        with unit, Joined(unit, self._repository).locked(entity_class, key) as entity:
            yield entity

    @asynccontextmanager
    async def alocked(self, entity_class: type[E], key: Any) -> AsyncGenerator[E]:
        unit = Unit(is_async=True)
        unit.reverts = False
        async with unit, Joined(unit, self._repository).alocked(entity_class, key) as entity:
            yield entity

    async def _awrite(self, write: Callable[[Joined], Coroutine[Any, Any, None]]) -> None:
        """Writes in a unit of its own. What is stored though the task is cancelled is told nevertheless."""
        unit, joined = self._alone(is_async=True)
        cancelled: asyncio.CancelledError | None = None
        async with unit:
            try:
                await write(joined)
            except asyncio.CancelledError as error:
                if not unit.has_stored:
                    raise
                cancelled = error
        if cancelled is not None:
            raise cancelled

    async def asave(self, entity: Entity, *, ttl: Ttl = ...) -> None:
        await self._awrite(lambda joined: joined.asave(entity, ttl=ttl))

    async def aupsert(self, entity: Entity, *, ttl: Ttl = ...) -> None:
        await self._awrite(lambda joined: joined.aupsert(entity, ttl=ttl))

    async def asave_all(self, entities: Iterable[Entity], *, ttl: Ttl = ...) -> None:
        await self._awrite(lambda joined: joined.asave_all(entities, ttl=ttl))

    async def adelete(self, entity: Entity) -> None:
        await self._awrite(lambda joined: joined.adelete(entity))

    @asynccontextmanager
    async def atransaction(self, isolation: str | None = None) -> AsyncGenerator[None]:
        unit = Unit(is_async=True, isolation=isolation)
        unit.reverts = False
        async with unit:
            if self.capabilities.transactions:
                await unit.ajoin(self._repository)
            yield


_SIGNALS = created, updated, deleted, saved = events.created, events.updated, events.deleted, events.saved


def stand_in(repository: Repository) -> Repository:
    """What the verbs talk to in place of a repository."""
    unit = ambient.get()
    if unit is None or not unit.is_open:
        if created.receivers or updated.receivers or deleted.receivers or saved.receivers:
            return Announcing(repository)
        return repository
    unit.check_owner()
    joined = unit.joined.get(repository)
    if joined is None:
        if unit.met and not unit.joined:
            unit.settle()
        joined = unit.joined[repository] = Joined(unit, repository)
    return joined


def is_alone(unit: Unit, entity: Entity) -> bool:
    """Whether to save an entity is all that a unit, which ends then, stores: its repository keeps it, or not at all,
    without a transaction."""
    return (
        unit.is_idle
        and not unit.is_apart
        and type(entity).save is Entity.save
        and not (created.receivers or updated.receivers or deleted.receivers or saved.receivers)
    )


set_stand_in(stand_in)
