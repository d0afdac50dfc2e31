"""What an idempotent command was given, and what it gave, as JSON: entities by their keys."""

from __future__ import annotations

import collections.abc
import dataclasses
import json
import uuid
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from types import UnionType
from typing import Annotated, Any, Self, Union, cast, get_args, get_origin

from pydantic import BaseModel, PlainSerializer, PlainValidator, ValidationError
from pydantic_core import (
    InitErrorDetails,
    PydanticCustomError,
    PydanticSerializationError,
    PydanticSerializationUnexpectedValue,
    to_jsonable_python,
)

from .. import changes
from ..entity import Entity, EntityMeta, identity

#: The argument that callers of idempotent commands give.
KEY = "idempotency_key"

#: How many characters a key may have: four bytes each fit into an index of PostgreSQL, with the name of the command.
_LONGEST_KEY = 255


def key_text(title: str, key: Any) -> str:
    """An idempotency key as it is kept: texts are, and UUIDs as text.

    Raises:
        pydantic.ValidationError: If it cannot be one.
    """
    if isinstance(key, uuid.UUID):
        return str(key)
    if not isinstance(key, str):
        what: Any = {"type": "string_type"}
    elif not key:
        what = {"type": "string_too_short", "ctx": {"min_length": 1}}
    elif len(key) > _LONGEST_KEY:
        what = {"type": "string_too_long", "ctx": {"max_length": _LONGEST_KEY}}
    elif not key.isprintable():
        # Control characters, and half of a pair, which a database may not take.
        what = {"type": PydanticCustomError("idempotency_key", "A key has characters that can be printed alone")}
    else:
        return str.__str__(key)
    raise ValidationError.from_exception_data(title, [InitErrorDetails(loc=(KEY,), input=key, **what)])


# --- What it was given ----------------------------------------------------------------------------------------------


def canonical(value: Any) -> Any:
    """A value as what JSON has: the same for equal values, however their sets and dictionaries are ordered.

    What a model has by default is left out where it is made anew for each one.

    Raises:
        PydanticSerializationError: If it has no JSON.
    """
    kind = cast("type[Any]", type(value))
    if value is None or kind in (str, int, bool, float):
        return value
    if isinstance(kind, EntityMeta):
        return {"entity": kind.__qualname__, "key": canonical(identity(value))}
    if isinstance(value, Mapping):
        items = cast("Mapping[Any, Any]", value).items()
        return {"dict": sorted(([canonical(key), canonical(inside)] for key, inside in items), key=json.dumps)}
    if isinstance(value, collections.abc.Set):
        return {"set": sorted(map(canonical, cast("Iterable[Any]", value)), key=json.dumps)}
    if isinstance(value, list | tuple | deque):
        return [canonical(inside) for inside in cast("Iterable[Any]", value)]
    if isinstance(value, Iterator):
        raise PydanticSerializationError("it is an iterator, which can be read only once")
    if isinstance(value, BaseModel):
        try:
            return {kind.__qualname__: {name: canonical(inside) for name, inside in _fields(value)}}
        except PydanticSerializationError:
            # A field may have a serializer of its own.
            return to_jsonable_python(value)
    if dataclasses.is_dataclass(kind):
        held = {field.name: canonical(getattr(value, field.name)) for field in dataclasses.fields(kind)}
        return {kind.__qualname__: held}
    return to_jsonable_python(value, bytes_mode="base64")


def _fields(model: BaseModel) -> Iterator[tuple[str, Any]]:
    for name, field in type(model).__pydantic_fields__.items():
        if name in model.__dict__ and (field.default_factory is None or name in model.__pydantic_fields_set__):
            yield name, model.__dict__[name]
    yield from (model.__pydantic_extra__ or {}).items()


# --- What it gave ---------------------------------------------------------------------------------------------------

#: The name that tells a recorded entity from whatever else there is.
_ENTITY = "$entity"

