"""The statements of queries on one class."""

from __future__ import annotations

import datetime
import decimal
import json
import uuid
import zlib
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Mapping as Values
from typing import TYPE_CHECKING, Any, cast

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from ... import _core
from ..._core import Condition, FieldRef
from ...entity import identity
from ...queries import Page, Query, cursor_bytes, cursor_text
from .compiler import (
    Clause,
    Compiler,
    Operand,
    annotation_at,
    is_text,
    kind_of,
    leaf_encoder,
    several,
    spelled,
    walked,
)
from .mapping import Mapping, Prepared
from .schema import VERSION
from .types import Refused

if TYPE_CHECKING:
    from ...entity import Entity

#: Statements of queries that are kept, for each class.
KEPT = 500

#: How many parameters a statement has at the most: SQLite takes 32,766, and PostgreSQL 65,535.
PARAMETERS = 30_000

#: No parameter that is known before the statement is.
_UNKNOWN = object()

_COMPARED = frozenset({"eq", "ne", "lt", "le", "gt", "ge"})

#: For each kind of column, the type of values that need nothing but the column's codec.
_EXACT: dict[str, type] = {
    "text": str,
    "integer": int,
    "float": float,
    "date": datetime.date,
    "uuid": uuid.UUID,
    "bytes": bytes,
}

Read = Callable[[list[Any]], Any]


