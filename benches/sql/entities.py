"""Nitro: entities, validated when they are made and when they are changed, by their verbs alone."""

import datetime as dt
from typing import Any

import nitro
from nitro.backends.sql.schema import table_of

from .orders import LIMIT
from .peers import Peer
from .places import Place

NITRO = "Nitro"


class Address(nitro.ValueObject):
    street: str
    city: str
    zip: str


class Entities(Peer):
    name = NITRO
    table = "nitro_orders"

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        backend = nitro.SQLModelBackend(place.url(self.table).render_as_string(hide_password=False))

        class Order(nitro.Entity, backend=backend):
            __tablename__ = "nitro_orders"

            id: str
            address: Address
            placed: dt.datetime
            customer: str = nitro.Field(index=True)
            total: float
            quantity: int
            paid: bool
            note: str | None = None

        self.order, self.backend = Order, backend

    def prepare(self) -> None:
        table_of(self.order).create(self.backend.database.engine)

    def insert(self, given: Any) -> Any:
        return self.order(**given).save()

    def get(self, key: str) -> Any:
        return self.order.get(key)

    def change(self, asked: tuple[str, float]) -> Any:
        key, total = asked
        order = self.order.get(key)
        order.total = total
        return order.save()

    def query(self, customer: str) -> Any:
        return self.order.where(customer=customer).order_by("-total").limit(LIMIT).all()

    def load(self, _: Any) -> Any:
        return self.order.all()

    def insert_many(self, given: list[Any]) -> Any:
        return self.order.save_all([self.order(**one) for one in given])

    async def aget(self, key: str) -> Any:
        return await self.order.aget(key)

    def close(self) -> None:
        self.backend.database.close()

    async def aclose(self) -> None:
        self.backend.database.close()
