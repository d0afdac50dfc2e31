"""Nobody's reference count drifts."""

import gc
import sys
from collections.abc import Callable
from typing import Any

import pytest
from operations import OPERATIONS
from pydantic import ValidationError

import nitro
from counting import settle
from nitro import Entity, Model

DEFAULT_TEXT = "a default that nobody else has"
DEFAULT_LIST = [10**20, 10**21]
DEFAULT_TUPLE = (10**22,)


def factory() -> int:
    return 10**23


class Line(Model):
    product: str = DEFAULT_TEXT
    numbers: list[int] = DEFAULT_LIST
    pair: tuple[int, ...] = DEFAULT_TUPLE
    made: int = nitro.Field(default_factory=factory)


class Order(Entity):
    product: str = DEFAULT_TEXT
    numbers: list[int] = DEFAULT_LIST
    pair: tuple[int, ...] = DEFAULT_TUPLE
    line: Line = Line()
    made: int = nitro.Field(default_factory=factory)
    anything: Any = None


LINE_DEFAULT = Order.model_fields["line"].default
WATCHED: list[Any] = [
    DEFAULT_TEXT, DEFAULT_LIST, DEFAULT_LIST[0], DEFAULT_TUPLE, DEFAULT_TUPLE[0], factory, LINE_DEFAULT, Line, Order, Entity, Model,
    *Order.model_fields, "__dict__", "__pydantic_fields_set__", None, True, False, 0, 1, (), "", b"", int, str, list, dict,
]  # fmt: skip


def use_up() -> None:
    made = [
        Order(),
        Order(product="b"),
        Order.model_validate({}),
        Order.model_validate_json('{"numbers": [1]}'),
        Line(),
        Line(product="x"),
    ]
    for order in made[:4]:
        order.product = "other"
        order.product = DEFAULT_TEXT
        order.numbers.append(5)
        order.anything = DEFAULT_TUPLE
        assert order.changes
        order.revert_changes()
        order.model_dump()
        order.model_dump_json()
        vars(order)
        del order.product
    nitro.encode(made)
    for action in (
        lambda: Order(product=5),
        lambda: Order.model_validate_json('{"product": 5}'),
        lambda: Order.model_validate({"line": 5}),
    ):
        with pytest.raises(ValidationError):
            action()


def drift(action: Callable[[], Any], rounds: int) -> dict[str, int]:
    # Looked up once: a look-up that is cached before and not after would count as a None more.
    count = sys.getrefcount
    for _ in range(10):
        action()
    settle()
    before = [count(value) for value in WATCHED]
    for _ in range(rounds):
        action()
    settle()
    after = [count(value) for value in WATCHED]
    return {repr(value)[:50]: new - old for value, old, new in zip(WATCHED, before, after, strict=True) if new != old}


def test_defaults_names_and_types_keep_their_counts():
    assert drift(use_up, 200) == {}


@pytest.mark.parametrize("name", OPERATIONS)
def test_no_operation_shifts_a_count(name):
    assert drift(OPERATIONS[name], 60) == {}


def test_values_given_are_released():
    class Value:
        pass

    value = Value()
    before = sys.getrefcount(value)
    order = Order(anything=value)
    order.anything = None
    order.revert_changes()
    order.anything = value
    del order
    gc.collect()
    assert sys.getrefcount(value) == before
    with pytest.raises(ValidationError):
        Order(anything=value, numbers="x", product=5)
    gc.collect()
    assert sys.getrefcount(value) == before


def test_keyword_dictionaries_are_not_kept():
    data: dict[str, Any] = {"product": "a", "numbers": [10**9], "line": {"product": "b"}, "unknown": [1]}
    before = sys.getrefcount(data), sys.getrefcount(data["numbers"]), sys.getrefcount(data["unknown"])
    for _ in range(50):
        Order.model_validate(data)
        Order(**data)
    gc.collect()
    assert (sys.getrefcount(data), sys.getrefcount(data["numbers"]), sys.getrefcount(data["unknown"])) == before
