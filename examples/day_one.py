"""Day one: two rich entities and the routes that call them, kept in memory, or in a database by changing one line.

make run, or: uvicorn --app-dir examples day_one:app

With DAY_ONE_ORDERS=100000 in the environment it makes so many orders at its start, to list, filter and page through.
"""

import os
import random
from typing import Annotated

from blinker import signal
from fastapi import FastAPI, HTTPException, Query, Request
from fastapi.responses import JSONResponse, RedirectResponse

import nitro
from nitro import Entity, EntityNotFound, Field, Index, Model, StaleEntityError, UnknownFieldError

# --- The domain: it knows nothing of the web or of where it is kept ----------------------------

order_placed = signal("order-placed")


class Record(Entity):
    # This is the line. With nitro.SQLModelBackend they live in the database of NITRO_SQL_URL, by default nitro.db.
    _persistence_backend_class = nitro.MemoryRepo


class Counter(Record):
    count: int = 0

    def increment(self):
        self.count += 1
        self.save()


class Order(Record):
    customer_name: str
    total: float = 0.0
    status: str = "draft"

    # What the list of orders is found and sorted by.
    by_status = Index("status", "-total")
    by_total = Index("total")
    by_customer = Index("customer_name")

    def add_item(self, price: float):
        """Business logic lives here, not in a service layer."""
        self.total += price
        self.save()

    def place_order(self):
        """Domain operations are discoverable and testable."""
        if self.total == 0:
            raise ValueError("Cannot place empty order")
        self.status = "placed"
        self.save()
        order_placed.send(self)  # Domain event


# --- What follows from an order is no business of the order ------------------------------------

confirmations: list[str] = []


@order_placed.connect
def send_confirmation_email(order: Order) -> None:
    confirmations.append(f"{order.customer_name}, your order over {order.total:.2f} is confirmed")


# --- The web: each route calls one method of one entity ----------------------------------------

app = FastAPI(title="Day one")

Price = Annotated[float, Field(gt=0, le=1_000_000)]


@app.get("/", include_in_schema=False)
def home() -> RedirectResponse:
    """Whoever opens the bare address finds the routes described."""
    return RedirectResponse("/docs")


@app.put("/counter/{id}")
def open_counter(id: str) -> Counter:
    return Counter.get_or_none(id) or Counter(id=id).save()


@app.post("/counter/{id}/increment")
def increment(id: str) -> Counter:
    counter = Counter.get(id)
    counter.increment()
    return counter


@app.post("/orders")
def create_order(customer_name: str) -> Order:
    order = Order(customer_name=customer_name)
    order.save()
    return order


class OrderPage(Model):
    items: list[Order]
    next_cursor: str | None
    total: int


@app.get("/orders")
def list_orders(
    status: str | None = None,
    customer_name: str | None = None,
    min_total: float | None = None,
    max_total: float | None = None,
    order: str | None = Query(None, description="A field, with - in front for the greatest first", examples=["-total"]),
    limit: int = Query(20, ge=1, le=1000),
    after: str | None = Query(None, description="The next_cursor of the page before"),
) -> OrderPage:
    asked = {"status": status, "customer_name": customer_name, "total__ge": min_total, "total__le": max_total}
    query = Order.where(**{name: value for name, value in asked.items() if value is not None})
    if order is not None:
        query = query.order_by(order)
    try:
        page = query.page(limit=limit, after=after, total=True)
    except ValueError as error:
        raise HTTPException(400, str(error)) from None
    return OrderPage(items=page.items, next_cursor=page.next_cursor, total=page.total or 0)


@app.get("/orders/{id}")
def read_order(id: str) -> Order:
    return Order.get(id)


@app.post("/orders/{id}/items")
def add_item(id: str, price: Price) -> Order:
    order = Order.get(id)
    order.add_item(price)
    return order


@app.post("/orders/{id}/place")
def place_order(id: str) -> Order:
    order = Order.get(id)
    order.place_order()
    return order


@app.get("/confirmations")
def list_confirmations() -> list[str]:
    return confirmations


@app.exception_handler(EntityNotFound)
def not_found(request: Request, error: EntityNotFound) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, status_code=404)


@app.exception_handler(UnknownFieldError)
def unknown_field(request: Request, error: UnknownFieldError) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, status_code=400)


@app.exception_handler(StaleEntityError)
def came_too_late(request: Request, error: StaleEntityError) -> JSONResponse:
    """Somebody else has saved meanwhile."""
    return JSONResponse({"detail": str(error)}, status_code=409)


@app.exception_handler(ValueError)
def refused(request: Request, error: ValueError) -> JSONResponse:
    """The domain said no: the state of the order does not allow what was asked."""
    return JSONResponse({"detail": str(error)}, status_code=409)


# --- Orders to look at, where they are asked for -----------------------------------------------


def make_orders(count: int) -> None:
    chance = random.Random(1)
    names = ("Alice", "Bob", "Chiara", "Dmitri", "Eun-ji", "Farah")
    Order.save_all(
        Order(
            customer_name=f"{chance.choice(names)} {chance.randrange(1000)}",
            total=round(chance.uniform(1, 1000), 2),
            status=chance.choice(("draft", "placed", "shipped")),
        )
        for _ in range(count)
    )


# Makes the tables that are missing; there are none to make in memory.
nitro.create_all()
make_orders(int(os.environ.get("DAY_ONE_ORDERS", "0")))
