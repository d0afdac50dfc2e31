"""Values for fields, as Python source and as JSON text.

``right`` values are those that a field of the annotation accepts as they are, most of the time;
``wild`` ones are coercible, almost right, wrong or hostile. Everything is text, so that each side
of a comparison evaluates its own copies, and a failure can be printed.

The functions take ``draw``, Hypothesis's draw function, and an annotation as pydantic's FieldInfo has
it, with its metadata.
"""

import collections
import collections.abc
import datetime
import decimal
import enum
import functools
import json
import re
import types
import typing
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar, Union

from hypothesis import strategies as st
from pydantic import AliasChoices, AliasPath, BaseModel, RootModel
from pydantic.fields import FieldInfo
from typing_extensions import TypeAliasType, is_typeddict

Draw = Callable[[st.SearchStrategy[Any]], Any]

_up_to = [st.integers(0, limit) for limit in range(600)]
_percents = st.integers(0, 99)


def choose(draw: Draw, options: Sequence[Any]) -> Any:
    return options[draw(_up_to[len(options) - 1])]


def chance(draw: Draw, percent: int) -> bool:
    """True in that many of a hundred cases; shrinks towards False."""
    return draw(_percents) >= 100 - percent


# --- scalars, as Python source ---------------------------------------------------------------------

TEXTS = (
    "''", "'a'", "'text'", "' padded '", "'na\\u00efve \\u2713'", "'\\U00010348'", "'\\x00'",
    "'a\\x00b'", "'\"quoted\" \\\\ /'", "'\\n\\r\\t\\b\\f'", "'\\x1f\\x7f\\x80\\x9f'", "'\\u2028\\u2029'",
    "'\\ufeff'", "'\\uffff'", "'x' * 70", "'x' * 5000", "'\\xe9' * 70", "'1'", "'red'", "'null'",
    "'a' * 7 + '\\x1f' + 'b' * 9", "'0123456789abcde\"'", "'0123456789abcdef\\\\'", "'\\u0130'",
)  # fmt: skip
INTEGERS = (
    "0", "1", "2", "-1", "5", "10", "100", "255", "256", "257", "-6", "2**31", "2**53", "2**53 + 1",
    "2**63 - 1", "2**63", "-2**63", "-2**63 - 1", "2**64", "10**30", "-10**30", "10**400",
)  # fmt: skip
FLOATS = (
    "0.0", "-0.0", "1.0", "1.5", "-2.5", "0.1", "0.3", "1e16", "1e15", "123456789012345680.0", "1e22",
    "1e23", "5e-324", "2.2250738585072014e-308", "1.7976931348623157e308", "1e-5", "1e-7", "0.0001",
    "9007199254740993.0", "100.0", "1e100", "nan", "inf", "-inf", "-nan",
)  # fmt: skip
BYTES = (
    "b''", "b'raw'", "b'\\x00\\x01'", "b'\\xff\\xfe'", "b'na\\xc3\\xafve'", "b'\"\\\\'", "b'x' * 70",
    "b'\\xed\\xa0\\x80'",
)  # fmt: skip
DATETIMES = (
    "Moment(2024, 2, 29, 12, 30, 45, 123456)", "Moment(2024, 1, 1)", "Moment(1, 1, 1)",
    "Moment(9999, 12, 31, 23, 59, 59, 999999)", "Moment(2024, 1, 1, tzinfo=timezone.utc)",
    "Moment(2024, 1, 1, 0, 0, 0, 1, tzinfo=KOLKATA)", "Moment(2024, 1, 1, tzinfo=ODD_ZONE)",
    "Moment(2024, 1, 1, tzinfo=TINY_ZONE)", "Moment(2024, 1, 1, tzinfo=NAMED_ZONE)",
    "Moment(2024, 10, 27, 2, 30, tzinfo=AMSTERDAM)", "Moment(2024, 1, 1, 5, tzinfo=FAR_ZONE)",
    "Moment(2024, 10, 27, 2, 30, tzinfo=AMSTERDAM, fold=1)", "Moment(2024, 1, 1, fold=1)",
    "Moment(1969, 7, 20, 20, 17, 40)", "Moment(2024, 1, 1, 1, 1, 1, 100000)",
    "Moment(2024, 1, 1, tzinfo=Shy())", "Moment(2024, 1, 1, tzinfo=Changing())",
    "Moment(1, 1, 1, tzinfo=KOLKATA)", "Moment(2024, 1, 1, tzinfo=timezone(timedelta(0)))",
)  # fmt: skip
DATES = ("date(2024, 2, 29)", "date(1, 1, 1)", "date(9999, 12, 31)", "date(1970, 1, 1)")
TIMES = (
    "time(12, 30)", "time(0)", "time(23, 59, 59, 999999)", "time(1, 2, 3, 40)", "time(1, fold=1)",
    "time(12, tzinfo=timezone.utc)", "time(12, tzinfo=KOLKATA)", "time(12, tzinfo=ODD_ZONE)",
    "time(12, tzinfo=AMSTERDAM)", "time(12, tzinfo=Changing())", "time(12, tzinfo=TINY_ZONE)",
)  # fmt: skip
SPANS = (
    "timedelta(0)", "timedelta(days=1)", "timedelta(seconds=-1)", "timedelta(microseconds=1)",
    "timedelta(days=-1, microseconds=999999)", "timedelta(weeks=3, hours=5, milliseconds=7)",
    "timedelta.max", "timedelta.min", "timedelta(days=400, seconds=3661)", "timedelta(days=-5)",
    "timedelta(microseconds=-1)", "timedelta(hours=26, microseconds=100000)",
)  # fmt: skip
KEYS = ("PLAIN_KEY", "OTHER_KEY", "UUID(int=2**128 - 1)", "UUID(int=0x1234567812345678, is_safe=uuid.SafeUUID.safe)")
DECIMALS = (
    "Decimal('0')", "Decimal('-0')", "Decimal('1')", "Decimal('1.50')", "Decimal('-2.5')",
    "Decimal('1E+5')", "Decimal('1E-10')", "Decimal('123456789012345678901234567890.12')",
    "Decimal('0.00')", "Decimal('10')", "Decimal('1e400')", "Decimal('00012.30')", "Decimal(0.1)",
    "Decimal('NaN')", "Decimal('-NaN')", "Decimal('sNaN')", "Decimal('NaN123')",
    "Decimal('Infinity')", "Decimal('-Infinity')", "Decimal('0E+3')",
)  # fmt: skip

