"""What blinker promises holds, on signals that have handlers of `on` as on those that have none."""

import asyncio
import gc
from collections.abc import Callable
from typing import Any

import blinker
import pytest
from blinker import ANY, NamedSignal, Namespace, Signal

from nitro import off, on

#: What `on` registers where a signal is to have handlers; it must neither disturb nor be disturbed.
heard: list[Any] = []


def handler(sender: Any) -> None:
    heard.append(sender)


@pytest.fixture(params=["no handlers", "handlers before", "handlers that were taken away"])
def sent(request: pytest.FixtureRequest) -> Signal:
    """A signal of blinker."""
    made = Signal()
    heard.clear()
    if request.param != "no handlers":
        on(made)(handler)
    if request.param == "handlers that were taken away":
        off(handler, made)
    return made


@pytest.fixture
def has_handlers(request: pytest.FixtureRequest) -> bool:
    return "handlers before" in request.node.name


class Noted(list[Any]):
    def receiver(self, name: str) -> Callable[..., Any]:
        def receiver(*sender: Any, **keywords: Any) -> str:
            self.append((name, sender[0], keywords))
            return name

        return receiver


class Sender:
    """Something that can be referred to weakly."""


def test_a_receiver_gets_the_sender_and_all_keywords(sent: Signal, has_handlers: bool):
    noted = Noted()
    receiver = noted.receiver("a")
    assert sent.connect(receiver) is receiver
    sent.send("me", total=5)
    sent.send()
    assert noted == [("a", "me", {"total": 5}), ("a", None, {})]
    assert heard == (["me", None] if has_handlers else [])


def test_a_send_tells_what_each_receiver_returned(sent: Signal, has_handlers: bool):
    noted = Noted()
    first, second = noted.receiver("a"), noted.receiver("b")
    sent.connect(first)
    sent.connect(second)
    returned = dict(sent.send("me"))
    assert (returned[first], returned[second]) == ("a", "b")
    assert len(returned) == 2 + has_handlers
    assert [value for receiver, value in returned.items() if receiver not in (first, second)] == (
        [[(handler, None)]] if has_handlers else []
    )


def test_a_weak_receiver_goes_with_its_last_reference(sent: Signal, has_handlers: bool):
    noted = Noted()
    receiver = noted.receiver("a")
    sent.connect(receiver)
    del receiver
    gc.collect()
    sent.send("me")
    assert noted == []
    assert bool(sent.receivers) == has_handlers


def test_a_strong_receiver_stays(sent: Signal):
    noted = Noted()
    sent.connect(noted.receiver("a"), weak=False)
    gc.collect()
    sent.send("me")
    assert noted == [("a", "me", {})]


def test_a_method_goes_with_its_object(sent: Signal):
    noted: list[Any] = []

    class Receiver:
        def received(self, sender: Any) -> None:
            noted.append(sender)

    receiver = Receiver()
    sent.connect(receiver.received)
    sent.send(1)
    del receiver
    gc.collect()
    sent.send(2)
    assert noted == [1]


def test_a_receiver_of_one_sender_hears_only_that_one(sent: Signal, has_handlers: bool):
    noted = Noted()
    receiver = noted.receiver("a")
    sent.connect(receiver, sender=123)
    for sender in (None, 123, int("123"), 4):
        sent.send(sender)
    assert [sender for _, sender, _ in noted] == [123, 123]
    sent.disconnect(receiver, sender=123)
    sent.send(123)
    assert len(noted) == 2
    assert heard == ([None, 123, 123, 4, 123] if has_handlers else [])


def test_a_receiver_of_a_sender_that_is_gone_hears_nothing(sent: Signal):
    noted = Noted()
    receiver, sender = noted.receiver("a"), Sender()
    sent.connect(receiver, sender=sender)
    sent.send(sender)
    del noted[:], sender
    gc.collect()
    sent.send(Sender())
    assert noted == []


def test_a_receiver_that_is_connected_twice_is_called_once(sent: Signal):
    noted = Noted()
    receiver = noted.receiver("a")
    sent.connect(receiver, 123)
    sent.connect(receiver)
    for sender in (None, 123):
        sent.send(sender)
    assert [sender for _, sender, _ in noted] == [None, 123]


