"""Entities in SQLite and PostgreSQL."""

from .repository import SQLModelBackend

__all__ = ["SQLModelBackend"]
