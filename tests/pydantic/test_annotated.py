"""Everything that can stand in Annotated, and constraints."""

import datetime
import uuid
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal

import annotated_types as at
from parity import as_pydantic_does, refusal, with_warnings
from pydantic import (
    AfterValidator,
    AwareDatetime,
    Base64Bytes,
    ConfigDict,
    Field,
    FutureDate,
    HttpUrl,
    Json,
    NaiveDatetime,
    NonNegativeInt,
    OnErrorOmit,
    PastDate,
    PlainSerializer,
    PositiveFloat,
    SecretStr,
    StringConstraints,
    WrapSerializer,
    conint,
    constr,
)


@as_pydantic_does
def test_constraints(base):
    class Limits(base):
        gt: Annotated[int, Field(gt=0)] = 1
        ge: Annotated[float, at.Ge(0.5)] = 1.0
        interval: Annotated[int, at.Interval(ge=1, lt=5)] = 1
        multiple: Annotated[int, at.MultipleOf(3)] = 3
        length: Annotated[str, at.Len(1, 3)] = "a"
        minimum: Annotated[list[int], at.MinLen(1)] = [1]
        items: list[Annotated[int, Field(le=9)]] = []
        keys: dict[Annotated[str, Field(min_length=1)], Annotated[float, Field(lt=1)]] = {}
        price: Annotated[Decimal, Field(max_digits=4, decimal_places=2)] = Decimal(1)
        pattern: Annotated[str, StringConstraints(pattern="^a+$", to_upper=True)] = "a"
        when: Annotated[datetime.date, Field(gt=datetime.date(2024, 1, 1))] = datetime.date(2025, 1, 1)
        predicate: Annotated[int, at.Predicate(lambda value: value % 2 == 0)] = 2
        twice: Annotated[Annotated[int, Field(gt=0)], Field(lt=10)] = 1
        either: Annotated[int | str, Field(union_mode="smart")] = 1
        maybe: Annotated[int | None, Field(gt=0)] = None
        whole: NonNegativeInt = 0
        real: PositiveFloat = 1.0
        old_int: conint(gt=3) = 4
        old_text: constr(max_length=2) = "a"
        pair: tuple[Annotated[int, Field(gt=0)], ...] = ()
        many: Annotated[set[int], Field(max_length=2)] = set()

    yield Limits()
    for name, values in {
        "gt": [1, 0, "1", "0", True, 2**70, -(2**70)],
        "ge": [0.5, 0.4, 1, float("nan"), float("inf")],
        "interval": [1, 4, 5, 0],
        "multiple": [0, 3, 4, -3],
        "length": ["", "a", "abc", "abcd", "æøå"],
        "minimum": [[], [1], ["1"]],
        "items": [[9], [10], [1, 10, 11]],
        "keys": [{"a": 0.5}, {"": 0.5}, {"a": 1.0}],
        "price": [Decimal("1.25"), Decimal("1.255"), Decimal("12345"), "1.2"],
        "pattern": ["a", "b", "AA"],
        "when": [datetime.date(2024, 1, 1), datetime.date(2024, 1, 2), "2024-01-02"],
        "predicate": [2, 3],
        "twice": [5, 0, 10],
        "either": [1, "a", 1.5],
        "maybe": [None, 1, 0],
        "whole": [0, -1],
        "real": [0.0, 0.1],
        "old_int": [3, 4],
        "old_text": ["ab", "abc"],
        "pair": [(1, 2), (0,), [1]],
        "many": [{1}, {1, 2, 3}, [1, 1]],
    }.items():
        for value in values:
            yield with_warnings(lambda: Limits(**{name: value}))  # noqa: B023
            made = Limits()
            yield with_warnings(setattr, made, name, value), made
            yield with_warnings(made.model_dump_json)
    yield Limits.model_json_schema()


@as_pydantic_does
def test_metadata_defaults_and_factories(base):
    class Order(base):
        a: Annotated[int, "note", Field(default=3, description="d")]
        b: Annotated[list[int], Field(default_factory=list)]
        c: Annotated[int, Field(gt=0)] = Field(default=5, lt=10)
        d: Annotated[str, Field(alias="D")] = "x"
        e: Annotated[int, Field(default_factory=lambda data: data["a"] * 2)]
        f: Annotated[int | None, Field(description="maybe")] = None
        g: Annotated[Literal["x", "y"], Field()] = "x"

    yield Order(), Order(a="4", c="6", D="y"), refusal(Order, c=0), refusal(Order, c=10), refusal(Order, g="z")
    yield Order.model_fields["a"].metadata, Order.model_fields["c"].metadata, Order.model_fields["a"].description
    yield Order().b is Order().b, Order(a=9).e, Order().model_fields_set


@as_pydantic_does
def test_types_of_pydantic(base):
    class Types(base):
        url: HttpUrl | None = None
        secret: SecretStr = SecretStr("s")
        parsed: Json[dict[str, int]] | None = None
        aware: AwareDatetime | None = None
        naive: NaiveDatetime | None = None
        past: PastDate | None = None
        future: FutureDate | None = None
        base64: Base64Bytes | None = None
        omitted: list[OnErrorOmit[int]] = []
        version4: uuid.UUID | None = None
        sequence: Sequence[int] = ()

    for data in (
        {"url": "https://example.com/a"}, {"url": "nonsense"}, {"secret": "x"}, {"parsed": '{"a": 1}'}, {"parsed": "["},
        {"aware": "2024-01-02T00:00:00Z"}, {"aware": "2024-01-02T00:00:00"}, {"naive": "2024-01-02T00:00:00"}, {"past": "2000-01-01"},
        {"past": "9000-01-01"}, {"future": "9000-01-01"}, {"base64": "YQ=="}, {"omitted": ["1", "x", 2]}, {"sequence": [1, "2"]},
        {"sequence": (1, 2)}, {"sequence": "ab"},
    ):  # fmt: skip
        made, _ = with_warnings(lambda: Types(**data))  # noqa: B023
        yield made
        if isinstance(made, Types):
            yield made.model_dump(), made.model_dump_json()


@as_pydantic_does
def test_serializers_in_annotated(base):
    class Order(base):
        price: Annotated[Decimal, PlainSerializer(float, return_type=float)] = Decimal("1.5")
        when: Annotated[datetime.datetime, PlainSerializer(lambda v: v.year, when_used="json")] = datetime.datetime(
            2024, 1, 2
        )
        wrapped: Annotated[list[int], WrapSerializer(lambda value, handler: [*handler(value), "end"])] = [1]
        both: Annotated[str, AfterValidator(str.upper), PlainSerializer(str.lower)] = "Ab"

    order = Order(both="cD")
    yield order, order.model_dump(), order.model_dump_json(), order.model_dump(mode="json")


@as_pydantic_does
def test_generic_aliases_of_annotated(base):
    Short = Annotated[str, Field(max_length=3)]

    class Order(base):
        model_config = ConfigDict(validate_default=True)
        name: Short = "abc"
        names: list[Short] = []
        table: dict[Short, list[Short | None]] = {}
        anything: Annotated[Any, "free"] = None

    yield (
        Order(),
        Order(names=["a"]),
        refusal(Order, names=["abcd"]),
        Order(table={"a": ["b", None]}),
        refusal(Order, table={"abcd": []}),
    )
