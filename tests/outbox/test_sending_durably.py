"""A durable event is kept exactly if what it tells of is, and comes back as it was sent."""

import asyncio
import datetime
import enum
import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from blinker import Signal, signal
from durable_shop import open_shop, placed
from pydantic import BaseModel, Field, PrivateAttr, SecretStr, field_serializer
from sqlmodel import Field as SqlField

import nitro
from nitro import (
    ConfigurationError,
    Entity,
    SQLModelBackend,
    UnitOfWork,
    UnstorableEvent,
    asend,
    events,
    on,
)
from nitro.backends.sql.outbox import Outbox


def waiting(shop: Any) -> int:
    return Outbox(shop.store.database).waiting()


def nothing(order: Any) -> None:
    pass


def refusal(send: Callable[[], object]) -> UnstorableEvent:
    with pytest.raises(ExceptionGroup) as raised:
        send()
    (error,) = raised.value.exceptions
    assert isinstance(error, UnstorableEvent)
    return error


def test_it_is_kept_with_what_the_unit_of_work_keeps(url: str) -> None:
    shop = open_shop(url, nothing)
    with UnitOfWork():
        placed.send(shop.Order().save())
    assert waiting(shop) == 1
    with pytest.raises(ZeroDivisionError), UnitOfWork():
        placed.send(shop.Order().save())
        1 / 0  # noqa: B018
    assert waiting(shop) == 1
    assert shop.Order.where().count() == 1


def test_it_goes_with_a_savepoint_that_is_taken_back(url: str) -> None:
    shop = open_shop(url, nothing)
    with UnitOfWork() as uow:
        placed.send(shop.Order().save())
        with pytest.raises(ZeroDivisionError), uow.savepoint():
            placed.send(shop.Order().save())
            1 / 0  # noqa: B018
    assert waiting(shop) == 1


def test_it_begins_the_transaction_of_a_unit_that_has_written_nothing(url: str) -> None:
    shop = open_shop(url, nothing)
    order = shop.Order().save()
    with pytest.raises(ZeroDivisionError), UnitOfWork():
        placed.send(order)
        1 / 0  # noqa: B018
    assert waiting(shop) == 0


def test_outside_of_a_unit_of_work_it_is_a_statement_of_its_own(url: str) -> None:
    shop = open_shop(url, nothing)
    placed.send(shop.Order().save())
    assert waiting(shop) == 1


def test_it_is_part_of_a_transaction_of_the_backend(url: str) -> None:
    shop = open_shop(url, nothing)
    with pytest.raises(ZeroDivisionError), shop.store.transaction():
        placed.send(shop.Order().save())
        1 / 0  # noqa: B018
    assert waiting(shop) == 0


def test_async_code_sends_it_in_both_ways(url: str) -> None:
    shop = open_shop(url, nothing)

    async def main() -> None:
        order = await shop.Order().asave()
        await asend(placed, order)
        async with UnitOfWork():
            await asend(placed, order)
        # It begins the transaction.
        async with UnitOfWork():
            placed.send(order)
        async with UnitOfWork():
            order.total = 5.0
            await order.asave()
            placed.send(order)
        with pytest.raises(ZeroDivisionError):
            async with UnitOfWork():
                order.total = 6.0
                await order.asave()
                placed.send(order)
                await asend(placed, order)
                1 / 0  # noqa: B018

        with pytest.raises(ZeroDivisionError):
            async with UnitOfWork():
                placed.send(order)
                1 / 0  # noqa: B018

    asyncio.run(main())
    assert waiting(shop) == 4


def test_async_code_has_its_events_in_the_order_in_which_it_sent_them(url: str) -> None:
    seen: list[int] = []
    shop = open_shop(url)
    on(placed, durable=True)(lambda order, number: seen.append(number))

    async def main() -> None:
        order = await shop.Order().asave()
        async with UnitOfWork() as uow:
            placed.send(order, number=1)
            await asend(placed, order, number=2)
            with pytest.raises(ZeroDivisionError):
                async with uow.savepoint():
                    placed.send(order, number=3)
                    await asend(placed, order, number=4)
                    1 / 0  # noqa: B018
            async with uow.savepoint():
                placed.send(order, number=5)
            order.total = 1.0
            await order.asave()
            placed.send(order, number=6)
            await uow.commit()
            assert waiting(shop) == 4
            await asend(placed, order, number=7)

    asyncio.run(main())
    assert shop.relay().run_once() == 5
    assert seen == [1, 2, 5, 6, 7]


def test_only_handlers_that_fit_the_sender_get_it(url: str) -> None:
    shop = open_shop(url)
    seen: list[float] = []

    @on(placed, shop.Order, when=shop.Order.total > 100, durable=True)
    def big(order: Any) -> None:
        seen.append(order.total)

    for total in (50, 500):
        placed.send(shop.Order(total=total).save())
    placed.send(shop.Note(text="no order").save())
    assert waiting(shop) == 1
    order = shop.Order.where(total=500).one()
    order.total = 1
    order.save()
    # That it was more than 100 is what counts.
    assert shop.relay().run_once() == 1
    assert seen == [1]


