"""Rich domain entities for Python web development, on a Rust core."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import changes
from ._plan import explain
from .backends.memory import MemoryRepo
from .clock import now
from .codec import decode, encode
from .config import Settings, configure, settings
from .entity import Entity, identity
from .errors import (
    BackendError,
    BackendUnavailable,
    CommitOutcomeUnknown,
    ConfigurationError,
    ConstraintViolation,
    DurabilityWarning,
    EntityNotFound,
    NitroError,
    NotLoaded,
    ReferencedError,
    SchemaMismatch,
    StaleEntityError,
    UniqueViolation,
    UnitOfWorkError,
    UnknownFieldError,
    UnsavedChangesWarning,
    UnstorableEvent,
    UnstorableValue,
    UnsupportedQuery,
    WriteConflict,
)
from .expressions import Condition, FieldRef, Index, col
from .fields import Field
from .model import Model, ValueObject
from .queries import Page, Query
from .relations import Many, Ref, many
from .repository import Capabilities, Repository

if TYPE_CHECKING:
    from . import events
    from .backends.sql import SQLEntity, SQLModelBackend, acreate_all, create_all
    from .events import asend, captured_events, off, on
    from .work import UnitOfWork

__version__ = "0.1.0"

__all__ = [
    "BackendError",
    "BackendUnavailable",
    "Capabilities",
    "CommitOutcomeUnknown",
    "Condition",
    "ConfigurationError",
    "ConstraintViolation",
    "DurabilityWarning",
    "Entity",
    "EntityNotFound",
    "Field",
    "FieldRef",
    "Index",
    "Many",
    "MemoryRepo",
    "Model",
    "NitroError",
    "NotLoaded",
    "Page",
    "Query",
    "Ref",
    "ReferencedError",
    "Repository",
    "SQLEntity",
    "SQLModelBackend",
    "SchemaMismatch",
    "Settings",
    "StaleEntityError",
    "UniqueViolation",
    "UnitOfWork",
    "UnitOfWorkError",
    "UnknownFieldError",
    "UnsavedChangesWarning",
    "UnstorableEvent",
    "UnstorableValue",
    "UnsupportedQuery",
    "ValueObject",
    "WriteConflict",
    "acreate_all",
    "asend",
    "captured_events",
    "changes",
    "col",
    "configure",
    "create_all",
    "decode",
    "encode",
    "events",
    "explain",
    "identity",
    "many",
    "now",
    "off",
    "on",
    "settings",
]

#: What is imported when it is asked for, from the module that is about it.
_LAZY = {
    "SQLEntity": ".backends.sql",
    "SQLModelBackend": ".backends.sql",
    "UnitOfWork": ".work",
    "acreate_all": ".backends.sql",
    "asend": ".events",
    "captured_events": ".events",
    "create_all": ".backends.sql",
    "events": ".events",
    "off": ".events",
    "on": ".events",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module = import_module(_LAZY[name], __name__)
    value = module if module.__name__ == f"{__name__}.{name}" else getattr(module, name)
    globals()[name] = value
    return value
