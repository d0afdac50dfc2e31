"""Backends as their authors would write them: the one of the documents, and one that can do very little."""

import pickle
import re
import sys
import threading
import types
from pathlib import Path
from typing import Any

from nitro import Capabilities, EntityNotFound, Repository, UniqueViolation, changes, identity
from nitro.entity import validate_changes

PAGE = Path(__file__).parent.parent.parent / "docs" / "writing-a-backend.md"


def of_the_documents() -> Any:
    """The backends that the page on writing one has as its examples."""
    module = types.ModuleType("backends_of_the_documents")
    sys.modules[module.__name__] = module
    for block in re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL):
        if "class JsonRepo(Repository):" in block or "class UndoRepo(JsonRepo):" in block:
            exec(compile(block, PAGE, "exec"), vars(module))  # noqa: S102 - the documents are our own
    return module


JsonRepo = of_the_documents().JsonRepo
UndoRepo = of_the_documents().UndoRepo


class PickleRepo(Repository):
    """Keeps pickles, compares values for equality, and can do nothing else: the last save wins."""

    capabilities = Capabilities(operators=frozenset({"eq", "and"}))

    def __init__(self) -> None:
        self.records: dict[tuple[type, Any], bytes] = {}
        self.lock = threading.Lock()

    def key(self, entity: Any) -> tuple[type, Any]:
        return type(entity), changes.original(entity, type(entity).__nitro_key__)

    def load(self, record: bytes) -> Any:
        entity = pickle.loads(record)
        changes.loaded(entity, 1)
        return entity

    def get(self, entity_class: type, key: Any) -> Any:
        record = self.records.get((entity_class, key))
        return None if record is None else self.load(record)

    def select(self, query: Any) -> list[Any]:
        self.check_query(query)
        with self.lock:
            records = [record for (stored, _), record in self.records.items() if stored is query._class]
        return query.among(map(self.load, records))

    def save(self, entity: Any, *, ttl: Any = ...) -> None:
        self.check_save(type(entity), ttl)
        validate_changes(entity)
        key, new = (type(entity), identity(entity)), not changes.version(entity)
        record = pickle.dumps(entity)
        with self.lock:
            if (new or key != self.key(entity)) and key in self.records:
                raise UniqueViolation(type(entity), type(entity).__nitro_key__, key[1])
            if not new:
                self.records.pop(self.key(entity), None)
            self.records[key] = record
        changes.saved(entity, changes.version(entity) + 1)

    def delete(self, entity: Any) -> None:
        with self.lock:
            if not changes.version(entity) or self.records.pop(self.key(entity), None) is None:
                raise EntityNotFound(*self.key(entity))
        changes.saved(entity, 0)

    def refresh(self, entity: Any) -> None:
        fresh = self.get(*self.key(entity))
        if fresh is None:
            raise EntityNotFound(*self.key(entity))
        changes.renew(entity, fresh)