class Size(enum.Enum):
    SMALL = "s"


class Address(BaseModel):
    city: str = Field(alias="town")
    since: datetime.date


@dataclass
class Parcel:
    weight: Decimal
    to: tuple[str, int]


class Half(BaseModel):
    """It is not what it was when it comes back."""

    value: int = Field(7, exclude=True)

    def __eq__(self, other: object) -> bool:
        return self is other


VALUES: list[Any] = [
    None,
    True,
    7,
    2**70,
    1.5,
    "text with \0 and 'quotes' and \U0001f600",
    [1, [2, {"three": (4, 5)}]],
    {"a": {1, 2}, "$type": "mine"},
    {1: "one", (2, 3): frozenset({4})},
    Decimal("1.10"),
    datetime.datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=datetime.UTC),
    datetime.date(2026, 1, 2),
    datetime.timedelta(seconds=90, microseconds=1),
    UUID(int=5),
    b"bytes",
    math.inf,
    Path("/tmp/x"),
    Size.SMALL,
    Address(town="Ulm", since=datetime.date(2020, 1, 1)),
    Parcel(Decimal("2.50"), ("Ulm", 1)),
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_keyword_comes_back_as_it_was(value: Any, url: str) -> None:
    found: list[Any] = []

    def take(order: Any, value: Any) -> None:
        found.append(value)

    shop = open_shop(url, take)
    placed.send(shop.Order().save(), value=value)
    assert shop.relay().run_once() == 1
    assert found == [value]
    assert type(found[0]) is type(value)


def test_entities_among_the_keywords_are_loaded(url: str) -> None:
    found: list[Any] = []

    def take(order: Any, notes: Any) -> None:
        found.append((order, notes))

    shop = open_shop(url, take)
    order = shop.Order().save()
    first, second = shop.Note(text="first").save(), shop.Note(text="second").save()
    placed.send(order, notes={"all": [first, second], "order": order})
    first.text = "changed"
    first.save()
    second.delete()
    shop.relay().run_once()
    ((given, notes),) = found
    assert [note.text for note in notes["all"]] == ["changed", "second"]
    # One object for one record, as in each unit of work.
    assert notes["order"] is given


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (print, "builtins.builtin_function_or_method cannot be found by its name"),
        (object(), "Unable to serialize unknown type: <class 'object'>"),
        ([object()], "Unable to serialize unknown type: <class 'object'>"),
        (Half(), "it would come back as"),
        ("\ud800", "surrogates not allowed"),
    ],
)
def test_a_keyword_that_cannot_be_written_is_told_as_it_is_sent(value: Any, said: str, url: str) -> None:
    shop = open_shop(url, nothing)
    error = refusal(lambda: placed.send(shop.Order().save(), first=1, callback=value))
    assert str(error).startswith(
        "the event 'order-placed' of Order cannot be kept for its durable handlers: its keyword callback="
    )
    assert said in str(error)
    assert error.signal == "order-placed"
    assert waiting(shop) == 0


def test_a_keyword_of_a_class_that_nobody_can_find_is_told(url: str) -> None:
    shop = open_shop(url, nothing)

    class Local(BaseModel):
        x: int = 0

    error = refusal(lambda: placed.send(shop.Order().save(), it=Local()))
    assert "Local cannot be found by its name: it is not at the top of a module" in str(error)


@pytest.mark.parametrize("sender", [None, "a text", SQLModelBackend])
def test_a_sender_that_is_no_entity_is_told(sender: Any, url: str) -> None:
    open_shop(url, nothing)
    assert "is no entity, in whose database it could be kept: send it of one" in str(
        refusal(lambda: placed.send(sender))
    )


class Scan(Entity):
    """Its JSON is not what it is read from."""

    __tablename__ = "durable_scan"
    image: bytes
    page: int = Field(exclude=True)
    size: Decimal = Decimal(0)
    note: str | None = Field(None, exclude=True)
    _opened: bool = PrivateAttr(False)

    @field_serializer("size")
    def _with_its_unit(self, size: Decimal) -> str:
        return f"{size} mm"


