"""What the processes of the crash tests do: they place orders, and deliver what follows from it."""

import os
import signal
import threading
from typing import Any

from blinker import signal as named
from crash_points import StatementPoints

import nitro
from nitro import Entity, Field, SQLModelBackend, UnitOfWork, on
from nitro.backends.sql import postgres, sqlite  # noqa: F401 - none of them is for a child to import
from nitro.backends.sql.outbox import Outbox
from nitro.outbox import Relay

STORE = SQLModelBackend()

placed = named("order-placed")
shipped = named("order-shipped")


class Order(Entity, backend=STORE):
    number: int
    customer: str


class Account(Entity, backend=STORE):
    """Of one customer: how many orders, of how many and of which last somebody was told, and how often out of order."""

    orders: int = 0
    told: int = 0
    last: int = -1
    disorder: int = 0


class Effect(Entity, backend=STORE):
    number: int = Field(index=True)
    kind: str


@on(placed, durable=True)
def tell(account: Account, number: int) -> None:
    Effect(number=number, kind="told").save()
    account.told += 1
    account.disorder += number <= account.last
    account.last = number
    account.save()
    shipped.send(account, number=number)


@on(placed, durable=True)
async def atell(account: Account, number: int) -> None:
    await Effect(number=number, kind="told too").asave()


@on(shipped, durable=True)
def pack(account: Account, number: int) -> None:
    Effect(number=number, kind="packed").save()


def write(log: int, *words: object) -> None:
    """A line that is in the file whatever becomes of the process."""
    os.write(log, (" ".join(map(str, words)) + "\n").encode())


def create(url: str, *customers: str) -> None:
    nitro.configure(sql_url=url)
    nitro.create_all(Order, Account, Effect)
    Account.save_all([Account(id=customer) for customer in customers])


def relay(lease: float = 30.0) -> Relay:
    # What is killed again and again is no dead letter here.
    return Relay(lease=lease, attempts=10_000, backoff=0, batch=32, interval=0.05)


# Whoever is told of an order saves the account too.
@UnitOfWork(retries=100)
def place(customer: str, number: int) -> None:
    """An order, its account and its event: all of it, or nothing."""
    Order(number=number, customer=customer).save()
    account = Account.get(customer)
    account.orders += 1
    account.save()
    placed.send(account, number=number)


def place_many(url: str, count: int, customers: int) -> None:
    """Orders of the customers in turn."""
    nitro.configure(sql_url=url)
    for number in range(count):
        place(str(number % customers), number)


def operate(url: str, log: str, first: int, point: str, nth: int, seed: int) -> None:
    """Places orders and delivers, and acknowledges each order, until it is killed."""
    nitro.configure(sql_url=url)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    write(file, "pid", os.getpid())
    points = StatementPoints(point, nth, seed)
    points.watch_sqlite()
    deliverer = relay()
    for number in range(first, first + 100):
        write(file, "begin", number)
        place("left" if points.chance.random() < 0.5 else "right", number)
        write(file, "done", number)
        empty(deliverer)


def settle(url: str) -> None:
    """Delivers until nothing is left."""
    nitro.configure(sql_url=url)
    empty(relay())


def empty(deliverer: Relay) -> None:
    """Delivers until nothing is left; what one that was killed had claimed is free."""
    while Outbox(STORE.database).waiting():
        assert deliverer.run_once()


def work(url: str, lease: float) -> None:
    """Delivers until SIGTERM comes."""
    nitro.configure(sql_url=url)
    stop = threading.Event()
    deliverer = relay(lease)

    def end(*_: Any) -> None:
        stop.set()
        deliverer.wake()

    signal.signal(signal.SIGTERM, end)
    deliverer.run(stop)
