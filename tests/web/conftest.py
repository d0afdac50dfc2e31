"""Wares in each store, served by an application of each framework."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from serving import FRAMEWORKS, application, served_here
from wares import CLASSES, Ware

import nitro
from nitro import MemoryRepo, SQLModelBackend
from nitro.backends.sql.database import forget


@pytest.fixture(scope="module", params=["memory", "sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Where wares live; nothing of it is left open afterwards."""
    kind: str = request.param
    before = [entity_class.__nitro_backend__ for entity_class in CLASSES]
    if kind == "memory":
        yield from _at(MemoryRepo())
    elif kind == "sqlite":
        yield from _at(SQLModelBackend(f"sqlite:///{tmp_path_factory.mktemp('web')}/wares.db"))
    else:
        with request.getfixturevalue("postgres_server").database() as url:
            yield from _at(SQLModelBackend(url))
    for entity_class, backend in zip(CLASSES, before, strict=True):
        entity_class.__nitro_backend__ = backend


def _at(made: Any) -> Iterator[Any]:
    for entity_class in CLASSES:
        entity_class.__nitro_backend__ = made
    if not isinstance(made, SQLModelBackend):
        yield made
        assert made.check() == []
        return
    nitro.create_all(*CLASSES)
    yield made
    gauges = made.database.gauges
    assert gauges.idle == gauges.open
    forget(made.database.url.render_as_string(hide_password=False))


@pytest.fixture(scope="module", params=FRAMEWORKS)
def framework(request: pytest.FixtureRequest) -> str:
    """The name of a framework."""
    return request.param


@pytest.fixture(scope="module")
def site(framework: str, store: Any) -> Iterator[str]:
    """The address of an application that has nothing but what Nitro adds."""
    app = nitro.install(application(framework), resources=CLASSES, entities=CLASSES)
    with served_here(app) as address:
        yield address


@pytest.fixture
def shop(site: str) -> Iterator[httpx.Client]:
    """A client of it, and no ware in the store."""
    Ware.where().delete()
    with httpx.Client(base_url=site, timeout=30, trust_env=False) as client:
        yield client
