"""Entities in the memory of this process."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from .. import _core
from ..entity import Entity, identity, validate_containers
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
        return self._table(entity_class).get(key)

    def find(self, entity_class: type[E], equal: Mapping[str, Any]) -> list[E]:
        with self._lock:
            entities = list(self._table(entity_class).values())
        if not equal:
            return entities
        wanted = list(equal.items())
        return [entity for entity in entities if all(entity.__dict__[name] == value for name, value in wanted)]

    def save(self, entity: Entity) -> None:
        validate_containers(entity)
        entity_class, key = type(entity), identity(entity)
        with self._lock:
            table = self._table(entity_class)
            stored = table.get(key)
            version = _core.version(entity)
            if stored is not None and stored is not entity:
                # A copy of the stored object may take its place; a stranger with its key may not.
                stored_version = _core.version(stored)
                if version == 0:
                    raise UniqueViolation(entity_class, entity_class.__nitro_key__, key)
                if version != stored_version:
                    raise StaleEntityError(entity_class, key, expected_version=version, stored_version=stored_version)
            table[key] = entity
            _core.accept_changes(entity, version + 1)

    def save_all(self, entities: Iterable[Entity]) -> None:
        for entity in entities:
            self.save(entity)

    def delete(self, entity: Entity) -> None:
        key = identity(entity)
        with self._lock:
            stored = self._table(type(entity)).pop(key, None)
            if stored is None:
                raise EntityNotFound(type(entity), key)
            for gone in {id(stored): stored, id(entity): entity}.values():
                _core.accept_changes(gone, 0)

    def refresh(self, entity: Entity) -> None:
        key = identity(entity)
        with self._lock:
            stored = self._table(type(entity)).get(key)
            if stored is None:
                raise EntityNotFound(type(entity), key)
            if stored is entity:
                return
            values: dict[str, Any] = dict(stored.__deepcopy__().__dict__)
            object.__setattr__(entity, "__dict__", values)
            _core.accept_changes(entity, 0)
            _core.set_originals(entity, _core.version(stored), _core.originals(stored))

    def clear(self) -> None:
        """Forgets every entity."""
        with self._lock:
            self._tables.clear()


# Where a class says nothing, its entities live here.
Entity.__nitro_backend__ = MemoryRepo
