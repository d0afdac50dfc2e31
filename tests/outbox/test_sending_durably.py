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
from blinker import Signal, signal
from durable_shop import open_shop, placed
from pydantic import BaseModel, Field

import nitro
from nitro import (
    ConfigurationError,
    Entity,
    SQLModelBackend,
    UnitOfWork,
    UnitOfWorkError,
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

    asyncio.run(main())
    assert waiting(shop) == 3


def test_a_plain_send_that_would_have_to_begin_an_async_transaction_says_so(url: str) -> None:
    shop = open_shop(url, nothing)

    async def main() -> None:
        order = await shop.Order().asave()
        async with UnitOfWork():
            placed.send(order)

    with pytest.raises(ExceptionGroup) as raised:
        asyncio.run(main())
    assert raised.group_contains(UnitOfWorkError, match=r"write `await asend\('order-placed', ...\)`")
    assert waiting(shop) == 0


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
        "the event 'order-placed' cannot be kept for its durable handlers: its keyword callback="
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
    assert "is no entity, in whose database it could be kept" in str(refusal(lambda: placed.send(sender)))


def test_a_sender_without_a_json_form_is_told(url: str) -> None:
    shop = open_shop(url, nothing)

    class Scan(Entity, backend=shop.store):
        image: bytes

    nitro.create_all(Scan)
    scan = Scan(image=b"\xff").save()
    assert "has no JSON form" in str(refusal(lambda: placed.send(scan)))


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
