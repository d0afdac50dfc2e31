"""The example app, as a process of its own, spoken to over HTTP as a browser or curl would.

All of it three times: kept in memory, in a file of SQLite and in PostgreSQL. What differs is one line of the app and the
environment.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from nitro.testing.servers import PostgresServer
from served import served

EXAMPLES = Path(__file__).parent.parent / "examples"
LINE = "    _persistence_backend_class = nitro.MemoryRepo\n"


@dataclass
class Kept:
    """Where the app keeps its entities: its directory, and what is in its environment."""

    app: Path
    environment: dict[str, str]


@pytest.fixture(scope="module", params=["memory", "sqlite", "postgresql"])
def kept(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Kept]]:
    if request.param == "memory":
        yield lambda: Kept(EXAMPLES, {})
        return
    directory = tmp_path_factory.mktemp("day_one")
    source = (EXAMPLES / "day_one.py").read_text()
    assert source.count(LINE) == 1
    (directory / "day_one.py").write_text(source.replace(LINE, LINE.replace("MemoryRepo", "SQLModelBackend")))
    with ExitStack() as databases:

        def where() -> Kept:
            if request.param == "sqlite":
                url = f"sqlite:///{tmp_path_factory.mktemp('database')}/day_one.db"
            else:
                server: PostgresServer = request.getfixturevalue("postgres_server")
                url = databases.enter_context(server.database())
            return Kept(directory, {"NITRO_SQL_URL": url})

        yield where


@pytest.fixture(scope="module")
def server_address(kept: Callable[[], Kept]) -> Iterator[str]:
    """The address of a running example app."""
    where = kept()
    with served("day_one:app", where.app, where.environment) as address:
        yield address


@pytest.fixture(scope="module")
def full_server_address(kept: Callable[[], Kept]) -> Iterator[str]:
    """The address of one that has made 100,000 orders."""
    where = kept()
    where.environment["DAY_ONE_ORDERS"] = "100000"
    with served("day_one:app", where.app, where.environment) as address:
        yield address


@pytest.fixture
def full(full_server_address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=full_server_address, timeout=30, trust_env=False) as client:
        yield client


@pytest.fixture
def app(server_address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server_address, timeout=30, trust_env=False) as client:
        yield client


def answer_to(response: httpx.Response) -> Any:
    assert response.status_code == 200, response.text
    return response.json()


def new_order(app: httpx.Client, customer_name: str) -> dict[str, Any]:
    return answer_to(app.post("/orders", params={"customer_name": customer_name}))


def test_the_bare_address_leads_to_the_documentation(app: httpx.Client) -> None:
    response = app.get("/", follow_redirects=True)
    assert response.status_code == 200
    assert response.url.path == "/docs"


def test_two_increments_give_two(app: httpx.Client) -> None:
    assert answer_to(app.put("/counter/visits")) == {"id": "visits", "count": 0}
    answer_to(app.post("/counter/visits/increment"))
    assert answer_to(app.post("/counter/visits/increment")) == {"id": "visits", "count": 2}


def test_opening_a_counter_again_keeps_its_count(app: httpx.Client) -> None:
    answer_to(app.put("/counter/downloads"))
    answer_to(app.post("/counter/downloads/increment"))
    assert answer_to(app.put("/counter/downloads"))["count"] == 1


def test_a_new_order_is_an_empty_draft_with_an_id(app: httpx.Client) -> None:
    order = new_order(app, "Alice")
    assert UUID(order.pop("id")).version == 7
    assert order == {"customer_name": "Alice", "total": 0.0, "status": "draft"}


def test_items_add_up_and_stay(app: httpx.Client) -> None:
    order = new_order(app, "Bob")
    answer_to(app.post(f"/orders/{order['id']}/items", params={"price": 29.5}))
    answer_to(app.post(f"/orders/{order['id']}/items", params={"price": 10.25}))
    assert answer_to(app.get(f"/orders/{order['id']}")) == order | {"total": 39.75}


def test_orders_are_listed(app: httpx.Client) -> None:
    first, second = new_order(app, "Carol"), new_order(app, "Dave")
    listed = answer_to(app.get("/orders", params={"limit": 1000}))
    assert first in listed["items"]
    assert second in listed["items"]
    assert listed["total"] == len(listed["items"])


def test_many_orders_are_filtered_and_sorted(full: httpx.Client) -> None:
    assert answer_to(full.get("/orders"))["total"] == 100_000
    asked = {"status": "placed", "min_total": 500, "max_total": 600, "order": "-total", "limit": 50}
    listed = answer_to(full.get("/orders", params=asked))
    totals = [order["total"] for order in listed["items"]]
    assert len(totals) == 50
    assert totals == sorted(totals, reverse=True)
    assert all(500 <= total <= 600 for total in totals)
    assert {order["status"] for order in listed["items"]} == {"placed"}
    assert 3000 < listed["total"] < 3700


def test_pages_are_gone_through_to_the_end(full: httpx.Client) -> None:
    asked = {"status": "draft", "max_total": 20, "order": "total", "limit": 100}
    seen: list[dict[str, Any]] = []
    while True:
        page = answer_to(full.get("/orders", params=asked))
        seen += page["items"]
        if page["next_cursor"] is None:
            break
        asked["after"] = page["next_cursor"]
    assert len(seen) == page["total"] == len({order["id"] for order in seen})
    assert [order["total"] for order in seen] == sorted(order["total"] for order in seen)


@pytest.mark.parametrize(
    "asked", [{"order": "colour"}, {"after": "nonsense"}, {"limit": 0}, {"min_total": "much"}], ids=str
)
def test_a_list_that_cannot_be_is_refused(app: httpx.Client, asked: dict[str, Any]) -> None:
    assert app.get("/orders", params=asked).status_code in (400, 422)


def test_placing_an_order_tells_the_handlers_of_its_event(app: httpx.Client) -> None:
    order = new_order(app, "Erin")
    answer_to(app.post(f"/orders/{order['id']}/items", params={"price": 29.99}))
    confirmation = "Erin, your order over 29.99 is confirmed"
    assert confirmation not in answer_to(app.get("/confirmations"))

    placed = answer_to(app.post(f"/orders/{order['id']}/place"))

    assert placed["status"] == "placed"
    assert answer_to(app.get("/confirmations")).count(confirmation) == 1


def test_an_empty_order_cannot_be_placed(app: httpx.Client) -> None:
    order = new_order(app, "Frank")
    response = app.post(f"/orders/{order['id']}/place")
    assert response.status_code == 409
    assert response.json() == {"detail": "Cannot place empty order"}
    assert answer_to(app.get(f"/orders/{order['id']}"))["status"] == "draft"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/counter/nobody/increment"),
        ("GET", "/orders/nobody"),
        ("POST", "/orders/nobody/items?price=1"),
        ("POST", "/orders/nobody/place"),
    ],
)
def test_an_unknown_id_is_not_found(app: httpx.Client, method: str, path: str) -> None:
    response = app.request(method, path)
    assert response.status_code == 404
    assert "nobody" in response.json()["detail"]


@pytest.mark.parametrize("price", ["-1", "0", "nan", "inf", "1e300", "free"])
def test_an_impossible_price_is_refused(app: httpx.Client, price: str) -> None:
    order = new_order(app, "Grace")
    response = app.post(f"/orders/{order['id']}/items", params={"price": price})
    assert response.status_code == 422
    assert response.json()["detail"][0]["loc"] == ["query", "price"]
    assert answer_to(app.get(f"/orders/{order['id']}"))["total"] == 0


def test_openapi_describes_both_entities(app: httpx.Client) -> None:
    description = answer_to(app.get("/openapi.json"))
    schemas = description["components"]["schemas"]
    assert set(schemas["Counter"]["properties"]) == {"id", "count"}
    assert set(schemas["Order"]["properties"]) == {"id", "customer_name", "total", "status"}
    assert schemas["Order"]["required"] == ["customer_name"]
    placing = description["paths"]["/orders/{id}/place"]["post"]["responses"]["200"]
    answer = placing["content"]["application/json"]["schema"]
    assert answer == {"$ref": "#/components/schemas/Order"}
