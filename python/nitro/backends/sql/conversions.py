"""What becomes of the values of a column whose type changes.

A value that the new type cannot hold stops the migration, and nothing is changed: PostgreSQL's casts would round, and
those of SQLite would make 0 of a word.
"""

from __future__ import annotations

import datetime
import decimal
import json
import uuid
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine

_KINDS: list[tuple[type[TypeEngine[Any]], str]] = [
    (postgresql.JSONB, "json"),
    (sa.JSON, "json"),
    (sa.Uuid, "uuid"),
    (sa.Boolean, "boolean"),
    (sa.Integer, "integer"),
    (sa.Float, "float"),
    (sa.Numeric, "decimal"),
    (sa.DateTime, "naive"),
    (sa.Date, "date"),
    (sa.Time, "time"),
    (sa.Interval, "span"),
    (postgresql.INTERVAL, "span"),
    (sa.LargeBinary, "bytes"),
    (sa.String, "text"),
]


def kind_of(type_: TypeEngine[Any]) -> str | None:
    """What the values of a column type are; None for a type that Nitro does not know."""
    if isinstance(type_, sa.DateTime) and type_.timezone:
        return "moment"
    return next((kind for base, kind in _KINDS if isinstance(type_, base)), None)


# --- PostgreSQL -------------------------------------------------------------------------------------------------

_POSTGRES: dict[tuple[str, str], str] = {
    ("boolean", "integer"): "{0}::int",
    ("boolean", "float"): "{0}::int::float",
    ("boolean", "decimal"): "{0}::int::numeric",
    ("integer", "boolean"): "{0} <> 0",
    ("float", "boolean"): "{0} <> 0",
    ("decimal", "boolean"): "{0} <> 0",
    # By way of text a number with a fraction is refused; a cast alone would round it.
    ("float", "integer"): "{0}::text::bigint",
    ("decimal", "integer"): "trim_scale({0})::text::bigint",
    ("date", "moment"): "{0}::timestamp AT TIME ZONE 'UTC'",
    ("naive", "moment"): "{0} AT TIME ZONE 'UTC'",
    ("moment", "naive"): "{0} AT TIME ZONE 'UTC'",
    ("moment", "date"): "({0} AT TIME ZONE 'UTC')::date",
    ("moment", "time"): "({0} AT TIME ZONE 'UTC')::time",
    ("text", "bytes"): "convert_to({0}, 'UTF8')",
    ("bytes", "text"): "convert_from({0}, 'UTF8')",
    ("integer", "span"): "{0} * interval '1 microsecond'",
    ("span", "integer"): "(extract(epoch from {0}) * 1000000)::bigint",
    ("json", "text"): "{0} #>> '{{}}'",
}


def postgres_using(column: str, type_sql: str, existing: str | None, wanted: str | None) -> str | None:
    """What stands behind USING where a column gets another type; None where the database needs nothing there.

    Args:
        column: The name of the column, quoted.
        type_sql: The new type in SQL.
        existing: The kind of the values that are there.
        wanted: The kind of the new type.
    """
    if existing is None or wanted is None or existing == wanted:
        return None
    known = _POSTGRES.get((existing, wanted))
    if known is not None:
        return known.format(column)
    if wanted == "json":
        return f"to_jsonb({column})"
    if existing == "json":
        return f"({column} #>> '{{}}')::{type_sql}"
    # Without the length that the type may have: an explicit cast would cut what is longer.
    return f"{column}::text" if wanted == "text" else f"{column}::{type_sql}"


# --- SQLite -----------------------------------------------------------------------------------------------------


def sqlite_value(value: Any, existing: str | None, wanted: str) -> Any:
    """A value as a column of another type keeps it in SQLite.

    Raises:
        ValueError: If the type cannot hold it; the message shows the value.
    """
    if value is None:
        return None
    try:
        return _SQLITE[wanted](_told(value, existing, wanted))
    except (ValueError, TypeError, ArithmeticError):
        shown = repr(value)
        shown = shown if len(shown) <= 100 else shown[:97] + "..."
        raise ValueError(f"{shown} cannot become {_NAMES.get(wanted, wanted)}") from None


_NAMES = {"integer": "an integer", "naive": "a moment", "moment": "a moment", "span": "a count of microseconds"}


def _told(value: Any, existing: str | None, wanted: str) -> Any:
    """What a value stands for where that does not show: 1 may be true, and a text may be JSON."""
    if existing == "json" and wanted != "json":
        return json.loads(value)
    if existing == "boolean":
        return bool(value)
    if existing == "uuid" and wanted in ("text", "json"):
        return str(uuid.UUID(value))
    if existing == "moment" and wanted in ("text", "json"):
        return f"{value}+00:00"
    return value


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode()
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _integer(value: Any) -> int:
    number = decimal.Decimal(_number(value))
    if number != int(number):
        raise ValueError(value)
    return int(number)


def _number(value: Any) -> str:
    if not isinstance(value, str | int | float):
        raise TypeError(value)
    return str(int(value)) if isinstance(value, bool) else str(value).strip()


def _float(value: Any) -> float:
    return float(_number(value))


def _decimal(value: Any) -> str:
    number = decimal.Decimal(_number(value))
    if not number.is_finite():
        raise ValueError(value)
    return str(number)


_TRUTH = {"true": 1, "t": 1, "yes": 1, "on": 1, "1": 1, "false": 0, "f": 0, "no": 0, "off": 0, "0": 0}


def _boolean(value: Any) -> int:
    if isinstance(value, str):
        known = _TRUTH.get(value.strip().lower())
        if known is None:
            raise ValueError(value)
        return known
    return int(decimal.Decimal(_number(value)) != 0)


def _moment(value: Any) -> datetime.datetime:
    found = datetime.datetime.fromisoformat(value.strip())
    return found.astimezone(datetime.UTC).replace(tzinfo=None) if found.tzinfo is not None else found


def _moment_text(value: Any) -> str:
    return _moment(value).isoformat(" ", "microseconds")


def _date(value: Any) -> str:
    return _moment(value).date().isoformat()


def _time(value: Any) -> str:
    try:
        found = datetime.time.fromisoformat(value.strip())
    except ValueError:
        found = _moment(value).time()
    return found.isoformat("microseconds")


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else value.encode()


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


_SQLITE: dict[str, Callable[[Any], Any]] = {
    "text": _text,
    "integer": _integer,
    "float": _float,
    "decimal": _decimal,
    "boolean": _boolean,
    "date": _date,
    "moment": _moment_text,
    "naive": _moment_text,
    "time": _time,
    "span": _integer,
    "bytes": _bytes,
    "json": _json,
    "uuid": lambda value: uuid.UUID(value).hex,
}
