"""create_model, with and without a base."""

from typing import Annotated, Any, Generic, TypeVar

import pytest
from parity import as_pydantic_does, refusal, with_warnings
from pydantic import ConfigDict, Field, create_model, field_validator

import nitro

T = TypeVar("T")


@as_pydantic_does
def test_create_model_on_a_base(base):
    Point = create_model("Point", __base__=base, x=(int, ...), y=(int, 5), z=(Annotated[str, Field(min_length=1)], "z"))
    yield Point(x="1"), Point(x=1).model_dump_json(), refusal(Point, z=""), list(Point.model_fields), Point.__module__
    point = Point(x=1)
    point.y = 7
    yield point, point.model_fields_set, Point.model_json_schema()
    Child = create_model("Child", __base__=Point, __doc__="A child.", more=(list[Point], []))
    yield Child(x=1, more=[{"x": "2"}]), Child.__doc__, Child.model_json_schema()


@as_pydantic_does
def test_create_model_with_validators_and_keywords(base):
    def tidy(cls: Any, value: str) -> str:
        return value.strip()

    def grown(self: Any) -> int:
        return self.x + 1

    Order = create_model(
        "Order",
        __base__=base,
        __validators__={"tidy": field_validator("name")(tidy)},
        __cls_kwargs__={"title": "An order", "extra": "forbid"},
        name=(str, ...),
        x=int,
    )
    yield Order(name=" a ", x="1"), refusal(Order, name="a", x=1, y=2), Order.model_config["title"]


@as_pydantic_does
def test_create_model_on_several_bases(base):
    class Left(base):
        a: int = 1

    class Mixin:
        def shout(self) -> str:
            return "!"

    class Box(base, Generic[T]):
        content: T

    Both = create_model("Both", __base__=(Left, Mixin), b=(int, 2))
    yield Both(a="3").shout(), Both(), create_model("IntBox", __base__=Box[int], n=(int, 0))(content="1")
    yield create_model("Open", __base__=Left, __cls_kwargs__={"extra": "allow"})(z=1)


@as_pydantic_does
def test_many_models_are_created(base):
    for number in range(20):
        made = create_model(f"Model{number}", __base__=base, **{f"f{index}": (int, index) for index in range(number)})
        yield made(), made().model_dump_json(), with_warnings(made.model_validate, {"f0": "x"})


def test_create_model_makes_entities():
    Order = create_model(
        "Order",
        __base__=nitro.Entity,
        __cls_kwargs__={"backend": nitro.MemoryRepo()},
        name=(str, ...),
        tags=(list[str], []),
    )
    order = Order(name="a").save()
    assert Order.get(order.id) is order
    order.tags.append("x")
    assert order.changes == {"tags": ([], ["x"])}


@pytest.mark.parametrize("base", [nitro.Model, nitro.Entity])
def test_a_created_class_takes_the_fast_lane(base):
    Point = create_model("Point", __base__=base, x=(int, ...), y=(list[str], []))
    assert nitro.explain(Point).operations["construct"] is None
    assert ConfigDict(**Point.model_config) == base.model_config