_text = st.text(max_size=12).map(ascii)
_any_text = st.text(st.characters(), max_size=12).map(ascii)
_integer = st.integers().map(repr)
_float = st.floats().map(lambda value: repr(value))

SCALARS: dict[Any, tuple[str, ...]] = {
    str: TEXTS,
    int: INTEGERS,
    float: FLOATS,
    bool: ("True", "False"),
    type(None): ("None",),
    None: ("None",),
    bytes: BYTES,
    datetime.datetime: DATETIMES,
    datetime.date: DATES,
    datetime.time: TIMES,
    datetime.timedelta: SPANS,
    uuid.UUID: KEYS,
    decimal.Decimal: DECIMALS,
}
_DRAWN = {str: _any_text, int: _integer, float: _float}

# What no field can want, what many fields coerce, and what looks right but is not.
HOSTILE = (
    "None", "True", "False", "0", "1", "-1", "2", "10", "2**63", "2**64", "10**30", "10**400",
    "10**5000", "0.0", "-0.0", "1.0", "1.5", "1e400", "nan", "inf", "-inf", "1e308", "2.0**63",
    "0.1 + 0.2", "1j", "''", "'a'", "' '", "'1'", "' 1 '", "'-1'", "'+1'", "'1.0'", "'1.5'", "'1e3'",
    "'1_000'", "'\\u0661'", "'0x10'", "'nan'", "'NaN'", "'inf'", "'-Infinity'", "'true'", "'True'",
    "'yes'", "'on'", "'off'", "'f'", "'2'", "'9' * 30", "'9' * 5000", "'1' + '0' * 4300", "'\\ud800'",
    "'a\\udfff'", "'\\x00'", "'2024-02-29'", "'2024-02-30'", "'2024-02-29T12:30:45'",
    "'2024-02-29 12:30:45.123456789'", "'2024-02-29T12:30:45Z'", "'2024-02-29T12:30:45+05:30'",
    "'2024-02-29T12:30:45-03:17:05'", "'2024-01-01T00:00:00+24:00'", "'1700000000'", "'1700000000.5'",
    "'12:30'", "'12:30:45.5Z'", "'24:00'", "'P1DT2H3M4.5S'", "'-P1D'", "'1 days 02:03:04'", "'01:02'",
    "'6ba7b810-9dad-41d1-80b4-00c04fd430c8'", "'6BA7B8109DAD41D180B400C04FD430C8'",
    "'{6ba7b810-9dad-41d1-80b4-00c04fd430c8}'", "'urn:uuid:6ba7b810-9dad-41d1-80b4-00c04fd430c8'",
    "'6ba7b810-9dad-41d1-80b4-00c04fd430c'", "'red'", "'s'", "'RED'", "'Color.RED'", "'glad'",
    "b''", "b'raw'", "b'1'", "b'true'", "b'\\xff'", "b'2024-02-29'", "PLAIN_KEY.bytes",
    "bytearray(b'raw')", "bytearray(b'1')", "memoryview(b'raw')", "array.array('b', b'ab')",
    "Text('a')", "Text('1')", "Text('red')", "Text('2024-02-29')", "LoudText('a')", "Number(1)",
    "Number(10)", "Amount(1.0)", "Amount('nan')", "Raw(b'raw')", "Money('1.5')", "Money('NaN')",
    "Day(2024, 2, 29)", "Instant(2024, 2, 29, 1)", "Span(days=1)",
    "Key('6ba7b810-9dad-41d1-80b4-00c04fd430c8')", "Color.RED", "Color.DEEP", "Size.SMALL", "Mood.GLAD",
    "Level.LOW", "Grade.FIRST", "Rate.HALF", "Rights.READ", "Rights.READ | Rights.RUN", "Rights(0)",
    "Bits.ONE", "Bits.ONE | Bits.TWO", "Bits(8)", "Mixed.NUMBER", "Mixed.NOTHING", "Lenient.OTHER",
    "Lists.FIRST", "Color", "('a', 1)",
    "Decimal('1')", "Decimal('1.5')", "Decimal('NaN')", "Decimal('sNaN')", "Decimal('Infinity')",
    "Decimal('1e400')", "Decimal('-0.0')", "Fraction(1, 2)", "Fraction(2, 1)",
    "Moment(2024, 2, 29)", "Moment(2024, 2, 29, 12)", "Moment(2024, 2, 29, tzinfo=KOLKATA)",
    "Moment(2024, 2, 29, tzinfo=Shy())", "date(2024, 2, 29)", "time(12)", "time(12, tzinfo=ODD_ZONE)",
    "timedelta(days=1)", "timedelta(microseconds=-1)", "PLAIN_KEY", "KOLKATA",
    "[]", "[1]", "['a']", "['a', 'b']", "[1, 'a', None]", "[[1]]", "[nan]", "Items()", "Items([1, 2])",
    "()", "(1,)", "(1, 2)", "('a', 'b')", "Row((1, 2))", "Point(1, 2)", "set()", "{1}", "{'a', 'b'}",
    "Unique({1})", "frozenset()", "frozenset({1})", "Constant({1})", "deque([1])", "range(2)",
    "(n for n in (1, 2))", "iter([1])", "map(str, [1])", "{1: 2}.keys()", "{1: 2}.values()",
    "{1: 2}.items()", "{}", "{'a': 1}", "{1: 2}", "{'a': {'a': {}}}", "{None: 1}", "{'1': '1'}",
    "{b'a': 1}", "{('a', 1): 1}", "{Text('a'): 1}", "{1.0: 1, True: 2}", "{nan: 1}", "Table(a=1)",
    "OrderedDict(a=1)", "defaultdict(list, a=[1])", "MissingTable()", "Counter('ab')",
    "MappingProxyType({'a': 1})", "ChainMap({'a': 1})", "UserDict({'a': 1})", "Record({'a': 1})",
    "BrokenRecord({'a': 1})", "SimpleNamespace(a=1)", "Duck(a=1)", "Place('x')", "Parcel('x')",
    "Handmade('x')", "object()", "Ellipsis", "NotImplemented", "PydanticUndefined", "int", "len",
    "lambda: 1", "Exception('x')", "Indexed()", "Grumpy()", "[Grumpy()]", "{'a': Grumpy()}",
    "pathlib.PurePosixPath('a')", "ipaddress.ip_address('127.0.0.1')", "SecretStr('x')",
    "deep_list(20)", "deep_dict(20)", "deep_list(140)", "cyclic_list()", "cyclic_dict()",
    "slice(1)", "types", "property()",
)  # fmt: skip

