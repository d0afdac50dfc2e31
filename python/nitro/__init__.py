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
    KeyReused,
    NitroError,
    NotLoaded,
    PermissionDenied,
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
    from . import bus, commands, events, web
    from .backends.sql import SQLEntity, SQLModelBackend, acreate_all, create_all
    from .bus import handles
    from .commands import command, event, query
    from .events import asend, captured_events, off, on
    from .web import install
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
    "KeyReused",
    "Many",
    "MemoryRepo",
    "Model",
    "NitroError",
    "NotLoaded",
    "Page",
    "PermissionDenied",
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
    "bus",
    "captured_events",
    "changes",
    "col",
    "command",
    "commands",
    "configure",
    "create_all",
    "decode",
    "encode",
    "event",
    "events",
    "explain",
    "handles",
    "identity",
    "install",
    "many",
    "now",
    "off",
    "on",
    "query",
    "settings",
    "web",
]

#: What is imported when it is asked for, from the module that is about it.
_LAZY = {
    "SQLEntity": ".backends.sql",
    "SQLModelBackend": ".backends.sql",
    "UnitOfWork": ".work",
    "acreate_all": ".backends.sql",
    "asend": ".events",
    "bus": ".bus",
    "captured_events": ".events",
    "command": ".commands",
    "commands": ".commands",
    "create_all": ".backends.sql",
    "event": ".commands",
    "events": ".events",
    "handles": ".bus",
    "install": ".web",
    "off": ".events",
    "on": ".events",
    "query": ".commands",
    "web": ".web",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module = import_module(_LAZY[name], __name__)
    value = module if module.__name__ == f"{__name__}.{name}" else getattr(module, name)
    globals()[name] = value
    return value
