"""Who hears of each statement before it is sent: the log where `sql_echo` says so, and tests that count.

As a rule nobody does, and then a statement costs no more than a look at an empty tuple.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import event

if TYPE_CHECKING:
    from .database import Database

#: Is given the database, None for one of SQLAlchemy's own engines; the statement; and its parameters, which are none
#: where a statement is for many rows.
Listener = Callable[["Database | None", str, Sequence[Any]], None]

#: Whoever listens now; before a statement is told it is looked at whether this is empty.
listeners: tuple[Listener, ...] = ()

_changing = threading.Lock()
_log = logging.getLogger("nitro.sql")


def tell(database: Database | None, sql: str, parameters: Sequence[Any] = ()) -> None:
    """Tells everybody who listens of a statement."""
    for listener in listeners:
        listener(database, sql, parameters)


def add(listener: Listener) -> None:
    """Lets somebody hear of the statements of every database, from now on and in every thread."""
    global listeners
    with _changing:
        if listener not in listeners:
            listeners = (*listeners, listener)


def remove(listener: Listener) -> None:
    """Lets somebody hear no more."""
    global listeners
    with _changing:
        listeners = tuple(other for other in listeners if other is not listener)


def echo(database: Database | None, sql: str, parameters: Sequence[Any]) -> None:
    """Writes a statement to the log, if it is of a database that is to."""
    # SQLAlchemy's engines have an echo of their own.
    if database is not None and database.settings.sql_echo:
        _log.info("%s %r", sql, parameters)


@contextmanager
def heard_by(listener: Listener) -> Generator[None]:
    """Lets somebody hear of every statement of the process meanwhile, and of those of SQLAlchemy's sessions too."""

    def told(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool) -> None:  # noqa: ARG001
        if statement not in _AT_CONNECTING:
            listener(None, statement, () if executemany or parameters is None else parameters)

    event.listen(sa.Engine, "before_cursor_execute", told)
    add(listener)
    try:
        yield
    finally:
        remove(listener)
        event.remove(sa.Engine, "before_cursor_execute", told)


#: What SQLAlchemy asks of a server by the first connection of an engine.
_AT_CONNECTING = frozenset(
    {
        "select pg_catalog.version()",
        "select current_schema()",
        "show standard_conforming_strings",
        "show transaction isolation level",
    }
)
