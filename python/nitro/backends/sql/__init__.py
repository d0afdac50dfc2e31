"""Entities in SQLite and PostgreSQL."""

from .entity import SQLEntity
from .repository import SQLModelBackend
from .tables import acreate_all, create_all

__all__ = ["SQLEntity", "SQLModelBackend", "acreate_all", "create_all"]
