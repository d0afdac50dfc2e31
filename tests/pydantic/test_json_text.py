"""JSON text, character by character: numbers, escapes, keys and long values, beside pydantic's."""

import json
import math
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError, create_model
from pydantic_core import PydanticSerializationError

import nitro

#: Longer than most names of fields.
LONG_NAME = "k" * 45


def declare(base: type[BaseModel]) -> Any:
    class Inner(base):
        label: str
        weight: float = 0.5

    return create_model(
        "Outer",
        __base__=base,
        text=(str, ""),
        number=(float, 0.0),
        count=(int, 0),
        flag=(bool, False),
        naïve_ключ=(str, ""),
        **{LONG_NAME: (str, "")},
        note=(str | None, None),
        tags=(list[str], []),
        numbers=(dict[str, float], {}),
        inner=(Inner | None, None),
        last=(str, ""),
    )


OURS, PYDANTICS = declare(nitro.Model), declare(BaseModel)

#: Lone surrogates too, which no JSON can hold.
TEXTS = st.text(st.characters(exclude_categories=()) | st.sampled_from('"\\\x00\x1f\x7f\n/é€😀\ud800'))
#: Long ones make the buffer grow between one field and the next.
LONG_TEXTS = TEXTS | st.builds(lambda text, times: text * times, TEXTS, st.integers(1, 3000))
PLAIN_TEXTS = st.text("abcdefghijklmnopqrstuvwxyz", max_size=70)
DECIMALS = st.builds(lambda whole, places: whole / 10**places, st.integers(-(10**17), 10**17), st.integers(0, 8))
FLOATS = (
    st.floats()
    | DECIMALS
    | st.integers(-2000, 2000).map(lambda quarters: quarters / 4)
    | st.builds(lambda value, up: math.nextafter(value, up), DECIMALS, st.sampled_from([math.inf, -math.inf]))
)


def made(model: Any, values: dict[str, Any]) -> Any:
    """An instance; None where the values are refused."""
    try:
        return model.model_validate(values)
    except ValidationError:
        return None


def answer(write: Any, *arguments: Any) -> Any:
    try:
        return write(*arguments)
    except PydanticSerializationError as error:
        return str(error)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "text": LONG_TEXTS | PLAIN_TEXTS,
            "number": FLOATS,
            "count": st.integers() | st.integers(-20, 20),
            "flag": st.booleans(),
            "naïve_ключ": LONG_TEXTS,
            LONG_NAME: PLAIN_TEXTS | TEXTS,
            "note": st.none() | TEXTS,
            "tags": st.lists(LONG_TEXTS | PLAIN_TEXTS, max_size=4),
            "numbers": st.dictionaries(TEXTS, FLOATS, max_size=3),
            "inner": st.none() | st.fixed_dictionaries({"label": LONG_TEXTS}, optional={"weight": FLOATS}),
            "last": LONG_TEXTS | PLAIN_TEXTS,
        },
    )
)
def test_every_value_is_written_as_pydantic_writes_it(values):
    ours, pydantics = made(OURS, values), made(PYDANTICS, values)
    assert (ours is None) == (pydantics is None)
    if ours is None or pydantics is None:
        return
    expected = answer(pydantics.model_dump_json)
    assert answer(ours.model_dump_json) == expected
    encoded = answer(nitro.encode, ours)
    if isinstance(encoded, bytes):
        assert encoded.decode() == expected
        assert nitro.encode([ours, ours]).decode() == f"[{expected},{expected}]"
    else:
        assert encoded == expected


class Measured(nitro.Model):
    value: float


@given(FLOATS)
@example(-0.0)
@example(99_999_999.9999)
@example(99_999_999.99995)
@example(100_000_000.5)
@example(0.0001)
@example(0.00005)
@example(0.1 + 0.2)
def test_a_float_is_written_as_the_shortest_text_that_reads_back(value):
    text = Measured(value=value).model_dump_json().removeprefix('{"value":').removesuffix("}")
    if not math.isfinite(value):
        assert text == "null"
        return
    assert math.copysign(1, json.loads(text)) == math.copysign(1, value)
    assert json.loads(text) == value
    if value == 0 or 1e-4 <= abs(value) < 1e16:
        assert text == repr(value)


@given(st.integers(0, 200), st.integers(0, 200), st.characters(exclude_categories=()))
def test_an_escape_is_found_wherever_it_stands(before, after, character):
    text = "x" * before + character + "y" * after
    assert answer(OURS(text=text).model_dump_json) == answer(PYDANTICS(text=text).model_dump_json)
