"""The request that is answered, and whose it is, for whoever asks inside of a handler."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import Depends, FastAPI, WebSocket
from flask import request as flask_request
from pydantic import BaseModel
from serving import FRAMEWORKS, application, served_here
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

import nitro
from nitro import Entity, NitroError, SQLModelBackend, command, query
from nitro.backends.sql.database import forget
from nitro.web import current_request

ASGI = FRAMEWORKS[:3]


class Said(BaseModel):
    """What a handler has found out."""

    user: Any = None
    data: Any = None
    own: Any = None


class Parcel(Entity):
    __tablename__ = "current_parcels"
    weight: int = 0

    @query
    def mine(self) -> Any:
        request = current_request()
        assert request is not None
        return request.user

    @query
    async def amine(self) -> Any:
        request = current_request()
        assert request is not None
        return await request.auser()

    @command
    @classmethod
    async def stream(cls) -> Any:
        async def pieces() -> AsyncIterator[bytes]:
            try:
                yield b"first"
                begun.set()
                await asyncio.Event().wait()
            finally:
                # Still in the request, in the same task.
                ended.append(current_request() is not None)
                left.set()

        return nitro.web.Response(200, pieces(), "text/plain")

    @query
    @classmethod
    async def short_stream(cls) -> Any:
        async def pieces() -> AsyncIterator[bytes]:
            for piece in (b"a", b"b"):
                yield piece
                await asyncio.sleep(0)

        return nitro.web.Response(200, pieces(), "text/plain")


begun, left = threading.Event(), threading.Event()
ended: list[bool] = []
asked: list[str] = []


def get_user(native: Any) -> Any:
    asked.append(native.headers.get("x-user", ""))
    return native.headers.get("x-user")


async def aget_user(native: Any) -> Any:
    await asyncio.sleep(0)
    return get_user(native)


def add(app: Any, framework: str, path: str, work: Any, acall: bool = False, methods: Any = ("GET",)) -> None:
    """Adds a handler that has no arguments, and gives what `work` gives."""
    if framework == "starlette":

        def on_starlette(request: Any) -> Any:
            return work()

        async def aon_starlette(request: Any) -> Any:
            return await work()

        app.router.add_route(path, aon_starlette if acall else on_starlette, methods=list(methods))
        return

    def handler():  # type: ignore[no-untyped-def]
        return work()

    async def ahandler():  # type: ignore[no-untyped-def]
        return await work()

    chosen: Any = ahandler if acall else handler
    chosen.__name__ = chosen.__qualname__ = "h" + path.replace("/", "_")
    if framework == "fastapi":
        app.api_route(path, methods=list(methods))(chosen)
    else:
        app.route(path, methods=[method.lower() if framework == "fasthtml" else method for method in methods])(chosen)


def whose() -> Said:
    request = current_request()
    assert request is not None
    return Said(user=(request.user, request.user))


async def awhose() -> Said:
    request = current_request()
    assert request is not None
    return Said(user=await request.auser())


async def awhose_without_await() -> Said:
    request = current_request()
    assert request is not None
    try:
        return Said(user=request.user)
    except NitroError as error:
        return Said(user=str(error))


@pytest.fixture(scope="module", params=[get_user, aget_user], ids=["get_user", "async get_user"])
def getter(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(scope="module")
def users(framework: str, getter: Any) -> Iterator[httpx.Client]:
    app = nitro.install(application(framework), resources=[Parcel], entities=[Parcel], get_user=getter)
    add(app, framework, "/nobody-asks", lambda: Said(user="not asked"))
    add(app, framework, "/whose", whose)
    add(app, framework, "/awhose", awhose, acall=True)
    add(app, framework, "/refused", awhose_without_await, acall=True)
    with served_here(app) as address, httpx.Client(base_url=address, trust_env=False, timeout=30) as client:
        yield client


def test_who_the_user_is_is_asked_once_and_only_where_somebody_asks(users: httpx.Client) -> None:
    asked.clear()
    assert users.get("/nobody-asks", headers={"X-User": "Ann"}).json()["user"] == "not asked"
    assert asked == []
    assert users.get("/whose", headers={"X-User": "Ann"}).json()["user"] == ["Ann", "Ann"]
    assert users.get("/awhose", headers={"X-User": "Bob"}).json()["user"] == "Bob"
    assert users.get("/whose").json()["user"] == [None, None]
    assert asked == ["Ann", "Bob", ""]


def test_methods_know_the_user(users: httpx.Client) -> None:
    parcel = Parcel().save()
    for method in ("mine", "amine"):
        assert users.get(f"/parcels/{parcel.id}/{method}", headers={"X-User": "Ann"}).json() == "Ann"


def test_async_code_awaits_an_async_get_user(users: httpx.Client, getter: Any) -> None:
    user = users.get("/refused", headers={"X-User": "Ann"}).json()["user"]
    assert user == ("Ann" if getter is get_user else "get_user is async here: await request.auser()")


def test_many_requests_at_once_have_each_their_own(framework: str) -> None:
    both = threading.Barrier(5, timeout=30)

    def wait() -> Said:
        both.wait()
        return whose()

    app = nitro.install(application(framework), entities=[], get_user=get_user)
    add(app, framework, "/wait", wait)
    with served_here(app) as address:
        said: dict[int, Any] = {}

        def ask(number: int) -> None:
            said[number] = httpx.get(f"{address}/wait", headers={"X-User": str(number)}, trust_env=False).json()["user"]

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert said == {number: [str(number)] * 2 for number in range(5)}


# --- Signals of Datastar --------------------------------------------------------------------------------------------


def signals() -> Said:
    request = current_request()
    assert request is not None
    return Said(data=request.data)


async def asignals() -> Said:
    return signals()


@pytest.fixture(scope="module")
def datastar(framework: str) -> Iterator[httpx.Client]:
    app = nitro.install(application(framework), entities=[])
    add(app, framework, "/signals", signals, methods=("POST", "PUT", "DELETE"))
    add(app, framework, "/asignals", asignals, acall=True, methods=("POST",))
    if framework == "fastapi":

        @app.post("/both")
        def both(given: dict[str, Any]) -> Said:
            return Said(data=signals().data, own=given)
    elif framework == "starlette":

        async def both(request: Any) -> Any:
            return Said(data=signals().data, own=await request.json())

        app.router.add_route("/both", both, methods=["POST"])
    elif framework == "fasthtml":

        @app.route("/both", methods=["post"])
        def both(data):  # type: ignore[no-untyped-def]
            return Said(data=signals().data, own=data)
    else:

        @app.post("/both")
        def both() -> Any:
            return Said(data=signals().data, own=flask_request.json)

    headers = {"Datastar-Request": "true", "Content-Type": "application/json"}
    with (
        served_here(app) as address,
        httpx.Client(base_url=address, trust_env=False, timeout=30, headers=headers) as client,
    ):
        yield client


def test_signals_are_there_in_any_handler(datastar: httpx.Client) -> None:
    for path in ("/signals", "/asignals"):
        assert datastar.post(path, json={"theme": "dark"}).json()["data"] == {"theme": "dark"}
    assert datastar.put("/signals", json={"n": "x" * 100_000}).json()["data"] == {"n": "x" * 100_000}
    assert datastar.post("/signals", content=iter([b'{"a"', b":1", b"}"])).json()["data"] == {"a": 1}
    assert datastar.post("/signals", content=b"{").status_code == 400


def test_the_framework_reads_them_as_well(datastar: httpx.Client) -> None:
    for content in (b'{"a":1}', iter([b'{"a"', b":1}"])):
        answer = datastar.post("/both", content=content).json()
        assert answer["own"] == answer["data"] == {"a": 1}


@pytest.mark.parametrize("framework", ASGI)
def test_a_handler_that_takes_more_than_nitro_is_given_all_of_it(framework: str) -> None:
    """How much a body may be is the application's to say in its own handlers."""

    async def size(request: Any) -> Any:
        asked = current_request()
        assert asked is not None
        try:
            said = f"known: {len(asked.body)}"
        except NitroError as error:
            said = str(error)
        return JSONResponse([len(await request.body()), said])

    app = nitro.install(application(framework), entities=[])
    app.router.routes.append(Route("/size", size, methods=["POST"]))
    content = b" " * (3 * 1024 * 1024)
    with served_here(app) as address:
        headers = {"Datastar-Request": "true"}
        answer = httpx.post(f"{address}/size", content=content, headers=headers, trust_env=False, timeout=30)
    assert answer.json()[0] == len(content)
    assert "read by the framework" in answer.json()[1]


