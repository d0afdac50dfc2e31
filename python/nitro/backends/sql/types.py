"""Fields as columns: the column type of a field, and the codec between its values and those of the driver.

A value that a database cannot hold exactly is refused when it is saved; what was stored comes back as it was. Nested
models, containers, unions and whatever else has no column type of its own are JSON.
"""

from __future__ import annotations

import datetime
import decimal
import enum
import json
import re
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, cast, get_args, get_origin

import sqlalchemy as sa
from pydantic import AwareDatetime, BaseModel, ConfigDict, NaiveDatetime, SecretBytes, SecretStr, TypeAdapter
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticSerializationError
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import psycopg
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

from ... import _core
from ...errors import ConfigurationError
from ...fields import setting
from ...relations import key_type, target_of

Codec = Callable[[Any], Any]

UTC = datetime.UTC

INT64 = range(-(2**63), 2**63)

#: How many digits a NUMERIC of PostgreSQL may have before the point, and after it.
_NUMERIC_DIGITS = (131072, 16383)


class Refused(ValueError):
    """A value that a column cannot hold; the message says why, and what would do."""


# --- Values of each kind ----------------------------------------------------------------------------------------


def _text_in(value: str) -> str:
    if "\0" in value:
        raise Refused("a database keeps no text with a NUL character in it: leave it out, or use a field of bytes")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Refused("half of a surrogate pair is no text that a database keeps") from None
    return value


def _integer_in(value: int) -> int:
    if value not in INT64:
        raise Refused("an integer column holds 64 bits: use a Decimal for numbers beyond them")
    return value


def _float_in(value: float) -> float:
    if value != value:
        raise Refused("a database has no NaN that compares as floats do: use None for what is unknown")
    return value


def _decimal_in(value: decimal.Decimal) -> decimal.Decimal:
    if not value.is_finite():
        raise Refused("a numeric column holds finite numbers only")
    exponent = cast("int", value.as_tuple().exponent)
    if value.adjusted() >= _NUMERIC_DIGITS[0] or -exponent > _NUMERIC_DIGITS[1] or exponent > 1000:
        raise Refused("a numeric column does not hold numbers of that size")
    return value


def _decimal_text_in(value: decimal.Decimal) -> str:
    return str(_decimal_in(value))


def _moment_in(value: datetime.datetime) -> datetime.datetime:
    if value.tzinfo is None:
        raise Refused(
            "a moment without a time zone is no instant: give it one, such as datetime.now(UTC), "
            "or declare the field as pydantic.NaiveDatetime"
        )
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise Refused("the moment lies outside of the years 1 to 9999 in UTC") from None


def _moment_text_in(value: datetime.datetime) -> str:
    return _moment_in(value).replace(tzinfo=None).isoformat(" ", "microseconds")


def _moment_text_out(text: str) -> datetime.datetime:
    value = datetime.datetime.fromisoformat(text)
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _moment_out(value: datetime.datetime) -> datetime.datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _naive_in(value: datetime.datetime) -> datetime.datetime:
    if value.tzinfo is not None:
        raise Refused("the column keeps moments without a time zone")
    return value


def _naive_text_in(value: datetime.datetime) -> str:
    return _naive_in(value).isoformat(" ", "microseconds")


def _time_in(value: datetime.time) -> datetime.time:
    if value.tzinfo is not None:
        raise Refused("the column keeps times of day without a time zone: keep a moment, or the offset beside it")
    return value


def _time_text_in(value: datetime.time) -> str:
    return _time_in(value).isoformat("microseconds")


def _span_in(value: datetime.timedelta) -> int:
    microseconds = (value.days * 86_400 + value.seconds) * 1_000_000 + value.microseconds
    if microseconds not in INT64:
        raise Refused("the column counts microseconds in 64 bits, which is 292,000 years")
    return microseconds


def _span_out(value: int) -> datetime.timedelta:
    return datetime.timedelta(microseconds=value)


def _uuid_text_in(value: uuid.UUID) -> str:
    return value.hex


