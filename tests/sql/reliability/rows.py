"""What is in a database, read by its driver alone."""

import sqlite3
from collections.abc import Callable
from typing import Any

import psycopg


def rows(url: str, sql: str) -> list[tuple[Any, ...]]:
    if url.startswith("sqlite"):
        connection = sqlite3.connect(url.removeprefix("sqlite:///"))
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()
    with psycopg.connect(url) as server:
        return server.execute(sql).fetchall()  # type: ignore[arg-type]


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 30) -> None:
    """Waits for something that happens elsewhere."""
    import time

    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not in {seconds:g} seconds: {what}"
        time.sleep(0.002)


def wait_until_nobody_is_there(url: str) -> None:
    """Until PostgreSQL has noticed that its clients are dead, and has finished what they asked for."""
    if not url.startswith("sqlite"):
        others = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        wait_until(lambda: not rows(url, others), "the server has noticed that its clients are gone")
