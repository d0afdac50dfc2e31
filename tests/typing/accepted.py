"""A program that type checkers accept, and what they must infer. Never run; `test_type_checkers.py` has it checked.

Defaults are given as `Field(default=...)`: type checkers see no other, in pydantic's models neither.
"""

from collections.abc import Callable
from typing import Any, assert_type

from blinker import signal

import nitro
from nitro import (
    Condition,
    Entity,
    Field,
    Index,
    Many,
    MemoryRepo,
    Page,
    Query,
    Ref,
    Repository,
    ValueObject,
    changes,
    col,
    events,
    many,
)


class Line(ValueObject):
    product: str
    quantity: int = 1


class Address(ValueObject):
    city: str


class Order(Entity):
    name: str
    total: float = 0.0
    status: str = Field(default="draft", index=True)
    code: str | None = Field(default=None, unique=True, max_length=10)
    paid: bool = False
    address: Address | None = None
    lines: list[Line] = []
    by_status = Index("status", "-total")


class Rush(Order, backend=MemoryRepo(), ttl=60):
    fee: float = 1.0


class Product(Entity):
    _persistence_backend_class = MemoryRepo
    sku: str = Field(primary_key=True)


order = Order(name="Ann", total=5)
assert_type(order.name, str)
assert_type(order.total, float)
assert_type(order.code, str | None)
assert_type(order.id, str)

# --- Verbs ---

assert_type(order.save(), Order)
assert_type(order.save(ttl=5.0), Order)
assert_type(order.delete(), None)
assert_type(order.refresh(), Order)
assert_type(Order.get("1"), Order)
assert_type(Rush.get("1"), Rush)
assert_type(Order.get_or_none("1"), Order | None)
assert_type(Order.get_many(["1", "2"]), list[Order])
assert_type(Order.all(), list[Order])
assert_type(Rush.all(), list[Rush])
assert_type(Order.create(name="Ann"), Order)
assert_type(Order.save_all([order]), list[Order])
assert_type(order.is_changed, bool)
assert_type(order.changed_fields, set[str])
assert_type(order.changes, dict[str, tuple[Any, Any]])
assert_type(changes.of(order), dict[str, tuple[Any, Any]])
assert_type(nitro.identity(order), Any)

# --- Queries ---

assert_type(Order.where(Order.total > 10, status="x").order_by("-total").first(), Order | None)
assert_type(Order.where(), Query[Order])
assert_type(Rush.where(), Query[Rush])
assert_type(Order.where(Order.total > 10), Query[Order])
assert_type(Order.where(Order.paid), Query[Order])
assert_type(Order.where(total__gt=10), Query[Order])
assert_type(Order.where().where(Order.total > 1), Query[Order])
assert_type(Order.where().order_by(Order.name, "-total"), Query[Order])
assert_type(Order.where().limit(5).offset(2).in_memory(), Query[Order])
assert_type(Order.where().limit(None), Query[Order])
assert_type(Order.where().all(), list[Order])
assert_type(Order.where().one(), Order)
assert_type(Order.where().one_or_none(), Order | None)
assert_type(Order.where().count(), int)
assert_type(Order.where().exists(), bool)
assert_type(Order.where().delete(), int)
assert_type(Order.where().update(status="x"), int)
assert_type(Order.where().explain(), str)
assert_type(Order.where().sum("total"), Any)
assert_type(Order.where().group_by("status").count(), dict[Any, int])
assert_type(Order.where().group_by(Order.status).sum(Order.total), dict[Any, Any])
assert_type([found for found in Order.where()], list[Order])  # noqa: C416
assert_type(Order.where().page(limit=20), Page[Order])
assert_type(Order.where().page(limit=20).items, list[Order])
assert_type(Order.where().page(after=None, total=True).next_cursor, str | None)
assert_type(Order.where().page().total, int | None)
assert_type([found.name for found in Order.where().page()], list[str])

# --- What only a field can do, for strict checkers ---

Order.where(col(Order.name).startswith("A"))
Order.where(col(Order.name).in_(["A", "B"]), col(Order.total).between(1, 5), col(Order.code).is_null())
Order.where(col(Order.address).city == "Oslo")
Order.where(col(Order.lines).any(Line.quantity > 3))
Order.where(col(Order.lines).any(quantity__gt=3))
Order.where((col(Order.total) > 1) & ~(col(Order.name) == "Ann") | (col(Order.paid) == True))  # noqa: E712
Order.where().order_by(col(Order.total).desc())


def condition_of(condition: Condition) -> str:
    return condition.operator


condition_of(col(Order.name) == "Ann")


# --- The same for async code ---


async def story() -> None:
    assert_type(await order.asave(), Order)
    assert_type(await order.adelete(), None)
    assert_type(await order.arefresh(), Order)
    assert_type(await Order.aget("1"), Order)
    assert_type(await Order.aget_or_none("1"), Order | None)
    assert_type(await Order.aget_many(["1"]), list[Order])
    assert_type(await Order.aall(), list[Order])
    assert_type(await Order.acreate(name="Ann"), Order)
    assert_type(await Order.asave_all([order]), list[Order])
    assert_type(await Order.where(Order.total > 10).order_by("-total").afirst(), Order | None)
    assert_type(await Order.where().aall(), list[Order])
    assert_type(await Order.where().aone(), Order)
    assert_type(await Order.where().aone_or_none(), Order | None)
    assert_type(await Order.where().acount(), int)
    assert_type(await Order.where().aexists(), bool)
    assert_type(await Order.where().adelete(), int)
    assert_type(await Order.where().aupdate(status="x"), int)
    assert_type((await Order.where().apage(limit=5)).items, list[Order])
    assert_type(await Order.where().group_by("status").acount(), dict[Any, int])
    async for found in Order.where(status="x"):
        assert_type(found, Order)


