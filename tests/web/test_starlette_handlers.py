"""What users of Starlette know, beside what Nitro answers for them."""

import functools
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from serving import served_here
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.endpoints import HTTPEndpoint
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Host, Mount, Route, Router

import nitro
from nitro import Entity
from nitro.web import current_request


class Leaf(Entity):
    __tablename__ = "starlette_leaves"
    colour: str = "green"


LEAF = Leaf(id="1")
JSON = {"id": "1", "colour": "green"}

done: list[str] = []


class Endpoint(HTTPEndpoint):
    def get(self, request: Request) -> Any:
        return self.leaves()

    async def post(self, request: Request) -> Any:
        return (await request.json())["leaf"] and LEAF, 201

    def put(self, request: Request) -> Response:
        return PlainTextResponse("put")

    def delete(self, request: Request) -> None:
        pass

    def leaves(self) -> list[Leaf]:
        return [LEAF]


class Derived(Endpoint):
    def get(self, request: Request) -> Any:
        return super().get(request)[0]


async def raw(scope: Any, receive: Any, send: Any) -> None:
    await PlainTextResponse("raw")(scope, receive, send)


class App:
    """An endpoint that is an application of ASGI."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await PlainTextResponse("app")(scope, receive, send)


def leaf(request: Request) -> Any:
    return LEAF


async def leaves(request: Request) -> Any:
    return [LEAF]


def of_partial(colour: str, request: Request) -> Any:
    return Leaf(id="2", colour=colour)


async def in_background(request: Request) -> Response:
    return JSONResponse({}, background=BackgroundTask(done.append, "told"))


def not_a_response(request: Request) -> Any:
    return {"a": 1}


def teapot(request: Request) -> Any:
    raise HTTPException(418, "short", {"x-pot": "stout"})


def lookup(request: Request) -> Any:
    raise KeyError("lost")


class Asking(BaseHTTPMiddleware):
    """Middleware of the old kind, which runs what is inside in a task of its own."""

    async def dispatch(self, request: Request, call_next: Any) -> Any:
        asked = current_request()
        assert asked is not None
        response = await call_next(request)
        response.headers["x-asked"] = asked.path
        return response


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    inside = [Route("/leaf", leaf), Mount("/deeper", routes=[Route("/leaves", leaves)])]
    app = Starlette(
        routes=[
            Route("/leaf", leaf),
            Route("/leaves", leaves, methods=["GET", "POST"]),
            Route("/endpoint", Endpoint),
            Route("/derived", Derived),
            Route("/raw", lambda request: raw),
            Route("/app", App()),
            Route("/partial", functools.partial(of_partial, "red")),
            Route("/zipped", leaf, middleware=[Middleware(GZipMiddleware, minimum_size=1)]),
            Route("/small", leaf, max_body_size=10, methods=["POST"]),
            Route("/background", in_background),
            Route("/stream", lambda request: StreamingResponse(iter(["a", "b"]))),
            Route("/empty", lambda request: []),
            Route("/dict", not_a_response),
            Route("/teapot", teapot),
            Route("/lookup", lookup),
            Mount("/inside", routes=inside),
            Mount("/router", app=Router(inside)),
            Mount("/app-inside", app=Starlette(routes=[Route("/leaf", leaf)])),
            Host("leaves.example", app=Router([Route("/host", leaf)])),
        ],
        middleware=[Middleware(Asking)],
        exception_handlers={LookupError: lambda request, error: PlainTextResponse("looked up", 499)},
    )
    nitro.install(app, entities=[])
    app.add_route("/late", leaf)
    with served_here(app) as address, httpx.Client(base_url=address, trust_env=False) as client:
        yield client


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/leaf", JSON),
        ("/leaves", [JSON]),
        ("/endpoint", [JSON]),
        ("/derived", JSON),
        ("/partial", JSON | {"id": "2", "colour": "red"}),
        ("/zipped", JSON),
        ("/empty", []),
        ("/inside/leaf", JSON),
        ("/inside/deeper/leaves", [JSON]),
        ("/router/leaf", JSON),
        ("/late", JSON),
    ],
)
def test_handlers_of_every_kind_give_entities(client: httpx.Client, path: str, expected: Any) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.json()) == (200, expected)
    assert answer.headers["x-asked"] == path
    assert (answer.headers.get("content-encoding") == "gzip") == (path == "/zipped")


def test_a_class_endpoint_has_its_methods(client: httpx.Client) -> None:
    for path in ("/endpoint", "/derived"):
        posted = client.post(path, json={"leaf": True})
        assert (posted.status_code, posted.json()) == (201, JSON)
        assert client.put(path).text == "put"
        assert client.delete(path).status_code == 204
        refused = client.patch(path)
        assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD, POST, PUT, DELETE")
        assert client.head(path).status_code == 200


def test_a_host_answers_entities(client: httpx.Client) -> None:
    assert client.get("/host", headers={"Host": "leaves.example"}).json() == JSON


def test_responses_of_starlette_are_sent_as_they_are(client: httpx.Client) -> None:
    assert client.get("/raw").text == "raw"
    assert client.get("/app").text == "app"
    assert client.get("/stream").text == "ab"
    done.clear()
    assert client.get("/background").json() == {}
    # Whoever asks next, after what was done in the background.
    assert client.get("/leaf").json() == JSON
    assert done == ["told"]


def test_the_application_answers_its_own_errors(client: httpx.Client) -> None:
    teapot = client.get("/teapot")
    assert (teapot.status_code, teapot.text, teapot.headers["x-pot"]) == (418, "short", "stout")
    assert (client.get("/lookup").status_code, client.get("/lookup").text) == (499, "looked up")
    assert client.get("/nothing").status_code == 404
    assert client.post("/small", content=b"x" * 11).status_code in (200, 413)


def test_what_is_no_response_stays_none(client: httpx.Client) -> None:
    assert client.get("/dict", headers={"Connection": "close"}).status_code == 500


def test_an_application_that_is_mounted_is_one_of_its_own(client: httpx.Client) -> None:
    assert client.get("/app-inside/leaf", headers={"Connection": "close"}).status_code == 500


def test_who_handles_a_kind_of_error_handles_those_of_nitro_that_are_of_it() -> None:
    """EntityNotFound is a LookupError, and ValidationError a ValueError."""

    def missing(request: Request) -> Any:
        return Leaf.get("nobody")

    def invalid(request: Request) -> Any:
        return Leaf(colour=5)  # type: ignore[arg-type]

    app = nitro.install(Starlette(routes=[Route("/missing", missing), Route("/invalid", invalid)]), entities=[])

    async def not_there(request: Request, error: Exception) -> Response:
        return PlainTextResponse("not there", 410)

    async def anything(request: Request, error: Exception) -> Response:
        return PlainTextResponse("anything", 599)

    # After Nitro, too.
    app.add_exception_handler(LookupError, not_there)
    app.add_exception_handler(Exception, anything)

    with served_here(app) as address, httpx.Client(base_url=address, trust_env=False) as client:
        assert client.get("/missing").status_code == 410
        assert client.get("/invalid").status_code == 422


def test_routes_have_names_from_which_their_paths_are_made() -> None:
    app = nitro.install(Starlette(), resources=[Leaf], entities=[], prefix="api")
    assert app.url_path_for("Leaf.get", id="a/b ü") == "/api/leafs/a%2Fb%20%C3%BC"
    assert app.url_path_for("Leaf.list") == "/api/leafs"


def test_nitro_is_installed_while_the_application_runs() -> None:
    app = Starlette(routes=[Route("/leaf", leaf)])
    with served_here(app) as address, httpx.Client(base_url=address, trust_env=False) as client:
        assert client.get("/leaf", headers={"Connection": "close"}).status_code == 500
        nitro.install(app, entities=[])
        assert client.get("/leaf").json() == JSON