# Values that a field of the type almost accepts, or accepts after coercion.
NEAR: dict[Any, tuple[str, ...]] = {
    str: (
        "Text('a')", "LoudText('a')", "b'raw'", "b'\\xff'", "bytearray(b'raw')", "1", "True", "Size.SMALL",
        "Mood.GLAD", "Color.RED", "'\\ud800'", "'\\udc00\\ud800'", "'x' * 6", "None", "1.5", "Decimal('1')",
    ),
    int: (
        "True", "False", "Number(1)", "Level.LOW", "Grade.FIRST", "Bits.ONE", "1.0", "1.5", "-0.0",
        "1e16", "1e20", "2.0**63", "nan", "inf", "'1'", "' 1 '", "'1.0'", "'1.5'", "'1_0'", "'9' * 30",
        "'9' * 5000", "b'1'", "Decimal('1')", "Decimal('1.5')", "Decimal('NaN')", "Fraction(2, 1)",
        "Indexed()", "10**5000", "Text('1')", "Amount(1.0)", "'01'", "'-0'", "'1e3'", "'\\u0661'",
    ),
    float: (
        "1", "0", "True", "Number(1)", "Level.LOW", "2**53 + 1", "2**63", "10**400", "'1'", "'1.5'",
        "' 1.5 '", "'nan'", "'inf'", "'1e400'", "'1_0'", "b'1.5'", "Decimal('1.5')", "Decimal('NaN')",
        "Decimal('1e400')", "Amount(1.5)", "Amount('nan')", "Rate.HALF", "Fraction(1, 2)", "Indexed()",
        "10**5000", "Text('1.5')",
    ),
    bool: (
        "0", "1", "2", "-1", "0.0", "1.0", "nan", "'true'", "'True'", "'TRUE'", "'yes'", "'no'", "'on'",
        "'off'", "'t'", "'n'", "'1'", "'0'", "''", "' true'", "b'true'", "Number(1)", "Level.LOW",
        "Decimal('1')", "None", "Text('true')",
    ),
    bytes: (
        "Raw(b'raw')", "bytearray(b'raw')", "memoryview(b'raw')", "'raw'", "'\\u2713'", "'\\ud800'",
        "Text('raw')", "1", "[1]",
    ),
    datetime.datetime: (
        "Instant(2024, 2, 29)", "date(2024, 2, 29)", "Day(2024, 2, 29)", "'2024-02-29'",
        "'2024-02-29T12:30'", "'2024-02-29T12:30:45Z'", "'2024-02-29 12:30:45.1234567'", "1700000000",
        "1700000000.25", "'1700000000'", "-1", "1e20", "nan", "inf", "10**12", "10**30", "True",
        "Decimal('1700000000.5')", "b'2024-02-29T12:30:45'", "'2024-02-29T25:00:00'", "Text('2024-02-29')",
        "'2024-02-29T12:30:45+05:30'", "'2024-02-29T12:30:45-23:59'", "'2024-02-29T12:30:60'",
    ),
    datetime.date: (
        "Day(2024, 2, 29)", "Moment(2024, 2, 29)", "Moment(2024, 2, 29, 1)", "Instant(2024, 2, 29)",
        "Moment(2024, 2, 29, tzinfo=KOLKATA)", "'2024-02-29'", "'2024-02-29T00:00:00'",
        "'2024-02-29T01:00:00'", "1700000000", "1699920000", "0", "0.0", "86400", "nan", "b'2024-02-29'",
        "'2023-02-29'", "True",
    ),
    datetime.time: (
        "'12:30'", "'12:30:45.5'", "'12:30:45Z'", "'12:30:45+05:30'", "0", "3600", "86399.5", "86400",
        "-1", "nan", "b'12:30'", "'25:00'", "Moment(2024, 1, 1, 12)", "True",
    ),
    datetime.timedelta: (
        "Span(days=1)", "'P1D'", "'PT1H30M'", "'1 days 02:03:04'", "'-P1DT1S'", "'01:02:03'", "3600",
        "1.5", "-1", "10**15", "10**30", "nan", "inf", "1e-7", "b'P1D'", "'P1Y'", "Decimal('1.5')",
    ),
    uuid.UUID: (
        "Key(int=5)", "'6ba7b810-9dad-41d1-80b4-00c04fd430c8'", "'6ba7b8109dad41d180b400c04fd430c8'",
        "PLAIN_KEY.bytes", "b'6ba7b810-9dad-41d1-80b4-00c04fd430c8'", "PLAIN_KEY.int", "'zz'",
        "'{6ba7b810-9dad-41d1-80b4-00c04fd430c8}'", "UUID('6ba7b810-9dad-11d1-80b4-00c04fd430c8')",
    ),
    decimal.Decimal: (
        "Money('1.5')", "Money('NaN')", "1", "True", "1.5", "0.1", "nan", "inf", "'1.50'", "' 1.5 '",
        "'NaN'", "'1_000.5'", "'1e5'", "(0, (1, 5), -1)", "b'1.5'", "Number(5)", "Amount(1.5)",
        "10**400", "Fraction(1, 2)", "'\\u0661'",
    ),
}  # fmt: skip

MAPPINGS = (
    "{0}", "Table({0})", "OrderedDict({0})", "MappingProxyType({0})", "UserDict({0})", "Record({0})",
    "defaultdict(list, {0})", "ChainMap({0})", "BrokenRecord({0})", "list({0}.items())", "MissingTable({0})",
)  # fmt: skip
SEQUENCES = (
    "[{0}]", "({0}{1})", "Items([{0}])", "deque([{0}])", "iter([{0}])", "(n for n in [{0}])",
    "Row([{0}])", "tuple([{0}])", "dict.fromkeys(range(3)).keys()", "[*[{0}], [{0}]]",
)  # fmt: skip
SETS = ("{{{0}}}", "frozenset([{0}])", "[{0}]", "({0}{1})", "Unique([{0}])", "Constant([{0}])",
        "dict.fromkeys([{0}])", "dict.fromkeys([{0}]).keys()")  # fmt: skip