def _value_of(member: Any) -> Any:
    return member.value if isinstance(member, enum.Enum) else member


# --- JSON -------------------------------------------------------------------------------------------------------

_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


class JsonCodec:
    """The values of a field as JSON text, which nothing changes on its way to the database and back.

    Args:
        annotation: The type of the values, without None.
    """

    def __init__(self, annotation: Any) -> None:
        self.annotation = annotation
        self.adapter = _adapter(annotation)
        self.is_set = get_origin(annotation) in (set, frozenset) or annotation in (set, frozenset)
        self.model: Any = annotation if _is_native(annotation) else None
        self.keeps = _keeps(annotation)
        #: Whether every instance of the model comes back as it was.
        self.exact = self.model is not None and self.keeps is not _never

    def encode(self, value: Any) -> str:
        """The JSON of a value.

        Raises:
            Refused: If reading it would give another value.
        """
        data = None
        if self.model is not None and type(value) is self.model:
            data = _core.encode_fast(value)
        if data is None:
            try:
                data = self.adapter.dump_json(value, by_alias=False, round_trip=True, warnings="error")
            except (PydanticSerializationError, ValueError) as error:
                raise Refused(f"it has no JSON: {error}") from None
        if self.is_set:
            data = _sorted_items(data)
        if b"\\u0000" in data and _NUL.search(data):
            raise Refused("a database keeps no text with a NUL character in it")
        text = data.decode()
        if not self.keeps(value):
            try:
                same = self.decode(text) == value
            except ValueError as error:
                raise Refused(f"its JSON cannot be read back: {error}") from None
            if not same:
                raise Refused("it is not the same when it is read back from JSON")
        return text

    def decode(self, text: str) -> Any:
        """The value of a JSON text that `encode` made."""
        if self.model is not None:
            found = _core.decode_fast(self.model, text, False)
            if found is not None:
                return found
        return self.adapter.validate_json(text, by_alias=False, by_name=True)


def _sorted_items(data: bytes) -> bytes:
    # A set has no order; two that are equal are to be one text.
    return b"[" + b",".join(sorted(json.dumps(item, ensure_ascii=False).encode() for item in json.loads(data))) + b"]"


def _adapter(annotation: Any) -> TypeAdapter[Any]:
    try:
        return TypeAdapter(annotation, config=ConfigDict(ser_json_bytes="base64", val_json_bytes="base64"))
    except PydanticUserError:
        # Models and the like have settings of their own.
        return TypeAdapter(annotation)


def _is_native(annotation: Any) -> bool:
    """Whether it is a model whose JSON Nitro reads and writes itself, by the names of its fields."""
    if not (isinstance(annotation, type) and issubclass(type(annotation), _core.MetaCore)):
        return False
    fields = cast("type[BaseModel]", annotation).__pydantic_fields__.values()
    return all(
        info.alias is None and info.validation_alias is None and info.serialization_alias is None for info in fields
    )


def _never(_: Any) -> bool:
    return False


def _keeps(annotation: Any) -> Callable[[Any], bool]:
    """Whether a value surely comes back from JSON as it was, so that nobody has to look."""
    exact: tuple[Any, ...] = (str, int, bool)
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin in (list, set, frozenset) and parts and parts[0] in exact:
        (item, *_) = parts
        return lambda value: all(type(part) is item for part in value)
    if origin is dict and len(parts) == 2 and parts[0] is str and parts[1] in exact:
        item = parts[1]
        return lambda value: all(type(part) is item for part in value.values())
    if _is_native(annotation):
        fields: dict[str, FieldInfo] = annotation.__pydantic_fields__
        plan: Any = annotation.__nitro_plan__
        if all(info.annotation in exact for info in fields.values()) and plan is not None:
            return lambda value: type(value) is annotation and _core.encode_fast(value) is not None
    return _never


# --- Column types that plain SQLAlchemy has not -------------------------------------------------------------------


