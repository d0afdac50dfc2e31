"""The databases that are measured, made for one run and taken away after it.

SQLite is a file for each peer, in WAL mode with synchronous=NORMAL; PostgreSQL a database of its own on a server, with
synchronous_commit=off, and a table for each peer. Nobody waits for a disk, so what is measured is the way there.
"""

import sqlite3
import tempfile
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
from sqlalchemy.engine import URL, make_url

from nitro.testing import servers

from .orders import NEW

SQLITE, POSTGRES = "SQLite", "PostgreSQL"

PRAGMAS = ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = NORMAL")


class Place(ABC):
    """A database for one run.

    Attributes:
        kind: Which database it is.
        clock: What a time is measured by, in seconds.
    """

    kind: str
    clock: Callable[[], float]

    @abstractmethod
    def url(self, table: str) -> URL:
        """Where the database with this table is."""

    @abstractmethod
    def settle(self, table: str) -> None:
        """Lets a database that has just been filled get to know its tables, and do nothing by itself from then on."""

    @abstractmethod
    def forget_new(self, table: str) -> None:
        """Takes the orders away that were not there from the beginning, and what they leave behind."""


class SqlitePlace(Place):
    kind = SQLITE
    # All of it is done in this process: what others do on the machine in between does not count.
    clock = staticmethod(time.process_time)

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def url(self, table: str) -> URL:
        return URL.create("sqlite", database=str(self.directory / f"{table}.db"))

    def settle(self, table: str) -> None:
        with self._opened(table) as connection:
            connection.execute("ANALYZE")

    def forget_new(self, table: str) -> None:
        with self._opened(table) as connection:
            connection.execute(f"DELETE FROM {table} WHERE id >= '{NEW}'")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _opened(self, table: str) -> closing[sqlite3.Connection]:
        return closing(sqlite3.connect(str(self.url(table).database), isolation_level=None))


class PostgresPlace(Place):
    kind = POSTGRES
    # What the server does counts as well.
    clock = staticmethod(time.perf_counter)

    def __init__(self, url: URL) -> None:
        self._url = url
        self._connection = psycopg.connect(address(url), autocommit=True)

    def url(self, table: str) -> URL:
        return self._url

    def settle(self, table: str) -> None:
        self._run(f"ALTER TABLE {table} SET (autovacuum_enabled = off)")
        self._run(f"VACUUM (ANALYZE) {table}")

    def forget_new(self, table: str) -> None:
        self._run(f"DELETE FROM {table} WHERE id >= '{NEW}'")
        self._run(f"VACUUM {table}")

    def _run(self, statement: str) -> None:
        self._connection.execute(statement.encode())

    def close(self) -> None:
        self._connection.close()


def address(url: URL) -> str:
    """A URL as libpq takes it."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


@contextmanager
def sqlite() -> Generator[Place]:
    """A directory for files of SQLite."""
    with tempfile.TemporaryDirectory(prefix="nitro-bench-") as directory:
        yield SqlitePlace(Path(directory))


@contextmanager
def postgres() -> Generator[Place]:
    """A database on a server of PostgreSQL, where everybody's texts are in the order of their code points."""
    name = f"nitro_bench_{uuid.uuid4().hex[:8]}"
    with servers.postgres() as server, psycopg.connect(server.url, autocommit=True) as connection:

        def run(statement: str) -> None:
            connection.execute(statement.encode())

        provider = "LOCALE_PROVIDER libc" if connection.info.server_version >= 150000 else ""
        run(f"CREATE DATABASE {name} TEMPLATE template0 {provider} LC_COLLATE 'C' LC_CTYPE 'C'")
        try:
            run(f"ALTER DATABASE {name} SET synchronous_commit = off")
            place = PostgresPlace(make_url(server.url).set(database=name))
            try:
                yield place
            finally:
                place.close()
        finally:
            run(f"DROP DATABASE {name} WITH (FORCE)")


PLACES = {SQLITE: sqlite, POSTGRES: postgres}
