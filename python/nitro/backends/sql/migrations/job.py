"""What one command wants of `nitro db`, and what came of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.operations import ops
from sqlalchemy.types import TypeEngine

from ....errors import ConfigurationError
from ..database import Database
from ..tables import tables_of

#: {(table, column): what the scripts say of its type}.
Types = dict[tuple[str, str], TypeEngine[Any]]


@dataclass
class Revision:
    """A script that was written.

    Attributes:
        path: The script; None where there was nothing to do.
        changes: What it changes, in sentences.
        notes: What whoever asked for it should know.
    """

    path: Path | None = None
    changes: list[str] = field(default_factory=list[str])
    notes: list[str] = field(default_factory=list[str])


@dataclass
class Job:
    """What one command wants of `run`, which Alembic calls by way of env.py."""

    store: Database
    is_comparison: bool = False
    is_revision: bool = False
    from_nothing: bool = False
    renames: Sequence[Rename] = ()
    drops: frozenset[str] = frozenset()
    fills: dict[str, str] = field(default_factory=dict[str, str])
    found: Revision = field(default_factory=Revision)
    steps: list[str] = field(default_factory=list[str])
    failures: list[str] = field(default_factory=list[str])
    is_replay: bool = False
    types: Types = field(default_factory=dict[tuple[str, str], TypeEngine[Any]])

    @property
    def owners(self) -> dict[str, tuple[sa.Table, type]]:
        return tables_of(self.store)


_RENAME = re.compile(r"(?P<table>[^.:]+)(?:\.(?P<column>[^.:]+))?:(?P<new>[^.:]+)")


@dataclass(frozen=True)
class Rename:
    table: str
    column: str | None
    new: str

    @classmethod
    def read(cls, text: str) -> Rename:
        found = _RENAME.fullmatch(text)
        if found is None:
            raise ConfigurationError(f"{text!r} is no rename: write table.old:new for a column, old:new for a table")
        return cls(found["table"], found["column"], found["new"])

    def check(self, connection: sa.Connection) -> None:
        inspector = sa.inspect(connection)
        tables = inspector.get_table_names()
        if self.table not in tables:
            raise ConfigurationError(
                f"there is no table {self.table!r} to rename: there are {', '.join(sorted(tables))}"
            )
        if self.column is None:
            if self.new in tables:
                raise ConfigurationError(
                    f"there is a table {self.new!r} already: drop it, or call the new one otherwise"
                )
            return
        columns = [column["name"] for column in inspector.get_columns(self.table)]
        if self.column not in columns:
            raise ConfigurationError(
                f"there is no column {self.table}.{self.column} to rename: there are {', '.join(columns)}"
            )

    def operation(self) -> ops.MigrateOperation:
        if self.column is None:
            return ops.RenameTableOp(self.table, self.new)
        return ops.AlterColumnOp(self.table, self.column, modify_name=self.new)

    def reverse(self) -> ops.MigrateOperation:
        if self.column is None:
            return ops.RenameTableOp(self.new, self.table)
        return ops.AlterColumnOp(self.table, self.new, modify_name=self.column)

    def applied(self, types: Types) -> Types:
        """What is known of columns by their names from now on."""
        if self.column is None:
            return {(self.new if table == self.table else table, name): type_ for (table, name), type_ in types.items()}
        old, new = (self.table, self.column), (self.table, self.new)
        return {new if place == old else place: type_ for place, type_ in types.items()}

    def sentence(self) -> str:
        place = self.table if self.column is None else f"{self.table}.{self.column}"
        return f"{'table' if self.column is None else 'column'} {place} is called {self.new}"
