"""Which handlers run, with what, and in which order."""

from __future__ import annotations

import functools
import gc
import weakref
from typing import TYPE_CHECKING, Any

import blinker
import pytest
from blinker import Signal, signal

import nitro
from nitro import ConfigurationError, Entity, off, on

if TYPE_CHECKING:
    from elsewhere import OnlyForTypeCheckers


class Order(Entity):
    total: float = 0.0
    paid: bool = False


class Rush(Order):
    fee: float = 1.0


class Product(Entity):
    total: float = 0.0


class Calls(list[Any]):
    """What handlers noted."""

    def noting(self, name: str) -> Any:
        def handler(sender: Any) -> None:
            self.append(name)

        return handler


def test_handlers_run_in_the_order_of_their_registration():
    sent, calls = Signal(), Calls()
    for name in "edcba":
        on(sent)(calls.noting(name))
    sent.send()
    assert calls == list("edcba")


def test_the_decorated_function_is_returned_unchanged():
    def handler(sender: Any) -> None: ...

    assert on(Signal())(handler) is handler


def test_a_signal_is_given_by_its_name_as_well():
    senders: list[Any] = []

    @on("handlers-by-name")
    def handler(sender: Any) -> None:
        senders.append(sender)

    signal("handlers-by-name").send(5)
    off(handler)
    signal("handlers-by-name").send(6)
    assert senders == [5]


def test_a_handler_lives_though_nobody_else_has_it():
    sent, calls = Signal(), Calls()
    on(sent)(calls.noting("a"))
    gc.collect()
    sent.send()
    assert calls == ["a"]


def test_a_send_tells_what_each_handler_returned():
    sent = Signal()

    @on(sent)
    def double(number: int) -> int:
        return 2 * number

    @on(sent)
    def nothing(number: int) -> None: ...

    [(_, returned)] = sent.send(4)
    assert returned == [(double, 8), (nothing, None)]


# --- Keywords ---


def test_a_handler_gets_the_keywords_that_it_names():
    sent, got = Signal(), {}

    @on(sent)
    def one(sender: Any, total: int) -> None:
        got["one"] = total

    @on(sent)
    def with_a_default(sender: Any, /, other: int = 7, *, status: str = "none", missing: int = 3) -> None:
        got["with a default"] = other, status, missing

    @on(sent)
    def every(sender: Any, **keywords: Any) -> None:
        got["every"] = keywords

    @on(sent)
    def none(sender: Any) -> None:
        got["none"] = ()

    @on(sent)
    def by_position(*things: Any) -> None:
        got["by position"] = things

    sent.send("me", total=1, status="x")
    assert got == {
        "one": 1,
        "with a default": (7, "x", 3),
        "every": {"total": 1, "status": "x"},
        "none": (),
        "by position": ("me",),
    }


def test_a_keyword_of_the_name_that_a_handler_gives_the_sender_stays_out():
    sent, got = Signal(), []

    @on(sent)
    def handler(order: Any, total: int) -> None:
        got.append((order, total))

    sent.send("sender", order="keyword", total=1)
    assert got == [("sender", 1)]


def test_methods_partials_and_objects_can_be_handlers():
    sent, calls = Signal(), Calls()

    class Mailer:
        def method(self, sender: Any, total: int) -> None:
            calls.append(("method", total))

        @classmethod
        def of_the_class(cls, sender: Any) -> None:
            calls.append("of the class")

        @staticmethod
        def static(sender: Any) -> None:
            calls.append("static")

        def __call__(self, sender: Any) -> None:
            calls.append("called")

    def two(first: str, sender: Any) -> None:
        calls.append(first)

    mailer = Mailer()
    for handler in (mailer.method, Mailer.of_the_class, Mailer.static, mailer, functools.partial(two, "partial")):
        on(sent)(handler)
    on(sent)(calls.append)
    sent.send("sender", total=2)
    assert calls == [("method", 2), "of the class", "static", "called", "partial", "sender"]

    off(mailer.method)
    off(calls.append)
    calls.clear()
    sent.send("sender", total=2)
    assert calls == ["of the class", "static", "called", "partial"]


