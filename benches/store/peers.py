"""The stores that are measured: each holds the same records, under the same three indexes.

A record has eight fields. Twenty records have one customer, every fifth has one status, and totals are spread evenly.
"""

import random
import sqlite3
import string
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import littletable
from sqlalchemy import insert
from sqlalchemy.pool import StaticPool
from sqlmodel import Field, Session, SQLModel, create_engine, select

import nitro

FIELDS = ("id", "customer", "status", "total", "quantity", "created", "note", "paid")
INDEXED = ("customer", "status", "total")
STATUSES = "abcde"
LIMIT = 20

NITRO, SQLITE, PLAIN, SQLMODEL, LITTLETABLE = "nitro", "sqlite3", "dict + list", "SQLModel", "littletable"


def records(count: int) -> list[dict[str, Any]]:
    """The records, the same for the same count."""
    chance = random.Random(count)
    customers = count // LIMIT
    return [
        {
            "id": f"{number:08d}-{chance.getrandbits(64):016x}",
            "customer": f"customer-{chance.randrange(customers)}",
            "status": STATUSES[chance.randrange(len(STATUSES))],
            "total": chance.random() * 1000,
            "quantity": chance.randrange(100),
            "created": float(number),
            "note": string.ascii_letters,
            "paid": chance.random() < 0.5,
        }
        for number in range(count)
    ]


@dataclass(frozen=True)
class Questions:
    """What is asked, at random: every call of a measured operation takes the next value."""

    ids: list[str]
    customers: list[str]
    #: Five customers, who have some hundred records, of which a fifth has one status.
    groups: list[list[str]]
    totals: list[float]

    @staticmethod
    def about(held: list[dict[str, Any]], calls: int) -> "Questions":
        chance = random.Random(7)
        customers = len(held) // LIMIT

        def name() -> str:
            return f"customer-{chance.randrange(customers)}"

        return Questions(
            ids=[chance.choice(held)["id"] for _ in range(calls)],
            customers=[name() for _ in range(calls)],
            groups=[[name() for _ in range(5)] for _ in range(calls)],
            totals=[chance.random() * 950 for _ in range(calls)],
        )


Operations = dict[str, Callable[[Any], Any]]


