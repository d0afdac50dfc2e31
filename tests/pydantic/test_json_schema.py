"""JSON schemas are equal, apart from an entity's id in the classes that have one."""

import datetime
import enum
import uuid
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, TypeVar

from parity import as_pydantic_does, refusal
from pydantic import AliasChoices, ConfigDict, Field, SecretStr, TypeAdapter, computed_field
from pydantic.json_schema import GenerateJsonSchema, SkipJsonSchema, WithJsonSchema, models_json_schema

import nitro

EVERY = ("Model", "validated Model", "Entity", "ValueObject")
T = TypeVar("T")


class Colour(enum.Enum):
    """Colours of things."""

    RED = "red"


@as_pydantic_does(on=EVERY)
def test_every_kind_of_field(base):
    class Line(base):
        product: str
        quantity: int = Field(default=1, ge=1, le=100, multiple_of=1)

    class Order(base):
        """An order."""

        model_config = ConfigDict(title="The order", json_schema_extra={"examples": [{"name": "a"}]})

        name: str = Field(min_length=1, max_length=9, pattern="^a", description="Who", examples=["a"])
        lines: list[Line] = Field(default_factory=list, max_length=5)
        by_name: dict[str, Line] = {}
        first: Line | None = None
        kind: Literal["a", "b"] = "a"
        colour: Colour = Colour.RED
        when: datetime.datetime | None = None
        price: Annotated[Decimal, Field(gt=0, max_digits=5)] = Decimal(1)
        key: uuid.UUID | int = 1
        secret: SecretStr = SecretStr("x")
        pair: tuple[int, str] = (1, "a")
        hidden: SkipJsonSchema[int] = 1
        shaped: Annotated[Any, WithJsonSchema({"type": "integer"})] = 1
        many: set[int] = set()
        aliased: int = Field(default=1, validation_alias=AliasChoices("a", "b"), serialization_alias="c")
        old: int = Field(default=1, deprecated=True)
        left_out: int = Field(default=1, exclude=True)

        @computed_field(description="twice")
        @property
        def double(self) -> float:
            return 2.0

    yield Order.model_json_schema()
    yield Order.model_json_schema(mode="serialization")
    yield Order.model_json_schema(by_alias=False)
    yield Order.model_json_schema(ref_template="#/components/schemas/{model}")
    yield TypeAdapter(list[Order]).json_schema()
    yield models_json_schema([(Order, "validation"), (Line, "serialization")], title="All")


@as_pydantic_does(on=EVERY)
def test_recursive_and_generic_schemas(base):
    class Node(base):
        children: list["Node"] = []

    class Box(base, Generic[T]):
        content: T
        others: list[T] = []

    yield Node.model_json_schema(), Box.model_json_schema(), Box[int].model_json_schema()
    yield Box[Box[Node]].model_json_schema()


@as_pydantic_does
def test_own_ways_to_make_a_schema(base):
    class Hooked(base):
        x: int

        @classmethod
        def __get_pydantic_json_schema__(cls, core_schema, handler):
            schema = handler(core_schema)
            schema["x-hooked"] = True
            return schema

        @classmethod
        def model_parametrized_name(cls, params):
            return "Never"

    class Generator(GenerateJsonSchema):
        def int_schema(self, schema):
            return {"type": "integer", "x-own": True}

    class Extended(base):
        model_config = ConfigDict(json_schema_extra=lambda schema: schema.pop("properties"))
        x: int

    yield Hooked.model_json_schema(), Hooked.model_json_schema(schema_generator=Generator)
    yield Extended.model_json_schema()


@as_pydantic_does
def test_what_has_no_schema(base):
    class WithClass(base):
        other: type = int

    class Arbitrary(base):
        model_config = ConfigDict(arbitrary_types_allowed=True)
        thing: GenerateJsonSchema

    yield refusal(WithClass.model_json_schema), refusal(Arbitrary.model_json_schema)


@as_pydantic_does
def test_docstrings_of_fields(base):
    class Documented(base):
        """Documented."""

        model_config = ConfigDict(use_attribute_docstrings=True)

        x: int = 0
        """What x is."""

    yield Documented.model_json_schema(), Documented.model_fields["x"].description


@as_pydantic_does(on=("Model",))
def test_a_class_without_a_docstring_has_no_description(base):
    class Bare(base):
        x: int

    yield Bare.model_json_schema(), "description" in Bare.model_json_schema()


def test_an_entity_has_its_id_in_the_schema_and_nothing_else_besides():
    class Order(nitro.Entity):
        name: str

    class Plain(nitro.Model):
        name: str

    order, plain = Order.model_json_schema(), Plain.model_json_schema()
    assert order["properties"].pop("id") == {"title": "Id", "type": "string"}
    assert order == {**plain, "title": "Order"}


def test_the_marks_for_stores_do_not_show():
    class Order(nitro.Entity):
        sku: str = nitro.Field(primary_key=True)
        name: str = nitro.Field(index=True, unique=True)
        team: int = nitro.Field(foreign_key="team.id", ondelete="CASCADE")

    class Plain(nitro.Model):
        sku: str
        name: str
        team: int

    assert Order.model_json_schema() == {**Plain.model_json_schema(), "title": "Order"}
