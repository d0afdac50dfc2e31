"""A memory repository and a naive model of it, side by side: a list of dictionaries, and an order of its own.

The model shares no code with Nitro. It knows what the docstring of `nitro.Query` says: None comes first; numbers of all
types are in one order, -0.0 is 0.0, and NaN equals itself and comes after all of them; texts are in the order of their
code points; kinds are apart, and comparisons hold within a kind only and never for None and NaN.

`Twins` has a method for each thing that a user can do. Each does it on both sides and compares; a difference is an
AssertionError. Its `random` is what they choose with, so that Hypothesis and a seed can both drive them.
"""

from __future__ import annotations

import datetime
import math
import random as randomness
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import Any

import pytest
from pydantic import ConfigDict

import nitro
from nitro import Entity, Field, Index, MemoryRepo, StaleEntityError, UniqueViolation, col

UTC = datetime.UTC
EAST = datetime.timezone(datetime.timedelta(hours=9))


class Shade(Enum):
    DARK = "dark"
    LIGHT = "light"


def define(repository: MemoryRepo) -> Any:
    """A class with every kind of index; each test has one of its own."""

    class Thing(Entity, backend=repository):
        model_config = ConfigDict(arbitrary_types_allowed=True)

        #: Any value, indexed and not.
        indexed: Any = Field(None, index=True)
        plain: Any = None
        #: Of one type.
        text: str = Field("", index=True)
        number: float | None = Field(None, index=True)
        count: int = 0
        shade: Shade | None = Field(None, index=True)
        tags: list[str] = Field([], index=True)
        code: str | None = Field(None, unique=True)
        group: int = 0
        seat: int | None = None
        by_text = Index("text", "-number")
        by_count = Index("-count", "text", "indexed")
        one_seat = Index("group", "seat", unique=True)

    return Thing


# --- The order of values ----------------------------------------------------------------------------------------

NULL, NUMBER, TEXT, BYTES, DATE, NAIVE, AWARE, SEQUENCE = range(8)


def is_nan(value: Any) -> bool:
    return isinstance(value, float | Decimal) and math.isnan(value)


def kind(value: Any) -> int:
    if isinstance(value, Enum):
        return kind(value.value)
    if value is None:
        return NULL
    if isinstance(value, int | float | Decimal):
        return NUMBER
    if isinstance(value, str):
        return TEXT
    if isinstance(value, bytes):
        return BYTES
    if isinstance(value, datetime.datetime):
        return NAIVE if value.tzinfo is None else AWARE
    if isinstance(value, datetime.date):
        return DATE
    assert isinstance(value, list | tuple), value
    return SEQUENCE


def place(value: Any) -> tuple[Any, ...]:
    """Where a value stands among all values: what Python compares."""
    if isinstance(value, Enum):
        return place(value.value)
    this = kind(value)
    if this == NULL:
        return (NULL,)
    if this == NUMBER:
        if is_nan(value):
            return (NUMBER, 2)
        # A great Decimal is no infinity, as `math.isinf` has it.
        if value.is_infinite() if isinstance(value, Decimal) else isinstance(value, float) and math.isinf(value):
            return (NUMBER, 1, 1, 0) if value > 0 else (NUMBER, 1, -1, 0)
        # Exact, whatever the type.
        return (NUMBER, 1, 0, Fraction(value))
    if this == TEXT:
        return (TEXT, tuple(map(ord, value)))
    if this == AWARE:
        return (AWARE, value.astimezone(UTC).replace(tzinfo=None))
    if this == SEQUENCE:
        return (SEQUENCE, tuple(place(item) for item in value))
    return (this, value)


def equal(one: Any, two: Any) -> bool:
    return place(one) == place(two)


def comparable(one: Any, two: Any) -> bool:
    return kind(one) == kind(two) != NULL and not is_nan(one) and not is_nan(two)


# --- Conditions, on both sides ----------------------------------------------------------------------------------


def is_like(text: str, pattern: str) -> bool:
    """The definition of `like`, by recursion."""
    if not pattern:
        return not text
    head, rest = pattern[0], pattern[1:]
    if head == "%":
        return any(is_like(text[cut:], rest) for cut in range(len(text) + 1))
    if head == "_":
        return bool(text) and is_like(text[1:], rest)
    if head == "\\" and rest:
        head, rest = rest[0], rest[1:]
    return text[:1] == head and is_like(text[1:], rest)