class Statements:
    """What queries on one class are as SQL."""

    def __init__(self, mapping: Mapping) -> None:
        self.mapping = mapping
        self.table = mapping.table
        self.dialect = mapping.database.dialect.name
        self._kept: dict[Any, Prepared] = {}
        self._by_keys: str | None = None
        self._everything: str | None = None

    # --- By keys ---

    def by_keys(self, keys: Sequence[Any]) -> Iterator[tuple[str, list[Any]]]:
        """The statements for entities with these keys, each with its parameters: one, unless there are very many."""
        mapping = self.mapping
        rows: list[tuple[Any, ...]] = []
        for key in keys:
            try:
                rows.append(mapping.key_row(key))
            except Refused:
                continue
        if mapping.single and mapping.columns[mapping.key].kind in ("text", "integer", "uuid"):
            compiler = mapping.compiler()
            where = compiler.is_among(compiler.operand(mapping.columns[mapping.key]), [row[0] for row in rows])
            if self._by_keys is None:
                self._by_keys = mapping.finished(sa.select(*mapping.selected).where(where), compiler)[0]
            yield self._by_keys, compiler.values
            return
        at_once = PARAMETERS // len(mapping.keys)
        for start in range(0, len(rows), at_once):
            compiler = mapping.compiler()
            where = self._is_one_of(rows[start : start + at_once], compiler)
            yield mapping.finished(sa.select(*mapping.selected).where(where), compiler)

    def _is_one_of(self, rows: list[tuple[Any, ...]], compiler: Compiler) -> Clause:
        """Whether the key is one of these."""
        columns = self.mapping.key_columns
        given = [
            tuple(compiler.parameter(part, column.type) for part, column in zip(row, columns, strict=True))
            for row in rows
        ]
        if self.mapping.single:
            return columns[0].in_([part for (part,) in given])
        # Not any of them or another: to SQLite that is an expression as deep as there are keys.
        values = sa.values(*(sa.column(column.name, column.type) for column in columns)).data(given)
        return sa.tuple_(*columns).in_(values.scalar_values())

    def in_order_of(self, keys: Sequence[Any], found: list[Any]) -> list[Any]:
        """Entities in the order of their keys; once for each time that a key is asked for."""
        by_key: dict[Any, Any] = {}
        for entity in found:
            by_key[identity(entity)] = entity
        return [by_key[key] for key in keys if key in by_key]

    # --- Selecting ---

    def everything(self) -> tuple[str, list[Any]]:
        """The statement for every entity of the class."""
        if self._everything is None:
            statement = sa.select(*self.mapping.selected).order_by(*self._by_key(self.mapping.compiler()))
            self._everything = self.mapping.finished(statement, self.mapping.compiler())[0]
        return self._everything, []

    def select(self, query: Query[Any]) -> tuple[str, list[Any]]:
        """The statement for what a query finds, and its parameters."""

        def build(compiler: Compiler) -> Any:
            statement = self._where(sa.select(*self.mapping.selected), query, compiler)
            return self._cut(self._ordered(statement, query, compiler), query, compiler)

        return self._prepared("select", query, build)

    def count(self, query: Query[Any]) -> tuple[str, list[Any]]:
        """The statement for how many a query finds."""

        def build(compiler: Compiler) -> Any:
            if query._limit is None and not query._offset:
                counted = sa.select(sa.func.count()).select_from(self.table)
                return self._where(counted, query, compiler)
            inner = self._cut(self._where(sa.select(*self.mapping.key_columns), query, compiler), query, compiler)
            return sa.select(sa.func.count()).select_from(inner.subquery())

        return self._prepared("count", query, build)

    def _prepared(
        self, purpose: Any, query: Query[Any], build: Callable[[Compiler], Any], more: Sequence[Any] | None = ()
    ) -> tuple[str, list[Any]]:
        """A statement for a purpose, kept for all queries of the same shape.

        Args:
            purpose: What else the statement depends on.
            query: What is asked.
            build: Makes the statement.
            more: The values of the parameters that `build` makes behind those of the query; None where they depend
                on more than that.
        """
        shape = None if more is None else self._shape(query)
        if shape is not None and more is not None:
            form, values = (purpose, shape[0]), [*shape[1], *more]
            kept = self._kept.get(form)
            if kept is not None:
                return kept.sql, kept.parameters(values)
            compiler = self.mapping.compiler()
            prepared = self.mapping.prepared(build(compiler))
            if len(compiler.values) == len(values):
                if len(self._kept) >= KEPT:
                    self._kept.clear()
                self._kept[form] = prepared
            return prepared.sql, prepared.parameters(compiler.values)
        compiler = self.mapping.compiler()
        return self.mapping.finished(build(compiler), compiler)

    def _where(self, statement: Any, query: Query[Any], compiler: Compiler) -> Any:
        for condition in query._conditions:
            statement = statement.where(compiler.condition(condition))
        return statement

    def _by_key(self, compiler: Compiler) -> list[Clause]:
        return [compiler.operand(self.mapping.columns[name]).clause.asc() for name in self.mapping.keys]

    def _beside(self, query: Query[Any]) -> list[str]:
        """The fields of the key that the query does not sort by itself."""
        sorted_by = [ordering.field._path for ordering in query._order]
        return [name for name in self.mapping.keys if (name,) not in sorted_by]

    def _ordered(self, statement: Any, query: Query[Any], compiler: Compiler) -> Any:
        clauses = [clause for ordering in query._order for clause in compiler.ordering(ordering)]
        clauses += [compiler.operand(self.mapping.columns[name]).clause.asc() for name in self._beside(query)]
        return statement.order_by(*clauses)

    def _cut(self, statement: Any, query: Query[Any], compiler: Compiler) -> Any:
        if query._limit is not None:
            statement = statement.limit(compiler.parameter(min(query._limit, 2**63 - 1), sa.BigInteger()))
        if query._offset:
            statement = statement.offset(compiler.parameter(min(query._offset, 2**63 - 1), sa.BigInteger()))
        return statement

    # --- Statements by the shape of a query ---

    def _shape(self, query: Query[Any]) -> tuple[Any, list[Any]] | None:
        """What the statement of a query depends on, and its parameters; None where that is not so simple."""
        values: list[Any] = []
        parts: list[Any] = []
        try:
            for condition in query._conditions:
                part = self._shape_of(condition, values)
                if part is None:
                    return None
                parts.append(part)
        except Refused:
            return None
        order = tuple((ordering.field._path, ordering.descending) for ordering in query._order)
        if query._limit is not None:
            values.append(min(query._limit, 2**63 - 1))
        if query._offset:
            values.append(min(query._offset, 2**63 - 1))
        return (tuple(parts), order, query._limit is not None, query._offset != 0), values

    def _shape_of(self, condition: Condition, values: list[Any], inside: bool = False) -> Any:
        """What the clause of a condition depends on; None where it depends on the values too.

        Args:
            condition: On the class; or, `inside` of `any`, on the items of a container.
            values: Gets the values of the clause's parameters, in their order.
            inside: Whether fields are those of items.
        """
        operator, operands = condition.operator, condition.operands
        if operator in ("and", "or", "not"):
            parts = [self._shape_of(operand, values, inside) for operand in operands]
            return None if None in parts else (operator, *parts)
        if operator == "sql":
            return None
        about, *given = operands
        value = given[0] if given else None
        path: tuple[Any, ...] = about._path
        if operator == "is_null" or (value is None and operator in ("eq", "ne")):
            return operator, path, None
        if operator == "any":
            inner = self._shape_of(cast("Condition", value), values, True)
            return None if inner is None else (operator, path, cast("Condition", value).entity_class, inner)
        if len(path) == 1 and not inside:
            column = self.mapping.columns[path[0]]
            kind, annotation, encode = column.kind, column.annotation, self.mapping.encoders[path[0]]
        else:
            root = self.mapping.columns[path[0]].annotation if not inside else None
            place = annotation_at(about._class, path) if inside else walked(root, path[1:])
            kind, annotation = kind_of(place)
            encode = leaf_encoder(self.dialect, kind)
            if kind not in _EXACT and kind not in ("enum", "boolean"):
                return None
        parameter = self._parameter_of(operator, kind, annotation, encode, value)
        if parameter is _UNKNOWN:
            return None
        values.append(parameter)
        return operator, path

    def _parameter_of(self, operator: str, kind: str, annotation: Any, encode: Any, value: Any) -> Any:
        """The one parameter of a comparison, where the clause has one whatever the value is; else _UNKNOWN."""
        if operator in _COMPARED:
            if kind == "float" and type(value) is int and -(2**53) <= value <= 2**53:
                value = float(value)
            if not self._is_exact(kind, annotation, operator, value):
                return _UNKNOWN
            encoded = value if encode is None else encode(value)
            return _UNKNOWN if isinstance(encoded, str) and not is_text(encoded) else encoded
        if kind == "text" and operator in ("startswith", "endswith", "like", "contains"):
            if type(value) is not str or not is_text(value):
                return _UNKNOWN
            return value if operator == "contains" else spelled(self.dialect, operator, value)
        if operator == "in" and kind in ("text", "integer", "date", "uuid") and value:
            if not all(self._is_exact(kind, annotation, "eq", one) for one in value):
                return _UNKNOWN
            encoded = [one if encode is None else encode(one) for one in value]
            if any(isinstance(one, str) and not is_text(one) for one in encoded):
                return _UNKNOWN
            return several(self.dialect, encoded)
        return _UNKNOWN

    def _is_exact(self, kind: str, annotation: Any, operator: str, value: Any) -> bool:
        """Whether a value needs nothing but the codec of its place to be compared."""
        if kind == "boolean":
            return type(value) is bool and operator in ("eq", "ne")
        if kind == "enum":
            return type(value) is annotation
        if kind == "moment":
            return type(value) is datetime.datetime and value.tzinfo is not None
        if kind == "decimal":
            # SQLite compares Decimals by a function.
            return type(value) is decimal.Decimal and self.dialect != "sqlite"
        if type(value) is not _EXACT.get(kind):
            return False
        if kind == "integer":
            return -(2**63) <= value < 2**63
        return kind != "float" or value == value

    # --- Pages ---

    def page(self, query: Query[Any], limit: int, after: str | None) -> tuple[str, list[Any]]:
        """The statement for one entity more than a page has.

        Raises:
            ValueError: If `after` is no cursor of this query.
        """
        if after is None:
            return self.select(query.limit(limit + 1))
        reached = self._reached(query, after)
        fields = self._sorted_by(query)
        cut = query.limit(limit + 1).offset(0)

        def build(compiler: Compiler) -> Any:
            statement = self._where(sa.select(*self.mapping.selected), query, compiler)
            statement = self._cut(self._ordered(statement, query, compiler), cut, compiler)
            return statement.where(self._beyond(fields, reached, compiler))

        purpose = ("after", tuple(place is None for place in reached))
        return self._prepared(purpose, cut, build, self._places(fields, reached))

    def paged(self, query: Query[Any], found: list[Any], limit: int, total: int | None) -> Page[Any]:
        """A page of what `page` found."""
        cursor = self._cursor(query, found[limit - 1]) if len(found) > limit else None
        return Page(found[:limit], cursor, total)

    def _signature(self, query: Query[Any]) -> str:
        return f"{zlib.crc32(repr(query._order).encode(errors='surrogatepass')):x}"

    def _cursor(self, query: Query[Any], entity: Entity) -> str:
        places = [_core.value_at(entity, ordering.field) for ordering in query._order]
        key = [getattr(entity, name) for name in self._beside(query)]
        written = [_written(place) for place in (*places, *key)]
        return cursor_text(json.dumps([self._signature(query), *written]).encode())

    def _reached(self, query: Query[Any], after: str) -> list[Any]:
        wrong = ValueError("after takes the next_cursor of a page of the same query, in the same order")
        try:
            signature, *written = json.loads(cursor_bytes(after))
            places = [_read(place) for place in written]
        except (ValueError, TypeError, KeyError, RecursionError):
            raise ValueError(f"after takes the next_cursor of a page, got {after!r}") from None
        if signature != self._signature(query) or len(places) != len(query._order) + len(self._beside(query)):
            raise wrong
        return places

    def _beyond(self, fields: list[tuple[FieldRef, bool]], reached: list[Any], compiler: Compiler) -> Clause:
        """What comes after a place in the order: later in the first field, or equal there and later in the next."""
        clause: Clause = sa.false()
        for (field, down), place in reversed(list(zip(fields, reached, strict=False))):
            operand = compiler._of_table(field)
            is_null = operand.clause.is_(None)
            if place is None:
                later: Clause = sa.false() if down else operand.clause.is_not(None)
                equal: Clause = is_null
            else:
                later = self._compared(operand, "lt" if down else "gt", place, compiler)
                if down and operand.nullable:
                    later = later | is_null
                equal = self._compared(operand, "eq", place, compiler)
            clause = later | (equal & clause)
        return clause

    def _sorted_by(self, query: Query[Any]) -> list[tuple[FieldRef, bool]]:
        """The fields that the rows of a page are sorted by, and whether each descends; the key is among them."""
        fields = [(ordering.field, ordering.descending) for ordering in query._order]
        return fields + [(FieldRef(query._class, (name,), None), False) for name in self._beside(query)]

    def _places(self, fields: list[tuple[FieldRef, bool]], reached: list[Any]) -> list[Any] | None:
        """The parameters that `_beyond` makes; None where the statement depends on the values."""
        values: list[Any] = []
        for (field, _), place in reversed(list(zip(fields, reached, strict=False))):
            name, *inner = field._path
            if inner:
                return None
            if place is None:
                continue
            column = self.mapping.columns[name]
            if not self._is_exact(column.kind, column.annotation, "lt", place):
                return None
            try:
                values += [self._encoded(name, place)] * 2
            except Refused:
                return None
        return values

    def _encoded(self, name: str, value: Any) -> Any:
        encode = self.mapping.encoders[name]
        return value if encode is None else encode(value)

    def _compared(self, operand: Operand, operator: str, place: Any, compiler: Compiler) -> Clause:
        return compiler._compare(operand.clause, operand, operator, place)

    # --- Changing ---

    def _matching(self, query: Query[Any], compiler: Compiler) -> list[Clause]:
        """What a row must fulfil for a query to find it."""
        if query._limit is None and not query._offset:
            return [compiler.condition(condition) for condition in query._conditions]
        inner = self._where(sa.select(*self.mapping.key_columns), query, compiler)
        inner = self._cut(self._ordered(inner, query, compiler), query, compiler)
        columns = self.mapping.key_columns
        return [(columns[0] if self.mapping.single else sa.tuple_(*columns)).in_(inner)]

    def delete(self, query: Query[Any]) -> tuple[str, list[Any]]:
        """The statement that deletes what a query finds."""
        compiler = self.mapping.compiler()
        return self.mapping.finished(sa.delete(self.table).where(*self._matching(query, compiler)), compiler)

    def update(self, query: Query[Any], values: Values[str, Any]) -> tuple[str, list[Any]] | None:
        """The statement that gives what a query finds new values; None where the class wants to see each entity.

        Raises:
            pydantic.ValidationError: If a value is not valid.
        """
        mapping = self.mapping
        entity_class: Any = mapping.entity_class
        decorators = entity_class.__pydantic_decorators__
        if (
            decorators.model_validators
            or decorators.root_validators
            or not values.keys().isdisjoint(mapping.keys)
            or not values
        ):
            return None
        checked = {name for decorator in decorators.field_validators.values() for name in decorator.info.fields}
        if checked & {*values, "*"}:
            # They may look at other fields.
            return None
        assignments: dict[Any, Any] = {}
        compiler = mapping.compiler()
        blank = entity_class.model_construct()
        for name, value in values.items():
            valid = entity_class.__pydantic_validator__.validate_assignment(blank.__copy__(), name, value)
            given = mapping.value_in(name, valid.__dict__[name])
            assignments[self.table.columns[name]] = self._given(compiler, name, given)
        if mapping.versioned:
            assignments[self.table.columns[VERSION]] = self.table.columns[VERSION] + 1
        statement = sa.update(self.table).values(assignments).where(*self._matching(query, compiler))
        return self.mapping.finished(statement, compiler)

    def _given(self, compiler: Compiler, name: str, value: Any) -> Any:
        column = self.mapping.columns[name]
        if column.kind == "json" and compiler.dialect == "postgresql":
            return sa.cast(compiler.parameter(value, sa.String()), postgresql.JSONB())
        return compiler.parameter(value, column.type)

    # --- Summing up ---

    def aggregate(
        self, query: Query[Any], function: str, field: FieldRef | None, group_by: tuple[FieldRef, ...]
    ) -> tuple[str, list[Any], Read] | None:
        """The statement that sums up, its parameters and how its rows are read; None where SQL does not do it."""
        sqlite = self.mapping.database.dialect.name == "sqlite"
        # Decimals of SQLite are texts, of which several are one number.
        apart = ("json", "decimal") if sqlite else ("json",)
        grouped = [str(name) for by in group_by for name in by._path[:1]]
        if any(len(by._path) > 1 for by in group_by) or any(
            self.mapping.columns[name].kind in apart for name in grouped
        ):
            return None
        if (field is not None and len(field._path) > 1) or query._limit is not None or query._offset:
            return None
        wanted: list[Any] = []
        if field is not None:
            column = self.mapping.columns[str(next(iter(field._path)))]
            kind = column.kind
            plain: Any = self.table.columns[column.name]
            if function in ("sum", "avg"):
                if kind not in ("integer", "float", "decimal"):
                    return None
                total: Any = sa.func.sum(plain)
                if sqlite and kind == "decimal":
                    total = sa.func.nitro_sum(plain)
                elif sqlite and kind == "integer":
                    # The sum of SQLite's integers stops at 64 bits.
                    return None
                wanted = [total, sa.func.count(plain)]
            elif function in ("min", "max"):
                if kind not in ("integer", "float", "text", "date", "moment", "naive", "time", "decimal"):
                    return None
                if sqlite and kind == "decimal":
                    return None
                clause = self.mapping.compiler().operand(column).clause
                wanted = [getattr(sa.func, function)(clause)]
            else:
                return None
        else:
            wanted = [sa.func.count()]
        groups: list[Any] = [self.table.columns[name] for name in grouped]

        def build(compiler: Compiler) -> Any:
            statement = self._where(sa.select(*groups, *wanted).select_from(self.table), query, compiler)
            return statement.group_by(*groups) if groups else statement

        purpose = ("sum", function, field and field._path, tuple(grouped))
        sql, parameters = self._prepared(purpose, query, build)

        def result(values: Any) -> Any:
            if field is None:
                return values[0]
            name = field._path[0]
            if function in ("min", "max"):
                return self.mapping.value_out(name, values[0])
            total, count = values
            if total is None:
                return 0 if function == "sum" else None
            kind = self.mapping.columns[name].kind
            total = {"integer": int, "float": float, "decimal": decimal.Decimal}[kind](total)
            return total if function == "sum" else total / count

        def read(rows: list[Any]) -> Any:
            if not grouped:
                return result(rows[0])
            found: dict[Any, Any] = {}
            for row in rows:
                keys = tuple(self.mapping.value_out(name, value) for name, value in zip(grouped, row, strict=False))
                found[keys[0] if len(keys) == 1 else keys] = result(row[len(grouped) :])
            return found

        return sql, parameters, read


