"""The tables of a database: which there are to be, and whether those that are there will do."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine.interfaces import ReflectedColumn
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.types import TypeEngine
from sqlmodel import SQLModel
from sqlmodel.main import default_registry
from sqlmodel.sql.sqltypes import AutoString

from ...entity import Entity, subclasses
from ...errors import BackendUnavailable, ConfigurationError, SchemaMismatch
from ...repository import is_substituted, repository_of, takes_command_keys
from . import command_keys, outbox, types
from .database import WRITING, Database, database
from .entity import SQLEntity
from .repository import SQLModelBackend
from .schema import VERSION, make_portable, table_name, table_of

#: What brings tables up to date.
REMEDY = '`nitro db revision -m "..."` and `nitro db upgrade` bring the table up to date'

#: The lock of PostgreSQL that whoever makes or alters tables holds, so that processes that start together take turns.
_LOCK = int.from_bytes(b"nitro db", "big")


def create_all(*entity_classes: type) -> None:
    """Makes the tables that are missing, and looks whether those that are there are what the classes say.

    Args:
        *entity_classes: Entities and SQLModels; without any, every one that is known by now: each entity whose backend
            is SQL, in its database, and each SQLModel with `table=True` in the database that is configured. A class
            that others derive from has no table if it says `__abstract__ = True`, or has no fields of its own.

    Raises:
        SchemaMismatch: If a table that was there before is not what its class says.
        ConfigurationError: If a class asks for what its database has not.
        BackendUnavailable: If a database cannot be reached.
        BackendError: If it refuses to make them.

    Example:
        >>> class Customer(nitro.Entity, backend=nitro.SQLModelBackend("sqlite://")):
        ...     name: str
        >>> nitro.create_all(Customer)
        >>> Customer(name="Ann").save().name
        'Ann'
    """
    if _left_alone or is_substituted():
        return
    for store, tables in _by_database(entity_classes).items():
        tables += _own_tables(store)
        found = _made(store, tables)
        if found:
            raise mismatch(store, found)


def _made(store: Database, tables: list[sa.Table]) -> list[str]:
    """Makes the tables that are missing; gives how those that were there are not as they should be."""
    try:
        with connected(store) as connection, connection.begin():
            take_turns(connection)
            plain = plain_metadata(tables)
            plain.create_all(connection, [plain.tables[table.key] for table in tables])
            return differences(connection, tables)
    except DBAPIError as error:
        reason = str(error.orig).strip().splitlines()[0]
        if error.connection_invalidated:
            raise BackendUnavailable(
                f"{store.name} was lost while its tables were made ({reason}): nothing of it is kept, try again"
            ) from error.orig
        statement = " ".join((error.statement or "").split())
        raise store.refused(error.orig or error, f"{reason}, asked for: {statement}") from error.orig
    except SQLAlchemyError as error:
        raise ConfigurationError(f"the tables of {store.name} cannot be made: {error}") from error


async def acreate_all(*entity_classes: type) -> None:
    """`create_all`, for async code."""
    await asyncio.to_thread(create_all, *entity_classes)


_left_alone: list[bool] = []


@contextmanager
def left_alone() -> Generator[None]:
    """Makes `create_all` do nothing: an application that calls it as it starts is imported to be migrated."""
    _left_alone.append(True)
    try:
        yield
    finally:
        _left_alone.pop()


# --- Which tables there are to be -------------------------------------------------------------------------------


def entity_classes() -> list[type[Entity]]:
    """The entities that are kept in a database by `SQLModelBackend`, of those that are known by now.

    Of several definitions of one class the last one counts.
    """
    found: dict[str, type[Entity]] = {}
    waiting: list[type[Entity]] = [Entity]
    while waiting:
        for entity_class in waiting.pop(0).__subclasses__():
            found[f"{entity_class.__module__}.{entity_class.__qualname__}"] = entity_class
            waiting.append(entity_class)
    return [entity_class for entity_class in found.values() if _has_table(entity_class)]


def _has_table(entity_class: type[Entity]) -> bool:
    if "__mapper__" in entity_class.__dict__:
        return not cast("Any", entity_class).__mapper__.single
    if entity_class is SQLEntity or (issubclass(entity_class, SQLModel) and _is_of_a_table(entity_class)):
        # A model with some of the fields of one that has a table, such as HeroCreate beside Hero.
        return False
    if entity_class.__dict__.get("__abstract__") or entity_class.__pydantic_generic_metadata__["parameters"]:
        return False
    backend: Any = entity_class.__nitro_backend__
    if not (
        issubclass(backend, SQLModelBackend) if isinstance(backend, type) else isinstance(backend, SQLModelBackend)
    ):
        return False
    fields = entity_class.__pydantic_fields__
    is_base = fields.keys() == {"id"} and not entity_class.__nitro_declares_id__
    return not is_base or not entity_class.__subclasses__()


def _is_of_a_table(entity_class: type[Entity]) -> bool:
    """Whether a class derives from one with a table, or from one that such a class derives from too."""
    bases = [base for base in entity_class.__mro__ if issubclass(base, SQLModel) and issubclass(base, Entity)]
    own = [base for base in bases if base.__module__ != SQLEntity.__module__ and not base.__dict__.get("__abstract__")]
    return any("__mapper__" in related.__dict__ for base in own for related in [base, *subclasses(base)])


def tables_of(store: Database) -> dict[str, tuple[sa.Table, type]]:
    """The tables that a database is to have, by their names, each with its class."""
    found = {table.name: (table, owner) for table, owner in _owners(store)}
    return found | {table.name: (table, SQLModel) for table in _own_tables(store)}


def _own_tables(store: Database) -> list[sa.Table]:
    """The tables that Nitro itself needs in a database, for what the program does."""
    here = (known for known in entity_classes() if _database_of(known) is store)
    keys = [command_keys.TABLE] if any(map(takes_command_keys, here)) else []
    return [*outbox.tables_of(store), *keys]


def _owners(store: Database | None = None) -> list[tuple[sa.Table, type]]:
    """The tables of one database, or of all, each with its class; SQLModel stands for tables that have none."""
    found: list[tuple[sa.Table, type]] = [
        (table_of(entity_class), entity_class)
        for entity_class in entity_classes()
        if store is None or _database_of(entity_class) is store
    ]
    if store is not None and store is not database():
        return found
    models: dict[Any, type] = {
        mapper.local_table: mapper.class_
        for mapper in default_registry.mappers
        if not issubclass(mapper.class_, Entity)
    }
    known = {table for table, _ in found}
    for table in SQLModel.metadata.tables.values():
        # An entity's table says so; link tables of relations have no class.
        if table not in known and "nitro_class" not in table.info:
            found.append((table, models.get(table, SQLModel)))
    return found


def _database_of(owner: type) -> Database:
    if issubclass(owner, Entity):
        repository = repository_of(owner)
        if isinstance(repository, SQLModelBackend):
            return repository.database
    return database()


def _by_database(chosen: Sequence[type]) -> dict[Database, list[sa.Table]]:
    found: dict[Database, list[sa.Table]] = {}
    for table, owner in [(table_of(owner), owner) for owner in chosen] if chosen else _owners():
        found.setdefault(_database_of(owner), []).append(table)
    return found


# --- Plain tables -----------------------------------------------------------------------------------------------


def plain_metadata(tables: Iterable[sa.Table] | None = None) -> sa.MetaData:
    """Copies of tables with column types of SQLAlchemy alone; without an argument of every table that there is to be.

    It is what Alembic should see of Nitro's entities: `target_metadata = plain_metadata()` in an `env.py` of your own.
    """
    if tables is None:
        # Whoever compares them with a database is to compare indexes as they are meant.
        import_module(".migrations.operations", __package__)
    plain = sa.MetaData(naming_convention=SQLModel.metadata.naming_convention)
    waiting = list(tables or ())
    if tables is None:
        owned = _owners()
        waiting = [table for table, _ in owned]
        waiting += [table for store in {_database_of(owner) for _, owner in owned} for table in _own_tables(store)]
    while waiting:
        table = waiting.pop(0)
        if table.key in plain.tables:
            continue
        _copy(table, plain)
        waiting += [_referred(table, key) for key in table.foreign_keys]
    return plain


def _copy(table: sa.Table, plain: sa.MetaData) -> None:
    copy = table.to_metadata(plain)
    copy.info.clear()
    for column in copy.columns:
        column.type = plain_type(column.type)
        if not column.primary_key:
            column.autoincrement = "auto"
    for constraint in copy.constraints:
        if isinstance(constraint, sa.ForeignKeyConstraint | sa.UniqueConstraint) and constraint.name is None:
            names = [copy.name, *(column.name for column in constraint.columns), _ENDINGS[type(constraint)]]
            constraint.name = _short("_".join(names))
    for index in copy.indexes:
        make_portable(index)


def _referred(table: sa.Table, key: sa.ForeignKey) -> sa.Table:
    """The table that a foreign key leads to, made if nobody has needed it yet."""
    name = key.target_fullname.rpartition(".")[0]
    for entity_class in entity_classes() if name not in table.metadata.tables else ():
        if table_name(entity_class) == name:
            return table_of(entity_class)
    if name not in table.metadata.tables:
        raise ConfigurationError(
            f"{_owner_name(table)}.{key.parent.name} refers to {key.target_fullname}, and no class that is known "
            f"is kept in the table {name}: import the module that defines it"
        )
    return table.metadata.tables[name]


#: How PostgreSQL calls a constraint that nobody gave a name. One without a name cannot be dropped.
_ENDINGS: dict[type[sa.Constraint], str] = {sa.ForeignKeyConstraint: "fkey", sa.UniqueConstraint: "key"}


def _short(name: str) -> str:
    """A name that PostgreSQL takes, which has room for 63 bytes."""
    encoded = name.encode()
    return name if len(encoded) <= 63 else f"{encoded[:54].decode(errors='ignore')}_{zlib.crc32(encoded):08x}"


def plain_type(type_: TypeEngine[Any]) -> TypeEngine[Any]:
    """The type of SQLAlchemy that makes the same column, on each database."""
    if isinstance(type_, AutoString):
        return sa.String(type_.length)
    if isinstance(type_, types.Moment):
        return sa.DateTime(timezone=True).with_variant(sa.String(), "sqlite")
    if isinstance(type_, types.ExactDecimal):
        return sa.Numeric(type_.precision, type_.scale).with_variant(sa.String(), "sqlite")
    if isinstance(type_, types.Span):
        return sa.Interval().with_variant(sa.BigInteger(), "sqlite")
    if isinstance(type_, types.EnumValue):
        return sa.BigInteger() if type_.numbers else types._text(None)
    if isinstance(type_, types.Json):
        return sa.JSON().with_variant(postgresql.JSONB(), "postgresql").with_variant(sa.Text(), "sqlite")
    return type_


# --- What is there ----------------------------------------------------------------------------------------------


def differences(connection: sa.Connection, tables: Iterable[sa.Table]) -> list[str]:
    """What keeps tables in a database from holding what their classes say, in sentences; nothing where they will do.

    What does no harm is not told: columns that no class has and that may be left out, other indexes, TEXT in place of
    VARCHAR, 32 bits more in an integer.
    """
    inspector = sa.inspect(connection)
    present = set(inspector.get_table_names())
    found: list[str] = []
    for table in tables:
        if table.name in present:
            found += _differences(inspector, table, connection.dialect)
        else:
            found.append(f"there is no table {table.name}, which {_owner_name(table)} is kept in")
    return found


def _differences(inspector: sa.Inspector, table: sa.Table, dialect: sa.Dialect) -> Iterable[str]:
    owner = _owner_name(table)
    there = {column["name"]: column for column in inspector.get_columns(table.name)}
    for column in table.columns:
        place, wanted = f"column {table.name}.{column.name}", plain_type(column.type)
        shown = wanted.compile(dialect).partition(" COLLATE ")[0]
        if column.name not in there:
            without = "; versioned=False as a class keyword does without" if column.name == VERSION else ""
            yield f"there is no {place}, which {owner} keeps as {shown}{without}"
            continue
        real = there.pop(column.name)
        if not _will_do(real["type"], wanted, dialect):
            yield f"{place} is {real['type'].compile(dialect)}, and {owner} keeps {shown} in it"
        if column.primary_key:
            continue
        if real["nullable"] and not column.nullable:
            yield f"{place} may be NULL, and {owner}.{column.name} is never None"
        if column.nullable and not real["nullable"]:
            yield f"{place} must not be NULL, and {owner}.{column.name} may be None"
    for column in there.values():
        if not column["nullable"] and not _has_default(column):
            yield f"column {table.name}.{column['name']} needs a value, and {owner} has no such field"
    unique = _unique(inspector, table.name)
    for names in _unique_of(table):
        if names not in unique:
            yield f"{', '.join(sorted(names))} of table {table.name} may be there twice, and {owner} says unique"


def _owner_name(table: sa.Table) -> str:
    name = table.info.get("nitro_class")
    return name.rpartition(".")[2] if isinstance(name, str) else table.name


def _has_default(column: ReflectedColumn) -> bool:
    return any(column.get(name) for name in ("default", "computed", "identity", "autoincrement"))


def _unique_of(table: sa.Table) -> list[frozenset[str]]:
    constraints = [one for one in table.constraints if isinstance(one, sa.UniqueConstraint)]
    found = [frozenset(column.name for column in constraint.columns) for constraint in constraints]
    return found + [frozenset(column.name for column in index.columns) for index in table.indexes if index.unique]


def _unique(inspector: sa.Inspector, table_name: str) -> set[frozenset[str]]:
    # SQLite has an index of its own for each constraint; what SQLAlchemy reads out of the statement is less sure.
    every: dict[str, Any] = {"include_auto_indexes": True} if inspector.dialect.name == "sqlite" else {}
    indexes = inspector.get_indexes(table_name, **every)
    names = [index["column_names"] for index in indexes if index["unique"]]
    names += [constraint["column_names"] for constraint in inspector.get_unique_constraints(table_name)]
    names.append(inspector.get_pk_constraint(table_name)["constrained_columns"])
    return {frozenset(name for name in parts if name is not None) for parts in names}


#: Types of which one holds what is meant for the other, with what has to be the same besides.
_FAMILIES: list[tuple[type[TypeEngine[Any]], tuple[str, ...]]] = [
    (sa.Boolean, ()),
    (sa.Integer, ()),
    (sa.Float, ()),
    (sa.Numeric, ("precision", "scale")),
    (sa.String, ("length",)),
    (sa.DateTime, ("timezone",)),
    (sa.Date, ()),
    (sa.Time, ("timezone",)),
    (sa.Interval, ()),
    (postgresql.INTERVAL, ()),
    (sa.LargeBinary, ()),
    (postgresql.JSONB, ()),
    (sa.JSON, ()),
    (sa.Uuid, ()),
]


def _will_do(real: TypeEngine[Any], wanted: TypeEngine[Any], dialect: sa.Dialect) -> bool:
    """Whether a column of one type holds what is meant for another."""
    wanted = wanted.dialect_impl(dialect)
    if real.compile(dialect) == wanted.compile(dialect):
        return True
    for family, sizes in _FAMILIES:
        if isinstance(wanted, family):
            if not isinstance(real, family):
                return False
            return all(_holds(getattr(real, size, None), getattr(wanted, size, None)) for size in sizes)
    # A type of somebody else's, which only Alembic compares.
    return True


def _holds(real: Any, wanted: Any) -> bool:
    if isinstance(real, bool) or isinstance(wanted, bool):
        return bool(real) == bool(wanted)
    return real is None or (wanted is not None and real >= wanted)


def mismatch(store: Database, found: Sequence[str]) -> SchemaMismatch:
    """The error that tells of differences, and of what to do."""
    missing = all(sentence.startswith("there is no table") for sentence in found)
    remedy = "`nitro db upgrade` makes it, or nitro.create_all()" if missing else REMEDY
    return SchemaMismatch(f"{store.name}: {'; '.join(found)}: {remedy}")


# --- Connections ------------------------------------------------------------------------------------------------


def connected(store: Database, *, writing: bool = True) -> sa.Connection:
    """A connection of SQLAlchemy's.

    Raises:
        BackendUnavailable: If the database cannot be reached.
    """
    try:
        connection = store.engine.connect()
        return connection.execution_options(**WRITING) if writing else connection
    except OperationalError as error:
        reason = str(error.orig).strip().splitlines()[0]
        raise BackendUnavailable(
            f"{store.name} cannot be reached ({reason}): see whether it runs, and try again"
        ) from error.orig


def take_turns(connection: sa.Connection) -> None:
    """Waits until nobody else is making or altering tables, and keeps them waiting until the end of the transaction."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
