"""How many statements some code sends to databases."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from nitro.backends.sql.database import Database

__all__ = ["Statement", "assert_max_queries", "count_queries"]

#: What asks a database nothing: the ends of transactions, and going on with a cursor that was counted.
_STEERING = re.compile(r"\s*(BEGIN|START|COMMIT|ROLLBACK|SAVEPOINT|RELEASE|FETCH|CLOSE)\b", re.IGNORECASE)
#: How much of the parameters a message shows.
_SHOWN = 120


class Statement(NamedTuple):
    """A statement that was sent to a database."""

    sql: str
    #: None of them where one statement is for many rows.
    parameters: Sequence[Any]

    def __str__(self) -> str:
        shown = repr(tuple(self.parameters)) if self.parameters and not isinstance(self.parameters, dict) else ""
        return f"{' '.join(self.sql.split())} {shown[:_SHOWN]}".strip()


@contextmanager
def count_queries() -> Generator[list[Statement]]:
    """Gives a list, to which every statement is added that is sent meanwhile: of every database, by every thread and
    task, and by sessions of SQLAlchemy too.

    A statement for many rows counts once. BEGIN, COMMIT and the like do not count.

    Example:
        >>> from nitro.testing import count_queries
        >>> with count_queries() as statements:
        ...     _ = Order(customer_name="Ann").save()  # in memory
        >>> len(statements)
        0
    """
    from nitro.backends.sql.statements import heard_by

    found: list[Statement] = []

    def hear(database: Database | None, sql: str, parameters: Sequence[Any]) -> None:  # noqa: ARG001  (of every one)
        if not _STEERING.match(sql):
            found.append(Statement(sql, parameters))

    with heard_by(hear):
        yield found


@contextmanager
def assert_max_queries(maximum: int) -> Generator[list[Statement]]:
    """Fails when more statements than that are sent meanwhile, and shows them: see `count_queries`.

    Raises:
        AssertionError: If there were more.

    Example:
        >>> from nitro.testing import assert_max_queries
        >>> with assert_max_queries(0):
        ...     _ = Order.where(status="draft").all()  # in memory
    """
    with count_queries() as found:
        yield found
    if len(found) > maximum:
        repeated = [(sql, times) for sql, times in Counter(statement.sql for statement in found).items() if times > 1]
        lines = [f"{len(found)} statements were sent, at most {maximum} were expected:"]
        lines += [f"{number:4}. {statement}" for number, statement in enumerate(found, 1)]
        lines += [f"{times} times: {' '.join(sql.split())}" for sql, times in repeated]
        raise AssertionError("\n".join(lines))
