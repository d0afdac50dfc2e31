"""FastAPI: the routes of Nitro are in its OpenAPI document."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from types import UnionType
from typing import Any, Union, cast, get_args, get_origin

from fastapi import FastAPI
from fastapi.datastructures import DefaultPlaceholder
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from fastapi.utils import is_body_allowed_for_status_code
from starlette.responses import JSONResponse
from starlette.responses import Response as StarletteResponse
from starlette.routing import BaseRoute

from ... import _core
from ...codec import _adapter, _list_adapter
from ...queries import Page, Query
from ..answers import page_headers
from ..core import Core
from ..handlers import is_exactly, split
from ..messages import JSON, Response, current_request
from ..openapi import document
from . import starlette

#: The parameter by which a handler is given the response that FastAPI makes, where it has none of its own for it.
_RESPONSE = "nitro_response"

#: What a handler gives besides what is written.
_SPECIAL = (tuple, Page, Query, Response)

#: What is on a handler that answers what Nitro knows.
_IS_ANSWERED = "__nitro_answers__"


def install(app: FastAPI, core: Core) -> None:
    """Adds the routes, also to the documentation."""
    starlette.install(app, core, answer=_answer_all)
    own = app.openapi
    merged: dict[str, Any] | None = None

    def openapi() -> dict[str, Any]:
        nonlocal merged
        known = own()
        # FastAPI makes it anew where routes were added meanwhile.
        if known is not merged:
            merged = known
            _add(document(core.routes), known)
        return known

    app.openapi = openapi  # type: ignore[method-assign]  (as FastAPI documents it)


def _add(ours: dict[str, Any], known: dict[str, Any]) -> None:
    """Adds what Nitro has to a document. The application's own routes come first."""
    if not ours["paths"]:
        return
    for path, operations in ours["paths"].items():
        there = known.setdefault("paths", {}).setdefault(path, {})
        for method, said in operations.items():
            there.setdefault(method, said)
    schemas = known.setdefault("components", {}).setdefault("schemas", {})
    for name, schema in ours["components"]["schemas"].items():
        schemas.setdefault(name, schema)


# --- What the application's own handlers give -----------------------------------------------------------------------


def _answer_all(routes: Iterable[BaseRoute]) -> None:
    known = list(routes)
    starlette.answer_all(route for route in known if not isinstance(route, APIRoute))
    for context in iter_route_contexts(known):
        if isinstance(context.original_route, APIRoute):
            _answer_route(context)


def _answer_route(route: RouteContext) -> None:
    """Has the handler of a route answer what Nitro knows."""
    dependant: Any = route.dependant
    call: Callable[..., Any] = dependant.call
    function = inspect.unwrap(functools.partial(call).func)
    is_generator = inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)
    if hasattr(call, _IS_ANSWERED) or is_generator or not inspect.isroutine(function):
        return
    gives = _Gives(route)
    # FastAPI makes it for each request, and what dependencies have set is in it: a status, headers, cookies.
    is_asked: bool = dependant.response_param_name is not None
    name: str = dependant.response_param_name or _RESPONSE

    async def aanswering(**values: Any) -> Any:
        response = values[name] if is_asked else values.pop(name)
        value = await call(**values)
        made = gives.written(value, response)
        if made is None and isinstance(value, _SPECIAL):
            value = gives.parts(value, response)
            if isinstance(value, Query):
                value = await cast("Query[Any]", value).aall()
            made = gives.written(value, response)
        return value if made is None else made

    def answering(**values: Any) -> Any:
        response = values[name] if is_asked else values.pop(name)
        value = call(**values)
        made = gives.written(value, response)
        if made is None and isinstance(value, _SPECIAL):
            value = gives.parts(value, response)
            if isinstance(value, Query):
                value = cast("Query[Any]", value).all()
            made = gives.written(value, response)
        return value if made is None else made

    dependant.response_param_name = name
    chosen = aanswering if inspect.iscoroutinefunction(function) else answering
    dependant.call = functools.update_wrapper(chosen, call)
    setattr(dependant.call, _IS_ANSWERED, True)


