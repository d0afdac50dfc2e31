"""Databases that keep what they have acknowledged, and processes to try them with."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from nursery import Nursery

from nitro.testing.fixtures import or_skip
from nitro.testing.servers import PostgresServer, postgres


@pytest.fixture(scope="session")
def durable_server() -> Iterator[PostgresServer]:
    """A PostgreSQL that writes to disk before it acknowledges, and which can be stopped."""
    with or_skip(lambda: postgres(own=True, durable=True)) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def durable_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'nitro.db'}"
    else:
        server: PostgresServer = request.getfixturevalue("durable_server")
        with server.database() as url:
            yield url


@pytest.fixture(scope="session")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    with Nursery(tmp_path_factory.mktemp("nursery")) as started:
        yield started