def of_a_repository(repository: Repository) -> None:
    assert_type(repository.get(Order, "1"), Order | None)
    assert_type(repository.select(Order.where()), list[Order])
    with repository.locked(Order, "1") as locked:
        assert_type(locked, Order)


async def of_an_async_repository(repository: Repository) -> None:
    async with repository.alocked(Order, "1") as locked:
        assert_type(locked, Order)


# --- Relations ---


class Customer(Entity):
    name: str
    sales: Many["Sale"] = many("customer")


class Sale(Entity):
    customer: Ref[Customer] = Field(index=True, ondelete="CASCADE")
    payer: Ref[Customer] | None = None


ann = Customer(name="Ann")
sale = Sale(customer=ann)
Sale(customer=ann.id, payer=None)
Sale(customer=sale.customer)
Sale(customer=Ref(Customer, "1"), payer=Ref(Customer, "1"))
sale.customer = ann
sale.customer = ann.id
sale.customer = Ref(Customer, ann)
sale.payer = None
sale.payer = sale.customer
assert_type(sale.customer, Ref[Customer])
assert_type(sale.customer.get(), Customer)
assert_type(sale.customer.key, Any)
assert_type(sale.customer.entity_class, type[Customer])
assert_type(Sale.where(Sale.customer == ann.id, customer=ann), Query[Sale])
Sale.where(col(Sale.customer).in_([ann, "2"]))
assert_type(Sale.where().with_("customer"), Query[Sale])
assert_type(Sale.where().with_(Sale.customer, "payer").first(), Sale | None)
assert_type(ann.sales.all(), list[Sale])
assert_type(ann.sales.where(payer=None), Query[Sale])
assert_type(ann.sales.count(), int)
assert_type([one.customer.get().name for one in ann.sales], list[str])


def payer_of(given: Sale) -> str:
    return given.payer.get().name if given.payer is not None else ""


async def story_of_relations() -> None:
    assert_type(await sale.customer.aget(), Customer)
    assert_type(await ann.sales.aall(), list[Sale])
    assert_type(await ann.sales.acount(), int)
    async for one in ann.sales:
        assert_type(one, Sale)
    async for one in Sale.where().with_("customer"):
        assert_type(one, Sale)


# --- Events ---

order_placed = signal("order-placed")


@nitro.on(order_placed, Order, when=Order.total > 100)
def congratulate(placed: Order, by: str = "") -> int:
    return len(placed.name + by)


@nitro.on("order-placed", order, when=lambda sender: sender.paid, once=True)
async def congratulate_later(placed: Order) -> str:
    return placed.name


nitro.on(order_placed, when=col(Order.total) > 5, timeout=5, durable=False)(congratulate_later)
nitro.on(events.saved)(congratulate)
assert_type(congratulate(order, by="Ann"), int)
nitro.off(congratulate)
nitro.off(congratulate_later, "order-placed")

with (
    nitro.captured_events(order_placed, "order-paid", muted=True) as captured,
    events.muted(congratulate, order_placed),
):
    assert_type(captured, events.CapturedEvents)
    assert_type(captured[0].keywords, dict[str, Any])
    assert_type(captured.of("order-paid"), list[events.Sent])


async def story_of_events() -> None:
    assert_type(await congratulate_later(order), str)
    assert_type(await nitro.asend(order_placed, order, by="Ann"), list[tuple[Callable[..., Any], Any]])


class Wallet(Entity):
    money: int = 0

    @nitro.command
    def pay_in(self, amount: int) -> int:
        self.money += amount
        return self.money

    @nitro.command(retry=3, lock=True)
    async def pay_out(self, amount: int) -> str:
        return str(amount)

    @nitro.command(idempotent=True)
    def pay_once(self, amount: int) -> int:
        return amount

    @nitro.command
    @classmethod
    def of_nobody(cls) -> "Wallet":
        return cls()

    @nitro.query
    def is_empty(self) -> bool:
        return not self.money

    @nitro.event(method="POST")
    def robbed(self) -> None: ...


@nitro.handles(Wallet)
def empty(message: Wallet) -> int:
    return message.pay_in(-message.money)


def story_of_commands(wallet: Wallet) -> None:
    assert_type(wallet.pay_in(3), int)
    assert_type(wallet.pay_once(3, idempotency_key="a"), int)
    assert_type(Wallet.of_nobody(), Wallet)
    assert_type(wallet.is_empty(), bool)
    assert_type(empty(wallet), int)
    wallet.robbed()
    nitro.bus.execute(wallet)
    with Wallet.locked("1") as mine:
        assert_type(mine, Wallet)


async def story_of_async_commands(wallet: Wallet) -> None:
    assert_type(await wallet.pay_out(3), str)
    async with Wallet.alocked("1") as mine:
        assert_type(mine, Wallet)
