"""Aliases of every kind."""

from parity import as_pydantic_does, refusal, with_warnings
from pydantic import AliasChoices, AliasGenerator, AliasPath, ConfigDict, Field
from pydantic.alias_generators import to_camel, to_pascal


def questions(made):
    yield made, made.model_fields_set
    for by_alias in (None, True, False):
        yield made.model_dump(by_alias=by_alias), made.model_dump_json(by_alias=by_alias)
    yield type(made).model_json_schema(), type(made).model_json_schema(mode="serialization", by_alias=False)


@as_pydantic_does
def test_alias(base):
    class Order(base):
        name: str = Field(alias="customerName")
        total: float = Field(default=0.0, alias="theTotal")
        plain: int = 1

    yield from questions(Order(id="1", customerName="a", theTotal="2"))
    yield refusal(Order, name="a"), refusal(Order, customerName=1), refusal(Order.model_validate, {"name": "a"})
    yield Order.model_validate_json('{"id": "1", "customerName": "a", "plain": "2"}')
    yield (
        Order.model_validate({"id": "1", "name": "a"}, by_name=True),
        Order.model_validate({"id": "1", "customerName": "a"}, by_alias=True),
    )
    yield refusal(Order.model_validate, {"customerName": "a"}, by_alias=False, by_name=True)
    order = Order(id="1", customerName="a")
    order.name = "b"
    yield order, with_warnings(setattr, order, "customerName", "c"), with_warnings(getattr, order, "customerName")


@as_pydantic_does
def test_validation_alias_and_serialization_alias(base):
    class Order(base):
        name: str = Field(validation_alias="in", serialization_alias="out")
        other: int = Field(default=0, alias="both", serialization_alias="only_out")

    yield from questions(Order.model_validate({"id": "1", "in": "a", "both": "2"}))
    yield refusal(Order, out="a"), refusal(Order, name="a")


@as_pydantic_does
def test_alias_paths_and_choices(base):
    class User(base):
        first: str = Field(validation_alias=AliasPath("names", 0))
        last: str = Field(validation_alias=AliasChoices("surname", AliasPath("names", 1), "last"))
        city: str = Field(default="?", validation_alias=AliasPath("address", "city"))

    yield from questions(User.model_validate({"id": "1", "names": ["a", "b"], "address": {"city": "c"}}))
    yield User(id="1", names=["a", "b"]), User(id="1", names=["a"], surname="z"), User(id="1", names=["a"], last="y")
    yield refusal(User, names=[]), refusal(User, first="a", last="b"), refusal(User, names=["a", 1])
    yield User.model_validate_json('{"id": "1", "names": ["a", "b"]}')


@as_pydantic_does
def test_by_name_and_by_alias(base):
    class Both(base):
        model_config = ConfigDict(populate_by_name=True)
        name: str = Field(alias="theName")

    class Named(base):
        model_config = ConfigDict(validate_by_name=True, validate_by_alias=False)
        name: str = Field(alias="theName")

    class Loose(base):
        model_config = ConfigDict(validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)
        name: str = Field(alias="theName")

    for cls in (Both, Named, Loose):
        for data in (
            {"id": "1", "name": "a"},
            {"id": "1", "theName": "b"},
            {"id": "1", "name": "a", "theName": "b"},
            {"theName": "b", "name": 1},
        ):
            yield with_warnings(cls.model_validate, data), with_warnings(lambda: cls(**data))  # noqa: B023
        yield refusal(cls)
    yield from questions(Both(id="1", name="a"))
    yield from questions(Loose(id="1", name="a"))


@as_pydantic_does
def test_alias_generators(base):
    class Camel(base):
        model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)
        customer_name: str
        total_price: float = Field(default=0.0, alias="kept")

    class Split(base):
        model_config = ConfigDict(
            alias_generator=AliasGenerator(validation_alias=to_camel, serialization_alias=to_pascal)
        )
        customer_name: str
        total_price: float = 1.0

    yield from questions(Camel(id="1", customerName="a", kept=3))
    yield Camel(id="1", customer_name="a")
    yield from questions(Split(id="1", customerName="a", totalPrice=3))
    yield refusal(Split, customer_name="a")


@as_pydantic_does
def test_locations_of_errors(base):
    class ByAlias(base):
        name: int = Field(alias="theName")

    class ByName(base):
        model_config = ConfigDict(loc_by_alias=False)
        name: int = Field(alias="theName")

    class Holder(base):
        inner: list[ByAlias] = Field(alias="theInner")

    yield refusal(ByAlias, theName="x"), refusal(ByName, theName="x"), refusal(ByAlias), refusal(ByName)
    yield refusal(Holder, theInner=[{"theName": 1}, {"theName": "x"}])


@as_pydantic_does
def test_aliases_that_name_other_fields(base):
    class Swapped(base):
        a: int = Field(default=0, alias="b")
        b: int = Field(default=0, alias="a")

    yield from questions(Swapped(id="1", a=1, b=2))


@as_pydantic_does
def test_nested_aliases(base):
    class Line(base):
        product_name: str = Field(alias="productName")

    class Order(base):
        order_lines: list[Line] = Field(alias="orderLines")
        plain: Line | None = None

    order = Order(id="1", orderLines=[{"id": "2", "productName": "a"}], plain={"id": "3", "productName": "b"})
    yield from questions(order)
    yield refusal(Order, orderLines=[{"product_name": "a"}])


@as_pydantic_does
def test_aliases_beside_extra_values(base):
    class Open(base):
        model_config = ConfigDict(extra="allow")
        name: str = Field(default="?", alias="theName")

    class Closed(base):
        model_config = ConfigDict(extra="forbid")
        name: str = Field(default="?", alias="theName")

    yield Open(id="1", name="a"), Open(id="1", theName="a", name="b"), refusal(Closed, name="a"), Closed(theName="b")
    yield Open(id="1", theName="a", name="b").model_dump()
