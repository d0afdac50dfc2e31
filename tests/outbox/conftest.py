"""Databases for durable events, and processes that end as they use them."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from nursery import Nursery
from sqlalchemy import MetaData
from sqlmodel import SQLModel

from nitro import off
from nitro.events._dispatcher import dispatchers

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


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'shop.db'}"
    return request.getfixturevalue("fresh_database")


@pytest.fixture
def clean_environment(tmp_path: Path) -> Callable[..., dict[str, str]]:
    """A function that gives the environment of a process that is started in the directory of the test."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("NITRO_")}
    path = os.pathsep.join([str(tmp_path), *(place for place in sys.path if place)])
    return lambda **said: clean | {"PYTHONPATH": path} | said


@pytest.fixture(scope="session")
def outbox_nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    with Nursery(tmp_path_factory.mktemp("nursery"), Path(__file__).parent / "outbox_workers.py") as started:
        yield started