# --- Streams --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("framework", ASGI)
def test_a_stream_ends_when_its_client_leaves(framework: str) -> None:
    for event in (begun, left):
        event.clear()
    ended.clear()
    app = nitro.install(application(framework), entities=[Parcel])
    with served_here(app) as address:
        with httpx.stream("POST", f"{address}/parcels/stream", trust_env=False, timeout=30) as response:
            assert next(response.iter_raw()) == b"first"
            assert begun.wait(30)
        assert left.wait(30)
        assert ended == [True]
        whole = httpx.get(f"{address}/parcels/short_stream", trust_env=False, timeout=30)
        assert (whole.text, whole.headers["content-type"]) == ("ab", "text/plain")
        assert httpx.head(f"{address}/parcels/short_stream", trust_env=False, timeout=30).content == b""


def test_flask_sends_no_streams_of_async_code() -> None:
    with served_here(nitro.install(application("flask"), entities=[Parcel])) as address:
        assert httpx.get(f"{address}/parcels/short_stream", trust_env=False).status_code == 500


# --- Elsewhere ------------------------------------------------------------------------------------------------------


def test_there_is_no_request_outside_of_any() -> None:
    assert current_request() is None


def test_dependencies_and_middleware_of_the_application_know_the_request_too() -> None:
    seen: list[str] = []

    def see() -> None:
        request = current_request()
        assert request is not None
        seen.append(request.path)

    class Seeing:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                see()
            await self.app(scope, receive, send)

    app = nitro.install(FastAPI(middleware=[Middleware(Seeing)]), entities=[])
    app.get("/path", dependencies=[Depends(see)])(lambda: None)

    @app.websocket("/socket")
    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text(str(current_request()))
        await websocket.close()

    with TestClient(app) as client:
        client.get("/path")
        with client.websocket_connect("/socket") as connection:
            assert connection.receive_text() == "None"
    assert seen == ["/path", "/path"]


@pytest.mark.parametrize("framework", ASGI)
def test_stores_that_are_waited_for_keep_nobody_else_waiting(
    framework: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty methods run at a time, each in a thread, and the event loop answers others meanwhile."""

    class Waiting(Entity):
        __tablename__ = "current_waiting"

        @command
        @classmethod
        def together(cls) -> bool:
            meeting.wait()
            return threading.current_thread() is not threading.main_thread()

    meeting = threading.Barrier(21, timeout=30)
    store = SQLModelBackend(f"sqlite:///{tmp_path}/waiting.db")
    monkeypatch.setattr(Waiting, "__nitro_backend__", store)
    nitro.create_all(Waiting)
    app = nitro.install(application(framework), entities=[Waiting])
    add(app, framework, "/other", awhose, acall=True)
    with served_here(app) as address, ThreadPoolExecutor(20) as threads:
        asked = [
            threads.submit(httpx.post, f"{address}/waitings/together", trust_env=False, timeout=30) for _ in range(20)
        ]
        assert httpx.get(f"{address}/other", trust_env=False).json()["user"] is None
        meeting.wait()
        assert [answer.result().json() for answer in asked] == [True] * 20
    forget(store.database.url.render_as_string(hide_password=False))
