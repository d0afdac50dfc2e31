"""The routes of Nitro in an OpenAPI document."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, cast

from .messages import JSON
from .routes import Body, Route
from .schemas import REFERENCE, Schemas

_PROBLEM = "Problem"

_WORDS = {
    200: "What was asked for",
    201: "It is created",
    204: "It is done",
    304: "It is what the client has already",
    400: "The query of the URL cannot be answered",
    401: "Nobody is known",
    403: "It is not allowed",
    404: "There is none",
    409: "Somebody else was quicker, or has this value, or it is refused",
    412: "It has changed since the client has read it",
    422: "What is given is not valid",
}


def document(routes: Iterable[Route]) -> dict[str, Any]:
    """The `paths` and `components` of an OpenAPI 3.1 document."""
    schemas = Schemas()
    paths: dict[str, Any] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    schemas.components.setdefault(_PROBLEM, _problem_schema())
    return {"paths": paths, "components": {"schemas": schemas.components}}


def _operation(route: Route, schemas: Schemas) -> dict[str, Any]:
    said = route.operation.described()
    made: dict[str, Any] = {
        "tags": [route.tag],
        "summary": said.summary,
        "operationId": re.sub(r"\W", "_", route.name),
    }
    if said.description:
        made["description"] = said.description
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": schema} for name, schema in said.path.items()
    ]
    for name, schema in said.query.items():
        known = schemas.absorbed({key: value for key, value in schema.items() if key != "description"})
        parameter = {"name": name, "in": "query", "required": name in said.required, "schema": known}
        if "description" in schema:
            parameter["description"] = schema["description"]
        parameters.append(parameter)
    if parameters:
        made["parameters"] = parameters
    if said.body is not None:
        made["requestBody"] = {
            "required": True,
            "content": {JSON: {"schema": _schema(said.body, schemas, reading=False)}},
        }
    responses: dict[str, Any] = {}
    for status, kind in {**said.responses, **({422: None} if said.body is not None else {})}.items():
        response: dict[str, Any] = {"description": _WORDS.get(status, "An answer")}
        if kind is not None:
            response["content"] = {JSON: {"schema": _schema(kind, schemas, reading=True)}}
        elif status >= 400:
            response["content"] = {JSON: {"schema": {"$ref": REFERENCE + _PROBLEM}}}
        responses[str(status)] = response
    made["responses"] = responses
    return made


def _schema(kind: Any, schemas: Schemas, *, reading: bool) -> Any:
    if isinstance(kind, dict):
        return schemas.absorbed(cast("dict[str, Any]", kind))
    if isinstance(kind, Body):
        return kind.said_in(schemas)
    return schemas.of(kind, reading=reading)


def _problem_schema() -> dict[str, Any]:
    line = {
        "type": "object",
        "properties": {
            "type": {"type": "string"},
            "loc": {"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]}},
            "msg": {"type": "string"},
        },
    }
    detail = {"anyOf": [{"type": "string"}, {"type": "array", "items": line}]}
    return {"type": "object", "title": _PROBLEM, "properties": {"detail": detail}, "required": ["detail"]}
