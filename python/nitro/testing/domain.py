"""The classes of entities that the conformance suite stores."""

from __future__ import annotations

import datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import nitro
from nitro import Entity, Field, Index, Model, Repository


class Status(Enum):
    DRAFT = "draft"
    PLACED = "placed"


class Address(Model):
    city: str
    zone: int = 0


class Line(Model):
    product: str
    quantity: int = 1


class Order(Entity):
    """Most tests are about these."""

    name: str = ""
    total: float | None = 0.0
    status: Status = Status.DRAFT
    rank: int = Field(default=0, index=True)
    note: str | None = None
    address: Address | None = None
    lines: list[Line] = []
    tags: list[str] = []
    counts: dict[str, int] = {}
    by_rank = Index("rank", "-name")


class Product(Entity):
    """The key is a field of another name."""

    sku: str = Field(primary_key=True)
    price: float = 0.0


class Numbered(Entity):
    """The key is a number."""

    # An entity's own id is a text that is made for it; a number has to be given.
    id: int  # pyright: ignore[reportGeneralTypeIssues, reportIncompatibleVariableOverride]
    name: str = ""


class Account(Entity):
    """Some values are unique."""

    email: str | None = Field(default=None, unique=True)
    team: str = ""
    seat: int | None = None
    one_seat = Index("team", "seat", unique=True)


class Session(Entity, ttl=60.0):
    """They expire."""

    user: str = ""


class Everything(Entity):
    """Fields of many types."""

    text: str = ""
    integer: int = 0
    number: float = 0.0
    truth: bool = False
    maybe: int | None = None
    data: bytes = b""
    price: Decimal = Decimal(0)
    moment: datetime.datetime | None = None
    day: datetime.date | None = None
    time: datetime.time | None = None
    wait: datetime.timedelta = datetime.timedelta(0)
    reference: UUID | None = None
    status: Status = Status.DRAFT
    address: Address | None = None
    numbers: list[int] = []
    unique_tags: set[str] = set()
    pair: tuple[int, str] = (0, "")
    table: dict[str, list[int]] = {}


CLASSES: tuple[type[Entity], ...] = (Order, Product, Numbered, Account, Session, Everything)


def changes_of(entity: Entity) -> dict[str, tuple[Any, Any]]:
    return nitro.changes.of(entity)


def names(orders: list[Order]) -> list[str]:
    return [order.name for order in orders]


def backend_name(repository: Repository) -> str:
    """What an error of this backend has in its message."""
    return type(repository).__name__
