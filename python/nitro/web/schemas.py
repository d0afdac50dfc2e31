"""What clients read and write of a class, as JSON Schema and as models."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import copy
from functools import lru_cache
from typing import Any, cast, get_args, get_origin

from pydantic import (
    BaseModel,
    ConfigDict,
    PydanticInvalidForJsonSchema,
    PydanticSchemaGenerationError,
    TypeAdapter,
    create_model,
)
from pydantic.fields import FieldInfo

from ..entity import Entity
from ..queries import Page, Query
from .answers import fields_of

#: Where the schemas of classes stand, which others refer to.
REFERENCE = "#/components/schemas/"


def writable(cls: type[Entity], *, creating: bool) -> dict[str, FieldInfo]:
    """The fields of a class that clients may write.

    Not what is excluded from its JSON, nor what is `frozen` once it is there, nor a key that the class makes by itself:
    clients say a key only where the class cannot.

    Args:
        cls: The class.
        creating: Whether for a new entity, rather than for one that is there.
    """
    keys = frozenset(cls.__nitro_keys__)
    found: dict[str, FieldInfo] = {}
    for name, info in cls.__pydantic_fields__.items():
        if info.exclude or info.init is False or _is_read_only(info):
            continue
        if name in keys and not (creating and info.is_required()):
            continue
        if not creating and (info.frozen or cls.model_config.get("frozen")):
            continue
        found[name] = info
    return found


def _is_read_only(info: FieldInfo) -> bool:
    extra: Any = info.json_schema_extra
    return isinstance(extra, dict) and cast("dict[str, Any]", extra).get("readOnly") is True


@lru_cache(maxsize=4096)
def create_model_of(cls: Any) -> type[BaseModel]:
    """A model of what a client gives for a new entity. The entity itself validates it."""
    return _model(cls, "Create", writable(cls, creating=True))


@lru_cache(maxsize=4096)
def patch_model_of(cls: Any) -> type[BaseModel]:
    """A model of what a client may change: every field may be left out. The entity validates it once more."""
    fields: dict[str, FieldInfo] = {}
    for name, info in writable(cls, creating=False).items():
        fields[name] = copy(info)
        fields[name].default, fields[name].default_factory = None, None
    return _model(cls, "Patch", fields)


#: What a class says of how its fields are read, that holds for what clients write too.
_KEPT = frozenset(
    {
        "alias_generator",
        "arbitrary_types_allowed",
        "populate_by_name",
        "str_strip_whitespace",
        "validate_by_alias",
        "validate_by_name",
    }
)


def _model(cls: type[Entity], kind: str, fields: dict[str, FieldInfo]) -> type[BaseModel]:
    config: Any = {key: value for key, value in cls.model_config.items() if key in _KEPT}
    members: Any = {name: (info.annotation, info) for name, info in fields.items()}
    return create_model(
        f"{cls.__name__}{kind}", __config__=ConfigDict(extra="forbid", **config), __module__=cls.__module__, **members
    )


class Schemas:
    """The schemas of a document, each once, and each under a name of its own.

    Attributes:
        components: {name: schema}.
    """

    def __init__(self) -> None:
        self.components: dict[str, Any] = {}
        #: {a name, what the schema says and all that it refers to say: the name in the document}
        self._names: dict[tuple[str, str], str] = {}

    def of(self, annotation: Any, *, reading: bool) -> Any:
        """The schema of a type, as clients read it or write it; empty where it has none."""
        try:
            adapter: TypeAdapter[Any] = TypeAdapter(annotation)
            # What is read has the names of the fields, what is written their aliases.
            schema = adapter.json_schema(mode="serialization" if reading else "validation", by_alias=not reading)
        except (PydanticInvalidForJsonSchema, PydanticSchemaGenerationError):
            return {}
        if isinstance(annotation, type) and issubclass(annotation, BaseModel) and "$ref" not in schema:
            definitions = schema.pop("$defs", {})
            schema = {"$ref": f"{_OWN}{annotation.__name__}", "$defs": {**definitions, annotation.__name__: schema}}
        return self.absorbed(schema)

    def patched(self, cls: type[Entity]) -> Any:
        """What clients change of a class. Nothing is given where they give nothing, rather than a default."""
        model = patch_model_of(cast("Any", cls))
        schema = model.model_json_schema(mode="validation")
        for field in schema.get("properties", {}).values():
            field.pop("default", None)
        definitions = schema.pop("$defs", {})
        return self.absorbed({"$ref": f"{_OWN}{model.__name__}", "$defs": {**definitions, model.__name__: schema}})

    def absorbed(self, schema: dict[str, Any]) -> Any:
        """A schema whose definitions stand among the components from now on."""
        definitions: dict[str, Any] = schema.get("$defs", {})
        names: dict[str, str] = {}
        for name in definitions:
            said = (name, json.dumps(_reached(name, definitions), sort_keys=True))
            known = self._names.get(said)
            if known is None:
                known, number = name, 2
                while known in self.components:
                    known, number = f"{name}{number}", number + 1
                self._names[said] = known
                self.components[known] = {}
            names[name] = known
        for name, definition in definitions.items():
            self.components[names[name]] = _renamed(definition, names)
        return _renamed({key: value for key, value in schema.items() if key != "$defs"}, names)


#: How pydantic refers to its definitions.
_OWN = "#/$defs/"


def _reached(name: str, definitions: dict[str, Any]) -> dict[str, Any]:
    """A definition and all that it refers to."""
    found: dict[str, Any] = {}
    waiting = [name]
    while waiting:
        one = waiting.pop()
        if one not in found and one in definitions:
            found[one] = definitions[one]
            waiting += _references(definitions[one])
    return found


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        held = cast("dict[str, Any]", part)
        reference = held.get("$ref")
        if isinstance(reference, str):
            yield reference.removeprefix(_OWN)
        for value in held.values():
            yield from _references(value)
    elif isinstance(part, list):
        for value in cast("list[Any]", part):
            yield from _references(value)


def _renamed(part: Any, names: dict[str, str]) -> Any:
    if isinstance(part, dict):
        held = cast("dict[str, Any]", part)
        return {
            key: REFERENCE + names.get(value.removeprefix(_OWN), value.removeprefix(_OWN))
            if key == "$ref" and isinstance(value, str)
            else _renamed(value, names)
            for key, value in held.items()
        }
    return [_renamed(value, names) for value in cast("list[Any]", part)] if isinstance(part, list) else part


def result_schema(annotation: Any, entity: type[Entity] | None) -> Any:
    """What a method gives, as a type: the entity where it gives None; None where it gives nothing.

    Args:
        annotation: What the method says.
        entity: The class of the entity that it is called on; None where it is called on the class.
    """
    if annotation is None or annotation is type(None):
        return entity
    origin = get_origin(annotation) or annotation
    if isinstance(origin, type) and issubclass(origin, Query | Page):
        inside = get_args(annotation)
        return list[inside[0]] if inside else list[Any]  # type: ignore[valid-type]
    return annotation


def is_readable(cls: type[Entity], field: str) -> bool:
    """Whether clients may read a field, and so find and sort by it."""
    return field in fields_of(cls)
