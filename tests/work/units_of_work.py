"""What the tests of units of work work with."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from nitro import Entity, Field


class Order(Entity):
    # Other tests have tables of these names.
    __tablename__ = "order_of_units"

    customer: str = ""
    total: float = 0.0
    status: str = "draft"
    tags: list[str] = []
    number: int | None = Field(default=None, unique=True)


class Product(Entity):
    __tablename__ = "product_of_units"

    name: str = ""
    stock: int = 0


CLASSES = (Order, Product)


def in_a_loop(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Runs a test that is a coroutine function in an event loop of its own."""

    @wraps(test)
    def run(*arguments: Any, **keywords: Any) -> None:
        asyncio.run(test(*arguments, **keywords))  # type: ignore[arg-type]

    return run


class Broken(Exception):
    """What goes wrong in a program."""
