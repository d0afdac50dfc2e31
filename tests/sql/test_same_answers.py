"""The same questions to the memory store and to databases: the same answers.

Entities with values at the edges of every kind are stored in both, in the order of their keys; then queries are made up
from a seed. What SQL cannot answer it must say, and that may not be much.
"""

import datetime as dt
import enum
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import pytest
from pydantic import NaiveDatetime
from sqlmodel import SQLModel

from nitro import (
    Condition,
    Entity,
    Field,
    MemoryRepo,
    Query,
    SQLModelBackend,
    UnsupportedQuery,
    ValueObject,
    col,
)
from nitro.backends.sql.schema import table_of
from nitro.expressions import ordering

#: For each database.
QUERIES = 1000

EAST = dt.timezone(dt.timedelta(hours=5, minutes=30))


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 3


class Place(ValueObject):
    city: str
    zone: int | None = None
    colour: Colour = Colour.RED


class Line(ValueObject):
    product: str
    quantity: int = 1
    price: Decimal = Decimal(0)
    sent: dt.datetime | None = None


class Thing(Entity):
    text: str = Field(default="", index=True)
    note: str | None = None
    number: int = 0
    maybe: int | None = Field(default=None, index=True)
    amount: float = 0.0
    perhaps: float | None = None
    price: Decimal = Decimal(0)
    truth: bool = False
    doubt: bool | None = None
    colour: Colour = Colour.RED
    level: Level | None = None
    side: Literal["left", "right"] = "left"
    day: dt.date | None = None
    moment: dt.datetime | None = None
    naive: NaiveDatetime | None = None
    time: dt.time | None = None
    wait: dt.timedelta = dt.timedelta(0)
    token: UUID | None = None
    data: bytes = b""
    place: Place | None = None
    lines: list[Line] = []
    tags: list[str] = []
    numbers: list[int] = []
    labels: set[str] = set()
    counts: dict[str, int] = {}
    places: dict[str, Place] = {}
    pair: tuple[int, str] = (0, "")
    anything: Any = None


TEXTS = [
    "",
    "a",
    "A",
    "b",
    "B",
    "aa",
    "ab",
    "a%b",
    "a_b",
    "a\\b",
    "50%",
    "é",
    "e",
    "z",
    "Z",
    "ß",
    "😀",
    "\uffff",
    "*",
    "[a]",
    "a?",
    "'",
    '"',
    "\n",
]
INTEGERS = [0, 1, -1, 2, 3, 10, 2**31, 2**53, 2**53 + 1, 2**63 - 1, -(2**63)]
FLOATS = [0.0, -0.0, 1.0, 1.5, -1.5, 0.1, 2.0**53, 1e300, -1e300, 5e-324, float("inf"), float("-inf")]
DECIMALS = [
    Decimal(text)
    for text in (
        "0",
        "0.1",
        "0.10",
        "1",
        "1.5",
        "-1.5",
        "9007199254740993",
        "12345678901234567890.123456789",
        "-1E-10",
        "3",
    )
]
DAYS = [dt.date(1, 1, 1), dt.date(2026, 1, 1), dt.date(2026, 1, 2), dt.date(9999, 12, 31)]
MOMENTS = [
    dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    dt.datetime(2026, 1, 1, 5, 30, tzinfo=EAST),
    dt.datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=dt.UTC),
    dt.datetime(1, 1, 2, tzinfo=dt.UTC),
    dt.datetime(9999, 12, 31, tzinfo=dt.UTC),
]
NAIVES = [moment.replace(tzinfo=None) for moment in MOMENTS]
TIMES = [dt.time(0), dt.time(12, 30), dt.time(12, 30, 0, 1), dt.time(23, 59, 59, 999999)]
WAITS = [
    dt.timedelta(0),
    dt.timedelta(days=1),
    dt.timedelta(hours=24),
    dt.timedelta(microseconds=-1),
    dt.timedelta(days=-400),
]
TOKENS = [UUID(int=0), UUID(int=1), UUID(int=2**127), UUID(int=2**128 - 1)]
DATA = [b"", b"a", b"A", b"\x00", b"\xff", b"ab"]
NUMBERS: list[Any] = [*INTEGERS, *FLOATS, *DECIMALS, True, False, 10**30, -(10**400), 1.0000001]

POOLS: dict[str, list[Any]] = {
    "text": TEXTS,
    "note": [None, *TEXTS],
    "number": INTEGERS,
    "maybe": [None, *INTEGERS],
    "amount": FLOATS,
    "perhaps": [None, *FLOATS],
    "price": DECIMALS,
    "truth": [True, False],
    "doubt": [None, True, False],
    "colour": list(Colour),
    "level": [None, *Level],
    "side": ["left", "right"],
    "day": [None, *DAYS],
    "moment": [None, *MOMENTS],
    "naive": [None, *NAIVES],
    "time": [None, *TIMES],
    "wait": WAITS,
    "token": [None, *TOKENS],
    "data": DATA,
}
ORDERED = [name for name in POOLS if name != "anything"]