def of_nitro(held: list[dict[str, Any]]) -> tuple[Callable[[], Any], Callable[[], Operations]]:
    class Order(nitro.Entity, backend=nitro.MemoryRepo()):
        customer: str = nitro.Field(index=True)
        status: str = nitro.Field(index=True)
        total: float = nitro.Field(index=True)
        quantity: int
        created: float
        note: str
        paid: bool

    def fill() -> Any:
        Order.save_all([Order(**record) for record in held])

    def operations() -> Operations:
        orders = Order.all()
        chance = random.Random(3)
        middle = _cursor_at(Order, len(held) // 2)

        def assign_total(total: float) -> None:
            chance.choice(orders).total = total

        def assign_status(total: float) -> None:
            chance.choice(orders).status = STATUSES[int(total) % 5]

        return {
            "get": Order.get,
            "equality": lambda customer: Order.where(customer=customer).all(),
            "range": lambda total: Order.where(Order.total > total).order_by("total").limit(LIMIT).all(),
            "and": lambda group: Order.where(Order.customer.in_(group), status="a").all(),
            "count": lambda _: Order.where(status="a").count(),
            "scan": lambda _: Order.where(Order.quantity > 97).all(),
            "first page": lambda _: Order.where().order_by("total").page(limit=LIMIT),
            "deep page": lambda _: Order.where().order_by("total").page(limit=LIMIT, after=middle),
            "assign total": assign_total,
            "assign status": assign_status,
        }

    of_nitro.entity_class = Order  # type: ignore[attr-defined]
    return fill, operations


def _cursor_at(entity_class: Any, place: int) -> str:
    """The cursor behind so many entities."""
    before = entity_class.where().order_by("total").offset(place).first().total
    page = entity_class.where(entity_class.total <= before).order_by("-total").page(limit=1)
    assert page.next_cursor is not None
    return entity_class.where(entity_class.total >= before).order_by("total").page(limit=1).next_cursor


def of_sqlite(held: list[dict[str, Any]]) -> tuple[Callable[[], Any], Callable[[], Operations]]:
    connection = sqlite3.connect(":memory:")
    rows = [tuple(record[name] for name in FIELDS) for record in held]

    def fill() -> Any:
        connection.execute(
            "CREATE TABLE orders (id TEXT PRIMARY KEY, customer TEXT, status TEXT, total REAL, quantity INTEGER, "
            "created REAL, note TEXT, paid INTEGER)"
        )
        connection.executemany("INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
        for name in INDEXED:
            connection.execute(f"CREATE INDEX by_{name} ON orders ({name})")

    def operations() -> Operations:
        connection.execute("ANALYZE")
        run = connection.execute
        middle = run("SELECT total, id FROM orders ORDER BY total, id LIMIT 1 OFFSET ?", (len(held) // 2,)).fetchone()
        page = "SELECT * FROM orders {} ORDER BY total, id LIMIT 20"
        return {
            "get": lambda key: run("SELECT * FROM orders WHERE id = ?", (key,)).fetchone(),
            "equality": lambda customer: run("SELECT * FROM orders WHERE customer = ?", (customer,)).fetchall(),
            "range": lambda total: run(
                "SELECT * FROM orders WHERE total > ? ORDER BY total LIMIT 20", (total,)
            ).fetchall(),
            "and": lambda group: run(
                "SELECT * FROM orders WHERE customer IN (?, ?, ?, ?, ?) AND status = 'a'", group
            ).fetchall(),
            "count": lambda _: run("SELECT COUNT(*) FROM orders WHERE status = 'a'").fetchone(),
            "scan": lambda _: run("SELECT * FROM orders WHERE quantity > 97").fetchall(),
            "first page": lambda _: run(page.format("")).fetchall(),
            "deep page": lambda _: run(page.format("WHERE (total, id) > (?, ?)"), middle).fetchall(),
        }

    return fill, operations


def of_plain(held: list[dict[str, Any]]) -> tuple[Callable[[], Any], Callable[[], Operations]]:
    """A dict of objects by id, and list comprehensions for everything else."""
    by_id: dict[str, Any] = {}

    def fill() -> Any:
        # The objects of the store itself: what is compared is the finding.
        by_id.update((order.id, order) for order in of_nitro.entity_class.all())  # type: ignore[attr-defined]

    def operations() -> Operations:
        orders = list(by_id.values())
        return {
            "get": by_id.get,
            "equality": lambda customer: [order for order in orders if order.customer == customer],
            "scan": lambda _: [order for order in orders if order.quantity > 97],
        }

    return fill, operations


class Stored(SQLModel, table=True):
    id: str = Field(primary_key=True)
    customer: str = Field(index=True)
    status: str = Field(index=True)
    total: float = Field(index=True)
    quantity: int
    created: float
    note: str
    paid: bool


def of_sqlmodel(held: list[dict[str, Any]]) -> tuple[Callable[[], Any], Callable[[], Operations]]:
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})

    def fill() -> Any:
        SQLModel.metadata.create_all(engine)
        with engine.begin() as connection:
            connection.execute(insert(Stored), held)

    def operations() -> Operations:
        def ask(statement: Any) -> Any:
            with Session(engine) as session:
                return session.exec(statement).all()

        orders = select(Stored)
        return {
            "get": lambda key: ask(orders.where(Stored.id == key)),
            "equality": lambda customer: ask(orders.where(Stored.customer == customer)),
            "range": lambda total: ask(orders.where(Stored.total > total).order_by(Stored.total).limit(LIMIT)),
            "and": lambda group: ask(orders.where(Stored.customer.in_(group), Stored.status == "a")),
        }

    return fill, operations


def of_littletable(held: list[dict[str, Any]]) -> tuple[Callable[[], Any], Callable[[], Operations]]:
    table = littletable.Table("orders")

    def fill() -> Any:
        table.create_index("id", unique=True)
        for name in INDEXED:
            table.create_index(name)
        table.insert_many(held)

    def operations() -> Operations:
        return {
            "get": lambda key: table.by.id[key],
            "equality": lambda customer: list(table.by.customer[customer]),
        }

    return fill, operations


PEERS = {NITRO: of_nitro, SQLITE: of_sqlite, PLAIN: of_plain, SQLMODEL: of_sqlmodel, LITTLETABLE: of_littletable}