def as_text(value: Any) -> str | None:
    value = value.value if isinstance(value, Enum) else value
    return value if isinstance(value, str) else None


@dataclass
class Asked:
    """A condition as the model has it: an operator and what it takes."""

    operator: str
    name: str = ""
    value: Any = None
    parts: list[Asked] = field(default_factory=list)

    def holds(self, row: dict[str, Any]) -> bool:
        operator, value = self.operator, self.value
        if operator == "and":
            return all(part.holds(row) for part in self.parts)
        if operator == "or":
            return any(part.holds(row) for part in self.parts)
        if operator == "not":
            return not self.parts[0].holds(row)
        given = row[self.name]
        if operator == "eq":
            return equal(given, value)
        if operator == "ne":
            return not equal(given, value)
        if operator == "in":
            return any(equal(given, item) for item in value)
        if operator == "is_null":
            return given is None
        if operator in ("startswith", "endswith", "like"):
            text = as_text(given)
            if text is None:
                return False
            if operator == "like":
                return is_like(text, value)
            return text.startswith(value) if operator == "startswith" else text.endswith(value)
        if operator == "contains":
            return isinstance(given, str | list | tuple) and isinstance(value, str) and value in given
        if operator == "between":
            low, high = value
            return all(comparable(given, end) for end in value) and place(low) <= place(given) <= place(high)
        if not comparable(given, value):
            return False
        one, two = place(given), place(value)
        return {"lt": one < two, "le": one <= two, "gt": one > two, "ge": one >= two}[operator]

    def condition(self, cls: Any) -> Any:
        """The same in Nitro's words."""
        if self.parts:
            first, *rest = [part.condition(cls) for part in self.parts]
            if self.operator == "not":
                return ~first
            for part in rest:
                first = first & part if self.operator == "and" else first | part
            return first
        reference = col(getattr(cls, self.name))
        if self.operator == "is_null":
            return reference.is_null()
        if self.operator == "between":
            return reference.between(*self.value)
        if self.operator == "in":
            return reference.in_(self.value)
        if self.operator in ("startswith", "endswith", "like", "contains"):
            return getattr(reference, self.operator)(self.value)
        return getattr(reference, f"__{self.operator}__")(self.value)


# --- Values to choose from: few enough to meet often -------------------------------------------------------------

NUMBERS: list[Any] = [
    0, -0.0, 0.0, 1, 1.0, True, -1, 0.5, Decimal("0.5"), Decimal("0.1"), 0.1, math.nan, -math.nan, math.inf, -math.inf,
    2**53, 2**53 + 1, 2.0**53, 2**63, 2**63 - 1, -(2**63), -(2**63) - 1, 10**30, 1e30, 10**310, Decimal("1e400"),
    Decimal("-1e-400"), 5e-324, 3, 7,
]  # fmt: skip
TEXTS: list[Any] = ["", "a", "ab", "b", "a\0", "\0", "é", "😀", "\ud800", "\uffff", "a%b", "a_", "dark", "B"]
OTHERS: list[Any] = [
    None, None, b"", b"a", b"\xff\0", datetime.date(2026, 1, 1), datetime.datetime(2026, 1, 1),
    datetime.datetime(2026, 1, 1, tzinfo=UTC), datetime.datetime(2026, 1, 1, 9, tzinfo=EAST),
    datetime.datetime(2026, 1, 1, 1, tzinfo=UTC), Shade.DARK, Shade.LIGHT, (), (1,), [1, "a"], [1.0, None], ["a"],
]  # fmt: skip
FLOATS: list[Any] = [None, 0.0, -0.0, 1.0, -1.5, 2.0, 1e300, 5e-324]
SIMPLE_TEXTS = ["", "a", "ab", "b", "ba", "é", "dark", "a%b"]
PATTERNS = ["", "%", "a%", "_", "%b", "a\\%%", "_b%", "%a%", "é", "😀_"]
TAGS: list[list[str]] = [[], ["a"], ["a", "b"], ["b"]]

FIELDS = ["indexed", "plain", "text", "number", "count", "shade", "tags", "code", "group", "seat"]
ORDERABLE = ["indexed", "plain", "text", "number", "count", "shade", "code", "group", "id"]


class Random:
    """What `random.Random` and a Hypothesis draw have in common here."""

    def below(self, limit: int) -> int:
        raise NotImplementedError

    def pick(self, values: Any) -> Any:
        return values[self.below(len(values))]


