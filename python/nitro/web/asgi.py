"""Requests and responses of ASGI, which FastAPI, Starlette and FastHTML speak."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from .core import Core, answered
from .messages import Request, Response
from .problems import Problem
from .routes import Route, segments_of

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


def path_of(scope: Scope) -> list[str]:
    """The segments of the path of a request, below where the application is mounted."""
    raw: bytes | None = scope.get("raw_path")
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    if raw is not None and b"%" in raw:
        text = raw.partition(b"?")[0].decode("latin-1")
        return segments_of(text[len(root) :] if text.startswith(root) else text)
    return (path[len(root) :] if root and path.startswith(root) else path).strip("/").split("/")


async def serve(
    core: Core,
    route: Route,
    parameters: Mapping[str, str],
    native: Any,
    scope: Scope,
    receive: Receive,
    send: Send,
) -> None:
    """Answers a request."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    body = await _body(core, headers, receive)
    if body is None:
        await _send(answered(Problem(413, f"a body has at most {core.limits.body} bytes here")), scope, send)
        return
    request = Request(
        scope["method"],
        scope.get("root_path", "") + "/" + "/".join(path_of(scope)),
        scope["query_string"].decode("latin-1"),
        headers,
        body,
        native,
        parameters,
    )
    operation = route.operation
    if operation.is_async or core.access.is_async or not operation.waits:
        response = await core.ahandle(route, request)
    else:
        response = await asyncio.to_thread(core.handle, route, request)
    await _send(response, scope, send)


async def _body(core: Core, headers: Mapping[str, str], receive: Receive) -> bytes | None:
    """The whole body; None where it is more than is allowed, of which no more than that is read."""
    most = core.limits.body
    length = headers.get("content-length", "0")
    if length.isdigit() and int(length) > most:
        return None
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        part = message.get("body", b"")
        size += len(part)
        if size > most:
            return None
        parts.append(part)
        if not message.get("more_body", False):
            break
    return b"".join(parts)


async def _send(response: Response, scope: Scope, send: Send) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
    body = response.body
    if response.media_type is not None:
        headers.append((b"content-type", response.media_type.encode("latin-1")))
    if isinstance(body, bytes):
        if response.status not in (204, 304):
            headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
        return
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    async for part in body:
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
