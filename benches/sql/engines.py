"""Engines of SQLAlchemy, with the pool that they have by themselves, for every peer that uses one."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from .places import PRAGMAS


def sync_engine(url: URL) -> sa.Engine:
    """An engine for code that waits."""
    if url.get_backend_name() != "sqlite":
        return sa.create_engine(url.set(drivername="postgresql+psycopg"))
    engine = sa.create_engine(url)
    _as_everybody(engine)
    return engine


def async_engine(url: URL) -> AsyncEngine:
    """An engine for an event loop."""
    if url.get_backend_name() != "sqlite":
        return create_async_engine(url.set(drivername="postgresql+psycopg"))
    engine = create_async_engine(url.set(drivername="sqlite+aiosqlite"))
    _as_everybody(engine.sync_engine)
    return engine


def _as_everybody(engine: sa.Engine) -> None:
    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        cursor = connection.cursor()
        for pragma in PRAGMAS:
            cursor.execute(pragma)
        cursor.close()
