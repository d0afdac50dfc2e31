"""Rich domain entities for Python web development, on a Rust core."""

from __future__ import annotations

from . import changes
from ._plan import explain
from .backends.memory import MemoryRepo
from .codec import decode, encode
from .entity import Entity, identity
from .errors import (
    ConfigurationError,
    EntityNotFound,
    NitroError,
    StaleEntityError,
    UniqueViolation,
    UnknownFieldError,
    UnsupportedQuery,
)
from .expressions import Condition, FieldRef, Index, col
from .fields import Field
from .model import Model, ValueObject
from .query import Page, Query
from .repository import Capabilities, Repository

__version__ = "0.1.0"

__all__ = [
    "Capabilities",
    "Condition",
    "ConfigurationError",
    "Entity",
    "EntityNotFound",
    "Field",
    "FieldRef",
    "Index",
    "MemoryRepo",
    "Model",
    "NitroError",
    "Page",
    "Query",
    "Repository",
    "StaleEntityError",
    "UniqueViolation",
    "UnknownFieldError",
    "UnsupportedQuery",
    "ValueObject",
    "changes",
    "col",
    "decode",
    "encode",
    "explain",
    "identity",
]
