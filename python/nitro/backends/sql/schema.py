"""The table of a class."""

from __future__ import annotations

import re
import threading
import zlib
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlmodel import SQLModel

from ... import fields
from ...entity import indexes_of
from ...errors import ConfigurationError
from .types import BIG_INTEGER, FieldColumn, column_of

if TYPE_CHECKING:
    from ...entity import Entity

#: The column with the version of a record. No field can have this name.
VERSION = "_version"

#: Bytes of the longest name of an index, less its prefix.
_LONGEST = 60

_making = threading.RLock()


def table_of(entity_class: type[Entity]) -> sa.Table:
    """The table that a class is kept in, on `SQLModel.metadata`; made when it is first asked for.

    It is called as the class is, in lower case and without anything between the words, as with SQLModel; or what
    `__tablename__` says in the class body.

    Raises:
        ConfigurationError: If a field has no column type, or another class has a table of that name.
    """
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


def is_versioned(entity_class: type[Entity]) -> bool:
    """Whether the records of a class have versions."""
    return VERSION in table_of(entity_class).columns


def table_name(entity_class: type[Entity]) -> str:
    """What the table of a class is called."""
    named = getattr(entity_class, "__tablename__", None)
    return named if isinstance(named, str) else re.sub(r"\W+", "_", entity_class.__name__.lower()).strip("_")


def _made(entity_class: type[Entity]) -> sa.Table:
    name, metadata = table_name(entity_class), SQLModel.metadata
    key = entity_class.__nitro_key__
    columns = [_column(entity_class, column, column.name == key) for column in columns_of(entity_class).values()]
    if getattr(entity_class, "__nitro_versioned__", True):
        columns.append(sa.Column(VERSION, sa.BigInteger(), nullable=False, server_default=sa.text("1")))
    _make_room(entity_class, name)
    owner = {"nitro_class": f"{entity_class.__module__}.{entity_class.__qualname__}"}
    table = sa.Table(name, metadata, *columns, info=owner)
    for _, parts, unique in indexes_of(entity_class):
        _add_index(table, parts, unique)
    return table


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


def _column(entity_class: type[Entity], column: FieldColumn, is_key: bool) -> sa.Column[Any]:
    info = entity_class.__pydantic_fields__[column.name]
    said = fields.stored(info)
    arguments: list[Any] = []
    if said.foreign_key is not None:
        arguments.append(sa.ForeignKey(said.foreign_key, ondelete=said.ondelete))
    type_ = BIG_INTEGER if is_key and column.kind == "integer" else column.type
    return sa.Column(
        column.name,
        type_,
        *arguments,
        primary_key=is_key,
        nullable=column.nullable and not is_key,
        autoincrement=is_key and column.kind == "integer" and column.nullable,
    )


def _add_index(table: sa.Table, parts: list[tuple[str, bool]], unique: bool) -> None:
    names = "_".join(part for part, _ in parts)
    rest = shortened(f"{table.name}_{names}")
    if unique and not any(down for _, down in parts):
        table.append_constraint(sa.UniqueConstraint(*(part for part, _ in parts), name=f"uq_{rest}"))
        return
    expressions = [table.columns[part].desc() if down else table.columns[part] for part, down in parts]
    sa.Index(f"ix_{rest}", *expressions, unique=unique)


def shortened(name: str) -> str:
    """A name that fits, with three characters before it, into the 63 bytes that PostgreSQL allows."""
    if len(name.encode()) <= _LONGEST:
        return name
    kept = name.encode()[: _LONGEST - 9].decode(errors="ignore")
    return f"{kept}_{zlib.crc32(name.encode()):08x}"
