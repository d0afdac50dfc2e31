"""Values of every type: an index and a scan give the same answer, in the documented order."""

import datetime
import math
import operator
from datetime import UTC, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from fractions import Fraction
from itertools import product
from typing import Any
from uuid import UUID

import pytest
from pydantic import ConfigDict

from nitro import Entity, Field, MemoryRepo, Model

store = MemoryRepo()


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1
    HIGH = 30


class Kind(StrEnum):
    BOOK = "book"
    TEA = "tea"


class Point(Model):
    x: int


class Odd(int):
    pass


class Anything(Entity, backend=store):
    model_config = ConfigDict(arbitrary_types_allowed=True)

    indexed: Any = Field(None, index=True)
    plain: Any = None


NAN = math.nan

#: Groups of equal values, in ascending order.
NUMBERS: list[list[Any]] = [
    [-math.inf, Decimal("-Infinity")],
    [Decimal("-1e400")],
    [-(10**310)],
    [-1e300],
    [-(2**63) - 1],
    [-(2**63), -(2.0**63)],
    [-(2**53) - 1],
    [-(2**53), -(2.0**53), Decimal(-(2**53))],
    [-1.5, Decimal("-1.50")],
    [Decimal("-0.1")],
    [-1e-320],
    [Decimal("-1e-400")],
    [0, 0.0, -0.0, False, Decimal(0), Decimal("-0")],
    [Decimal("1e-400")],
    [5e-324],
    # The float 0.1 is a little more than a tenth.
    [Decimal("0.1")],
    [0.1, Decimal.from_float(0.1)],
    [Decimal("0.3")],
    [1, 1.0, True, Decimal("1.00"), Odd(1), Level.LOW],
    [30, Level.HIGH],
    [2**53, 2.0**53],
    [2**53 + 1, Decimal(2**53 + 1)],
    [2**53 + 2, 2.0**53 + 2],
    [2**63 - 1],
    [2**63, 2.0**63],
    [2**63 + 1],
    [10**22, 1e22],
    [10**23],
    [Decimal("1.7976931348623157e308")],
    [10**309],
    [Decimal("1e400")],
    [math.inf, Decimal("Infinity")],
    [NAN, -NAN, Decimal("NaN")],
]
TEXTS: list[list[Any]] = [
    [""], ["\0"], ["\0a"], ["A"], ["a"], ["a\0"], ["a\0b"], ["ab"], ["b", ], ["blue", Colour.BLUE], ["book", Kind.BOOK],
    ["red", Colour.RED], ["\x7f"], ["é"], ["\u07ff"], ["\u0800"], ["\ud800"], ["\ud800a"], ["\udfff"], ["\ue000"],
    ["\uffff"], ["\U00010000"], ["😀"], ["\U0010ffff"],
]  # fmt: skip
BYTES: list[list[Any]] = [[b""], [b"\0"], [b"\0\0"], [b"a"], [b"a\0"], [b"\xff"]]
DATES: list[list[Any]] = [
    [datetime.date.min],
    [datetime.date(2024, 2, 29)],
    [datetime.date(2024, 3, 1)],
    [datetime.date.max],
]
MOMENTS: list[list[Any]] = [
    [datetime.datetime.min],
    [datetime.datetime(2026, 1, 1)],
    [datetime.datetime(2026, 1, 1, 0, 0, 0, 1)],
    [datetime.datetime.max],
]
AWARE: list[list[Any]] = [
    [datetime.datetime(2025, 12, 31, 23, 59, tzinfo=UTC)],
    [
        datetime.datetime(2026, 1, 1, tzinfo=UTC),
        datetime.datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))),
        datetime.datetime(2025, 12, 31, 18, 30, tzinfo=timezone(timedelta(hours=-5, minutes=-30))),
    ],
    [datetime.datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(minutes=30)))],
]
TIMES: list[list[Any]] = [[datetime.time()], [datetime.time(12, 30)], [datetime.time.max]]
AWARE_TIMES: list[list[Any]] = [[datetime.time(1, tzinfo=timezone(timedelta(hours=2)))], [datetime.time(1, tzinfo=UTC)]]
DURATIONS: list[list[Any]] = [
    [timedelta.min], [timedelta(microseconds=-1)], [timedelta()], [timedelta(microseconds=1)], [timedelta(hours=24), timedelta(1)],
    [timedelta.max],
]  # fmt: skip
UUIDS: list[list[Any]] = [[UUID(int=0)], [UUID(int=1)], [UUID(int=2**127)], [UUID(int=2**128 - 1)]]
SEQUENCES: list[list[Any]] = [[[], ()], [[None]], [[1], (1.0,)], [[1, 1]], [[1, "a"]], [[2]], [["a"]], [[[]]]]

