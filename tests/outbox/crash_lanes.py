"""Databases in which processes are killed again and again, and what must be true of each afterwards."""

import sqlite3
from typing import Any

import psycopg
from crash_wire import Plan

from rows import wait_until

#: A process that was killed has nothing any more: time passes.
_LEASES_ARE_OVER = "UPDATE nitro_outbox SET claimed_until = '2000-01-01' WHERE claimed_by IS NOT NULL"


class Lane:
    """One of the databases in which processes run at once.

    Args:
        number: Its number.
        server: The database itself.
        url: Where the processes connect.
        plan: When the wire to it kills.

    Attributes:
        first: The number of the next order.
    """

    def __init__(self, number: int, server: str, url: str, plan: Plan) -> None:
        self.number, self.url, self.plan, self.first = number, url, plan, 0
        self._acknowledged: set[int] = set()
        self._doubtful: set[int] = set()
        self._is_sqlite = server.startswith("sqlite")
        # What it prepares would not fit tables that are made anew.
        connect = sqlite3.connect if self._is_sqlite else psycopg.connect
        place = server.removeprefix("sqlite:///")
        options = {"isolation_level": None} if self._is_sqlite else {"autocommit": True, "prepare_threshold": None}
        self._connection: Any = connect(place, **options)  # type: ignore[operator]

    def close(self) -> None:
        self._connection.close()

    def empty(self) -> None:
        """Takes everything out of the database."""
        self.first = 0
        self._acknowledged.clear()
        self._doubtful.clear()
        self._connection.execute("DROP SCHEMA public CASCADE")
        self._connection.execute("CREATE SCHEMA public")

    def look(self) -> None:
        """Reads what a process that was killed has acknowledged, and lets others have what it had."""
        if not self._is_sqlite:
            others = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            wait_until(lambda: not self._rows(others), "the server has noticed that its clients are gone")
        begun: set[int] = set()
        done: set[int] = set()
        for word, *rest in map(str.split, self.plan.log.read_text().splitlines()):
            if word == "begin":
                begun.add(int(rest[0]))
            elif word == "done":
                done.add(int(rest[0]))
        self._acknowledged |= done
        self._doubtful |= begun - done
        self.first = max(begun) + 1
        self._connection.execute(_LEASES_ARE_OVER)

    def check(self, point: str) -> None:
        """The books are balanced."""
        orders = {number for (number,) in self._rows('SELECT number FROM "order"')}
        assert self._acknowledged <= orders <= self._acknowledged | self._doubtful, point
        for kind in ("told", "told too", "packed"):
            effects = dict(self._rows(f"SELECT number, count(*) FROM effect WHERE kind = '{kind}' GROUP BY number"))
            assert effects.keys() == orders, (point, kind)
            assert set(effects.values()) == {1}, (point, kind)
        balances = self._rows("SELECT sum(orders), sum(told), sum(disorder) FROM account")
        assert [tuple(map(int, row)) for row in balances] == [(len(orders), len(orders), 0)], point
        for table in ("nitro_outbox", "nitro_inbox"):
            assert self._rows(f"SELECT count(*) FROM {table}") == [(0,)], (point, table)

    def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql).fetchall()