# --- reading annotations ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Limits:
    """What the metadata of a field says about its values."""

    bounds: tuple[Any, ...] = ()
    multiple_of: Any = None
    shortest: int = 0
    longest: int | None = None


def limits_of(metadata: Sequence[Any]) -> Limits:
    bounds = []
    multiple, shortest, longest = None, 0, None
    for item in _flat_metadata(metadata):
        for name in ("gt", "ge", "lt", "le"):
            bound = getattr(item, name, None)
            if bound is not None:
                bounds.append(bound)
        multiple = getattr(item, "multiple_of", None) or multiple
        shortest = getattr(item, "min_length", None) or shortest
        longest = getattr(item, "max_length", None) or longest
    return Limits(tuple(bounds), multiple, shortest, longest)


def _flat_metadata(metadata: Sequence[Any]) -> list[Any]:
    flat: list[Any] = []
    for item in metadata:
        flat.extend(_flat_metadata(item.metadata) if isinstance(item, FieldInfo) else [item])
    return flat


def _unwrapped(annotation: Any, metadata: Sequence[Any]) -> tuple[Any, tuple[Any, ...]]:
    """The annotation without Annotated, aliases and NewType, with all of its metadata."""
    while True:
        if typing.get_origin(annotation) is Annotated:
            annotation, *more = typing.get_args(annotation)
            metadata = (*metadata, *more)
        elif isinstance(annotation, TypeAliasType):
            annotation = annotation.__value__
        elif isinstance(annotation, typing.NewType):
            annotation = annotation.__supertype__
        elif isinstance(annotation, TypeVar):
            annotation = annotation.__bound__ or Any
        elif typing.get_origin(annotation) in (typing.Final, typing.ClassVar):
            annotation = typing.get_args(annotation)[0]
        else:
            return annotation, tuple(metadata)


@functools.cache
def numbers_near(kind: Any, limits: Limits) -> tuple[str, ...]:
    """Source of numbers at and around the limits."""
    wanted: list[str] = []
    form = {int: "{0}", float: "float({0})", decimal.Decimal: "Decimal(str({0}))"}[kind]
    for bound in limits.bounds:
        if isinstance(bound, int | float | decimal.Decimal):
            for step in ("", " + 1", " - 1", " + 0.5", " + 1e-9"):
                if kind is not int or ("." not in step and "e" not in step):
                    wanted.append(form.format(f"{bound!r}{step}".replace("Decimal", "float")))
        else:
            wanted.append(_source_of(bound))
    if limits.multiple_of is not None:
        step = f"{limits.multiple_of!r}".replace("Decimal", "float")
        wanted.extend(
            form.format(f"{step} * {factor}") for factor in ("0", "1", "-3", "7", "1.5", "10**20")
            if kind is not int or "." not in factor
        )  # fmt: skip
    return tuple(wanted)


def _source_of(value: Any) -> str:
    return repr(value).replace("datetime.datetime(", "Moment(").replace("datetime.", "")


# --- Python values ---------------------------------------------------------------------------------


def right(draw: Draw, annotation: Any, metadata: Sequence[Any] = (), depth: int = 0) -> str:
    """Source of a value that a field so annotated takes as it is, most of the time."""
    return _value(draw, annotation, metadata, depth, wild=False)


def wild(draw: Draw, annotation: Any, metadata: Sequence[Any] = (), depth: int = 0) -> str:
    """Source of a value that is coercible, wrong or hostile, or right after all."""
    kind = draw(_percents)
    if kind >= 75:
        return choose(draw, HOSTILE)
    if kind >= 15:
        return _value(draw, annotation, metadata, depth, wild=True)
    return right(draw, annotation, metadata, depth)


def _part(draw: Draw, annotation: Any, depth: int, is_wild: bool) -> str:
    if is_wild and chance(draw, 35):
        return wild(draw, annotation, (), depth + 1)
    return right(draw, annotation, (), depth + 1)


def _value(draw: Draw, annotation: Any, metadata: Sequence[Any], depth: int, wild: bool) -> str:
    annotation, metadata = _unwrapped(annotation, metadata)
    limits = limits_of(metadata)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation in SCALARS if _hashable(annotation) else False:
        return _scalar(draw, annotation, limits, wild)
    if origin is Literal:
        member = choose(draw, arguments)
        source = _enum_source(member) if isinstance(member, enum.Enum) else repr(member)
        if wild and isinstance(member, str):
            return choose(draw, (f"Text({source})", f"{source} + 'x'", f"LoudText({source})", "1", "True"))
        if wild and isinstance(member, int):
            return choose(draw, (f"Number({source})", f"float({source})", f"str({source})", "True"))
        return source
    if origin in (Union, types.UnionType):
        part = choose(draw, arguments)
        return _value(draw, part, metadata, depth, wild)
    if isinstance(annotation, type) and origin is None:
        if issubclass(annotation, enum.Enum):
            return _enum(draw, annotation, wild)
        if issubclass(annotation, BaseModel):
            return _model(draw, annotation, depth, wild)
        if is_typeddict(annotation) or hasattr(annotation, "__dataclass_fields__"):
            hints = typing.get_type_hints(annotation, include_extras=True)
            return _dictionary_of(draw, hints, depth, wild)
    container = _CONTAINERS.get(origin or annotation)
    if container is not None:
        return container(draw, arguments, limits, depth, wild)
    # Any, object, type variables, types of which this file knows nothing
    pool = choose(draw, (TEXTS, INTEGERS, FLOATS, HOSTILE, HOSTILE))
    return choose(draw, pool)


def _hashable(annotation: Any) -> bool:
    return isinstance(annotation, type) or annotation is None


