"""A shop: orders take from the stock and from an account, and its books are right whatever becomes of the process.

In this directory, in two terminals, with NITRO_SQL_URL in the environment where it is not to be nitro.db:

    uvicorn shop:app
    nitro relay --app shop

books.py kills both again and again, and looks whether the books are right.
"""

import json
import os
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Annotated, Self

from blinker import signal
from fastapi import FastAPI, Header, Request
from fastapi.responses import JSONResponse

import nitro
from nitro import Entity, Field, Model, command, on, query

# --- The domain: it knows nothing of the web --------------------------------------------------------------------

Money = Annotated[Decimal, Field(ge=0, max_digits=12, decimal_places=2)]
Quantity = Annotated[int, Field(ge=1, le=1000)]

order_placed = signal("order-placed")


class Record(Entity):
    _persistence_backend_class = nitro.SQLModelBackend


class Product(Record):
    price: Money
    stock: int = Field(default=0, ge=0)

    @command(retry=10)
    def restock(self, quantity: Quantity) -> None:
        """What a command changed is saved at its end; it runs anew if somebody else was quicker."""
        self.stock += quantity

    def reduce_stock(self, quantity: int) -> None:
        if quantity > self.stock:
            raise ValueError(f"{self.stock} of {self.id} are left, {quantity} are wanted")
        self.stock -= quantity


class Account(Record):
    balance: Money = Decimal(0)

    def pay(self, amount: Decimal, order_id: str) -> None:
        if amount > self.balance:
            raise ValueError(f"{self.id} has {self.balance:.2f} and is to pay {amount:.2f}")
        self.balance -= amount
        Payment(account_id=self.id, order_id=order_id, amount=amount).save()

    @query
    def payments(self) -> "list[Payment]":
        return Payment.where(account_id=self.id).all()


class Payment(Record):
    account_id: str = Field(index=True)
    order_id: str
    amount: Money


class Line(Model):
    product_id: str
    quantity: Quantity


Lines = Annotated[list[Line], Field(min_length=1, max_length=100)]


class Order(Record):
    account_id: str
    lines: Lines
    total: Money = Decimal(0)
    status: str = "draft"

    @classmethod
    @command(retry=10, idempotent=True)
    def place(cls, account_id: str, lines: Lines) -> Self:
        """Reduces the stock, takes the money and tells of it: all of this is kept, or nothing.

        Idempotent, so it takes an idempotency_key: who got no answer asks again with the same, and has one order.
        """
        order = cls(account_id=account_id, lines=lines)
        for line in order.lines:
            product = Product.get(line.product_id)
            product.reduce_stock(line.quantity)
            order.total += product.price * line.quantity
        Account.get(account_id).pay(order.total, order.id)
        order.status = "placed"
        order_placed.send(order.save())
        return order


# --- What follows from an order is no business of the order -----------------------------------------------------


class AuditLog(Record):
    action: str
    order_id: str


class Parcel(Record):
    order_id: str
    lines: list[Line]


@on(order_placed)
def create_audit_log(order: Order) -> None:
    """Runs as the event is sent, inside of the command: the entry is kept exactly if the order is."""
    AuditLog(action="order_placed", order_id=order.id).save()


@on(order_placed, durable=True)
def pack(order: Order) -> None:
    """Runs in the relay, soon after the order is kept, and again until it succeeds: there is one parcel."""
    Parcel(order_id=order.id, lines=order.lines).save()


MAILS = Path(os.environ.get("SHOP_MAILS", "mails.jsonl"))


@on(order_placed, durable=True)
def send_confirmation_mail(order: Order) -> None:
    """What is no part of the database happens at least once: a relay that is killed after the mail, and before it could
    note that, comes here again. A file can be asked whether the mail is in it. A mail server cannot: the mail would go
    out twice, with the same number of the order, by which its reader can tell.
    """
    text = f"Your order over {order.total:.2f} is confirmed"
    mail = json.dumps({"to": order.account_id, "text": text, "order_id": order.id}) + "\n"
    with MAILS.open("a+") as mails:
        mails.seek(0)
        if mail not in mails.read():
            mails.write(mail)


# --- The web: each route calls one method -----------------------------------------------------------------------

app = FastAPI(title="Shop")


@app.post("/products")
def offer_product(product: Product) -> Product:
    return product.save()


@app.get("/products/{id}")
def read_product(id: str) -> Product:
    return Product.get(id)


@app.post("/products/{id}/restock")
def restock(id: str, quantity: Quantity) -> Product:
    product = Product.get(id)
    product.restock(quantity)
    return product


@app.post("/accounts")
def open_account(account: Account) -> Account:
    return account.save()


@app.get("/accounts/{id}/payments")
def list_payments(id: str) -> list[Payment]:
    return Account.get(id).payments()


class Wanted(Model):
    account_id: str
    lines: Lines


@app.post("/orders")
def place_order(wanted: Wanted, idempotency_key: Annotated[str | None, Header()] = None) -> Order:
    return Order.place(wanted.account_id, wanted.lines, idempotency_key=idempotency_key)


@app.get("/orders/{id}")
def read_order(id: str) -> Order:
    return Order.get(id)


REFUSALS: dict[type[Exception], int] = {
    ValueError: 409,  # The domain said no.
    nitro.UniqueViolation: 409,
    nitro.EntityNotFound: 404,
    nitro.KeyReused: 422,
    nitro.StaleEntityError: 503,  # Others were quicker, too often: try again.
    nitro.WriteConflict: 503,
}


def refuse(status: int, request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, status)


for kind, status in REFUSALS.items():
    app.add_exception_handler(kind, partial(refuse, status))

# Makes the tables that are missing.
nitro.create_all()
