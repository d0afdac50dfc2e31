"""Entities in SQLite and PostgreSQL."""

from .repository import SQLModelBackend
from .tables import acreate_all, create_all

__all__ = ["SQLModelBackend", "acreate_all", "create_all"]
