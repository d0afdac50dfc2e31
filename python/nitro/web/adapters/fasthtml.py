"""FastHTML."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from fasthtml import core as fasthtml_core  # type: ignore[import-untyped]
from pydantic import BaseModel
from starlette.background import BackgroundTask, BackgroundTasks
from starlette.requests import Request as StarletteRequest
from starlette.responses import Response as StarletteResponse
from starlette.routing import BaseRoute

from ...queries import Page, Query
from ..answers import page_headers
from ..core import Core
from ..handlers import is_exactly, is_known, reply, split
from ..messages import current_request
from . import starlette

#: FastHTML has no types.
_fasthtml: Any = fasthtml_core

#: What a handler gives beside its answer.
_EXTRAS: tuple[type, ...] = (_fasthtml.HttpHeader, BackgroundTask)


def install(app: Any, core: Core) -> None:
    """Adds the routes, before FastHTML's own for static files, which would take `/orders/1.5`."""
    starlette.install(app, core, first=True, answer=_answer_all)
    if _answer not in app.after:
        app.after.append(_answer)


def _answer_all(routes: Iterable[BaseRoute]) -> None:
    """Has routes answer that are none of FastHTML's, whose handlers `_answer` is told of."""
    starlette.answer_all(route for route in routes if not isinstance(route, _fasthtml.HostRoute))


# By their names, and because they have no annotation, FastHTML knows what to give.
def _answer(req, resp):  # type: ignore[no-untyped-def]
    """What FastHTML asks after each handler: the response for what Nitro knows, or None."""
    return _answered(cast("Any", req), cast("Any", resp))


def _answered(request: StarletteRequest, given: Any) -> Any:
    value, extras = given, list[Any]()
    if is_exactly(given, tuple):
        extras = [part for part in given if isinstance(part, _EXTRAS)]
        rest = tuple(part for part in given if not isinstance(part, _EXTRAS))
        value = rest[0] if len(rest) == 1 else rest
    value, status = split(value)
    if status is not None or _is_ours(request, value):
        return _Answer(request, value, status, extras)
    shown = _shown(value)
    return None if shown is value else (shown, *extras)


def _is_ours(request: StarletteRequest, value: Any) -> bool:
    """Whether FastHTML cannot show it. An empty list is one of entities to a client that wants JSON."""
    if is_exactly(value, list) and not value:
        return "application/json" in request.headers.get("accept", "")
    return is_known(value) and not _is_shown(value)


def _is_shown(value: Any) -> bool:
    """Whether FastHTML shows it, because its class says how."""
    if is_exactly(value, list):
        return bool(value) and all(map(_is_shown, value))
    return hasattr(value, "__ft__") or hasattr(value, "__response__")


def _shown(value: Any) -> Any:
    """What FastHTML shows of it. A model is an iterable: where it is alone its fields would be shown."""
    if is_exactly(value, list) or is_exactly(value, tuple):
        return tuple(map(_shown, value)) if any(map(_shows_itself, value)) else value
    return value.__ft__() if _shows_itself(value) else value


def _shows_itself(value: Any) -> bool:
    return isinstance(value, BaseModel) and hasattr(value, "__ft__") and not hasattr(value, "__response__")


class _Answer(StarletteResponse):
    """A response to what a handler gave, made where a query can be awaited."""

    def __init__(self, request: StarletteRequest, value: Any, status: int | None, extras: list[Any]) -> None:
        super().__init__()
        self._request, self._value, self._status, self._extras = request, value, status, extras

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Sends it."""
        response = await self._made()
        for extra in self._extras:
            if isinstance(extra, _fasthtml.HttpHeader):
                response.headers[extra.k] = str(extra.v)
        tasks = [extra for extra in self._extras if isinstance(extra, BackgroundTask)]
        if tasks:
            response.background = BackgroundTasks(tasks)
        await response(scope, receive, send)

    async def _made(self) -> StarletteResponse:
        value: Any = self._value
        if isinstance(value, Query):
            value = await cast("Query[Any]", value).aall()
        items = _items(value)
        if not _is_shown(items):
            return starlette.native(reply(value, self._status))
        response: StarletteResponse = _fasthtml._resp(self._request, _shown(items), status_code=self._status or 200)
        request = current_request()
        if isinstance(value, Page) and request is not None:
            for name, text in page_headers(cast("Page[Any]", value), request):
                response.headers[name] = text
        return response


def _items(value: Any) -> Any:
    return cast("Page[Any]", value).items if isinstance(value, Page) else value
