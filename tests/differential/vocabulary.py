"""Everything that the sources of cases and the scripts may name.

A failing script is printed together with those statements of this file that it needs, so each
statement here must make sense alone, given the ones whose names it uses.
"""

import abc
import array
import collections
import collections.abc
import copy
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import inspect
import ipaddress
import json
import pathlib
import pickle
import re
import types
import typing
import uuid
import zoneinfo
from collections import ChainMap, Counter, OrderedDict, UserDict, defaultdict, deque, namedtuple
from datetime import date, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, Flag, IntEnum, IntFlag, StrEnum
from fractions import Fraction
from types import MappingProxyType, SimpleNamespace
from typing import (
    Annotated,
    Any,
    ClassVar,
    Final,
    ForwardRef,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    Optional,
    Self,
    TypeVar,
    Union,
)
from uuid import UUID

import annotated_types
import pydantic
from annotated_types import Ge, Gt, Interval, Le, Len, Lt, MaxLen, MinLen, MultipleOf
from pydantic import (
    AfterValidator,
    AliasChoices,
    AliasGenerator,
    AliasPath,
    AllowInfNan,
    AnyUrl,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Discriminator,
    Field,
    FutureDate,
    HttpUrl,
    InstanceOf,
    Json,
    NaiveDatetime,
    NonNegativeInt,
    PlainSerializer,
    PlainValidator,
    PositiveInt,
    PrivateAttr,
    RootModel,
    SecretStr,
    SerializeAsAny,
    SkipValidation,
    Strict,
    StrictBool,
    StrictBytes,
    StrictFloat,
    StrictInt,
    StrictStr,
    StringConstraints,
    Tag,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    WrapSerializer,
    WrapValidator,
    computed_field,
    conbytes,
    condecimal,
    confloat,
    conint,
    conlist,
    constr,
    create_model,
    field_serializer,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic.dataclasses import dataclass as pydantic_dataclass
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError, PydanticUndefined, PydanticUseDefault
from typing_extensions import NotRequired, TypeAliasType, TypedDict

AnyOf = Union
Moment = datetime.datetime
nan = float("nan")
inf = float("inf")

# Factories, validators and serializers of a case append to this list, so that who was called, in
# which order and with what is compared as well. It is emptied before each script.
calls: list[Any] = []


def note(what: Any, answer: Any = None) -> Any:
    """Remember a call, and return answer."""
    calls.append(what)
    return answer


def next_number() -> int:
    calls.append("next_number")
    return len(calls)


def new_list() -> list[Any]:
    calls.append("new_list")
    return []


def new_dict() -> dict[Any, Any]:
    calls.append("new_dict")
    return {}


def fail() -> Any:
    calls.append("fail")
    raise RuntimeError("the factory failed")


def unfit() -> Any:
    """A factory whose value has no field type at all."""
    return NotImplemented


class Color(Enum):
    RED = "red"
    GREEN = "green"
    DEEP = ("a", 1)


class Size(str, Enum):
    SMALL = "s"
    LARGE = "l"


class Mood(StrEnum):
    GLAD = "glad"
    SAD = "sad"


class Level(IntEnum):
    LOW = 1
    HIGH = 10


class Grade(int, Enum):
    FIRST = 1
    SECOND = 2


class Rate(float, Enum):
    HALF = 0.5
    ONE = 1.0


class Rights(Flag):
    READ = 1
    WRITE = 2
    RUN = 4


class Bits(IntFlag):
    ONE = 1
    TWO = 2
    FOUR = 4


class Mixed(Enum):
    NUMBER = 1
    TRUTH = 2.5
    TEXT = "1"
    NOTHING = None
    SAME = 1


class Lenient(Enum):
    KNOWN = "known"
    OTHER = "other"

    @classmethod
    def _missing_(cls, value):
        return cls.OTHER if value == "unknown" else None


class Lists(Enum):
    FIRST = [1, 2]
    SECOND = {"a": 1}


class Text(str):
    pass


class Number(int):
    pass


class Amount(float):
    pass


class Raw(bytes):
    pass


class Money(Decimal):
    pass


class Day(date):
    pass


class Instant(datetime.datetime):
    pass


class Span(timedelta):
    pass


class Key(UUID):
    pass


class Items(list):
    pass


class Table(dict):
    pass


class Unique(set):
    pass


class Constant(frozenset):
    pass


class Row(tuple):
    pass


class Point(NamedTuple):
    x: int
    y: int = 0


class LoudText(str):
    """A str whose equality and hash are its own."""

    def __eq__(self, other):
        return False

    def __hash__(self):
        return 1


class MissingTable(dict):
    """A dict that invents what it lacks."""

    def __missing__(self, key):
        return "invented"

    def get(self, key, default=None):
        return "got"


class Indexed:
    def __index__(self):
        return 7

    def __int__(self):
        return 7

    def __float__(self):
        return 7.0

    def __str__(self):
        return "7"

    def __repr__(self):
        return "Indexed()"


class Grumpy:
    """An object that raises on every question."""

    def __eq__(self, other):
        raise RuntimeError("no comparison")

    def __hash__(self):
        raise RuntimeError("no hash")

    def __bool__(self):
        raise RuntimeError("no truth")

    def __len__(self):
        raise RuntimeError("no length")

    def __iter__(self):
        raise RuntimeError("no iteration")

    def __repr__(self):
        return "Grumpy()"


class Duck:
    """Attributes and no more, for from_attributes."""

    def __init__(self, **values):
        self.__dict__.update(values)

    def __repr__(self):
        return f"Duck({self.__dict__!r})"


class Record(collections.abc.Mapping):
    """A mapping that is no dict."""

    def __init__(self, values):
        self.values_ = values

    def __getitem__(self, key):
        return self.values_[key]

    def __iter__(self):
        return iter(self.values_)

    def __len__(self):
        return len(self.values_)

    def __repr__(self):
        return f"Record({self.values_!r})"


class BrokenRecord(Record):
    """A mapping that fails while it is read."""

    def items(self):
        raise RuntimeError("the mapping failed")

    def __getitem__(self, key):
        raise RuntimeError("the mapping failed")


class Shy(datetime.tzinfo):
    """A time zone that does not know its offset."""

    def utcoffset(self, when):
        return None

    def dst(self, when):
        return None

    def tzname(self, when):
        return None


class Changing(datetime.tzinfo):
    """A time zone of one's own, with an odd offset."""

    def utcoffset(self, when):
        return timedelta(hours=3, minutes=7, seconds=11)

    def dst(self, when):
        return timedelta(0)

    def tzname(self, when):
        return "odd"


@dataclasses.dataclass
class Place:
    city: str
    number: int = 1


@pydantic_dataclass
class Parcel:
    city: str
    number: int = 1


class Card(TypedDict):
    title: str
    pages: NotRequired[int]


class Handmade:
    """A class with a pydantic core schema of its own."""

    def __init__(self, text):
        self.text = text

    def __eq__(self, other):
        return isinstance(other, Handmade) and other.text == self.text

    __hash__ = None

    def __repr__(self):
        return f"Handmade({self.text!r})"

    @classmethod
    def __get_pydantic_core_schema__(cls, source, handler):
        from pydantic_core import core_schema

        return core_schema.no_info_after_validator_function(
            cls,
            core_schema.str_schema(),
            serialization=core_schema.plain_serializer_function_ser_schema(lambda made: made.text),
        )


AMSTERDAM = zoneinfo.ZoneInfo("Europe/Amsterdam")
KOLKATA = timezone(timedelta(hours=5, minutes=30))
ODD_ZONE = timezone(timedelta(hours=-3, minutes=-17, seconds=-5))
TINY_ZONE = timezone(timedelta(microseconds=1))
NAMED_ZONE = timezone(timedelta(hours=2), "somewhere")
FAR_ZONE = timezone(timedelta(hours=23, minutes=59))
PLAIN_KEY = UUID("6ba7b810-9dad-41d1-80b4-00c04fd430c8")
OTHER_KEY = UUID(int=0)

Item = TypeVar("Item")
Positive = Annotated[int, Field(gt=0)]
ShortText = Annotated[str, Field(max_length=5)]
UserId = NewType("UserId", int)


def deep_list(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


def deep_dict(depth):
    value = {}
    for _ in range(depth):
        value = {"a": value}
    return value


def cyclic_list():
    value = [1]
    value.append(value)
    return value


def cyclic_dict():
    value = {}
    value["a"] = value
    return value


def shared(one, other):
    """Whether both are the same object, and one that can be changed."""
    return one is other and isinstance(one, list | dict | set | BaseModel)