def _scalar(draw: Draw, kind: Any, limits: Limits, is_wild: bool) -> str:
    if (limits.bounds or limits.multiple_of) and kind in (int, float, decimal.Decimal):
        near = numbers_near(kind, limits)
        if near and chance(draw, 70):
            return choose(draw, near)
    if kind in (str, bytes) and (limits.shortest or limits.longest):
        longest = limits.longest or limits.shortest + 3
        slack = 2 if is_wild else 0
        length = draw(_up_to[min(longest + slack, 500)])
        letter = choose(draw, ("'x'", "'\\U00010348'", "'\\xe9'")) if kind is str else "b'x'"
        return f"{letter} * {length if is_wild else max(length, limits.shortest)}"
    if is_wild and kind in NEAR:
        return choose(draw, NEAR[kind])
    if kind in _DRAWN and chance(draw, 25):
        text = draw(_DRAWN[kind])
        return f"({text})" if text.startswith("-") else text
    return choose(draw, SCALARS[kind])


def _enum_source(member: enum.Enum) -> str:
    name = type(member).__name__
    if isinstance(member, enum.Flag) and member.name not in type(member).__members__:
        return f"{name}({member.value})"
    return f"{name}.{member.name}"


def _enum(draw: Draw, kind: type[enum.Enum], is_wild: bool) -> str:
    member = choose(draw, tuple(kind.__members__.values()))
    source = _enum_source(member)
    if issubclass(kind, enum.Flag) and chance(draw, 30):
        source = f"({source} | {_enum_source(choose(draw, tuple(kind.__members__.values())))})"
    if not is_wild:
        return source
    return choose(
        draw,
        (
            f"{source}.value", f"{source}.name", f"str({source}.value)", f"[{source}.value]",
            f"Text({source}.value)", f"Number({source}.value)", f"float({source}.value)", "None",
            "'unknown'", "1", "True", "1.0", "-1", "8",
        ),
    )  # fmt: skip


def _size(draw: Draw, limits: Limits, is_wild: bool) -> int:
    if is_wild:
        return draw(_up_to[4])
    longest = limits.longest if limits.longest is not None else limits.shortest + 3
    return limits.shortest + draw(_up_to[max(0, min(longest - limits.shortest, 4))])


# What hashes by its address, so that the order of a set of it is not the same in two runs.
_UNSTABLE = re.compile(
    r"(?i)nan|infinity|object\(|lambda|Duck|Exception|property|Grumpy|Indexed|Handmade|Place|Parcel"
    r"|Record|SecretStr|iter\(|map\(|for n in|values\(\)|Changing|Shy|Case\(|type\("
)


def _sequence(forms: Sequence[str], stable: bool = False) -> Callable[..., str]:
    def value(draw: Draw, arguments: Any, limits: Limits, depth: int, is_wild: bool) -> str:
        item = arguments[0] if arguments else Any
        if depth > 3:
            return forms[0].format("", "")
        size = _size(draw, limits, is_wild)
        items = [_part(draw, item, depth, is_wild) for _ in range(size)]
        if stable:
            items = [source for source in items if not _UNSTABLE.search(source)]
        if items and is_wild and chance(draw, 20):
            items.append(items[0])
        form = choose(draw, forms) if is_wild and chance(draw, 50) else forms[0]
        return form.format(", ".join(items), "," if len(items) == 1 else "")

    return value


def _set(name: str) -> Callable[..., str]:
    general = _sequence((f"{name}([{{0}}])", *SETS), stable=True)

    def value(draw: Draw, arguments: Any, limits: Limits, depth: int, is_wild: bool) -> str:
        source = general(draw, arguments, limits, depth, is_wild)
        return "set()" if source == "{}" else source

    return value


def _tuple(draw: Draw, arguments: Any, limits: Limits, depth: int, is_wild: bool) -> str:
    if not arguments or (len(arguments) == 2 and arguments[1] is Ellipsis):
        forms = ("({0}{1})", *SEQUENCES)
        return _sequence(forms)(draw, arguments[:1], limits, depth, is_wild)
    parts = [] if arguments == ((),) else list(arguments)
    items = [_part(draw, part, depth, is_wild) for part in parts]
    if is_wild and chance(draw, 20):
        items = items[:-1] if chance(draw, 50) else [*items, "1"]
    form = choose(draw, SEQUENCES) if is_wild and chance(draw, 40) else "({0}{1})"
    return form.format(", ".join(items), "," if len(items) == 1 else "")


def _dict(draw: Draw, arguments: Any, limits: Limits, depth: int, is_wild: bool) -> str:
    key_type, value_type = arguments if len(arguments) == 2 else (str, Any)
    if depth > 3:
        return "{}"
    pairs = [
        f"{_part(draw, key_type, depth, is_wild)}: {_part(draw, value_type, depth, is_wild)}"
        for _ in range(_size(draw, limits, is_wild))
    ]
    form = choose(draw, MAPPINGS) if is_wild and chance(draw, 35) else "{0}"
    return form.format("{" + ", ".join(pairs) + "}")


_CONTAINERS: dict[Any, Callable[..., str]] = {
    list: _sequence(SEQUENCES),
    collections.deque: _sequence(("deque([{0}])", *SEQUENCES)),
    collections.abc.Sequence: _sequence(SEQUENCES),
    collections.abc.Iterable: _sequence(SEQUENCES),
    set: _set("set"),
    frozenset: _set("frozenset"),
    collections.abc.Set: _set("set"),
    tuple: _tuple,
    dict: _dict,
    collections.abc.Mapping: _dict,
    collections.defaultdict: _dict,
    collections.OrderedDict: _dict,
}


def _dictionary_of(draw: Draw, hints: dict[str, Any], depth: int, is_wild: bool) -> str:
    if depth > 3:
        return "{}"
    pairs = [f"{name!r}: {_part(draw, hint, depth, is_wild)}" for name, hint in hints.items()]
    if is_wild and chance(draw, 30):
        pairs = pairs[1:]
    return "{" + ", ".join(pairs) + "}"


