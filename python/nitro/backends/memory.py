"""Entities in the memory of this process."""

from __future__ import annotations

import datetime
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Iterable
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

from .. import _core, changes
from ..clock import monotonic
from ..entity import Entity, indexes_of, validate_changes
from ..errors import ConfigurationError, EntityNotFound
from ..locks import KeyLocks
from ..queries import Page, Query, cursor_bytes, cursor_text
from ..repository import Capabilities, CommandKey, Repository, Ttl

E = TypeVar("E", bound=Entity)


class MemoryRepo(Repository):
    """Entities in memory, by key and in indexes.

    *Live* as it is by default, the object is the record. `get` hands out the one stored object, so an assignment is
    seen by everyone at once, and the indexes follow it as it happens; one that would break uniqueness is refused. An
    index over a list follows what is edited in place in it from the next `save()` on.
    `save()` confirms what was assigned: the version goes up, and `previous_changes` tells what was written.
    `revert_changes()` takes it back.

    *Isolated*, copies go in and come out, as with a database: what is assigned shows after `save()`, and a save over
    what somebody else saved meanwhile raises StaleEntityError.

    What is written past the entity (`entity.__dict__[...] = ...`, `object.__setattr__`) reaches no index; `check()`
    finds it.

    Args:
        isolated: Whether entities are copied in and out.
        clock: Seconds, never going back: what time-to-live, and the age of idempotency keys, is measured by.
    """

    def __init__(self, *, isolated: bool = False, clock: Callable[[], float] = monotonic) -> None:
        self.capabilities = Capabilities(
            live=not isolated, versions=True, unique=True, ttl=True, ordering=True, paths=True, locks=True, undo=True
        )
        self._isolated = isolated
        self._clock = clock
        self._tables: dict[type, _core.MemoryTable] = {}
        self._new_table = threading.Lock()
        self._locks = KeyLocks(_lock_name)
        #: {(command, key): (arguments, result, when)}
        self._command_keys: dict[tuple[str, str], tuple[str, str, float]] = {}

    def _table(self, entity_class: type[Entity]) -> _core.MemoryTable:
        table = self._tables.get(entity_class)
        if table is None:
            with self._new_table:
                table = self._tables.get(entity_class)
                if table is None:
                    table = self._tables[entity_class] = self._made(entity_class)
        return table

    def _read(self, entity_class: type[Entity]) -> _core.MemoryTable:
        """The table of a class; an empty one, and not kept, where nothing was ever stored."""
        table = self._tables.get(entity_class)
        return self._made(entity_class) if table is None else table

    def _made(self, entity_class: type[Entity]) -> _core.MemoryTable:
        if len(entity_class.__nitro_keys__) > 1:
            raise ConfigurationError(
                f"MemoryRepo keeps entities by one field, and the key of {entity_class.__name__} is "
                f"{entity_class.__nitro_key__}: keep it on SQLModelBackend, or give it one key"
            )
        return _core.MemoryTable(entity_class, indexes_of(entity_class), not self._isolated, self._clock)

    def _remember(self, entity_class: type[Entity]) -> None:
        table = self._tables.get(entity_class)
        if table is not None and not self._isolated and type(self).get is MemoryRepo.get:
            _core.remember_table(entity_class, table)

    def get(self, entity_class: type[E], key: Any) -> E | None:
        found = self._read(entity_class).get(key)
        return found.__deepcopy__() if self._isolated and found is not None else found

    def select(self, query: Query[E]) -> list[E]:
        table = self._tables.get(query._class)
        found = (self._made(query._class) if table is None else table).select(query)
        return self._out(found) if self._isolated else found

    def count(self, query: Query[Any]) -> int:
        return self._read(query._class).count(query)

    def page(self, query: Query[E], limit: int, after: str | None, total: bool) -> Page[E]:
        table = self._read(query._class)
        everything = query.limit(None)
        found = table.select(everything, limit + 1, None if after is None else cursor_bytes(after))
        cursor = cursor_text(table.cursor(query, found[limit - 1])) if len(found) > limit else None
        return Page(self._out(found[:limit]), cursor, table.count(everything) if total else None)

    def explain(self, query: Query[Any]) -> str:
        return self._read(query._class).explain(query)

    def save(self, entity: Entity, *, ttl: Ttl = ...) -> None:
        validate_changes(entity)
        cls = type(entity)
        kept = cls.__nitro_ttl__ if ttl is ... else ttl
        self._table(cls).save(entity, entity.__deepcopy__() if self._isolated else entity, kept)

    def save_all(self, entities: Iterable[Entity], *, ttl: Ttl = ...) -> None:
        """Stores many entities. New ones of one class are stored all or, if one is refused, none."""
        by_class: dict[type[Entity], list[Entity]] = {}
        for entity in entities:
            by_class.setdefault(type(entity), []).append(entity)
        for cls, members in by_class.items():
            new = list({id(entity): entity for entity in members if not _core.version(entity)}.values())
            for entity in new:
                validate_changes(entity)
            kept = cls.__nitro_ttl__ if ttl is ... else ttl
            self._table(cls).add_all(new, [entity.__deepcopy__() for entity in new] if self._isolated else new, kept)
            if len(new) < len(members):
                fresh = set(map(id, new))
                for entity in members:
                    if id(entity) not in fresh:
                        self.save(entity, ttl=ttl)

    def delete(self, entity: Entity) -> None:
        self._read(type(entity)).delete(entity)

    def taking_back(self, entity: Entity) -> Callable[[], None]:
        """A function that puts back the record of the entity as it is now, and lets the entity know."""
        cls = type(entity)
        table, version, before = self._table(cls), _core.version(entity), _core.originals(entity)
        key = _core.original(entity, cls.__nitro_key__)
        stored = table.stored(key)

        def take_back() -> None:
            written = _core.original(entity, cls.__nitro_key__)
            originals = {**_core.originals(entity), **before}
            now = table.stored(written)
            # Where others have stored it anew meanwhile, theirs stays.
            is_ours = (now[1] if now else 0) == _core.version(entity)
            if is_ours and (stored is None or written != key):
                table.take_back(written)
            changes.restore(entity, version, originals)
            if stored is None or not is_ours:
                return
            if stored[0] is entity:
                _core.revert_changes(entity)
            table.put_back(*stored)

        return take_back

    def refresh(self, entity: Entity) -> None:
        key = _core.original(entity, type(entity).__nitro_key__)
        stored = self._read(type(entity)).get(key)
        if stored is None:
            raise EntityNotFound(type(entity), key)
        if stored is entity:
            return
        fresh = stored.__deepcopy__()
        for slot in ("__dict__", "__pydantic_fields_set__"):
            object.__setattr__(entity, slot, getattr(fresh, slot))
        _core.accept_changes(entity, 0)
        _core.set_originals(entity, _core.version(stored), _core.originals(stored))

    def waits(self, *, is_reading: bool) -> bool:  # noqa: ARG002  (neither)
        return False

    def clear(self, entity_class: type[Entity] | None = None) -> None:
        """Forgets every entity of a class, or of all."""
        for table in list(self._tables.values()) if entity_class is None else [self._read(entity_class)]:
            table.clear()
        if entity_class is None:
            self._command_keys.clear()

    @contextmanager
    def locked(self, entity_class: type[E], key: Any) -> Generator[E]:
        """The entity with this key, while no other thread and no other task has it locked.

        Example:
            >>> with nitro.MemoryRepo().locked(Order, "1") as order:
            ...     order.total += 1
            Traceback (most recent call last):
            nitro.errors.EntityNotFound: no Order has the key '1'
        """
        with self._locks.hold((entity_class, key)):
            entity = self.get(entity_class, key)
            if entity is None:
                raise EntityNotFound(entity_class, key)
            yield entity

    @asynccontextmanager
    async def alocked(self, entity_class: type[E], key: Any) -> AsyncGenerator[E]:
        """`locked`, for async code: while no other task and no other thread has it locked."""
        async with self._locks.ahold((entity_class, key)):
            entity = await self.aget(entity_class, key)
            if entity is None:
                raise EntityNotFound(entity_class, key)
            yield entity

    @contextmanager
    def command_key(
        self,
        entity_class: type[Entity],  # noqa: ARG002  (there is one place for all)
        command: str,
        key: str,
        arguments: str,
    ) -> Generator[CommandKey]:
        with self._locks.hold((CommandKey, command, key)):
            yield self._command_key((command, key), arguments)

    @asynccontextmanager
    async def acommand_key(
        self,
        entity_class: type[Entity],  # noqa: ARG002  (there is one place for all)
        command: str,
        key: str,
        arguments: str,
    ) -> AsyncGenerator[CommandKey]:
        async with self._locks.ahold((CommandKey, command, key)):
            yield self._command_key((command, key), arguments)

    def _command_key(self, name: tuple[str, str], arguments: str) -> CommandKey:
        def record(result: str) -> None:
            self._command_keys[name] = arguments, result, self._clock()

        async def arecord(result: str) -> None:
            record(result)

        def forget() -> None:
            self._command_keys.pop(name, None)

        known = self._command_keys.get(name)
        return CommandKey(None if known is None else known[:2], record, arecord, forget)

    def forget_command_keys(self, older_than: datetime.timedelta) -> int:
        now, age = self._clock(), older_than.total_seconds()
        old = [name for name, (_, _, used_at) in list(self._command_keys.items()) if now - used_at > age]
        return sum(self._command_keys.pop(name, None) is not None for name in old)

    def check(self) -> list[str]:
        """What is wrong with the indexes, in words: nothing, unless somebody wrote past the entities."""
        return [f"{cls.__name__}: {wrong}" for cls, table in self._tables.items() for wrong in table.check()]

    def memory(self, entity_class: type[Entity]) -> dict[str, int]:
        """{what: bytes, about} that the store needs beside the entities of a class."""
        return self._read(entity_class).memory()

    def _out(self, found: list[E]) -> list[E]:
        return [entity.__deepcopy__() for entity in found] if self._isolated else found


def _lock_name(key: tuple[Any, ...]) -> str:
    if key[0] is CommandKey:
        return f"the idempotency key {key[2]!r} of {key[1]}"
    return f"{key[0].__name__} {key[1]!r}"


# Where a class says nothing, its entities live here.
Entity.__nitro_backend__ = MemoryRepo
