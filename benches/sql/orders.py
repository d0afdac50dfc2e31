"""The records that everybody stores, and what is asked about them.

An order has eight fields: a text that is its key, one of JSON, a moment, a text with an index, a float, an integer, a
bool, and a text that may be None.
"""

import datetime as dt
import json
import random
from dataclasses import dataclass
from typing import Any

FIELDS = ("id", "address", "placed", "customer", "total", "quantity", "paid", "note")

#: How many orders there are before anybody inserts one.
COUNT = 10_000
#: How many orders one customer has.
OF_A_CUSTOMER = 40
#: How many orders a query is to find.
LIMIT = 20

#: What the keys of the first ones begin with, and what those of later ones begin with, which sort behind them.
FIRST, NEW = "order", "x"

Record = dict[str, Any]


def orders(count: int, prefix: str) -> list[Record]:
    """Orders whose keys begin with the prefix, the same for the same arguments."""
    chance = random.Random(f"{prefix} {count}")
    customers = max(1, count // OF_A_CUSTOMER)
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    return [
        {
            "id": f"{prefix}-{number:08d}-{chance.getrandbits(64):016x}",
            "address": {"street": f"{number % 200} Main Street", "city": "Oslo", "zip": f"{number % 10_000:04d}"},
            "placed": start + dt.timedelta(seconds=number, microseconds=chance.randrange(1_000_000)),
            "customer": f"{prefix}-customer-{number % customers}",
            "total": chance.random() * 1000,
            "quantity": chance.randrange(100),
            "paid": chance.random() < 0.5,
            "note": None if chance.random() < 0.5 else "leave it at the door",
        }
        for number in range(count)
    ]


def plain(record: Record) -> tuple[Any, ...]:
    """An order as a row for a driver that knows no JSON."""
    return tuple(json.dumps(value) if name == "address" else value for name, value in record.items())


@dataclass(frozen=True)
class Questions:
    """What is asked, at random: every call of an operation takes the next one."""

    ids: list[str]
    customers: list[str]
    #: A key, and the total that the order is to get.
    changes: list[tuple[str, float]]

    @staticmethod
    def about(stored: list[Record], calls: int = 5000) -> "Questions":
        chance = random.Random(7)

        def key() -> str:
            return chance.choice(stored)["id"]

        return Questions(
            ids=[key() for _ in range(calls)],
            customers=[chance.choice(stored)["customer"] for _ in range(calls)],
            changes=[(key(), chance.random() * 1000) for _ in range(calls)],
        )