def value_for(random: Random, name: str) -> Any:
    if name in ("indexed", "plain"):
        return random.pick(random.pick([NUMBERS, TEXTS, OTHERS]))
    if name == "text":
        return random.pick(SIMPLE_TEXTS)
    if name == "number":
        return random.pick(FLOATS)
    if name == "shade":
        return random.pick([None, Shade.DARK, Shade.LIGHT])
    if name == "tags":
        return list(random.pick(TAGS))
    if name == "code":
        return random.pick([None, *"abcdefgh"])
    if name == "seat":
        return random.pick([None, 0, 1, 2, 3, 4])
    return random.below(4)


def condition_for(random: Random, depth: int = 2) -> Asked:
    choice = random.below(6) if depth else 0
    if choice >= 4:
        parts = [condition_for(random, depth - 1) for _ in range(2 + random.below(2))]
        return Asked("and" if choice == 4 else "or", parts=parts)
    if choice == 3:
        return Asked("not", parts=[condition_for(random, depth - 1)])
    name = random.pick(FIELDS)
    operators = ["eq", "eq", "ne", "lt", "le", "gt", "ge", "in", "is_null", "between"]
    if name in ("indexed", "plain", "text", "code"):
        operators += ["startswith", "endswith", "like", "contains"]
    operator = random.pick(operators)
    if operator == "is_null":
        return Asked(operator, name)
    if operator == "in":
        return Asked(operator, name, [value_for(random, name) for _ in range(random.below(4))])
    if operator == "like":
        return Asked(operator, name, random.pick(PATTERNS))
    if operator in ("startswith", "endswith", "contains"):
        return Asked(operator, name, random.pick(TEXTS))
    if operator == "between":
        ends = [value_for(random, name) for _ in range(2)]
        return Asked(operator, name, ends) if None not in ends else Asked("is_null", name)
    value = value_for(random, name)
    return Asked("is_null", name) if value is None and operator not in ("eq", "ne") else Asked(operator, name, value)


# --- The naive model --------------------------------------------------------------------------------------------


@dataclass
class Record:
    """A stored row as the model has it."""

    serial: int
    #: What everyone sees.
    row: dict[str, Any]
    #: What was saved last.
    saved: dict[str, Any]
    version: int
    deadline: float | None
    entity: Any