#: What may have entities in it.
_CONTAINERS: tuple[Any, ...] = (
    list,
    tuple,
    set,
    frozenset,
    dict,
    collections.abc.Sequence,
    collections.abc.Collection,
    collections.abc.Mapping,
)


#: What comes back with entities in it; others come back as they are.
_REBUILT: tuple[Any, ...] = (list, tuple, set, frozenset)


@dataclass(frozen=True, slots=True)
class _Kept:
    """An entity of which the key is recorded."""

    entity_class: type[Entity]
    key: Any


def by_key(annotation: Any, cls: Any, aliases: tuple[Any, ...] = ()) -> Any:
    """An annotation in which an entity is recorded as its class and its key.

    Args:
        annotation: What it says.
        cls: What `Self` stands for.
        aliases: Those that are being looked into: they may name themselves.
    """
    annotation = cls if annotation is Self else annotation
    if isinstance(annotation, type) and issubclass(annotation, Entity):
        return Annotated[Any, PlainSerializer(partial(_mark, annotation)), PlainValidator(partial(_kept, annotation))]
    alias = cast("Any", annotation)
    if hasattr(alias, "__value__"):
        is_known = any(alias is known for known in aliases)
        return alias if is_known else by_key(alias.__value__, cls, (*aliases, alias))
    origin, inside = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return Annotated.__class_getitem__((by_key(inside[0], cls, aliases), *inside[1:]))  # type: ignore[attr-defined]
    if origin in (Union, UnionType):
        return Union.__getitem__(tuple(by_key(one, cls, aliases) for one in inside))  # type: ignore[attr-defined]
    if origin in _CONTAINERS:
        return cast("Any", origin)[tuple(by_key(one, cls, aliases) for one in inside)]
    return cast("Any", annotation)


def _class_name(entity_class: type) -> str:
    return f"{entity_class.__module__}.{entity_class.__qualname__}"


def _mark(entity_class: type[Entity], value: Any) -> Any:
    if not isinstance(value, entity_class):
        raise PydanticSerializationUnexpectedValue(f"it is no {entity_class.__name__}")
    return {_ENTITY: _class_name(type(value)), "key": identity(value)}


def _kept(entity_class: type[Entity], mark: Any) -> _Kept:
    if not isinstance(mark, dict) or _ENTITY not in mark:
        raise ValueError(f"no {entity_class.__name__} was recorded")
    recorded = cast("dict[str, Any]", mark)
    for one in _with_subclasses(entity_class):
        if _class_name(one) == recorded[_ENTITY]:
            key = recorded["key"]
            return _Kept(one, tuple(cast("list[Any]", key)) if isinstance(key, list) else key)
    raise ValueError(f"{recorded[_ENTITY]} is no {entity_class.__name__} here")


def _with_subclasses(entity_class: type[Entity]) -> Iterator[type[Entity]]:
    # Of those that are defined anew, the last one counts.
    for subclass in reversed(entity_class.__subclasses__()):
        yield from _with_subclasses(subclass)
    yield entity_class


def found(value: Any) -> Any:
    """What was recorded, with entities in place of keys."""
    if isinstance(value, _Kept):
        entity = value.entity_class.get(value.key)
        # The unit of work may have known it before somebody else ran the command.
        return entity if changes.exist(entity) else Entity.refresh(entity)
    kind: Any = cast("Any", type(value))
    if kind is dict:
        return {key: found(inside) for key, inside in value.items()}
    if kind in _REBUILT:
        return kind([found(inside) for inside in value])
    return value


async def afound(value: Any) -> Any:
    """`found`, for async code."""
    if isinstance(value, _Kept):
        entity = await value.entity_class.aget(value.key)
        return entity if changes.exist(entity) else await Entity.arefresh(entity)
    kind: Any = cast("Any", type(value))
    if kind is dict:
        return {key: await afound(inside) for key, inside in value.items()}
    if kind in _REBUILT:
        return kind([await afound(inside) for inside in value])
    return value
