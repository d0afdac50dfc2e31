"""Every value of the pools into every kind of field, without chance.

What the generated tests reach with luck for a field of many, this reaches for certain for one field.
"""

import itertools
import os
from collections.abc import Iterable
from dataclasses import dataclass

import pytest

from . import inputs
from .comparison import Case, Script, check
from .subjects import Pair, pairs


@dataclass(frozen=True)
class Swept:
    """A kind of field: where in the field's value the swept value stands, and a right value."""

    annotation: str
    right: str
    place: str = "{0}"
    json_place: str = "{0}"

    @property
    def case(self) -> Case:
        name = f"swept {self.annotation}"
        return Case(name, f"class Case(Model):\n    a: {self.annotation}\n    b: int = 1\n")


SWEPT = (
    Swept("str", "'x'"),
    Swept("int", "1"),
    Swept("float", "1.5"),
    Swept("bool", "True"),
    Swept("None", "None"),
    Swept("bytes", "b'x'"),
    Swept("Moment", "Moment(2024, 1, 1)"),
    Swept("date", "date(2024, 1, 1)"),
    Swept("time", "time(1)"),
    Swept("timedelta", "timedelta(1)"),
    Swept("UUID", "PLAIN_KEY"),
    Swept("Decimal", "Decimal(1)"),
    Swept("Any", "1"),
    Swept("object", "1"),
    Swept("Color", "Color.RED"),
    Swept("Size", "Size.SMALL"),
    Swept("Mood", "Mood.GLAD"),
    Swept("Level", "Level.LOW"),
    Swept("Grade", "Grade.FIRST"),
    Swept("Rate", "Rate.HALF"),
    Swept("Rights", "Rights.READ"),
    Swept("Bits", "Bits.ONE"),
    Swept("Mixed", "Mixed.NUMBER"),
    Swept("Lenient", "Lenient.KNOWN"),
    Swept("Lists", "Lists.FIRST"),
    Swept("Literal['a', 'red', '1']", "'a'"),
    Swept("Literal[0, 1, 10]", "1"),
    Swept("Literal[True, 'true', None]", "True"),
    Swept("Literal[Color.RED, Size.SMALL, Level.LOW, 2]", "2"),
    Swept("Optional[int]", "None"),
    Swept("Optional[str]", "None"),
    Swept("int | str", "1"),
    Swept("str | int | float | None", "1"),
    Swept("float | int", "1.5"),
    Swept("bool | int", "1"),
    Swept("date | Moment", "date(2024, 1, 1)"),
    Swept("Decimal | float", "1.5"),
    Swept("UUID | str | bytes", "'x'"),
    Swept("Color | str", "'x'"),
    Swept("list[int] | dict[str, int] | int", "1"),
    Swept("list", "[]"),
    Swept("dict", "{}"),
    Swept("tuple", "()"),
    Swept("set", "set()"),
    Swept("frozenset", "frozenset()"),
    Swept("list[int]", "[]"),
    Swept("list[str]", "['x']"),
    Swept("dict[str, int]", "{}"),
    Swept("set[int]", "set()"),
    Swept("frozenset[str]", "frozenset()"),
    Swept("tuple[int, ...]", "()"),
    Swept("tuple[int, str]", "(1, 'x')"),
    Swept("list[int]", "[1]", "[1, {0}]", "[1, {0}]"),
    Swept("list[str]", "['x']", "[{0}, 'x']", '[{0}, "x"]'),
    Swept("list[float]", "[1.5]", "[{0}]", "[{0}]"),
    Swept("list[Optional[bool]]", "[True]", "[None, {0}]", "[null, {0}]"),
    Swept("list[Any]", "[1]", "[1, {0}]", "[1, {0}]"),
    Swept("dict[str, int]", "{'k': 1}", "{{'k': {0}}}", '{{"k": {0}}}'),
    Swept("dict[str, Any]", "{'k': 1}", "{{'k': {0}}}", '{{"k": {0}}}'),
    Swept("dict[str, int]", "{'k': 1}", "{{{0}: 1}}", "{{{0}: 1}}"),
    Swept("dict[int, str]", "{1: 'x'}", "{{{0}: 'x'}}", '{{{0}: "x"}}'),
    Swept("dict[Any, int]", "{1: 1}", "{{{0}: 1}}", "{{{0}: 1}}"),
    Swept("dict[float, int]", "{1.5: 1}", "{{{0}: 1}}", "{{{0}: 1}}"),
    Swept("dict[date, int]", "{date(2024, 1, 1): 1}", "{{{0}: 1}}", "{{{0}: 1}}"),
    Swept("dict[Color, UUID]", "{}", "{{{0}: PLAIN_KEY}}", "{{{0}: 1}}"),
    Swept("set[float]", "{1.5}", "{{{0}}}", "[{0}]"),
    Swept("tuple[int, str]", "(1, 'x')", "({0}, 'x')", '[{0}, "x"]'),
    Swept("list[list[int]]", "[[1]]", "[[1], {0}]", "[[1], {0}]"),
    Swept("Annotated[int, Field(ge=1, le=10)]", "1"),
    Swept("Annotated[int, Field(multiple_of=2)]", "2"),
    Swept("Annotated[float, Field(gt=-1, lt=1e300)]", "1.5"),
    Swept("Annotated[float, Field(multiple_of=0.5)]", "1.5"),
    Swept("Annotated[float, Field(allow_inf_nan=False)]", "1.5"),
    Swept("Annotated[Decimal, Field(ge=0, le=Decimal('10.5'))]", "Decimal(1)"),
    Swept("Annotated[str, Field(min_length=1, max_length=4)]", "'x'"),
    Swept("Annotated[bytes, Field(max_length=2)]", "b''"),
    Swept("Annotated[list[int], Field(min_length=1, max_length=2)]", "[1]"),
    Swept("Annotated[Moment, Field(gt=Moment(2020, 1, 1))]", "Moment(2024, 1, 1)"),
    Swept("Annotated[str, StringConstraints(strip_whitespace=True)]", "'x'"),
    Swept("Annotated[int, Strict()]", "1"),
    Swept("Optional['Case']", "None"),
    Swept("list['Case']", "[]"),
)

