"""Instances from the attributes of other objects."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from parity import as_pydantic_does, refusal, with_warnings
from pydantic import AliasPath, ConfigDict, Field


@dataclass
class Row:
    id: str = "1"
    x: Any = "3"
    lines: list[Any] = field(default_factory=list)


class Slotted:
    __slots__ = ("id", "x")

    def __init__(self, x: Any) -> None:
        self.id, self.x = "1", x


class Lively:
    id = "1"

    @property
    def x(self) -> int:
        raise ValueError("not now")


@as_pydantic_does
def test_reading_attributes(base):
    class Line(base):
        model_config = ConfigDict(from_attributes=True)
        product: str

    class Order(base):
        model_config = ConfigDict(from_attributes=True)
        x: int
        y: int = 0
        lines: list[Line] = []

    for row in (Row(), Row(lines=[SimpleNamespace(id="2", product="a")]), SimpleNamespace(x=1, y=2, z=3), Slotted("5"), Row(x="a"),
                Row(lines=[1]), {"x": 1}, 5, None, Order.model_construct(x="bad")):  # fmt: skip
        yield with_warnings(Order.model_validate, row)
        yield with_warnings(Order.model_validate, row, from_attributes=True)
        yield with_warnings(Order.model_validate, row, from_attributes=False)
    yield refusal(Order.model_validate, Lively()), refusal(Order, Row())


@as_pydantic_does
def test_reading_attributes_only_when_asked(base):
    class Order(base):
        x: int

    class Holder(base):
        order: Order

    yield refusal(Order.model_validate, Row()), Order.model_validate(Row(), from_attributes=True)
    yield (
        refusal(Holder.model_validate, {"order": Row()}),
        Holder.model_validate({"order": Row()}, from_attributes=True),
    )
    yield Holder.model_validate(SimpleNamespace(order=Row()), from_attributes=True)


@as_pydantic_does
def test_aliases_name_the_attributes(base):
    class Order(base):
        model_config = ConfigDict(from_attributes=True)
        x: int = Field(alias="value")
        y: int = Field(default=0, validation_alias=AliasPath("inner", "deep"))

    yield (
        Order.model_validate(SimpleNamespace(value="1", inner={"deep": 5})),
        refusal(Order.model_validate, SimpleNamespace(x=1)),
    )


@as_pydantic_does
def test_from_another_model(base):
    class Source(base):
        x: int
        note: str = "n"

    class Target(base):
        model_config = ConfigDict(from_attributes=True, extra="forbid")
        x: int

    class Cousin(base):
        x: int

    yield Target.model_validate(Source(id="1", x=1)), refusal(Cousin.model_validate, Source(id="1", x=1))
    yield (
        Target.model_validate(Target(x=1)),
        with_warnings(Cousin.model_validate, Source(id="1", x=1), from_attributes=True),
    )