def _model(draw: Draw, kind: type[BaseModel], depth: int, is_wild: bool) -> str:
    if depth > 3:
        return "None"
    if issubclass(kind, RootModel):
        field = kind.__pydantic_fields__["root"]
        source = _value(draw, field.annotation, field.metadata, depth + 1, is_wild)
        return source if chance(draw, 50) else f"{kind.__name__}({source})"
    given = given_values(draw, kind, depth + 1, "wild" if is_wild else "right")
    named = kind.__name__.isidentifier()
    if named and chance(draw, 40):
        instance = f"{kind.__name__}(**{given})"
        if is_wild:
            return choose(draw, (
                instance, f"{kind.__name__}.model_construct(**{given})", f"Duck(**{given})",
                f"{instance}.model_dump()", f"type('Sub', ({kind.__name__},), {{}})(**{given})",
            ))  # fmt: skip
        return instance
    if is_wild and chance(draw, 20):
        return choose(draw, MAPPINGS).format(given)
    return given


# --- whole objects ---------------------------------------------------------------------------------


@functools.cache
def keys_of(kind: type[BaseModel], name: str) -> tuple[str, ...]:
    """The keys under which an input may carry the field: the likeliest first."""
    field = kind.__pydantic_fields__[name]
    keys: list[str] = []
    for alias in (field.validation_alias, field.alias):
        if isinstance(alias, str):
            keys.append(alias)
        elif isinstance(alias, AliasPath):
            keys.append(str(alias.path[0]))
        elif isinstance(alias, AliasChoices):
            keys.extend(str(c.path[0]) if isinstance(c, AliasPath) else c for c in alias.choices)
    return tuple(dict.fromkeys([*keys, name]))


ODD_KEYS = (
    "1", "None", "b'a'", "Text('a')", "LoudText('a')", "('a',)", "True", "1.5", "'a '", "'\\ud800'",
    "''", "'unknown'", "'self'", "'data'", "'model_config'", "'__dict__'", "'__pydantic_fields_set__'",
    "'id'", "Mood.GLAD", "'a\\x00'", "'_private'", "object()",
)  # fmt: skip


def pairs_given(draw: Draw, kind: type[BaseModel], depth: int, manner: str) -> list[tuple[str, str]]:
    """(source of key, source of value) for an object of the class.

    manner: "right", every value is right; "one wrong", one of them is wild; "wild", all may be.
    """
    fields = kind.__pydantic_fields__
    names = list(fields)
    wrong = choose(draw, names) if manner == "one wrong" and names else None
    pairs: list[tuple[str, str]] = []
    for name in names:
        field = fields[name]
        if not field.is_required() and chance(draw, 35):
            continue
        if manner == "wild" and chance(draw, 8):
            continue
        is_wild = name == wrong or (manner == "wild" and chance(draw, 40))
        value = (wild if is_wild else right)(draw, field.annotation, field.metadata, depth)
        keys = keys_of(kind, name)
        key = keys[0] if len(keys) == 1 or not chance(draw, 25) else choose(draw, keys)
        pairs.append((ascii(key), value))
    if manner == "wild" or chance(draw, 15):
        if chance(draw, 30):
            pairs.append((choose(draw, ("'extra'", "'unknown'", "'id'")), choose(draw, HOSTILE)))
        if manner == "wild" and chance(draw, 10):
            pairs.append((choose(draw, ODD_KEYS), choose(draw, TEXTS)))
        if pairs and chance(draw, 20):
            pairs.reverse()
    return pairs


def given_values(draw: Draw, kind: type[BaseModel], depth: int = 0, manner: str = "right") -> str:
    pairs = pairs_given(draw, kind, depth, manner)
    return "{" + ", ".join(f"{key}: {value}" for key, value in pairs) + "}"


# --- JSON ------------------------------------------------------------------------------------------

