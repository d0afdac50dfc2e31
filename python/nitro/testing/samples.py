"""Single values for `factory`: of a type and within what it demands, as pydantic's core schema says it."""

from __future__ import annotations

import datetime
import math
import random
import re
import string
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from re import _parser as parser  # type: ignore[attr-defined]  (what `re` itself reads patterns with)
from typing import Any, cast
from uuid import UUID

from .ids import START

Schema = dict[str, Any]

#: How many values there are to choose from, where a type sets no limits.
_SPAN = 1000
#: A future date is after every test.
_FUTURE = datetime.datetime(2100, 1, 1, tzinfo=datetime.UTC)
_DAY = 86_400
_YEAR = 365 * _DAY


class CannotMake(Exception):
    """A value cannot be made.

    Attributes:
        reason: Why.
        place: Where in the field, such as ".lines[].price".
    """

    def __init__(self, reason: str, place: str = "") -> None:
        self.reason, self.place = reason, place
        super().__init__(reason)


class Sample:
    """What a value is chosen by.

    Attributes:
        name: Of the field.
        number: Of the entity, from 1 on.
        random: Random numbers that the seed decides.
    """

    __slots__ = ("name", "number", "random")

    def __init__(self, name: str, number: int, chosen_by: random.Random) -> None:
        self.name, self.number, self.random = name, number, chosen_by


# --- Numbers ----------------------------------------------------------------------------------------------------


def _multiples(schema: Schema, step: Fraction) -> tuple[int, int]:
    """The least and the greatest k for which k * step is within the limits of a type."""
    low, high = None, None
    for name in ("ge", "gt"):
        if name in schema:
            bound = Fraction(schema[name]) / step
            first = math.ceil(bound) + (1 if name == "gt" and bound.denominator == 1 else 0)
            low = first if low is None else max(low, first)
    for name in ("le", "lt"):
        if name in schema:
            bound = Fraction(schema[name]) / step
            last = math.floor(bound) - (1 if name == "lt" and bound.denominator == 1 else 0)
            high = last if high is None else min(high, last)
    span = math.ceil(_SPAN * max(Fraction(1), 1 / step))
    if low is None:
        # From 1 on, or at least above 0, where there is room.
        starts = (math.ceil(1 / step), 1)
        low = next((start for start in starts if high is None or high >= start), (high or 0) - span + 1)
    return low, low + span - 1 if high is None else min(high, low + span - 1)


def _integer(schema: Schema, sample: Sample) -> int:
    step = Fraction(schema.get("multiple_of", 1))
    # Multiples of 2.5 that are whole numbers are multiples of 5.
    step = Fraction(step.numerator)
    low, high = _multiples(schema, step)
    if low > high:
        raise CannotMake("no whole number is within its limits")
    return sample.random.randint(low, high) * step.numerator


def _float(schema: Schema, sample: Sample) -> float:
    if "multiple_of" in schema:
        step = Fraction(schema["multiple_of"])
        low, high = _multiples(schema, step)
        if low <= high:
            return sample.random.randint(low, high) * float(step)
        raise CannotMake("no such multiple is within its limits")
    for digits in (2, 6, 12, 18):
        low, high = _multiples(schema, Fraction(1, 10**digits))
        if low <= high:
            return float(Fraction(sample.random.randint(low, high), 10**digits))
    raise CannotMake("no number is within its limits")


def _decimal(schema: Schema, sample: Sample) -> Decimal:
    digits, places = schema.get("max_digits"), schema.get("decimal_places")
    attempts = [places] if places is not None else [2, 4, 8, 0]
    for count in attempts:
        decimals = count if digits is None else min(count, digits)
        step = Fraction(schema["multiple_of"]) if "multiple_of" in schema else Fraction(1, 10**decimals)
        limits = dict(schema)
        if digits is not None:
            most = Fraction(10 ** (digits - decimals)) - Fraction(1, 10**decimals)
            limits["le"] = min(Fraction(limits.get("le", most)), most)
        low, high = _multiples(limits, step)
        if low <= high:
            made = sample.random.randint(low, high) * step
            return (Decimal(made.numerator) / Decimal(made.denominator)).quantize(Decimal(1).scaleb(-decimals))
    raise CannotMake("no such number is within its limits")


