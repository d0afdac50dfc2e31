"""As bodies and responses of FastAPI."""

import asyncio
import datetime
from collections.abc import Sequence
from typing import Annotated, Any, Generic, TypeVar

import httpx
import pytest
from fastapi import Body, Depends, FastAPI, Header, Query
from parity import PydanticEntity
from pydantic import BaseModel, ConfigDict, Field, computed_field

import nitro

T = TypeVar("T")


Request = tuple[str, str, dict[str, Any]]


def answers(app: FastAPI, requests: Sequence[Request]) -> list[httpx.Response]:
    async def ask() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return [await client.request(method, path, **options) for method, path, options in requests]

    return asyncio.run(ask())


def application(base: type[BaseModel]) -> FastAPI:
    class Line(base):
        product: str
        quantity: Annotated[int, Field(gt=0)] = 1

    class Order(base):
        customer_name: str = Field(alias="customerName")
        lines: list[Line] = []
        when: datetime.datetime | None = None
        note: str | None = None

        @computed_field
        @property
        def count(self) -> int:
            return len(self.lines)

    class Public(base):
        customer_name: str

    class Page(base, Generic[T]):
        items: list[T]

    class Filters(base):
        model_config = ConfigDict(extra="forbid")
        limit: int = Field(default=10, le=100)
        tags: list[str] = []

    app = FastAPI()

    @app.post("/orders")
    def create(order: Order) -> Order:
        return order

    @app.post("/public", response_model=Public)
    def public(order: Order) -> Any:
        return {"id": "1", "customer_name": order.customer_name}

    @app.post("/unset", response_model=Order, response_model_exclude_unset=True, response_model_by_alias=False)
    def unset(order: Order) -> Any:
        return order

    @app.get("/page")
    def page() -> Page[Line]:
        return Page[Line](id="1", items=[Line(id="2", product="a")])

    @app.get("/list")
    def listed() -> list[Line]:
        return [Line(id="1", product="a"), Line(id="2", product="b", quantity=2)]

    @app.get("/wrong")
    def wrong() -> Line:
        return {"product": 1}

    @app.get("/filtered")
    def filtered(filters: Annotated[Filters, Query()]) -> Any:
        return filters

    def read_line(product: str, quantity: int = 1) -> Line:
        return Line.model_construct(id="1", product=product, quantity=quantity)

    @app.get("/headed")
    def headed(name: Annotated[str, Header()] = "n", line: Annotated[Line, Depends(read_line)] = None) -> Line:
        return line

    @app.put("/embedded")
    def embedded(line: Annotated[Line, Body(embed=True)], count: Annotated[int, Body()] = 1) -> dict[str, Line]:
        return {"line": line}

    @app.get("/plain")
    def plain() -> Any:
        return {"line": Line(id="1", product="a"), "many": [Line(id="1", product="b")]}

    return app


REQUESTS: list[Request] = [
    ("POST", "/orders", {"json": {"id": "1", "customerName": "a"}}),
    (
        "POST",
        "/orders",
        {
            "json": {
                "id": "1",
                "customerName": "a",
                "lines": [{"id": "2", "product": "b", "quantity": "3"}],
                "when": "2024-01-02T00:00:00Z",
            }
        },
    ),
    ("POST", "/orders", {"json": {"customer_name": "a"}}),
    ("POST", "/orders", {"json": {"customerName": 1, "lines": [{"product": "a", "quantity": 0}, 5]}}),
    ("POST", "/orders", {"content": b"{nonsense"}),
    ("POST", "/orders", {"json": None}),
    ("POST", "/public", {"json": {"id": "1", "customerName": "a"}}),
    ("POST", "/unset", {"json": {"id": "1", "customerName": "a", "note": None}}),
    ("GET", "/page", {}),
    ("GET", "/list", {}),
    ("GET", "/wrong", {}),
    ("GET", "/filtered", {"params": {"id": "1", "limit": "5", "tags": ["a", "b"]}}),
    ("GET", "/filtered", {"params": {"limit": "500"}}),
    ("GET", "/filtered", {"params": {"other": "1"}}),
    ("GET", "/headed", {"params": {"id": "1", "product": "a", "quantity": "2"}}),
    ("GET", "/headed", {"params": {"product": "a", "quantity": "0"}}),
    ("PUT", "/embedded", {"json": {"line": {"id": "1", "product": "a"}, "count": 3}}),
    ("PUT", "/embedded", {"json": {"line": {}}}),
    ("GET", "/plain", {}),
]


@pytest.mark.parametrize(
    ("ours", "theirs"), [(nitro.Model, BaseModel), (nitro.Entity, PydanticEntity)], ids=["Model", "Entity"]
)
def test_requests_and_responses(ours, theirs):
    found, expected = answers(application(ours), REQUESTS), answers(application(theirs), REQUESTS)
    assert {answer.status_code for answer in expected} == {200, 422, 500}
    for request, ours_answer, theirs_answer in zip(REQUESTS, found, expected, strict=True):
        assert (ours_answer.status_code, ours_answer.text) == (theirs_answer.status_code, theirs_answer.text), request


@pytest.mark.parametrize(
    ("ours", "theirs"), [(nitro.Model, BaseModel), (nitro.Entity, PydanticEntity)], ids=["Model", "Entity"]
)
def test_the_openapi_document(ours, theirs):
    assert application(ours).openapi() == application(theirs).openapi()


def test_an_entity_is_returned_as_it_is():
    class Counter(nitro.Entity, backend=nitro.MemoryRepo()):
        count: int = 0

        def increment(self) -> None:
            self.count += 1

    app = FastAPI()

    @app.post("/counter/{id}/increment")
    def increment(id: str):
        counter = Counter.get(id)
        counter.increment()
        return counter

    Counter(id="visits").save()
    found = answers(app, [("POST", "/counter/visits/increment", {})] * 2)
    assert [answer.json() for answer in found] == [{"id": "visits", "count": 1}, {"id": "visits", "count": 2}]
