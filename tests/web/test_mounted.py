"""Below a prefix, mounted in another application, and behind a proxy: routes are found, and links lead back."""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from fastapi import FastAPI
from flask import Flask
from serving import FRAMEWORKS, application, served_here
from starlette.applications import Starlette
from starlette.routing import Mount
from werkzeug.middleware.dispatcher import DispatcherMiddleware

import nitro
from nitro import Entity, Field, query
from nitro.web import current_request


class Crate(Entity):
    __tablename__ = "mounted_crates"
    code: str = Field(primary_key=True)
    size: int = 0

    @query
    def seen(self) -> str:
        request = current_request()
        assert request is not None
        return request.path


class Dispatched(DispatcherMiddleware):
    """An application of WSGI that is no Flask, but has one below a path."""

    is_wsgi = True


def below(app: Any, path: str) -> Any:
    """An application that has another one mounted at a path."""
    if isinstance(app, Flask | Dispatched):
        return Dispatched(Flask("outer"), {path: app})
    return Starlette(routes=[Mount(path, app=app)])


def installed(framework: str, prefix: str = "") -> Any:
    return nitro.install(application(framework), resources=[Crate], entities=[], prefix=prefix)


def stripped(app: Any, root: str) -> Any:
    """What a server does whose proxy takes the root off each path, and says so."""
    if isinstance(app, Flask):
        own = app.wsgi_app

        def with_script_name(environ: Any, start_response: Any) -> Any:
            environ["SCRIPT_NAME"] = root
            return own(environ, start_response)

        app.wsgi_app = with_script_name  # type: ignore[method-assign]
        return app

    async def with_root_path(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "root_path": root}, receive, send)

    return with_root_path


#: {what it is: (what makes an application of a framework so, the path that clients ask, the path that links have)}
PLACES: dict[str, tuple[Callable[[str], Any], str, str]] = {
    "at the root": (installed, "", ""),
    "below a prefix": (lambda framework: installed(framework, "api/v1/"), "/api/v1", "/api/v1"),
    "mounted": (lambda framework: below(installed(framework), "/shop"), "/shop", "/shop"),
    "mounted below a prefix": (
        lambda framework: below(installed(framework, "/api"), "/shop/now"),
        "/shop/now/api",
        "/shop/now/api",
    ),
    "mounted twice": (
        lambda framework: below(below(installed(framework), "/inner"), "/outer"),
        "/outer/inner",
        "/outer/inner",
    ),
    "behind a proxy": (lambda framework: stripped(installed(framework), "/proxied"), "", "/proxied"),
}


@pytest.fixture(scope="module", params=PLACES)
def place(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def client(place: str, framework: str) -> Iterator[httpx.Client]:
    make, _, _ = PLACES[place]
    with (
        served_here(make(framework)) as address,
        httpx.Client(base_url=address, trust_env=False, timeout=30) as client,
    ):
        yield client


@pytest.mark.parametrize("code", ["tea", "a/b", "ü 50%", "shop", "/", "%41/%2F"], ids=ascii)
def test_links_lead_to_what_was_made(client: httpx.Client, place: str, code: str) -> None:
    Crate.where().delete()
    _, asked, told = PLACES[place]
    key = quote(code, safe="")
    created = client.post(f"{asked}/crates", json={"code": code})
    assert created.status_code == 201, created.text
    assert created.headers["location"] == f"{told}/crates/{key}"
    assert client.get(f"{asked}/crates/{key}").json()["code"] == code
    assert client.get(f"{asked}/crates/{key}/seen").json() == f"{told}/crates/{key}/seen"
    Crate(code="zz").save()
    listed = client.get(f"{asked}/crates?limit=1")
    assert [one["code"] for one in listed.json()] == [code]
    assert listed.links["next"]["url"].startswith(f"{told}/crates?limit=1&after=")
    assert client.put(f"{asked}/crates/{quote(code + 'x', safe='')}", json={}).status_code == 201
    assert client.delete(f"{asked}/crates/{key}").status_code == 204


def test_nothing_is_elsewhere(client: httpx.Client, place: str, framework: str) -> None:
    _, asked, _ = PLACES[place]
    paths = ["/crate", "/cratesx", "/x/crates", f"{asked}x/crates"]
    # A dispatcher of WSGI sees the path decoded.
    if framework != "flask" or "mounted" not in place:
        paths.append(f"/{asked.strip('/')}%2Fcrates")
    for path in paths:
        assert client.get(path).status_code == 404, path
    if asked:
        assert client.get("/crates").status_code == 404


def test_a_server_that_says_where_it_is_has_links_that_say_so() -> None:
    for framework in FRAMEWORKS[:3]:
        Crate.where().delete()
        with served_here(installed(framework), root_path="/root") as address:
            answer = httpx.post(f"{address}/crates", json={"code": "a/b"}, trust_env=False)
            assert answer.headers["location"] == "/root/crates/a%2Fb"
            assert httpx.get(f"{address}/crates/a%2Fb", trust_env=False).status_code == 200


def test_what_a_middleware_makes_of_a_path_is_the_path() -> None:
    Crate.where().delete()
    Crate(code="a b").save()
    app: Any = installed("starlette")

    async def rewriting(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scope = {**scope, "path": scope["path"].removeprefix("/v1 %/")}
        await app(scope, receive, send)

    with served_here(rewriting) as address:
        answer = httpx.get(f"{address}/v1%20%25//crates/a%20b", trust_env=False)
    assert answer.json()["code"] == "a b"


def test_two_applications_with_nitro_one_below_the_other_answer_each_for_themselves() -> None:
    inner = nitro.install(FastAPI(), entities=[], get_user=lambda native: "inner")
    outer = nitro.install(Starlette(routes=[Mount("/in", app=inner)]), entities=[], get_user=lambda native: "outer")

    def user() -> Any:
        request = current_request()
        assert request is not None
        return {"user": request.user, "path": request.path}

    inner.get("/who")(user)
    outer.router.add_route("/who", lambda request: nitro.web.Response(200, user()["user"].encode(), "text/plain"))
    with served_here(outer) as address:
        assert httpx.get(f"{address}/in/who", trust_env=False).json() == {"user": "inner", "path": "/in/who"}
        assert httpx.get(f"{address}/who", trust_env=False).text == "outer"
