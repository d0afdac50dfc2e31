"""BaseModels that contain Models, and Models that contain BaseModels."""

from typing import Any, Generic, TypeVar

import pytest
from parity import PydanticEntity, as_pydantic_does, described, refusal
from pydantic import BaseModel, ConfigDict, Field, computed_field, field_validator

import nitro

T = TypeVar("T")


@as_pydantic_does
def test_a_base_model_contains_them(base):
    class Line(base):
        product: str
        quantity: int = 1

    class Order(BaseModel):
        lines: list[Line] = []
        first: Line | None = None
        by_name: dict[str, Line] = {}

    order = Order(
        lines=[{"product": "a", "quantity": "2"}, Line(product="b")],
        first={"product": "c"},
        by_name={"d": {"product": "e"}},
    )
    yield order, order.model_dump(), order.model_dump_json(), Order.model_json_schema()
    yield Order.model_validate_json(order.model_dump_json()) == order, refusal(Order, lines=[{"product": 1}])
    yield refusal(Order.model_validate_json, '{"first": {}}'), order.model_copy(deep=True) == order
    order.lines[0].quantity = 9
    yield order.model_dump_json(exclude={"lines": {"__all__": {"product"}}}), order


@as_pydantic_does
def test_they_contain_a_base_model(base):
    class Line(BaseModel):
        product: str
        quantity: int = 1

        @field_validator("product")
        @classmethod
        def tidy(cls, value):
            return value.strip()

        @computed_field
        @property
        def double(self) -> int:
            return self.quantity * 2

    class Order(base):
        name: str = "o"
        lines: list[Line] = []
        first: Line | None = None

    order = Order(lines=[{"product": " a ", "quantity": "2"}, Line(product="b")], first={"product": "c"})
    yield order, order.model_dump(), order.model_dump_json(), Order.model_json_schema(mode="serialization")
    yield Order.model_validate_json('{"lines": [{"product": " x "}]}'), refusal(Order, lines=[{"product": 1}])
    order.lines[0].quantity = 5
    order.first.product = "changed"
    yield order.model_dump_json(), order.model_copy(deep=True) == order


@as_pydantic_does
def test_they_contain_one_another(base):
    class Leaf(base):
        x: int

    class Middle(BaseModel):
        leaf: Leaf
        model_config = ConfigDict(extra="allow")

    class Top(base):
        middle: Middle
        anything: Any = None

    class Box(BaseModel, Generic[T]):
        content: T

    top = Top(middle={"leaf": {"x": "1"}, "more": 2}, anything=Middle(leaf=Leaf(x=5)))
    yield top, top.model_dump(), top.model_dump_json(), refusal(Top, middle={"leaf": {"x": "a"}})
    yield Box[Top](content=top), Box[Top](content=top).model_dump_json(), Box[Leaf](content={"x": "1"})


def test_an_entity_sees_changes_inside_a_base_model():
    class Address(BaseModel):
        city: str
        tags: list[str] = []

    class Person(nitro.Entity):
        address: Address
        others: list[Address] = Field(default_factory=list)

    person = Person(address={"city": "a"}, others=[Address(city="b")])
    person.address.city = "c"
    assert person.changes == {"address": (Address(city="a"), Address(city="c"))}
    person.others[0].tags.append("x")
    assert person.changed_fields == {"address", "others"}
    person.revert_changes()
    assert person.address == Address(city="a")
    assert person.others == [Address(city="b")]
    assert not person.is_changed


@pytest.mark.parametrize(("ours", "theirs"), [(nitro.Model, BaseModel), (nitro.Entity, PydanticEntity)])
def test_equal_bodies_on_both_read_one_anothers_dumps(ours, theirs):
    def define(base: Any) -> Any:
        class Line(base):
            product: str
            tags: set[str] = set()

        class Order(base):
            lines: list[Line] = []

        return Order

    our_class, their_class = define(ours), define(theirs)
    ours_made = our_class(id="1", lines=[{"id": "2", "product": "a", "tags": ["x"]}])
    assert described(their_class.model_validate(ours_made.model_dump())) == described(ours_made)
    assert described(our_class.model_validate_json(their_class(id="1").model_dump_json())) == described(
        our_class(id="1", lines=[])
    )
