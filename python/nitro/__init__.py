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
from .fields import Field
from .model import Model, ValueObject
from .query import Query

__version__ = "0.1.0"

__all__ = [
    "ConfigurationError",
    "Entity",
    "EntityNotFound",
    "Field",
    "MemoryRepo",
    "Model",
    "NitroError",
    "Query",
    "StaleEntityError",
    "UniqueViolation",
    "UnknownFieldError",
    "UnsupportedQuery",
    "ValueObject",
    "changes",
    "decode",
    "encode",
    "explain",
    "identity",
]
