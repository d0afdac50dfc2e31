"""The domain of these tests, over each backend and over several at once."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from sqlmodel import SQLModel

import nitro
from nitro import Entity, Field, Many, MemoryRepo, Ref, Repository, SQLModelBackend, many
from nitro.backends.sql.schema import table_of


def shop(of_companies: Repository, of_customers: Repository, of_orders: Repository, of_lines: Repository) -> Any:
    """Classes that refer to one another, each in a repository of its own."""

    class Company(Entity, backend=of_companies):
        __tablename__ = "shop_companies"
        name: str
        customers: Many["Customer"] = many()

    class Customer(Entity, backend=of_customers):
        __tablename__ = "shop_customers"
        name: str
        company: Ref[Company] | None = Field(None, index=True, ondelete="SET NULL")
        orders: Many["Order"] = many()

    class Order(Entity, backend=of_orders):
        __tablename__ = "shop_orders"
        customer: Ref[Customer] = Field(index=True)
        status: str = "draft"
        lines: Many["Line"] = many()

    class Line(Entity, backend=of_lines):
        __tablename__ = "shop_lines"
        order: Ref[Order] = Field(index=True, ondelete="CASCADE")
        product: str = ""

    return SimpleNamespace(Company=Company, Customer=Customer, Order=Order, Line=Line)


def with_tables(domain: Any) -> Any:
    """The same domain, with empty tables for its classes that live in SQL."""
    classes = [one for one in vars(domain).values() if isinstance(one.__nitro_backend__, SQLModelBackend)]
    if classes:
        nitro.create_all(*classes)
    for entity_class in classes:
        # Other tests have tables of their own.
        SQLModel.metadata.remove(table_of(entity_class))
    return domain


@pytest.fixture
def repository_of_kind(request: pytest.FixtureRequest, tmp_path) -> Iterator[Callable[[str], Repository]]:
    """Makes a repository: "live", "isolated", "sqlite" or "postgresql"."""
    made: list[SQLModelBackend] = []

    def make(kind: str) -> Repository:
        if kind in ("live", "isolated"):
            return MemoryRepo(isolated=kind == "isolated")
        url = f"sqlite:///{tmp_path}/shop.db" if kind == "sqlite" else request.getfixturevalue("fresh_database")
        made.append(SQLModelBackend(url))
        return made[-1]

    yield make
    for repository in made:
        assert repository.database.gauges.idle == repository.database.gauges.open
        repository.database.close()


@pytest.fixture(params=["live", "isolated", "sqlite", "postgresql", "several"])
def domain(request: pytest.FixtureRequest, repository_of_kind) -> Any:
    """Company, Customer, Order and Line."""
    if request.param == "several":
        names = ("isolated", "sqlite", "live", "sqlite")
        return with_tables(shop(*map(repository_of_kind, names)))
    repository = repository_of_kind(request.param)
    return with_tables(shop(repository, repository, repository, repository))


@pytest.fixture
def with_empty_tables() -> Callable[[Any], Any]:
    """Prepares a domain of a test's own."""
    return with_tables
