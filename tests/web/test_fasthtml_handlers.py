"""What users of FastHTML know, beside what Nitro answers for them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fasthtml.common import (
    APIRouter,
    Beforeware,
    Div,
    FastHTML,
    HtmxHeaders,
    HttpHeader,
    JSONResponse,
    NotStr,
    P,
    RedirectResponse,
    Response,
    Title,
    Titled,
    cookie,
    fast_app,
)
from serving import served_here
from starlette.background import BackgroundTask
from starlette.routing import Route

import nitro
from nitro import Entity, Field, MemoryRepo
from nitro.web import current_request


class Card(Entity):
    """What FastHTML does not know how to show."""

    __tablename__ = "fasthtml_cards"
    _persistence_backend_class = MemoryRepo
    name: str = "card"
    number: int = Field(0, ge=0)


class Shown(Card):
    __tablename__ = "fasthtml_shown"

    def __ft__(self) -> Any:
        return Div(self.name, id=f"card-{self.id}")


class Redirected(Card):
    __tablename__ = "fasthtml_redirected"

    def __response__(self, req: Any) -> Any:
        return RedirectResponse(f"/cards/{self.id}", 303)


@dataclass
class Text:
    name: str
    number: int = 1


CARD, OTHER = Card(id="1"), Card(id="2", name="<b>")
JSON = [{"id": "1", "name": "card", "number": 0}, {"id": "2", "name": "<b>", "number": 0}]
SHOWN = [Shown(id="1"), Shown(id="2", name="<b>")]

done: list[Any] = []


def before(req: Any, sess: Any) -> Any:
    req.scope["auth"] = "Ann"
    return RedirectResponse("/login", 303) if req.url.path == "/private" else None


def after(resp: Any, req: Any) -> Any:
    return Div("replaced") if req.url.path == "/after" else None


def build(app: Any) -> Any:
    """An application whose users know what each handler gives."""
    get = app.route

    def add(path: str, value: Any) -> None:
        def handler():  # type: ignore[no-untyped-def]
            return value() if callable(value) else value

        handler.__name__ = handler.__qualname__ = "h" + path.replace("/", "_").replace("-", "_")
        get(path, methods=["get"])(handler)

    add("/ft", lambda: Div("<&>", P("p")))
    add("/fts", lambda: (Title("t"), Div("a"), Div("b")))
    add("/titled", lambda: Titled("t", P("p")))
    add("/text", "text <b>")
    add("/safe", lambda: NotStr("<b>"))
    add("/dict", lambda: {"a": 1})
    add("/number", 5)
    add("/none", None)
    add("/empty", list)
    add("/empty-tuple", tuple)
    add("/json", lambda: JSONResponse([1], 203))
    add("/response", lambda: Response("r", 299, {"x-a": "b"}))
    add("/header", lambda: (Div("a"), HttpHeader("x-a", "b")))
    add("/cookie", lambda: (Div("a"), cookie("c", "d")))
    add("/task", lambda: (Div("a"), BackgroundTask(done.append, "task")))
    add("/numbers", lambda: (5, 201))
    add("/list", lambda: [Div("a"), "b"])
    add("/data", lambda: Text("n"))
    add("/after", lambda: Div("not replaced"))
    add("/private", lambda: Div("private"))
    # What says itself how it is shown.
    add("/shown-many", lambda: SHOWN)
    add("/shown-among", lambda: Div(SHOWN[0], *SHOWN))
    add("/redirected", lambda: Redirected(id="7"))

    @get("/asked", methods=["get"])
    def asked(req: Any, auth: Any, htmx: HtmxHeaders, n: int = 3, q: str = ""):  # type: ignore[no-untyped-def]
        return Div(req.url.path if hasattr(req, "url") else "", auth, str(n), q, str(bool(htmx)))

    @get("/form", methods=["post"])
    def form(text: Text):  # type: ignore[no-untyped-def]
        return Div(text.name, str(text.number))

    @get("/session", methods=["get"])
    def session(session):  # type: ignore[no-untyped-def]
        session["n"] = session.get("n", 0) + 1
        return str(session["n"])

    @get("/page/{name}")
    async def page(name: str):  # type: ignore[no-untyped-def]
        return Div(name)

    router = APIRouter(prefix="/inside")

    @router("/ft")
    def inside():  # type: ignore[no-untyped-def]
        return Div("inside")

    router.to_app(app)
    return app


def made(**settings: Any) -> Any:
    settings = {"secret_key": "for tests", "default_hdrs": False, **settings}
    return FastHTML(before=Beforeware(before), after=after, **settings)


Sites = tuple[httpx.Client, httpx.Client]


@pytest.fixture(scope="module")
def sites() -> Iterator[Sites]:
    """Without and with Nitro."""
    bare, with_nitro = build(made()), build(nitro.install(made(), resources=[Card], entities=[]))
    settings: dict[str, Any] = {"trust_env": False, "timeout": 30}
    with (
        served_here(bare) as one,
        served_here(with_nitro) as other,
        httpx.Client(base_url=one, **settings) as first,
        httpx.Client(base_url=other, **settings) as second,
    ):
        yield first, second


def same(sites: Sites, method: str, path: str, **given: Any) -> httpx.Response:
    """What both answer."""
    answers = list[httpx.Response]()
    tasks = list[list[Any]]()
    for site in sites:
        done.clear()
        answers.append(site.request(method, path, **given))
        # What is done in the background is done before the next answer.
        site.get("/none")
        tasks.append(list(done))
    bare, with_nitro = answers
    text = with_nitro.text.replace(str(sites[1].base_url.port), str(sites[0].base_url.port))
    assert (with_nitro.status_code, text) == (bare.status_code, bare.text)
    hidden = ("date", "content-length", "set-cookie")
    assert [pair for pair in with_nitro.headers.multi_items() if pair[0] not in hidden] == [
        pair for pair in bare.headers.multi_items() if pair[0] not in hidden
    ]
    assert tasks[0] == tasks[1]
    return with_nitro


@pytest.mark.parametrize(
    "path",
    [
        "/ft",
        "/fts",
        "/titled",
        "/text",
        "/safe",
        "/dict",
        "/number",
        "/none",
        "/empty",
        "/empty-tuple",
        "/json",
        "/response",
        "/header",
        "/cookie",
        "/task",
        "/numbers",
        "/list",
        "/data",
        "/after",
        "/private",
        "/shown",
        "/shown-many",
        "/shown-among",
        "/shown-header",
        "/redirected",
        "/asked?n=5&q=%26",
        "/session",
        "/page/%C3%BC",
        "/inside/ft",
        "/nowhere",
    ],
)
@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}], ids=["page", "fragment"])
def test_both_answer_the_same(sites: Sites, path: str, headers: dict[str, str]) -> None:
    assert same(sites, "GET", path, headers=headers).status_code < 500


def test_both_take_the_same(sites: Sites) -> None:
    same(sites, "POST", "/form", data={"name": "ü", "number": "7"})
    same(sites, "POST", "/form", json={"name": "ü", "number": 7})
    same(sites, "POST", "/form", files={"name": (None, "ü")})
    same(sites, "DELETE", "/ft")


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    Card.where().delete()
    Shown.where().delete()
    for one in (CARD, OTHER, *SHOWN):
        one.save()
    done.clear()
    app, route = fast_app(default_hdrs=False, secret_key="for tests", routes=[Route("/starlette", lambda _: CARD)])
    for place, (name, value) in enumerate(VALUES.items()):
        if place == len(VALUES) // 2:
            nitro.install(app, resources=[Card], entities=[])
        handler = give(value)
        handler.__name__ = handler.__qualname__ = name
        route(f"/{name}", methods=["get"])(handler)
    with served_here(app) as address, httpx.Client(base_url=address, trust_env=False) as client:
        yield client


def give(value: Any) -> Any:
    def handler():  # type: ignore[no-untyped-def]
        return value()

    return handler


def cards() -> Any:
    return Card.where(name__in=["card", "<b>"]).order_by("id")


def shown() -> Any:
    return Shown.where().order_by("id")


VALUES: dict[str, Any] = {
    "one": lambda: CARD,
    "many": lambda: [CARD, OTHER],
    "query": cards,
    "page": lambda: cards().page(limit=1),
    "header": lambda: (CARD, HttpHeader("x-a", "b")),
    "task": lambda: (CARD, BackgroundTask(done.append, "task")),
    "all": lambda: (CARD, 201, HttpHeader("x-a", "b"), BackgroundTask(done.append, "task")),
    "nothing": lambda: (None, 201),
    "shown": lambda: SHOWN[0],
    "shown-header": lambda: (SHOWN[0], HttpHeader("x-a", "b")),
    "shown-made": lambda: (SHOWN[0], 201),
    "shown-query": shown,
    "shown-query-made": lambda: (shown(), 201),
    "shown-page": lambda: shown().page(limit=1),
    "no-cards": lambda: Card.where(number=7).all(),
    "no-query": lambda: Card.where(number=7),
}


@pytest.mark.parametrize(
    ("name", "status", "expected"),
    [
        ("one", 200, JSON[0]),
        ("many", 200, JSON),
        ("query", 200, JSON),
        ("page", 200, JSON[:1]),
        ("header", 200, JSON[0]),
        ("task", 200, JSON[0]),
        ("all", 201, JSON[0]),
        ("no-query", 200, []),
        ("starlette", 200, JSON[0]),
    ],
)
def test_what_fasthtml_cannot_show_is_json(client: httpx.Client, name: str, status: int, expected: Any) -> None:
    done.clear()
    answer = client.get(f"/{name}")
    assert (answer.status_code, answer.json()) == (status, expected)
    assert answer.headers["content-type"] == "application/json"
    assert ("x-a" in answer.headers) == (name in ("header", "all"))
    assert ("next" in answer.links) == (name == "page")
    client.get("/one")
    assert done == (["task"] if name in ("task", "all") else [])


@pytest.mark.parametrize(
    ("name", "status", "count"),
    [
        ("shown", 200, 1),
        ("shown-header", 200, 1),
        ("shown-made", 201, 1),
        ("shown-query", 200, 2),
        ("shown-query-made", 201, 2),
        ("shown-page", 200, 1),
    ],
)
def test_what_says_how_it_is_shown_is_shown(client: httpx.Client, name: str, status: int, count: int) -> None:
    answer = client.get(f"/{name}", headers={"HX-Request": "true"})
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.text.count("<div") == count
    assert "<b>" not in answer.text
    assert ("next" in answer.links) == (name == "shown-page")
    assert ("x-a" in answer.headers) == (name == "shown-header")


def test_nothing_with_a_status_is_an_answer(client: httpx.Client) -> None:
    answer = client.get("/nothing")
    assert (answer.status_code, answer.content) == (201, b"")


def test_an_empty_list_is_json_to_whoever_wants_json(client: httpx.Client) -> None:
    assert client.get("/no-cards", headers={"Accept": "application/json"}).json() == []
    assert client.get("/no-cards", headers={"Accept": "text/html"}).headers["content-type"].startswith("text/html")


def test_an_entity_is_made_of_a_form(client: httpx.Client) -> None:
    app, route = fast_app(default_hdrs=False, secret_key="for tests")
    nitro.install(app, entities=[])

    @route("/make", methods=["post"])
    def make(card: Card):  # type: ignore[no-untyped-def]
        return card, 201

    with served_here(app) as address:
        post = f"{address}/make"
        answer = httpx.post(post, data={"name": "ü", "number": "7"}, trust_env=False)
        assert (answer.status_code, answer.json()) == (201, {"id": answer.json()["id"], "name": "ü", "number": 7})
        assert httpx.post(post, data={"number": "-1"}, trust_env=False).status_code == 422


def test_keys_with_dots_are_no_static_files(client: httpx.Client) -> None:
    one = Card(id="1.5", name="dotted").save()
    try:
        assert client.get("/cards/1.5").json()["name"] == "dotted"
        assert client.get("/static.css").status_code == 404
    finally:
        one.delete()
    assert current_request() is None