def test_connect_via_decorates(sent: Signal):
    sender, noted = Sender(), []

    @sent.connect_via(sender)
    def receiver(by: Any, **keywords: Any) -> None:
        noted.append(keywords)

    sent.send(1)
    sent.send(sender, total=5)
    assert noted == [{"total": 5}]


@pytest.mark.parametrize("sender", [ANY, 2])
def test_a_receiver_can_be_connected_for_a_while(sent: Signal, has_handlers: bool, sender: Any):
    noted = Noted()
    receiver = noted.receiver("a")
    before = dict(sent.receivers)
    sent.send(2)
    with sent.connected_to(receiver, sender=sender):
        sent.send(2)
    sent.send(2)
    assert noted == [("a", 2, {})]
    assert sent.receivers == before
    assert heard == ([2, 2, 2] if has_handlers else [])


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_it_is_disconnected_after_an_error(sent: Signal, has_handlers: bool, error: type[BaseException]):
    receiver = Noted().receiver("a")
    with pytest.raises(error), sent.connected_to(receiver):
        raise error
    assert bool(sent.receivers) == has_handlers


def test_a_muted_signal_reaches_nobody(sent: Signal):
    noted = Noted()
    receiver = noted.receiver("a")
    sent.connect(receiver)
    with sent.muted():
        assert sent.send(1) == []
    assert (noted, heard) == ([], [])
    sent.send(2)
    assert noted == [("a", 2, {})]


def test_has_receivers_for(sent: Signal, has_handlers: bool):
    sender = Sender()
    receiver = Noted().receiver("a")
    assert sent.has_receivers_for(None) == has_handlers
    assert sent.has_receivers_for(ANY) == has_handlers
    sent.connect(receiver, "xyz")
    sent.connect(receiver, sender)
    assert sent.has_receivers_for("xyz")
    assert sent.has_receivers_for(sender)
    assert sent.has_receivers_for(None) == has_handlers
    sent.connect(receiver)
    assert sent.has_receivers_for(None)
    assert sent.has_receivers_for(ANY)


def test_receivers_for(sent: Signal, has_handlers: bool):
    receiver, other = Noted().receiver("a"), Noted().receiver("b")
    sent.connect(receiver)
    sent.connect(other, "xyz")
    found = list(sent.receivers_for("xyz"))
    assert receiver in found
    assert other in found
    assert len(found) == 2 + has_handlers
    assert other not in list(sent.receivers_for("abc"))


def test_a_disconnected_receiver_hears_nothing(sent: Signal, has_handlers: bool):
    noted = Noted()
    receiver = noted.receiver("a")
    sent.connect(receiver)
    sent.disconnect(receiver)
    sent.disconnect(receiver)
    sent.send()
    assert noted == []
    assert bool(sent.receivers) == has_handlers


@pytest.mark.parametrize("sender", [ANY, "xyz"])
def test_connecting_and_disconnecting_are_signals(sent: Signal, sender: Any):
    noted = Noted()
    connected, disconnected = noted.receiver("connected"), noted.receiver("disconnected")
    sent.receiver_connected.connect(connected)
    sent.receiver_disconnected.connect(disconnected)
    receiver = Noted().receiver("a")
    sent.connect(receiver, sender=sender, weak=False)
    assert noted.pop() == ("connected", sent, {"receiver": receiver, "sender": sender, "weak": False})
    sent.disconnect(receiver, sender=sender)
    assert noted.pop() == ("disconnected", sent, {"receiver": receiver, "sender": sender})
    assert noted == []


def test_all_handlers_together_connect_and_disconnect_as_one_receiver():
    sent, noted = Signal(), Noted()
    connected, disconnected = noted.receiver("connected"), noted.receiver("disconnected")
    sent.receiver_connected.connect(connected)
    sent.receiver_disconnected.connect(disconnected)
    handlers = [Noted().receiver("a"), Noted().receiver("b")]
    for added in handlers:
        on(sent)(added)
    for added in handlers:
        off(added)
    assert [(name, by is sent, keywords["sender"]) for name, by, keywords in noted] == [
        ("connected", True, ANY),
        ("disconnected", True, ANY),
    ]
    assert noted[0][2]["receiver"] is noted[1][2]["receiver"]
    assert noted[0][2]["weak"] is False