JSON_STRINGS = (
    '""', '"a"', '"text"', '" padded "', '"na\u00efve \u2713"', '"\U00010348"', r'"\u0000"', r'"\"\\\/\b\f\n\r\t"',
    r'"\ud800\udf48"', r'"\u00e9"', r'"\u2028"', '"\u2028"', '"\x7f"', '"1"', '"null"', '"' + "x" * 70 + '"',
    r'"a\u0062c"', '"\ufeff"', '"' + "\u00e9" * 40 + '"', '"/"',
)  # fmt: skip
JSON_INTEGERS = (
    "0", "1", "-1", "5", "10", "100", "9007199254740993", "9223372036854775807", "9223372036854775808",
    "-9223372036854775808", "-9223372036854775809", "18446744073709551616", "1" + "0" * 30,
    "-0", "9" * 100,
)  # fmt: skip
JSON_FLOATS = (
    "0.0", "-0.0", "1.0", "1.5", "-2.5", "0.1", "1e16", "1E+2", "1e-5", "1e22", "1e23", "5e-324",
    "2.2250738585072011e-308", "1.7976931348623157e308", "123456789.123456789", "0.1e1", "1", "0", "-1",
    "9007199254740993", "1e400", "-1e400", "1e-400", "NaN", "Infinity", "-Infinity", "10" * 40,
    "0.30000000000000004", "179769313486231580793e289", "-0", "1.0000000000000002",
)  # fmt: skip
JSON_SCALARS: dict[Any, tuple[str, ...]] = {
    str: JSON_STRINGS,
    int: JSON_INTEGERS,
    float: JSON_FLOATS,
    bool: ("true", "false"),
    type(None): ("null",),
    None: ("null",),
    bytes: ('""', '"raw"', '"na\u00efve"', r'"\u0000"', '"cmF3"', '"_-8="'),
    datetime.datetime: (
        '"2024-02-29T12:30:45"', '"2024-02-29T12:30:45.123456Z"', '"2024-02-29 12:30"', '"0001-01-01T00:00:00"',
        '"2024-02-29T12:30:45+05:30"', '"2024-02-29T12:30:45-03:17"', '"9999-12-31T23:59:59.999999"',
        '"2024-02-29t12:30:45z"', '"2024-02-29"', '"2024-02-29T12:30:45.1"', '"2024-02-29T12:30:45+0530"',
        '"2024-02-29T12:30:45,5"', '"2024-02-29_12:30:45"', '"2024-02-29T12:30:45+00:00"', "1700000000",
        '"2024-02-29T12:30:45-00:00"', '"2024-02-29T12:30:45+23:59"', '"2024-02-29T12:30:45.1234567"',
        "1700000000.5", "1700000000000", "-1",
    ),
    datetime.date: ('"2024-02-29"', '"0001-01-01"', '"9999-12-31"', '"2024-02-29T00:00:00"', "0", "1699920000"),
    datetime.time: ('"12:30"', '"12:30:45"', '"23:59:59.999999"', '"12:30:45Z"', '"12:30:45+05:30"', "0",
                    '"12:30:45.1234567"', '"00:00:00"'),
    datetime.timedelta: ('"PT0S"', '"P1D"', '"-P1DT0.000001S"', '"PT1H30M"', '"1 days 02:03:04.5"', "1.5", "0",
                         '"P999999999DT23H59M59.999999S"', '"-P999999999D"', '"01:02:03"', '"P1W"'),
    uuid.UUID: (
        '"6ba7b810-9dad-41d1-80b4-00c04fd430c8"', '"00000000-0000-0000-0000-000000000000"',
        '"6BA7B810-9DAD-41D1-80B4-00C04FD430C8"', '"6ba7b8109dad41d180b400c04fd430c8"',
        '"{6ba7b810-9dad-41d1-80b4-00c04fd430c8}"', '"urn:uuid:6ba7b810-9dad-41d1-80b4-00c04fd430c8"',
    ),
    decimal.Decimal: ('"1.50"', "1.50", "1", "0.1", '"1E+5"', "1e5", '"0.00"', "-0", '"NaN"', "NaN", '"Infinity"',
                      "1e400", "123456789012345678901234567890.12", '"-0.0"', '"sNaN"', "0.10000000000000000001"),
}  # fmt: skip
JSON_HOSTILE = (
    "null", "true", "false", "0", "1", "-1", "1.0", "1.5", "1e3", "-0", "-0.0", "1e400", "-1e400", "1E-400",
    "123456789012345678901234567890", "9" * 400, "9" * 4301, "0." + "1" * 400, "1e99999999999999999999",
    "NaN", "Infinity", "-Infinity", "nan", "Inf", "-NaN", "01", "-01", "1.", ".5", "+1", "1e", "1e+", "--1",
    "0x10", "1_000", "-", '""', '"a"', '"1"', '" 1 "', '"1.0"', '"1e3"', '"true"', '"null"', '"NaN"', '"red"', '"s"',
    '"x"', r'"\ud800"', r'"\udc00\ud800"', r'"\ud800a"', r'"\u00"', r'"\x41"', r'"\u0000"', '"\x00"', '"\n"', '"\t"',
    '"unclosed', "'a'", "\"a\" \"b\"", '"\\', "[]", "[1]", '["a"]', "[1,]", "[,]", "[1 2]", "[[1]]", "[null]",
    "[1, \"a\", null]", "{}", '{"a": 1}', '{"a": 1,}', '{"a"}', "{1: 2}", '{"a": 1, "a": 2}', "{a: 1}",
    '{"a": {"a": {}}}', "[" * 20 + "]" * 20, "[" * 250 + "]" * 250, '{"a":' * 30 + "1" + "}" * 30, "tru", "nul",
    "undefined",
    "// comment\n1", "/* comment */ 1", "", " ", "[" * 10_000, '"2024-02-30"', '"24:00"', "True", "None",
    '"' + "x" * 5000 + '"', '"\ud83d\ude00"'.encode("utf-16", "surrogatepass").decode("utf-16"), '"\u0661"',
)  # fmt: skip
_json_text = st.text(max_size=12).map(json.dumps)
_json_wide_text = st.text(max_size=12).map(lambda text: json.dumps(text, ensure_ascii=False))
_json_drawn = {
    str: (_json_text, _json_wide_text),
    int: (st.integers().map(str),),
    float: (st.floats(allow_nan=False, allow_infinity=False).map(repr),),
}


def json_value(draw: Draw, annotation: Any, metadata: Sequence[Any], depth: int, is_wild: bool) -> str:
    """JSON text for a field; broken JSON at times when it is wild."""
    if is_wild and chance(draw, 40):
        return choose(draw, JSON_HOSTILE)
    annotation, metadata = _unwrapped(annotation, metadata)
    limits = limits_of(metadata)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation in JSON_SCALARS if _hashable(annotation) else False:
        return _json_scalar(draw, annotation, limits, is_wild)
    if origin is Literal:
        member = choose(draw, arguments)
        return _json_dumps(member.value if isinstance(member, enum.Enum) else member)
    if origin in (Union, types.UnionType):
        return json_value(draw, choose(draw, arguments), metadata, depth, is_wild)
    if isinstance(annotation, type) and origin is None:
        if issubclass(annotation, enum.Enum):
            return _json_dumps(choose(draw, tuple(annotation.__members__.values())).value)
        if issubclass(annotation, BaseModel):
            if issubclass(annotation, RootModel):
                field = annotation.__pydantic_fields__["root"]
                return json_value(draw, field.annotation, field.metadata, depth + 1, is_wild)
            return json_object(draw, annotation, depth + 1, "wild" if is_wild else "right")
        if is_typeddict(annotation) or hasattr(annotation, "__dataclass_fields__"):
            hints = typing.get_type_hints(annotation, include_extras=True)
            parts = [
                f"{json.dumps(name)}: {json_value(draw, hint, (), depth + 1, is_wild)}" for name, hint in hints.items()
            ]
            return "{" + ", ".join(parts) + "}"
    kind = origin or annotation
    if kind in (dict, collections.abc.Mapping, collections.defaultdict, collections.OrderedDict):
        key_type, value_type = arguments if len(arguments) == 2 else (str, Any)
        pairs = []
        for _ in range(0 if depth > 3 else _size(draw, limits, is_wild)):
            key = json_value(draw, key_type, (), depth + 1, is_wild)
            if not key.startswith('"'):
                key = json.dumps(key)
            wild_part = is_wild and chance(draw, 35)
            pairs.append(f"{key}:{json_value(draw, value_type, (), depth + 1, wild_part)}")
        return "{" + ",".join(pairs) + "}"
    if kind in _CONTAINERS:
        if kind is tuple and arguments and arguments[-1] is not Ellipsis:
            parts_of = [] if arguments == ((),) else list(arguments)
        else:
            item = arguments[0] if arguments else Any
            parts_of = [item] * (0 if depth > 3 else _size(draw, limits, is_wild))
        parts = [json_value(draw, part, (), depth + 1, is_wild and chance(draw, 35)) for part in parts_of]
        if kind in (set, frozenset):
            parts = [part for part in parts if not _UNSTABLE.search(part)]
        return "[" + choose(draw, (",", ", ", " ,\n\t")).join(parts) + "]"
    return choose(draw, choose(draw, (JSON_STRINGS, JSON_INTEGERS, JSON_FLOATS, JSON_HOSTILE[:45])))