def test_an_annotation_need_not_be_there():
    sent, calls = Signal(), Calls()

    @on(sent)
    def handler(order: OnlyForTypeCheckers, total: int) -> None:
        calls.append(total)

    sent.send("sender", total=1)
    assert calls == [1]


# --- What cannot be a handler ---


def no_parameters() -> None: ...


def keyword_only(*, sender: Any) -> None: ...


def keywords_only(**keywords: Any) -> None: ...


def second_by_position(sender: Any, total: int, /) -> None: ...


def generator(sender: Any) -> Any:
    yield sender


async def async_generator(sender: Any) -> Any:
    yield sender


@pytest.mark.parametrize(
    ("handler", "said"),
    [
        (no_parameters, r"no_parameters\(\).* cannot take a sender: .*as in `def handler\(sender\)`"),
        (keyword_only, r"keyword_only\(\*, .*cannot take a sender"),
        (keywords_only, r"keywords_only\(\*\*.*cannot take a sender"),
        (second_by_position, r"takes 'total' by position only.*move it behind the /"),
        (generator, r"generator is a generator.*take the yield out"),
        (async_generator, r"async_generator is a generator"),
        (classmethod(no_parameters), r"cannot be called"),
        (5, r"cannot be called"),
    ],
)
def test_what_cannot_take_a_sender_is_refused_when_it_is_registered(handler: Any, said: str):
    sent = Signal()
    with pytest.raises(ConfigurationError, match=said):
        on(sent)(handler)
    assert not sent.receivers


def test_what_is_no_signal_is_refused():
    with pytest.raises(ConfigurationError, match=r"write `@on\(order_placed\)`"):

        @on
        def handler(sender: Any) -> None: ...


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"when": 100}, "when=100: it takes a condition such as Order.total > 100, or a function"),
        ({"when": True}, "when=True says nothing of a sender"),
        ({"timeout": 5}, "is no `async def`, so timeout=5 could not stop it"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], said: str):
    with pytest.raises(ConfigurationError, match=said):
        on(Signal(), **options)(lambda sender: None)


def test_a_condition_in_the_place_of_a_sender_is_refused():
    with pytest.raises(ConfigurationError, match=r"write when=Order\.total > 5"):
        on(Signal(), Order.total > 5)(lambda sender: None)


def test_an_async_condition_is_refused():
    async def when(sender: Any) -> bool:
        return True

    with pytest.raises(ConfigurationError, match="it has to answer at once"):
        on(Signal(), when=when)(lambda sender: None)


# --- Which senders ---


def senders_of(*senders: Any, sent: list[Any], **options: Any) -> list[Any]:
    """Those of `sent` that a handler, registered so, has seen."""
    seen: list[Any] = []
    order_placed = Signal()
    on(order_placed, *senders, **options)(seen.append)
    for sender in sent:
        order_placed.send(sender)
    return seen


def test_a_class_means_its_instances_those_of_its_subclasses_and_itself():
    order, rush, product = Order(), Rush(), Product()
    sent = [order, rush, product, None, Order, Rush, Product]
    assert senders_of(Order, sent=sent) == [order, rush, Order, Rush]
    assert senders_of(Rush, Product, sent=sent) == [rush, product, Rush, Product]


def test_a_particular_sender_is_meant_as_blinker_does():
    order = Order()
    same = Order(id=order.id)
    assert order == same
    seen = senders_of(order, sent=[order, same, Order()])
    assert len(seen) == 1
    assert seen[0] is order
    # Texts and numbers go by their value.
    assert senders_of("xyz", 123456789, sent=["".join("xyz"), int("123456789"), "abc"]) == ["xyz", 123456789]
    assert senders_of(blinker.ANY, sent=[1, None]) == [1, None]
    assert senders_of(Product, order, sent=[order, same]) == [order]


def test_a_particular_sender_is_not_kept_alive():
    class Sender:
        pass

    sent, calls = Signal(), Calls()
    sender = Sender()
    on(sent, sender)(calls.noting("a"))
    gone = weakref.ref(sender)
    sent.send(sender)
    del sender
    assert gone() is None
    for _ in range(1000):
        # One of these gets the identity of the one that is gone.
        sent.send(Sender())
    assert calls == ["a"]
    # The next who registers makes room.
    on(sent, Sender)(calls.noting("b"))
    assert repr(next(iter(sent.receivers.values()))).count("noting") == 1


