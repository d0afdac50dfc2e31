"""Starlette, and what is built on it: FastAPI and FastHTML."""

from __future__ import annotations

from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request as StarletteRequest
from starlette.responses import Response as StarletteResponse
from starlette.routing import BaseRoute, Match, NoMatchFound

from ..asgi import Receive, Scope, Send, path_of, serve
from ..core import Core, answered
from ..messages import Response
from ..problems import STATUSES, Problem


class NitroRoutes(BaseRoute):
    """All routes of Nitro, as one of the application's: to find one takes no longer where there are many."""

    def __init__(self, core: Core) -> None:
        self.core = core

    def matches(self, scope: Any) -> tuple[Match, Scope]:
        """Whether a request is for one of them."""
        if scope["type"] != "http":
            return Match.NONE, {}
        found = self.core.routes.find(scope["method"], path_of(scope))
        if found is None:
            return Match.NONE, {}
        if isinstance(found, frozenset):
            return Match.PARTIAL, {"nitro.allowed": found}
        return Match.FULL, {"nitro.route": found}

    async def handle(self, scope: Any, receive: Receive, send: Send) -> None:
        """Answers a request."""
        if "nitro.route" not in scope:
            allowed = ", ".join(sorted(scope["nitro.allowed"]))
            problem = Problem(405, f"{scope['method']} is not among {allowed}", (("allow", allowed),))
            await _native(answered(problem))(scope, receive, send)
            return
        route, parameters = scope["nitro.route"]
        await serve(self.core, route, parameters, StarletteRequest(scope, receive), scope, receive, send)

    def url_path_for(self, name: str, /, **path_params: Any) -> Any:
        """The path of a route by its name, as "Order.restock"."""
        from urllib.parse import quote

        from starlette.datastructures import URLPath

        for route in self.core.routes:
            if route.name == name:
                path = route.path
                for key, value in path_params.items():
                    path = path.replace(f"{{{key}}}", quote(str(value), safe=""))
                return URLPath(path, protocol="http")
        raise NoMatchFound(name, path_params)


def install(app: Starlette, core: Core, *, first: bool = False) -> None:
    """Adds the routes, and answers the errors of Nitro that the application's own handlers raise.

    Args:
        app: The application.
        core: What is added.
        first: Whether before the application's own routes, of which one would take everything.
    """
    place = 0 if first else len(app.router.routes)
    app.router.routes.insert(place, NitroRoutes(core))
    for kind, _ in STATUSES:
        app.exception_handlers.setdefault(kind, _answer_error)


def _answer_error(_: Any, error: Exception) -> StarletteResponse:
    return _native(answered(error))


def _native(response: Response) -> StarletteResponse:
    body = response.body
    assert isinstance(body, bytes), "an error has its whole text"
    return StarletteResponse(body, response.status, dict(response.headers), response.media_type)