class _Gives:
    """What a route gives, by the annotation of its handler or its `response_model`, and how it becomes a response.

    An instance of exactly the class that is asked for is valid, and has no fields but its own: it is written at once.
    Everything else is for FastAPI to validate, to filter and to write.
    """

    __slots__ = ("_is_any", "_is_page", "_is_quick", "_is_tuple", "_many", "_one", "_status")

    def __init__(self, route: RouteContext) -> None:
        self._status: int | None = route.status_code
        self._is_any = route.response_field is None
        kinds = () if self._is_any else _members(route.response_model)
        self._is_tuple = any(_origin(kind) is tuple for kind in kinds)
        self._is_page = any(_origin(kind) is Page for kind in kinds)
        self._one, self._many = _exact(kinds)
        self._is_quick = _has_no_options(route) and (self._is_any or bool(self._one or self._many))

    def parts(self, value: Any, response: StarletteResponse) -> Any:
        """What is written of what a handler gave; a status, and where the next page is, are set on the response."""
        if not self._is_tuple:
            value, status = split(value)
            if status is not None:
                response.status_code = status
        if isinstance(value, Response):
            return starlette.native(value)
        if isinstance(value, Page) and not self._is_page:
            return self._listed(cast("Page[Any]", value), response)
        return cast("Any", value)

    def _listed(self, page: Page[Any], response: StarletteResponse) -> list[Any]:
        request = current_request()
        assert request is not None, "a handler of a route answers one"
        for name, text in page_headers(page, request):
            response.headers[name] = text
        return page.items

    def written(self, value: Any, response: StarletteResponse) -> StarletteResponse | None:
        """The response of what is exactly as it is asked for; None for anything else.

        Args:
            value: What a handler gave.
            response: What FastAPI has made for the request.
        """
        if not self._is_quick:
            return None
        kinds: set[Any]
        if is_exactly(value, list):
            kinds = set(map(type, value))
            is_exact = kinds <= self._many if self._many else self._is_any and bool(kinds)
        else:
            kinds = {type(value)}
            is_exact = kinds <= self._one or self._is_any
        if not is_exact or (self._is_any and not all(isinstance(kind, _core.MetaCore) for kind in kinds)):
            return None
        status = response.status_code or self._status
        body = _json(value, kinds) if is_body_allowed_for_status_code(status) else None
        return None if body is None else _Written(body, status or 200, response.raw_headers)


class _Written(StarletteResponse):
    """JSON that is there already."""

    media_type = JSON

    def __init__(self, body: bytes, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.body, self.status_code, self.background = body, status, None
        self.raw_headers = [(b"content-length", b"%d" % len(body)), (b"content-type", b"application/json"), *headers]


def _has_no_options(route: RouteContext) -> bool:
    """Whether a route leaves it to FastAPI how its answer is written."""
    kind = route.response_class
    options = (
        route.response_model_include,
        route.response_model_exclude,
        not route.response_model_by_alias,
        route.response_model_exclude_unset,
        route.response_model_exclude_defaults,
        route.response_model_exclude_none,
    )
    return (kind.value if isinstance(kind, DefaultPlaceholder) else kind) is JSONResponse and not any(options)


def _members(annotation: Any) -> tuple[Any, ...]:
    """The types that something may be of."""
    return get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)


def _origin(annotation: Any) -> Any:
    return get_origin(annotation) or annotation


def _exact(kinds: Iterable[Any]) -> tuple[set[type], set[type]]:
    """The classes of what is given one by one, and in lists."""
    one: set[type] = set()
    many: set[type] = set()
    for kind in kinds:
        if _origin(kind) in (list, Sequence) and get_args(kind):
            inside = _members(get_args(kind)[0])
            if all(isinstance(member, _core.MetaCore) for member in inside):
                many.update(inside)
        elif isinstance(kind, _core.MetaCore):
            one.add(kind)
    return one, many


# --- JSON, with the names that FastAPI gives ------------------------------------------------------------------------

#: What is on a class: whether its JSON is the same with aliases; None where its instances may be invalid.
_WAY = "__nitro_fastapi_way__"


def _json(value: Any, kinds: set[Any]) -> bytes | None:
    """JSON of a model or of a list of models, by alias as FastAPI writes it; None where an instance may be invalid."""
    ways = set(map(_way, kinds))
    if None in ways:
        return None
    if False not in ways:
        fast = _core.encode_fast(value)
        if fast is not None:
            return fast
    if not is_exactly(value, list):
        return value.__pydantic_serializer__.to_json(value, by_alias=True)
    adapter = _list_adapter(*kinds) if len(kinds) == 1 else _adapter(Any)
    return adapter.dump_json(value, by_alias=True)


def _way(kind: Any) -> bool | None:
    held = kind.__dict__
    if _WAY not in held:
        # Who wants instances validated again does not trust them.
        trusts = kind.model_config.get("revalidate_instances", "never") == "never"
        schema = kind.__pydantic_core_schema__
        # It lives with the class, so that no class lives on for the sake of it.
        type.__setattr__(kind, _WAY, isinstance(schema, dict) and not _has_alias(schema) if trusts else None)
    return held[_WAY]


def _has_alias(schema: Any) -> bool:
    """Whether anything in a schema has another name in JSON."""
    if isinstance(schema, dict):
        held = cast("dict[str, Any]", schema)
        if "serialization_alias" in held or (held.get("type") == "computed-field" and "alias" in held):
            return True
        return any(map(_has_alias, held.values()))
    return isinstance(schema, list | tuple) and any(map(_has_alias, cast("list[Any]", schema)))