KINDS = [NUMBERS, TEXTS, BYTES, DATES, MOMENTS, AWARE, TIMES, AWARE_TIMES, DURATIONS, UUIDS, SEQUENCES]
#: Of all kinds: None, and then one kind after another.
EVERYTHING: list[list[Any]] = [[None], *(group for kind in KINDS for group in kind)]
PLACE = {id(value): place for place, group in enumerate(EVERYTHING) for value in group}
KIND = {id(value): number for number, kind in enumerate(KINDS) for group in kind for value in group}


def is_nan(value: Any) -> bool:
    return isinstance(value, float | Decimal) and value != value


@pytest.fixture
def _everything() -> None:
    # In an order that is not the one that is expected.
    values = [value for group in EVERYTHING for value in group]
    for place in range(len(values)):
        value = values[place * 97 % len(values)]
        entity = Anything(indexed=value, plain=value)
        # Whatever pydantic makes of it, this very value is meant.
        assert entity.indexed is value
        entity.save()


@pytest.mark.usefixtures("_everything")
@pytest.mark.parametrize("field", ["indexed", "plain"])
def test_the_order_of_all_values(field):
    found = [PLACE[id(getattr(entity, field))] for entity in Anything.where().order_by(field)]
    assert found == sorted(found)
    assert len(found) == len(PLACE)
    found = [PLACE[id(getattr(entity, field))] for entity in Anything.where().order_by("-" + field)]
    assert found == sorted(found, reverse=True)


@pytest.mark.usefixtures("_everything")
@pytest.mark.parametrize("field", [Anything.indexed, Anything.plain], ids=repr)
@pytest.mark.parametrize("place", range(len(EVERYTHING)))
def test_every_comparison_with_every_value(field, place):
    for wanted in EVERYTHING[place]:
        kind = KIND.get(id(wanted))
        equal = {id(value) for value in EVERYTHING[place]}
        assert {id(entity.indexed) for entity in Anything.where(field == wanted)} == equal
        assert {id(entity.indexed) for entity in Anything.where(field != wanted)} == PLACE.keys() - equal
        assert {id(entity.indexed) for entity in Anything.where(field.in_([wanted]))} == equal
        if wanted is None:
            continue
        for compare in (operator.lt, operator.le, operator.gt, operator.ge):
            expected = {
                id(value)
                for other, group in enumerate(EVERYTHING)
                for value in group
                if KIND.get(id(value)) == kind and not is_nan(value) and not is_nan(wanted) and compare(other, place)
            }
            assert {id(entity.indexed) for entity in Anything.where(compare(field, wanted))} == expected, compare


@pytest.mark.usefixtures("_everything")
def test_texts_by_their_beginnings():
    texts = {id(value): getattr(value, "value", value) for group in TEXTS for value in group}
    for part in ["", "a", "\0", "\ud800", "b", "é", "\U0010ffff", "a\0", "nothing", "d"]:
        beginning = {place for place, text in texts.items() if text.startswith(part)}
        ending = {place for place, text in texts.items() if text.endswith(part)}
        for field in (Anything.indexed, Anything.plain):
            assert {id(entity.indexed) for entity in Anything.where(field.startswith(part))} == beginning, part
            assert {id(entity.indexed) for entity in Anything.where(field.like(part + "%"))} == beginning, part
            assert {id(entity.indexed) for entity in Anything.where(field.endswith(part))} == ending, part


