"""JSON in bulk: entities to bytes, and bytes to entities."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeVar, cast, get_args, get_origin, overload

from pydantic import BaseModel, TypeAdapter

from . import _core

T = TypeVar("T")


def encode(value: object) -> bytes:
    """JSON of a model, or of a list of models, in UTF-8, as pydantic writes it.

    Args:
        value: A model, a list of models, or anything else that pydantic can serialise.

    Raises:
        pydantic_core.PydanticSerializationError: If a value has no JSON form.

    Example:
        >>> nitro.encode([Point(x=1), Point(x=2)])
        b'[{"x":1,"y":0},{"x":2,"y":0}]'
    """
    fast = _core.encode_fast(value)
    if fast is not None:
        return fast
    if isinstance(value, BaseModel):
        return value.__pydantic_serializer__.to_json(value)
    types: set[Any] = {type(item) for item in cast("list[object]", value)} if type(value) is list else set()
    if len(types) == 1:
        (item_type,) = types
        if issubclass(item_type, BaseModel):
            return _list_adapter(item_type).dump_json(value)
    return _adapter(Any).dump_json(value)


@lru_cache(maxsize=1024)
def _adapter(type_: Any) -> TypeAdapter[Any]:
    return TypeAdapter(type_)


def _list_adapter(item: Any) -> TypeAdapter[Any]:
    """The adapter of a list of models. It lives with the class, so that no class lives on for the sake of it."""
    adapter: TypeAdapter[Any] | None = item.__dict__.get("__nitro_list_adapter__")
    if adapter is None:
        list_type: Any = list.__class_getitem__(item)
        adapter = TypeAdapter(list_type)
        type.__setattr__(item, "__nitro_list_adapter__", adapter)
    return adapter


@overload
def decode(type_: type[T], data: bytes | bytearray | str) -> T: ...
@overload
def decode(type_: Any, data: bytes | bytearray | str) -> Any: ...
def decode(type_: Any, data: bytes | bytearray | str) -> Any:
    """Reads and validates JSON.

    Args:
        type_: A model class, `list[Model]`, or any other type that pydantic can validate.
        data: JSON text; bytes are UTF-8.

    Returns:
        An instance of the type.

    Raises:
        pydantic.ValidationError: If the text is no JSON or does not fit the type.

    Example:
        >>> nitro.decode(list[Point], b'[{"x":1}]')
        [Point(x=1, y=0)]
    """
    if isinstance(type_, _core.MetaCore):
        return cast("type[BaseModel]", type_).model_validate_json(data)
    if get_origin(type_) is list:
        (item,) = get_args(type_)
        if isinstance(item, _core.MetaCore):
            fast = _core.decode_fast(item, data, True)
            if fast is not None:
                return fast
            return _list_adapter(item).validate_json(data)
    return _adapter(type_).validate_json(data)
