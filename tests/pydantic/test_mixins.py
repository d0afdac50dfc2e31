"""ABC, Generic, Protocol and plain classes mixed in."""

import abc
import enum
from functools import cached_property
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

import pytest
from parity import as_pydantic_does, refusal, with_warnings
from pydantic import computed_field

import nitro

T = TypeVar("T")


@as_pydantic_does
def test_abstract_classes(base):
    class Shape(base, abc.ABC):
        name: str = "shape"

        @abc.abstractmethod
        def area(self) -> float: ...

        @property
        @abc.abstractmethod
        def edges(self) -> int: ...

    class Half(Shape):
        def area(self) -> float:
            return 1.0

    class Square(Half):
        side: float

        def area(self) -> float:
            return self.side**2

        @property
        def edges(self) -> int:
            return 4

    for cls in (Shape, Half):
        yield refusal(cls), refusal(cls, name="a"), refusal(cls, name=1), refusal(cls.__new__, cls)
        yield with_warnings(cls.model_validate, {}), with_warnings(cls.model_validate_json, "{}")
        yield with_warnings(cls.model_construct), with_warnings(cls.model_validate, {"name": 1})
    yield (
        Square(side="2"),
        Square(side=2).area(),
        Square(side=2).edges,
        Square.model_validate_json('{"side": 3}').area(),
    )
    yield isinstance(Square(side=1), Shape), issubclass(Square, abc.ABC), refusal(Square, side="a")

    class Holder(base):
        shape: Shape

    yield Holder(shape=Square(side=1)), with_warnings(lambda: Holder(shape={"name": "a"}))


@as_pydantic_does
def test_an_abstract_class_that_is_completed_late(base):
    class Shape(base, abc.ABC):
        x: int = 0

        @abc.abstractmethod
        def area(self) -> float: ...

    yield refusal(Shape)
    Shape.area = lambda self: 1.0
    abc.update_abstractmethods(Shape)
    yield Shape(x="3"), Shape.model_validate({}), Shape.model_validate_json("{}").area()


@as_pydantic_does
def test_virtual_subclasses(base):
    class Named(abc.ABC):  # noqa: B024
        pass

    class Order(base):
        name: str = "a"

    Named.register(Order)
    yield isinstance(Order(), Named), issubclass(Order, Named)

    @runtime_checkable
    class HasName(Protocol):
        name: str

    yield isinstance(Order(), HasName), refusal(lambda: type("Both", (base, HasName), {"__module__": __name__}))


class Greeting:
    """A plain mix-in."""

    greeting = "hello"
    seen: list[str] = []

    def greet(self) -> str:
        return f"{self.greeting} {self.name}"

    @property
    def loud(self) -> str:
        return self.name.upper()

    @loud.setter
    def loud(self, name: str) -> None:
        self.name = name.lower()

    @cached_property
    def length(self) -> int:
        return len(self.name)


class Slotted:
    __slots__ = ()

    def doubled(self) -> str:
        return self.name * 2


class WithSlots:
    __slots__ = ("hidden",)


@as_pydantic_does
def test_plain_mixins(base):
    for bases in ((Greeting, base), (base, Greeting), (Slotted, base), (base, Slotted), (Greeting, Slotted, base)):

        class Person(*bases):
            name: str
            age: int = 0

        person = Person(name="Ab", age="3")
        yield person, person.model_dump(), person.model_dump_json(), list(Person.model_fields)
        if Greeting in bases:
            yield person.greet(), person.loud, person.length, person.__dict__
            person.loud = "CD"
            yield person, person.length, person.model_fields_set
            yield with_warnings(setattr, person, "greeting", "x")
        if Slotted in bases:
            yield person.doubled()
        yield Person.model_validate_json('{"name": "x"}'), refusal(Person, name=1)


@as_pydantic_does
def test_slots(base):
    class Point(base):
        __slots__ = ("note",)
        x: int = 0

    point = Point(x="1")
    yield refusal(lambda: type("Mixed", (base, WithSlots), {"__module__": __name__}))
    yield with_warnings(setattr, point, "note", 5), with_warnings(lambda: point.note), point, point.model_dump_json()
    object.__setattr__(point, "note", 1)
    yield point.note, point.model_copy().x, with_warnings(lambda: point.model_copy().note)
    point.x = 5
    yield point, Point.model_validate({"x": 3}), vars(point)


@as_pydantic_does
def test_mixins_with_annotations_give_no_fields(base):
    class Plain:
        plain: int = 3

    class Child(base, Plain):
        x: int = 0

    def shadow() -> Any:
        class Shadowing(base, Plain):
            plain: str = "own"

        return Shadowing

    yield Child(x=1), Child(x=1).plain, list(Child.model_fields), with_warnings(setattr, Child(x=1), "plain", 5)
    shadowing, warned = with_warnings(shadow)
    yield shadowing(), shadowing(plain="b").plain, list(shadowing.model_fields), warned


@as_pydantic_does
def test_mixins_that_are_generic_and_abstract(base):
    class Store(abc.ABC, Generic[T]):
        @abc.abstractmethod
        def items(self) -> list[T]: ...

    class Memory(base, Store[int]):
        values: list[int] = []

        def items(self) -> list[int]:
            return self.values

        @computed_field
        @property
        def size(self) -> int:
            return len(self.values)

    class Typed(base, Store[T], Generic[T]):
        values: list[T] = []

        def items(self) -> list[T]:
            return self.values

    yield Memory(values=["1"]).items(), Memory(values=[1]).model_dump_json(), Typed[int](values=["1"]).items()


@as_pydantic_does
def test_mixins_of_builtin_kinds(base):
    for kind in (dict, list, int, enum.Enum):
        yield refusal(lambda: type("Odd", (base, kind), {"__module__": __name__}))  # noqa: B023


@as_pydantic_does
def test_operators_defined_by_the_class(base):
    class Money(base):
        amount: int

        def __add__(self, other):
            return type(self)(amount=self.amount + other.amount)

        def __lt__(self, other):
            return self.amount < other.amount

        def __bool__(self):
            return self.amount != 0

        def __len__(self):
            return self.amount

        def __getitem__(self, key):
            return getattr(self, key)

        def __contains__(self, item):
            return item == self.amount

        def __call__(self, more):
            return self.amount + more

        def __enter__(self):
            return self

        def __exit__(self, *details):
            self.amount = 0

        def __int__(self):
            return self.amount

        def __iter__(self):
            return iter([self.amount])

    one, two = Money(amount=1), Money(amount="2")
    yield (
        one + two,
        sorted([two, one]),
        bool(Money(amount=0)),
        len(two),
        one["amount"],
        2 in two,
        two(3),
        int(one),
        list(one),
    )
    with two as entered:
        yield entered
    yield two, one.model_dump(), one.model_dump_json(), dict(Money(amount=3).__dict__)


@pytest.mark.parametrize("base", [nitro.Model, nitro.Entity])
def test_an_abstract_class_is_refused_though_its_plan_is_fast(base):
    class Shape(base, abc.ABC):
        x: int = 0

        @abc.abstractmethod
        def area(self) -> Any: ...

    with pytest.raises(TypeError, match="abstract"):
        Shape(x=1)
