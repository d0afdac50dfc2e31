"""Wallets in a database of one's own, and what goes wrong with them."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlmodel import SQLModel

from nitro import Entity, Field, SQLModelBackend
from nitro.backends.sql.schema import table_of

#: The databases that a test about transactions is run with.
DATABASES = ["file", "memory", "postgresql"]


class Purse(Entity):
    owner: str = Field("", index=True)
    balance: int = 0
    number: int | None = Field(None, unique=True)


def fail() -> None:
    raise ZeroDivisionError


@contextmanager
def purses_in(request: pytest.FixtureRequest) -> Iterator[SQLModelBackend]:
    """Where purses live during a test: in the database that its fixture was asked for, and none at first."""
    urls = {"file": lambda: f"sqlite:///{request.getfixturevalue('tmp_path')}/nitro.db", "memory": lambda: "sqlite://"}
    url = urls[request.param]() if request.param in urls else request.getfixturevalue("postgres_url")
    repository = SQLModelBackend(url)
    request.getfixturevalue("monkeypatch").setattr(Purse, "__nitro_backend__", repository)
    table = table_of(Purse)
    SQLModel.metadata.drop_all(repository.database.engine, [table])
    SQLModel.metadata.create_all(repository.database.engine, [table])
    yield repository
    assert repository.database.gauges.idle == repository.database.gauges.open
    repository.database.close()
