"""The table of a class."""

from __future__ import annotations

import re
import threading
import zlib
from typing import TYPE_CHECKING, Any, cast

import sqlalchemy as sa
from pydantic_core import PydanticUndefined
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import operators
from sqlmodel import SQLModel

from ... import fields
from ...entity import indexes_of
from ...errors import ConfigurationError
from ...relations import target_of
from ...repository import repository_of
from .types import BIG_INTEGER, FieldColumn, column_of

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from ...entity import Entity

#: The column with the version of a record. No field can have this name.
VERSION = "_version"

#: Bytes of the longest name of an index, less its prefix.
_LONGEST = 60

#: Words that a database wants in quotes, which SQLAlchemy does not know.
_UNQUOTED = frozenset({"collation", "concurrently", "lateral", "nothing", "returning", "tablesample"})

_making = threading.RLock()


def table_of(entity_class: type[Entity]) -> sa.Table:
    """The table that a class is kept in, on `SQLModel.metadata`; made when it is first asked for.

    It is called as the class is, in lower case and without anything between the words, as with SQLModel; or what
    `__tablename__` says in the class body.

    Raises:
        ConfigurationError: If a field has no column type, or another class has a table of that name.
    """
    mapper = entity_class.__dict__.get("__mapper__")
    if mapper is not None:
        return mapper.local_table
    known = entity_class.__dict__.get("__table__")
    if known is not None:
        return known
    with _making:
        known = entity_class.__dict__.get("__table__")
        if known is None:
            known = _made(entity_class)
            type.__setattr__(entity_class, "__table__", known)
        return known


def columns_of(entity_class: type[Entity]) -> dict[str, FieldColumn]:
    """How each field of a class is kept, in the order of the fields.

    Raises:
        ConfigurationError: If one cannot be, or the class takes fields that it does not declare.
    """
    if not entity_class.__pydantic_complete__:
        entity_class.model_rebuild()
    if entity_class.model_config.get("extra") == "allow":
        raise ConfigurationError(
            f'{entity_class.__name__} takes fields that it does not declare (extra="allow"), which have no columns: '
            "declare them, or a field such as `more: dict[str, str]`"
        )
    return {name: column_of(entity_class, name, info) for name, info in entity_class.__pydantic_fields__.items()}


def table_name(entity_class: type[Entity]) -> str:
    """What the table of a class is called."""
    named = getattr(entity_class, "__tablename__", None)
    return _name(named if isinstance(named, str) else re.sub(r"\W+", "_", entity_class.__name__.lower()).strip("_"))


def _name(name: str) -> str:
    """A name for SQLAlchemy, in quotes where it has to be."""
    return sa.sql.quoted_name(name, True) if name.lower() in _UNQUOTED else name


def version_column() -> sa.Column[Any]:
    """The column with the version of a record."""
    return sa.Column(VERSION, sa.BigInteger(), nullable=False, server_default=sa.text("1"))


def _made(entity_class: type[Entity]) -> sa.Table:
    name, metadata = table_name(entity_class), SQLModel.metadata
    columns = [column_for(entity_class, column) for column in columns_of(entity_class).values()]
    if entity_class.__nitro_versioned__:
        columns.append(version_column())
    _make_room(entity_class, name)
    table = sa.Table(name, metadata, *columns)
    _complete(entity_class, table)
    return table


def complete_table(entity_class: type[Entity]) -> None:
    """Gives the table of a class that SQLAlchemy has mapped what every table has."""
    _complete(entity_class, cast("sa.Table", cast("Any", entity_class).__mapper__.local_table))


def _complete(entity_class: type[Entity], table: sa.Table) -> None:
    table.info.setdefault("nitro_class", f"{entity_class.__module__}.{entity_class.__qualname__}")
    for _, parts, unique in indexes_of(entity_class):
        if all(part in table.columns for part, _ in parts) and not _has_index(table, parts, unique):
            _add_index(table, parts, unique)


def _has_index(table: sa.Table, parts: list[tuple[str, bool]], unique: bool) -> bool:
    """Whether a column, or the class that shares the table, has brought the index."""
    names = [part for part, _ in parts]
    if unique:
        constraints = [item for item in table.constraints if isinstance(item, sa.UniqueConstraint)]
        return any([column.key for column in constraint.columns] == names for constraint in constraints) or any(
            index.unique and [column.key for column in index.columns] == names for index in table.indexes
        )
    return any([column.key for column in index.columns] == names for index in table.indexes)


def _make_room(entity_class: type[Entity], name: str) -> None:
    """Takes the table of an earlier definition of the same class away."""
    other = SQLModel.metadata.tables.get(name)
    if other is None:
        return
    owner = other.info.get("nitro_class")
    if owner != f"{entity_class.__module__}.{entity_class.__qualname__}":
        raise ConfigurationError(
            f"{entity_class.__module__}.{entity_class.__qualname__} would be kept in the table {name!r}, which is that "
            f'of {owner or "another model"}: give one of them `__tablename__ = "..."` in its class body'
        )
    SQLModel.metadata.remove(other)


