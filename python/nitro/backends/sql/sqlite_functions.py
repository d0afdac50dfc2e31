"""What SQLite lacks for comparing values as Nitro does, as functions on each connection."""

from __future__ import annotations

import datetime
import decimal
import json
import sqlite3
from collections.abc import Callable
from typing import Any

from pydantic import TypeAdapter

from ... import _core

#: How values of a kind stand in JSON, as values again: a function for texts that pydantic wrote.
FROM_JSON: dict[str, Callable[[Any], Any]] = {
    "decimal": decimal.Decimal,
    "moment": datetime.datetime.fromisoformat,
    "naive": datetime.datetime.fromisoformat,
    "time": datetime.time.fromisoformat,
    "span": TypeAdapter(datetime.timedelta).validate_python,
}


def install(connection: sqlite3.Connection) -> None:
    """Gives a connection the functions.

    nitro_decimal(text): what a Decimal kept as text is compared by.
    nitro_value(kind, text): the same for a value of a kind in JSON.
    nitro_json(text): a JSON text that is the same for equal values.
    nitro_sum(text): the sum of Decimals, as text.
    """
    connection.create_function("nitro_decimal", 1, _decimal, deterministic=True)
    connection.create_function("nitro_value", 2, _value, deterministic=True)
    connection.create_function("nitro_json", 1, canonical_json, deterministic=True)
    connection.create_aggregate("nitro_sum", 1, _Sum)  # type: ignore[arg-type]


def _decimal(text: str | None) -> bytes | None:
    return None if text is None else _core.sort_key(decimal.Decimal(text))


def _value(kind: str, text: str | None) -> bytes | None:
    return None if text is None else _core.sort_key(FROM_JSON[kind](text))


def canonical_json(text: str | None) -> str | None:
    """A JSON text that is the same for equal values: dictionaries have no order."""
    return None if text is None else json.dumps(json.loads(text), sort_keys=True, ensure_ascii=False)


#: Sums are exact, as those of PostgreSQL are.
_EXACTLY = decimal.Context(prec=decimal.MAX_PREC, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN)


class _Sum:
    def __init__(self) -> None:
        self.total: decimal.Decimal | None = None

    def step(self, text: str | None) -> None:
        if text is not None:
            value = decimal.Decimal(text)
            self.total = value if self.total is None else _EXACTLY.add(self.total, value)

    def finalize(self) -> str | None:
        return None if self.total is None else str(self.total)
