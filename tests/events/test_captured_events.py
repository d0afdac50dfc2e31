"""What tests do with events: see what is sent, and keep handlers from running."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import blinker
import pytest
from blinker import Signal, signal

from nitro import ConfigurationError, Entity, MemoryRepo, UnitOfWork, asend, captured_events, off, on
from nitro.events import CapturedEvents, Sent, created, muted


class Order(Entity, backend=MemoryRepo()):
    total: float = 0.0


order_placed = signal("captured-order-placed")
order_paid = signal("captured-order-paid")
calls: list[Any] = []


def send_mail(order: Any) -> None:
    calls.append(("mail", order))


def write_log(order: Any) -> None:
    calls.append(("log", order))


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    on(order_placed)(send_mail)
    on(order_placed)(write_log)
    calls.clear()
    yield
    off(send_mail)
    off(write_log)
    assert not order_placed.receivers
    assert not order_paid.receivers


def test_what_is_sent_is_captured_and_handled():
    with captured_events() as events:
        order_placed.send("1", total=5)
        order_paid.send("2")
        assert len(events) == 2
    order_placed.send("3")
    assert events == [Sent(order_placed, "1", {"total": 5}), Sent(order_paid, "2", {})]
    assert isinstance(events, CapturedEvents)
    assert events.of(order_paid) == events.of("captured-order-paid") == [(order_paid, "2", {})]
    assert calls == [("mail", "1"), ("log", "1"), ("mail", "3"), ("log", "3")]


def test_only_the_signals_that_are_given_are_captured():
    with captured_events(order_paid, "captured-by-name") as events:
        order_placed.send("1")
        order_paid.send("2")
        signal("captured-by-name").send("3")
    assert [sent.sender for sent in events] == ["2", "3"]
    blinker.default_namespace.pop("captured-by-name")


def test_signals_without_names_are_captured_when_they_have_handlers():
    handled, given, other = Signal(), Signal(), Signal()
    on(handled)(send_mail)
    with captured_events() as events:
        handled.send("1")
        other.send("2")
        on(other)(send_mail)
        other.send("3")
    assert [sent.sender for sent in events] == ["1", "3"]
    with captured_events(given) as events:
        given.send("4")
    assert [sent.sender for sent in events] == ["4"]
    assert not given.receivers


def test_stored_entities_are_among_it():
    with captured_events() as events, UnitOfWork():
        order = Order(total=5).save()
        assert events == []
    [sent] = events.of(created)
    assert sent.sender is order
    assert sent.keywords["changes"]["total"] == (None, 5)
    assert not created.receivers
    order.delete()


def test_what_comes_first_is_first():
    @on(order_placed)
    def pay(order: Any) -> None:
        order_paid.send(order)

    with captured_events() as events:
        order_placed.send("1")
    off(pay)
    assert [sent.signal for sent in events] == [order_placed, order_paid]


def test_an_error_does_not_hide_what_was_sent():
    @on(order_placed)
    def fails(order: Any) -> None:
        raise ValueError("no stock")

    with captured_events() as events, pytest.raises(ExceptionGroup):
        order_placed.send("1")
    off(fails)
    assert len(events) == 1


def test_handlers_can_be_kept_from_running():
    with captured_events(muted=True) as events:
        order_placed.send("1")
        asyncio.run(asend(order_placed, "2"))
    assert [sent.sender for sent in events] == ["1", "2"]
    assert calls == []
    with captured_events(order_paid, muted=True):
        order_placed.send("3")
    assert calls == [("mail", "3"), ("log", "3")]


def test_functions_and_signals_can_be_muted():
    paid: list[Any] = []
    on(order_paid)(paid.append)
    with muted(send_mail):
        order_placed.send("1")
    with muted(order_placed):
        order_placed.send("2")
        order_paid.send("2")
    with muted("captured-order-paid", write_log):
        order_placed.send("3")
        order_paid.send("3")
    with muted():
        order_placed.send("4")
        order_paid.send("4")
    order_placed.send("5")
    off(paid.append)
    assert calls == [("log", "1"), ("mail", "3"), ("mail", "5"), ("log", "5")]
    assert paid == ["2"]


def test_muted_decorates_as_well():
    @muted(send_mail)
    def story() -> None:
        order_placed.send("1")

    story()
    story()
    assert calls == [("log", "1")] * 2


def test_muting_what_is_no_handler_is_an_error():
    def receiver(order: Any) -> None: ...

    with (
        order_placed.connected_to(receiver),
        pytest.raises(ConfigurationError, match="receiver is no handler .* there is signal.muted"),
        muted(receiver),
    ):
        pass


def test_a_muted_handler_with_once_keeps_its_one_time():
    once = Signal()
    on(once, once=True)(calls.append)
    with muted(once):
        once.send("1")
    once.send("2")
    assert calls == ["2"]


def test_it_can_be_nested():
    with captured_events() as outer, muted(send_mail):
        order_placed.send("1")
        with captured_events(order_paid) as inner, muted(write_log):
            order_placed.send("2")
            order_paid.send("3")
        order_placed.send("4")
    assert [sent.sender for sent in outer] == ["1", "2", "3", "4"]
    assert [sent.sender for sent in inner] == ["3"]
    assert calls == [("log", "1"), ("log", "4")]


def test_everything_is_as_before_after_an_error():
    with pytest.raises(KeyError), captured_events(muted=True):
        raise KeyError
    order_placed.send("1")
    assert calls == [("mail", "1"), ("log", "1")]


def test_threads_do_not_see_or_mute_one_another():
    ready = threading.Barrier(8)
    captured: dict[int, list[Any]] = {}

    def work(number: int) -> None:
        with captured_events(muted=number % 2 == 0) as events:
            ready.wait(timeout=60)
            for _ in range(50):
                order_placed.send(number)
            ready.wait(timeout=60)
        captured[number] = [sent.sender for sent in events]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert captured == {number: [number] * 50 for number in range(8)}
    assert sorted(calls) == sorted([(name, number) for number in (1, 3, 5, 7) for name in ("mail", "log")] * 50)


def test_tasks_do_not_see_or_mute_one_another():
    async def work(number: int) -> list[Any]:
        with captured_events(muted=number % 2 == 0) as events:
            for _ in range(10):
                await asend(order_placed, number)
                await asyncio.sleep(0)
        return [sent.sender for sent in events]

    async def story() -> None:
        found = await asyncio.gather(*map(work, range(4)))
        assert found == [[number] * 10 for number in range(4)]

    asyncio.run(story())
    assert {number for _, number in calls} == {1, 3}


def test_what_is_started_inside_is_captured_for_as_long_as_it_lasts():
    async def work(number: int, gate: asyncio.Event) -> None:
        order_placed.send(number)
        await gate.wait()
        order_placed.send(-number)

    async def story() -> None:
        gate = asyncio.Event()
        with captured_events(muted=True) as events:
            task = asyncio.create_task(work(1, gate))
            await asyncio.to_thread(order_placed.send, 2)
            await asyncio.sleep(0)
        gate.set()
        await task
        assert sorted(sent.sender for sent in events) == [1, 2]

    asyncio.run(story())
    assert calls == [("mail", -1), ("log", -1)]


def test_it_can_be_left_in_another_context_than_it_was_entered_in():
    async def story() -> None:
        entered = captured_events(muted=True)
        await asyncio.create_task(in_a_task(entered.__enter__))
        order_placed.send(1)
        await asyncio.create_task(in_a_task(lambda: entered.__exit__(None, None, None)))
        order_placed.send(2)

    async def in_a_task(function: Any) -> None:
        function()

    asyncio.run(story())
    assert calls == [("mail", 1), ("log", 1), ("mail", 2), ("log", 2)]