def column_for(entity_class: type[Entity], column: FieldColumn, *, defaults: bool = False) -> sa.Column[Any]:
    """The column of a field; what sqlmodel's Field said of it holds.

    Args:
        defaults: Whether an INSERT that leaves the column out gives it the field's default.
    """
    info, name, keys = entity_class.__pydantic_fields__[column.name], column.name, entity_class.__nitro_keys__
    declared = fields.setting(info, "sa_column")
    if isinstance(declared, sa.Column):
        own = cast("Any", declared)
        if own.table is not None:
            own = own._copy()
        if own.name is None:
            own.name = name
        # What finds columns finds them by the names of the fields.
        own.key = name
        return own
    said, is_key = fields.stored(info), name in keys
    arguments: list[Any] = []
    leads_to = said.foreign_key or _referred(entity_class, info)
    if leads_to is not None:
        arguments.append(sa.ForeignKey(leads_to, ondelete=said.ondelete))
    arguments += fields.setting(info, "sa_column_args") or ()
    nullable = fields.setting(info, "nullable")
    keywords: dict[str, Any] = {
        "primary_key": is_key,
        "nullable": (column.nullable and not is_key) if nullable is None else nullable,
        "autoincrement": keys == (name,) and column.kind == "integer" and column.nullable,
    }
    if defaults and not keywords["nullable"]:
        # SQLAlchemy would take None for a value that was left out.
        if info.default_factory is not None and not info.default_factory_takes_validated_data:
            keywords["default"] = info.default_factory
        elif info.default_factory is None and info.default is not PydanticUndefined:
            keywords["default"] = info.default
    keywords |= fields.setting(info, "sa_column_kwargs") or {}
    type_ = BIG_INTEGER if is_key and type(column.type) is sa.BigInteger and column.kind == "integer" else column.type
    return sa.Column(_name(name), type_, *arguments, key=name, **keywords)


def _referred(entity_class: type[Entity], info: FieldInfo) -> str | None:
    """The column that a `Ref` leads to; None for what is no Ref, and where the other class is kept somewhere else."""
    target = target_of(info.annotation)
    if target is None:
        return None
    here, there = repository_of(entity_class), repository_of(target)
    if there is not here and getattr(there, "database", None) is not getattr(here, "database", here):
        return None
    return f"{table_name(target)}.{target.__nitro_key__}"


def _add_index(table: sa.Table, parts: list[tuple[str, bool]], unique: bool) -> None:
    names = "_".join(part for part, _ in parts)
    rest = shortened(f"{table.name}_{names}")
    if unique and not any(down for _, down in parts):
        table.append_constraint(sa.UniqueConstraint(*(part for part, _ in parts), name=f"uq_{rest}"))
        return
    expressions = [_sorted(table.columns[part], down) for part, down in parts]
    sa.Index(f"ix_{rest}", *expressions, unique=unique)


def shortened(name: str) -> str:
    """A name that fits, with three characters before it, into the 63 bytes that PostgreSQL allows."""
    if len(name.encode()) <= _LONGEST:
        return name
    kept = name.encode()[: _LONGEST - 9].decode(errors="ignore")
    return f"{kept}_{zlib.crc32(name.encode()):08x}"


# --- Where NULL is in an index ----------------------------------------------------------------------------------


_QUOTE = postgresql.dialect().identifier_preparer.quote


class _Placed(sa.UnaryExpression[Any]):
    """A part of an index in which NULL comes before everything else, as queries sort: see `Compiler.ordering`."""

    inherit_cache = True


@compiles(_Placed, "sqlite")
def _in_place(placed: _Placed, compiler: Any, **options: Any) -> str:
    # There it is where it should be by itself, and nothing may be said of it.
    return compiler.process(placed.element, **options)


def _sorted(column: sa.Column[Any], down: bool) -> Any:
    part: Any = column.desc() if down else column
    if not column.nullable:
        return part
    return _Placed(part, modifier=operators.nulls_last_op if down else operators.nulls_first_op)


def without_places(index: sa.Index) -> tuple[list[Any], dict[str, str]]:
    """The parts of an index with nothing said of NULL, and what was said: {key of the part: "NULLS FIRST"}."""
    parts: list[Any] = []
    places: dict[str, str] = {}
    for part in cast("list[Any]", index.expressions):
        inner, modifier = getattr(part, "element", part), getattr(part, "modifier", None)
        down = getattr(inner, "modifier", None) is operators.desc_op
        if modifier is not (operators.nulls_last_op if down else operators.nulls_first_op):
            parts.append(part)
            continue
        parts.append(inner)
        if down:
            # In a script such a part is known by its text.
            inner.key = f"{_QUOTE(inner.element.name)} DESC"
            places[inner.key] = "NULLS LAST"
        else:
            places[inner.key] = places[inner.name] = "NULLS FIRST"
    return parts, places


def make_portable(index: sa.Index) -> None:
    """Has an index say where NULL is by an option of PostgreSQL's: a script can make it on SQLite too."""
    parts, places = without_places(index)
    if places:
        index.expressions = parts
        index.dialect_kwargs["postgresql_ops"] = {**index.dialect_options["postgresql"]["ops"], **places}
