"""repr, str and what pretty printers read."""

import datetime
import enum
from decimal import Decimal
from functools import cached_property
from typing import Any

from parity import as_pydantic_does, refusal
from pydantic import ConfigDict, Field, SecretStr, computed_field


class Colour(enum.Enum):
    RED = "red"


@as_pydantic_does
def test_every_kind_of_value(base):
    class Everything(base):
        text: str = "it's"
        number: float = 1e100
        when: datetime.datetime = datetime.datetime(2024, 1, 2, tzinfo=datetime.UTC)
        price: Decimal = Decimal("1.50")
        colour: Colour = Colour.RED
        secret: SecretStr = SecretStr("word")
        items: list[int] = [1]
        nothing: None = None
        other: Any = Ellipsis, 1

    everything = Everything()
    yield repr(everything), str(everything), f"{everything}", f"{everything!r:>400}"
    yield refusal(format, everything, "x")
    yield list(everything.__repr_args__()), everything.__repr_name__(), everything.__repr_str__("|")
    yield list(everything), dict(everything)
    yield "".join(str(part) for part in everything.__pretty__(repr))
    yield list(everything.__rich_repr__())


@as_pydantic_does
def test_nested_and_recursive_values(base):
    class Node(base):
        name: str
        children: list["Node"] = []
        parent: Any = None

    root = Node(id="1", name="root", children=[Node(id="2", name="leaf")])
    yield repr(root), str(root)
    root.parent = root
    root.children.append(root)
    yield repr(root)
    yield str(root)


@as_pydantic_does
def test_hidden_computed_extra_and_private_fields(base):
    class Order(base):
        model_config = ConfigDict(extra="allow")
        shown: int = 1
        hidden: int = Field(default=2, repr=False)
        _private: int = 3

        @computed_field
        @property
        def double(self) -> int:
            return self.shown * 2

        @computed_field(repr=False)
        @property
        def triple(self) -> int:
            return self.shown * 3

        @cached_property
        def cached(self) -> int:
            return 5

    order = Order(other="x")
    yield repr(order), str(order)
    yield order.cached, repr(order), list(order)


@as_pydantic_does
def test_own_representations_are_used(base):
    class Named(base):
        name: str

        def __repr__(self):
            return f"<{self.name}>"

        def __str__(self):
            return self.name

    class Argued(base):
        name: str

        def __repr_args__(self):
            yield "called", self.name

    class Holder(base):
        named: Named
        argued: Argued

    holder = Holder(id="1", named=Named(name="a"), argued=Argued(name="b"))
    yield repr(holder), str(holder), str(holder.named), repr(holder.named), repr(holder.argued)


@as_pydantic_does
def test_an_instance_that_lacks_values(base):
    class Point(base):
        x: int
        y: int = 0

    yield repr(Point.model_construct()), str(Point.model_construct(y=1))
    point = Point(id="1", x=1)
    del point.x
    yield repr(point), list(point)
    yield repr(Point.model_construct(x=1, z=5))
