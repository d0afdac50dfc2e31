"""What is found different between the tables of a database and the classes: Alembic's comparison, made exact."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

import sqlalchemy as sa
from alembic.operations import ops
from sqlalchemy.types import TypeEngine

from .. import conversions
from ..tables import plain_type
from .job import Job


def only_what_is_known(job: Job) -> Callable[..., bool]:
    """Leaves alone what others have in the same database."""
    owners = job.owners

    def include(_: Any, name: str, kind: str, reflected: bool, __: Any) -> bool:
        if kind != "table" or name in owners or name in job.drops:
            return True
        if not reflected:
            # It is in another database, and something here refers to it.
            return False
        job.found.notes.append(f"table {name} belongs to no class and is left alone; --drop {name} drops it")
        return False

    return include


def altered_tables(operations: Iterable[ops.MigrateOperation]) -> list[ops.ModifyTableOps]:
    return [op for op in operations if isinstance(op, ops.ModifyTableOps)]


# --- Types as the scripts say them ------------------------------------------------------------------------------


def exact_types(job: Job) -> Callable[..., None]:
    """Puts the types of the scripts in place of those that the database shows, and finds what it does not show."""

    def correct(_: Any, __: Any, scripts: list[ops.MigrationScript]) -> None:
        for script in scripts:
            upgrades, downgrades = script.upgrade_ops, script.downgrade_ops
            assert upgrades is not None, "a revision that is made by comparison has operations"
            for table in altered_tables(upgrades.ops):
                for op in table.ops:
                    if isinstance(op, ops.AlterColumnOp):
                        op.existing_type = job.types.get((op.table_name, op.column_name), op.existing_type)
            for op in _unseen(job, upgrades):
                _table_of(upgrades, op.table_name).ops.append(op)
                if downgrades is not None:
                    _table_of(downgrades, op.table_name).ops.append(op.reverse())
            for op in downgrades.ops if downgrades is not None else ():
                _correct_backward(job, op)

    return correct


def _unseen(job: Job, upgrades: ops.UpgradeOps) -> list[ops.AlterColumnOp]:
    """Columns whose values are to be of another kind, though the database would not tell them apart."""
    if job.store.dialect.name != "sqlite":
        return []
    seen = {
        (op.table_name, op.column_name)
        for table in altered_tables(upgrades.ops)
        for op in table.ops
        if isinstance(op, ops.AlterColumnOp) and op.modify_type is not None
    }
    found: list[ops.AlterColumnOp] = []
    for name, (table, _) in job.owners.items():
        for column in table.columns:
            known, wanted = job.types.get((name, column.name)), plain_type(column.type)
            if (
                known is None
                or (name, column.name) in seen
                or conversions.kind_of(known) == conversions.kind_of(wanted)
            ):
                continue
            found.append(
                ops.AlterColumnOp(
                    name, column.name, existing_type=known, existing_nullable=column.nullable, modify_type=wanted
                )
            )
    return found


def _table_of(operations: ops.OpContainer, name: str) -> ops.ModifyTableOps:
    for op in altered_tables(operations.ops):
        if op.table_name == name:
            return op
    made = ops.ModifyTableOps(name, [])
    operations.ops.append(made)
    return made


def _correct_backward(job: Job, op: ops.MigrateOperation) -> None:
    match op:
        case ops.ModifyTableOps():
            for part in op.ops:
                _correct_backward(job, part)
        case ops.CreateTableOp():
            columns = cast("list[sa.Column[Any]]", [part for part in op.columns if isinstance(part, sa.Column)])
            for column in columns:
                column.type = job.types.get((op.table_name, column.name), column.type)
        case ops.AddColumnOp():
            op.column.type = job.types.get((op.table_name, op.column.name), op.column.type)
        case ops.AlterColumnOp() if op.modify_type is not None:
            op.modify_type = job.types.get((op.table_name, op.column_name), op.modify_type)
        case _:
            pass


# --- In words ---------------------------------------------------------------------------------------------------


def sentences(operations: ops.OpContainer) -> list[str]:
    return [sentence for op in operations.ops for sentence in _said(op)]


def _said(op: ops.MigrateOperation) -> Iterator[str]:
    match op:
        case ops.ModifyTableOps():
            for part in op.ops:
                yield from _said(part)
        case ops.CreateTableOp():
            yield f"there is no table {op.table_name}"
        case ops.DropTableOp():
            yield f"table {op.table_name} belongs to no class"
        case ops.AddColumnOp():
            yield f"there is no column {op.table_name}.{op.column.name} ({_shown(op.column.type)})"
        case ops.DropColumnOp():
            yield f"column {op.table_name}.{op.column_name} belongs to no field"
        case ops.AlterColumnOp():
            place = f"column {op.table_name}.{op.column_name}"
            if op.modify_type is not None:
                yield f"{place} is {_shown(op.existing_type)}, and should be {_shown(op.modify_type)}"
            if op.modify_nullable is not None:
                yield f"{place} {'must not be NULL, and may' if op.modify_nullable else 'may be NULL, and must not'} be"
        case ops.CreateIndexOp():
            yield f"there is no {'unique ' if op.unique else ''}index {op.index_name} on {op.table_name}"
        case ops.DropIndexOp():
            yield f"index {op.index_name} of {op.table_name} is in no class"
        case ops.DropConstraintOp():
            yield f"constraint {op.constraint_name or op.constraint_type} of {op.table_name} is in no class"
        case ops.AddConstraintOp():
            constraint: Any = op.to_constraint()
            names = ", ".join(column.name for column in constraint.columns)
            kind = constraint.__visit_name__.removesuffix("_constraint").replace("_", " ")
            yield f"there is no {kind} constraint on {constraint.table.name} ({names})"
        case ops.ExecuteSQLOp():
            pass  # it goes with the column that becomes required
        case _:
            yield type(op).__name__


def _shown(type_: TypeEngine[Any] | None) -> str:
    return "of no known type" if type_ is None else str(type_).partition(" COLLATE ")[0]