def test_what_is_no_container_contains_nothing():
    for value in [5, None, [1, "x"], {"x": 1}, {1}, "text x", b"x", Colour.RED, Point(x=1)]:
        Anything(plain=value).save()
    assert [entity.plain for entity in Anything.where(Anything.plain.contains("x"))] == [[1, "x"], {"x": 1}, "text x"]
    assert [entity.plain for entity in Anything.where(Anything.plain.contains(1))] == [[1, "x"], {1}]
    assert Anything.where(Anything.plain.contains([])).count() == 0


def test_values_without_an_order_are_found_by_equality():
    values = [Point(x=1), {"a": 1}, {1, 2}, Fraction(1, 3), [{"a": 1}], 1j, Point]
    for value in values:
        Anything(indexed=value, plain=value).save()
    for value, field in product(values, (Anything.indexed, Anything.plain)):
        assert [entity.plain for entity in Anything.where(field == value)] == [value]
        assert [entity.plain for entity in Anything.where(field.in_([value, 5]))] == [value]
        assert [entity.plain for entity in Anything.where(field != value)] == [
            other for other in values if other != value
        ]
    assert [entity.plain for entity in Anything.where().order_by("indexed")] == values


class Typed(Entity, backend=store):
    colour: Colour | None = Field(None, index=True)
    level: Level = Field(Level.LOW, index=True)
    price: Decimal | None = Field(None, index=True)
    when: datetime.datetime | None = Field(None, index=True)
    day: datetime.date | None = Field(None, index=True)
    reference: UUID | None = Field(None, index=True)
    text: str = Field("", index=True)
    wait: timedelta | None = Field(None, index=True)


def test_enums():
    Typed(colour=Colour.RED).save()
    blue = Typed(colour=Colour.BLUE, level=Level.HIGH).save()
    Typed().save()
    assert Typed.where(colour=Colour.BLUE).all() == [blue]
    assert Typed.where(colour="blue").all() == [blue]
    assert Typed.where(Typed.colour.in_(["blue", Colour.BLUE])).all() == [blue]
    assert Typed.where(Typed.level > Level.LOW).all() == [blue]
    assert [typed.colour for typed in Typed.where().order_by("colour")] == [None, Colour.BLUE, Colour.RED]


def test_decimals():
    for text in ["0.10", "0.1", "-3", "1e3", "12345678901234567890.123"]:
        Typed(price=Decimal(text)).save()
    assert Typed.where(price=Decimal("0.1")).count() == 2
    assert Typed.where(price=0.1).count() == 0
    assert Typed.where(Typed.price < 0.1).count() == 3
    assert Typed.where(Typed.price.between(0, 1000)).count() == 3
    assert Typed.where(Typed.price > Decimal("12345678901234567890.122")).count() == 1


def test_moments_and_days():
    east = timezone(timedelta(hours=9))
    for hour in (0, 5, 10):
        Typed(when=datetime.datetime(2026, 1, 1, hour, tzinfo=UTC), day=datetime.date(2026, 1, 1 + hour)).save()
    assert Typed.where(when=datetime.datetime(2026, 1, 1, 14, tzinfo=east)).count() == 1
    assert Typed.where(Typed.when > "2026-01-01T05:00:00Z").count() == 1
    assert Typed.where(Typed.day.between("2026-01-02", "2026-01-11")).count() == 2
    # A moment without a zone is of another kind than one with a zone.
    assert Typed.where(Typed.when > datetime.datetime(2025, 1, 1)).count() == 0


def test_uuids():
    for number in (1, 2**100, 2**128 - 1):
        Typed(reference=UUID(int=number)).save()
    assert Typed.where(reference=str(UUID(int=1))).count() == 1
    assert Typed.where(Typed.reference > UUID(int=1)).count() == 2


def test_texts_that_no_file_could_hold():
    for text in ["\ud800", "\udc80x", "é", "e\u0301", "\0"]:
        Typed.model_construct(text=text).save()
    assert Typed.where(text="\ud800").count() == 1
    assert Typed.where(Typed.text.startswith("\udc80")).count() == 1
    assert Typed.where(text="é").count() == 1
