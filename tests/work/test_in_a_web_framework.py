"""Units of work in FastAPI: what works, and what says so where it does not."""

import asyncio
import contextvars
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient

import nitro
from nitro import Entity, SQLModelBackend, UnitOfWork, UnitOfWorkError, work


class Errand(Entity):
    __tablename__ = "web_errand"
    customer: str


@pytest.fixture(autouse=True)
def _stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Errand, "__nitro_backend__", SQLModelBackend(f"sqlite:///{tmp_path / 'web.db'}"))
    nitro.create_all(Errand)


async def async_unit() -> AsyncIterator[Any]:
    async with UnitOfWork() as uow:
        yield uow


def sync_unit() -> Iterator[Any]:
    with UnitOfWork() as uow:
        yield uow


def application() -> FastAPI:
    app = FastAPI()

    @app.post("/async")
    async def awaited(customer: str, uow: Annotated[Any, Depends(async_unit)]) -> bool:
        await uow.repository(Errand).save(Errand(customer=customer))
        if customer == "bad":
            raise ValueError("no")
        return work.current() is not None

    @app.post("/decorated")
    @UnitOfWork()
    def decorated(customer: str) -> bool:
        Errand(customer=customer).save()
        if customer == "bad":
            raise ValueError("no")
        return work.current() is not None

    @app.post("/sync")
    def sync(customer: str, uow: Annotated[Any, Depends(sync_unit)]) -> bool:
        Errand(customer=customer).save()
        return work.current() is not None

    return app


@pytest.mark.parametrize("path", ["/async", "/decorated"])
def test_what_a_handler_saves_is_kept_together(path: str) -> None:
    client = TestClient(application(), raise_server_exceptions=False)
    answer = client.post(path, params={"customer": "good"})
    assert (answer.status_code, answer.json()) == (200, True)
    assert client.post(path, params={"customer": "bad"}).status_code == 500
    assert [errand.customer for errand in Errand.all()] == ["good"]


def test_a_dependency_that_is_not_async_says_that_the_handler_had_no_unit() -> None:
    client = TestClient(application())
    for _ in range(5):
        # The same thread may run both ends of it.
        with pytest.raises(UnitOfWorkError, match="such as a dependency of FastAPI that is no `async def`"):
            client.post("/sync", params={"customer": "Ann"})


def test_a_unit_that_ends_in_another_context_has_not_been_there() -> None:
    unit = UnitOfWork()
    contextvars.copy_context().run(unit.__enter__)
    Errand(customer="Ann").save()
    with pytest.raises(UnitOfWorkError, match="what was saved meanwhile was no part of it"):
        contextvars.copy_context().run(unit.__exit__, None, None, None)

    async def main() -> None:
        unit = UnitOfWork()

        async def enter() -> None:
            await unit.__aenter__()

        await asyncio.create_task(enter())
        await Errand(customer="Bob").asave()
        await unit.__aexit__(None, None, None)

    with pytest.raises(UnitOfWorkError, match="what was saved meanwhile was no part of it"):
        asyncio.run(main())
    assert work.current() is None
