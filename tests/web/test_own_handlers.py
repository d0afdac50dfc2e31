"""What users' own handlers give and raise, in each framework and over each store."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from pydantic import BaseModel
from serving import application, served_here
from wares import CLASSES, Label, Ware

import nitro
from nitro import EntityNotFound, NitroError
from nitro.web import Problem, current_request

ONE = {"code": "a", "name": "first", "stock": 1, "tags": []}
OTHER = {"code": "b", "name": "second", "stock": 2, "tags": []}


class Note(BaseModel):
    """No entity."""

    text: str


class Asked(BaseModel):
    method: str
    path: str
    query: str
    header: str | None
    user: str | None


def by_code() -> Any:
    return Ware.where().order_by("code")


def spoil() -> None:
    raise RuntimeError("the roof has fallen in")


def ask() -> Asked:
    request = current_request()
    assert request is not None
    assert request is current_request()
    header = request.headers.get("x-asked")
    return Asked(method=request.method, path=request.path, query=request.query, header=header, user=request.user)


#: {path: what its handler does}
HANDLERS: dict[str, Callable[[], Any]] = {
    "one": lambda: Ware.get("a"),
    "many": lambda: by_code().all(),
    "query": by_code,
    "page": lambda: by_code().page(limit=1, total=True),
    "last": lambda: by_code().page(limit=9),
    "made": lambda: (Ware.get("a"), 201),
    "made-many": lambda: (by_code().all(), 202),
    "made-query": lambda: (by_code(), 202),
    "made-page": lambda: (by_code().page(limit=1), 203),
    "no-query": lambda: Ware.where(stock=99),
    "nothing": lambda: None,
    "model": lambda: Note(text="ü"),
    "own": lambda: nitro.web.Response(207, b"<p>", "text/html", [("x-own", "1"), ("x-own", "2")]),
    "missing": lambda: Ware.get("nobody"),
    "invalid": lambda: Ware(code="c", stock=-1),
    "unique": lambda: (Label(text="x").save(), Label(text="x").save()),
    "unknown": lambda: Ware.where(colour="red"),
    "problem": lambda: (_ for _ in ()).throw(Problem(418, "tea only", (("x-pot", "short"),))),
    "spoil": spoil,
    "ask": ask,
    "body": lambda: current_request().body,  # type: ignore[union-attr]
}


def add(app: Any, framework: str, name: str, work: Callable[[], Any], *, is_async: bool) -> None:
    """Adds a handler as a user of the framework would write it."""

    def handler() -> Any:
        return work()

    async def ahandler() -> Any:
        return work()

    def starlette_handler(request: Any) -> Any:
        return work()

    async def starlette_ahandler(request: Any) -> Any:
        return work()

    path = f"/{'a' if is_async else ''}{name}"
    chosen: Any = (
        (starlette_ahandler if is_async else starlette_handler)
        if framework == "starlette"
        else (ahandler if is_async else handler)
    )
    chosen.__name__ = chosen.__qualname__ = path[1:].replace("-", "_")
    if framework == "starlette":
        app.router.add_route(path, chosen)
    elif framework == "fasthtml":
        app.route(path, methods=["get"])(chosen)
    else:
        app.get(path)(chosen)


@pytest.fixture(scope="module")
def own_site(framework: str, store: Any) -> Iterator[str]:
    """An application with half of its handlers there before Nitro is, and half after."""
    app = application(framework)
    for place, (name, work) in enumerate(HANDLERS.items()):
        if place == len(HANDLERS) // 2:
            nitro.install(app, resources=CLASSES, entities=[], get_user=lambda native: native.headers.get("x-user"))
        for is_async in (False, True):
            add(app, framework, name, work, is_async=is_async)
    with served_here(app) as address:
        yield address


@pytest.fixture
def own(own_site: str) -> Iterator[httpx.Client]:
    Ware.where().delete()
    Label.where().delete()
    Ware.save_all([Ware(**ONE), Ware(**OTHER)])
    with httpx.Client(base_url=own_site, timeout=30, trust_env=False, headers={"Accept": "*/*"}) as client:
        yield client


@pytest.fixture(params=["", "a"], ids=["sync", "async"])
def prefix(request: pytest.FixtureRequest) -> str:
    return f"/{request.param}"


@pytest.mark.parametrize(
    ("name", "status", "expected"),
    [
        ("one", 200, ONE),
        ("many", 200, [ONE, OTHER]),
        ("query", 200, [ONE, OTHER]),
        ("page", 200, [ONE]),
        ("last", 200, [ONE, OTHER]),
        ("made", 201, ONE),
        ("made-many", 202, [ONE, OTHER]),
        ("made-query", 202, [ONE, OTHER]),
        ("made-page", 203, [ONE]),
        ("no-query", 200, []),
        ("model", 200, {"text": "ü"}),
    ],
)
def test_what_a_handler_gives_is_answered(
    own: httpx.Client, prefix: str, name: str, status: int, expected: Any
) -> None:
    answer = own.get(prefix + name)
    assert (answer.status_code, answer.json()) == (status, expected)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers.get_list("content-length") == [str(len(answer.content))]


def test_a_page_says_where_the_next_one_is(own: httpx.Client, prefix: str) -> None:
    first = own.get(f"{prefix}page?x=1")
    assert first.headers["x-total-count"] == "2"
    assert first.links["next"]["url"].startswith(f"{prefix}page?x=1&after=")
    assert "link" not in own.get(prefix + "last").headers


def test_nothing_is_answered_as_the_framework_does_or_by_204(own: httpx.Client, prefix: str, framework: str) -> None:
    answer = own.get(prefix + "nothing")
    if framework == "fastapi":
        assert (answer.status_code, answer.content) == (200, b"null")
    elif framework == "fasthtml":
        assert (answer.status_code, answer.content) == (200, b"")
    else:
        assert (answer.status_code, answer.content) == (204, b"")


def test_a_response_of_nitro_is_sent_as_it_is(own: httpx.Client, prefix: str) -> None:
    answer = own.get(prefix + "own")
    assert (answer.status_code, answer.content) == (207, b"<p>")
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers.get_list("x-own") == ["1", "2"]


@pytest.mark.parametrize(
    ("name", "status", "told"),
    [
        ("missing", 404, "nobody"),
        ("invalid", 422, "stock"),
        ("unique", 409, "text"),
        ("unknown", 400, "colour"),
        ("problem", 418, "tea only"),
    ],
)
def test_an_error_is_told_as_nitro_s_own_routes_tell_it(
    own: httpx.Client, prefix: str, name: str, status: int, told: str
) -> None:
    answer = own.get(prefix + name)
    assert answer.status_code == status, answer.text
    assert told in str(answer.json()["detail"])
    # The value that was given; an id may have these signs in it.
    if name == "invalid":
        assert "-1" not in answer.text
    if name == "problem":
        assert answer.headers["x-pot"] == "short"
    # What follows is not part of what failed.
    assert own.get(prefix + "many").json() == [ONE, OTHER]


def test_a_mistake_is_answered_by_the_framework(own: httpx.Client, prefix: str) -> None:
    answer = own.get(prefix + "spoil", headers={"Connection": "close"})
    assert answer.status_code == 500
    assert "roof" not in answer.text


def test_a_handler_knows_what_is_asked_and_by_whom(own: httpx.Client, prefix: str) -> None:
    headers = {"X-Asked": "a, b", "X-User": "Ann"}
    answer = own.get(f"{prefix}ask?a=%20b", headers=headers).json()
    assert answer == {
        "method": "GET",
        "path": prefix + "ask",
        "query": "a=%20b",
        "header": headers["X-Asked"],
        "user": "Ann",
    }
    assert own.get(prefix + "ask").json()["user"] is None
    assert current_request() is None


def test_only_flask_has_the_body_of_any_request(own: httpx.Client, prefix: str, framework: str) -> None:
    if framework == "flask":
        assert own.get(prefix + "body").content == b""
    else:
        assert own.get(prefix + "body", headers={"Connection": "close"}).status_code == 500


def test_without_nitro_the_frameworks_answer_no_entities() -> None:
    """What these tests are about: else they would say nothing."""
    assert inspect.signature(Ware.get)
    assert issubclass(EntityNotFound, NitroError)
    for framework in ("starlette", "flask"):
        app = application(framework)
        add(app, framework, "one", lambda: Ware(**ONE), is_async=False)
        with served_here(app) as address:
            assert httpx.get(f"{address}/one", trust_env=False).status_code == 500
