"""What an idempotent command gave, as JSON: entities by their keys."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Self, Union, cast, get_args, get_origin

from pydantic import PlainSerializer, PlainValidator

from .. import changes
from ..entity import Entity, identity

#: What may have entities in it.
_CONTAINERS: tuple[Any, ...] = (list, tuple, set, frozenset, dict)


@dataclass(frozen=True, slots=True)
class _Kept:
    """An entity of which the key is recorded."""

    entity_class: type[Entity]
    key: Any


def keys_for(value: Any) -> Any:
    """A value with the keys of entities in their place."""
    if isinstance(value, Entity):
        return [type(value).__qualname__, identity(value)]
    if isinstance(value, dict):
        return {key: keys_for(inside) for key, inside in cast("dict[Any, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [keys_for(inside) for inside in cast("Iterable[Any]", value)]
    return value


def by_key(annotation: Any, cls: Any) -> Any:
    """An annotation in which an entity is recorded as its key."""
    annotation = cls if annotation is Self else annotation
    if isinstance(annotation, type) and issubclass(annotation, Entity):
        entity_class = annotation
        return Annotated[
            Any,
            PlainSerializer(lambda entity: identity(entity) if isinstance(entity, Entity) else entity),
            PlainValidator(lambda key: None if key is None else _Kept(entity_class, key)),
        ]
    origin, inside = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return Annotated.__class_getitem__((by_key(inside[0], cls), *inside[1:]))  # type: ignore[attr-defined]
    if origin in (Union, UnionType):
        return Union.__getitem__(tuple(by_key(one, cls) for one in inside))  # type: ignore[attr-defined]
    if origin in _CONTAINERS:
        return cast("Any", origin)[tuple(by_key(one, cls) for one in inside)]
    return cast("Any", annotation)


def found(value: Any) -> Any:
    """What was recorded, with entities in place of keys."""
    if isinstance(value, _Kept):
        entity = value.entity_class.get(value.key)
        # The unit of work may have known it before somebody else ran the command.
        return entity if changes.exist(entity) else Entity.refresh(entity)
    if isinstance(value, dict):
        return {key: found(inside) for key, inside in cast("dict[Any, Any]", value).items()}
    if isinstance(value, list | tuple | set | frozenset):
        return type(cast("Any", value))([found(inside) for inside in cast("Iterable[Any]", value)])
    return value


async def afound(value: Any) -> Any:
    """`found`, for async code."""
    if isinstance(value, _Kept):
        entity = await value.entity_class.aget(value.key)
        return entity if changes.exist(entity) else await Entity.arefresh(entity)
    if isinstance(value, dict):
        return {key: await afound(inside) for key, inside in cast("dict[Any, Any]", value).items()}
    if isinstance(value, list | tuple | set | frozenset):
        return type(cast("Any", value))([await afound(inside) for inside in cast("Iterable[Any]", value)])
    return value
