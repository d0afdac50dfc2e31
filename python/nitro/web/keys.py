"""The keys of entities in paths."""

from __future__ import annotations

from typing import Any

from ..entity import Entity
from .messages import Request


def key_path(cls: type[Entity], prefix: str) -> str:
    """The path of one entity, as "/orders/{id}"."""
    return "/".join((prefix, *(f"{{{name}}}" for name in cls.__nitro_keys__)))


def key_schemas(cls: type[Entity]) -> dict[str, Any]:
    """{name: schema} of what stands for the key of a class in a path."""
    properties = cls.model_json_schema(mode="serialization", by_alias=False).get("properties", {})
    plain = ("type", "format", "minLength", "maxLength", "minimum", "maximum", "pattern")
    return {
        name: {"type": "string", **{key: value for key, value in properties.get(name, {}).items() if key in plain}}
        for name in cls.__nitro_keys__
    }


def key_of(cls: type[Entity], request: Request) -> Any:
    """The key that a path names; a tuple where several fields are the key."""
    names = cls.__nitro_keys__
    if len(names) == 1:
        return request.parameters[names[0]]
    return tuple(request.parameters[name] for name in names)