# --- Texts ------------------------------------------------------------------------------------------------------


def _text(schema: Schema, sample: Sample) -> str:
    least, most = schema.get("min_length") or 0, schema.get("max_length")
    pattern = schema.get("pattern")
    if pattern is None:
        return _named(sample, least, most)
    text = pattern if isinstance(pattern, str) else pattern.pattern
    tree = _parsed(text)
    for longer in range(8):
        made = "".join(_matching(tree, sample.random, longer * 4))
        if len(made) >= least and (most is None or len(made) <= most):
            return made
    raise CannotMake(f"no text was found that has the pattern {text!r} and its length")


def _named(sample: Sample, least: int, most: int | None) -> str:
    """A text that names its field and the entity: "name 3"."""
    number = str(sample.number)
    room = 10**9 if most is None else most
    if len(f"{sample.name} {number}") <= room:
        return f"{sample.name} {number}".rjust(least, "x")
    if len(number) > room:
        # Short texts have more digits to choose from.
        digits = string.digits + string.ascii_lowercase
        number, rest = "", sample.number
        while rest and len(number) < room:
            rest, digit = divmod(rest, len(digits))
            number = digits[digit] + number
    return f"{sample.name[: room - len(number)]}{number}".rjust(least, "x")


def _parsed(pattern: str) -> Any:
    parse: Callable[[str], Any] = cast("Any", parser).parse
    try:
        return parse(pattern)
    except re.error as error:
        raise CannotMake(f"its pattern {pattern!r} cannot be read ({error})") from None


_CATEGORIES = {
    "CATEGORY_DIGIT": string.digits,
    "CATEGORY_WORD": string.ascii_letters + string.digits + "_",
    "CATEGORY_SPACE": " ",
    "CATEGORY_NOT_DIGIT": string.ascii_letters,
    "CATEGORY_NOT_WORD": "-",
    "CATEGORY_NOT_SPACE": string.ascii_letters + string.digits,
}
_USUAL = string.ascii_lowercase + string.ascii_uppercase + string.digits + " -_.,!"


