"""The code that the project is to make possible, as it was written down before there was any."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import List  # noqa: UP035  (as it was written)

import pytest
from blinker import Namespace
from pydantic import ValidationError

import nitro
from nitro import Entity, Model, SQLEntity, SQLModelBackend, UnitOfWork, command, event
from nitro.backends.sql.database import forget

signals = Namespace()
inventory_changed = signals.signal("inventory-changed")
order_placed = signals.signal("order-placed")


class Item(Model):
    sku: str
    quantity: int = 1


class Product(SQLEntity, table=True):
    __tablename__ = "meant_products"
    name: str
    price: float
    stock: int = 0

    @event(method="POST")  # Auto-routing
    def restock(self, quantity: int):
        self.stock += quantity
        inventory_changed.send(self)


class Order(SQLEntity):
    __tablename__ = "meant_orders"
    status: str = "draft"

    @command  # CQRS pattern
    async def place_order(self, items: List[Item]):  # noqa: UP006
        async with UnitOfWork() as uow:
            self.status = "placed"
            await uow.orders.save(self)
            await uow.commit()
        order_placed.send(self)


@pytest.fixture(params=["sqlite", "postgresql"], autouse=True)
def backend(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    is_sqlite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path}/shop.db" if is_sqlite else request.getfixturevalue("fresh_database")
    for entity_class in (Product, Order):
        monkeypatch.setattr(entity_class, "__nitro_backend__", SQLModelBackend(url))
    nitro.create_all(Product, Order)
    yield
    forget(url)


def test_month_six() -> None:
    heard: list[Entity] = []
    product = Product(name="tea", price=2.5).save()
    with inventory_changed.connected_to(heard.append):
        product.restock(quantity="5")
    assert heard == [product]
    assert Product.get(product.id).stock == 5
    restock = nitro.commands.of(Product)["restock"]
    assert (restock.method, restock.parameters["quantity"].annotation) == ("POST", int)


def test_year_two() -> None:
    heard: list[Entity] = []

    async def run() -> None:
        order = await Order().asave()
        with order_placed.connected_to(heard.append):
            await order.place_order([{"sku": "tea", "quantity": "2"}])
        assert heard == [order]
        assert (await Order.aget(order.id)).status == "placed"
        with pytest.raises(ValidationError, match=r"Order.place_order\nitems.0.sku"):
            await order.place_order([{}])

    asyncio.run(run())
