"""The three programs that the project is for, word for word: an entity on FastAPI, on Flask and on FastHTML.

What they leave out stands before them.
"""

import runpy
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from serving import served_here

import nitro

ORDER = """
import nitro

class Order(nitro.Entity):
    __tablename__ = "intended_{name}_orders"
    customer_name: str
    total: float = 0.0
    status: str = "draft"
"""

FASTAPI = """
# Works with FastAPI
from fastapi import FastAPI
from nitro import Entity

app = FastAPI()

@app.post("/orders")
def create_order(customer_name: str):
    order = Order(customer_name=customer_name)
    order.save()
    return order
"""

FLASK_NAMES = """
from flask import jsonify, request
"""

FLASK = """
# Works with Flask
from flask import Flask
app = Flask(__name__)

@app.route("/orders", methods=["POST"])
def create_order():
    order = Order(customer_name=request.json["customer_name"])
    order.save()
    return jsonify(order.model_dump())
"""

FASTHTML_NAMES = """
def order_card(order):
    return P(order.customer_name, id=order.id)
"""

FASTHTML = """
# Works with FastHTML
from fasthtml.common import *
app, rt = fast_app()

@rt("/orders")
def orders():
    orders = Order.all()
    return Div(*[order_card(o) for o in orders])
"""

SNIPPETS = {
    "fastapi": FASTAPI,
    "flask": FLASK_NAMES + FLASK,
    "fasthtml": FASTHTML + FASTHTML_NAMES,
}


class Program:
    """A snippet that runs: its names, and a client."""

    def __init__(self, names: dict[str, Any], client: httpx.Client) -> None:
        self.order, self.client = names["Order"], client


@pytest.fixture(params=["alone", "with Nitro's routes"])
def program(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], Program]]:
    # FastHTML puts the key of its sessions where it runs.
    monkeypatch.chdir(tmp_path)
    with ExitStack() as running:

        def run(name: str) -> Program:
            (tmp_path / "program.py").write_text(ORDER.format(name=name) + SNIPPETS[name])
            names = runpy.run_path(str(tmp_path / "program.py"))
            if request.param != "alone":
                orders = nitro.web.Resource(names["Order"], path="/rest/orders")
                nitro.install(names["app"], resources=[orders], entities=[])
            address = running.enter_context(served_here(names["app"]))
            return Program(names, running.enter_context(httpx.Client(base_url=address, trust_env=False)))

        yield run


def test_fastapi_creates_an_order(program: Callable[[str], Program]) -> None:
    running = program("fastapi")
    answer = running.client.post("/orders", params={"customer_name": "Alice"})
    assert answer.status_code == 200
    (order,) = running.order.all()
    assert answer.json() == {"id": order.id, "customer_name": "Alice", "total": 0.0, "status": "draft"}
    assert running.client.post("/orders").status_code == 422


def test_flask_creates_an_order(program: Callable[[str], Program]) -> None:
    running = program("flask")
    answer = running.client.post("/orders", json={"customer_name": "Alice"})
    assert answer.status_code == 200
    (order,) = running.order.all()
    assert answer.json() == {"id": order.id, "customer_name": "Alice", "total": 0.0, "status": "draft"}


def test_fasthtml_shows_orders(program: Callable[[str], Program]) -> None:
    running = program("fasthtml")
    for name in ("Alice", "<Bob>"):
        running.order(customer_name=name).save()
    page = running.client.get("/orders")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.text.count("<p id=") == 2
    assert "Alice" in page.text
    assert "&lt;Bob&gt;" in page.text


def test_the_same_entity_is_on_all_of_them_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FastAPI for the API, FastHTML for pages that are mounted beside it, Flask on a port of its own."""
    monkeypatch.chdir(tmp_path)
    parts = [ORDER.format(name="all")]
    for snippet in (FASTHTML + FASTHTML_NAMES, FLASK_NAMES + FLASK, FASTAPI):
        parts += [snippet, "apps = [*globals().get('apps', []), app]"]
    (tmp_path / "program.py").write_text("\n".join(parts))
    pages, flask, api = runpy.run_path(str(tmp_path / "program.py"))["apps"]
    api.mount("/pages", pages)
    with served_here(flask) as flask_address, served_here(api) as address:
        httpx.post(f"{flask_address}/orders", json={"customer_name": "by Flask"}, trust_env=False)
        httpx.post(f"{address}/orders", params={"customer_name": "by FastAPI"}, trust_env=False)
        page = httpx.get(f"{address}/pages/orders", trust_env=False).text
    assert "by Flask" in page
    assert "by FastAPI" in page
