"""Flask."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from flask import Flask
from flask import Response as FlaskResponse
from flask import request as flask_request

from ..core import Core, answered
from ..messages import Request, Response
from ..problems import STATUSES, Problem
from ..routes import Route


def install(app: Flask, core: Core) -> None:
    """Adds the routes, so that `flask routes` shows them, and answers the errors of Nitro that views raise."""
    for route in core.routes:
        rule = route.path.replace("{", "<").replace("}", ">")
        # Flask has no dots in the names of endpoints.
        app.add_url_rule(rule, "nitro_" + route.name.replace(".", "_"), _view(core, route), methods=[route.method])
    for kind, _ in STATUSES:
        if kind not in app.error_handler_spec.get(None, {}).get(None, {}):
            app.register_error_handler(kind, _answer_error)


def _view(core: Core, route: Route) -> Callable[..., FlaskResponse]:
    def view(**parameters: str) -> FlaskResponse:
        native: Any = cast("Any", flask_request)._get_current_object()
        length = native.content_length or 0
        if length > core.limits.body:
            return _native(answered(Problem(413, f"a body has at most {core.limits.body} bytes here")))
        request = Request(
            native.method,
            native.script_root + native.path,
            native.query_string.decode("latin-1"),
            _lower(native.headers),
            native.get_data(),
            native,
            parameters,
        )
        return _native(core.handle(route, request))

    view.__name__ = route.name.replace(".", "_")
    view.__doc__ = route.operation.described().summary
    return view


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _answer_error(error: Exception) -> FlaskResponse:
    return _native(answered(error))


def _native(response: Response) -> FlaskResponse:
    body: Any = response.body
    made = FlaskResponse(body, response.status, content_type=response.media_type)
    for name, value in response.headers:
        made.headers.add(name, value)
    return made