class Twins:
    """A repository, its naive model, and everything that a user can do to both."""

    def __init__(self, random: Random, *, isolated: bool, crowded: bool = False) -> None:
        self.random = random
        self.isolated = isolated
        #: Crowded stores take other ways: sets of many rows, rows that are numbered anew.
        self.crowded = crowded
        #: More records than this are not made.
        self.limit = 700 if crowded else 24
        self.now = 0.0
        self.repository = MemoryRepo(isolated=isolated, clock=lambda: self.now)
        self.Thing = define(self.repository)
        self.records: list[Record] = []
        self.serial = 0
        #: Deleted ones, to be saved again.
        self.gone: list[Any] = []
        #: Copies that are older than their record.
        self.stale: list[Any] = []

    # --- Within ---

    def expire(self) -> None:
        for record in [
            record for record in self.records if record.deadline is not None and record.deadline <= self.now
        ]:
            self.records.remove(record)

    def some(self) -> Record | None:
        self.expire()
        return self.random.pick(self.records) if self.records else None

    def clash(self, row: dict[str, Any], other_than: Record | None = None) -> bool:
        for record in self.records:
            if record is other_than:
                continue
            held = record.row
            if row["code"] is not None and row["code"] == held["code"]:
                return True
            if row["seat"] is not None and (row["group"], row["seat"]) == (held["group"], held["seat"]):
                return True
        return False

    def taken(self, key: str, other_than: Record | None = None) -> bool:
        # A key belongs to who was saved under it, not to who was given it.
        return any(record.saved["id"] == key for record in self.records if record is not other_than)

    def values(self) -> dict[str, Any]:
        return {name: value_for(self.random, name) for name in FIELDS}

    def row_of(self, entity: Any) -> dict[str, Any]:
        return {name: _copied(value) for name, value in entity.__dict__.items()}

    def hold(self, entity: Any, ttl: float | None) -> None:
        self.serial += 1
        row = self.row_of(entity)
        deadline = None if ttl is None else self.now + ttl
        self.records.append(Record(self.serial, row, dict(row), 1, deadline, entity))

    def held(self, record: Record) -> Any:
        """The entity of a record, to work on: what `get` gives."""
        found = self.Thing.get(record.saved["id"])
        if self.isolated:
            assert found is not record.entity
            return found
        assert found is record.entity
        return found

    def same(self, found: Any, record: Record) -> bool:
        if not self.isolated:
            return found is record.entity
        return found.id == record.row["id"] and all(
            _identical(getattr(found, name), value) for name, value in record.row.items()
        )

    def compare(self, found: list[Any], records: list[Record], asked: Any) -> None:
        assert len(found) == len(records), (asked, found, records)
        for entity, record in zip(found, records, strict=True):
            assert self.same(entity, record), (asked, found, records)

    def ttl(self) -> float | None:
        return self.random.pick([None, None, None, 5.0, 20.0])

    # --- What users do ---

    def create(self) -> None:
        self.expire()
        if len(self.records) >= self.limit:
            return
        values, ttl = self.values(), self.ttl()
        entity = self.Thing(**values)
        self.save_new(entity, ttl)

    def save_new(self, entity: Any, ttl: float | None) -> None:
        self.expire()
        clash = self.taken(entity.id) or self.clash(entity.__dict__)
        try:
            entity.save(ttl=ttl)
        except UniqueViolation:
            assert clash, entity
            assert nitro.changes.version(entity) == 0
            self.gone.append(entity)
        else:
            assert not clash, entity
            assert nitro.changes.of(entity) == {}
            self.hold(entity, ttl)

    def create_many(self) -> None:
        self.expire()
        if len(self.records) >= self.limit:
            return
        many = [self.Thing(**self.values()) for _ in range(self.random.below(300 if self.crowded else 4))]
        if self.crowded:
            for entity in many:
                entity.code, entity.seat = None, None
        ttl = self.ttl()
        before = list(self.records)
        clash = False
        for entity in many:
            if self.clash(entity.__dict__):
                clash = True
                break
            self.hold(entity, ttl)
        try:
            self.Thing.save_all(many, ttl=ttl)
        except UniqueViolation:
            assert clash, many
            self.records = before
        else:
            assert not clash, many

    def assign(self) -> None:
        """An assignment to a stored entity; saved at once where copies go in and out."""
        record = self.some()
        if record is None:
            return
        entity = self.held(record)
        name = self.random.pick(FIELDS)
        value = value_for(self.random, name)
        row = {**record.row, name: value}
        if self.isolated:
            self.save_change(record, entity, {name: value})
            return
        # What equals the old value moves nothing, but it is there.
        clash = self.clash(row, record)
        try:
            setattr(entity, name, value)
        except UniqueViolation:
            assert clash, (record, name, value)
            assert _identical(getattr(entity, name), record.row[name])
            return
        assert not clash, (record, name, value)
        record.row[name] = _copied(getattr(entity, name))

    def save_change(self, record: Record, entity: Any, values: dict[str, Any]) -> None:
        for name, value in values.items():
            setattr(entity, name, value)
        row = self.row_of(entity)
        clash = self.clash(row, record) or self.taken(row["id"], record)
        ttl = self.ttl()
        try:
            entity.save(ttl=ttl)
        except UniqueViolation:
            assert clash, (record, values)
            return
        assert not clash, (record, values)
        self.stale.append(entity.model_copy(deep=True))
        record.row, record.saved, record.version = row, dict(row), record.version + 1
        record.deadline = None if ttl is None else self.now + ttl
        record.entity = entity
        assert nitro.changes.version(entity) == record.version

    def edit(self) -> None:
        """An edit in place, and a save."""
        record = self.some()
        if record is None:
            return
        entity = self.held(record)
        if len(entity.tags) > 3:
            entity.tags.clear()
        else:
            entity.tags.append(self.random.pick(["a", "b"]))
        if not self.isolated:
            record.row["tags"] = list(entity.tags)
        self.save_change(record, entity, {})

    def save(self) -> None:
        record = self.some()
        if record is None or self.isolated:
            return
        self.save_change(record, record.entity, {})

    def rename(self) -> None:
        """Another key."""
        record = self.some()
        if record is None:
            return
        entity = self.held(record)
        key = self.random.pick(["one", "two", "three", record.saved["id"]])
        if self.isolated:
            self.save_change(record, entity, {"id": key})
            return
        entity.id = key
        record.row["id"] = key
        clash = self.taken(key, record)
        try:
            entity.save()
        except UniqueViolation:
            assert clash, (record, key)
            entity.id = record.saved["id"]
            record.row["id"] = entity.id
            return
        assert not clash, (record, key)
        record.saved, record.version, record.deadline = dict(record.row), record.version + 1, None
        assert self.Thing.get(key) is entity

    def revert(self) -> None:
        record = self.some()
        if record is None or self.isolated:
            return
        clash = self.clash(record.saved, record)
        try:
            record.entity.revert_changes()
        except UniqueViolation:
            assert clash, record
            return
        assert not clash or _rows_equal(record.row, record.saved), record
        record.row = self.row_of(record.entity)
        assert _rows_equal(record.row, record.saved)
        assert nitro.changes.of(record.entity) == {}

    def delete(self) -> None:
        record = self.some()
        if record is None:
            return
        entity = self.held(record)
        entity.delete()
        self.records.remove(record)
        assert self.Thing.get_or_none(record.saved["id"]) is None
        self.gone.append(entity)
        del self.gone[:-8]

    def save_again(self) -> None:
        if self.gone and len(self.records) < self.limit:
            entity = self.gone.pop(self.random.below(len(self.gone)))
            # What has expired is deleted when somebody looks.
            self.Thing.where().exists()
            entity.text = value_for(self.random, "text")
            if nitro.changes.version(entity) == 0:
                self.save_new(entity, self.ttl())

    def save_stale(self) -> None:
        """What somebody else has saved meanwhile cannot be overwritten."""
        if not self.isolated or not self.stale:
            return
        copied = self.stale.pop(self.random.below(len(self.stale)))
        del self.stale[:-8]
        self.expire()
        key = nitro.changes.original(copied, "id")
        record = next((record for record in self.records if record.saved["id"] == key), None)
        version = nitro.changes.version(copied)
        copied.text = "stale"
        if record is not None and record.version == version:
            return
        with pytest.raises(StaleEntityError) as caught:
            copied.save()
        assert caught.value.stored_version == (record.version if record else None)

    def copy_and_change(self) -> None:
        """A copy is not the record."""
        record = self.some()
        if record is None:
            return
        copied = self.held(record).model_copy(deep=bool(self.random.below(2)))
        copied.text, copied.number = "copied", 77.0
        copied.code = "a"

    def wait(self) -> None:
        self.now += self.random.pick([0.5, 1.0, 4.0])

    def delete_some(self) -> None:
        if self.random.below(4) and not self.crowded:
            return
        asked = condition_for(self.random)
        self.expire()
        limit = 300 if self.crowded else 3
        matching = [record for record in self.records if asked.holds(record.row)][:limit]
        assert self.Thing.where(asked.condition(self.Thing)).limit(limit).delete() == len(matching), asked
        for record in matching:
            self.records.remove(record)

    def find(self) -> None:
        """A query with conditions, an order, a limit and an offset."""
        self.expire()
        asked = [condition_for(self.random) for _ in range(self.random.below(3))]
        query = self.Thing.where(*(part.condition(self.Thing) for part in asked))
        matching = [record for record in self.records if all(part.holds(record.row) for part in asked)]
        assert query.count() == len(matching), (asked, query.explain(), matching, query.all())
        orders = [
            (self.random.pick(ORDERABLE), bool(self.random.below(2))) for _ in range(self.random.pick([0, 1, 1, 2, 3]))
        ]
        query, matching = self.ordered(query, matching, orders)
        limit, offset = self.random.pick([None, None, 0, 1, 3]), self.random.pick([0, 0, 0, 1, 4])
        wanted = matching[offset:] if limit is None else matching[offset:][:limit]
        query = query.limit(limit).offset(offset)
        self.compare(query.all(), wanted, (query, query.explain()))
        assert query.count() == len(wanted)
        assert query.exists() == bool(wanted)
        first = query.first()
        assert (first is None) == (not wanted)
        assert first is None or self.same(first, wanted[0])

    def ordered(self, query: Any, matching: list[Record], orders: list[tuple[str, bool]]) -> tuple[Any, list[Record]]:
        matching = sorted(matching, key=lambda record: record.serial)
        for name, descending in reversed(orders):
            # Equal ones keep their order in both directions: so does `reverse`.
            matching.sort(key=lambda record: place(record.row[name]), reverse=descending)
        return query.order_by(*(("-" if descending else "") + name for name, descending in orders)), matching

    def pages(self) -> None:
        """All pages, with things going on between them that change no order."""
        self.expire()
        asked = [condition_for(self.random, 1) for _ in range(self.random.below(2))]
        query = self.Thing.where(*(part.condition(self.Thing) for part in asked))
        orders = [(self.random.pick(ORDERABLE), bool(self.random.below(2))) for _ in range(self.random.below(3))]
        limit = 1 + self.random.below(300 if self.crowded else 4)
        reached: tuple[Any, ...] | None = None
        after = None
        while True:
            self.expire()
            matching = [record for record in self.records if all(part.holds(record.row) for part in asked)]
            ordered_query, matching = self.ordered(query, matching, orders)
            if reached is not None:
                matching = [record for record in matching if _after(self.standing(record, orders), reached, orders)]
            page = ordered_query.page(limit=limit, after=after)
            self.compare(page.items, matching[:limit], (ordered_query, ordered_query.explain(), reached))
            assert (page.next_cursor is not None) == (len(matching) > limit)
            if page.next_cursor is None:
                return
            after = page.next_cursor
            reached = self.standing(matching[limit - 1], orders)
            self.random.pick([self.create, self.delete, self.wait, self.find, lambda: None])()

    def standing(self, record: Record, orders: list[tuple[str, bool]]) -> tuple[Any, ...]:
        return (*(place(record.row[name]) for name, _ in orders), record.serial)

    def get(self) -> None:
        self.expire()
        for record in self.records[:3]:
            self.held(record)
        assert self.Thing.get_or_none("nobody") is None
        keys = [record.saved["id"] for record in self.records]
        self.compare(self.Thing.get_many(["nobody", *keys]), self.records, "get_many")

    def sums(self) -> None:
        self.expire()
        rows = [record.row for record in self.records]
        query = self.Thing.where()
        numbers = [row["count"] for row in rows]
        assert query.sum("count") == sum(numbers)
        groups: dict[Any, int] = {}
        for row in rows:
            groups[row["shade"]] = groups.get(row["shade"], 0) + 1
        assert query.group_by("shade").count() == groups
        if rows:
            texts = [row["text"] for row in rows]
            assert query.max("text") == max(texts)
            assert query.min("text") == min(texts)

    def check(self) -> None:
        """The indexes say what the entities say, and the store holds what the model holds."""
        self.expire()
        self.compare(self.Thing.all(), self.records, "all")
        if self.random.below(4) == 0:
            assert self.repository.check() == []

    def clear(self) -> None:
        if self.random.below(40) == 0:
            self.repository.clear()
            self.records = []
            self.stale = []

    ACTIONS = (
        create, create, create, create_many, assign, assign, assign, assign, edit, save, rename, revert, delete,
        save_again, save_stale, copy_and_change, wait, delete_some, find, find, find, find, find, pages, get, sums, check,
        clear,
    )  # fmt: skip

    def step(self) -> None:
        self.random.pick(self.ACTIONS)(self)


