"""Queries as SQL that gives the answers of the memory store: see "How values compare" in the documentation of queries.

SQLAlchemy writes the SQL. Values never become part of it: each is a parameter. The statement of a query depends on its
shape alone (fields, operators, the types of the values), so it is compiled once and used for all queries of that shape.
"""

from __future__ import annotations

import datetime
import decimal
import enum
import json
import math
import re
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast, get_args, get_origin

import sqlalchemy as sa
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql.elements import ColumnElement

from ... import _core
from ..._core import Condition, FieldRef, Ordering
from ...errors import UnsupportedQuery
from ...relations import plain
from .sqlite_functions import canonical_json
from .types import FieldColumn, JsonCodec, Refused, choices_of, column_of, parameter_type

Clause = ColumnElement[Any]

_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "eq": lambda a, b: a == b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
}

_MISSING = object()

#: Kinds of which several values are listed in the statement.
_LISTED = frozenset({"float", "bytes", "moment", "naive", "time", "span"})

#: What is written in another way in JSON: SQLite compares keys as they are written.
_ESCAPED = re.compile(r'["\\\x00-\x1f]')

#: Kinds whose values are in one order with all numbers.
_NUMBERS = frozenset({"integer", "float", "decimal", "boolean", "enum"})

#: Not a character, in the list of a pattern's characters.
_ANY_CHARACTER = "any"


@dataclass(slots=True)
class Operand:
    """What a condition is about, as SQL.

    Attributes:
        clause: Its value in the form that is compared; NULL where there is none.
        kind: As `FieldColumn.kind`; "any" for a value of JSON whose type nobody has declared.
        encode: From a value of the kind to the parameter that it is compared with.
        type: The type of that parameter.
        whole: The JSON that the value is, for operators that look inside; None where it is a column of its own.
        annotation: The type of the values, without None.
        nullable: Whether there may be none.
    """

    clause: Clause
    kind: str
    encode: Callable[[Any], Any]
    type: Any
    whole: Any
    annotation: Any
    nullable: bool


