"""A class on a database: its statements, and its rows as entities and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import TYPE_CHECKING, Any, NoReturn, cast

import sqlalchemy as sa
from pydantic import BaseModel
from sqlalchemy.dialects import postgresql, sqlite

from ... import _core, changes
from ...errors import ConfigurationError, UnstorableValue, UnsupportedQuery
from ...relations import plain
from .compiler import Compiler
from .database import Clash, Database, NoSuchTable, Row, Unfit
from .schema import VERSION, columns_of, table_of
from .types import Refused, parameter_type

if TYPE_CHECKING:
    from ...entity import Entity

#: Rows from which on PostgreSQL gets new entities by COPY.
COPY_FROM = 100

#: The version of a record when it is stored for the first time.
FIRST = 1


class Prepared:
    """A statement, and what stands at the places of its parameters.

    Args:
        sql: The statement.
        places: For each parameter the number of the value that it takes, or a constant.
    """

    __slots__ = ("places", "sql", "straight")

    def __init__(self, sql: str, places: list[tuple[int | None, Any]]) -> None:
        self.sql = sql
        self.places = places
        self.straight = [number for number, _ in places] == list(range(len(places)))

    def parameters(self, values: list[Any]) -> list[Any]:
        """The parameters from the values."""
        if self.straight and len(values) == len(self.places):
            return values
        return [constant if number is None else values[number] for number, constant in self.places]


class Mapping:
    """How the entities of one class are kept in one database.

    Args:
        entity_class: The class.
        database: Where its table is.
        backend: The name of the backend, for errors.
    """

    def __init__(self, entity_class: type[Entity], database: Database, backend: str) -> None:
        _check_alone(entity_class)
        self.entity_class = entity_class
        self.database = database
        self.backend = backend
        self.table = table_of(entity_class)
        self.columns = columns_of(entity_class)
        self.names = tuple(self.columns)
        #: The fields that are the key, and the only one where there is one.
        self.keys = entity_class.__nitro_keys__
        self.key = self.keys[0]
        self.versioned = VERSION in self.table.columns
        codecs = [column.codec(database.dialect.name) for column in self.columns.values()]
        self.encoders = dict(zip(self.names, (encode for encode, _ in codecs), strict=True))
        self.decoders = tuple(decode for _, decode in codecs)
        native = [column.native_codec(database.dialect.name) for column in self.columns.values()]
        #: None where an instance is more than its fields.
        self._rows = (
            _core.RowCodec(entity_class, tuple(read for _, read in native), tuple(write for write, _ in native))
            if _is_plain(entity_class)
            else None
        )
        self.key_encoder = self.encoders[self.key]
        self.key_columns: list[Any] = [self.table.columns[name] for name in self.keys]
        self.key_column: Any = self.key_columns[0]
        self.single = len(self.keys) == 1
        self._updates: dict[tuple[str, ...], str] = {}

        table = self.table
        selected = [table.columns[name] for name in self.names]
        #: What a row of an entity has: every field, and the version.
        self.selected: list[Any] = [*selected, table.columns[VERSION]] if self.versioned else selected
        by_key: Any = sa.and_(*(table.columns[name] == self._parameter(name) for name in self.keys))
        at_version = by_key & (table.columns[VERSION] == self._parameter(VERSION)) if self.versioned else by_key
        self._at_version: Any = at_version
        self.get_sql = self.compiled(sa.select(*self.selected).where(by_key))[0]
        version: Any = table.columns[VERSION] if self.versioned else cast("Any", sa.literal_column("1"))
        self.version_sql = self.compiled(sa.select(version).where(by_key))[0]
        self.delete_sql = self.compiled(sa.delete(table).where(at_version))[0]
        self.insert_names = (*self.names, VERSION) if self.versioned else self.names
        insert = sa.insert(table).values({name: self._parameter(name) for name in self.insert_names})
        self.insert_sql, order = self.compiled(insert)
        if order != self.insert_names:
            raise AssertionError(f"the parameters of an insert come as {order}, not as {self.insert_names}")
        quote = database.dialect.identifier_preparer.quote
        self.quoted: str = database.dialect.identifier_preparer.format_table(table)
        # The driver looks for no parameters here, so a percent sign in a name is itself.
        named = ", ".join(quote(table.columns[name].name) for name in self.insert_names)
        copied = f"{self.quoted} ({named})".replace("%%", "%")
        self.copy_sql = f"COPY {copied} FROM STDIN"
        self.lock_sql = self.compiled(sa.select(*self.selected).where(by_key).with_for_update())[0]
        self.upsert_sql = self._upsert_sql()
        #: The key is the database's to give.
        self.numbered = self.single and bool(self.key_column.autoincrement is True)
        if self.numbered:
            given = [name for name in self.insert_names if name != self.key]
            statement = sa.insert(table).values({name: self._parameter(name) for name in given})
            self.numbered_sql, self.numbered_order = self.compiled(statement.returning(self.key_column))

    def _parameter(self, name: str) -> Any:
        column = self.columns.get(name)
        type_ = None if column is None else parameter_type(column.type)
        if column is not None and column.kind == "json" and self.database.dialect.name == "postgresql":
            return sa.cast(sa.bindparam(name, type_=sa.String()), postgresql.JSONB())
        return sa.bindparam(name, type_=sa.BigInteger() if column is None else type_)

    def _upsert_sql(self) -> str:
        """The statement that stores an entity whether its key is there or not, and gives the version afterwards."""
        table = self.table
        dialect: Any = sqlite if self.database.dialect.name == "sqlite" else postgresql
        insert = dialect.insert(table).values({name: self._parameter(name) for name in self.insert_names})
        values: dict[Any, Any] = {name: insert.excluded[name] for name in self.names}
        if self.versioned:
            values[VERSION] = table.columns[VERSION] + cast("Any", sa.literal_column("1"))
        upsert = insert.on_conflict_do_update(index_elements=self.key_columns, set_=values)
        returned: Any = table.columns[VERSION] if self.versioned else cast("Any", sa.literal_column("1"))
        return self.compiled(upsert.returning(returned))[0]

    def compiled(self, statement: Any) -> tuple[str, tuple[str, ...]]:
        """(SQL, the names of its parameters in the order of their places)."""
        compiled: Any = statement.compile(dialect=self.database.dialect, compile_kwargs={"render_postcompile": True})
        return compiled.string, tuple(compiled.positiontup or ())

    def prepared(self, statement: Any) -> Prepared:
        """A statement with parameters of a compiler."""
        compiled: Any = statement.compile(dialect=self.database.dialect)
        expanded: Any = compiled.construct_expanded_state({name: None for name in compiled.binds if name[0] == "@"})
        places: list[tuple[int | None, Any]] = []
        for name in expanded.positiontup or ():
            if name.startswith("@"):
                places.append((int(name[1:]), None))
            else:
                # A constant, such as one in a clause of SQLAlchemy's: in the form of the driver.
                constant, processor = expanded.parameters[name], expanded.processors.get(name)
                if name in compiled.binds:
                    type_ = compiled.binds[name].type.dialect_impl(self.database.dialect)
                    processor = type_.bind_processor(self.database.dialect)
                places.append((None, constant if processor is None else processor(constant)))
        return Prepared(expanded.statement, places)

    def finished(self, statement: Any, compiler: Compiler) -> tuple[str, list[Any]]:
        """(SQL, its parameters) of a statement whose values a compiler has."""
        prepared = self.prepared(statement)
        return prepared.sql, prepared.parameters(compiler.values)

    def compiler(self) -> Compiler:
        """For one query on the table."""
        return Compiler(self.database.dialect.name, self.columns, self.table, self.backend)

    # --- Rows ---

    def key_in(self, key: Any) -> Any:
        """A key as the driver takes it.

        Raises:
            Refused: If the database cannot hold such a key.
        """
        return key if self.key_encoder is None or key is None else self.key_encoder(key)

    def key_row(self, key: Any) -> tuple[Any, ...]:
        """The parameters of a key, which is a tuple where several fields are the key.

        Raises:
            Refused: If the database cannot hold such a key.
        """
        if self.single:
            return (self.key_in(key),)
        encoders = (self.encoders[name] for name in self.keys)
        return tuple(
            part if encode is None or part is None else encode(part) for encode, part in zip(encoders, key, strict=True)
        )

    def row_of(self, entity: Entity) -> list[Any]:
        """The values of a new entity as the driver takes them, in the order of `insert_names`.

        Raises:
            UnstorableValue: If the database cannot hold one of them.
        """
        if self._rows is not None:
            try:
                return self._rows.row(entity, FIRST if self.versioned else None)
            except Refused:
                pass  # which one it was is found out below
        row = [self.value_in(name, plain(getattr(entity, name))) for name in self.names]
        return [*row, FIRST] if self.versioned else row

    def value_in(self, name: str, value: Any) -> Any:
        """The value of a field as the driver takes it.

        Raises:
            UnstorableValue: If the database cannot hold it.
        """
        encode = self.encoders[name]
        if encode is None or value is None:
            return value
        try:
            return encode(value)
        except Refused as refused:
            raise UnstorableValue(self.entity_class, name, value, str(refused)) from None

    def value_out(self, name: str, value: Any) -> Any:
        """The value of a field from what the driver gave."""
        decode = self.decoders[self.names.index(name)]
        return value if decode is None or value is None else decode(value)

    def key_out(self, row: Row) -> Any:
        """The key from a row of the key's columns."""
        if self.single:
            return self.value_out(self.key, row[0])
        return tuple(self.value_out(name, value) for name, value in zip(self.keys, row, strict=True))

    def entity(self, row: Row) -> Any:
        """The entity of a row of `selected`."""
        if self._rows is not None:
            return self._rows.entity(row)
        return self._made_slowly(row)

    def entities(self, rows: list[Row]) -> list[Any]:
        """The entities of rows of `selected`."""
        if self._rows is not None:
            return self._rows.entities(rows)
        return [self._made_slowly(row) for row in rows]

    def _made_slowly(self, row: Row) -> Any:
        """An entity with private attributes, or with code of its own that runs when it is made."""
        values = {
            name: value if decode is None or value is None else decode(value)
            for name, decode, value in zip(self.names, self.decoders, row, strict=False)
        }
        return made(self.entity_class, values, row[len(self.names)] if self.versioned else FIRST)

    # --- Statements ---

    def insert(self, entity: Entity) -> tuple[str, list[Any], bool]:
        """The statement that stores a new entity, its parameters, and whether it gives the key back."""
        row = self.row_of(entity)
        if self.numbered and row[self.names.index(self.key)] is None:
            by_name = dict(zip(self.insert_names, row, strict=True))
            return self.numbered_sql, [by_name[name] for name in self.numbered_order], True
        return self.insert_sql, row, False

    def insert_all(self, entities: list[Entity]) -> tuple[str, Iterable[list[Any]], bool]:
        """The statement that stores many new entities, its rows of parameters, and whether it is a COPY.

        A row is made when it is asked for, which may raise `Refused`: `row_of` then says more.
        """
        rows: Iterable[list[Any]]
        if self._rows is not None:
            rows = map(self._rows.row, entities, repeat(FIRST if self.versioned else None))
        else:
            rows = map(self.row_of, entities)
        copied = self.database.copies and len(entities) >= COPY_FROM
        return (self.copy_sql if copied else self.insert_sql), rows, copied

    def number(self, entity: Entity, rows: list[Row]) -> None:
        """Gives an entity the key that the database made."""
        undo = self.database.undo
        if undo is not None:
            undo.append(lambda: object.__setattr__(entity, "__dict__", {**entity.__dict__, self.key: None}))
        held = {**entity.__dict__, self.key: self.value_out(self.key, rows[0][0])}
        object.__setattr__(entity, "__dict__", held)

    def update(self, entity: Entity, changed: Sequence[str], key: Any, version: int) -> tuple[str, list[Any]]:
        """The statement that stores what changed in an entity."""
        names = tuple(changed)
        sql = self._updates.get(names)
        if sql is None:
            table = self.table
            values: dict[Any, Any] = {table.columns[name]: self._parameter(f"{name}") for name in names}
            old = tuple(f"@{name}" for name in self.keys)
            where: Any = sa.and_(
                *(
                    table.columns[name] == sa.bindparam(parameter, type_=self._parameter(name).type)
                    for name, parameter in zip(self.keys, old, strict=True)
                )
            )
            if self.versioned:
                values[table.columns[VERSION]] = table.columns[VERSION] + cast("Any", sa.literal_column("1"))
                where &= table.columns[VERSION] == self._parameter(VERSION)
            statement = sa.update(table).values(values).where(where)
            sql, order = self.compiled(statement)
            wanted = (*names, *old, VERSION) if self.versioned else (*names, *old)
            if order != wanted:
                raise AssertionError(f"the parameters of an update come as {order}, not as {wanted}")
            self._updates[names] = sql
        parameters = [self.value_in(name, plain(getattr(entity, name))) for name in names]
        parameters += self.key_row(key)
        if self.versioned:
            parameters.append(version)
        return sql, parameters

    # --- What went wrong ---

    def mismatch(self, error: Exception) -> NoReturn:
        """A table or a column is not there. This looks at the database, so in async code it is called in a thread.

        Raises:
            SchemaMismatch: Always.
        """
        from .tables import connected, differences, mismatch

        found: list[str] = []
        if not self.database.in_transaction:
            with connected(self.database, writing=False) as connection:
                found = differences(connection, [self.table])
        there = f"there is no table as {self.entity_class.__name__} wants it ({error})"
        raise mismatch(self.database, found or [there]) from error

    def unanswered(self, error: Unfit | NoSuchTable) -> NoReturn:
        """A query that the database cannot answer.

        Raises:
            SchemaMismatch: If a table or a column is not there.
            UnsupportedQuery: If it has a value that the database has not, such as a text with a NUL character.
        """
        if isinstance(error, NoSuchTable):
            self.mismatch(error)
        raise UnsupportedQuery(
            f"{self.backend} cannot be asked for {self.entity_class.__name__} with such a value: {error}"
        ) from error

    def clashing(self, error: Clash) -> tuple[str, ...]:
        """The fields whose values were refused, in the order of the index; none where they cannot be told."""
        for constraint in [*self.table.constraints, *self.table.indexes]:
            if error.constraint and constraint.name == error.constraint:
                return tuple(column.key for column in _columns(constraint))
        if error.constraint == f"{self.table.name}_pkey":
            return self.keys
        fields = {column.name: column.key for column in self.table.columns}
        return tuple(fields[name] for name in error.columns if fields.get(name) in self.columns)

    def holder(self, entity: Entity, error: Exception) -> tuple[str, list[Any]] | None:
        """How to find the key of the entity that has the values that were refused; None where there is no such."""
        names = self.clashing(error) if isinstance(error, Clash) and error.kind == "unique" else ()
        # In PostgreSQL nothing more can be asked in a transaction once a statement of it was refused.
        if not names or self.database.in_transaction:
            return None
        where = sa.and_(*(self.table.columns[name] == self._parameter(name) for name in names))
        sql, order = self.compiled(sa.select(*self.key_columns).where(where))
        return sql, [self.value_in(name, plain(getattr(entity, name))) for name in order]

    def detail_names(self, error: Clash, values: tuple[Any, ...]) -> bool:
        """Whether the database's own words name these values."""
        return f"=({', '.join(map(str, values))})" in error.reason

    def unfit(self, entity: Entity, reason: str) -> NoReturn:
        """The driver refused a value that the codec had let pass.

        Raises:
            UnstorableValue: Always.
        """
        raise UnstorableValue(self.entity_class, ", ".join(self.names), entity, reason)


