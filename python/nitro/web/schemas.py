"""What clients read and write of a class, as JSON Schema and as models."""

from __future__ import annotations

from copy import copy
from functools import lru_cache
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ConfigDict, PydanticInvalidForJsonSchema, TypeAdapter, create_model
from pydantic.fields import FieldInfo

from ..entity import Entity
from ..queries import Page, Query
from .answers import fields_of

#: Where the schemas of classes stand, which others refer to.
REFERENCE = "#/components/schemas/{model}"


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
    extra = info.json_schema_extra
    return isinstance(extra, dict) and extra.get("readOnly") is True


@lru_cache(maxsize=4096)
def patch_model(cls: type[Entity]) -> type[BaseModel]:
    """A model of what a client may change: every field may be left out. The entity validates once more."""
    fields: dict[str, Any] = {}
    for name, info in writable(cls, creating=False).items():
        optional = copy(info)
        optional.default, optional.default_factory = None, None
        fields[name] = (info.annotation, optional)
    config: Any = {key: value for key, value in cls.model_config.items() if key in _KEPT}
    return create_model(f"{cls.__name__}Patch", __config__=ConfigDict(extra="forbid", **config), **fields)


#: What a class says of how its fields are read, that holds for what clients change too.
_KEPT = (
    "arbitrary_types_allowed",
    "alias_generator",
    "populate_by_name",
    "validate_by_name",
    "validate_by_alias",
    "str_strip_whitespace",
)


class Schemas:
    """The schemas of a document, each once.

    Attributes:
        components: {name: schema}.
    """

    def __init__(self) -> None:
        self.components: dict[str, Any] = {}
        self._owners: dict[str, Any] = {}

    def reference(self, annotation: Any, *, reading: bool = True) -> Any:
        """The schema of a type, with those of the models in it among the components."""
        try:
            adapter: TypeAdapter[Any] = TypeAdapter(annotation)
            schema = adapter.json_schema(ref_template=REFERENCE, mode="serialization" if reading else "validation")
        except PydanticInvalidForJsonSchema:
            return {}
        self.add(schema.pop("$defs", {}))
        if isinstance(annotation, type) and issubclass(annotation, BaseModel) and "$ref" not in schema:
            self.components.setdefault(annotation.__name__, schema)
            return {"$ref": REFERENCE.format(model=annotation.__name__)}
        return schema

    def add(self, definitions: dict[str, Any]) -> None:
        """Adds schemas by their names."""
        for name, schema in definitions.items():
            self.components.setdefault(name, schema)

    def entity(self, cls: type[Entity]) -> Any:
        """What clients read of a class."""
        return self.reference(cls)

    def created(self, cls: type[Entity]) -> Any:
        """What clients give for a new entity."""
        return self._written(cls, f"{cls.__name__}Create", creating=True)

    def patched(self, cls: type[Entity]) -> Any:
        """What clients change."""
        return self._written(cls, f"{cls.__name__}Patch", creating=False)

    def _written(self, cls: type[Entity], name: str, *, creating: bool) -> Any:
        if name not in self.components:
            whole = cls.model_json_schema(mode="validation", ref_template=REFERENCE)
            self.add(whole.pop("$defs", {}))
            if "properties" not in whole:
                whole = self.components.get(cls.__name__, {"properties": {}})
            names = {
                info.validation_alias if isinstance(info.validation_alias, str) else field: info
                for field, info in writable(cls, creating=creating).items()
            }
            kept = {field: schema for field, schema in whole["properties"].items() if field in names}
            schema: dict[str, Any] = {
                "type": "object",
                "title": name,
                "properties": kept,
                "additionalProperties": False,
            }
            if creating:
                required = [field for field in whole.get("required", ()) if field in kept]
                if required:
                    schema["required"] = required
            else:
                schema["minProperties"] = 0
            self.components[name] = schema
        return {"$ref": REFERENCE.format(model=name)}


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
