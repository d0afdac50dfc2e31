"""The table with the idempotency keys of commands, beside the tables of the entities."""

from __future__ import annotations

from types import FunctionType
from typing import Any, NoReturn

import sqlalchemy as sa

from ...errors import SchemaMismatch
from ...repository import CommandKey
from .database import Database, NoSuchTable

#: One row for each key: what the call was given and, once it has ended, what it gave.
TABLE = sa.Table(
    "nitro_command_keys",
    sa.MetaData(),
    sa.Column("command", sa.Text(), primary_key=True),
    sa.Column("key", sa.Text(), primary_key=True),
    sa.Column("arguments", sa.Text(), nullable=False),
    sa.Column("result", sa.Text()),
    sa.Column("used_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
)

_CLAIM = "INSERT INTO nitro_command_keys (command, key, arguments) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
_READ = "SELECT arguments, result FROM nitro_command_keys WHERE command = ? AND key = ?"
_RECORD = "UPDATE nitro_command_keys SET result = ? WHERE command = ? AND key = ?"


def are_kept_for(entity_class: type) -> bool:
    """Whether a class has a command that takes keys."""
    for base in entity_class.__mro__:
        for value in vars(base).values():
            function = getattr(value, "__func__", value)
            if isinstance(function, FunctionType) and getattr(
                getattr(function, "__nitro_command__", None), "idempotent", False
            ):
                return True
    return False


def _sql(store: Database, sql: str) -> str:
    return sql.replace("?", "%s") if store.dialect.paramstyle == "format" else sql


def claimed(store: Database, command: str, key: str, arguments: str) -> CommandKey:
    """A key, in the transaction that is going on. One that another transaction has is waited for."""
    try:
        is_mine = store.execute(_sql(store, _CLAIM), (command, key, arguments))
        found: Any = None if is_mine else store.fetch_one(_sql(store, _READ), (command, key))
    except NoSuchTable as error:
        _missing(store, command, error)
    return _key(store, command, key, found)


async def aclaimed(store: Database, command: str, key: str, arguments: str) -> CommandKey:
    """`claimed`, for async code."""
    try:
        is_mine = await store.aexecute(_sql(store, _CLAIM), (command, key, arguments))
        found: Any = None if is_mine else await store.afetch_one(_sql(store, _READ), (command, key))
    except NoSuchTable as error:
        _missing(store, command, error)
    return _key(store, command, key, found)


def _key(store: Database, command: str, key: str, found: Any) -> CommandKey:
    sql = _sql(store, _RECORD)

    def record(result: str) -> None:
        store.execute(sql, (result, command, key))

    async def arecord(result: str) -> None:
        await store.aexecute(sql, (result, command, key))

    def forget() -> None:
        # The transaction does.
        pass

    return CommandKey(found, record, arecord, forget)


def _missing(store: Database, command: str, error: NoSuchTable) -> NoReturn:
    raise SchemaMismatch(
        f"{store.name} has no table {TABLE.name}, which the idempotency keys of {command} are kept in: "
        "`nitro db revision` and `nitro db upgrade` make it, or nitro.create_all()"
    ) from error
