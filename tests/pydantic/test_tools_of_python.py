"""What Python itself and its standard library do with instances and classes."""

import copy
import functools
import json
import pprint
import unittest.mock
import warnings
import weakref
from typing import Any, Literal

import pytest
from parity import as_pydantic_does, refusal, with_warnings
from pydantic import BaseModel, RootModel, TypeAdapter, create_model, field_validator

import nitro


@as_pydantic_does
def test_pattern_matching(base):
    class Point(base):
        x: int
        y: int = 0

    class Circle(base):
        center: Point
        radius: float = 1.0

    def name(value: Any) -> str:
        match value:
            case Point(x=0, y=0):
                return "origin"
            case Point(x=x, y=0):
                return f"on the axis at {x}"
            case Circle(center=Point(x=x), radius=radius) if radius > 1:
                return f"large at {x}"
            case Circle():
                return "circle"
        return "nothing"

    yield [
        name(value)
        for value in (
            Point(x=0),
            Point(x=3),
            Point(x=1, y=1),
            Circle(center={"x": 5}, radius=2),
            Circle(center=Point(x=1)),
            5,
        )
    ]
    yield refusal(lambda: [1 for _ in [0] if match_by_position(Point, Point(x=1))])


def match_by_position(cls: Any, value: Any) -> bool:
    match value:
        case cls(_):
            return True
    return False


@as_pydantic_does
def test_mocks(base):
    class Order(base):
        total: int = 0

        def pay(self, amount: int) -> int:
            return amount

    order = Order()
    with unittest.mock.patch.object(Order, "pay", return_value=5) as pay:
        yield order.pay(1), pay.call_count
    yield order.pay(1)
    with unittest.mock.patch.object(Order, "model_dump", return_value="patched"):
        yield order.model_dump()
    with unittest.mock.patch.object(Order, "model_validate", return_value="patched"):
        yield Order.model_validate({})
    with unittest.mock.patch.object(Order, "__init__", return_value=None):
        yield with_warnings(lambda: Order(total=3).total)
    yield order.model_dump(), Order.model_validate({}), Order(total="3")
    yield refusal(lambda: unittest.mock.patch.object(order, "pay").__enter__())
    spec = unittest.mock.create_autospec(Order, instance=True)
    yield isinstance(spec, Order), refusal(spec.pay, 1, 2, 3), hasattr(spec, "nothing")
    yield isinstance(unittest.mock.Mock(spec=Order), Order)


@as_pydantic_does
def test_monkeypatched_attributes(base):
    class Order(base):
        total: int = 0

    order = Order()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Order, "total_of_all", 5, raising=False)
        patch.setattr(order, "total", 7)
        patch.setattr(Order, "model_dump_json", lambda self: "patched")
        yield order.total_of_all, order.total, order.model_dump_json()
    yield order, order.model_dump_json(), hasattr(Order, "total_of_all")


@as_pydantic_does
def test_weak_references_and_partials(base):
    class Order(base):
        total: int = 0

    order = Order()
    reference = weakref.ref(order)
    yield reference() is order, functools.partial(Order, total="5")(), list(map(Order.model_validate, [{"total": 1}]))
    del order
    yield reference() is None


@as_pydantic_does
def test_single_dispatch_and_printing(base):
    class Shape(base):
        name: str = "s"

    class Square(Shape):
        side: int = 1

    @functools.singledispatch
    def area(shape: Any) -> int:
        return 0

    @area.register
    def _(shape: Square) -> int:
        return shape.side

    yield area(Shape()), area(Square(side=3)), pprint.pformat({"a": Square(id="1")}), refusal(json.dumps, Square())
    yield (
        json.dumps(Square(id="1"), default=lambda value: value.model_dump()),
        sorted([Square(side=2), Square(side=1)], key=lambda s: s.side),
    )


@as_pydantic_does
def test_replaced_copies(base):
    class Point(base):
        x: int
        y: int = 0

    point = Point(x=1)
    yield with_warnings(lambda: point.__replace__(y=5)), point
    if hasattr(copy, "replace"):
        yield copy.replace(point, x=3)


@as_pydantic_does
def test_root_models_among_the_bases(base):
    def define() -> Any:
        class Tags(RootModel[list[str]], base):
            pass

        return Tags

    made, warned = with_warnings(define)
    yield made, warned
    if isinstance(made, type) and not base.model_fields:
        yield (
            made(["a"]),
            made(["a"]).model_dump(),
            made(["a"]).model_dump_json(),
            made.model_validate_json('["b"]'),
            refusal(made, [1]),
        )
        tags = made(["a"])
        tags.root = ["c"]
        yield tags, tags.model_copy(), made(root=["d"]), refusal(made)


@as_pydantic_does
def test_where_warnings_point_to(base):
    class Order(base):
        number: int = 1
        old: int = 0

        @field_validator("old")
        @classmethod
        def warn(cls, value):
            warnings.warn("old is old", UserWarning, stacklevel=1)
            return value

    odd = Order.model_construct(number="x")
    for action in (odd.model_dump, odd.model_dump_json, lambda: Order(old=1), lambda: Order.model_validate({"old": 1})):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            action()
        yield [(warning.category, warning.filename.rsplit("/", 1)[-1]) for warning in caught]


@as_pydantic_does
def test_fields_named_like_types_and_literals_of_classes(base):
    def define() -> Any:
        class Order(base):
            str: "str" = "a"
            kind: Literal["a"] = "a"
            list: "list[int]" = []

        return Order

    made, warned = with_warnings(define)
    yield made, warned
    yield create_model("Order", __base__=base, list=(list[int], []), str=(str, "a"), set=(set, {1}), type=(int, 0))(
        list=["1"]
    )


@pytest.mark.parametrize("base", [nitro.Model, nitro.Entity])
def test_slots_of_base_model_are_where_pydantic_has_them(base):
    class Point(base):
        x: int = 0

    point = Point()
    for name in ("__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__"):
        assert hasattr(point, name)
        assert getattr(BaseModel, name).__objclass__ is BaseModel
    assert BaseModel.__dict__["__pydantic_fields_set__"].__get__(point) is not None
    object.__setattr__(point, "__pydantic_fields_set__", {"x"})
    assert point.model_fields_set == {"x"}
    assert TypeAdapter(Point).dump_python(point, exclude_unset=True) == {"x": 0}
