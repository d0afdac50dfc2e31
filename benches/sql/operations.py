"""What is measured, and the goals."""

from dataclasses import dataclass

from .places import POSTGRES, SQLITE
from .raw import RAW

SQLMODEL = "SQLModel"

#: Where no database is at stake; see `construction`.
IN_MEMORY = "none"
CONSTRUCT = "construct a SQLEntity; SQLModel validates too"
CONSTRUCT_UNCHECKED = "the same; others do not validate"


@dataclass(frozen=True)
class Goal:
    """How long Nitro may take: at most `limit` times as long as `peer`.

    Attributes:
        peer: Who is compared with; None for Nitro itself at the operation `of`.
        limit: At most so many times the time.
        times_faster: Said instead of the limit where it reads better.
        of: Another operation that is compared with.
    """

    peer: str | None
    limit: float
    times_faster: float | None = None
    of: str | None = None

    def __str__(self) -> str:
        if self.times_faster is not None:
            return f"≥ {self.times_faster:g}x faster than {self.peer}"
        return f"≤ {self.limit:g}x {self.peer or 'Nitro'}{f', {self.of}' if self.of else ''}"


@dataclass(frozen=True)
class Operation:
    """One row for each database.

    Attributes:
        method: Of a peer.
        asks: What each call takes: the next one of `Questions.ids`, `customers` or `changes`; a "new" order, "all new"
            ones, or "nothing".
        goals: Of each database.
    """

    title: str
    method: str
    asks: str
    goals: dict[str, tuple[Goal, ...]]

    @property
    def is_alone(self) -> bool:
        """Whether one call is a round."""
        return self.asks in ("all new", "nothing")


def within(limit: float, peer: str | None = RAW, of: str | None = None) -> Goal:
    return Goal(peer, limit, of=of)


def faster(times: float, peer: str = SQLMODEL) -> Goal:
    return Goal(peer, 1 / times, times_faster=times)


def _goals(sqlite: float, postgres: float, sqlmodel: float) -> dict[str, tuple[Goal, ...]]:
    return {
        SQLITE: (within(sqlite), faster(sqlmodel)),
        POSTGRES: (within(postgres), faster(sqlmodel)),
    }


OPERATIONS = (
    Operation("insert one", "insert", "new", _goals(1.3, 1.3, 4)),
    Operation("get by id", "get", "ids", _goals(1.6, 1.2, 5)),
    Operation("get, change one field, save", "change", "changes", _goals(1.6, 1.3, 4)),
    Operation("filtered, ordered, 20 rows", "query", "customers", _goals(2.2, 1.5, 4)),
    Operation("load 10,000", "load", "nothing", _goals(2.5, 2, 5)),
    Operation("insert 10,000", "insert_many", "all new", _goals(1.6, 1, 6)),
    Operation(
        "async get",
        "aget",
        "ids",
        {SQLITE: (within(2, None, of="get by id"), faster(4)), POSTGRES: (within(1.5), faster(4))},
    ),
    Operation(CONSTRUCT, "", "", {IN_MEMORY: (faster(8),)}),
    Operation(CONSTRUCT_UNCHECKED, "", "", {IN_MEMORY: ()}),
)
