"""The arguments of a method, from wherever a client has put them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import UnionType
from typing import Annotated, Any, Union, cast, get_args, get_origin

from ..commands import Command
from ..entity import Entity, EntityMeta
from .messages import Request, grouped
from .problems import Problem


def given(request: Request, names: frozenset[str] | None) -> tuple[dict[str, Any], str]:
    """What a request gives by name, and where: in the query, in a body of JSON or of a form, as signals of Datastar.

    Args:
        request: The request.
        names: The names that are known. Of signals, of which a page sends all, the others are passed over.

    Raises:
        Problem: If the body is no object.
    """
    query = grouped(request.pairs)
    if request.is_datastar and request.method in ("GET", "DELETE"):
        text = query.pop("datastar", "{}")
        try:
            signals: Any = json.loads(text if isinstance(text, str) else text[-1])
        except ValueError as error:
            raise Problem(400, f"the signals are no JSON: {error}") from None
        return _known(signals, names) | query, "query"
    if request.method in ("GET", "HEAD", "DELETE") and not request.body:
        return query, "query"
    data = request.data
    if data is None:
        return query, "query"
    if not isinstance(data, dict):
        raise Problem(422, f"the arguments are an object of JSON, and this is {type(data).__name__}")
    held = cast("dict[str, Any]", data)
    if request.is_datastar:
        held = _known(held, names)
    return {**query, **held}, "body"


def _known(signals: Any, names: frozenset[str] | None) -> dict[str, Any]:
    if not isinstance(signals, dict):
        raise Problem(422, f"signals are an object of JSON, and this is {type(signals).__name__}")
    held = cast("dict[str, Any]", signals)
    return held if names is None else {name: value for name, value in held.items() if name in names}


def wraps_list(annotation: Any) -> bool:
    """Whether a parameter takes a list, so that one value in a query is a list of one."""
    if get_origin(annotation) is Annotated:
        return wraps_list(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return any(map(wraps_list, get_args(annotation)))
    return (get_origin(annotation) or annotation) in (list, set, tuple, frozenset)


def entity_class(annotation: Any) -> type[Entity] | None:
    """The class of entities that a parameter takes one of, or None of; None where it takes something else."""
    if isinstance(annotation, EntityMeta):
        return cast("type[Entity]", annotation)
    if get_origin(annotation) is Annotated:
        return entity_class(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        found = [one for one in map(entity_class, get_args(annotation)) if one is not None]
        return found[0] if len(found) == 1 else None
    return None


class Arguments:
    """What a command takes, from outside: texts for lists, and keys for entities."""

    def __init__(self, command: Command) -> None:
        self.parameters = command.parameters
        has_any = any(one.kind == "keywords" for one in self.parameters.values())
        self.names = None if has_any else frozenset(self.parameters)
        self._lists = [name for name, one in self.parameters.items() if wraps_list(one.annotation)]
        self._entities: dict[str, tuple[type[Entity], bool]] = {}
        for name, one in self.parameters.items():
            cls, inside = entity_class(one.annotation), False
            if cls is None and wraps_list(one.annotation):
                members = [entity_class(member) for member in get_args(one.annotation)]
                cls, inside = next((member for member in members if member is not None), None), True
            if cls is not None:
                self._entities[name] = cls, inside

    def read(self, request: Request) -> tuple[dict[str, Any], str]:
        """{name: value} as the client gives them, and where."""
        values, place = given(request, self.names)
        for name in self._lists:
            value = values.get(name)
            if value is not None and not isinstance(value, list):
                values[name] = [value]
        return values, place

    def load(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The same with entities in place of their keys.

        Raises:
            Problem: If something else than a key stands for one.
            EntityNotFound: If there is none.
        """
        loaded = dict(values)
        for name, (cls, is_list) in self._entities.items():
            value = values.get(name)
            if value is None:
                continue
            if is_list:
                loaded[name] = [cls.get(_key(name, cls, key)) for key in cast("list[Any]", value)]
            else:
                loaded[name] = cls.get(_key(name, cls, value))
        return loaded

    async def aload(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """`load`, for async code."""
        loaded = dict(values)
        for name, (cls, is_list) in self._entities.items():
            value = values.get(name)
            if value is None:
                continue
            if is_list:
                loaded[name] = [await cls.aget(_key(name, cls, key)) for key in cast("list[Any]", value)]
            else:
                loaded[name] = await cls.aget(_key(name, cls, value))
        return loaded


def _key(name: str, cls: type[Entity], value: Any) -> Any:
    if isinstance(value, dict | list):
        raise Problem(422, [{"type": "key", "loc": ["body", name], "msg": f"Input should be a key of {cls.__name__}"}])
    return value
