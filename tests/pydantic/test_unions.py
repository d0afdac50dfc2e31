"""Unions: smart, left to right, discriminated."""

import datetime
import enum
from typing import Annotated, Any, Literal

from parity import as_pydantic_does, refusal
from pydantic import Discriminator, Field, Tag, TypeAdapter


class Kind(enum.StrEnum):
    CAT = "cat"
    DOG = "dog"


def pets(base: Any) -> Any:
    class Cat(base):
        kind: Literal["cat"]
        lives: int = 9

    class Dog(base):
        kind: Literal["dog", "hound"] = "dog"
        barks: bool = True

    return Cat, Dog


@as_pydantic_does
def test_discriminated_unions(base):
    Cat, Dog = pets(base)

    class Owner(base):
        pet: Cat | Dog = Field(discriminator="kind")
        pets: list[Annotated[Cat | Dog, Field(discriminator="kind")]] = []
        maybe: Annotated[Cat | Dog, Field(discriminator="kind")] | None = None

    owner = Owner(
        id="1", pet={"id": "2", "kind": "cat"}, pets=[Dog(id="3"), {"id": "4", "kind": "hound", "barks": "no"}]
    )
    yield owner, owner.model_dump(), owner.model_dump_json()
    yield Owner(id="1", pet=Cat(id="2", kind="cat"))
    yield refusal(Owner, pet={"kind": "fish"}), refusal(Owner, pet={}), refusal(Owner, pet=1)
    yield refusal(Owner, pet={"kind": "cat", "lives": "x"})
    yield Owner.model_validate_json('{"id": "1", "pet": {"id": "2", "kind": "dog"}}')
    yield refusal(Owner.model_validate_json, '{"pet": {"kind": "fish"}}')
    owner.pet = Dog(id="5")
    yield owner
    yield Owner.model_json_schema()


@as_pydantic_does
def test_nested_and_callable_discriminators(base):
    Cat, Dog = pets(base)

    class Rock(base):
        kind: Literal["rock"] = "rock"

    Animal = Annotated[Cat | Dog, Field(discriminator="kind")]

    def tag_of(value: Any) -> str:
        if isinstance(value, dict):
            return "rock" if "kind" not in value else "animal"
        return "rock" if isinstance(value, Rock) else "animal"

    class Thing(base):
        nested: Annotated[Animal | Rock, Field(discriminator="kind")]
        called: Annotated[Annotated[Cat, Tag("animal")] | Annotated[Rock, Tag("rock")], Discriminator(tag_of)] = None

    thing = Thing(id="1", nested={"id": "2", "kind": "dog"}, called={"id": "3"})
    yield thing, thing.model_dump_json()
    yield Thing(id="1", nested=Rock(id="2"), called=Cat(id="3", kind="cat"))
    yield refusal(Thing, nested={"kind": "x"}), refusal(Thing, nested={"kind": "rock"}, called={"kind": "dog"})


@as_pydantic_does
def test_enum_discriminators_and_aliases(base):
    class Cat(base):
        kind: Literal[Kind.CAT] = Field(alias="type")

    class Dog(base):
        kind: Literal[Kind.DOG] = Field(alias="type")

    adapter = TypeAdapter(Annotated[Cat | Dog, Field(discriminator="kind")])
    yield adapter.validate_python({"id": "1", "type": Kind.CAT}), refusal(adapter.validate_python, {"type": "fish"})
    yield adapter.validate_json('{"id": "1", "type": "cat"}'), refusal(adapter.validate_json, '{"type": "fish"}')
    yield adapter.dump_json(Dog(id="1", type=Kind.DOG), by_alias=True)


@as_pydantic_does
def test_smart_unions_of_models(base):
    class Small(base):
        x: int

    class Large(base):
        x: int
        y: int = 0

    class Other(base):
        z: str

    class Holder(base):
        value: Small | Large | Other | None = None
        values: list[Small | Large] = []

    for given in (
        {"id": "2", "x": 1},
        {"id": "2", "x": 1, "y": 2},
        {"id": "2", "z": "a"},
        Small(id="2", x=1),
        Large(id="2", x=1),
        None,
    ):
        holder = Holder(id="1", value=given)
        yield holder, holder.model_dump_json(), type(holder.value).__name__
        yield Holder.model_validate_json(holder.model_dump_json())
    yield refusal(Holder, value={}), refusal(Holder, value=5)
    yield Holder(id="1", values=[{"id": "2", "x": 1, "y": 1}, Small(id="3", x=1)])


@as_pydantic_does
def test_a_union_of_a_class_and_its_subclass(base):
    class Animal(base):
        name: str

    class Dog(Animal):
        breed: str = "mixed"

    class Holder(base):
        either: Animal | Dog
        turned: Dog | Animal

    for given in (
        {"id": "2", "name": "a"},
        {"id": "2", "name": "a", "breed": "b"},
        Dog(id="2", name="a"),
        Animal(id="2", name="a"),
    ):
        holder = Holder(id="1", either=given, turned=given)
        yield holder, holder.model_dump(), holder.model_dump_json()


@as_pydantic_does
def test_smart_unions_of_plain_values(base):
    class Holder(base):
        number: int | float | None = None
        text: int | str | None = None
        flag: bool | int | str | None = None
        when: datetime.datetime | datetime.date | str | None = None
        many: list[int] | dict[str, int] | set[str] | None = None
        kind: Literal["a"] | int | None = None

    for name, values in {
        "number": [1, 1.0, True, "1", "1.5", 10**400, float("nan")],
        "text": [1, "1", "a", 1.0, True],
        "flag": [True, 1, "yes", "true", 2],
        "when": ["2024-01-02", "2024-01-02T00:00:00", datetime.date(2024, 1, 2), datetime.datetime(2024, 1, 2), "x"],
        "many": [[1], ["1"], {"a": 1}, {"a"}, ("1",), []],
        "kind": ["a", 1, "1"],
    }.items():
        for value in values:
            holder = Holder(**{"id": "1", name: value})
            yield holder, holder.model_dump_json()
    yield refusal(Holder, number="x"), refusal(Holder, many=5), refusal(Holder, kind="b")


@as_pydantic_does
def test_left_to_right_unions(base):
    class Holder(base):
        value: int | str = Field(union_mode="left_to_right")
        turned: str | int = Field(default="a", union_mode="left_to_right")

    yield Holder(id="1", value="1"), Holder(id="1", value="a"), Holder(id="1", value=1, turned=1)
    yield refusal(Holder, value=[])
    yield Holder(id="1", value="1").model_dump_json()