class Compiler:
    """Turns the conditions and orders of one query on one table into SQL of one dialect."""

    def __init__(self, name: str, columns: dict[str, FieldColumn], table: sa.Table, backend: str) -> None:
        self.dialect = name
        self.columns = columns
        self.table = table
        self.backend = backend
        #: The values of the parameters @0, @1, ...
        self.values: list[Any] = []
        self._source: Callable[[FieldRef], Operand] = self._of_table
        self._aliases = 0

    def parameter(self, value: Any, type_: Any = None) -> Any:
        """A parameter with this value, in the form of the driver."""
        self.values.append(value)
        return sa.bindparam(f"@{len(self.values) - 1}", type_=parameter_type(type_))

    def constant(self, value: Any, type_: Any) -> Any:
        """A parameter that depends on the shape of the query alone, such as a path."""
        return sa.literal(value, type_)

    # --- Conditions ---

    def condition(self, condition: Condition) -> Clause:
        """A condition as a clause. It may be NULL where it does not hold."""
        operator, operands = condition.operator, condition.operands
        if operator == "and":
            return sa.and_(*map(self.condition, operands))
        if operator == "or":
            return sa.or_(*map(self.condition, operands))
        if operator == "not":
            inner = self.condition(operands[0])
            return sa.not_(sa.func.coalesce(inner, sa.false()))
        if operator == "sql":
            return cast("Clause", operands[0])
        about, *given = operands
        value = given[0] if given else None
        return self._test(condition, self._source(about), operator, value)

    def _test(self, condition: Condition, operand: Operand, operator: str, value: Any) -> Clause:
        # Inside of JSON a reference is its key, as everywhere else.
        value = plain(value)
        if operator == "is_null" or (operator == "eq" and value is None):
            return operand.clause.is_(None)
        if operator == "ne":
            inner = self._test(condition, operand, "eq", value)
            return sa.not_(sa.func.coalesce(inner, sa.false()))
        if operator in _COMPARE:
            return self._compare(condition, operand, operator, value)
        if operator == "in":
            return self._in(condition, operand, value)
        if operator in ("startswith", "endswith", "like"):
            return self._like(operand, operator, value)
        if operator == "contains":
            return self._contains(condition, operand, value)
        if operator == "any":
            return self._any(condition, operand, value)
        raise self._unsupported(condition)

    def _unsupported(self, condition: object, why: str = "") -> UnsupportedQuery:
        return UnsupportedQuery(
            f"{self.backend} cannot answer {condition!r}{': ' + why if why else ''}; "
            ".in_memory() reads everything, and filters and sorts here"
        )

    def _compare(self, condition: object, operand: Operand, operator: str, value: Any) -> Clause:
        kind = operand.kind
        if kind == "json":
            return self._compare_json(condition, operand, operator, value)
        if kind == "any":
            return self._compare_any(condition, operand, operator, value)
        if kind in _NUMBERS and isinstance(value, int | float | decimal.Decimal):
            return self._compare_number(operand, operator, value)
        if isinstance(value, enum.Enum) and kind not in ("enum", "custom"):
            value = value.value
        if not _fits(kind, value):
            return sa.false()
        try:
            encoded = operand.encode(value)
            if isinstance(encoded, str) and not is_text(encoded):
                raise Refused("no text that a database keeps")
        except Refused:
            # The column cannot hold it, so no entity has it; and it has no place in the order either.
            if kind in ("text", "moment", "date") and operator != "eq":
                raise self._unsupported(condition, "the value is none that the database can hold") from None
            return sa.false()
        return _COMPARE[operator](operand.clause, self.parameter(encoded, operand.type))

    def _compare_number(self, operand: Operand, operator: str, value: Any) -> Clause:
        """Exact, whatever the types: the value is moved to the next one that the column can hold."""
        if operand.kind == "boolean" and operator == "eq":
            return operand.clause == self.parameter(bool(value), operand.type) if value in (0, 1) else sa.false()
        if isinstance(value, bool):
            value = int(value)
        if isinstance(value, decimal.Decimal) and not value.is_finite():
            value = float(value)
        if value != value:
            return sa.false()
        kind, clause = operand.kind, operand.clause
        if kind == "boolean":
            clause = sa.cast(clause, sa.Integer())
            kind = "integer"
            type_: Any = sa.BigInteger()
        else:
            type_ = operand.type
        if kind == "decimal":
            if isinstance(value, float) and math.isinf(value):
                return self._beyond(operand, operator, value > 0)
            try:
                encoded = operand.encode(decimal.Decimal(value))
            except Refused:
                return self._beyond(operand, operator, value > 0)
            return _COMPARE[operator](clause, self.parameter(encoded, type_))
        if kind == "float":
            near = _nearest_float(value)
            compared = _sign(near, value)
            if compared == 0:
                return _COMPARE[operator](clause, self.parameter(near, type_))
        else:
            if isinstance(value, float) and math.isinf(value):
                return self._beyond(operand, operator, value > 0)
            near = math.floor(value)
            if not -(2**63) <= near < 2**63:
                if operand.whole is not None:
                    raise self._unsupported(value, "integers in JSON are compared up to 64 bits")
                return self._beyond(operand, operator, near > 0)
            compared = _sign(near, value)
            if compared == 0:
                return _COMPARE[operator](clause, self.parameter(near, type_))
        if operator == "eq":
            return sa.false()
        # `near` lies beside the value: what is on the far side of the value is on the far side of `near` too.
        upward = operator in ("gt", "ge")
        strict = (compared < 0) == upward
        return _COMPARE[("gt" if strict else "ge") if upward else ("lt" if strict else "le")](
            clause, self.parameter(near, type_)
        )

    def _beyond(self, operand: Operand, operator: str, above: bool) -> Clause:
        """The comparison with a number that is above, or below, all that the column can hold."""
        if (operator in ("lt", "le")) == above and operator != "eq":
            return operand.clause.is_not(None)
        return sa.false()

    def _in(self, condition: Condition, operand: Operand, values: Iterable[Any]) -> Clause:
        values = tuple(map(plain, values))
        clauses: list[Clause] = []
        if any(value is None for value in values):
            clauses.append(operand.clause.is_(None))
        present = [value for value in values if value is not None]
        if operand.kind in ("text", "uuid", "date", "integer") and all(
            _fits(operand.kind, value) and (operand.kind != "integer" or (type(value) is int and _is_int64(value)))
            for value in present
        ):
            encoded: list[Any] = []
            for value in present:
                try:
                    one = operand.encode(value)
                except Refused:
                    continue
                if not isinstance(one, str) or is_text(one):
                    encoded.append(one)
            if encoded:
                clauses.append(self.is_among(operand, encoded))
        elif operand.kind in _LISTED and operand.whole is None:
            # Any number of them in one list: so many comparisons would be nested too deep for SQLite.
            known = [one for one in (self._equal(operand, value) for value in present) if one is not None]
            if known:
                clauses.append(operand.clause.in_([self.parameter(one, operand.type) for one in known]))
        else:
            clauses += [self._test(condition, operand, "eq", value) for value in present]
        return sa.or_(sa.false(), *clauses)

    def _equal(self, operand: Operand, value: Any) -> Any:
        """What a value is in the form that is compared; None for what no column of the kind can hold."""
        if operand.kind == "float":
            if not isinstance(value, int | float | decimal.Decimal) or value != value:
                return None
            near = _nearest_float(value)
            return near if _sign(near, value) == 0 else None
        if not _fits(operand.kind, value):
            return None
        try:
            encoded = operand.encode(value)
        except Refused:
            return None
        return encoded if not isinstance(encoded, str) or is_text(encoded) else None

    def is_among(self, operand: Operand, encoded: Sequence[Any]) -> Clause:
        """Whether the value is one of these; one statement for any number of them."""
        if self.dialect == "sqlite":
            items = sa.func.json_each(self.parameter(several(self.dialect, encoded), sa.String())).table_valued("value")
            return operand.clause.in_(sa.select(items.c.value))
        array = postgresql.ARRAY(parameter_type(operand.type) or sa.String())
        return operand.clause == sa.func.any(self.parameter(several(self.dialect, encoded), array))

    # --- Texts ---

    def _like(self, operand: Operand, operator: str, pattern: str) -> Clause:
        if operand.kind == "any":
            operand = self._typed(operand, "text")
        if operand.kind == "enum" and isinstance(operand.type, sa.String):
            operand = _as_kind(operand, "text")
        if operand.kind != "text":
            return sa.false()
        if not is_text(pattern):
            return sa.false()
        wanted = self.parameter(spelled(self.dialect, operator, pattern), sa.String())
        # LIKE of SQLite takes upper and lower case for one; GLOB does not, and can use an index.
        return operand.clause.bool_op("GLOB")(wanted) if self.dialect == "sqlite" else operand.clause.like(wanted)

    def _contains(self, condition: Condition, operand: Operand, value: Any) -> Clause:
        if operand.kind == "text" or (operand.kind == "any" and isinstance(value, str)):
            if operand.kind == "any":
                operand = self._typed(operand, "text")
            if not isinstance(value, str) or not is_text(value):
                return sa.false()
            function = sa.func.instr if self.dialect == "sqlite" else sa.func.strpos
            return function(operand.clause, self.parameter(value, sa.String())) > 0
        if operand.whole is None:
            raise self._unsupported(condition)
        choices = [choice for choice in choices_of(operand.annotation)[0] if _container(choice)]
        if len(choices) != 1:
            raise self._unsupported(condition, "the field holds things of several types")
        (choice,) = choices
        origin, parts = get_origin(choice) or choice, [part for part in get_args(choice) if part is not Ellipsis]
        if origin is dict:
            return self._has_key(operand, value)
        if value is None:
            raise self._unsupported(condition, "JSON has no None of its own in a list")
        fixed = origin is tuple and Ellipsis not in get_args(choice) and len(set(parts)) > 1
        item = Any if fixed or not parts else parts[0]
        return self._exists(operand, item, lambda compiler, element: compiler._test(condition, element, "eq", value))

    def _has_key(self, operand: Operand, value: Any) -> Clause:
        if type(value) is int:
            value = str(value)
        if not isinstance(value, str):
            raise self._unsupported(value, "keys of dictionaries are texts and integers")
        if not is_text(value):
            return sa.false()
        key = self.parameter(value, sa.String())
        if self.dialect == "sqlite":
            items = sa.func.json_each(operand.whole).table_valued("key", name=self._alias())
            return sa.exists(sa.select(sa.literal(1)).select_from(items).where(items.c.key == key))
        return sa.func.jsonb_exists(operand.whole, key)

    def _any(self, condition: Condition, operand: Operand, inner: Condition) -> Clause:
        if operand.whole is None:
            raise self._unsupported(condition)
        if not one_model(operand.annotation):
            raise self._unsupported(condition, "the field holds models of several classes")
        return self._exists(operand, inner.entity_class, lambda compiler, element: compiler._inside(element, inner))

    def _inside(self, element: Operand, inner: Condition) -> Clause:
        outer = self._source
        self._source = lambda field: self._in_json(element.whole, field, field._path)
        try:
            return self.condition(inner)
        finally:
            self._source = outer

    def _exists(self, operand: Operand, annotation: Any, test: Callable[[Compiler, Operand], Clause]) -> Clause:
        """Whether the test holds for any item of a list, or any value of a dict."""
        is_dict = any((get_origin(choice) or choice) is dict for choice in choices_of(operand.annotation)[0])
        alias = self._alias()
        if self.dialect == "sqlite":
            items = sa.func.json_each(operand.whole).table_valued("value", "type", name=alias)
            element = self._leaf_sqlite(items.c.value, items.c.type, annotation)
        else:
            function = sa.func.jsonb_each if is_dict else sa.func.jsonb_array_elements
            # NULL has no items; something else than a list would be an error.
            wanted = "object" if is_dict else "array"
            whole = sa.case((sa.func.jsonb_typeof(operand.whole) == wanted, operand.whole))
            rows = function(whole)
            items = (
                rows.table_valued("key", sa.column("value", postgresql.JSONB), name=alias)
                if is_dict
                else rows.table_valued(sa.column("value", postgresql.JSONB), name=alias).render_derived()
            )
            element = self._leaf_postgres(items.c.value, annotation)
        return sa.exists(sa.select(sa.literal(1)).select_from(items).where(test(self, element)))

    def _alias(self) -> str:
        self._aliases += 1
        return f"item{self._aliases}"

    # --- Fields ---

    def _of_table(self, field: FieldRef) -> Operand:
        name, rest = str(field._path[0]), field._path[1:]
        column = self.columns[name]
        whole: Any = self.table.columns[name]
        if rest:
            if column.kind != "json":
                raise self._unsupported(field, "a value of that type has nothing inside")
            return self._in_json(whole, field, tuple(rest), column.annotation)
        return self.operand(column)

    def operand(self, column: FieldColumn) -> Operand:
        """A column, as it is compared."""
        clause: Clause = self.table.columns[column.name]
        type_: Any = column.type
        encode = column.codec(self.dialect)[0] or _same
        whole: Any = None
        if column.kind == "json":
            whole = clause
        elif column.kind == "text" or (column.kind == "enum" and not getattr(column.type, "numbers", False)):
            type_ = sa.String()
            if self.dialect == "postgresql":
                clause = sa.collate(clause, "C")
        elif column.kind == "enum":
            type_ = sa.BigInteger()
        elif column.kind == "decimal" and self.dialect == "sqlite":
            clause, encode, type_ = sa.func.nitro_decimal(clause), _core.sort_key, sa.LargeBinary()
        return Operand(clause, column.kind, encode, type_, whole, column.annotation, column.nullable)

    def _in_json(self, whole: Any, field: FieldRef, path: Sequence[str | int], annotation: Any = _MISSING) -> Operand:
        """What stands at a path inside of a JSON value."""
        root: Any = field._class if annotation is _MISSING else annotation
        at = annotation_at(field._class, path) if annotation is _MISSING else walked(annotation, path)
        if any(isinstance(step, str) and not is_text(step) for step in path):
            # No JSON that is stored has such a key.
            whole = sa.null() if self.dialect == "sqlite" else sa.cast(sa.null(), postgresql.JSONB())
            path = ()
        if self.dialect == "sqlite":
            value, type_ = self._extract_sqlite(whole, in_dicts(root, path))
            return self._leaf_sqlite(value, type_, at)
        steps = self.constant([str(step) for step in path], postgresql.ARRAY(sa.Text()))
        return self._leaf_postgres(whole.op("#>", return_type=postgresql.JSONB())(steps), at)

    def _extract_sqlite(self, whole: Any, path: Sequence[str | int]) -> tuple[Any, Any]:
        steps = "$"
        for step in path:
            if isinstance(step, int):
                steps += f"[{step}]"
            elif _ESCAPED.search(step) or not is_text(step):
                raise UnsupportedQuery(
                    f"{self.backend} does not look up keys with a quote, a backslash or a control character in them, "
                    f"as {step!r}; "
                    ".in_memory() reads everything, and filters here"
                )
            else:
                steps += f'."{step}"'
        where = self.constant(steps, sa.String())
        return sa.func.json_extract(whole, where), sa.func.json_type(whole, where)

    def _leaf_sqlite(self, value: Any, type_: Any, annotation: Any) -> Operand:
        kind, choice = kind_of(annotation)
        clause: Clause = value
        parameter: Any = sa.String()
        if kind in ("integer", "float"):
            # JSON writes 1.0 and 1 alike; both are numbers, and so are True and False.
            parameter = sa.Float() if kind == "float" else sa.BigInteger()
        elif kind == "boolean" or (kind == "enum" and isinstance(next(iter(choice)).value, int)):
            parameter = sa.BigInteger()
        elif kind in _BY_FUNCTION:
            clause = sa.func.nitro_value(sa.literal_column(f"'{kind}'"), value)
            parameter = sa.LargeBinary()
        return Operand(clause, kind, leaf_encoder("sqlite", kind), parameter, _JsonLeaf(value, type_), choice, True)

    def _leaf_postgres(self, whole: Any, annotation: Any) -> Operand:
        kind, choice = kind_of(annotation)
        text = whole.op("#>>", return_type=sa.Text())(sa.literal_column("'{}'"))
        type_: Any = sa.String()
        clause: Clause = sa.collate(text, "C")
        casts: dict[str, Any] = {
            "integer": sa.Numeric(),
            "float": sa.Float(53),
            "decimal": sa.Numeric(),
            "boolean": sa.Boolean(),
            "date": sa.Date(),
            "moment": sa.DateTime(timezone=True),
            "naive": sa.DateTime(),
            "time": sa.Time(),
            "span": postgresql.INTERVAL(),
            "uuid": sa.Uuid(),
        }
        if kind == "enum" and isinstance(next(iter(choice)).value, int):
            casts["enum"] = sa.BigInteger()
        if kind in casts:
            type_ = casts[kind]
            clause = sa.cast(text, type_)
        elif kind in ("json", "any"):
            # JSON's null is None, as a missing one is.
            clause = sa.func.nullif(whole, sa.cast(sa.literal_column("'null'"), postgresql.JSONB()))
        return Operand(clause, kind, leaf_encoder("postgresql", kind), type_, whole, choice, True)

    # --- JSON values ---

    def _compare_json(self, condition: object, operand: Operand, operator: str, value: Any) -> Clause:
        if operator != "eq":
            raise self._unsupported(condition, "models and containers have no order in SQL")
        codec = json_codec(operand.annotation)
        try:
            text = codec.encode(value)
        except (Refused, ValueError):
            return sa.false()
        if self.dialect == "sqlite":
            inner = operand.whole.value if isinstance(operand.whole, _JsonLeaf) else operand.whole
            return sa.func.nitro_json(inner) == self.parameter(canonical_json(text), sa.String())
        return operand.clause == sa.cast(self.parameter(text, sa.String()), postgresql.JSONB())

    def _compare_any(self, condition: object, operand: Operand, operator: str, value: Any) -> Clause:
        if isinstance(value, bool) or (isinstance(value, int | float) and math.isfinite(value)):
            return self._compare_number(self._typed(operand, "float"), operator, value)
        if isinstance(value, str):
            return self._compare(condition, self._typed(operand, "text"), operator, value)
        raise self._unsupported(condition, "only texts and numbers are compared where no type is declared")

    def _typed(self, operand: Operand, kind: str) -> Operand:
        """A value of any type where it is a text, or a number; NULL where it is something else."""
        if self.dialect == "sqlite":
            leaf: _JsonLeaf = operand.whole
            types = ("text",) if kind == "text" else ("integer", "real", "true", "false")
            clause: Clause = sa.case((leaf.type.in_([sa.literal_column(f"'{t}'") for t in types]), leaf.value))
            return Operand(clause, kind, _same, sa.String() if kind == "text" else sa.Float(), leaf, Any, True)
        whole = operand.whole
        text = whole.op("#>>", return_type=sa.Text())(sa.literal_column("'{}'"))
        json_type = sa.func.jsonb_typeof(whole)
        if kind == "text":
            return Operand(
                sa.collate(sa.case((json_type == sa.literal_column("'string'"), text)), "C"),
                kind,
                _same,
                sa.String(),
                whole,
                Any,
                True,
            )
        number = sa.case(
            (json_type == sa.literal_column("'number'"), sa.cast(text, sa.Numeric())),
            (
                json_type == sa.literal_column("'boolean'"),
                sa.cast(sa.cast(sa.cast(text, sa.Boolean()), sa.Integer()), sa.Numeric()),
            ),
        )
        return Operand(number, "decimal", _same, sa.Numeric(), whole, Any, True)

    # --- Orders ---

    def ordering(self, ordering: Ordering) -> list[Clause]:
        """What rows are sorted by: None before everything else."""
        operand = self._of_table(ordering.field)
        if operand.kind in ("json", "any"):
            raise self._unsupported(ordering.field, "values of that type have no order in SQL")
        clause = operand.clause
        if operand.kind == "boolean" and self.dialect == "postgresql":
            clause = sa.cast(clause, sa.Integer())
        down = ordering.descending
        sorted_ = clause.desc() if down else clause.asc()
        path = ordering.field._path
        # An index serves only what says of NULL what it says itself: both go by the column, and a key is never NULL.
        nullable = self.table.columns[str(path[0])].nullable if len(path) == 1 else operand.nullable
        if self.dialect == "postgresql" and nullable:
            sorted_ = sorted_.nulls_last() if down else sorted_.nulls_first()
        return [sorted_]