class _Coded(TypeDecorator[Any]):
    """A column type with values of our own; migrations write its plain impl.

    Each says `cache_ok` itself: SQLAlchemy wants to hear it from the very class, or compiles every statement anew.
    """

    def coerce_compared_value(self, op: Any, value: Any) -> TypeEngine[Any]:  # noqa: ARG002  (SQLAlchemy's parameters)
        return self

    def codec(self, dialect: str) -> tuple[Codec | None, Codec | None]:
        """How values go into a database and come out."""
        raise NotImplementedError

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        encode = self.codec(dialect.name)[0]
        return value if value is None or encode is None else encode(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        decode = self.codec(dialect.name)[1]
        return value if value is None or decode is None else decode(value)


class Moment(_Coded):
    """An instant: TIMESTAMPTZ, and on SQLite text in UTC of fixed width."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(sa.String() if dialect.name == "sqlite" else sa.DateTime(timezone=True))

    def codec(self, dialect: str) -> tuple[Codec | None, Codec | None]:
        return (_moment_text_in, _moment_text_out) if dialect == "sqlite" else (_moment_in, _moment_out)


class ExactDecimal(_Coded):
    """A Decimal: NUMERIC, and on SQLite, which has only floats, text.

    Attributes of a table class are compared as numbers on SQLite too, with the precision of its floats.
    """

    impl = sa.Numeric()
    cache_ok = True

    def __init__(self, precision: int | None = None, scale: int | None = None) -> None:
        super().__init__()
        self.precision, self.scale = precision, scale

    class comparator_factory(  # type: ignore[override]  # noqa: N801  (SQLAlchemy's name)
        sa.Numeric.Comparator[decimal.Decimal]
    ):
        def operate(self, op: Any, *other: Any, **keywords: Any) -> Any:
            if "parententity" in self.expr._annotations and not isinstance(self.expr, _AsNumber):
                return op(_AsNumber(self.expr), *other, **keywords)
            return super().operate(op, *other, **keywords)

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return super().process_bind_param(_as_decimal(value), dialect)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return _as_decimal(value) if isinstance(value, int | float) else super().process_result_value(value, dialect)

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        plain = sa.String() if dialect.name == "sqlite" else sa.Numeric(self.precision, self.scale)
        return dialect.type_descriptor(plain)

    def codec(self, dialect: str) -> tuple[Codec | None, Codec | None]:
        return (_decimal_text_in, decimal.Decimal) if dialect == "sqlite" else (_decimal_in, None)


def _as_decimal(value: Any) -> Any:
    """A number of another type as the Decimal that it is written as; a sum of SQLite's is one."""
    return decimal.Decimal(repr(value)) if isinstance(value, int | float) and not isinstance(value, bool) else value


class _AsNumber(FunctionElement[decimal.Decimal]):
    """A Decimal, in the order of numbers."""

    inherit_cache = True

    def __init__(self, expression: Any) -> None:
        super().__init__(expression)
        self.type = expression.type


@compiles(_AsNumber)
def _number_as_it_is(element: _AsNumber, compiler: Any, **keywords: Any) -> str:
    return compiler.process(element.clauses.clauses[0], **keywords)


@compiles(_AsNumber, "sqlite")
def _number_of_text(element: _AsNumber, compiler: Any, **keywords: Any) -> str:
    return f"CAST({compiler.process(element.clauses.clauses[0], **keywords)} AS NUMERIC)"


class Span(_Coded):
    """A timedelta: INTERVAL, and on SQLite a count of microseconds."""

    impl = sa.Interval()
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(sa.BigInteger() if dialect.name == "sqlite" else postgresql.INTERVAL())

    def codec(self, dialect: str) -> tuple[Codec | None, Codec | None]:
        return (_span_in, _span_out) if dialect == "sqlite" else (_span_checked, None)


def _span_checked(value: datetime.timedelta) -> datetime.timedelta:
    _span_in(value)
    return value


class EnumValue(_Coded):
    """The value of an enum's member: text or a number."""

    impl = sa.String()
    cache_ok = True

    def __init__(self, members: type[enum.Enum]) -> None:
        super().__init__()
        self.members = members
        self.numbers = all(isinstance(member.value, int) for member in members)

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(sa.BigInteger() if self.numbers else _text(None))

    def codec(self, dialect: str) -> tuple[Codec | None, Codec | None]:  # noqa: ARG002  (the same on each)
        return _value_of, self.members


class Json(_Coded):
    """Anything else: JSON, and JSONB on PostgreSQL."""

    impl = sa.JSON(none_as_null=True)
    cache_ok = True

    def __init__(self, annotation: Any) -> None:
        super().__init__()
        self.json = JsonCodec(annotation)
        # By this SQLAlchemy tells types apart when it looks for a statement that it has compiled before.
        self.annotation = self.json

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        # Text goes in and out: the codec is ours, not the dialect's.
        # A column of SQLite that is declared as JSON makes numbers of texts such as "1.0".
        jsonb = postgresql.JSONB(none_as_null=True)
        return dialect.type_descriptor(jsonb if dialect.name == "postgresql" else sa.Text())

    def codec(self, dialect: str) -> tuple[Codec | None, Codec | None]:  # noqa: ARG002  (the same on each)
        return self.json.encode, self.json.decode

    # The drivers of PostgreSQL write and read JSON themselves for SQLAlchemy's connections.

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        text = super().process_bind_param(value, dialect)
        return json.loads(text) if text is not None and dialect.name == "postgresql" else text

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        text = json.dumps(value) if value is not None and dialect.name == "postgresql" else value
        return super().process_result_value(text, dialect)


def parameter_type(type_: TypeEngine[Any] | None) -> TypeEngine[Any] | None:
    """The type of a parameter of a column, whose value is in the form of the driver already."""
    if isinstance(type_, Moment):
        return sa.DateTime(timezone=True)
    if isinstance(type_, ExactDecimal):
        return sa.Numeric()
    if isinstance(type_, Span):
        return postgresql.INTERVAL()
    if isinstance(type_, EnumValue):
        return sa.BigInteger() if type_.numbers else sa.String()
    return sa.String() if isinstance(type_, Json) else type_


def _text(length: int | None) -> TypeEngine[Any]:
    """Text in the order of its code points on every database."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


BIG_INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


# --- From a field to its column ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FieldColumn:
    """How a field is kept.

    Attributes:
        name: Of the field and of its column.
        kind: What its values compare as: "text", "integer", "float", "decimal", "boolean", "date", "moment",
            "naive", "time", "span", "uuid", "bytes", "enum", "json"; "custom" where somebody chose the column type.
        type: The column's type.
        nullable: Whether the field may be None.
        annotation: The type of the values, without None.
    """

    name: str
    kind: str
    type: TypeEngine[Any]
    nullable: bool
    annotation: Any

    def codec(self, dialect: str) -> tuple[Codec | None, Codec | None]:
        """(encode, decode) between the field's values and those of the driver; None where they are the same."""
        if isinstance(self.type, _Coded):
            return self.type.codec(dialect)
        if self.kind == "custom":
            return _foreign_codec(self.type, dialect)
        return _PLAIN[dialect][self.kind]

    def native_codec(self, dialect: str) -> tuple[Any, Any]:
        """The same for the core, which needs no function for the commonest values: see `_core.RowCodec`."""
        encode, decode = self.codec(dialect)
        if self.kind in ("text", "integer", "float"):
            return (self.kind, encode), decode
        if self.kind == "boolean" and decode is not None:
            return encode, ("bool", decode)
        if self.kind == "moment" and dialect == "sqlite":
            return ("moment", encode), ("moment", decode)
        if isinstance(self.type, Json) and self.type.json.model is not None:
            json = self.type.json
            written: Any = ("model", encode, json.model) if json.exact else encode
            return written, ("model", decode, json.model)
        return encode, decode


_PLAIN: dict[str, dict[str, tuple[Codec | None, Codec | None]]] = {
    "sqlite": {
        "text": (_text_in, None),
        "integer": (_integer_in, None),
        "float": (_float_in, None),
        # sqlite3 asks for an adapter of whatever is not exactly an int, and a bool is not.
        "boolean": (int, bool),
        "date": (datetime.date.isoformat, datetime.date.fromisoformat),
        "naive": (_naive_text_in, datetime.datetime.fromisoformat),
        "time": (_time_text_in, datetime.time.fromisoformat),
        "uuid": (_uuid_text_in, uuid.UUID),
        "bytes": (None, None),
    },
    "postgresql": {
        "text": (_text_in, None),
        "integer": (_integer_in, None),
        "float": (_float_in, None),
        "boolean": (None, None),
        "date": (None, None),
        "naive": (_naive_in, None),
        "time": (_time_in, None),
        "uuid": (None, None),
        "bytes": (None, None),
    },
}


def choices_of(annotation: Any) -> tuple[list[Any], bool]:
    """The types that an annotation allows, and whether None is one of them."""
    if hasattr(annotation, "__supertype__"):
        return choices_of(annotation.__supertype__)
    if hasattr(annotation, "__value__"):
        return choices_of(annotation.__value__)
    if isinstance(annotation, TypeVar):
        return choices_of(annotation.__bound__ or Any)
    origin = get_origin(annotation)
    if origin is Annotated:
        return choices_of(get_args(annotation)[0])
    if origin in (Union, UnionType):
        found: list[Any] = []
        nullable = False
        for part in get_args(annotation):
            choices, part_nullable = choices_of(part)
            found += choices
            nullable = nullable or part_nullable
        return found, nullable
    if annotation in (None, NoneType):
        return [], True
    if origin is Literal and None in get_args(annotation):
        literal: Any = Literal
        return [literal[tuple(value for value in get_args(annotation) if value is not None)]], True
    return [annotation], annotation in (Any, object)


def _metadata(annotation: Any) -> Iterable[Any]:
    """What stands beside a type in Annotated, in all its parts."""
    if get_origin(annotation) is Annotated:
        inner, *extra = get_args(annotation)
        yield from _metadata(inner)
        for item in extra:
            yield from item.metadata if isinstance(item, FieldInfo) else (item,)
    elif get_origin(annotation) in (Union, UnionType):
        for part in get_args(annotation):
            yield from _metadata(part)


def _limit(info: FieldInfo, name: str) -> int | None:
    for item in (*info.metadata, *_metadata(info.annotation)):
        value = getattr(item, name, None)
        if isinstance(value, int):
            return value
    return None


_SIMPLE: list[tuple[type, str, TypeEngine[Any]]] = [
    (bool, "boolean", sa.Boolean()),
    (int, "integer", sa.BigInteger()),
    (float, "float", sa.Float(53)),
    (bytes, "bytes", sa.LargeBinary()),
    (datetime.date, "date", sa.Date()),
    (datetime.time, "time", sa.Time()),
    (uuid.UUID, "uuid", sa.Uuid()),
]


def column_of(entity_class: type, name: str, info: FieldInfo) -> FieldColumn:
    """How a field of a class is kept.

    Raises:
        ConfigurationError: If it cannot be.
    """
    choices, nullable = choices_of(info.annotation)
    target = target_of(info.annotation)
    if target is not None:
        # The field holds the key of the other entity.
        info = FieldInfo.from_annotation(key_type(target))
        choices = choices_of(info.annotation)[0]
    kind, type_ = _kind(info, choices)
    chosen = _chosen(info)
    if chosen is not None:
        choice = choices[0] if len(choices) == 1 else Any
        return FieldColumn(name, kind if _is_of_kind(chosen, kind) else "custom", chosen, nullable, choice)
    union: Any = Union
    choice: Any = choices[0] if len(choices) == 1 else union[tuple(choices)] if choices else Any
    if kind == "json":
        if any(_secret(one) for one in choices):
            raise ConfigurationError(
                f"{entity_class.__name__}.{name} is a secret, which a database would keep in the open: "
                "keep a hash of it, or encrypt it into a field of bytes"
            )
        try:
            type_ = Json(choice)
        except (PydanticSchemaGenerationError, PydanticUserError) as error:
            raise ConfigurationError(
                f"{entity_class.__name__}.{name} holds {choice}, which has no JSON: declare it with a type that "
                f"pydantic can write ({str(error).splitlines()[0]})"
            ) from None
    return FieldColumn(name, kind, cast("TypeEngine[Any]", type_), nullable, choice)


def _chosen(info: FieldInfo) -> TypeEngine[Any] | None:
    """The column type that sqlmodel's Field was given."""
    column = setting(info, "sa_column")
    type_: Any = cast("Any", column).type if isinstance(column, sa.Column) else setting(info, "sa_type")
    return type_() if isinstance(type_, type) else type_


_PLAIN_TYPES: dict[str, type[TypeEngine[Any]]] = {
    "text": sa.String,
    "integer": sa.Integer,
    "float": sa.Float,
    "boolean": sa.Boolean,
    "bytes": sa.LargeBinary,
    "date": sa.Date,
    "naive": sa.DateTime,
    "time": sa.Time,
    "uuid": sa.Uuid,
}


def _is_of_kind(type_: TypeEngine[Any], kind: str) -> bool:
    """Whether a column type keeps values as the one of this kind does."""
    plain = _PLAIN_TYPES.get(kind)
    if plain is None or not isinstance(type_, plain) or isinstance(type_, sa.Enum):
        return False
    if isinstance(type_, sa.DateTime | sa.Time):
        return not type_.timezone
    return not isinstance(type_, sa.Uuid) or (type_.as_uuid and type_.native_uuid)


#: PostgreSQL's numbers of types, by which SQLAlchemy tells what its numbers are.
_FLOAT8, _NUMERIC = 701, 1700


def _foreign_codec(type_: TypeEngine[Any], dialect: str) -> tuple[Codec | None, Codec | None]:
    """How SQLAlchemy itself passes on the values of a column type that is not one of ours."""
    if isinstance(type_, sa.JSON):
        # The driver's own reading of JSON is switched off, for the sake of ours.
        return json.dumps, json.loads
    speaking: Dialect = psycopg.dialect() if dialect == "postgresql" else sqlite.dialect()
    known = type_.dialect_impl(speaking)
    code = _FLOAT8 if isinstance(type_, sa.Float) else _NUMERIC if isinstance(type_, sa.Numeric) else None
    return known.bind_processor(speaking), known.result_processor(speaking, code)


def _secret(choice: Any) -> bool:
    return isinstance(choice, type) and issubclass(choice, SecretStr | SecretBytes)


def _kind(info: FieldInfo, choices: list[Any]) -> tuple[str, TypeEngine[Any] | None]:
    if len(choices) != 1:
        return "json", None
    (choice,) = choices
    if get_origin(choice) is Literal:
        values: tuple[Any, ...] = get_args(choice)
        if all(type(value) is str for value in values):
            return "text", _text(None)
        if all(type(value) is int for value in values):
            return "integer", sa.BigInteger()
        return "json", None
    if choice is NaiveDatetime:
        return "naive", sa.DateTime()
    if choice is AwareDatetime:
        return "moment", Moment()
    if not isinstance(choice, type):
        return "json", None
    if issubclass(choice, enum.Enum):
        kinds: set[type] = {type(member.value) for member in choice}
        if kinds <= {str} or kinds <= {int}:
            return "enum", EnumValue(choice)
        return "json", None
    if issubclass(choice, str):
        return "text", _text(_limit(info, "max_length"))
    if issubclass(choice, decimal.Decimal):
        return "decimal", ExactDecimal(*_digits(info))
    if issubclass(choice, datetime.datetime):
        return "moment", Moment()
    if issubclass(choice, datetime.timedelta):
        return "span", Span()
    for base, kind, type_ in _SIMPLE:
        if issubclass(choice, base):
            return kind, type_
    return "json", None


def _digits(info: FieldInfo) -> tuple[int | None, int | None]:
    precision, scale = _limit(info, "max_digits"), _limit(info, "decimal_places")
    return (precision, scale) if precision is not None and scale is not None else (None, None)
