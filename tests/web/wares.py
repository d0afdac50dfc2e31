"""The domain of these tests: what a shop has on its shelves."""

from __future__ import annotations

import asyncio

import nitro
from nitro import Entity, Field, command, event, query


class Ware(Entity):
    __tablename__ = "web_wares"
    code: str = Field(primary_key=True)
    name: str = "thing"
    stock: int = Field(0, ge=0)
    tags: list[str] = []
    cost: int = Field(7, exclude=True)

    @event(method="POST")
    def restock(self, quantity: int, note: str = "") -> None:
        """More of it."""
        if quantity > 1000:
            raise ValueError("there is no room for so much")
        self.stock += quantity

    @command
    async def arestock(self, quantity: int) -> Ware:
        await asyncio.sleep(0)
        self.stock += quantity
        return self

    @command
    def label(self, tags: list[str]) -> None:
        self.tags = tags

    @command
    def take_over(self, other: Ware) -> Ware:
        self.stock += other.stock
        other.stock = 0
        return other

    @command
    def spoil(self) -> None:
        """A mistake of the program, after something has changed."""
        self.stock += 1
        raise RuntimeError("the roof has fallen in")

    @command
    async def aspoil(self) -> None:
        self.stock += 1
        await asyncio.sleep(0)
        raise RuntimeError("the roof has fallen in")

    @query
    def doubled(self, by: int = 2) -> int:
        return self.stock * by

    @query
    @classmethod
    def named(cls, name: str) -> list[Ware]:
        return cls.where(name=name).order_by("code").all()

    @command
    @classmethod
    def open(cls, code: str, stock: int = 0) -> tuple[Ware, int]:
        return cls(code=code, stock=stock).save(), 201

    @command
    @classmethod
    def clear(cls) -> None:
        cls.where().delete()

    @query
    async def seen(self) -> dict[str, str]:
        """What is known of the request."""
        request = nitro.web.current_request()
        assert request is not None
        return {"path": request.path, "method": request.method}


class Label(Entity):
    """What only one may have."""

    __tablename__ = "web_labels"
    text: str = Field(unique=True)
    number: int = Field(0)


CLASSES = (Ware, Label)
