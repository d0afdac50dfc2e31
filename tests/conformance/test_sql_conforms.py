"""The SQL backend passes the suite for backends on SQLite, in a file and in memory, and on PostgreSQL."""

from collections.abc import Iterator

import pytest
from sqlmodel import SQLModel

from nitro import Repository, SQLModelBackend
from nitro.backends.sql.schema import table_of
from nitro.testing import RepositoryConformance
from nitro.testing.conformance import CLASSES


def with_tables(url: str) -> SQLModelBackend:
    repository = SQLModelBackend(url)
    tables = [table_of(entity_class) for entity_class in CLASSES]
    SQLModel.metadata.create_all(repository.database.engine, tables)
    return repository


@pytest.fixture(scope="module")
def in_file(tmp_path_factory: pytest.TempPathFactory) -> SQLModelBackend:
    return with_tables(f"sqlite:///{tmp_path_factory.mktemp('conformance')}/nitro.db")


@pytest.fixture(scope="module")
def in_memory() -> SQLModelBackend:
    return with_tables("sqlite://")


@pytest.fixture(scope="module")
def on_server(postgres_url: str) -> SQLModelBackend:
    return with_tables(postgres_url)


class OfSql(RepositoryConformance):
    place: str

    @pytest.fixture
    def repository(self, request: pytest.FixtureRequest) -> Iterator[Repository]:
        repository: SQLModelBackend = request.getfixturevalue(self.place)
        for entity_class in CLASSES:
            repository.clear(entity_class)
        yield repository
        gauges = repository.database.gauges
        assert gauges.idle == gauges.open


class TestSqliteFile(OfSql):
    place = "in_file"


class TestSqliteMemory(OfSql):
    place = "in_memory"


class TestPostgres(OfSql):
    place = "on_server"
