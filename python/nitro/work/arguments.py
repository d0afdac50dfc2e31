"""The arguments of what may run anew: each run gets them as they were given."""

from __future__ import annotations

import dataclasses
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from copy import copy
from functools import partial
from typing import Any, cast

from pydantic import BaseModel

from ..entity import EntityMeta

#: What holds values, and the method that fills it anew. Subclasses may have ideas of their own.
_HOLDERS: dict[type, str] = {
    list: "extend",
    deque: "extend",
    bytearray: "extend",
    set: "update",
    dict: "update",
    OrderedDict: "update",
    defaultdict: "update",
    Counter: "update",
}

#: Where models of pydantic keep what they are.
_SLOTS = ("__dict__", "__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__")


def remembered(values: Iterable[Any]) -> Callable[[], None] | None:
    """Remembers what arguments hold, however deep inside, and gives a function that puts it back in place.

    Lists, dictionaries, sets and the like, models and dataclasses are remembered. Entities are not, as they are loaded
    anew, nor are objects of other classes. None where one of them can be read only once, as an iterator.
    """
    waiting: list[Any] = list(values)
    seen: set[int] = set()
    undo: list[Callable[[], None]] = []
    while waiting:
        value = waiting.pop()
        kind = cast("type[Any]", type(value))
        # Rows of a session of SQLAlchemy have a mapper.
        if id(value) in seen or isinstance(kind, EntityMeta) or "__mapper__" in vars(kind):
            continue
        seen.add(id(value))
        if kind in _HOLDERS:
            undo.append(partial(_put_back, value, copy(value)))
            if kind is not bytearray:
                waiting += _values(value)
        elif isinstance(value, tuple | frozenset):
            waiting += cast("Iterable[Any]", value)
        elif isinstance(value, BaseModel):
            waiting += _attributes(value, _SLOTS, undo)
        elif dataclasses.is_dataclass(kind):
            waiting += _attributes(value, [field.name for field in dataclasses.fields(kind)], undo)
        elif isinstance(value, Iterator):
            return None

    def put_back() -> None:
        for function in undo:
            function()

    return put_back


def _attributes(value: Any, names: Iterable[str], undo: list[Callable[[], None]]) -> list[Any]:
    held = {name: getattr(value, name) for name in names if hasattr(value, name)}
    # What is frozen, or validates what is assigned to it, got these values before.
    undo += [partial(object.__setattr__, value, name, content) for name, content in held.items()]
    return list(held.values())


def _put_back(holder: Any, content: Any) -> None:
    if _identities(holder) != _identities(content):
        holder.clear()
        getattr(holder, _HOLDERS[type(holder)])(content)


def _values(holder: Any) -> Iterable[Any]:
    return cast("Any", holder).values() if isinstance(holder, dict) else holder


def _identities(holder: Any) -> list[int]:
    """What it holds, in its order; the values are not asked whether they are equal."""
    return [*map(id, holder), *map(id, _values(holder))]
