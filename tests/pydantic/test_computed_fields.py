"""Computed fields, properties and cached properties."""

from functools import cached_property

from parity import as_pydantic_does, refusal, with_warnings
from pydantic import ConfigDict, Field, computed_field


@as_pydantic_does
def test_computed_fields(base):
    class Rectangle(base):
        width: int
        height: int = 1

        @computed_field
        @property
        def area(self) -> int:
            return self.width * self.height

        @computed_field(alias="theEdge", repr=False, title="Edge")
        @cached_property
        def edge(self) -> int:
            return 2 * (self.width + self.height)

        @computed_field(return_type=str)
        def shape(self):
            return "rectangle"

    rectangle = Rectangle(id="1", width="2")
    yield rectangle.area, rectangle.shape, rectangle.model_dump(), rectangle.model_dump_json()
    yield rectangle.model_dump(by_alias=True), rectangle.model_dump_json(by_alias=True)
    yield rectangle.model_dump(exclude={"area"}), rectangle.model_dump(include={"area"})
    yield rectangle.model_dump(exclude_computed_fields=True), rectangle.model_dump(round_trip=True)
    yield rectangle, repr(rectangle), list(Rectangle.model_computed_fields), rectangle.model_fields_set
    rectangle.width = 10
    yield rectangle.area, rectangle.edge, rectangle.model_dump_json()
    yield refusal(setattr, rectangle, "area", 5), refusal(Rectangle, width="x")
    yield Rectangle(id="1", width=1, area=100).area
    yield Rectangle.model_json_schema(mode="serialization")


@as_pydantic_does
def test_computed_fields_with_setters(base):
    class Square(base):
        side: float

        @computed_field
        @property
        def area(self) -> float:
            return self.side**2

        @area.setter
        def area(self, area: float) -> None:
            self.side = area**0.5

        @area.deleter
        def area(self) -> None:
            self.side = 0.0

    square = Square(id="1", side=2.0)
    square.area = 49
    yield square, square.model_dump_json(), square.model_fields_set
    del square.area
    yield square


@as_pydantic_does
def test_computed_fields_are_inherited_and_replaced(base):
    class Parent(base):
        x: int

        @computed_field
        @property
        def y(self) -> int:
            return self.x + 1

    class Child(Parent):
        z: int = 0

        @computed_field
        @property
        def y(self) -> int:
            return self.x + 100

    class Holder(base):
        parent: Parent
        children: list[Child] = []

    yield Parent(id="1", x=1).model_dump(), Child(id="1", x=1).model_dump()
    holder = Holder(id="1", parent=Child(id="2", x=1), children=[Child(id="3", x=1)])
    yield holder.model_dump(), holder.model_dump_json()


@as_pydantic_does
def test_a_computed_field_that_raises(base):
    class Odd(base):
        x: int = 0

        @computed_field
        @property
        def broken(self) -> int:
            raise ZeroDivisionError("no")

    yield refusal(Odd(id="1").model_dump), refusal(Odd(id="1").model_dump_json), Odd(id="1").x


@as_pydantic_does
def test_computed_fields_of_the_wrong_type_are_warned_of(base):
    class Odd(base):
        @computed_field
        @property
        def number(self) -> int:
            return "no int"

    yield with_warnings(Odd(id="1").model_dump), with_warnings(Odd(id="1").model_dump_json)


@as_pydantic_does
def test_cached_properties_live_beside_the_fields(base):
    class Square(base):
        side: int

        @cached_property
        def area(self) -> int:
            calls.append(self.side)
            return self.side**2

    calls: list[int] = []
    square = Square(id="1", side=3)
    yield square.area, square.area, calls
    yield square, square.model_dump(), square.model_dump_json(), square.model_fields_set
    square.side = 4
    yield square.area, square.__dict__
    del square.area
    yield square.area, calls
    yield square == Square(id="1", side=4)
    yield with_warnings(setattr, square, "area", 5), with_warnings(lambda: square.area)


@as_pydantic_does
def test_properties_with_and_without_setters(base):
    class Person(base):
        first: str = "a"
        last: str = "b"

        @property
        def name(self) -> str:
            return f"{self.first} {self.last}"

        @name.setter
        def name(self, name: str) -> None:
            self.first, self.last = name.split()

        @property
        def fixed(self) -> int:
            return 1

    person = Person(id="1")
    person.name = "c d"
    yield person, person.name, person.model_fields_set
    yield (
        refusal(setattr, person, "fixed", 2),
        refusal(setattr, person, "name", "one"),
        refusal(delattr, person, "fixed"),
    )
    yield person.model_dump_json(), Person(id="1", name="x y", fixed=3)


@as_pydantic_does
def test_a_setter_on_a_frozen_class(base):
    class Person(base):
        model_config = ConfigDict(frozen=True)
        first: str = Field(default="a")

        @property
        def name(self) -> str:
            return self.first

        @name.setter
        def name(self, name: str) -> None:
            self.first = name

    yield with_warnings(setattr, Person(id="1"), "name", "b")