def place(chance: random.Random) -> Place:
    return Place(city=chance.choice(TEXTS), zone=chance.choice([None, 0, 1, 2]), colour=chance.choice(list(Colour)))


def line(chance: random.Random) -> Line:
    return Line(
        product=chance.choice(TEXTS),
        quantity=chance.randrange(4),
        price=chance.choice(DECIMALS),
        sent=chance.choice([None, *MOMENTS]),
    )


def some(chance: random.Random, make: Callable[[], Any], at_most: int = 3) -> list[Any]:
    return [make() for _ in range(chance.randrange(at_most + 1))]


def thing(chance: random.Random, number: int) -> dict[str, Any]:
    values = {name: chance.choice(pool) for name, pool in POOLS.items()}
    return {
        "id": f"{number:04}",
        **values,
        "place": chance.choice([None, place(chance)]),
        "lines": some(chance, lambda: line(chance)),
        "tags": some(chance, lambda: chance.choice(TEXTS)),
        "numbers": some(chance, lambda: chance.choice(INTEGERS[:6])),
        "labels": set(some(chance, lambda: chance.choice(TEXTS))),
        "counts": {chance.choice("abc"): chance.randrange(4) for _ in range(chance.randrange(3))},
        "places": {chance.choice("abc"): place(chance) for _ in range(chance.randrange(3))},
        "pair": (chance.randrange(3), chance.choice(TEXTS)),
        "anything": chance.choice([None, 1, 2.5, "a", "b", True, [1, 2], {"a": 1}, {"a": "x"}]),
    }


def compared(chance: random.Random, field: Any, pool: list[Any]) -> Condition:
    value = chance.choice(pool)
    match chance.randrange(8):
        case 0 | 1:
            return field == value
        case 2:
            return field != value
        case 3:
            return field.in_([chance.choice(pool) for _ in range(chance.randrange(4))])
        case 4:
            return field.is_null()
        case _:
            present = [value for value in pool if value is not None]
            value = chance.choice(present)
            return chance.choice([field < value, field <= value, field > value, field >= value])


def about_text(chance: random.Random, field: Any) -> Condition:
    text = chance.choice(TEXTS)
    pattern = "".join(chance.choice([*TEXTS[1:8], "%", "_", "\\%", "\\_", "*"]) for _ in range(chance.randrange(4)))
    return chance.choice(
        [
            lambda: field.startswith(text),
            lambda: field.endswith(text),
            lambda: field.contains(text),
            lambda: field.like(pattern),
        ]
    )()


def leaf(chance: random.Random) -> Condition:
    kind = chance.randrange(12)
    if kind < 4:
        name = chance.choice(list(POOLS))
        return compared(chance, getattr(Thing, name), POOLS[name])
    if kind == 4:
        name = chance.choice(["number", "maybe", "amount", "perhaps", "price", "truth", "doubt"])
        return compared(chance, getattr(Thing, name), NUMBERS)
    if kind == 5:
        return about_text(chance, chance.choice([col(Thing.text), col(Thing.note), col(Thing.side)]))
    at = col(Thing.place)
    each = col(Thing.lines)
    return chance.choice(
        [
            lambda: compared(chance, at.city, TEXTS),
            lambda: about_text(chance, at.city),
            lambda: compared(chance, at.zone, [None, 0, 1, 1.5, 2, Decimal(1)]),
            lambda: compared(chance, at.colour, list(Colour)),
            lambda: at == chance.choice([None, place(chance)]),
            lambda: col(Thing.tags).contains(chance.choice(TEXTS)),
            lambda: col(Thing.numbers).contains(chance.choice(INTEGERS[:6])),
            lambda: col(Thing.labels).contains(chance.choice(TEXTS)),
            lambda: col(Thing.counts).contains(chance.choice("abcd")),
            lambda: col(Thing.tags) == some(chance, lambda: chance.choice(TEXTS), 1),
            lambda: col(Thing.labels) == set(some(chance, lambda: chance.choice(TEXTS), 2)),
            lambda: col(Thing.counts) == {"a": chance.randrange(3)},
            lambda: compared(chance, col(Thing.tags)[chance.randrange(3)], TEXTS),
            lambda: compared(chance, col(Thing.numbers)[chance.randrange(2)], [0, 1, 2, 1.5]),
            lambda: compared(chance, col(Thing.counts)[chance.choice("abcd")], [0, 1, 2, 1.5]),
            lambda: compared(chance, col(Thing.places)["a"].city, TEXTS),
            lambda: compared(chance, col(Thing.pair)[1], TEXTS),
            lambda: each.any(compared(chance, Line.product, TEXTS)),
            lambda: each.any(compared(chance, Line.price, DECIMALS) & compared(chance, Line.quantity, [0, 1, 2, 3])),
            lambda: each.any(~compared(chance, Line.sent, [None, *MOMENTS])),
            lambda: col(Thing.places).any(compared(chance, Place.zone, [None, 0, 1, 2])),
            lambda: compared(chance, col(Thing.anything), ["a", "b"]),
            lambda: compared(chance, col(Thing.anything)["a"], ["x", "y"]),
            lambda: compared(chance, col(Thing.anything)["a"], [1, 2.5]),
        ]
    )()