def test_a_sender_that_is_gone_comes_back_whole(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[Any] = []
    shop = open_shop(url)
    monkeypatch.setattr(Scan, "__nitro_backend__", shop.store)
    on(events.deleted, Scan, durable=True)(found.append)
    nitro.create_all(Scan)
    scan = Scan(image=b"\xff\0", page=7, size=Decimal("2.50")).save()
    scan._opened = True
    scan.delete()
    assert shop.relay(attempts=1).run_once() == 1
    (gone,) = found
    assert gone.__dict__ == scan.__dict__
    assert (type(gone.size), gone._opened) == (Decimal, False)
    assert not gone.is_changed
    with pytest.raises(nitro.StaleEntityError):
        gone.page = 8
        gone.save()


class Login(Entity):
    """It lives in memory: no database keeps a secret."""

    name: str
    pin: SecretStr


def test_a_secret_is_told_as_it_is_sent(url: str) -> None:
    shop = open_shop(url, nothing)
    order = shop.Order().save()
    error = refusal(lambda: placed.send(order, login=Login(name="Ann", pin=SecretStr("1234"))))
    assert str(error) == (
        "the event 'order-placed' of Order cannot be kept for its durable handlers: its keyword login has "
        "Login.pin=SecretStr('**********'), which cannot be written (it is not the same when it is read back from "
        "JSON): send what identifies it, such as a key"
    )
    assert (error.signal, error.sender_class) == ("order-placed", shop.Order)
    assert waiting(shop) == 0


class Sealed(sa.types.TypeDecorator[str]):
    impl = sa.String()
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> str:
        return value.get_secret_value()[::-1]

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> SecretStr:
        return SecretStr(value[::-1])


def test_a_sender_with_a_secret_is_told_as_it_is_sent(url: str) -> None:
    shop = open_shop(url, nothing)

    class Customer(Entity, backend=shop.store):
        __tablename__ = "durable_customer"
        pin: SecretStr = SqlField(sa_type=Sealed)

    nitro.create_all(Customer)
    customer = Customer(pin=SecretStr("1234")).save()
    assert Customer.get(customer.id).pin.get_secret_value() == "1234"
    assert str(refusal(lambda: placed.send(customer))) == (
        "the event 'order-placed' of Customer cannot be kept for its durable handlers: its sender has "
        "Customer.pin=SecretStr('**********'), which cannot be written (it is not the same when it is read back from "
        "JSON): send it of another entity, which can be written"
    )


def test_a_sender_that_has_no_json_is_told_by_its_field(url: str) -> None:
    shop = open_shop(url, nothing)

    class Thing(Entity, backend=shop.store):
        __tablename__ = "durable_thing"
        anything: Any = None

    nitro.create_all(Thing)
    thing = Thing().save()
    thing.anything = object()
    error = refusal(lambda: placed.send(thing))
    assert "its sender has Thing.anything=<object object at" in str(error)
    assert "which cannot be written (it has no JSON: Unable to serialize unknown type" in str(error)


def test_a_signal_without_a_name_cannot_be_durable() -> None:
    with pytest.raises(ConfigurationError, match="has no name by which its events could be kept"):
        on(Signal(), durable=True)


def test_what_becomes_of_an_entity_is_told_in_the_transaction_in_which_it_does(url: str) -> None:
    shop = open_shop(url)
    seen: list[Any] = []

    @on(events.updated, shop.Order, durable=True)
    @on(events.deleted, shop.Order, durable=True)
    def tell(order: Any, changes: Any) -> None:
        seen.append((order.total, changes))

    order = shop.Order().save()
    assert waiting(shop) == 0
    with pytest.raises(ZeroDivisionError), UnitOfWork():
        order.total = 1.0
        order.save()
        1 / 0  # noqa: B018
    assert waiting(shop) == 0
    order.total = 2.0
    order.save()
    order.delete()
    assert waiting(shop) == 2
    assert shop.relay().run_once() == 2
    assert seen == [(2.0, {"total": (0.0, 2.0)}), (2.0, {})]


def test_a_condition_is_decided_as_the_entity_was_when_it_was_saved(url: str) -> None:
    shop = open_shop(url)
    seen: list[Any] = []

    @on(events.updated, shop.Order, when=shop.Order.total > 100, durable=True)
    def tell_of_big(order: Any, changes: Any) -> None:
        seen.append((order.total, changes))

    async def save_twice(order: Any) -> None:
        async with UnitOfWork():
            for total in (150.0, 50.0):
                order.total = total
                await order.asave()

    order = shop.Order().save()
    with UnitOfWork():
        for total in (150.0, 50.0):
            order.total = total
            order.save()
    assert waiting(shop) == 1
    asyncio.run(save_twice(order))
    assert shop.relay().run_once() == 2
    assert seen == [(50.0, {"total": (0.0, 150.0)}), (50.0, {"total": (50.0, 150.0)})]


def test_a_database_without_an_outbox_says_what_makes_one(url: str) -> None:
    backend = SQLModelBackend(url)

    class Order(Entity, backend=backend):
        pass

    nitro.create_all(Order)
    on("something-else", durable=True)(nothing)
    with pytest.raises(ExceptionGroup) as raised:
        signal("something-else").send(Order().save())
    assert raised.group_contains(nitro.SchemaMismatch, match=r"has no outbox .* nitro.create_all\(\) makes it")