def test_a_condition_is_asked_of_the_sender():
    cheap, dear, rush, product = Order(total=5), Order(total=500, paid=True), Rush(total=900), Product(total=700)
    sent = [cheap, dear, rush, product, None]
    assert senders_of(when=Order.total > 100, sent=sent) == [dear, rush]
    assert senders_of(Rush, when=Order.total > 100, sent=sent) == [rush]
    assert senders_of(when=Order.paid, sent=sent) == [dear]
    assert senders_of(when=(Order.total < 10) | (Order.paid == True), sent=sent) == [cheap, dear]  # noqa: E712


def test_a_function_is_asked_of_the_sender():
    assert senders_of(when=lambda number: number % 2, sent=[1, 2, 3]) == [1, 3]


def test_a_handler_with_once_runs_one_time():
    assert senders_of(once=True, sent=[1, 2, 3]) == [1]
    assert senders_of(Order, once=True, when=Order.total > 5, sent=[1, Order(total=1)]) == []

    sent, calls = Signal(), Calls()
    on(sent, once=True)(calls.noting("a"))
    sent.send()
    assert not sent.receivers


def test_a_handler_with_once_that_sends_the_signal_again_runs_one_time():
    sent, calls = Signal(), Calls()

    @on(sent, once=True)
    def handler(sender: Any) -> None:
        calls.append(sender)
        sent.send(2)

    sent.send(1)
    assert calls == [1]


def test_a_function_that_is_registered_twice_runs_once_for_what_is_sent():
    sent, calls = Signal(), Calls()
    handler = calls.noting("a")
    on(sent, 123)(handler)
    on(sent)(handler)
    on(sent)(handler)
    for sender in (None, 123, 4):
        sent.send(sender)
    assert calls == ["a"] * 3


def test_a_function_can_be_registered_for_several_signals_and_senders():
    first, second, calls = Signal(), Signal(), Calls()

    @on(first, Order)
    @on(first, Product)
    @on(second)
    def handler(sender: Any) -> None:
        calls.append(type(sender))

    first.send(Order())
    first.send(Product())
    first.send(None)
    second.send(Order())
    assert calls == [Order, Product, Order]


# --- Taking away ---


def test_off_takes_a_handler_away_from_one_signal_or_from_all():
    first, second, calls = Signal(), Signal(), Calls()
    handler, other = calls.noting("a"), calls.noting("b")
    for sent in (first, second):
        on(sent)(handler)
    on(second)(other)
    off(handler, first)
    first.send()
    second.send()
    assert calls == ["a", "b"]
    assert not first.receivers
    off(handler)
    second.send()
    assert calls == ["a", "b", "b"]
    off(other)
    off(other)
    assert not second.receivers


def test_a_handler_that_takes_itself_away_leaves_the_others_alone():
    sent, calls = Signal(), Calls()

    @on(sent)
    def handler(sender: Any) -> None:
        calls.append("self")
        off(handler)

    on(sent)(calls.noting("a"))
    sent.send()
    sent.send()
    assert calls == ["self", "a", "a"]


def test_what_is_registered_meanwhile_hears_of_the_next_send():
    sent, calls = Signal(), Calls()

    @on(sent, once=True)
    def handler(sender: Any) -> None:
        on(sent)(calls.noting("new"))

    sent.send()
    assert calls == []
    sent.send()
    assert calls == ["new"]


def test_a_signal_that_was_cleared_takes_handlers_again():
    sent, calls = Signal(), Calls()
    on(sent)(calls.noting("a"))
    sent._clear_state()
    on(sent)(calls.noting("b"))
    sent.send()
    assert calls == ["a", "b"]


def test_an_anonymous_signal_goes_with_its_handlers():
    def handler(sender: Any) -> None: ...

    sent = Signal()
    on(sent)(handler)
    kept, gone = weakref.ref(handler), weakref.ref(sent)
    del handler, sent
    gc.collect()
    assert gone() is None
    assert kept() is None


def test_the_public_names_are_those_of_the_module():
    assert nitro.on is nitro.events.on
    assert nitro.off is nitro.events.off
    assert nitro.asend is nitro.events.asend
    assert nitro.captured_events is nitro.events.captured_events