PYTHON_VALUES = tuple(
    dict.fromkeys(
        itertools.chain(
            inputs.HOSTILE,
            *inputs.SCALARS.values(),
            *inputs.NEAR.values(),
            ("Case(a={right})", "{{'a': {right}}}", "[Case(a={right}), {{'a': {right}}}]"),
        )
    )
)
JSON_VALUES = tuple(dict.fromkeys(itertools.chain(inputs.JSON_HOSTILE, *inputs.JSON_SCALARS.values())))

# The full product takes minutes, so that Model meets every value, and the other pairs take turns.
EVERY_PAIR = "NITRO_DIFFERENTIAL_EVERY_PAIR" in os.environ


def pairs_for(number: int) -> Iterable[Pair]:
    model, *others = pairs()
    return pairs() if EVERY_PAIR else (model, others[number % len(others)])


def python_script(swept: Swept, value: str) -> Script:
    if "{right}" in value:
        value = value.format(right=swept.right)
    return (
        f"given = {swept.place.format(value)}",
        "one = Case(a=given)",
        "one",
        "one.model_dump()",
        "one.model_dump_json()",
        "vars(one)",
        "two = Case.model_validate({'a': given, 'b': 2})",
        "vars(two)",
        f"three = Case(a={swept.right})",
        "three.a = given",
        "three.model_dump_json()",
        "three.model_dump(mode='json')",
        "vars(three)",
        "given",
        "four = Case.model_construct(a=given)",
        "four.model_dump()",
        "four.model_dump_json()",
        "four.model_dump(mode='json')",
        "encode([four])",
        "vars(four)",
    )


def json_script(swept: Swept, value: str) -> Script:
    text = f'{{"a": {swept.json_place.format(value)}, "b": 2}}'
    data = text.encode("utf-8", "surrogatepass")
    return (
        f"one = Case.model_validate_json({data!r})",
        "one",
        "one.model_dump_json()",
        "vars(one)",
        f"two = decode(list[Case], {b'[' + data + b']'!r})",
        "encode(two)",
    )


@pytest.mark.parametrize("swept", SWEPT, ids=lambda swept: f"{swept.annotation} {swept.place}")
def test_python_values(swept: Swept) -> None:
    case = swept.case
    for number, value in enumerate(PYTHON_VALUES):
        if "Case(" in value and "set" in swept.annotation:
            continue  # a set of a new id and others has a new order each time
        for pair in pairs_for(number):
            check(case, pair, python_script(swept, value))


@pytest.mark.parametrize("swept", SWEPT, ids=lambda swept: f"{swept.annotation} {swept.place}")
def test_json_values(swept: Swept) -> None:
    case = swept.case
    for number, value in enumerate(JSON_VALUES):
        for pair in pairs_for(number):
            check(case, pair, json_script(swept, value))
