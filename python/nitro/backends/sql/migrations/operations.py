"""How scripts are run: Alembic's operations, with values that are taken along to another type."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from copy import copy
from typing import Any, cast

import sqlalchemy as sa
from alembic.ddl.postgresql import PostgresqlImpl
from alembic.ddl.sqlite import SQLiteImpl
from sqlalchemy.types import TypeEngine

from ....errors import NitroError
from .. import conversions
from ..schema import make_portable, without_places
from .job import Job, Rename

# --- Foreign keys -----------------------------------------------------------------------------------------------


@contextmanager
def without_foreign_keys(connection: sa.Connection) -> Generator[None]:
    """SQLite alters a table by making another and dropping the first, which would take all that refers to it along."""
    if connection.dialect.name != "sqlite":
        yield
        return
    raw: Any = connection.connection.dbapi_connection
    raw.execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        raw.execute("PRAGMA foreign_keys = ON")


def check_foreign_keys(connection: sa.Connection) -> None:
    """Refuses what a script has done if a row refers to nothing now.

    Raises:
        NitroError: If one does.
    """
    if connection.dialect.name != "sqlite":
        return
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if broken is not None:
        raise NitroError(
            f"a row of table {broken[0]} would refer to a row of table {broken[2]} that is not there: "
            "nothing was changed"
        )


# --- Types that change ------------------------------------------------------------------------------------------


class ConvertingSQLiteImpl(SQLiteImpl):
    """Alembic's, for `nitro db`: values are converted by `conversions`, and indexes keep their directions."""

    __dialect__ = "sqlite"

    _types_said: Mapping[str, TypeEngine[Any] | None] = {}

    def cast_for_batch_migrate(
        self, existing: sa.Column[Any], existing_transfer: dict[str, Any], new_type: TypeEngine[Any]
    ) -> None:
        job: Job | None = self.context_opts.get("nitro")
        wanted = conversions.kind_of(new_type)
        if job is None or wanted is None:
            super().cast_for_batch_migrate(existing, existing_transfer, new_type)  # pyright: ignore[reportUnknownMemberType]
            return
        kind = conversions.kind_of(self._said(existing))
        place = f"{existing_transfer['expr'].table.name}.{existing.name}"
        name = f"nitro_convert_{len(job.failures)}_{abs(hash(place))}"
        connection = self.connection
        assert connection is not None, "a table is copied over a connection"
        raw: Any = connection.connection.dbapi_connection

        def convert(value: Any) -> Any:
            try:
                return conversions.sqlite_value(value, kind, wanted)
            except ValueError as error:
                job.failures.append(f"column {place}: {error}")
                raise

        # The name is new for each column that is converted: a connection keeps its functions.
        raw.create_function(name, 1, convert)
        existing_transfer["expr"] = getattr(sa.func, name)(existing_transfer["expr"])
        existing.server_default = None

    def requires_recreate_in_batch(self, batch_op: Any) -> bool:
        # What the script says of a type is more than the table shows.
        self._types_said = {
            arguments[1]: keywords.get("existing_type")
            for name, arguments, keywords in batch_op.batch
            if name == "alter_column"
        }
        return super().requires_recreate_in_batch(batch_op)

    def _said(self, existing: sa.Column[Any]) -> TypeEngine[Any]:
        said: TypeEngine[Any] | None = self._types_said.get(existing.name)
        return existing.type if said is None else said

    def prep_table_for_batch(self, batch_impl: Any, table: sa.Table) -> None:
        super().prep_table_for_batch(batch_impl, table)
        connection = self.connection
        if connection is None or "nitro" not in self.context_opts:
            return
        quote = connection.dialect.identifier_preparer.quote
        for name, index in list(batch_impl.indexes.items()):
            parts = connection.exec_driver_sql(f"PRAGMA index_xinfo({quote(name)})").all()
            # (rank, column, name, whether it is descending, collation, whether it is a part of the index)
            downward = {part[2] for part in parts if part[3] and part[5]}
            if downward and not index._column_flag:
                columns = [column.desc() if column.name in downward else column for column in index.columns]
                table.indexes.discard(index)
                batch_impl.indexes[name] = sa.Index(name, *columns, unique=index.unique, _table=table)


class ConvertingPostgresqlImpl(PostgresqlImpl):
    """Alembic's, for `nitro db`: a type that changes says how its values are converted.

    Where NULL is in an index makes no difference in a comparison: earlier versions have left that to PostgreSQL.
    """

    __dialect__ = "postgresql"

    def correct_for_autogen_constraints(
        self,
        conn_unique_constraints: Any,
        conn_indexes: Any,
        metadata_unique_constraints: Any,
        metadata_indexes: Any,
    ) -> None:
        correct: Callable[..., None] = cast("Any", super()).correct_for_autogen_constraints
        correct(conn_unique_constraints, conn_indexes, metadata_unique_constraints, metadata_indexes)
        for index in conn_indexes:
            make_portable(index)

    def compare_indexes(self, metadata_index: sa.Index, reflected_index: sa.Index) -> Any:
        # The table of a class is not to be changed by being compared.
        wanted = copy(metadata_index)
        wanted.expressions, _ = without_places(metadata_index)
        return super().compare_indexes(wanted, reflected_index)

    def alter_column(self, table_name: str, column_name: str, **changes: Any) -> None:
        alter: Callable[..., None] = cast("Any", super()).alter_column
        replay = self._replay
        if replay is not None:
            if changes.get("type_") is not None:
                replay.types[table_name, column_name] = changes["type_"]
            if changes.get("name") is not None:
                replay.types = Rename(table_name, column_name, str(changes["name"])).applied(replay.types)
            return
        wanted: TypeEngine[Any] | None = changes.get("type_")
        if wanted is not None and "nitro" in self.context_opts and changes.get("postgresql_using") is None:
            quoted = self.dialect.identifier_preparer.quote(column_name)
            existing = self._existing_type(table_name, column_name, changes)
            kinds = existing and conversions.kind_of(existing), conversions.kind_of(wanted)
            sql = wanted.dialect_impl(self.dialect).compile(self.dialect)
            using = conversions.postgres_using(quoted, sql, *kinds)
            if using is not None:
                changes["postgresql_using"] = using
                # It may be none of the new type; it was for the rows that were there when the column came.
                alter(table_name, column_name, server_default=None, schema=changes.get("schema"))
        alter(table_name, column_name, **changes)

    def create_table(self, table: sa.Table, **options: Any) -> None:
        replay = self._replay
        if replay is None:
            super().create_table(table, **options)
            return
        replay.types.update({(table.name, column.name): column.type for column in table.columns})

    def add_column(self, table_name: str, column: sa.Column[Any], **options: Any) -> None:
        replay = self._replay
        if replay is None:
            super().add_column(table_name, column, **options)
            return
        replay.types[table_name, column.name] = column.type

    def rename_table(self, old_table_name: str, new_table_name: str, schema: str | None = None) -> None:
        replay = self._replay
        if replay is None:
            super().rename_table(old_table_name, new_table_name, schema=schema)
            return
        replay.types = Rename(old_table_name, None, new_table_name).applied(replay.types)

    @property
    def _replay(self) -> Job | None:
        job: Job | None = self.context_opts.get("nitro")
        return job if job is not None and job.is_replay else None

    def _existing_type(self, table_name: str, column_name: str, changes: dict[str, Any]) -> TypeEngine[Any] | None:
        if self.as_sql or self.connection is None:
            return changes.get("existing_type")
        columns = sa.inspect(self.connection).get_columns(table_name, schema=changes.get("schema"))
        return next((column["type"] for column in columns if column["name"] == column_name), None)
