"""What is written into a script: renames in place of losses, and a value for rows that are there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import sqlalchemy as sa
from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine

from ....entity import Entity
from ....errors import ConfigurationError
from .. import conversions
from ..schema import columns_of
from ..types import Refused
from .found import altered_tables, sentences
from .job import Job


def arranging(job: Job) -> Callable[..., None]:
    def arrange(_: Any, __: Any, scripts: list[ops.MigrationScript]) -> None:
        (script,) = scripts
        upgrades, downgrades = script.upgrade_ops, script.downgrade_ops
        assert upgrades is not None, "a revision that is made by comparison has operations"
        assert downgrades is not None, "a revision that is made by comparison has operations"
        _refuse_unknown_drops(job, upgrades)
        _refuse_guesses(job, upgrades)
        _fill(job, upgrades)
        if job.fills:
            raise ConfigurationError(f"--fill {next(iter(job.fills))}: no such column is new, or has become required")
        job.found.changes = [*(rename.sentence() for rename in job.renames), *sentences(upgrades)]
        if not job.found.changes:
            scripts.clear()
            return
        _fill_again(downgrades)
        for operations in (upgrades, downgrades):
            operations.ops = list(_indexes_after(operations.ops))
        upgrades.ops = [*(rename.operation() for rename in job.renames), *upgrades.ops]
        downgrades.ops = [*downgrades.ops, *(rename.reverse() for rename in reversed(job.renames))]

    return arrange


def _refuse_unknown_drops(job: Job, upgrades: ops.UpgradeOps) -> None:
    going = {op.table_name for op in upgrades.ops if isinstance(op, ops.DropTableOp)}
    for table in altered_tables(upgrades.ops):
        going |= {f"{op.table_name}.{op.column_name}" for op in table.ops if isinstance(op, ops.DropColumnOp)}
    for place in sorted(job.drops - going):
        raise ConfigurationError(f"--drop {place}: there is no such table or column, or a class still has it")


def _refuse_guesses(job: Job, upgrades: ops.UpgradeOps) -> None:
    """A column that goes while another comes may be the same one, and nobody but the author knows."""
    for table in altered_tables(upgrades.ops):
        new = [op.column for op in table.ops if isinstance(op, ops.AddColumnOp)]
        for op in table.ops:
            place = f"{table.table_name}.{getattr(op, 'column_name', '')}"
            if not isinstance(op, ops.DropColumnOp) or place in job.drops:
                continue
            known = job.types.get((op.table_name, op.column_name))
            like = [column for column in new if _alike(known, op.to_column().type, column.type, job.store.dialect)]
            if like:
                either = " or ".join(f"--rename {place}:{column.name}" for column in like)
                coming = ", ".join(f"{table.table_name}.{column.name}" for column in like)
                raise ConfigurationError(
                    f"column {place} goes and {coming} comes: "
                    f"{either} keeps its values, --drop {place} throws them away"
                )


def _alike(known: TypeEngine[Any] | None, there: TypeEngine[Any], new: TypeEngine[Any], dialect: sa.Dialect) -> bool:
    if known is not None:
        return conversions.kind_of(known) == conversions.kind_of(new)
    return conversions.kind_of(there) == conversions.kind_of(new.dialect_impl(dialect))


def _fill(job: Job, upgrades: ops.UpgradeOps) -> None:
    """Rows that are there get a value in each new column that must have one."""
    arranged: list[ops.MigrateOperation] = []
    for table in upgrades.ops:
        for op in list(table.ops) if isinstance(table, ops.ModifyTableOps) else ():
            if isinstance(op, ops.AddColumnOp) and _needs_value(op.column):
                op.column.server_default = sa.DefaultClause(_value(job, op.table_name, op.column.name, required=True))
            if isinstance(op, ops.AlterColumnOp) and op.modify_nullable is False:
                value = _value(job, op.table_name, op.column_name, required=False)
                if value:
                    arranged.append(ops.ExecuteSQLOp(_update_sql(op.table_name, op.column_name, value)))
        arranged.append(table)
    upgrades.ops = arranged


def _needs_value(column: sa.Column[Any]) -> bool:
    return not column.nullable and column.server_default is None and not column.primary_key


def _value(job: Job, table_name: str, column_name: str, *, required: bool) -> str:
    place = f"{table_name}.{column_name}"
    if place in job.fills:
        return job.fills.pop(place)
    _, owner = job.owners[table_name]
    found = _default(owner, column_name)
    if found is None and required:
        raise ConfigurationError(
            f"column {place} is new and must have a value, and {owner.__name__}.{column_name} has no default that the "
            f"rows which are there could get: give it one, or say --fill {place}=..."
        )
    return found or ""


#: What makes the same default for every row.
_CONSTANT: tuple[Any, ...] = (list, dict, set, frozenset, str, int, float, bool)


def _default(owner: type, name: str) -> str | None:
    """The default of a field as SQLite and PostgreSQL both read it; None where there is none for all rows alike."""
    info: FieldInfo | None = getattr(owner, "__pydantic_fields__", {}).get(name)
    if info is None:
        return None
    factory: Any = info.default_factory
    value: Any = info.default if factory is None else factory() if factory in _CONSTANT else None
    if value is None or value is PydanticUndefined:
        return None
    if not issubclass(owner, Entity):
        return _literal(value) if isinstance(value, str | int | float) else None
    column = columns_of(owner)[name]
    encode = column.codec("sqlite")[0]
    try:
        kept: Any = value if encode is None else encode(value)
    except (Refused, AttributeError, TypeError):
        # A default that is none of the type, which pydantic does not look at either.
        return None
    # These two databases do not write alike.
    return None if isinstance(kept, bytes) or (column.kind == "span" and kept) else _literal(kept)


def _literal(value: Any) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


def _update_sql(table_name: str, column_name: str, value: str) -> str:
    quote = postgresql.dialect().identifier_preparer.quote
    text = value.replace("'", "''")
    statement = f"UPDATE {quote(table_name)} SET {quote(column_name)} = '{text}' WHERE {quote(column_name)} IS NULL"
    # A colon would begin a parameter.
    return statement.replace(":", "\\:")


#: What a column that must have a value is given when it comes back: what was in it is gone.
_EMPTY = {
    "text": "",
    "integer": "0",
    "float": "0",
    "decimal": "0",
    "boolean": "0",
    "json": "null",
    "span": "0",
    "date": "1970-01-01",
    "moment": "1970-01-01 00:00:00.000000",
    "naive": "1970-01-01 00:00:00.000000",
    "time": "00:00:00.000000",
    "uuid": "0" * 32,
}


def _fill_again(downgrades: ops.DowngradeOps) -> None:
    for table in altered_tables(downgrades.ops):
        for op in table.ops:
            if isinstance(op, ops.AddColumnOp) and _needs_value(op.column):
                empty = _EMPTY.get(conversions.kind_of(op.column.type) or "")
                op.column.server_default = None if empty is None else sa.DefaultClause(empty)


def _indexes_after(operations: Iterable[ops.MigrateOperation]) -> Iterator[ops.MigrateOperation]:
    """Makes indexes when their table is as it will be: what copies a table for SQLite forgets which way they go."""
    for op in operations:
        if not isinstance(op, ops.ModifyTableOps):
            yield op
            continue
        indexes = [part for part in op.ops if isinstance(part, ops.CreateIndexOp)]
        op.ops = [part for part in op.ops if not isinstance(part, ops.CreateIndexOp)]
        if op.ops:
            yield op
        yield from indexes


# --- The text of a script ---------------------------------------------------------------------------------------


@renderers.dispatch_for(ops.RenameTableOp)
def _render_rename(context: AutogenContext, op: ops.RenameTableOp) -> str:
    return f"{context.opts['alembic_module_prefix']}rename_table({op.table_name!r}, {op.new_table_name!r})"


def render_item(kind: str, item: Any, context: Any) -> str | bool:
    if kind == "type" and type(item) is postgresql.JSONB:
        context.imports.add("from sqlalchemy.dialects import postgresql")
        return "postgresql.JSONB()"
    if kind == "type" and not type(item).__module__.startswith("sqlalchemy."):
        context.imports.add(f"import {type(item).__module__}")
    return False
