"""Subclasses: fields added, replaced, and instances of them where the parent is declared."""

import datetime
from typing import Any, ClassVar, Literal

import pytest
from parity import as_pydantic_does, refusal, with_warnings
from pydantic import ConfigDict, Field

import nitro


@as_pydantic_does
def test_fields_are_added_and_replaced(base):
    class Parent(base):
        x: int
        y: int = 0
        kind: str = "parent"

    class Child(Parent):
        z: float = 0.5
        kind: Literal["child"] = "child"

    class Grandchild(Child):
        x: str = "default now"
        y: Any
        w: list[int] = []

    for cls, data in (
        (Parent, {"x": "1"}),
        (Child, {"x": "1", "z": "2"}),
        (Grandchild, {"y": [1]}),
        (Grandchild, {"x": 1}),
    ):
        yield with_warnings(lambda: cls(**data)), with_warnings(cls.model_validate, data), list(cls.model_fields)  # noqa: B023
    yield refusal(Child, x=1, kind="parent"), Child(x=1).model_dump_json(), Grandchild(y=1).model_dump_json()
    child = Child(x=1)
    yield with_warnings(setattr, child, "kind", "parent"), child
    yield isinstance(child, Parent), Parent.model_validate(child) is child


@as_pydantic_does
def test_defaults_are_replaced_without_an_annotation_or_by_one(base):
    class Parent(base):
        name: str = "parent"
        tags: list[str] = Field(default_factory=lambda: ["p"])
        required: int

    class Child(Parent):
        name: str = "child"
        tags: list[str] = ["c"]
        required: int = 3

    class Demanding(Child):
        required: int

    yield Parent(required=1), Child(), refusal(Demanding), Demanding(required=1)
    yield Child().tags is Child().tags, Child(name="x").model_fields_set
    yield with_warnings(lambda: type("Bare", (Parent,), {"name": "bare", "__module__": __name__}))[1]


@as_pydantic_does
def test_settings_are_inherited_and_merged(base):
    class Parent(base):
        model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)
        name: str = ""

    class Child(Parent):
        model_config = ConfigDict(extra="ignore")

    class Keyword(Parent, str_to_lower=True, title="Key"):
        pass

    yield refusal(Parent, other=1), Child(other=1, name=" A "), Keyword(name=" A "), refusal(Keyword, other=1)
    yield Keyword.model_config == {**Parent.model_config, "str_to_lower": True, "title": "Key"}


@as_pydantic_does
def test_subclass_instances_in_fields_of_the_parent(base):
    class Animal(base):
        name: str

        def sound(self) -> str:
            return "?"

    class Dog(Animal):
        breed: str = "mixed"

        def sound(self) -> str:
            return "woof"

    class Owner(base):
        pet: Animal
        pets: list[Animal] = []
        by_name: dict[str, Animal] = {}
        maybe: Animal | None = None

    dog = Dog(name="a")
    owner = Owner(pet=dog, pets=[dog, Animal(name="b")], by_name={"a": dog}, maybe=dog)
    yield owner, owner.pet is dog, owner.pet.sound(), owner.model_dump(), owner.model_dump_json()
    yield owner.model_dump(serialize_as_any=True), Owner.model_validate({"pet": dog}).pet is dog
    owner.pet = Dog(name="c", breed="d")
    owner.pets.append(Dog(name="e"))
    yield owner, owner.model_dump_json(), refusal(Dog.model_validate, Animal(id="1", name="a"))


@as_pydantic_does
def test_methods_class_variables_and_nested_classes(base):
    class Order(base):
        limit: ClassVar[int] = 3
        total: int = 0

        class Line(base):
            x: int

        def add(self, amount: int) -> "Order":
            self.total += amount
            return self

        @classmethod
        def empty(cls) -> "Order":
            return cls()

        @staticmethod
        def zero() -> int:
            return 0

    yield Order().add(3).add(4), Order.empty(), Order.zero(), Order.limit, Order.Line(x="1")


@as_pydantic_does
def test_a_field_without_an_annotation_is_refused(base):
    yield refusal(lambda: type("Odd", (base,), {"x": 5, "__module__": __name__, "__qualname__": "Odd"}))


@as_pydantic_does
def test_super_calls_of_overridden_methods(base):
    class Order(base):
        x: int = 0

        def model_dump(self, **options):
            return {"dumped": super().model_dump(**options)}

        def model_dump_json(self, **options):
            return "json:" + super().model_dump_json(**options)

        @classmethod
        def model_validate(cls, obj, **options):
            return super().model_validate({"x": obj} if isinstance(obj, int) else obj, **options)

        @classmethod
        def model_validate_json(cls, json_data, **options):
            return super().model_validate_json(json_data or "{}", **options)

        def model_copy(self, **options):
            return super().model_copy(**options)

        def __setattr__(self, name, value):
            super().__setattr__(name, value + 1 if name == "x" else value)

        def __delattr__(self, name):
            super().__delattr__(name)

        def __eq__(self, other):
            return super().__eq__(other)

        def __iter__(self):
            yield from super().__iter__()

        def __repr__(self):
            return "<" + super().__repr__() + ">"

        def __copy__(self):
            return super().__copy__()

    class Child(Order):
        y: int = 0

    for cls in (Order, Child):
        made = cls.model_validate(3)
        yield made, repr(made), made.model_dump(), made.model_dump(exclude={"id"}), made.model_dump_json(), list(made)
        made.x = 5
        yield (
            made,
            made.model_copy(),
            made == made.model_copy(),
            cls.model_validate_json(""),
            cls.model_validate({"x": "7"}),
        )
        del made.x
        yield with_warnings(lambda: made.x)  # noqa: B023


@pytest.mark.parametrize("base", [nitro.Model, nitro.Entity])
def test_a_subclass_has_a_plan_of_its_own(base):
    class Parent(base):
        x: int

    class Child(Parent):
        when: datetime.date

    class Slow(Parent):
        def __init__(self, **data: Any) -> None:
            super().__init__(**data)

    class BackAgain(Slow):
        y: int = 0

    assert nitro.explain(Parent).operations["construct"] is None
    assert nitro.explain(Child).operations["construct"] is None
    assert nitro.explain(Slow).operations["construct"] is not None
    assert nitro.explain(BackAgain).operations["construct"] is not None


@as_pydantic_does
def test_diamonds(base):
    class Top(base):
        a: int = 1

    class Left(Top):
        b: int = 2
        a: int = 10

    class Right(Top):
        c: int = 3
        a: int = 20

    class Bottom(Left, Right):
        d: int = 4

    yield (
        Bottom(),
        list(Bottom.model_fields),
        Bottom(a="5", d="6").model_dump_json(),
        [c.__name__ for c in Bottom.__mro__[:4]],
    )
