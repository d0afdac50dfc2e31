"""Generic classes, before and after they get their types."""

from collections.abc import Mapping
from typing import Any, ClassVar, Generic, TypeVar, get_args

import pytest
from parity import as_pydantic_does, refusal
from pydantic import BaseModel, Field, SerializeAsAny, ValidationError, model_validator

import nitro

T = TypeVar("T")
U = TypeVar("U")
Number = TypeVar("Number", int, float)
Bounded = TypeVar("Bounded", bound=BaseModel)
Defaulted = TypeVar("Defaulted")


@as_pydantic_does
def test_before_and_after(base):
    class Box(base, Generic[T]):
        content: T
        others: list[T] = []

    yield Box(id="1", content="3"), Box[int](id="1", content="3"), Box[str](id="1", content="3")
    yield Box(id="1", content=[1]).model_dump_json(), Box[int](id="1", content=3).model_dump_json()
    yield refusal(Box[int], content="a"), refusal(Box[str], content=1), refusal(Box)
    yield Box[int] is Box[int], Box[int] is Box[str], issubclass(Box[int], Box), Box[int].__name__
    yield Box[int](id="1", content=1) == Box(id="1", content=1), isinstance(Box[int](content=1), Box)
    yield Box[int].model_validate({"id": "1", "content": 3, "others": ["4"]})
    yield Box[int].model_validate_json('{"id": "1", "content": 3, "others": [4]}')
    yield Box[int].__pydantic_generic_metadata__["args"], Box.__pydantic_generic_metadata__["parameters"] == (T,)
    yield repr(Box[list[int]]), Box[T] is Box


@as_pydantic_does
def test_assignment_follows_the_types_given(base):
    class Box(base, Generic[T]):
        content: T

    loose, tight = Box(id="1", content=1), Box[int](id="1", content=1)
    loose.content = "anything"
    yield loose
    try:
        tight.content = "4"
        yield tight
        tight.content = "no int"
        yield tight
    except ValidationError as error:
        yield error, tight


@as_pydantic_does
def test_several_types_nested_and_partly_given(base):
    class Pair(base, Generic[T, U]):
        left: T
        right: U

    class Swapped(Pair[U, T], Generic[T, U]):
        extra: T

    class Half(Pair[int, U], Generic[U]):
        pass

    yield Pair[int, Pair[str, float]](id="1", left="1", right={"id": "2", "left": "a", "right": "2"})
    yield Swapped[int, str](id="1", left="a", right="1", extra="2")
    yield Half[str](id="1", left="1", right="b"), refusal(Half[str], left="x", right="b")
    yield Pair[int, T][str](id="1", left="1", right="a"), refusal(lambda: Pair[int]), refusal(lambda: Half[int][str])
    yield Pair[T, T][int](id="1", left="1", right="2")
    yield Pair[int, str].model_json_schema()


@as_pydantic_does
def test_bounds_constraints_and_unions(base):
    class Item(base):
        name: str

    class Holder(base, Generic[Bounded]):
        item: Bounded

    class Limited(base, Generic[Number]):
        number: Number

    class Response(base, Generic[T]):
        data: T | None = None
        errors: list[str] = []

    yield Holder[Item](id="1", item={"id": "2", "name": "a"}), refusal(Holder[Item], item=1)
    yield Holder(id="1", item=Item(id="2", name="a")), refusal(Holder, item=1)
    yield Limited(id="1", number="1.5"), Limited[int](id="1", number="1"), refusal(Limited, number="a")
    yield (
        Response[Item](id="1", data={"id": "2", "name": "a"}),
        Response[Item](id="1"),
        Response[list[Item]](id="1", data=[]),
    )
    yield Response[int | str](id="1", data="1"), Response[int | str](id="1", data=1)


@as_pydantic_does
def test_subclasses_that_fix_a_type(base):
    class Box(base, Generic[T]):
        kind: ClassVar[str] = "box"
        content: T

        def doubled(self) -> T:
            return self.content * 2

    class IntBox(Box[int]):
        more: int = 0

    class Named(Box[T], Generic[T, U]):
        name: U

    yield IntBox(id="1", content="2").doubled(), IntBox.kind, refusal(IntBox, content="x")
    yield Named[int, str](id="1", content=1, name="a"), Named(id="1", content=1, name=[1])
    yield IntBox.__mro__[1].__name__, list(IntBox.model_fields)


@as_pydantic_does
def test_recursive_generics(base):
    class Tree(base, Generic[T]):
        value: T
        children: list["Tree[T]"] = []

    tree = Tree[int](id="1", value="1", children=[{"id": "2", "value": "2", "children": [{"id": "3", "value": 3}]}])
    yield tree, tree.model_dump(), tree.model_dump_json(), type(tree.children[0]) is Tree[int]
    yield refusal(Tree[int], value=1, children=[{"value": "a"}])


@as_pydantic_does
def test_validators_of_generics(base):
    class Box(base, Generic[T]):
        content: T
        seen: int = 0

        @model_validator(mode="after")
        def count(self):
            self.__dict__["seen"] += 1
            return self

    yield Box(id="1", content=1), Box[int](id="1", content="1"), refusal(Box[int], content="a")


@as_pydantic_does
def test_an_instance_of_the_unparametrised_class_is_taken(base):
    class Box(base, Generic[T]):
        content: T

    class Shelf(base):
        box: Box[int]
        any_box: Box = Field(default=None)
        same: SerializeAsAny[Box[Any]] | None = None

    yield Shelf(id="1", box=Box(id="2", content="3")), refusal(Shelf, box=Box(id="2", content="x"))
    yield Shelf(id="1", box=Box[int](id="2", content=3)), Shelf(id="1", box=Box[Any](id="2", content=3))
    shelf = Shelf(
        id="1", box=Box[int](id="2", content=3), any_box=Box[str](id="3", content="a"), same=Box[int](id="4", content=1)
    )
    yield shelf, shelf.model_dump_json()


@as_pydantic_does
def test_own_names_of_parametrised_classes(base):
    class Response(base, Generic[T]):
        data: T

        @classmethod
        def model_parametrized_name(cls, params):
            return f"{params[0].__name__.title()}Response"

    yield Response[int].__name__, repr(Response[int](id="1", data=1)), Response[int].model_json_schema()["title"]


@as_pydantic_does
def test_generic_mapping_fields(base):
    class Index(base, Generic[T, U]):
        entries: Mapping[T, list[U]] = {}
        pairs: tuple[T, U] | None = None

    yield Index[str, int](id="1", entries={"a": ["1"]}, pairs=("a", "2"))
    yield refusal(Index[str, int], entries={"a": ["x"]})
    yield Index[str, int](id="1", entries={"a": [1]}).model_dump_json()


@pytest.mark.parametrize("base", [nitro.Model, nitro.Entity])
def test_a_parametrised_class_has_a_plan_of_its_own(base):
    class Box(base, Generic[T]):
        content: T

    assert nitro.explain(Box[int]).operations["construct"] is None
    assert nitro.explain(Box[int]).fields[-1].reason is None
    assert get_args(Box[int].__pydantic_generic_metadata__["args"]) == ()


def test_parametrised_entities_are_stored_apart():
    class Box(nitro.Entity, Generic[T], backend=nitro.MemoryRepo()):
        content: T

    number, text = Box[int](content="1").save(), Box[str](content="1").save()
    assert Box[int].all() == [number]
    assert Box[str].all() == [text]
    assert Box[int].get(number.id) is number
    number.content = "5"
    assert number.changes == {"content": (1, 5)}