def test_somebody_who_refuses_a_receiver_refuses_handlers():
    sent = Signal()

    def refuse(signal: Any, **keywords: Any) -> None:
        raise TypeError("no receivers here")

    sent.receiver_connected.connect(refuse)
    with pytest.raises(TypeError, match="no receivers here"):
        on(sent)(handler)
    heard.clear()
    sent.send()
    assert heard == []
    assert not sent.receivers


def test_an_error_of_a_receiver_is_raised_as_it_is():
    sent = Signal()

    def receiver(sender: Any) -> None:
        raise ValueError("as it is")

    sent.connect(receiver)
    with pytest.raises(ValueError, match="as it is"):
        sent.send()


def test_names_and_namespaces():
    space = Namespace()
    first = space.signal("abc", doc="What it is.")
    on(first)(handler)
    assert space.signal("abc") is first
    assert space.signal("def") is not first
    assert isinstance(first, NamedSignal)
    assert first.__doc__ == "What it is."
    assert "'abc'" in repr(first)
    assert "abc" in space
    assert blinker.signal("nothing to do with a namespace of one's own") is not first
    heard.clear()
    first.send(1)
    assert heard == [1]


def test_the_book_keeping_can_be_tidied(sent: Signal, has_handlers: bool):
    receiver, sender = Noted().receiver("a"), Sender()
    sent.connect(receiver, sender=sender)
    sent.disconnect(receiver, sender=sender)
    sent._cleanup_bookkeeping()
    assert len(sent._by_sender) == len(sent._by_receiver) == has_handlers
    sent.send(1)
    assert heard == ([1] if has_handlers else [])


# --- Async receivers ---


def in_an_async(function: Callable[..., Any]) -> Callable[..., Any]:
    async def inner(*arguments: Any, **keywords: Any) -> Any:
        return function(*arguments, **keywords)

    return inner


def in_a_thread(function: Callable[..., Any]) -> Callable[..., Any]:
    async def inner(*arguments: Any, **keywords: Any) -> Any:
        return await asyncio.to_thread(function, *arguments, **keywords)

    return inner


@pytest.mark.parametrize("wrapper", [in_an_async, in_a_thread])
def test_send_async_wraps_receivers_that_are_sync(sent: Signal, has_handlers: bool, wrapper: Any):
    noted: list[Any] = []

    async def awaited(sender: Any) -> str:
        await asyncio.sleep(0)
        noted.append("awaited")
        return "awaited"

    def called(sender: Any) -> None:
        noted.append("called")

    sent.connect(awaited)
    sent.connect(called)
    returned = dict(asyncio.run(sent.send_async("me", _sync_wrapper=wrapper)))
    assert sorted(noted) == ["awaited", "called"]
    assert returned[awaited] == "awaited"
    assert heard == (["me"] if has_handlers else [])
    # Without a wrapper, blinker refuses.
    with pytest.raises(RuntimeError):
        asyncio.run(sent.send_async("me"))


def test_send_wraps_receivers_that_are_async(sent: Signal, has_handlers: bool):
    noted: list[Any] = []

    async def awaited(sender: Any) -> None:
        noted.append(sender)

    def wrapper(function: Any) -> Any:
        return lambda *arguments, **keywords: asyncio.run(function(*arguments, **keywords))

    sent.connect(awaited)
    sent.send("me", _async_wrapper=wrapper)
    assert noted == ["me"]
    assert heard == (["me"] if has_handlers else [])
    with pytest.raises(RuntimeError):
        sent.send("me")


@pytest.mark.parametrize("wrapper", [in_an_async, in_a_thread])
def test_send_async_runs_async_handlers_too(wrapper: Any):
    sent, noted = Signal(), []

    @on(sent)
    async def awaited(sender: Any) -> None:
        await asyncio.sleep(0)
        noted.append(sender)

    async def story() -> None:
        [(_, [(_, value)])] = await sent.send_async("me", _sync_wrapper=wrapper)
        if isinstance(value, asyncio.Task):
            await value

    asyncio.run(story())
    assert noted == ["me"]
