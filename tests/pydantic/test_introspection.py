"""What tools can read from a class: signatures, type hints, documentation."""

import dataclasses
import inspect
import pydoc
import typing
from typing import Annotated, Any, get_type_hints

import pytest
from parity import as_pydantic_does
from pydantic import BaseModel, ConfigDict, Field

import nitro


@as_pydantic_does(on=("Model", "validated Model", "Entity", "ValueObject"))
def test_signatures(base):
    class Point(base):
        x: int
        y: Annotated[float, Field(gt=0)] = 1.0
        tags: list[str] = Field(default_factory=list)
        aliased: int = Field(default=0, alias="theAlias")
        odd: int = Field(default=1, alias="not a name")

    class Open(base):
        model_config = ConfigDict(extra="allow")
        x: int = 0

    class Own(base):
        x: int = 0

        def __init__(self, x: int, more: str = "", **data: Any) -> None:
            super().__init__(x=x, **data)

    for cls in (Point, Open, Own):
        signature = inspect.signature(cls)
        yield [(p.name, p.kind.name, p.default is p.empty, repr(p.annotation)) for p in signature.parameters.values()]
        yield inspect.signature(cls.__init__).parameters.keys()
    yield inspect.signature(Point).bind(x=1).arguments, str(inspect.signature(Point).return_annotation)


@pytest.mark.parametrize(
    "name", ["model_validate", "model_validate_json", "model_dump", "model_dump_json", "model_copy", "model_construct"]
)
@pytest.mark.parametrize("base", [nitro.Model, nitro.Entity])
def test_the_methods_have_the_parameters_of_pydantic(base, name):
    def parameters(cls: type) -> list[tuple[str, str, Any]]:
        listed = inspect.signature(getattr(cls, name)).parameters.values()
        return [(p.name, p.kind.name, p.default) for p in listed]

    found, expected = parameters(base), parameters(BaseModel)
    if name in ("model_validate", "model_validate_json"):
        # The one argument may be given by position or by name.
        found[0] = (found[0][0], expected[0][1], found[0][2])
    if name.startswith("model_dump"):
        found = [item for item in found if item[0] != "self"]
        expected = [item for item in expected if item[0] != "self"]
    assert found == expected


@as_pydantic_does
def test_type_hints(base):
    class Point(base):
        x: int
        y: "float | None" = None
        tags: Annotated[list[str], Field(max_length=3)] = []
        _private: int = 0
        limit: typing.ClassVar[int] = 3

    hints = get_type_hints(Point, include_extras=True)
    yield {name: repr(hints[name]) for name in ("x", "y", "tags", "_private", "limit")}
    yield get_type_hints(Point)["tags"], inspect.get_annotations(Point)


def test_the_only_hints_that_nitro_adds_are_an_entitys_own():
    class Point(nitro.Model):
        x: int

    class Order(nitro.Entity):
        x: int

    plain = get_type_hints(type("Plain", (BaseModel,), {"__annotations__": {"x": int}, "__module__": __name__}))
    assert set(get_type_hints(Point)) == set(plain)
    added = set(get_type_hints(Order)) - set(plain)
    assert {name for name in added if not name.startswith("_")} == {"id"}


@as_pydantic_does
def test_what_inspect_and_pydoc_say(base):
    class Point(base):
        """A point."""

        x: int = 0

        def move(self, by: int) -> None:
            """Moves it."""

    yield inspect.isclass(Point), inspect.getdoc(Point), inspect.getdoc(Point.move), inspect.getmodule(Point).__name__
    yield "Moves it." in pydoc.render_doc(Point), dataclasses.is_dataclass(Point), callable(Point), callable(Point())
    yield "x" in dict(inspect.getmembers_static(Point(x=3)))


@pytest.mark.parametrize("base", [nitro.Model, nitro.Entity])
def test_every_attribute_of_base_model_is_there(base):
    class Point(base):
        x: int = 0

    missing = [name for name in dir(BaseModel) if not hasattr(Point, name)]
    known = [name for name in dir(BaseModel) if not hasattr(type("P", (BaseModel,), {"__module__": __name__}), name)]
    assert missing == known


@pytest.mark.parametrize("base", [nitro.Model, nitro.Entity])
def test_documented_methods_have_their_documentation(base):
    for name in (
        "model_validate",
        "model_validate_json",
        "model_dump",
        "model_dump_json",
        "__setattr__",
        "__delattr__",
    ):
        assert inspect.getdoc(getattr(base, name))


@pytest.mark.parametrize("base", [nitro.Model, nitro.Entity])
def test_the_source_of_a_class_is_found(base):
    class Point(base):
        x: int = 0

    assert "class Point(base)" in inspect.getsource(Point)
    assert pydoc.describe(Point) == "class Point"
