"""Methods replaced after the class was made."""

from typing import Any

import pytest
from parity import as_pydantic_does, refusal, with_warnings
from pydantic import BaseModel

import nitro


@as_pydantic_does
def test_an_init_given_later(base):
    class Point(base):
        x: int
        y: int = 0

    calls: list[Any] = []
    original = Point.__init__

    def noted(self: Any, **data: Any) -> None:
        calls.append(sorted(data))
        original(self, **data)

    yield Point(x="1"), calls
    Point.__init__ = noted
    yield Point(x="2"), Point(x=3), calls, refusal(Point, x="a"), calls
    yield Point.model_validate({"x": 1}), Point.model_validate_json('{"x": 1}'), calls
    Point.__init__ = lambda self, **data: original(self, x=42)
    yield Point(x=1), Point()
    del Point.__init__
    yield Point(x=5), refusal(Point), Point.__init__ is base.__init__, calls


@as_pydantic_does
def test_an_init_given_later_to_a_parent(base):
    class Parent(base):
        x: int = 0

    class Child(Parent):
        y: int = 0

    class Own(Parent):
        def __init__(self, **data: Any) -> None:
            super().__init__(**data)

    calls: list[str] = []
    original = Parent.__init__

    def noted(self: Any, **data: Any) -> None:
        calls.append(type(self).__name__)
        original(self, **data)

    Parent.__init__ = noted
    yield Parent(), Child(x="1"), Own(), calls
    del Parent.__init__
    yield Parent(), Child(x="1"), Own(), calls


@as_pydantic_does
def test_a_new_given_later(base):
    class Point(base):
        x: int = 0

    calls: list[str] = []

    def new(cls: Any, **data: Any) -> Any:
        calls.append(cls.__name__)
        return object.__new__(cls)

    Point.__new__ = new
    yield Point(x="1"), calls, Point.model_validate({"x": 1}), calls


@as_pydantic_does
def test_methods_of_the_class_replaced(base):
    class Order(base):
        x: int = 0

    order = Order()
    originals = {name: getattr(Order, name) for name in ("model_dump", "model_dump_json")}
    Order.model_dump = lambda self, **options: "dumped"
    Order.model_dump_json = lambda self, **options: "json"
    Order.model_validate = classmethod(lambda cls, obj, **options: "validated")
    Order.model_validate_json = classmethod(lambda cls, text, **options: "read")
    Order.__repr__ = lambda self: "shown"
    Order.__eq__ = lambda self, other: True
    yield (
        order.model_dump(),
        order.model_dump_json(),
        Order.model_validate({}),
        Order.model_validate_json("{}"),
        repr(order),
    )
    yield order == 5, originals["model_dump"](order), originals["model_dump_json"](order)
    for name in ("model_dump", "model_dump_json", "model_validate", "model_validate_json", "__repr__", "__eq__"):
        delattr(Order, name)
    yield (
        order.model_dump(),
        order.model_dump_json(),
        Order.model_validate({}),
        Order.model_validate_json("{}"),
        repr(order),
    )


@as_pydantic_does
def test_attributes_given_to_an_instance(base):
    class Order(base):
        x: int = 0

    order = Order()
    order.__dict__["model_dump"] = lambda: "own"
    yield order.model_dump(), order.x
    object.__setattr__(order, "model_copy", lambda: "copied")
    yield order.model_copy()


@as_pydantic_does
def test_validator_and_serializer_replaced(base):
    class Strict(base):
        x: int

    class Loose(base):
        x: Any

    Strict.__pydantic_validator__ = Loose.__pydantic_validator__
    yield with_warnings(lambda: Strict(x="anything")), with_warnings(lambda: Strict(x=1))
    yield with_warnings(Strict.model_validate, {"x": [1]}), with_warnings(Strict.model_validate, {"x": 1})
    Loose.__pydantic_serializer__ = Strict.__pydantic_serializer__
    yield with_warnings(Loose(x="text").model_dump_json)


@as_pydantic_does
def test_a_property_given_later(base):
    class Order(base):
        x: int = 1

    order = Order()
    Order.double = property(lambda self: self.x * 2)
    yield order.double, refusal(setattr, order, "double", 1)
    Order.half = property(lambda self: self.x / 2, lambda self, value: setattr(self, "x", value * 2))
    order.half = 5
    yield order, order.half


@as_pydantic_does
def test_a_property_given_later_in_the_place_of_a_field(base):
    class Order(base):
        x: int = 1

    order = Order()
    Order.x = property(lambda self: "hidden")
    yield order.x, order.__dict__, order.model_dump_json(), with_warnings(setattr, order, "x", 9), order.__dict__


@as_pydantic_does
def test_the_class_of_an_instance_replaced(base):
    class Before(base):
        x: int
        y: str = "y"

    class After(base):
        y: str
        x: int = 3
        z: int = 9

    made = Before(x=1)
    made.__class__ = After
    yield (
        made,
        made.x,
        made.y,
        with_warnings(lambda: made.z),
        with_warnings(made.model_dump),
        with_warnings(made.model_dump_json),
    )
    made.z = 4
    yield made, made.model_dump(), made.model_fields_set
    made.__class__ = Before
    yield made, with_warnings(made.model_dump_json), made == Before(x=1)


@pytest.mark.parametrize("base", [nitro.Model, nitro.Entity])
def test_a_replaced_init_takes_the_class_off_the_fast_lane(base):
    class Point(base):
        x: int = 0

    Point.__init__ = lambda self, **data: BaseModel.__init__(self, **data)
    assert "__init__" in nitro.explain(Point).operations["construct"]


def test_an_entity_with_replaced_class_has_safe_changes():
    class Before(nitro.Entity):
        tags: list[str] = []

    class After(nitro.Entity):
        x: int = 1
        y: int = 2
        tags: list[str] = []
        more: list[str] = []

    entity = Before(tags=["a"])
    entity.tags.append("b")
    entity.__class__ = After
    assert isinstance(entity.changes, dict)
    entity.tags = ["c"]
    entity.x = 5
    assert isinstance(entity.changes, dict)
    assert entity.model_dump(exclude={"id"}, warnings=False) == {"tags": ["c"], "x": 5}
    entity.revert_changes()