def condition(chance: random.Random, depth: int = 2) -> Condition:
    kind = chance.randrange(6) if depth else 5
    if kind == 0:
        return condition(chance, depth - 1) & condition(chance, depth - 1)
    if kind == 1:
        return condition(chance, depth - 1) | condition(chance, depth - 1)
    if kind == 2:
        return ~condition(chance, depth - 1)
    return leaf(chance)


def orders(chance: random.Random) -> tuple[Any, ...]:
    names: list[str] = chance.sample([*ORDERED, "place.city", "place.zone"], chance.randrange(3))
    return tuple(ordering(Thing, chance.choice(["", "-"]) + name) for name in names)


@pytest.fixture(scope="module")
def memory() -> MemoryRepo:
    return MemoryRepo()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def sql(request: pytest.FixtureRequest, memory: MemoryRepo) -> SQLModelBackend:
    url = "sqlite://" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    repository = SQLModelBackend(url)
    table = table_of(Thing)
    SQLModel.metadata.drop_all(repository.database.engine, [table])
    SQLModel.metadata.create_all(repository.database.engine, [table])
    chance = random.Random(1)
    rows = [thing(chance, number) for number in range(120)]
    memory.clear()
    for row in rows:
        memory.save(Thing(**row))
        repository.save(Thing(**row))
    return repository


def ids(found: Any) -> list[str]:
    return [entity.id for entity in found]


def outcome(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except UnsupportedQuery:
        return UnsupportedQuery


def test_queries(memory: MemoryRepo, sql: SQLModelBackend) -> None:
    assert memory.select(Query(Thing, memory, (), (), None, 0, False)) == sql.select(
        Query(Thing, sql, (), (), None, 0, False)
    )
    refused = 0
    for seed in range(QUERIES):
        chance = random.Random(seed)
        conditions, order = (condition(chance),), orders(chance)
        limit, offset = chance.choice([None, None, 0, 1, 5]), chance.choice([0, 0, 3])
        expected = ids(memory.select(Query(Thing, memory, conditions, order, limit, offset, False)))
        query = Query(Thing, sql, conditions, order, limit, offset, False)
        found = outcome(lambda query=query: ids(query.all()))
        if found is UnsupportedQuery:
            refused += 1
            assert ids(query.in_memory().all()) == expected, (seed, query)
            continue
        assert found == expected, (seed, query)
        assert query.count() == len(expected), (seed, query)
        # The statement that was kept for queries of this shape.
        assert ids(query.all()) == expected, (seed, query)
    assert refused < QUERIES * 0.05


def test_pages(memory: MemoryRepo, sql: SQLModelBackend) -> None:
    for seed in range(QUERIES // 20):
        chance = random.Random(seed)
        conditions, order = (condition(chance, 1),), orders(chance)
        expected = ids(memory.select(Query(Thing, memory, conditions, order, None, 0, False)))
        query = Query(Thing, sql, conditions, order, None, 0, False)
        if outcome(query.all) is UnsupportedQuery:
            continue
        size = chance.choice([1, 7, 50])
        seen: list[str] = []
        after = None
        while True:
            page = query.page(limit=size, after=after)
            seen += ids(page)
            after = page.next_cursor
            if after is None:
                break
        assert seen == expected, (seed, query)


def test_sums(memory: MemoryRepo, sql: SQLModelBackend) -> None:
    for seed in range(QUERIES // 20):
        chance = random.Random(seed)
        conditions = (condition(chance, 1),)
        here = Query(Thing, memory, conditions, (), None, 0, False)
        there = Query(Thing, sql, conditions, (), None, 0, False)
        if outcome(there.all) is UnsupportedQuery:
            continue
        for name in ("number", "maybe", "price"):
            # Databases add Decimals exactly; Python rounds to 28 digits.
            assert there.sum(name) == pytest.approx(here.sum(name), rel=Decimal("1e-20")), (seed, name, there)
            assert there.avg(name) == pytest.approx(here.avg(name)), (seed, name, there)
        for name in ORDERED:
            assert there.min(name) == here.min(name), (seed, name, there)
            assert there.max(name) == here.max(name), (seed, name, there)
        for name in ("text", "maybe", "colour", "level", "truth", "day", "price", "moment"):
            assert there.group_by(name).count() == here.group_by(name).count(), (seed, name, there)
        assert there.group_by("colour", "truth").max("price") == here.group_by("colour", "truth").max("price")
