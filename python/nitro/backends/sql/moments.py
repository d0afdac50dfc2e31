"""Statements in which a database says what time it is: the clocks of those who write and those who look may differ.

SQLite, which has no clock of its own, takes the machine's. A test's frozen clock is everybody's.
"""

from __future__ import annotations

import datetime
from typing import Any

from ... import clock
from .database import Database
from .types import Moment

#: On PostgreSQL: a moment that is given, or the beginning of the statement, and so many seconds later.
_POSTGRES = "(coalesce(%s::timestamptz, statement_timestamp()) + make_interval(secs => %s::float8))"

_text: Any = Moment().codec("sqlite")[0]


def placed(store: Database, sql: str) -> str:
    """A statement as a database has it: "?" stands for a parameter, and "@" for those of `at`."""
    if store.dialect.name == "sqlite":
        return sql.replace("@", "?")
    return sql.replace("?", "%s").replace("@", _POSTGRES)


def at(store: Database, seconds: float = 0.0) -> tuple[Any, ...]:
    """The parameters of an "@": the moment so many seconds from now."""
    if store.dialect.name == "sqlite":
        return (_text(clock.now() + datetime.timedelta(seconds=seconds)),)
    return (None if clock.source is None else clock.now(), seconds)
