"""Entities in the memory of this process."""

from __future__ import annotations

import threading
from collections.abc import ItemsView, Iterable, Mapping
from typing import Any, TypeVar

from .. import _core
from ..entity import Entity, identity, validate_changes
from ..errors import EntityNotFound, StaleEntityError, UniqueViolation
from ..repository import Capabilities

E = TypeVar("E", bound=Entity)


class MemoryRepo:
    """Live objects, by key: the object is the record.

    `get` hands out the one stored object, so an assignment is seen by everyone at once. `save()` confirms it: the
    version goes up, and `previous_changes` tells what was written. `revert_changes()` takes it back.
    """

    capabilities = Capabilities(live=True, versions=True)

    def __init__(self) -> None:
        self._tables: dict[type, dict[Any, Any]] = {}
        self._lock = threading.RLock()

    def _table(self, entity_class: type) -> dict[Any, Any]:
        table = self._tables.get(entity_class)
        return self._tables.setdefault(entity_class, {}) if table is None else table

    def get(self, entity_class: type[E], key: Any) -> E | None:
        table = self._tables.get(entity_class)
        return None if table is None else table.get(key)

    def find(self, entity_class: type[E], equal: Mapping[str, Any]) -> list[E]:
        with self._lock:
            entities = list(self._tables.get(entity_class, {}).values())
        wanted = equal.items()
        return [entity for entity in entities if not wanted or _has(entity, wanted)]

    def save(self, entity: Entity) -> None:
        validate_changes(entity)
        entity_class, key, version = type(entity), identity(entity), _core.version(entity)
        with self._lock:
            table = self._table(entity_class)
            own_key = self._own_key(table, entity) if version else key
            taken = table.get(key)
            if taken is not None and taken is not entity and (not version or own_key != key):
                raise UniqueViolation(entity_class, entity_class.__nitro_key__, key)
            if own_key != key:
                del table[own_key]
            table[key] = entity
            _core.accept_changes(entity, version + 1)

    def _own_key(self, table: dict[Any, Any], entity: Entity) -> Any:
        """The key under which the entity, or that of which it is a copy, is stored.

        Raises:
            StaleEntityError: If it is stored no more, or in another version.
        """
        own_key = _core.original(entity, type(entity).__nitro_key__)
        stored, version = table.get(own_key), _core.version(entity)
        if stored is not entity:
            stored_version = None if stored is None else _core.version(stored)
            if stored_version != version:
                raise StaleEntityError(type(entity), own_key, expected_version=version, stored_version=stored_version)
        return own_key

    def save_all(self, entities: Iterable[Entity]) -> None:
        for entity in entities:
            self.save(entity)

    def delete(self, entity: Entity) -> None:
        with self._lock:
            table = self._table(type(entity))
            own_key = _core.original(entity, type(entity).__nitro_key__)
            if not _core.version(entity) or own_key not in table:
                raise EntityNotFound(type(entity), own_key)
            stored = table.pop(self._own_key(table, entity))
            _core.accept_changes(entity, 0)
            if stored is not entity:
                _core.accept_changes(stored, 0)

    def refresh(self, entity: Entity) -> None:
        key = _core.original(entity, type(entity).__nitro_key__)
        with self._lock:
            stored = self._table(type(entity)).get(key)
            if stored is None:
                raise EntityNotFound(type(entity), key)
            if stored is entity:
                return
            fresh = stored.__deepcopy__()
            for slot in ("__dict__", "__pydantic_fields_set__"):
                object.__setattr__(entity, slot, getattr(fresh, slot))
            _core.accept_changes(entity, 0)
            _core.set_originals(entity, _core.version(stored), _core.originals(stored))

    def clear(self) -> None:
        """Forgets every entity."""
        with self._lock:
            self._tables.clear()


def _has(entity: Entity, wanted: ItemsView[str, Any]) -> bool:
    held = entity.__dict__
    return all(name in held and held[name] == value for name, value in wanted)


# Where a class says nothing, its entities live here.
Entity.__nitro_backend__ = MemoryRepo
