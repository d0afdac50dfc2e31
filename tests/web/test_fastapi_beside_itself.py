"""What users of FastAPI know keeps working: an application with Nitro beside the same one without it.

One file of routes, built twice, served twice; whatever is asked, both answer the same.
"""

import functools
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Union

import httpx
import pytest
from fastapi import APIRouter, BackgroundTasks, Body, Cookie, Depends, FastAPI, Form, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, computed_field, model_validator
from serving import served_here

import nitro
from nitro import Entity, Model, Page


class Base(Entity):
    __tablename__ = "beside_base"
    name: str = "base"
    since: int | None = None
    secret: str = Field("hush", exclude=True)


class Sub(Base):
    __tablename__ = "beside_sub"
    more: str = "only of the subclass"


class Part(Model):
    size: int = Field(1, serialization_alias="partSize")


class Whole(Entity):
    """Its parts have other names in JSON."""

    __tablename__ = "beside_whole"
    part: Part = Part()
    parts: list[Part] = []
    held: Any = None


class Named(Entity):
    __tablename__ = "beside_named"
    first: int = Field(1, alias="firstOf")
    second: int = Field(2, serialization_alias="secondOf")

    @computed_field(alias="sumOf")
    @property
    def sum(self) -> int:
        return self.first + self.second


class Summed(Entity):
    __tablename__ = "beside_summed"
    values: list[int] = [1, 2]

    @computed_field
    @property
    def total(self) -> int:
        return sum(self.values)


class Unsure(Entity):
    """Wants its instances validated again."""

    __tablename__ = "beside_unsure"
    model_config = ConfigDict(revalidate_instances="always")
    numbers: list[int] = []

    @model_validator(mode="after")
    def are_small(self) -> "Unsure":
        if any(number > 9 for number in self.numbers):
            raise ValueError("too great")
        return self


class Public(BaseModel):
    id: str
    name: str


class Plain(BaseModel):
    text: str = Field("x", serialization_alias="theText")


@dataclass
class Data:
    base: Base


BASE = Base(id="1", name="ü")
SUB = Sub(id="2")
WHOLE = Whole(id="3", parts=[Part(size=2)])
NAMED = Named(id="4", firstOf=5)
SUMMED = Summed(id="5")
UNSURE = Unsure(id="6")
UNSURE.numbers.append(10)

told: list[str] = []
#: What is still to be told, after the answer is sent: `/told` waits for it.
due: list[threading.Event] = []


def later(text: str) -> Callable[[], None]:
    """A function that tells something, and is going to be called."""
    event = threading.Event()
    due.append(event)

    def tell() -> None:
        told.append(text)
        event.set()

    return tell


class Decorated:
    """A handler that is no function."""

    def __call__(self, number: int = 1) -> Base:
        return Base(id=str(number))


class Controller:
    def method(self, number: int = 1) -> Base:
        return Base(id=str(number))

    async def amethod(self, number: int = 1) -> list[Base]:
        return [Base(id=str(number))]


