"""Databases that the tests of a module share, and the heroes in them."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from heroes import Base

from nitro import SQLModelBackend


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def url_of_module(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A database of each kind, which is empty when the first test of a module comes."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('sql')}/module.db"
    else:
        with request.getfixturevalue("postgres_server").database() as url:
            yield url


@pytest.fixture(scope="module")
def home_of_heroes(url_of_module: str) -> Iterator[SQLModelBackend]:
    repository = SQLModelBackend(url_of_module)
    Base.metadata.create_all(repository.database.engine)
    yield repository
    repository.database.close()


@pytest.fixture
def engine(home_of_heroes: SQLModelBackend) -> Iterator[sa.Engine]:
    """Where the heroes live, in tables that are empty again afterwards."""
    Base.__nitro_backend__ = home_of_heroes
    engine = home_of_heroes.database.engine
    yield engine
    Base.__nitro_backend__ = SQLModelBackend
    with engine.begin() as connection:
        for table in reversed(Base.metadata.sorted_tables):
            connection.execute(table.delete())
