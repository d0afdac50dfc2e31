"""Serializers of fields and of the whole model."""

import datetime
from typing import Any

from parity import as_pydantic_does, refusal, with_warnings
from pydantic import (
    ConfigDict,
    FieldSerializationInfo,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    field_serializer,
    model_serializer,
)

import nitro


@as_pydantic_does
def test_field_serializers(base):
    class Order(base):
        when: datetime.datetime = datetime.datetime(2024, 1, 2)
        wrapped: list[int] = [1]
        json_only: int = 3
        informed: str = "a"
        plain: int = 1

        @field_serializer("when")
        def year(self, when: datetime.datetime) -> int:
            return when.year

        @field_serializer("wrapped", mode="wrap")
        def around(self, value: Any, handler: SerializerFunctionWrapHandler) -> Any:
            return {"wrapped": handler(value)}

        @field_serializer("json_only", when_used="json")
        def texted(self, value: int) -> str:
            return f"<{value}>"

        @field_serializer("informed")
        def tell(self, value: str, info: FieldSerializationInfo) -> str:
            return f"{value} {info.field_name} {info.mode} {info.context} {info.exclude_unset}"

    order = Order()
    yield order.model_dump(), order.model_dump_json(), order.model_dump(mode="json"), nitro.encode(order)
    yield order.model_dump(context={"a": 1}, exclude_unset=True), order.model_dump(include={"informed"}, context=1)
    order.wrapped.append(2)
    yield order.model_dump_json(), order

    class Child(Order):
        more: int = 1

        @field_serializer("plain", "more")
        def both(self, value: int) -> int:
            return value + 100

    yield Child().model_dump(), Child().model_dump_json()


@as_pydantic_does
def test_a_plain_model_serializer(base):
    class Money(base):
        amount: int
        currency: str = "NOK"

        @model_serializer
        def text(self) -> str:
            return f"{self.amount} {self.currency}"

    class Order(base):
        price: Money
        prices: list[Money] = []

    yield Money(amount=1).model_dump(), Money(amount=1).model_dump_json(), nitro.encode([Money(amount=1)])
    order = Order(price={"amount": 1}, prices=[Money(amount=2)])
    yield order.model_dump(), order.model_dump_json(), order, nitro.encode(order)
    yield Order.model_json_schema(mode="serialization")


@as_pydantic_does
def test_a_wrapping_model_serializer(base):
    class Order(base):
        x: int = 1
        hidden: int = 2

        @model_serializer(mode="wrap")
        def around(self, handler: SerializerFunctionWrapHandler, info: SerializationInfo) -> dict[str, Any]:
            dumped = handler(self)
            dumped.pop("hidden", None)
            return {**dumped, "mode": info.mode, "by_alias": info.by_alias}

    class Child(Order):
        y: int = 3

    for made in (Order(x="5"), Child()):
        yield made.model_dump(), made.model_dump_json(), made.model_dump(by_alias=True), made.model_dump(exclude={"x"})

    class Holder(base):
        order: Order = Order(id="1")
        any_order: Any = Child(id="2")

    yield Holder().model_dump(), Holder().model_dump_json()


@as_pydantic_does
def test_serializers_that_fail(base):
    class Order(base):
        x: int = 1
        y: int = 2

        @field_serializer("x")
        def broken(self, value: int) -> int:
            raise ZeroDivisionError("no")

    class Typed(base):
        x: int = 1

        @field_serializer("x")
        def wrong(self, value: int) -> int:
            return "no int"

    yield refusal(Order().model_dump), refusal(Order().model_dump_json), refusal(nitro.encode, Order())
    yield with_warnings(Typed().model_dump), with_warnings(Typed().model_dump_json), Order().model_dump(exclude={"x"})


@as_pydantic_does
def test_polymorphic_serialization(base):
    class Animal(base):
        name: str = "a"

    class Dog(Animal):
        breed: str = "b"

    class Owner(base):
        pet: Animal

    class Free(base):
        model_config = ConfigDict(polymorphic_serialization=True)
        pet: Animal = Dog(id="1")

    owner = Owner(pet=Dog())
    yield (
        owner.model_dump(),
        owner.model_dump(polymorphic_serialization=True),
        owner.model_dump_json(polymorphic_serialization=True),
    )
    yield Free().model_dump(), Free().model_dump_json(), nitro.encode(Free())


@as_pydantic_does
def test_values_of_the_wrong_type_are_warned_of(base):
    class Line(base):
        quantity: int = 1

    class Order(base):
        number: int = 1
        text: str = "a"
        lines: list[Line] = []
        by_name: dict[str, Line] = {}
        line: Line | None = None
        either: int | str = 1
        when: datetime.date | None = None

    for wrong in (
        {"number": "text"}, {"number": 1.5}, {"number": True}, {"number": None}, {"text": b"bytes"}, {"text": 5}, {"lines": [1]},
        {"lines": ({"quantity": 1},)}, {"lines": [Line.model_construct(quantity="x")]}, {"by_name": {1: Line()}}, {"line": {"quantity": 1}},
        {"either": 1.5}, {"when": "2024"}, {"lines": None}, {"line": Order}, {"text": "\ud800"}, {"number": 10**30},
    ):  # fmt: skip
        order = Order.model_construct(**wrong)
        for options in ({}, {"warnings": False}, {"warnings": "error"}, {"mode": "json"}):
            yield with_warnings(order.model_dump, **options)
        yield with_warnings(order.model_dump_json), with_warnings(order.model_dump_json, warnings="none")
        yield with_warnings(nitro.encode, order), with_warnings(nitro.encode, [order])


@as_pydantic_does
def test_own_warnings_filters_hold(base):
    import warnings

    class Order(base):
        number: int = 1

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield refusal(Order.model_construct(number="x").model_dump)
        yield refusal(Order.model_construct(number="x").model_dump_json)
