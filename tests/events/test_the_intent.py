"""The code that this is made for, as its author has written it, with small stand-ins for what it names."""

from collections.abc import Callable
from typing import Any

from blinker import signal

from nitro import Entity, ValueObject, off, on

mails: list[tuple[str, str]] = []


class EmailService:
    @staticmethod
    def send(to: str, subject: str) -> None:
        mails.append((to, subject))


class Item(ValueObject):
    product_id: str
    quantity: int


class Product(Entity):
    stock: int

    def reduce_stock(self, quantity: int) -> None:
        self.stock -= quantity
        self.save()


class AuditLog(Entity):
    action: str
    order_id: str


# Domain event
order_placed = signal("order-placed")


# Business operation
class Order(Entity):
    customer_email: str
    items: list[Item] = []
    status: str = "draft"

    def place_order(self) -> None:
        self.status = "placed"
        self.save()
        order_placed.send(self)  # Single responsibility


def test_placing_an_order_sends_a_mail_reduces_the_stock_and_is_audited(lives: Callable[..., None]):
    lives(Product, AuditLog, Order)
    mails.clear()

    # Decoupled handlers
    @on(order_placed)
    def send_confirmation_email(order: Any) -> None:
        EmailService.send(order.customer_email, "Order confirmed")

    @on(order_placed)
    def update_inventory(order: Any) -> None:
        for item in order.items:
            Product.get(item.product_id).reduce_stock(item.quantity)

    @on(order_placed)
    def create_audit_log(order: Any) -> None:
        AuditLog(action="order_placed", order_id=order.id).save()

    tea, cup = Product(stock=10).save(), Product(stock=5).save()
    order = Order(
        customer_email="ann@example.org",
        items=[Item(product_id=tea.id, quantity=4), Item(product_id=cup.id, quantity=1)],
    )
    try:
        order.place_order()
    finally:
        for handler in (send_confirmation_email, update_inventory, create_audit_log):
            off(handler)

    assert mails == [("ann@example.org", "Order confirmed")]
    assert (Product.get(tea.id).stock, Product.get(cup.id).stock) == (6, 4)
    [entry] = AuditLog.all()
    assert (entry.action, entry.order_id) == ("order_placed", order.id)
    assert Order.get(order.id).status == "placed"
