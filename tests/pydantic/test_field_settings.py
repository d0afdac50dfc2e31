"""What a field, or the settings for fields, can say besides its type."""

import datetime
import enum
from decimal import Decimal
from typing import Any

from parity import as_pydantic_does, refusal, with_warnings
from pydantic import ConfigDict, Field
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@as_pydantic_does
def test_deprecated_fields(base):
    class Order(base):
        old: int = Field(default=1, deprecated="use new")
        older: int = Field(default=2, deprecated=True)
        new: int = 3

    order, warned = with_warnings(lambda: Order(old="5"))
    yield order, warned
    yield with_warnings(lambda: order.old), with_warnings(lambda: order.older), with_warnings(lambda: order.new)
    yield with_warnings(setattr, order, "old", 7), with_warnings(order.model_dump), with_warnings(order.model_dump_json)
    yield order, with_warnings(repr, order), with_warnings(lambda: order == Order())


@as_pydantic_does
def test_defaults_are_validated_when_asked(base):
    class Field_(base):
        x: int = Field(default="1", validate_default=True)
        y: int = Field(default="unchecked")
        z: list[int] = Field(default_factory=lambda: ["3"], validate_default=True)

    class Whole(base):
        model_config = ConfigDict(validate_default=True)
        x: int = "5"
        tags: list[str] = ["a"]

    class Wrong(base):
        model_config = ConfigDict(validate_default=True)
        x: int = "wrong"

    yield Field_(), Whole(), refusal(Wrong), Wrong(x=1), refusal(Wrong.model_validate_json, "{}")
    yield Whole().tags is Whole().tags, Field_().model_fields_set, with_warnings(Field_().model_dump_json)


@as_pydantic_does
def test_defaults_of_every_kind(base):
    inner: list[int] = [1]
    counter = iter(range(100))

    class Order(base):
        shared: list[list[int]] = [inner]
        fresh: dict[str, list[int]] = Field(default_factory=dict)
        counted: int = Field(default_factory=lambda: next(counter))
        from_data: int = Field(default_factory=lambda data: data["counted"] * 2)
        nothing: int | None = None
        text: str = Field("positional")
        table: dict[str, list[int]] = {"a": [1]}
        pair: tuple[int, list[int]] = (1, [2])
        of_set: set[int] = {1}
        when: datetime.datetime = Field(default=datetime.datetime(2024, 1, 2))

    one, other = Order(), Order()
    yield one, other
    yield (
        one.shared is other.shared,
        one.shared[0] is inner,
        one.table is other.table,
        one.table["a"] is other.table["a"],
    )
    yield one.pair is other.pair, one.pair[1] is other.pair[1], one.of_set is other.of_set, one.fresh is other.fresh
    one.shared[0].append(5)
    one.table["a"].append(5)
    one.of_set.add(5)
    yield other, Order()
    yield Order.model_fields["text"].default, Order.model_fields["fresh"].default is PydanticUndefined


@as_pydantic_does
def test_a_factory_that_fails(base):
    def fail() -> int:
        raise ZeroDivisionError("no")

    def refuse() -> int:
        raise ValueError("refused")

    class Order(base):
        x: int = Field(default_factory=fail)

    class Other(base):
        x: int = Field(default_factory=refuse)

    yield (
        with_warnings(Order),
        with_warnings(Other),
        with_warnings(Order.model_validate, {}),
        with_warnings(Other.model_validate_json, "{}"),
    )
    yield Order(x=1), with_warnings(Order.model_construct)


@as_pydantic_does
def test_use_enum_values(base):
    class Order(base):
        model_config = ConfigDict(use_enum_values=True)
        colour: Colour = Colour.RED
        colours: list[Colour] = []
        maybe: Colour | None = Field(default=Colour.RED, validate_default=True)

    order = Order(colour="blue", colours=["red", Colour.BLUE])
    yield (
        order,
        Order(),
        order.model_dump_json(),
        with_warnings(Order().model_dump_json),
        refusal(Order, colour="green"),
    )
    order.colour = Colour.RED
    yield order


@as_pydantic_does
def test_json_encoders(base):
    def define() -> Any:
        class Order(base):
            model_config = ConfigDict(json_encoders={datetime.datetime: lambda value: value.year, Decimal: str})
            when: datetime.datetime = datetime.datetime(2024, 1, 2)
            price: Decimal = Decimal("1.50")

        return Order

    order_class, warned = with_warnings(define)
    yield warned, order_class().model_dump_json(), order_class().model_dump(), order_class().model_dump(mode="json")


@as_pydantic_does
def test_repr_exclude_and_init(base):
    class Order(base):
        hidden: int = Field(default=1, repr=False)
        out: int = Field(default=2, exclude=True)
        title: str = Field(default="a", title="The title", description="d", examples=["b"], json_schema_extra={"x": 1})

    yield (
        Order(),
        repr(Order()),
        Order().model_dump(),
        Order().model_dump_json(),
        Order(out=5).out,
        Order.model_json_schema(),
    )
    yield {name: (info.title, info.description, info.exclude) for name, info in Order.model_fields.items()}


@as_pydantic_does
def test_the_information_on_fields(base):
    class Order(base):
        x: int
        y: list[str] = Field(default_factory=list, max_length=3)

    yield {name: repr(info) for name, info in Order.model_fields.items() if name != "id"}
    yield Order.model_fields["x"].is_required(), Order.model_fields["y"].get_default(call_default_factory=True)
    yield (
        type(Order.model_fields["x"]) is FieldInfo,
        Order.model_computed_fields,
        Order(x=1).__pydantic_decorators__ is Order.__pydantic_decorators__,
    )
    yield with_warnings(lambda: Order(x=1).model_fields)[1]


@as_pydantic_does
def test_settings_that_say_how_names_are_treated(base):
    def define() -> Any:
        class Order(base):
            model_name: str = "a"
            model_dump_more: int = 1

        return Order

    def protect() -> Any:
        class Order(base):
            model_config = ConfigDict(protected_namespaces=("own_",))
            own_name: str = "a"

        return Order

    order_class, warned = with_warnings(define)
    yield order_class(model_name="b"), order_class().model_dump_json(), warned
    order_class, warned = with_warnings(protect)
    yield order_class(own_name="b"), warned