def _copied(value: Any) -> Any:
    return list(value) if isinstance(value, list) else value


def _identical(one: Any, two: Any) -> bool:
    """Whether two values are the same to the bit: a zero's sign, a number's type."""
    return type(one) is type(two) and (one is two or repr(one) == repr(two))


def _rows_equal(one: dict[str, Any], two: dict[str, Any]) -> bool:
    return all(equal(one[name], two[name]) for name in FIELDS)


def _after(standing: tuple[Any, ...], reached: tuple[Any, ...], orders: list[tuple[str, bool]]) -> bool:
    for one, two, (_, descending) in zip(standing, reached, orders, strict=False):
        if one != two:
            return (one < two) if descending else (one > two)
    return standing[-1] > reached[-1]


# --- By a seed ---------------------------------------------------------------------------------------------------


class Seeded(Random):
    def __init__(self, seed: int) -> None:
        self.generator = randomness.Random(seed)

    def below(self, limit: int) -> int:
        return int(self.generator.random() * limit)


def drive(seed: int, steps: int, *, isolated: bool) -> None:
    """Takes so many random steps; what goes wrong can be taken again by its seed."""
    # A store of its own every so often, as small ones meet more of what is rare.
    for start in range(0, steps, 500):
        twins = Twins(Seeded(seed + start), isolated=isolated, crowded=start % 10_000 == 2000)
        done = 0
        try:
            for _ in range(min(500, steps - start)):
                twins.step()
                done += 1
            assert twins.repository.check() == []
        except BaseException as error:
            error.add_note(f"seed {seed + start}, step {done}, isolated={isolated}")
            raise