def made(entity_class: type[Entity], values: dict[str, Any], version: int) -> Any:
    """An entity of values that were stored, which are trusted, as it is loaded."""
    entity = entity_class.model_construct(**values)
    if "__pydantic_fields_set__" in dir(entity):
        object.__setattr__(entity, "__pydantic_fields_set__", set(values))
    changes.loaded(entity, version)
    return entity


def _check_alone(entity_class: type[Entity]) -> None:
    """Whether a class has a table to itself.

    Raises:
        ConfigurationError: If SQLAlchemy keeps several classes in it, or one class in several.
    """
    mapper: Any = entity_class.__dict__.get("__mapper__")
    if mapper is not None and (mapper.inherits is not None or mapper.polymorphic_on is not None):
        raise ConfigurationError(
            f"{entity_class.__name__} shares tables with the classes that it inherits from, or that inherit from it: "
            "load and save such classes with a Session"
        )


def _columns(constraint: Any) -> list[Any]:
    expressions = getattr(constraint, "expressions", None)
    if not expressions:
        return list(constraint.columns)
    return [getattr(expression, "element", expression) for expression in expressions]


def _is_plain(entity_class: Any) -> bool:
    """Whether an instance is its fields and nothing else."""
    return (
        not entity_class.__private_attributes__
        and entity_class.model_post_init is BaseModel.model_post_init
        and entity_class.__nitro_plan__ is not None
    )