def _matching(tree: Any, chosen_by: random.Random, more: int) -> Iterator[str]:
    """Parts of a text that has a pattern; what may come any number of times comes up to `more` times more."""
    for operator, argument in tree:
        kind = str(operator)
        if kind == "LITERAL":
            yield chr(argument)
        elif kind in ("IN", "NOT_LITERAL", "CATEGORY"):
            yield chosen_by.choice(_signs(kind, argument))
        elif kind == "ANY":
            yield chosen_by.choice(string.ascii_lowercase)
        elif kind in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            least, most, repeated = argument
            for _ in range(chosen_by.randint(min(int(most), least + more // 2), min(int(most), least + more))):
                yield from _matching(repeated, chosen_by, more)
        elif kind == "SUBPATTERN":
            yield from _matching(argument[-1], chosen_by, more)
        elif kind == "ATOMIC_GROUP":
            yield from _matching(argument, chosen_by, more)
        elif kind == "BRANCH":
            yield from _matching(chosen_by.choice(argument[1]), chosen_by, more)
        elif kind != "AT" or str(argument) not in ("AT_BEGINNING", "AT_BEGINNING_STRING", "AT_END", "AT_END_STRING"):
            raise CannotMake(f"its pattern has {kind.lower()} in it, for which no text is made")


def _signs(kind: str, argument: Any) -> str:
    if kind == "NOT_LITERAL":
        return _USUAL.replace(chr(argument), "")
    if kind == "CATEGORY":
        return _CATEGORIES[str(argument)]
    is_negated, found = False, ""
    for part, value in argument:
        if str(part) == "NEGATE":
            is_negated = True
        elif str(part) == "LITERAL":
            found += chr(value)
        elif str(part) == "RANGE":
            found += "".join(map(chr, range(value[0], min(value[1], value[0] + 255) + 1)))
        else:
            found += _CATEGORIES[str(value)]
    signs = "".join(sign for sign in _USUAL if sign not in found) if is_negated else found
    if not signs:
        raise CannotMake("its pattern leaves no usual sign to choose")
    return signs


def _bytes(schema: Schema, sample: Sample) -> bytes:
    return _named(sample, schema.get("min_length") or 0, schema.get("max_length")).encode("ascii", "replace")


def _url(schema: Schema, sample: Sample) -> str:
    scheme = (schema.get("allowed_schemes") or ["https"])[-1]
    return f"{scheme}://example.com/{sample.name}/{sample.number}"


# --- Times ------------------------------------------------------------------------------------------------------


def _seconds(schema: Schema, sample: Sample, origin: Any, usual: tuple[int, int], step: int = 1) -> int:
    """Seconds after some origin, a multiple of `step`, within the limits of a type; in the usual range without any."""
    second = datetime.timedelta(seconds=1)
    bounds = {name: Fraction((schema[name] - origin) // second, step) for name in _LIMITS & schema.keys()}
    lows = [math.ceil(bound) for name, bound in bounds.items() if name == "ge"]
    lows += [math.floor(bound) + 1 for name, bound in bounds.items() if name == "gt"]
    highs = [math.floor(bound) for name, bound in bounds.items() if name == "le"]
    highs += [math.ceil(bound) - 1 for name, bound in bounds.items() if name == "lt"]
    first, last = usual[0] // step, usual[1] // step
    if lows:
        low = max(lows)
        high = min(highs) if highs else max(last, low + (last - first))
    elif highs:
        high = min(highs)
        low = min(first, high - (last - first))
    else:
        low, high = first, last
    if low > high:
        raise CannotMake("no moment is within its limits")
    return sample.random.randint(low, high) * step


_LIMITS = {"ge", "gt", "le", "lt"}


def _datetime(schema: Schema, sample: Sample) -> datetime.datetime:
    bounds = [schema[name] for name in _LIMITS & schema.keys()]
    is_naive = schema.get("tz_constraint") == "naive" or any(bound.tzinfo is None for bound in bounds)
    origin = _FUTURE if schema.get("now_op") == "future" else START
    usual = (0, _YEAR) if origin is _FUTURE else (-_YEAR, 0)
    if is_naive:
        origin = origin.replace(tzinfo=None)
    return origin + datetime.timedelta(seconds=_seconds(schema, sample, origin, usual))


def _date(schema: Schema, sample: Sample) -> datetime.date:
    origin = (_FUTURE if schema.get("now_op") == "future" else START).date()
    usual = (0, _YEAR) if origin == _FUTURE.date() else (-_YEAR, 0)
    return origin + datetime.timedelta(seconds=_seconds(schema, sample, origin, usual, _DAY))


def _time(schema: Schema, sample: Sample) -> datetime.time:
    origin = datetime.datetime.combine(START.date(), datetime.time.min)
    limits = {
        name: datetime.datetime.combine(origin, schema[name].replace(tzinfo=None)) for name in _LIMITS & schema.keys()
    }
    whole_day: Schema = {"ge": origin, "le": origin + datetime.timedelta(seconds=_DAY - 1)}
    seconds = _seconds({**whole_day, **limits}, sample, origin, (0, _DAY - 1))
    zone = datetime.UTC if schema.get("tz_constraint") == "aware" else None
    return (origin + datetime.timedelta(seconds=seconds)).time().replace(tzinfo=zone)


def _timedelta(schema: Schema, sample: Sample) -> datetime.timedelta:
    none = datetime.timedelta(0)
    return datetime.timedelta(seconds=_seconds(schema, sample, none, (1, _DAY)))


# --- Others -----------------------------------------------------------------------------------------------------


def _uuid(schema: Schema, sample: Sample) -> UUID:
    return UUID(int=sample.random.getrandbits(128), version=schema.get("version") or 4)


def _choice(schema: Schema, sample: Sample) -> Any:
    return sample.random.choice(schema["expected" if schema["type"] == "literal" else "members"])


#: What makes a value of each type that has no others in it.
MAKERS: dict[str, Callable[[Schema, Sample], Any]] = {
    "any": lambda _, sample: _named(sample, 0, None),
    "bool": lambda _, sample: sample.random.random() < 0.5,
    "bytes": _bytes,
    "date": _date,
    "datetime": _datetime,
    "decimal": _decimal,
    "enum": _choice,
    "float": _float,
    "int": _integer,
    "literal": _choice,
    "none": lambda _, __: None,
    "str": _text,
    "time": _time,
    "timedelta": _timedelta,
    "url": _url,
    "uuid": _uuid,
}
