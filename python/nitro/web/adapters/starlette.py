"""Starlette, and what is built on it: FastAPI and FastHTML."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any, cast
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.datastructures import URLPath
from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request as StarletteRequest
from starlette.responses import Response as StarletteResponse
from starlette.routing import BaseRoute, Host, Match, Mount, NoMatchFound, Router, request_response
from starlette.routing import Route as StarletteRoute

from ..asgi import Ambient, Receive, Scope, Send, path_of, send_response, serve
from ..core import Core, refused, told
from ..handlers import areply, handled_as, is_exactly, is_known, reply, split
from ..messages import Response
from ..problems import TOLD

#: The methods of class endpoints that answer requests.
_METHODS = ("get", "head", "post", "put", "patch", "delete", "options", "query")

#: What Starlette makes of an endpoint that is a function, and what is on one that answers what Nitro knows.
_IS_ANSWERED = "__nitro_answers__"
_MADE = ("starlette.routing", request_response.__qualname__ + ".<locals>.app")


class NitroRoutes(BaseRoute):
    """All routes of Nitro, as one of the application's: to find one takes no longer where there are many."""

    #: FastHTML, and some tools, ask every route for these.
    path = ""
    name = "nitro"
    methods = None

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
            methods: frozenset[str] = scope["nitro.allowed"]
            allowed = ", ".join(sorted(methods | {"HEAD"} if "GET" in methods else methods))
            response = refused(405, f"{scope['method']} is not among {allowed}", (("allow", allowed),))
            await send_response(response, scope, receive, send)
        else:
            route, parameters = scope["nitro.route"]
            await serve(self.core, route, parameters, _native, scope, receive, send)

    def url_path_for(self, name: str, /, **path_params: Any) -> Any:
        """The path of a route by its name, as "Order.restock"."""
        for route in self.core.routes:
            if route.name == name:
                path = route.path
                for key, value in path_params.items():
                    path = path.replace(f"{{{key}}}", quote(str(value), safe=""))
                return URLPath(path, protocol="http")
        raise NoMatchFound(name, path_params)


def install(
    app: Starlette,
    core: Core,
    *,
    first: bool = False,
    answer: Callable[[list[BaseRoute]], None] | None = None,
) -> None:
    """Adds the routes, and answers what the application's own handlers give and raise.

    Args:
        app: The application.
        core: What is added.
        first: Whether before the application's own routes, of which one would take everything.
        answer: Has the handlers of these routes answer what Nitro knows; None for routes of Starlette.
    """
    app.router.routes.insert(0 if first else len(app.router.routes), NitroRoutes(core))
    answer_routes = answer or answer_all
    answered = 0

    def begin() -> None:
        """Has routes answer that have been added meanwhile."""
        nonlocal answered
        if len(app.router.routes) != answered:
            answer_routes(app.router.routes)
            answered = len(app.router.routes)

    build = app.build_middleware_stack

    def build_with_nitro() -> Any:
        _answer_errors(app)
        return Ambient(build(), core, _native, begin)

    app.build_middleware_stack = build_with_nitro  # type: ignore[method-assign]
    # An application that runs already builds it anew.
    app.middleware_stack = None


def _native(scope: Any, receive: Any) -> StarletteRequest:
    return StarletteRequest(scope, receive)


# --- What the application's own handlers raise ----------------------------------------------------------------------


def _answer_errors(app: Starlette) -> None:
    handlers = cast("dict[Any, Any]", app.exception_handlers)
    for kind in TOLD:
        if not any(base in handlers and handlers[base] is not _answer_error for base in handled_as(kind)):
            handlers[kind] = _answer_error


async def _answer_error(_: Any, error: Exception) -> StarletteResponse:
    return native(told(error))


# --- What the application's own handlers give -----------------------------------------------------------------------


def native(response: Response) -> StarletteResponse:
    """A response as Starlette has it."""
    return Answer(response)


class Answer(StarletteResponse):
    """A response of Nitro, for where Starlette sends one of its own."""

    def __init__(self, response: Response) -> None:
        self._response = response
        body = response.body if isinstance(response.body, bytes) else b""
        super().__init__(body, response.status, None, response.media_type)
        self.raw_headers += [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Sends it."""
        if isinstance(self._response.body, bytes):
            await super().__call__(scope, receive, send)
        else:
            await send_response(self._response, scope, receive, send)


def answer_all(routes: Iterable[BaseRoute]) -> None:
    """Has the handlers of routes answer what Nitro knows, those of routers that are mounted among them.

    An application that is mounted is one of its own, with handlers that are its own.
    """
    for route in routes:
        if isinstance(route, Mount | Host):
            inside: Any = route._base_app if isinstance(route, Mount) else route.app
            if type(inside) is Router:
                answer_all(inside.routes)
        elif isinstance(route, StarletteRoute):
            _answer_route(route)


def _answer_route(route: StarletteRoute) -> None:
    endpoint: Any = route.endpoint
    # Inside of the middleware that the route may have is what Starlette made of a function, or a class.
    holder: Any = route
    while hasattr(holder, "app"):
        app: Any = holder.app
        if app is endpoint and inspect.isclass(endpoint) and issubclass(endpoint, HTTPEndpoint):
            holder.app = _answering_class(endpoint)
        elif inspect.isfunction(app) and (app.__module__, app.__qualname__) == _MADE and not hasattr(app, _IS_ANSWERED):
            holder.app = request_response(_answering(endpoint))
            setattr(holder.app, _IS_ANSWERED, True)
        holder = app


def _answering_class(endpoint: type[HTTPEndpoint]) -> type[HTTPEndpoint]:
    methods = {name: getattr(endpoint, name, None) for name in _METHODS}
    answering = {name: _answering(method) for name, method in methods.items() if inspect.isfunction(method)}
    kind: Any = type(endpoint)
    return kind(endpoint.__name__, (endpoint,), {"__module__": endpoint.__module__, **answering})


def _answering(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    """A function that gives a response where another gives what Nitro knows."""
    if inspect.iscoroutinefunction(endpoint):

        async def aanswering(*arguments: Any, **keywords: Any) -> Any:
            value, status = split(await endpoint(*arguments, **keywords))
            return native(await areply(value, status)) if _is_ours(value) else value

        return functools.update_wrapper(aanswering, endpoint)

    def answering(*arguments: Any, **keywords: Any) -> Any:
        value, status = split(endpoint(*arguments, **keywords))
        return native(reply(value, status)) if _is_ours(value) else value

    return functools.update_wrapper(answering, endpoint)


def _is_ours(value: Any) -> bool:
    return value is None or (is_exactly(value, list) and not value) or is_known(value)
