"""A class that derives from a BaseModel subclass and from Model or Entity, in either order."""

from typing import Any

import pytest
from parity import described, refusal, with_warnings
from pydantic import BaseModel, ConfigDict, computed_field, field_validator, model_serializer

import nitro

ORDERS = ["theirs first", "ours first"]


def both(order: str, theirs: type[BaseModel], ours: type[BaseModel]) -> tuple[type[BaseModel], ...]:
    return (theirs, ours) if order == "theirs first" else (ours, theirs)


def compare(order: str, parent: type[BaseModel], questions: Any) -> None:
    """The class on both bases answers as a subclass of the BaseModel subclass alone does."""

    class Plain(BaseModel):
        pass

    def define(base: type[BaseModel]) -> Any:
        class Child(*both(order, parent, base)):
            own: int = 0

        return Child

    expected = [described(answer) for answer in questions(define(Plain))]
    assert [described(answer) for answer in questions(define(nitro.Model))] == expected


@pytest.mark.parametrize("order", ORDERS)
def test_fields_of_both(order):
    class Parent(BaseModel):
        x: int
        tags: list[str] = []

    def questions(cls: Any) -> Any:
        yield cls(x="1"), cls(x=1, own="2", tags=["a"]).model_dump_json(), refusal(cls), refusal(cls, x="a")
        yield cls.model_validate({"x": 1}), cls.model_validate_json('{"x": 1}'), list(cls.model_fields)
        made = cls(x=1)
        made.x = 5
        yield made, made.model_fields_set, made.model_copy(update={"own": 3}), cls(x=1) == cls(x=1)

    compare(order, Parent, questions)


@pytest.mark.parametrize("order", ORDERS)
def test_overridden_methods_are_respected(order):
    calls: list[str] = []

    class Parent(BaseModel):
        x: int = 0

        @classmethod
        def model_validate(cls, obj, **options):
            calls.append("model_validate")
            return super().model_validate({"x": 100} if obj == {} else obj, **options)

        @classmethod
        def model_validate_json(cls, json_data, **options):
            calls.append("model_validate_json")
            return super().model_validate_json(json_data, **options)

        def model_dump(self, **options):
            calls.append("model_dump")
            return {**super().model_dump(**options), "parent": True}

        def model_dump_json(self, **options):
            calls.append("model_dump_json")
            return super().model_dump_json(**options) + " "

        def __setattr__(self, name, value):
            calls.append(f"set {name}")
            super().__setattr__(name, value)

        def __delattr__(self, name):
            calls.append(f"delete {name}")
            super().__delattr__(name)

        def __eq__(self, other):
            calls.append("eq")
            return super().__eq__(other)

        def __repr__(self):
            return "parent's"

        def model_copy(self, **options):
            calls.append("model_copy")
            return super().model_copy(**options)

    def questions(cls: Any) -> Any:
        calls.clear()
        made = cls.model_validate({})
        yield (
            made,
            cls.model_validate_json("{}"),
            made.model_dump(),
            made.model_dump(mode="json"),
            made.model_dump_json(),
        )
        made.x = 5
        made.own = 6
        yield made == cls(x=5, own=6), repr(made), made.model_copy(), calls
        del made.x
        yield calls, with_warnings(lambda: made.x), cls.model_validate({"x": "7"}), cls(x="8"), calls

    compare(order, Parent, questions)


@pytest.mark.parametrize("order", ORDERS)
def test_an_overridden_init_is_respected(order):
    class Parent(BaseModel):
        x: int = 0

        def __init__(self, **data: Any) -> None:
            super().__init__(**{"x": 42, **data})

    def questions(cls: Any) -> Any:
        yield cls(), cls(x="1"), cls.model_validate({}), cls.model_validate_json("{}"), refusal(cls, x="a")

    compare(order, Parent, questions)


@pytest.mark.parametrize("order", ORDERS)
def test_settings_validators_and_serializers_of_the_parent(order):
    class Parent(BaseModel):
        model_config = ConfigDict(extra="allow", validate_assignment=True, str_strip_whitespace=True)
        name: str = ""
        _secret: int = 5

        @field_validator("name")
        @classmethod
        def upper(cls, value):
            return value.upper()

        @computed_field
        @property
        def length(self) -> int:
            return len(self.name)

        @model_serializer(mode="wrap")
        def around(self, handler):
            return {"wrapped": handler(self)}

    def questions(cls: Any) -> Any:
        made = cls(name=" a ", more=1)
        yield made, made.model_dump(), made.model_dump_json(), made._secret
        made.name = " b "
        yield made, with_warnings(setattr, made, "name", 5), made
        made._secret = 6
        yield made, made.model_copy()

    compare(order, Parent, questions)


@pytest.mark.parametrize("order", ORDERS)
def test_a_frozen_parent(order):
    class Parent(BaseModel, frozen=True):
        x: int = 0

    def questions(cls: Any) -> Any:
        made = cls(x="1")
        yield made, refusal(setattr, made, "x", 2), hash(made) == hash(cls(x=1)), refusal(delattr, made, "x")

    compare(order, Parent, questions)


@pytest.mark.parametrize("order", ORDERS)
def test_an_entity_of_a_shared_model(order):
    class Base(BaseModel):
        name: str
        tags: list[str] = []

        def shout(self) -> str:
            return self.name.upper()

    class Person(*both(order, Base, nitro.Entity)):
        age: int = 0

    person = Person(name="a").save()
    assert Person.get(person.id) is person
    person.age = "5"
    person.tags.append("x")
    assert person.changes == {"age": (0, 5), "tags": ([], ["x"])}
    assert person.shout() == "A"
    with pytest.raises(ValueError, match="age"):
        person.age = "old"
    assert set(person.model_dump()) == {"id", "name", "tags", "age"}


@pytest.mark.parametrize("order", ORDERS)
def test_an_entity_of_a_model_that_overrides_assignment(order):
    class Base(BaseModel):
        name: str = ""

        def __setattr__(self, name: str, value: Any) -> None:
            super().__setattr__(name, value.upper() if name == "name" else value)

    class Person(*both(order, Base, nitro.Entity)):
        age: int = 0

    person = Person(name="a")
    person.name = "b"
    person.age = 3
    assert person.name == "B"
    assert person.changes == {"name": ("a", "B"), "age": (0, 3)}
    person.revert_changes()
    assert (person.name, person.age) == ("a", 0)


def test_a_model_becomes_an_entity():
    class Line(nitro.Model):
        product: str

    class StoredLine(Line, nitro.Entity):
        pass

    class Other(nitro.Entity, Line):
        pass

    for cls in (StoredLine, Other):
        line = cls(product="a").save()
        line.product = "b"
        assert line.changes == {"product": ("a", "b")}
        assert cls.get(line.id) is line
