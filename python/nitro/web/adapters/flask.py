"""Flask."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, cast
from urllib.parse import quote, unquote, urlencode, urlsplit

from flask import Flask, abort
from flask import Request as FlaskRequest
from flask import Response as FlaskResponse
from flask import request as flask_request
from flask.json.provider import DefaultJSONProvider
from pydantic import BaseModel
from werkzeug.exceptions import RequestEntityTooLarge

from ...queries import Query
from ..core import Core, refused, told
from ..handlers import handled_as, is_exactly, is_known, is_status, reply
from ..messages import Request, Response, Untranslated, current
from ..problems import TOLD
from ..routes import PLAIN, Route, segments_of

#: Where the parameters of a route stand that cannot be told from what the server makes of its path; None where it is
#: the path of none.
_PARAMETERS = "nitro.parameters"
#: Where the path stands as it was asked for, where Flask is given another.
_PATH = "nitro.path"


def install(app: Flask, core: Core) -> None:
    """Adds the routes, so that `flask routes` shows them, and answers what views of the application give and raise."""
    for route in core.routes:
        rule = route.path.replace("{", "<").replace("}", ">")
        # Flask has no dots in the names of endpoints.
        endpoint = "nitro_" + route.name.replace(".", "_")
        app.add_url_rule(rule, endpoint, _view(core, route), methods=[route.method], strict_slashes=False)
    app.wsgi_app = _Ambient(app.wsgi_app, core)  # type: ignore[method-assign]  (as Flask documents it)
    answer = _answering_errors(app)
    for kind in TOLD:
        if kind not in app.error_handler_spec[None][None]:
            app.register_error_handler(kind, answer)
    app.make_response = _answering(app.make_response)  # type: ignore[method-assign]
    if isinstance(app.json, DefaultJSONProvider):
        app.json.default = _default(app.json.default)


class _Ambient:
    """An application in which `current_request()` knows what is asked, and keys may have slashes in them."""

    def __init__(self, app: Callable[..., Iterable[bytes]], core: Core) -> None:
        self._app, self._core = app, core

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if "%2f" in _raw_path(environ).lower():
            self._keep_slashes(environ)
        token = current.set(Untranslated(self._translated))
        try:
            return self._app(environ, start_response)
        finally:
            current.reset(token)

    def _keep_slashes(self, environ: dict[str, Any]) -> None:
        """Has Flask find the route of a path with slashes in a key, which the server has decoded."""
        segments = _segments_below(environ)
        if segments is None:
            return
        found = self._core.routes.find(environ["REQUEST_METHOD"], segments)
        environ[_PARAMETERS] = dict(found[1]) if isinstance(found, tuple) else None
        if found is not None:
            environ[_PATH] = _asked_path(environ)
            path = "/" + "/".join(segment.replace("/", "%2F") for segment in segments)
            environ["PATH_INFO"] = path.encode().decode("latin-1")

    def _translated(self) -> Request:
        native = _current()
        return _translated(native, lambda: _body(native), native.view_args, self._core)


def _view(core: Core, route: Route) -> Callable[..., FlaskResponse]:
    def view(**parameters: str) -> FlaskResponse:
        native, most = _current(), core.limits.body
        known = native.environ.get(_PARAMETERS, parameters)
        if known is None:
            abort(404)
        own = native.max_content_length
        native.max_content_length = most if own is None else min(own, most)
        try:
            body = _body(native)
        except RequestEntityTooLarge:
            return _native(refused(413, f"a body has at most {native.max_content_length} bytes here"))
        return _native(core.handle(route, _translated(native, body, known, core)))

    view.__name__ = route.name.replace(".", "_")
    return view


# --- Requests -------------------------------------------------------------------------------------------------------


def _current() -> FlaskRequest:
    return flask_request._get_current_object()  # type: ignore[attr-defined]


def _translated(
    native: FlaskRequest, body: bytes | Callable[[], bytes], parameters: dict[str, Any] | None, core: Core
) -> Request:
    return Request(
        native.method,
        native.environ.get(_PATH) or _asked_path(native.environ),
        native.query_string.decode("latin-1"),
        {name.lower(): value for name, value in native.headers.items()},
        body,
        native,
        parameters,
        users=core.access,
    )


def _body(native: FlaskRequest) -> bytes:
    body = native.get_data()
    if not body and native.form:
        # The application has read the form before.
        return urlencode(list(native.form.items(multi=True))).encode()
    return body


def _asked_path(environ: dict[str, Any]) -> str:
    """The path as it was asked for, encoded, with what the application is mounted at."""
    raw, root, path = _raw_path(environ), environ.get("SCRIPT_NAME", ""), environ.get("PATH_INFO", "")
    if unquote(raw) == _decoded(root + path):
        return raw
    return _encoded(root) + (raw if unquote(raw) == _decoded(path) else _encoded(path))


def _segments_below(environ: dict[str, Any]) -> list[str] | None:
    """The segments of the path below where the application is mounted; None where something has changed the path."""
    root: str = environ.get("SCRIPT_NAME", "").strip("/")
    segments, path = segments_of(_raw_path(environ)), _decoded(environ.get("PATH_INFO", "")).strip("/")
    # A proxy may have taken off where that is.
    for above in (0, root.count("/") + 1 if root else 0):
        if "/".join(segments[above:]).strip("/") == path:
            return segments[above:]
    return None


def _raw_path(environ: dict[str, Any]) -> str:
    """The path as the client has sent it; empty where the server does not say."""
    raw: str = environ.get("REQUEST_URI") or environ.get("RAW_URI") or ""
    return raw.partition("?")[0] if raw.startswith("/") else urlsplit(raw).path


def _decoded(text: str) -> str:
    """A text of WSGI, which has a character for each byte."""
    return text.encode("latin-1").decode("utf-8", "replace")


def _encoded(text: str) -> str:
    return quote(text.encode("latin-1"), safe=PLAIN)


# --- Responses ------------------------------------------------------------------------------------------------------


def _native(response: Response) -> FlaskResponse:
    body = response.body
    if not isinstance(body, bytes):
        raise TypeError("a stream of async code cannot be sent by Flask: give the whole body")
    made = FlaskResponse(body, response.status, content_type=response.media_type)
    if response.media_type is None:
        del made.headers["content-type"]
    for name, value in response.headers:
        made.headers.add(name, value)
    return made


def _answering_errors(app: Flask) -> Callable[[Exception], Any]:
    """What answers the errors that views raise, unless the application does for a class that they are of."""

    def answer(error: Exception) -> Any:
        handlers = app.error_handler_spec[None][None]
        for kind in handled_as(type(error)):
            own = cast("dict[Any, Any]", handlers).get(kind, answer)
            if own is not answer:
                return app.ensure_sync(own)(error)
        return _native(told(error))

    return answer


def _answering(make_response: Callable[[Any], FlaskResponse]) -> Callable[[Any], FlaskResponse]:
    """What makes a response of what a view gives, of which Flask makes the rest."""

    def answering(rv: Any) -> FlaskResponse:
        if rv is None or is_known(rv):
            return make_response(_native(reply(rv)))
        is_several = is_exactly(rv, tuple) and len(rv) in (2, 3)
        if is_several and (is_known(rv[0]) or (rv[0] is None and is_status(rv[1]))):
            return make_response((_native(reply(rv[0])), *rv[1:]))
        return make_response(rv)

    return answering


def _default(own: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """What makes something that JSON has of what it does not have, as `jsonify(order)`."""

    def default(value: Any) -> Any:
        try:
            return own(value)
        except TypeError:
            if isinstance(value, BaseModel):
                return value.model_dump(mode="json")
            if isinstance(value, Query):
                return cast("Query[Any]", value).all()
            raise

    return default