def _json_dumps(value: Any) -> str:
    return json.dumps(value, default=str)


def _json_scalar(draw: Draw, kind: Any, limits: Limits, is_wild: bool) -> str:
    if (limits.bounds or limits.multiple_of) and kind in (int, float, decimal.Decimal):
        near = numbers_near(kind, limits)
        if near and chance(draw, 70):
            value = eval(choose(draw, near), {"Decimal": decimal.Decimal})  # noqa: S307 - our text
            return str(value)
    if kind is str and (limits.shortest or limits.longest):
        longest = limits.longest or limits.shortest + 3
        length = draw(_up_to[min(longest + (2 if is_wild else 0), 500)])
        letter = choose(draw, ("x", "\U00010348", r"\u00e9"))
        return '"' + letter * (length if is_wild else max(length, limits.shortest)) + '"'
    if kind in _json_drawn and chance(draw, 25):
        return str(draw(choose(draw, _json_drawn[kind])))
    return choose(draw, JSON_SCALARS[kind])


def json_object(draw: Draw, kind: type[BaseModel], depth: int, manner: str) -> str:
    """JSON text of an object of the class."""
    if depth > 4:
        return "null"
    fields = kind.__pydantic_fields__
    names = list(fields)
    wrong = choose(draw, names) if manner == "one wrong" and names else None
    parts: list[str] = []
    for name in names:
        field = fields[name]
        if not field.is_required() and chance(draw, 35):
            continue
        if manner == "wild" and chance(draw, 8):
            continue
        is_wild = name == wrong or (manner == "wild" and chance(draw, 40))
        value = json_value(draw, field.annotation, field.metadata, depth, is_wild)
        keys = keys_of(kind, name)
        key = keys[0] if len(keys) == 1 or not chance(draw, 25) else choose(draw, keys)
        parts.append(f"{_json_key(draw, key)}{choose(draw, _COLONS)}{value}")
    if manner == "wild" or chance(draw, 15):
        if chance(draw, 30):
            key = choose(draw, ('"extra"', '"unknown"', '"id"', '""', r'"\u0000"', '"\u00e9"', r'"\ud800"'))
            parts.append(f"{key}: {choose(draw, JSON_HOSTILE)}")
        if parts and chance(draw, 20):
            parts.append(choose(draw, parts))  # a duplicate
        if parts and chance(draw, 20):
            parts.reverse()
    return "{" + choose(draw, _COMMAS).join(parts) + choose(draw, _ENDS) + "}"


_COLONS = (":", ": ", " :\t\r\n ")
_COMMAS = (",", ", ", " ,\n  ")
_ENDS = ("", "", "", " ", "\n")


def _json_key(draw: Draw, key: str) -> str:
    if chance(draw, 10):
        return '"' + "".join(f"\\u{ord(letter):04x}" for letter in key if ord(letter) < 65536) + '"'
    return json.dumps(key, ensure_ascii=chance(draw, 50))


@dataclass(frozen=True)
class Spoiler:
    """Something that happens to a whole document."""

    name: str
    spoil: Callable[[Draw, bytes], bytes]


def _cut(draw: Draw, document: bytes) -> bytes:
    return document[: draw(st.integers(0, max(len(document) - 1, 0)))]


def _flip(draw: Draw, document: bytes) -> bytes:
    if not document:
        return document
    place = draw(st.integers(0, len(document) - 1))
    other = choose(draw, tuple(b'"\\{}[],:0-e.u\x00\xff\xc3\xed \n\xef/'))
    return document[:place] + bytes([other]) + document[place + 1 :]


def _drop(draw: Draw, document: bytes) -> bytes:
    place = draw(st.integers(0, max(len(document) - 1, 0)))
    return document[:place] + document[place + 1 :]


def _insert(draw: Draw, document: bytes) -> bytes:
    place = draw(st.integers(0, len(document)))
    added = choose(draw, (
        b"\xff", b"\xc3", b"\xed\xa0\x80", b"\x00", b"\xef\xbb\xbf", b" ", b"\n", b",", b'"', b"\\",
        b"\\u12", b"\\ud800", b"\xf4\x90\x80\x80", b"\xc0\x80", b"\xe2\x80", b"\x0c", b"\xc2\xa0", b"0", b"}",
    ))  # fmt: skip
    return document[:place] + added + document[place:]


_SPOILERS: tuple[Callable[[Draw, bytes], bytes], ...] = (
    _cut,
    _flip,
    _drop,
    _insert,
    lambda draw, document: document + choose(draw, (b" ", b"\n\r\t ", b"x", b"}", b",", b"{}", b"\x00", b"null")),
    lambda draw, document: choose(draw, (b" ", b"\n\t\r ", b"\xef\xbb\xbf", b"\x0b", b"x", b"\xa0")) + document,
    lambda draw, document: document.decode("utf-8", "replace").encode("utf-16"),
    lambda draw, document: choose(draw, (b"", b" ", b"null", b"[]", b"1", b'"a"', b"[{}]", b"{", b"}", b"\x00")),
)  # fmt: skip

_JSON_FORMS = ("{0!r}", "{0!r}", "bytearray({0!r})", "str({0!r}, 'utf-8')", "Raw({0!r})", "Text({0!r}, 'utf-8')",
               "memoryview({0!r})")  # fmt: skip


def document_source(draw: Draw, text: str, spoiled: bool = False) -> str:
    """The document as source of a bytes, bytearray or str."""
    data = text.encode("utf-8", "surrogatepass")
    if spoiled:
        data = choose(draw, _SPOILERS)(draw, data)
    if chance(draw, 15):
        form = choose(draw, _JSON_FORMS)
        if "utf-8" in form and not _is_utf8(data):
            form = "{0!r}"
        return form.format(data)
    return repr(data)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
