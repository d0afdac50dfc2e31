"""The table with the idempotency keys of commands, beside the tables of the entities."""

from __future__ import annotations

import datetime
from typing import Any, NoReturn

import sqlalchemy as sa

from ...errors import SchemaMismatch
from ...repository import CommandKey
from .database import Database, NoSuchTable
from .moments import at, placed

#: One row for each key: what the call was given, once it has ended what it gave, and when it was.
TABLE = sa.Table(
    "nitro_command_keys",
    sa.MetaData(),
    sa.Column("command", sa.Text(), primary_key=True),
    sa.Column("key", sa.Text(), primary_key=True),
    sa.Column("arguments", sa.Text(), nullable=False),
    sa.Column("result", sa.Text()),
    sa.Column("used_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
)

# "@" stands for this moment, or one some seconds ago: see `moments`.
_CLAIM = "INSERT INTO nitro_command_keys (command, key, arguments, used_at) VALUES (?, ?, ?, @) ON CONFLICT DO NOTHING"
_READ = "SELECT arguments, result FROM nitro_command_keys WHERE command = ? AND key = ?"
_RECORD = "UPDATE nitro_command_keys SET result = ? WHERE command = ? AND key = ?"
_FORGET = "DELETE FROM nitro_command_keys WHERE used_at < @"


def claimed(store: Database, command: str, key: str, arguments: str) -> CommandKey:
    """A key, in the transaction that is going on. One that another transaction has is waited for."""
    found: Any = None
    try:
        # Whoever has it may forget it before it is read.
        while found is None and not store.execute(placed(store, _CLAIM), (command, key, arguments, *at(store))):
            found = store.fetch_one(placed(store, _READ), (command, key))
    except NoSuchTable as error:
        _missing(store, command, error)
    return _key(store, command, key, found)


async def aclaimed(store: Database, command: str, key: str, arguments: str) -> CommandKey:
    """`claimed`, for async code."""
    found: Any = None
    try:
        while found is None and not await store.aexecute(placed(store, _CLAIM), (command, key, arguments, *at(store))):
            found = await store.afetch_one(placed(store, _READ), (command, key))
    except NoSuchTable as error:
        _missing(store, command, error)
    return _key(store, command, key, found)


def _key(store: Database, command: str, key: str, found: Any) -> CommandKey:
    sql = placed(store, _RECORD)

    def record(result: str) -> None:
        store.execute(sql, (result, command, key))

    async def arecord(result: str) -> None:
        await store.aexecute(sql, (result, command, key))

    def forget() -> None:
        # The transaction does.
        pass

    # Without a result it is this transaction that uses it, and has not come to the end.
    known = None if found is None or found[1] is None else (found[0], found[1])
    return CommandKey(known, record, arecord, forget)


def forget(store: Database, older_than: datetime.timedelta) -> int:
    """Forgets the keys that were used first longer ago, and tells how many those were."""
    try:
        return store.execute(placed(store, _FORGET), at(store, -older_than.total_seconds()))
    except NoSuchTable:
        # Nobody has used any.
        return 0


async def aforget(store: Database, older_than: datetime.timedelta) -> int:
    """`forget`, for async code."""
    try:
        return await store.aexecute(placed(store, _FORGET), at(store, -older_than.total_seconds()))
    except NoSuchTable:
        return 0


def _missing(store: Database, command: str, error: NoSuchTable) -> NoReturn:
    raise SchemaMismatch(
        f"{store.name} has no table {TABLE.name}, which the idempotency keys of {command} are kept in: "
        "`nitro db revision` and `nitro db upgrade` make it, or nitro.create_all()"
    ) from error
