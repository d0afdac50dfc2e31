"""The driver alone: one connection that stays open, statements that commit by themselves, and rows as tuples.

JSON, and on SQLite moments too, are written beforehand and not read: they go in and come out as text. The drivers
prepare statements as they do without being asked: sqlite3 keeps them, psycopg prepares what it sees for the sixth time.
"""

import sqlite3
from typing import Any

import aiosqlite
import psycopg
from psycopg.types.string import TextLoader

from .orders import FIELDS, LIMIT, Record, plain
from .peers import Peer
from .places import PRAGMAS, Place, address

RAW = "raw driver"

_COLUMNS = ", ".join(FIELDS)


class RawSqlite(Peer):
    name = RAW
    table = "raw_orders"

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.file = str(place.url(self.table).database)
        self.connection = sqlite3.connect(self.file, isolation_level=None)
        for pragma in PRAGMAS:
            self.connection.execute(pragma)
        self.connection_of_loop: aiosqlite.Connection | None = None

    def prepare(self) -> None:
        self.connection.execute(
            "CREATE TABLE raw_orders (id TEXT NOT NULL PRIMARY KEY, address JSON NOT NULL, placed TEXT NOT NULL, "
            "customer TEXT NOT NULL, total FLOAT NOT NULL, quantity BIGINT NOT NULL, paid BOOLEAN NOT NULL, note TEXT)"
        )
        self.connection.execute("CREATE INDEX raw_by_customer ON raw_orders (customer)")

    def given(self, record: Record) -> Any:
        return plain({**record, "placed": record["placed"].isoformat(" ", "microseconds")})

    def insert(self, given: Any) -> Any:
        return self.connection.execute("INSERT INTO raw_orders VALUES (?, ?, ?, ?, ?, ?, ?, ?)", given).rowcount

    def get(self, key: str) -> Any:
        return self.connection.execute(f"SELECT {_COLUMNS} FROM raw_orders WHERE id = ?", (key,)).fetchone()

    def change(self, asked: tuple[str, float]) -> Any:
        key, total = asked
        self.connection.execute(f"SELECT {_COLUMNS} FROM raw_orders WHERE id = ?", (key,)).fetchone()
        return self.connection.execute("UPDATE raw_orders SET total = ? WHERE id = ?", (total, key)).rowcount

    def query(self, customer: str) -> Any:
        return self.connection.execute(
            f"SELECT {_COLUMNS} FROM raw_orders WHERE customer = ? ORDER BY total DESC LIMIT ?", (customer, LIMIT)
        ).fetchall()

    def load(self, _: Any) -> Any:
        return self.connection.execute(f"SELECT {_COLUMNS} FROM raw_orders").fetchall()

    def insert_many(self, given: list[Any]) -> Any:
        self.connection.execute("BEGIN")
        self.connection.executemany("INSERT INTO raw_orders VALUES (?, ?, ?, ?, ?, ?, ?, ?)", given)
        self.connection.execute("COMMIT")

    async def aget(self, key: str) -> Any:
        connection = self.connection_of_loop
        if connection is None:
            connection = self.connection_of_loop = await aiosqlite.connect(self.file, isolation_level=None)
            for pragma in PRAGMAS:
                await connection.execute(pragma)
        cursor = await connection.execute(f"SELECT {_COLUMNS} FROM raw_orders WHERE id = ?", (key,))
        return await cursor.fetchone()

    def close(self) -> None:
        self.connection.close()

    async def aclose(self) -> None:
        if self.connection_of_loop is not None:
            await self.connection_of_loop.close()


class RawPostgres(Peer):
    name = RAW
    table = "raw_orders"

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.address = address(place.url(self.table))
        self.connection = psycopg.connect(self.address, autocommit=True)
        self.connection.adapters.register_loader("jsonb", TextLoader)
        self.connection_of_loop: psycopg.AsyncConnection[Any] | None = None

    def prepare(self) -> None:
        self.connection.execute(
            "CREATE TABLE raw_orders (id TEXT NOT NULL PRIMARY KEY, address JSONB NOT NULL, "
            "placed TIMESTAMPTZ NOT NULL, customer TEXT NOT NULL, total DOUBLE PRECISION NOT NULL, "
            "quantity BIGINT NOT NULL, paid BOOLEAN NOT NULL, note TEXT)"
        )
        self.connection.execute("CREATE INDEX raw_by_customer ON raw_orders (customer)")

    def given(self, record: Record) -> Any:
        return plain(record)

    def insert(self, given: Any) -> Any:
        return self.connection.execute("INSERT INTO raw_orders VALUES (%s, %s, %s, %s, %s, %s, %s, %s)", given).rowcount

    def get(self, key: str) -> Any:
        return self.connection.execute(f"SELECT {_COLUMNS} FROM raw_orders WHERE id = %s", (key,)).fetchone()

    def change(self, asked: tuple[str, float]) -> Any:
        key, total = asked
        self.connection.execute(f"SELECT {_COLUMNS} FROM raw_orders WHERE id = %s", (key,)).fetchone()
        return self.connection.execute("UPDATE raw_orders SET total = %s WHERE id = %s", (total, key)).rowcount

    def query(self, customer: str) -> Any:
        return self.connection.execute(
            f"SELECT {_COLUMNS} FROM raw_orders WHERE customer = %s ORDER BY total DESC LIMIT %s",
            (customer, LIMIT),
        ).fetchall()

    def load(self, _: Any) -> Any:
        return self.connection.execute(f"SELECT {_COLUMNS} FROM raw_orders").fetchall()

    def insert_many(self, given: list[Any]) -> Any:
        with self.connection.transaction(), self.connection.cursor() as cursor:
            cursor.executemany("INSERT INTO raw_orders VALUES (%s, %s, %s, %s, %s, %s, %s, %s)", given)

    async def aget(self, key: str) -> Any:
        connection = self.connection_of_loop
        if connection is None:
            connection = await psycopg.AsyncConnection.connect(self.address, autocommit=True)
            connection.adapters.register_loader("jsonb", TextLoader)
            self.connection_of_loop = connection
        cursor = await connection.execute(f"SELECT {_COLUMNS} FROM raw_orders WHERE id = %s", (key,))
        return await cursor.fetchone()

    def close(self) -> None:
        self.connection.close()

    async def aclose(self) -> None:
        if self.connection_of_loop is not None:
            await self.connection_of_loop.close()
