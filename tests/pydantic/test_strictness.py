"""Strict mode, and other settings of validation."""

import datetime
import enum
import uuid
from decimal import Decimal
from typing import Annotated, Any

from parity import as_pydantic_does, refusal, with_warnings
from pydantic import ConfigDict, Field, Strict, StrictBool, StrictInt, StrictStr, TypeAdapter


class Colour(enum.Enum):
    RED = "red"


VALUES: dict[str, list[Any]] = {
    "number": [1, "1", 1.0, True, Decimal(1)],
    "real": [1.0, 1, "1.0", True],
    "text": ["a", b"a", 1, bytearray(b"a"), Colour.RED],
    "flag": [True, 1, "true", 0.0],
    "when": [datetime.datetime(2024, 1, 2), "2024-01-02T00:00:00", 0, datetime.date(2024, 1, 2)],
    "items": [[1], (1,), {1}, ["1"], range(2)],
    "mapping": [{"a": 1}, {1: 1}, [("a", 1)]],
    "key": [uuid.UUID(int=1), str(uuid.UUID(int=1)), uuid.UUID(int=1).bytes],
    "colour": [Colour.RED, "red"],
    "price": [Decimal("1.5"), "1.5", 1.5, 1],
    "data": [b"a", "a", bytearray(b"a")],
}


def fields_of(base: Any, **settings: Any) -> Any:
    class Everything(base):
        model_config = ConfigDict(**settings)
        number: int = 0
        real: float = 0.0
        text: str = ""
        flag: bool = False
        when: datetime.datetime | None = None
        items: list[int] = []
        mapping: dict[str, int] = {}
        key: uuid.UUID | None = None
        colour: Colour | None = None
        price: Decimal = Decimal(0)
        data: bytes = b""

    return Everything


@as_pydantic_does
def test_strict_classes_and_strict_calls(base):
    strict, loose = fields_of(base, strict=True), fields_of(base)
    for name, values in VALUES.items():
        for value in values:
            yield with_warnings(lambda: strict(**{name: value}))  # noqa: B023
            yield with_warnings(lambda: loose(**{name: value}))  # noqa: B023
            yield with_warnings(strict.model_validate, {name: value}, strict=False)
            yield with_warnings(loose.model_validate, {name: value}, strict=True)
            made = strict.model_construct()
            yield with_warnings(setattr, made, name, value), made


@as_pydantic_does
def test_strict_json(base):
    strict, loose = fields_of(base, strict=True), fields_of(base)
    for text in (
        '{"number": "1"}', '{"number": 1.0}', '{"real": 1}', '{"when": "2024-01-02T00:00:00"}', '{"colour": "red"}',
        '{"price": 1.5}', '{"price": "1.5"}', '{"data": "a"}', '{"key": "00000000-0000-0000-0000-000000000001"}',
        '{"flag": 1}', '{"items": ["1"]}',
    ):  # fmt: skip
        yield with_warnings(strict.model_validate_json, text), with_warnings(loose.model_validate_json, text)
        yield with_warnings(loose.model_validate_json, text, strict=True)


@as_pydantic_does
def test_strict_fields(base):
    class Mixed(base):
        strict_int: StrictInt = 0
        strict_text: StrictStr = ""
        strict_flag: StrictBool = False
        marked: Annotated[float, Strict()] = 0.0
        field: int = Field(default=0, strict=True)
        inner: list[Annotated[int, Field(strict=True)]] = []
        loose: Annotated[int, Field(strict=False)] = 0

    for name, value in (
        ("strict_int", "1"), ("strict_int", True), ("strict_text", 1), ("strict_flag", 1), ("marked", 1),
        ("marked", "1"), ("field", "1"), ("field", 1.0), ("inner", ["1"]), ("inner", [1]), ("loose", "1"),
    ):  # fmt: skip
        yield with_warnings(lambda: Mixed(**{name: value}))  # noqa: B023
        made = Mixed()
        yield with_warnings(setattr, made, name, value), made


@as_pydantic_does
def test_settings_of_strings_and_numbers(base):
    class Tidy(base):
        model_config = ConfigDict(
            str_strip_whitespace=True, str_to_lower=True, str_min_length=1, str_max_length=3, coerce_numbers_to_str=True,
            allow_inf_nan=False,
        )  # fmt: skip
        text: str = "A"
        number: float = 0.0
        items: list[str] = []
        free: Annotated[str, Field(max_length=10)] = "x"

    for data in (
        {"text": " AB "}, {"text": ""}, {"text": "abcd"}, {"text": 5}, {"number": float("inf")}, {"number": float("nan")},
        {"items": [" A ", 1]}, {"free": "ABCDEF"}, {"number": "nan"},
    ):  # fmt: skip
        yield with_warnings(lambda: Tidy(**data))  # noqa: B023
        yield with_warnings(Tidy.model_validate, data)
    yield Tidy()


@as_pydantic_does
def test_instances_can_be_validated_again(base):
    class Inner(base):
        x: int

    for setting in ("never", "always", "subclass-instances"):

        class Checked(base):
            model_config = ConfigDict(revalidate_instances=setting)
            x: int

        class Outer(base):
            checked: Checked | None = None
            inner: Inner | None = None

        class Sub(Checked):
            y: int = 0

        for instance in (Checked(x=1), Checked.model_construct(x="bad"), Sub(x=1), Sub.model_construct(x="bad")):
            made, _ = with_warnings(lambda: Outer(checked=instance))  # noqa: B023
            yield made
            yield getattr(made, "checked", None) is instance, with_warnings(Checked.model_validate, instance)


@as_pydantic_does
def test_errors_can_hide_their_input(base):
    class Secret(base):
        model_config = ConfigDict(hide_input_in_errors=True, validation_error_cause=True, title="A secret")
        word: int

    yield refusal(Secret, word="hidden"), refusal(Secret.model_validate_json, '{"word": "hidden"}')
    yield with_warnings(setattr, Secret.model_construct(), "word", "hidden")


@as_pydantic_does
def test_type_adapters_with_their_own_settings(base):
    class Point(base):
        x: int

    adapter = TypeAdapter(dict[str, Point], config=ConfigDict(strict=True))
    yield (
        with_warnings(adapter.validate_python, {"a": {"x": "1"}}),
        with_warnings(adapter.validate_json, '{"a": {"x": "1"}}'),
    )
    yield with_warnings(adapter.validate_python, {"a": {"x": "1"}}, strict=True)
