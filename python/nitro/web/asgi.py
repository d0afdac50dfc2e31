"""Requests and responses of ASGI, which FastAPI, Starlette and FastHTML speak."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import cache
from typing import Any
from urllib.parse import quote, unquote

from ..errors import NitroError
from .core import Core, refused
from .messages import Request, Response, Untranslated, current
from .routes import PLAIN, Route, segments_of

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
#: Makes the framework's own request.
Native = Callable[[Scope, Receive], Any]

#: What Datastar puts signals into the body of.
_HAS_BODY = frozenset({"POST", "PUT", "PATCH"})

_DATASTAR = (b"datastar-request", b"true")


class Disconnected(Exception):
    """The client has left before all of its request was there."""


def path_of(scope: Scope) -> list[str]:
    """The segments of the path of a request, below where the application is mounted."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    raw: bytes | None = scope.get("raw_path")
    is_below = bool(root) and _is_below(path, root)
    if raw is not None and b"%" in raw:
        text = raw.partition(b"?")[0].decode("latin-1")
        # A middleware that gives the application another path does not always say how it would be encoded.
        if unquote(text).strip("/") == path.strip("/"):
            segments = segments_of(text)
            return segments[len(root.strip("/").split("/")) :] or [""] if is_below else segments
    return (path[len(root) :] if is_below else path).strip("/").split("/")


def asked_path(scope: Scope) -> str:
    """The path as it was asked for, encoded, with what the application is mounted at."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    raw: bytes | None = scope.get("raw_path")
    asked = quote(path, safe=PLAIN)
    if raw is not None and b"%" in raw:
        text = raw.partition(b"?")[0].decode("latin-1")
        if unquote(text) == path:
            asked = text
    return asked if not root or _is_below(path, root) else quote(root, safe=PLAIN) + asked


def _is_below(path: str, root: str) -> bool:
    """Whether a path says itself where the application is mounted: not every server, or proxy, leaves that there."""
    return path == root or path.startswith(root if root.endswith("/") else root + "/")


def headers_of(scope: Scope) -> dict[str, str]:
    """{name in lower case: value}; what is given several times is one value, with commas."""
    pairs: list[tuple[bytes, bytes]] = scope["headers"]
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in pairs}
    if len(headers) != len(pairs):
        several: dict[str, list[str]] = {}
        for name, value in pairs:
            several.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))
        headers = {name: ("; " if name == "cookie" else ", ").join(values) for name, values in several.items()}
    return headers


class Ambient:
    """An application in which `current_request()` knows what is asked, also in handlers that are not Nitro's.

    Args:
        app: The application.
        core: Whose limits hold, and who knows the users.
        native: Makes the framework's own request.
        begin: Called before each request, and when the application has started.
    """

    def __init__(self, app: App, core: Core, native: Native, begin: Callable[[], None]) -> None:
        self._app, self._core, self._native, self._begin = app, core, native, begin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "lifespan":
            return await self._app(scope, receive, self._beginning(send))
        self._begin()
        if kind != "http":
            return await self._app(scope, receive, send)
        body: bytes | None = None
        if _DATASTAR in scope["headers"] and scope["method"] in _HAS_BODY:
            try:
                body, receive = await _read_ahead(receive, self._core.limits.body)
            except Disconnected:
                return None
        loop = asyncio.get_running_loop()
        token = current.set(Untranslated(lambda: self._translated(scope, receive, body, loop)))
        try:
            return await self._app(scope, receive, send)
        finally:
            current.reset(token)

    def _beginning(self, send: Send) -> Send:
        async def sending(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                self._begin()
            await send(message)

        return sending

    def _translated(
        self, scope: Scope, receive: Receive, body: bytes | None, loop: asyncio.AbstractEventLoop
    ) -> Request:
        return Request(
            scope["method"],
            asked_path(scope),
            scope["query_string"].decode("latin-1"),
            headers_of(scope),
            _unread if body is None else body,
            self._native(scope, receive),
            scope.get("path_params"),
            users=self._core.access,
            loop=loop,
        )


def _unread() -> bytes:
    raise NitroError(
        "the body of this request is read by the framework: take it from the arguments of the handler, or from the "
        "framework's own request"
    )


async def serve(
    core: Core,
    route: Route,
    parameters: Mapping[str, str],
    native: Native,
    scope: Scope,
    receive: Receive,
    send: Send,
) -> None:
    """Answers a request."""
    headers = headers_of(scope)
    try:
        body = await _body(headers, receive, core.limits.body)
    except Disconnected:
        return None
    if body is None:
        return await send_response(
            refused(413, f"a body has at most {core.limits.body} bytes here"), scope, receive, send
        )
    loop = asyncio.get_running_loop()
    request = Request(
        scope["method"],
        asked_path(scope),
        scope["query_string"].decode("latin-1"),
        headers,
        body,
        native(scope, _replay([_whole(body)], receive)),
        parameters,
        users=core.access,
        loop=loop,
    )
    if route.operation.is_async or not route.operation.waits:
        response = await core.ahandle(route, request)
    else:
        context = copy_context()
        response = await loop.run_in_executor(_threads(), lambda: context.run(core.handle, route, request))
    return await send_response(response, scope, receive, send)


@cache
def _threads() -> ThreadPoolExecutor:
    """Who waits for stores: as many as frameworks have for this. An event loop's own are few where processors are."""
    return ThreadPoolExecutor(40, "nitro-web")


