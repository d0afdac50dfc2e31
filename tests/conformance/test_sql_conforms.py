"""The SQL backend passes the suite for backends on SQLite, in a file and in memory, and on PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlmodel import SQLModel

from nitro import Repository, SQLModelBackend
from nitro.backends.sql.schema import table_of
from nitro.testing import RepositoryConformance
from nitro.testing.conformance import CLASSES


def prepared(url: str) -> SQLModelBackend:
    repository = SQLModelBackend(url)
    tables = [table_of(entity_class) for entity_class in CLASSES]
    SQLModel.metadata.create_all(repository.database.engine, tables)
    for entity_class in CLASSES:
        repository.clear(entity_class)
    return repository


class OfSql(RepositoryConformance):
    @pytest.fixture
    def url(self) -> str:
        raise NotImplementedError

    @pytest.fixture
    def repository(self, url: str) -> Iterator[Repository]:
        repository = prepared(url)
        yield repository
        gauges = repository.database.gauges
        assert gauges.idle == gauges.open


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("conformance") / "nitro.db"


class TestSqliteFile(OfSql):
    @pytest.fixture
    def url(self, file: Path) -> str:
        return f"sqlite:///{file}"


class TestSqliteMemory(OfSql):
    @pytest.fixture
    def url(self) -> str:
        return "sqlite://"


class TestPostgres(OfSql):
    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url
