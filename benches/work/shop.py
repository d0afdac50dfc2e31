"""Units of work in a database."""

import time
from dataclasses import replace
from itertools import repeat
from typing import Any

import nitro
from nitro import UnitOfWork

from ..sql.places import POSTGRES, SQLITE, Place
from .rows import Body, Goal, Row

#: The databases, in the order of the table.
KINDS = (SQLITE, POSTGRES)


class Shop:
    """Entities in a database, and one save of a change in a unit of work and in a bare transaction."""

    def __init__(self, place: Place) -> None:
        self.kind, self.clock = place.kind, place.clock
        self.backend = nitro.SQLModelBackend(place.url("work").render_as_string(hide_password=False))

        class Order(nitro.Entity, backend=self.backend):
            __tablename__ = "work_orders"

            customer: str
            total: float = 0.0

        self._order = Order
        nitro.create_all(Order)

    def _new(self) -> Any:
        return self._order(customer="Ann").save()

    def rows(self) -> list[Row]:
        """A unit of work beside the bare transaction."""
        order, other, aorder, aother = (self._new() for _ in range(4))
        repository = self.backend

        def unit(times: int) -> None:
            for _ in repeat(None, times):
                with UnitOfWork():
                    order.total += 1
                    order.save()

        def bare(times: int) -> None:
            for _ in repeat(None, times):
                with repository.transaction():
                    other.total += 1
                    other.save()

        async def aunit(times: int) -> None:
            for _ in repeat(None, times):
                async with UnitOfWork():
                    aorder.total += 1
                    await aorder.asave()

        async def abare(times: int) -> None:
            for _ in repeat(None, times):
                async with repository.atransaction():
                    aother.total += 1
                    await aother.asave()

        key = order.id
        order_class = self._order

        def reading(times: int) -> None:
            for _ in repeat(None, times):
                with UnitOfWork():
                    order_class.get(key)

        def bare_reading(times: int) -> None:
            for _ in repeat(None, times):
                order_class.get(key)

        goal = Goal("adds", 10e-6)
        alone = "`repository.transaction()`"

        def row(title: str, ours: Body, theirs: Body, peer: str, limit: Goal | None = None) -> Row:
            return Row(title, self.kind, ours, theirs, peer, limit, self.clock, 0.01)

        rows = [
            row("UnitOfWork with one save", unit, bare, alone, goal),
            row("async UnitOfWork with one save", aunit, abare, alone, goal),
            row("UnitOfWork with one get", reading, bare_reading, "the get alone"),
        ]
        if self.clock is time.process_time:
            return rows
        # Both wait for the server alike, and how long that takes varies more than what is to be seen.
        return rows + [
            replace(row, title=f"{row.title}, processor time", goal=None, clock=time.process_time) for row in rows
        ]

    def close(self) -> None:
        self.backend.database.close()

    async def aclose(self) -> None:
        self.backend.database.close()
