"""Handlers that raise, that send further events, and what is said of it."""

from typing import Any

import pytest
from blinker import Signal, signal

from nitro import off, on


def failing(error: BaseException) -> Any:
    def fails(sender: Any) -> None:
        raise error

    return fails


def test_all_handlers_run_then_one_error_tells_of_those_that_failed():
    sent, calls = signal("errors-of-handlers"), []

    @on(sent)
    def first(sender: Any) -> None:
        raise ValueError("no mail")

    on(sent)(calls.append)

    @on(sent)
    def third(sender: Any) -> None:
        raise LookupError("no stock")

    with pytest.raises(ExceptionGroup) as raised:
        sent.send("order")
    for handler in (first, calls.append, third):
        off(handler)

    assert calls == ["order"]
    assert raised.value.message == "errors-of-handlers: 2 of 3 handlers failed"
    no_mail, no_stock = raised.value.exceptions
    assert (type(no_mail), type(no_stock)) == (ValueError, LookupError)
    module = test_all_handlers_run_then_one_error_tells_of_those_that_failed
    where = f"{module.__module__}.{module.__qualname__}.<locals>"
    assert no_mail.__notes__ == [f"in the handler {where}.first"]
    assert no_stock.__notes__ == [f"in the handler {where}.third"]


def test_only_those_that_ran_are_counted():
    sent = Signal("x")
    on(sent, int)(lambda sender: None)
    on(sent, when=lambda sender: False)(failing(ValueError()))
    on(sent)(failing(ValueError()))
    with pytest.raises(ExceptionGroup, match="1 of 1 handlers failed"):
        sent.send("text")
    with pytest.raises(ExceptionGroup, match="1 of 2 handlers failed"):
        sent.send(1)


def test_a_condition_that_raises_is_an_error_of_its_handler():
    sent, calls = Signal(), []
    on(sent, when=lambda number: 1 / number)(calls.append)
    on(sent)(calls.append)
    with pytest.raises(ExceptionGroup) as raised:
        sent.send(0)
    assert type(raised.value.exceptions[0]) is ZeroDivisionError
    assert calls == [0]


def test_a_keyword_that_is_missing_is_an_error_of_its_handler():
    sent = Signal()

    @on(sent)
    def handler(sender: Any, total: int) -> None: ...

    with pytest.raises(ExceptionGroup) as raised:
        sent.send("order", tota=5)
    assert "missing 1 required positional argument: 'total'" in str(raised.value.exceptions[0])


def test_an_error_that_is_raised_again_and_again_is_noted_once():
    sent, error = Signal(), ValueError()
    on(sent)(failing(error))
    for _ in range(3):
        with pytest.raises(ExceptionGroup):
            sent.send()
    assert len(error.__notes__) == 1


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_program_is_not_held_up(stop: type[BaseException]):
    sent, calls = Signal(), []
    on(sent)(failing(ValueError("before")))
    on(sent)(failing(stop()))
    on(sent)(calls.append)
    with pytest.raises(stop) as raised:
        sent.send("order")
    assert calls == []
    # What had failed before is told.
    assert isinstance(raised.value.__cause__, ExceptionGroup)
    assert str(raised.value.__cause__.exceptions[0]) == "before"


def test_a_handler_can_send_further_events():
    placed, reduced, calls = Signal(), Signal(), []

    @on(placed)
    def reduce_stock(order: str) -> None:
        calls.append(f"placed {order}")
        reduced.send("tea", by=order)

    @on(placed)
    def tell(order: str) -> None:
        calls.append(f"told {order}")

    @on(reduced)
    def reorder(product: str, by: str) -> None:
        calls.append(f"reduced {product} for {by}")

    placed.send("1")
    # At once, as a call.
    assert calls == ["placed 1", "reduced tea for 1", "told 1"]


def test_an_error_in_a_further_event_is_an_error_of_the_handler_that_sent_it():
    placed, reduced = Signal(), Signal()

    @on(placed)
    def reduce_stock(order: str) -> None:
        reduced.send("tea")

    on(reduced)(failing(ValueError("sold out")))
    with pytest.raises(ExceptionGroup) as raised:
        placed.send("1")
    [inner] = raised.value.exceptions
    assert isinstance(inner, ExceptionGroup)
    assert str(inner.exceptions[0]) == "sold out"
    assert "reduce_stock" in inner.__notes__[0]


def test_events_that_send_one_another_without_end_are_an_error():
    placed = Signal()

    @on(placed)
    def again(order: str) -> None:
        placed.send(order)

    with pytest.raises((ExceptionGroup, RecursionError)) as raised:
        placed.send("1")
    error: BaseException = raised.value
    while isinstance(error, ExceptionGroup):
        [error] = error.exceptions
    assert isinstance(error, RecursionError)