@dataclass(slots=True)
class _JsonLeaf:
    """What SQLite has of a JSON value: the value as SQL, and what JSON calls its type."""

    value: Any
    type: Any

    def __clause_element__(self) -> Any:
        return self.value


def _same(value: Any) -> Any:
    return value


def _value_of(value: Any) -> Any:
    return value.value if isinstance(value, enum.Enum) else value


def _as_kind(operand: Operand, kind: str) -> Operand:
    return Operand(
        operand.clause, kind, operand.encode, operand.type, operand.whole, operand.annotation, operand.nullable
    )


_PYTHON: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "bytes": (bytes,),
    "date": (datetime.date,),
    "moment": (datetime.datetime,),
    "naive": (datetime.datetime,),
    "time": (datetime.time,),
    "span": (datetime.timedelta,),
    "uuid": (uuid.UUID,),
}


def _fits(kind: str, value: Any) -> bool:
    """Whether a value is one of the kind; values of different kinds are never equal, nor in one order."""
    if kind == "enum":
        return isinstance(value, enum.Enum | str | int)
    if kind == "date" and isinstance(value, datetime.datetime):
        return False
    if kind in ("moment", "naive") and isinstance(value, datetime.datetime):
        return (value.tzinfo is not None) == (kind == "moment")
    classes = _PYTHON.get(kind)
    return classes is None or isinstance(value, classes)