# --- Values in cursors --------------------------------------------------------------------------------------------


def _written(value: Any) -> Any:
    """A value as JSON that says what it is."""
    import enum

    if isinstance(value, enum.Enum):
        value = value.value
    if value is None or isinstance(value, str | bool):
        return value
    for name, (class_, write, _) in _WRITERS.items():
        if isinstance(value, class_):
            return {name: write(value)}
    raise ValueError(f"a page cannot go on after {value!r}")


def _read(written: Any) -> Any:
    if not isinstance(written, dict):
        return written
    ((name, text),) = cast("dict[str, Any]", written).items()
    return _WRITERS[name][2](text)


_WRITERS: dict[str, tuple[type, Callable[[Any], Any], Callable[[Any], Any]]] = {
    "i": (int, str, int),
    "f": (float, float.hex, float.fromhex),
    "n": (decimal.Decimal, str, decimal.Decimal),
    "m": (datetime.datetime, datetime.datetime.isoformat, datetime.datetime.fromisoformat),
    "d": (datetime.date, datetime.date.isoformat, datetime.date.fromisoformat),
    "t": (datetime.time, datetime.time.isoformat, datetime.time.fromisoformat),
    "s": (
        datetime.timedelta,
        lambda value: [value.days, value.seconds, value.microseconds],
        lambda parts: datetime.timedelta(*parts),
    ),
    "u": (uuid.UUID, str, uuid.UUID),
    "b": (bytes, bytes.hex, bytes.fromhex),
}
