"""What is handed on to be kept when a signal has durable handlers. What keeps it is tested where it lives."""

import asyncio
from typing import Any

import pytest
from blinker import Signal, signal

from nitro import ConfigurationError, Entity, MemoryRepo, UnitOfWork, asend, events, off, on
from nitro.events import muted

order_placed = signal("durable-order-placed")
calls: list[Any] = []


def send_mail(order: Any) -> None:
    calls.append("mail")


async def book(order: Any, total: int) -> int:
    calls.append(("booked", total))
    return total


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What was to be kept: (signal, sender, keywords, handlers)."""
    kept: list[Any] = []

    async def arecorder(*event: Any) -> None:
        kept.append(event)

    monkeypatch.setattr(events, "recorder", lambda *event: kept.append(event))
    monkeypatch.setattr(events, "arecorder", arecorder)
    calls.clear()
    yield kept
    off(send_mail)
    off(book)
    assert not order_placed.receivers


def test_a_durable_handler_does_not_run_it_is_kept(kept: list[Any]):
    on(order_placed, durable=True)(book)
    on(order_placed)(send_mail)
    on(order_placed, str, durable=True)(send_mail)
    order_placed.send(5, total=1)
    asyncio.run(asend(order_placed, "6", total=2))
    assert calls == ["mail", "mail"]
    booking, mailing = events.durable_handlers(order_placed)
    assert kept == [
        (order_placed, 5, {"total": 1}, (booking,)),
        (order_placed, "6", {"total": 2}, (booking, mailing)),
    ]
    assert (booking.function, booking.name, mailing.classes) == (book, f"{__name__}.book", (str,))


def test_what_no_durable_handler_wants_is_not_kept(kept: list[Any]):
    on(order_placed, durable=True, when=lambda order: order > 5)(book)
    with muted(book):
        order_placed.send(6)
    order_placed.send(5)
    assert kept == []


def test_a_handler_can_be_called_later_with_what_was_kept(kept: list[Any]):
    on(order_placed, durable=True)(book)
    order_placed.send(5, total=1, other=2)
    [(_, sender, keywords, [handler])] = kept
    assert handler.call(sender, keywords) == 1
    assert asyncio.run(handler.acall(sender, keywords)) == 1
    assert calls == [("booked", 1)] * 2


def test_handlers_run_though_nothing_could_be_kept(kept: list[Any], monkeypatch: pytest.MonkeyPatch):
    def fails(*event: Any) -> None:
        raise ConnectionError("no database")

    monkeypatch.setattr(events, "recorder", fails)
    on(order_placed, durable=True)(book)
    on(order_placed)(send_mail)
    with pytest.raises(ExceptionGroup) as raised:
        order_placed.send(5)
    assert str(raised.value.exceptions[0]) == "no database"
    assert calls == ["mail"]


def test_a_condition_that_raises_keeps_nobody_else_from_being_kept(kept: list[Any]):
    on(order_placed, durable=True, when=lambda number: 1 / number)(book)
    on(order_placed, durable=True)(send_mail)
    with pytest.raises(ExceptionGroup) as raised:
        order_placed.send(0)
    assert type(raised.value.exceptions[0]) is ZeroDivisionError
    assert [handler.function for _, _, _, handlers in kept for handler in handlers] == [send_mail]


def test_the_life_of_entities_is_kept_once_and_in_the_transaction(kept: list[Any]):
    class Order(Entity, backend=MemoryRepo()):
        total: float = 0.0

    on(events.created, Order, when=Order.total > 5, durable=True)(send_mail)
    with pytest.raises(KeyError), UnitOfWork():
        Order(total=1).save()
        order = Order(total=6).save()
        raise KeyError
    kept.clear()
    with UnitOfWork() as uow:
        order = Order(total=7).save()
        uow.on_commit(lambda: kept.append("committed"))
    asyncio.run(Order(total=8).asave())
    [(signal_, sender, keywords, _), committed, (_, other, _, _)] = kept
    assert (signal_, sender is order, keywords["changes"]["total"]) == (events.created, True, (None, 7))
    assert (committed, other.total) == ("committed", 8)
    assert calls == []


def test_two_durable_handlers_of_one_name_are_refused(kept: list[Any]):
    def define() -> Any:
        def handler(order: Any) -> None: ...

        return handler

    first = define()
    on(order_placed, durable=True)(first)
    with pytest.raises(ConfigurationError, match="has a durable handler .*handler already"):
        on(order_placed, durable=True)(define())
    off(first)


@pytest.mark.parametrize("made", [Signal(), Signal("with a doc")])
def test_a_signal_without_a_name_is_refused(kept: list[Any], made: Signal):
    with pytest.raises(ConfigurationError, match=r"make it with blinker\.signal\(name\)"):
        on(made, durable=True)


def test_once_and_durable_exclude_each_other(kept: list[Any]):
    with pytest.raises(ConfigurationError, match="once=True and durable=True"):
        on(order_placed, durable=True, once=True)(book)
