"""Databases for durable events, and processes that end as they use them."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import psycopg
import pytest
from crash_lanes import Lane
from crash_points import WHEN
from crash_wire import Deadly, Plan
from nursery import Nursery
from sqlalchemy import MetaData
from sqlmodel import SQLModel
from wire import wire_to

from nitro import off
from nitro.backends.sql.database import forget
from nitro.events._dispatcher import dispatchers
from nitro.testing.servers import PostgresServer

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def _own_handlers() -> Iterator[None]:
    """No durable handler outlives its test: with one there are more tables to make."""
    before = [handler for _, dispatcher in dispatchers() for handler in dispatcher.all()]
    yield
    for signal, dispatcher in dispatchers():
        for handler in dispatcher.all():
            if handler not in before:
                off(handler.function, signal)


@pytest.fixture(autouse=True)
def _own_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests have tables of the same names."""
    monkeypatch.setattr(SQLModel, "metadata", MetaData())


@pytest.fixture(scope="session")
def outbox_database(postgres_server: PostgresServer) -> Iterator[str]:
    """A database that the tests have one after the other: to make one takes longer than most of them."""
    with postgres_server.database() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'shop.db'}"
        return
    url: str = request.getfixturevalue("outbox_database")
    yield url
    forget(url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")


@pytest.fixture
def clean_environment(tmp_path: Path) -> Callable[..., dict[str, str]]:
    """A function that gives the environment of a process that is started in the directory of the test."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("NITRO_")}
    path = os.pathsep.join([str(tmp_path), *(place for place in sys.path if place)])
    return lambda **said: clean | {"PYTHONPATH": path} | said


@pytest.fixture(scope="session")
def outbox_nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    with Nursery(tmp_path_factory.mktemp("nursery"), HERE / "outbox_workers.py") as started:
        yield started


@pytest.fixture(scope="session")
def postgres_lanes(postgres_server: PostgresServer) -> Iterator[list[Lane]]:
    with ExitStack() as opened:
        made: list[Lane] = []
        for number in range(len(WHEN)):
            plan = Plan()
            server = opened.enter_context(postgres_server.database())
            wire = opened.enter_context(wire_to(server, partial(Deadly, plan)))
            made.append(Lane(number, server, wire.url, plan))
            opened.callback(made[-1].close)
        yield made


@pytest.fixture(params=["sqlite", "postgresql"])
def lanes(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[Lane]]:
    """Empty databases of each kind, in which processes are killed at once."""
    if request.param == "postgresql":
        made: list[Lane] = request.getfixturevalue("postgres_lanes")
        for lane in made:
            lane.empty()
        yield made
        return
    urls = [f"sqlite:///{tmp_path / f'{number}.db'}" for number in range(len(WHEN))]
    made = [Lane(number, url, url, Plan()) for number, url in enumerate(urls)]
    yield made
    for lane in made:
        lane.close()