def is_text(value: str) -> bool:
    """Whether a database can hold a text; one that it cannot is nowhere found."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in value


def _is_int64(value: int) -> bool:
    return -(2**63) <= value < 2**63


def _nearest_float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _sign(near: Any, value: Any) -> int:
    """-1, 0 or 1: whether `near` is below, at or above the value, exactly."""
    return (near > value) - (near < value)


def spelled(dialect: str, operator: str, pattern: str) -> str:
    """What `like`, `startswith` or `endswith` looks for, in the signs of GLOB on SQLite and of LIKE elsewhere."""
    # None stands for any text, _ANY_CHARACTER for any one character.
    wildcards: list[str | None] = list(pattern)
    if operator == "like":
        wildcards = []
        characters = iter(pattern)
        for character in characters:
            if character == "\\":
                wildcards.append(next(characters, character))
            else:
                wildcards.append({"%": None, "_": _ANY_CHARACTER}.get(character, character))
    elif operator == "endswith":
        wildcards.insert(0, None)
    else:
        wildcards.append(None)
    signs = _SIGNS[dialect]
    return "".join(signs.get(wildcard, wildcard or "") for wildcard in wildcards)


_SIGNS: dict[str, dict[str | None, str]] = {
    "sqlite": {None: "*", _ANY_CHARACTER: "?", "*": "[*]", "?": "[?]", "[": "[[]"},
    "postgresql": {None: "%", _ANY_CHARACTER: "_", "%": "\\%", "_": "\\_", "\\": "\\\\"},
}


def several(dialect: str, encoded: Sequence[Any]) -> Any:
    """Values as the one parameter of `in`: JSON on SQLite, an array elsewhere."""
    return json.dumps(encoded) if dialect == "sqlite" else list(encoded)


def _container(choice: Any) -> bool:
    plain = get_origin(choice) or choice
    return isinstance(plain, type) and issubclass(plain, list | tuple | set | frozenset | dict)


def walked(annotation: Any, path: Sequence[str | int]) -> Any:
    """The type of what stands at a path inside of a value of a type."""
    for step in path:
        found: Any = _MISSING
        for choice in choices_of(annotation)[0]:
            plain, parts = get_origin(choice) or choice, get_args(choice)
            if isinstance(plain, type) and issubclass(plain, BaseModel):
                info = choice.__pydantic_fields__.get(step)
                found = info.annotation if info is not None else _MISSING
            elif plain is dict and len(parts) == 2:
                found = parts[1]
            elif plain is list and parts:
                found = parts[0]
            elif plain is tuple and parts and isinstance(step, int):
                found = parts[0] if parts[-1] is Ellipsis else parts[step] if step < len(parts) else _MISSING
            if found is not _MISSING:
                break
        if found is _MISSING:
            return Any
        annotation = found
    return annotation


def in_dicts(root: Any, path: Sequence[str | int]) -> list[str | int]:
    """A path in which keys of dictionaries are texts, as in JSON; an int is a place in a list then."""
    steps: list[str | int] = []
    for place, step in enumerate(path):
        # What is walked from a class begins at its fields.
        owner = root if place == 0 else (annotation_at if _is_model(root) else walked)(root, path[:place])
        choices: list[Any] = choices_of(owner)[0]
        is_key = isinstance(step, int) and any((get_origin(choice) or choice) is dict for choice in choices)
        steps.append(str(step) if is_key else step)
    return steps


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def one_model(annotation: Any) -> bool:
    """Whether a container holds models of no more than one class."""
    models: set[Any] = set()
    for choice in choices_of(annotation)[0]:
        for part in get_args(choice):
            for one in choices_of(part)[0] if part is not Ellipsis else ():
                if _is_model(one):
                    models.add(one)
    return len(models) <= 1


def annotation_at(cls: type[BaseModel], path: Sequence[str | int]) -> Any:
    """The type of what stands at a path inside of a model; Any where nobody says."""
    info = cls.__pydantic_fields__.get(str(path[0])) if path else None
    return Any if info is None else walked(info.annotation, path[1:])


def kind_of(annotation: Any) -> tuple[str, Any]:
    """(kind, type without None) of a value inside of JSON."""
    try:
        return _kept_kind(annotation)
    except TypeError:  # an annotation that has no hash
        return _kept_kind.__wrapped__(annotation)


@lru_cache(maxsize=1024)
def _kept_kind(annotation: Any) -> tuple[str, Any]:
    choices, _ = choices_of(annotation)
    if len(choices) != 1 or choices[0] in (Any, object):
        return "any", Any
    column = column_of(object, "value", FieldInfo.from_annotation(annotation))
    # Bytes are some text or other there.
    return "json" if column.kind == "bytes" else column.kind, column.annotation


def json_codec(annotation: Any) -> JsonCodec:
    """The codec of a type in JSON."""
    try:
        return _kept_codec(annotation)
    except TypeError:  # an annotation that has no hash
        return JsonCodec(annotation)


_kept_codec = lru_cache(maxsize=1024)(JsonCodec)

#: Kinds whose texts in JSON are compared by a function on SQLite.
_BY_FUNCTION = frozenset({"decimal", "moment", "naive", "time", "span"})


def leaf_encoder(dialect: str, kind: str) -> Callable[[Any], Any]:
    """From a value of a kind to the parameter that a value inside of JSON is compared with."""
    if kind == "enum":
        return _value_of
    if dialect == "sqlite":
        if kind in _BY_FUNCTION:
            return _core.sort_key
        return {"date": datetime.date.isoformat, "uuid": str}.get(kind, _same)
    return _same