# Threads stay behind when a process is forked.
os.register_at_fork(after_in_child=_threads.cache_clear)


# --- Bodies ---------------------------------------------------------------------------------------------------------


async def _body(headers: Mapping[str, str], receive: Receive, most: int) -> bytes | None:
    """The whole body; None where it is more than is allowed, of which no more than that is read."""
    length = headers.get("content-length", "0")
    if length.isascii() and length.isdigit() and (len(length) > 18 or int(length) > most):
        return None
    parts: list[bytes] = []
    size = 0
    is_more = True
    while is_more:
        message = await _received(receive)
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > most:
            return None
        parts.append(part)
        is_more = message.get("more_body", False)
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def _received(receive: Receive) -> Message:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise Disconnected
    return message


async def _read_ahead(receive: Receive, most: int) -> tuple[bytes | None, Receive]:
    """The body, and what gives it to the application once more; no body where it is more than is allowed."""
    messages: list[Message] = []
    size = 0
    is_more = True
    while is_more and size <= most:
        message = await _received(receive)
        messages.append(message)
        size += len(message.get("body", b""))
        is_more = message.get("more_body", False)
    body = None if is_more or size > most else b"".join(message.get("body", b"") for message in messages)
    return body, _replay(messages, receive)


def _whole(body: bytes) -> Message:
    return {"type": "http.request", "body": body, "more_body": False}


def _replay(messages: list[Message], receive: Receive) -> Receive:
    """What gives messages that were received once more, and then what comes after them."""
    left = iter(messages)

    async def receiving() -> Message:
        message = next(left, None)
        return await receive() if message is None else message

    return receiving


# --- Responses ------------------------------------------------------------------------------------------------------


async def send_response(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Sends a response."""
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
    body = response.body
    is_head = scope["method"] == "HEAD"
    if response.media_type is not None:
        headers.append((b"content-type", response.media_type.encode("latin-1")))
    if isinstance(body, bytes):
        if response.status not in (204, 304):
            headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if is_head else body})
        return
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    if not is_head:
        await _stream(body, receive, send)
    await send({"type": "http.response.body", "body": b""})


async def _stream(body: AsyncIterator[bytes], receive: Receive, send: Send) -> None:
    """Sends piece by piece, until there is no more, or the client has left."""
    sending = asyncio.ensure_future(_send_all(body, send))
    leaving = asyncio.ensure_future(_until_left(receive))
    try:
        await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        leaving.cancel()
        is_left = not sending.done() and sending.cancel()
        # What the generator does at its end is done when this returns.
        await asyncio.wait({sending, leaving})
    if not is_left:
        sending.result()


async def _send_all(body: AsyncIterator[bytes], send: Send) -> None:
    try:
        async for part in body:
            await send({"type": "http.response.body", "body": part, "more_body": True})
    finally:
        close = getattr(body, "aclose", None)
        if close is not None:
            await close()


async def _until_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
