"""Validators of every mode, on fields and on the whole model."""

from typing import Annotated, Any

from parity import as_pydantic_does, refusal, with_warnings
from pydantic import (
    AfterValidator,
    BeforeValidator,
    PlainValidator,
    SkipValidation,
    ValidationError,
    ValidationInfo,
    WrapValidator,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError, PydanticUseDefault


def ways(cls: Any, **data: Any) -> Any:
    """The answers of every way to make an instance."""
    yield with_warnings(lambda: cls(**data))
    yield with_warnings(cls.model_validate, data)
    yield with_warnings(cls.model_validate, data, context={"limit": 3})
    yield with_warnings(cls.model_validate_json, __import__("json").dumps(data))
    yield with_warnings(cls.model_validate_strings, {name: str(value) for name, value in data.items()})


@as_pydantic_does
def test_field_validators_of_every_mode(base):
    calls: list[Any] = []

    class Order(base):
        before: int
        after: int
        wrap: int
        plain: int
        both: str = "b"

        @field_validator("before", mode="before")
        @classmethod
        def see_before(cls, value):
            calls.append(("before", value))
            return value + 1 if isinstance(value, int) else value

        @field_validator("after")
        @classmethod
        def see_after(cls, value, info: ValidationInfo):
            calls.append(("after", value, info.field_name, dict(info.data), info.context))
            if value < 0:
                raise ValueError("below nothing")
            return value * 2

        @field_validator("wrap", mode="wrap")
        @classmethod
        def see_wrap(cls, value, handler):
            calls.append(("wrap", value))
            try:
                return handler(value)
            except ValidationError:
                return -1

        @field_validator("plain", mode="plain")
        @classmethod
        def see_plain(cls, value):
            calls.append(("plain", value))
            return [value]

        @field_validator("both", "plain")
        @classmethod
        def see_two(cls, value, info):
            calls.append((info.field_name, value))
            return value

    good = {"id": "1", "before": 1, "after": 2, "wrap": 3, "plain": 4}
    yield from ways(Order, **good)
    yield from ways(Order, **{**good, "before": "x", "after": -1})
    yield from ways(Order, **{**good, "wrap": "x", "plain": "y", "both": "z"})
    yield calls
    order = Order(**good)
    calls.clear()
    for name, value in (("before", 5), ("after", 5), ("after", -5), ("wrap", "x"), ("plain", None), ("both", "q")):
        yield with_warnings(setattr, order, name, value), order
    yield calls, order.model_fields_set
    yield with_warnings(order.model_dump), with_warnings(order.model_dump_json)


@as_pydantic_does
def test_model_validators_of_every_mode(base):
    calls: list[Any] = []

    class Range(base):
        low: int
        high: int = 10

        @model_validator(mode="before")
        @classmethod
        def from_text(cls, data: Any):
            calls.append("before")
            if isinstance(data, str):
                low, high = data.split("-")
                return {"id": "1", "low": low, "high": high}
            return data

        @model_validator(mode="wrap")
        @classmethod
        def around(cls, data: Any, handler):
            calls.append("wrap")
            made = handler(data)
            calls.append(made.low)
            return made

        @model_validator(mode="after")
        def in_order(self):
            calls.append("after")
            if self.low > self.high:
                raise ValueError("low is above high")
            return self

    yield from ways(Range, id="1", low=1, high=2)
    yield from ways(Range, id="1", low=3, high=2)
    yield from ways(Range, id="1", low="x")
    yield with_warnings(Range.model_validate, "1-4"), with_warnings(Range.model_validate, "5-4")
    yield with_warnings(Range.model_validate_json, '"1-4"')
    yield calls

    class Holder(base):
        range: Range
        ranges: list[Range] = []

    yield Holder(id="1", range="2-3", ranges=["1-2", Range(id="1", low=1)])
    yield refusal(Holder, range="3-2", ranges=["2-1"])


@as_pydantic_does(on=("Model", "validated Model"))
def test_model_validators_and_assignment(base):
    class Range(base):
        low: int = 0
        high: int = 10
        note: str = ""

        @model_validator(mode="after")
        def in_order(self):
            if self.low > self.high:
                raise ValueError("low is above high")
            object.__setattr__(self, "note", f"{self.low} to {self.high}")
            return self

    made = Range()
    yield made, made.model_fields_set
    made.low = 5
    yield made, made.model_fields_set
    yield with_warnings(setattr, made, "low", "x")


@as_pydantic_does
def test_annotated_validators_in_their_order(base):
    calls: list[str] = []

    def note(name: str) -> Any:
        def noted(value: Any) -> Any:
            calls.append(name)
            return value

        return noted

    def wrap(value: Any, handler: Any) -> Any:
        calls.append("in")
        made = handler(value)
        calls.append("out")
        return made

    class Order(base):
        value: Annotated[
            int,
            BeforeValidator(note("b1")),
            AfterValidator(note("a1")),
            BeforeValidator(note("b2")),
            WrapValidator(wrap),
            AfterValidator(note("a2")),
        ]
        plain: Annotated[int, PlainValidator(lambda value: f"<{value}>")] = 1
        items: list[Annotated[str, AfterValidator(str.upper)]] = []
        unchecked: SkipValidation[int] = 1
        named: dict[Annotated[str, AfterValidator(str.strip)], Annotated[int, BeforeValidator(abs)]] = {}

    yield from ways(Order, id="1", value="1", plain=5, items=["a"], unchecked="x", named={" a ": -1})
    yield calls
    yield refusal(Order, value="x", items=[1])


@as_pydantic_does
def test_validators_that_raise(base):
    class Order(base):
        kind: str

        @field_validator("kind")
        @classmethod
        def check(cls, value):
            match value:
                case "value":
                    raise ValueError("no such kind")
                case "assert":
                    raise AssertionError("not so")
                case "custom":
                    raise PydanticCustomError("odd", "odd kind {kind}", {"kind": value})
                case "type":
                    raise TypeError("not caught")
                case "key":
                    raise KeyError("not caught")
            return value

    for kind in ("value", "assert", "custom", "type", "key", "good"):
        yield from ways(Order, id="1", kind=kind)
    order = Order(id="1", kind="good")
    for kind in ("value", "custom", "type"):
        yield with_warnings(setattr, order, "kind", kind), with_warnings(order.model_dump_json)


@as_pydantic_does
def test_a_before_validator_that_asks_for_the_default(base):
    class Order(base):
        count: int = 7

        @field_validator("count", mode="before")
        @classmethod
        def nothing_means_default(cls, value):
            if value is None:
                raise PydanticUseDefault
            return value

    yield from ways(Order, id="1", count=None)
    yield Order(id="1", count="3")


@as_pydantic_does
def test_validators_are_inherited_and_replaced(base):
    class Parent(base):
        x: int

        @field_validator("x")
        @classmethod
        def grow(cls, value):
            return value + 1

        @field_validator("*")
        @classmethod
        def see_all(cls, value, info):
            return value

    class Child(Parent):
        y: int = 0

    class Rebel(Parent):
        @field_validator("x")
        @classmethod
        def grow(cls, value):
            return value + 100

    yield Parent(id="1", x=1), Child(id="1", x=1, y="2"), Rebel(id="1", x=1)
    yield refusal(Child, x=1, y="b")


@as_pydantic_does
def test_a_wrap_validator_may_give_another_object(base):
    class Cached(base):
        name: str

        @model_validator(mode="wrap")
        @classmethod
        def known(cls, data, handler):
            if isinstance(data, dict) and data.get("name") in known:
                return known[data["name"]]
            return handler(data)

    known: dict[str, Any] = {}
    known["a"] = Cached(id="1", name="a")
    yield Cached.model_validate({"id": "2", "name": "a"}) is known["a"]
    yield Cached.model_validate_json('{"id": "2", "name": "a"}') is known["a"]
    yield Cached(id="2", name="b")
    yield with_warnings(lambda: Cached(id="2", name="a"))


@as_pydantic_does
def test_validators_see_what_came_before_them(base):
    class Account(base):
        password: str
        repeated: str

        @field_validator("repeated", mode="after")
        @classmethod
        def same(cls, value: str, info: ValidationInfo) -> str:
            if value != info.data["password"]:
                raise ValueError("Passwords do not match")
            return value

    yield Account(id="1", password="a", repeated="a"), refusal(Account, password="a", repeated="b")
    account = Account(id="1", password="a", repeated="a")
    yield with_warnings(setattr, account, "repeated", "c"), account


@as_pydantic_does
def test_the_decorators_of_version_1_still_work(base):
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from pydantic import root_validator, validator

        class Order(base):
            x: int
            y: int = 0

            @validator("x", pre=True)
            def grow(cls, value):
                return int(value) + 1

            @root_validator(skip_on_failure=True)
            def sum(cls, values):
                values["y"] = values["x"] * 2
                return values

    yield from ways(Order, id="1", x="1")
    yield refusal(Order, x=None)


@as_pydantic_does
def test_nested_models_with_validators(base):
    class Line(base):
        product: str
        quantity: int = 1

        @field_validator("product")
        @classmethod
        def tidy(cls, value):
            return value.strip().lower()

    class Order(base):
        lines: list[Line] = []
        total: int = 0

        @model_validator(mode="after")
        def sum(self):
            self.__dict__["total"] = sum(line.quantity for line in self.lines)
            return self

    yield from ways(Order, id="1", lines=[{"id": "2", "product": " A ", "quantity": "2"}, {"id": "3", "product": "b"}])
    yield Order(id="1", lines=[Line(id="2", product=" C ")]).model_dump_json()
    yield refusal(Order, lines=[{"product": 1}])


@as_pydantic_does
def test_own_types_with_a_core_schema(base):
    from pydantic_core import core_schema

    class Celsius:
        def __init__(self, degrees: float) -> None:
            self.degrees = degrees

        def __repr__(self) -> str:
            return f"Celsius({self.degrees})"

        @classmethod
        def __get_pydantic_core_schema__(cls, source, handler):
            return core_schema.no_info_after_validator_function(
                cls,
                core_schema.float_schema(),
                serialization=core_schema.plain_serializer_function_ser_schema(lambda value: value.degrees),
            )

    class Weather(base):
        now: Celsius
        past: list[Celsius] = []

    weather = Weather(id="1", now="21.5", past=[1])
    yield weather, weather.model_dump(), weather.model_dump_json(), refusal(Weather, now="warm")