def logged(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(*arguments: Any, **keywords: Any) -> Any:
        return function(*arguments, **keywords)

    return wrapper


def alogged(function: Any) -> Any:
    @functools.wraps(function)
    async def wrapper(*arguments: Any, **keywords: Any) -> Any:
        return await function(*arguments, **keywords)

    return wrapper


def of_partial(number: int, other: int = 2) -> Base:
    return Base(id=f"{number}{other}")


async def aof_partial(number: int, other: int = 2) -> Base:
    return Base(id=f"{number}{other}")


def marked(response: Response) -> str:
    response.headers["x-depends"] = "yes"
    response.set_cookie("c", "d")
    response.status_code = 202
    return "marked"


def found(id: str) -> Base:
    return Base(id=id)


async def released() -> AsyncIterator[str]:
    end = later("end")
    told.append("begin")
    yield "held"
    end()


class Loud(JSONResponse):
    def render(self, content: Any) -> bytes:
        return super().render({"loud": content})


def build(app: FastAPI) -> FastAPI:
    """An application whose users know what each route gives."""
    get = app.get

    # Classes, by annotation and without one.
    get("/base")(lambda: BASE)
    get("/sub")(lambda: SUB)
    get("/whole")(lambda: WHOLE)
    get("/held")(lambda: Whole(id="9", held=Plain()))
    get("/held-part")(lambda: Whole(id="9", held={"x": [Part()]}))
    get("/named")(lambda: NAMED)
    get("/summed")(lambda: SUMMED)
    get("/plain")(lambda: Plain())
    get("/bases")(lambda: [BASE, BASE])
    get("/mixed")(lambda: [BASE, SUB, NAMED])
    get("/mixed-plain")(lambda: [BASE, Plain()])
    get("/mixed-dict")(lambda: [BASE, {"a": 1}])
    get("/wholes")(lambda: [WHOLE])
    get("/empty")(lambda: [*()])
    get("/none")(lambda: None)
    get("/dict")(lambda: {"one": BASE, "many": [SUB]})
    get("/nested")(lambda: [[BASE]])
    get("/tuple")(lambda: (BASE, SUB))
    get("/numbers")(lambda: (5, 201))
    get("/named-status")(lambda: (BASE, "201"))
    get("/flag")(lambda: (BASE, True))
    get("/number")(lambda: 5)
    get("/text")(lambda: "text")
    get("/data")(lambda: Data(BASE))
    get("/json")(lambda: JSONResponse({"a": 1}, 203, {"x-a": "b"}))
    get("/plain-text")(lambda: PlainTextResponse("text"))

    @get("/a/base")
    async def a_base() -> Base:
        return BASE

    @get("/a/bases")
    async def a_bases() -> list[Base]:
        return [BASE] * 3

    @get("/a/unannotated")
    async def a_unannotated():  # type: ignore[no-untyped-def]
        return [SUB]

    @get("/as/base")
    def as_base() -> Base:
        return BASE

    @get("/as/base-of-sub")
    def as_base_of_sub() -> Base:
        return SUB

    @get("/as/bases-of-subs")
    def as_bases_of_subs() -> list[Base]:
        return [BASE, SUB]

    @get("/as/bases")
    def as_bases() -> list[Base]:
        return [BASE, BASE]

    @get("/as/no-bases")
    def as_no_bases() -> list[Base]:
        return []

    @get("/as/optional")
    def as_optional(there: bool = True) -> Base | None:
        return BASE if there else None

    @get("/as/union")
    def as_union(which: int = 0) -> Union[Base, Named, list[Whole]]:  # noqa: UP007
        return (BASE, NAMED, [WHOLE])[which]

    @get("/as/whole")
    def as_whole() -> Whole:
        return WHOLE

    @get("/as/named")
    def as_named() -> list[Named]:
        return [NAMED]

    @get("/as/summed")
    def as_summed() -> Summed:
        return SUMMED

    @get("/as/unsure")
    def as_unsure() -> Unsure:
        return UNSURE

    @get("/as/page")
    def as_page() -> Page[Base]:
        return Page([BASE], "next", 5)

    @get("/as/pair")
    def as_pair() -> tuple[Base, int]:
        return BASE, 201

    @get("/as/dict")
    def as_dict() -> dict[str, Base]:
        return {"a": BASE, "b": SUB}

    @get("/as/wrong")
    def as_wrong() -> Base:
        return NAMED  # type: ignore[return-value]

    @get("/as/another")
    def as_another() -> Public:
        return BASE  # type: ignore[return-value]

    @get("/as/response")
    def as_response() -> Response:
        return Response(b"x", 299)

    @get("/as/any")
    def as_any() -> Any:
        return SUB

    # What the decorator says.
    get("/model/public", response_model=Public)(lambda: BASE)
    get("/model/publics", response_model=list[Public])(lambda: [BASE, SUB])
    get("/model/base", response_model=Base)(lambda: SUB)
    get("/model/none", response_model=None)(lambda: SUB)
    get("/model/wrong", response_model=Public)(lambda: NAMED)
    get("/model/include", response_model=Base, response_model_include={"name"})(lambda: BASE)
    get("/model/exclude", response_model=Base, response_model_exclude={"name"})(lambda: BASE)
    get("/model/unset", response_model=Base, response_model_exclude_unset=True)(lambda: BASE)
    get("/model/defaults", response_model=list[Base], response_model_exclude_defaults=True)(lambda: [BASE])
    get("/model/no-none", response_model=Base, response_model_exclude_none=True)(lambda: BASE)
    get("/model/no-alias", response_model=Named, response_model_by_alias=False)(lambda: NAMED)
    get("/status/201", status_code=201)(lambda: BASE)
    get("/status/204", status_code=204)(lambda: BASE)
    get("/status/304", status_code=304)(lambda: None)
    get("/class/loud", response_class=Loud)(lambda: BASE)
    get("/class/html", response_class=HTMLResponse)(lambda: "<p>")
    get("/class/json", response_class=JSONResponse)(lambda: BASE)
    app.api_route("/methods", methods=["POST", "PUT", "DELETE"], include_in_schema=False)(lambda: BASE)

    # What is injected.
    @get("/response")
    def response(response: Response, status: int = 206) -> Base:
        response.status_code = status
        response.headers["x-own"] = "1"
        response.headers.append("x-own", "2")
        response.set_cookie("own", "cookie")
        return BASE

    @get("/aresponse")
    async def aresponse(response: Response) -> list[Base]:
        response.headers["x-own"] = "1"
        return [BASE]

    @get("/depends")
    def depends(value: Annotated[str, Depends(marked)]) -> Base:
        return Base(id=value)

    @get("/depends-and-response")
    def depends_and_response(value: Annotated[str, Depends(marked)], response: Response) -> Base:
        response.headers["x-depends"] = "no"
        return Base(id=value)

    @get("/depends-outside", dependencies=[Depends(marked)])
    def depends_outside() -> Base:
        return BASE

    @get("/found/{id}")
    def depends_on_entity(one: Annotated[Base, Depends(found)]) -> Base:
        return one

    @get("/released")
    async def depends_released(held: Annotated[str, Depends(released)]) -> Base:
        told.append("handle")
        return Base(id=held)

    @get("/told")
    def all_told() -> list[str]:
        assert all(event.wait(30) for event in due)
        return told

    @get("/background")
    def background(tasks: BackgroundTasks) -> Base:
        tasks.add_task(later("background"))
        return BASE

    @get("/background-own")
    def background_own(tasks: BackgroundTasks) -> JSONResponse:
        tasks.add_task(later("background own"))
        return JSONResponse({})

    @get("/request/{id}")
    def request(request: Request, id: int, c: Annotated[str, Cookie()] = "") -> Base:
        return Base(id=f"{request.url.path} {id} {c}")

    @app.post("/body")
    def body(base: Base) -> Base:
        return base

    @app.post("/bodies")
    async def bodies(bases: list[Sub], note: Annotated[str, Body()]) -> list[Base]:
        return [*bases]

    @app.post("/form")
    def form(base: Annotated[Plain, Form()]) -> Plain:
        return base

    # Handlers that are no plain functions.
    get("/callable")(Decorated())
    get("/method")(Controller().method)
    get("/amethod")(Controller().amethod)
    get("/decorated")(logged(of_partial))
    get("/adecorated")(alogged(aof_partial))
    get("/partial", name="partial")(functools.partial(of_partial, 7))
    get("/apartial", name="apartial")(functools.partial(aof_partial, 7))

    @get("/stream")
    def stream() -> StreamingResponse:
        return StreamingResponse(iter([b"a", b"b"]))

    @get("/lines")
    def lines() -> Iterator[Base]:
        yield BASE
        yield SUB

    @get("/alines")
    async def alines() -> AsyncIterator[Base]:
        yield BASE

    # Errors that are FastAPI's.
    @get("/teapot")
    def teapot() -> Base:
        raise HTTPException(418, {"a": "b"}, {"x-pot": "short"})

    @app.exception_handler(KeyError)
    def on_key_error(request: Request, error: KeyError) -> JSONResponse:
        return JSONResponse({"key": str(error)}, 499)

    @get("/key")
    def key() -> Base:
        raise KeyError("lost")

    # Routers, inside of one another, and one twice.
    inner, outer = APIRouter(prefix="/inner"), APIRouter(prefix="/outer", dependencies=[Depends(marked)])

    @inner.get("/base")
    def inner_base() -> Base:
        return SUB

    @inner.get("/bases", status_code=203)
    async def inner_bases() -> list[Base]:
        return [BASE]

    outer.include_router(inner)
    app.include_router(outer)
    app.include_router(inner, prefix="/again")

    mounted = FastAPI()
    mounted.get("/base")(lambda: BASE)
    app.mount("/mounted", mounted)
    return app


PATHS = [
    "/base",
    "/sub",
    "/whole",
    "/held",
    "/held-part",
    "/named",
    "/summed",
    "/plain",
    "/bases",
    "/mixed",
    "/mixed-plain",
    "/mixed-dict",
    "/wholes",
    "/empty",
    "/none",
    "/dict",
    "/nested",
    "/tuple",
    "/numbers",
    "/named-status",
    "/flag",
    "/number",
    "/text",
    "/data",
    "/json",
    "/plain-text",
    "/a/base",
    "/a/bases",
    "/a/unannotated",
    "/as/base",
    "/as/base-of-sub",
    "/as/bases-of-subs",
    "/as/bases",
    "/as/no-bases",
    "/as/optional",
    "/as/optional?there=0",
    "/as/union",
    "/as/union?which=1",
    "/as/union?which=2",
    "/as/whole",
    "/as/named",
    "/as/summed",
    "/as/page",
    "/as/pair",
    "/as/dict",
    "/as/wrong",
    "/as/another",
    "/as/response",
    "/as/any",
    "/model/public",
    "/model/publics",
    "/model/base",
    "/model/none",
    "/model/include",
    "/model/exclude",
    "/model/unset",
    "/model/defaults",
    "/model/no-none",
    "/model/no-alias",
    "/status/201",
    "/status/204",
    "/status/304",
    "/class/loud",
    "/class/html",
    "/class/json",
    "/methods",
    "/response",
    "/response?status=204",
    "/aresponse",
    "/depends",
    "/depends-and-response",
    "/depends-outside",
    "/found/7",
    "/released",
    "/background",
    "/background-own",
    "/request/5",
    "/request/x",
    "/callable?number=3",
    "/method?number=3",
    "/amethod?number=3",
    "/decorated?number=3",
    "/adecorated?number=3",
    "/partial?other=4",
    "/apartial?other=4",
    "/stream",
    "/lines",
    "/alines",
    "/teapot",
    "/key",
    "/outer/inner/base",
    "/outer/inner/bases",
    "/again/inner/base",
    "/again/inner/bases",
    "/mounted/base",
    "/nowhere",
]

#: Answered with 500: FastAPI does not give what its own check refuses.
REFUSED = ["/model/wrong", "/as/unsure"]

Sites = tuple[httpx.Client, httpx.Client]


@pytest.fixture(scope="module")
def sites() -> Iterator[Sites]:
    """Without and with Nitro."""
    bare, with_nitro = FastAPI(), FastAPI()
    for app in (bare, with_nitro):
        app.get("/first")(lambda: BASE)
    # After some routes, and before others.
    nitro.install(with_nitro, entities=[])
    for app in (bare, with_nitro):
        build(app)
    settings: dict[str, Any] = {"timeout": 30, "trust_env": False}
    with (
        served_here(bare) as one,
        served_here(with_nitro) as other,
        httpx.Client(base_url=one, **settings) as first,
        httpx.Client(base_url=other, **settings) as second,
    ):
        yield first, second


def both(sites: Sites, method: str, url: str, **given: Any) -> httpx.Response:
    """What both answer."""
    told.clear()
    due.clear()
    bare = sites[0].request(method, url, **given)
    told_by_bare = sites[0].get("/told").json()
    told.clear()
    due.clear()
    with_nitro = sites[1].request(method, url, **given)
    assert sites[1].get("/told").json() == told_by_bare
    assert with_nitro.status_code == bare.status_code
    assert with_nitro.content == bare.content
    assert _headers(with_nitro) == _headers(bare)
    return with_nitro


def _headers(response: httpx.Response) -> list[tuple[str, str]]:
    return sorted((name, value) for name, value in response.headers.multi_items() if name != "date")


@pytest.mark.parametrize("url", ["/first", *PATHS])
def test_both_answer_the_same(sites: Sites, url: str) -> None:
    answer = both(sites, "GET", url)
    assert answer.status_code < 500, answer.text
    assert "hush" not in answer.text


@pytest.mark.parametrize("url", REFUSED)
def test_both_refuse_the_same(sites: Sites, url: str) -> None:
    assert both(sites, "GET", url, headers={"Connection": "close"}).status_code == 500


@pytest.mark.parametrize(
    ("method", "url", "given"),
    [
        ("POST", "/methods", {}),
        ("PUT", "/methods", {}),
        ("POST", "/body", {"json": {"id": "7", "name": "x"}}),
        ("POST", "/body", {"json": {"id": "7", "name": 5}}),
        ("POST", "/body", {"content": b"{", "headers": {"Content-Type": "application/json"}}),
        ("POST", "/body", {"content": b"x"}),
        ("POST", "/bodies", {"json": {"bases": [{"id": "1"}], "note": "n"}}),
        ("POST", "/bodies", {"json": {"bases": {}}}),
        ("POST", "/form", {"data": {"text": "y"}}),
        ("HEAD", "/base", {}),
        ("OPTIONS", "/base", {}),
        ("DELETE", "/base", {}),
    ],
)
def test_both_take_the_same(sites: Sites, method: str, url: str, given: dict[str, Any]) -> None:
    both(sites, method, url, **given)


def test_both_describe_the_same(sites: Sites) -> None:
    description = both(sites, "GET", "/openapi.json").json()
    assert "nitro_response" not in str(description)
    assert "Problem" not in description["components"]["schemas"]


def test_what_is_valid_is_not_validated_once_more() -> None:
    class Checked(Entity):
        __tablename__ = "beside_checked"

        @model_validator(mode="after")
        def is_checked(self) -> "Checked":
            checks.append(self)
            return self

    checks: list[Checked] = []
    one = Checked()
    app = nitro.install(FastAPI(), entities=[])
    app.get("/one", response_model=Checked)(lambda: one)
    app.get("/many", response_model=list[Checked])(lambda: [one])
    with served_here(app) as address:
        for path in ("/one", "/many"):
            assert httpx.get(address + path, trust_env=False).status_code == 200
    assert checks == [one]


def test_dependencies_are_overridden_as_ever() -> None:
    def overridden(response: Response) -> str:
        response.headers["x-overridden"] = "yes"
        response.status_code = 203
        return "overridden"

    with_nitro = build(nitro.install(FastAPI(), entities=[]))
    with_nitro.dependency_overrides[marked] = overridden
    with served_here(with_nitro) as address:
        answer = httpx.get(f"{address}/depends", trust_env=False)
    assert (answer.status_code, answer.headers["x-overridden"]) == (203, "yes")
    assert answer.json()["id"] == "overridden"


def test_a_request_that_is_not_valid_stays_fastapi_s_to_answer() -> None:
    app = build(nitro.install(FastAPI(), entities=[]))

    @app.exception_handler(RequestValidationError)
    def refused(request: Request, error: RequestValidationError) -> JSONResponse:
        return JSONResponse({"mine": len(error.errors())}, 420)

    with served_here(app) as address:
        answer = httpx.get(f"{address}/request/x", trust_env=False)
    assert (answer.status_code, answer.json()) == (420, {"mine": 1})


def test_a_default_response_class_is_that_of_every_route() -> None:
    app = build(nitro.install(FastAPI(default_response_class=Loud), entities=[]))
    with served_here(app) as address:
        assert httpx.get(f"{address}/base", trust_env=False).json()["loud"]["id"] == "1"


def test_routes_that_come_while_it_starts_or_runs_answer_too() -> None:
    async def starting(app: FastAPI) -> AsyncIterator[None]:
        router = APIRouter()
        router.get("/started")(lambda: (BASE, 201))
        app.include_router(router)
        yield

    app = nitro.install(FastAPI(lifespan=asynccontextmanager(starting)), entities=[])
    with served_here(app) as address, httpx.Client(base_url=address, trust_env=False) as client:
        assert client.get("/started").status_code == 201
        app.get("/running")(lambda: (BASE, 202))
        assert client.get("/running").status_code == 202


def test_a_status_and_a_page_go_with_what_a_route_says_it_gives() -> None:
    app = nitro.install(FastAPI(), entities=[])
    app.get("/made", response_model=Public)(lambda: (BASE, 201))
    app.get("/page", response_model=list[Public])(lambda: Page([BASE], "next", 5))
    app.get("/whole-page")(lambda: Page([NAMED], "next", 5))

    @app.get("/over")
    def over(response: Response) -> Any:
        response.status_code = 202
        response.headers["x-own"] = "1"
        return BASE, 201

    with served_here(app) as address, httpx.Client(base_url=address, trust_env=False) as client:
        made, page, whole, said = (client.get(path) for path in ("/made", "/page", "/whole-page", "/over"))
    assert (made.status_code, made.json()) == (201, {"id": "1", "name": "ü"})
    assert (page.json(), page.headers["x-total-count"]) == ([{"id": "1", "name": "ü"}], "5")
    assert page.links["next"]["url"] == "/page?after=next"
    assert whole.json() == [{"id": "4", "firstOf": 5, "secondOf": 2, "sumOf": 7}]
    assert (said.status_code, said.headers["x-own"]) == (201, "1")
