"""Values of every type come back as they were, or are refused: never changed, never lost."""

from __future__ import annotations

import datetime
import math
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from nitro import NitroError

from .domain import Address, Everything, Order, Status

EAST = datetime.timezone(datetime.timedelta(hours=5, minutes=30))

#: Every backend stores these.
ORDINARY: list[tuple[str, Any]] = [
    ("text", "plain"),
    ("text", ""),
    ("text", " \t\n'\"\\%_;--"),
    ("text", "é ß € 😀 e\u0301 \u202e \uffff"),
    ("text", "x" * 100_000),
    ("integer", -1),
    ("integer", 2**53 + 1),
    ("integer", 2**63 - 1),
    ("integer", -(2**63)),
    ("number", 0.1),
    ("number", -1.5e-300),
    ("number", 1.7976931348623157e308),
    ("number", 5e-324),
    ("truth", True),
    ("maybe", None),
    ("maybe", 0),
    ("data", b""),
    ("data", b"plain bytes"),
    ("price", Decimal("0.10")),
    ("price", Decimal("-12345678901234567890.123456789")),
    ("moment", datetime.datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=datetime.UTC)),
    ("moment", datetime.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=EAST)),
    ("day", datetime.date(1, 1, 1)),
    ("day", datetime.date(9999, 12, 31)),
    ("time", datetime.time(23, 59, 59, 999999)),
    ("wait", datetime.timedelta(days=-3, seconds=5, microseconds=7)),
    ("reference", UUID(int=2**128 - 1)),
    ("status", Status.PLACED),
    ("address", Address(city="Oslo", zone=-1)),
    ("numbers", [3, 1, 2, 1]),
    ("unique_tags", {"b", "a"}),
    ("pair", (7, "seven")),
    ("table", {"": [], "a b": [1, 2], "é": [0]}),
]

#: A backend may refuse these; what it stores, it stores exactly.
HOSTILE: list[tuple[str, Any]] = [
    ("text", "\x00"),
    ("text", "a\x00b"),
    ("text", "\ud800"),
    ("text", "a\udfffb"),
    ("integer", 2**63),
    ("integer", -(2**63) - 1),
    ("integer", 10**400),
    ("number", math.inf),
    ("number", -math.inf),
    ("number", math.nan),
    ("number", -0.0),
    ("data", bytes(range(256))),
    ("price", Decimal("1E+400")),
    ("price", Decimal("1E-400")),
    ("price", Decimal("-0")),
    ("moment", datetime.datetime(2026, 1, 2, 3, 4, 5, 678901)),
    ("moment", datetime.datetime.min),
    ("moment", datetime.datetime.max.replace(tzinfo=datetime.UTC)),
    ("time", datetime.time(1, tzinfo=EAST)),
    ("wait", datetime.timedelta.max),
    ("wait", datetime.timedelta.min),
    ("table", {"\ud800": [1]}),
    ("table", {"\x00": [10**30]}),
]


def shown(value: Any) -> str:
    """A value so that what is equal and yet another thing is told apart, such as 1, 1.0 and True.

    What databases do not keep is left out: from which zone a moment was seen, the sign of a zero, the order of a dict,
    and whether a Decimal was written with an exponent.
    """
    if isinstance(value, datetime.datetime):
        # An instant is the same in every zone, but one without a zone is none.
        return f"{value.astimezone(datetime.UTC) if value.tzinfo else value!r}"
    if isinstance(value, datetime.time) and value.tzinfo is not None:
        # Zones are many classes; what counts is the offset.
        return f"{value.replace(tzinfo=None)!r} {value.utcoffset()}"
    if isinstance(value, float) and not value:
        return "float 0.0"
    if isinstance(value, Decimal) and value.is_finite():
        return f"Decimal {value + 0 if value == 0 else value:f}"
    if isinstance(value, set):
        return f"set {sorted(map(shown, value))}"  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(value, dict):
        return f"dict {sorted(map(repr, value.items()))}"  # pyright: ignore[reportUnknownArgumentType]
    return f"{type(value).__name__} {value!r}"


def identifier(case: Any) -> str:
    """What a case is called: the same in every process, as runners with several of them demand."""
    if isinstance(case, set):
        return shown(case)
    return ascii(case)[:40] if not isinstance(case, str) else case


class Values:
    @pytest.mark.parametrize(("field", "value"), ORDINARY, ids=identifier)
    def test_it_comes_back_as_it_was(self, field: str, value: Any) -> None:
        entity = Everything(**{field: value}).save()
        found = Everything.get(entity.id)
        assert shown(getattr(found, field)) == shown(value)
        assert found == entity
        assert Everything.all() == [entity]

    @pytest.mark.parametrize(("field", "value"), HOSTILE, ids=identifier)
    def test_it_comes_back_as_it_was_or_is_refused(self, field: str, value: Any) -> None:
        entity = Everything(**{field: value})
        other = Everything(text="other").save()
        try:
            entity.save()
        except (NitroError, ValueError, OverflowError):
            # Refused means that nothing has happened.
            assert Everything.get_or_none(entity.id) is None
            assert Everything.all() == [other]
            return
        assert shown(getattr(Everything.get(entity.id), field)) == shown(value)
        assert {shown(getattr(found, field)) for found in Everything.all()} == {
            shown(value),
            shown(getattr(other, field)),
        }

    @pytest.mark.parametrize(("field", "value"), HOSTILE, ids=identifier)
    def test_a_change_to_it_is_saved_or_refused(self, field: str, value: Any) -> None:
        entity = Everything().save()
        before = getattr(entity, field)
        setattr(entity, field, value)
        try:
            entity.save()
        except (NitroError, ValueError, OverflowError):
            entity.refresh()
            setattr(entity, field, before)
            entity.save()
            value = before
        assert shown(getattr(Everything.get(entity.id), field)) == shown(value)

    @pytest.mark.parametrize("key", ["", " ", "a'b\"c", "%", "*", "a:b", "a/b", "é😀", "x" * 500, "None", "0"])
    def test_keys_of_all_kinds(self, key: str) -> None:
        Order(id="another").save()
        Order(id=key, name="this").save()
        assert Order.get(key).name == "this"
        assert Order.get_many([key]) == [Order.get(key)]
        assert Order.where().count() == 2
        Order.get(key).delete()
        assert [order.id for order in Order.all()] == ["another"]

    def test_what_looks_like_code_is_text(self) -> None:
        text = "'; DROP TABLE orders; --"
        Order(name=text, rank=1).save()
        Order(name="innocent", rank=2).save()
        assert sorted(order.name for order in Order.all()) == [text, "innocent"]
