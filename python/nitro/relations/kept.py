"""What comes along with an entity: the entities that were assigned to it, or that `with_` has loaded for it.

It is kept beside the fields, by the name of the Ref field or the Many.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from ..queries import Query
    from ..repository import Repository


def key_of(entity: Any) -> Any:
    """The key of an entity: see `nitro.identity`."""
    return entity.__dict__[entity.__class__.__nitro_key__]


class Rows(list[Any]):
    """The entities of a Many: a list that can be referred to weakly."""

    __slots__ = ("__weakref__",)


def _read_loaded(owner: Any) -> dict[str, Any] | None:
    try:
        # Not by attribute: where there is nothing, pydantic would look for it everywhere.
        return _place.__get__(owner)
    except AttributeError:
        return None


#: Where an entity has what came along: the slot of Entity, which has yet to be defined.
_place: Any = None


#: `Entity.where`, whatever a class of the user's makes of the name.
_where: Any = None

_repository_of: Any = None


def register(entity: Any, repository_of: Callable[[type[Any]], Repository]) -> None:
    """Tells this module, which others are built upon, what it needs of those."""
    global _place, _where, _repository_of
    _place = entity.__dict__["__nitro_loaded__"]
    _where = entity.where.__func__
    _repository_of = repository_of


def home(entity_class: type[Any]) -> Repository:
    """The repository of a class: see `nitro.repository.repository_of`."""
    return _repository_of(entity_class)


def where(entity_class: Any, *conditions: Any, **lookups: Any) -> Query[Any]:
    """The query of a class, even where the class has a `where` of its own."""
    return _where(entity_class, *conditions, **lookups)


def kept(owner: Any, name: str, key: Any) -> Any:
    """The entity with this key that came along with a field."""
    found = loaded_as(owner, name)
    return found if found is not None and key_of(found) == key else None


def loaded_as(owner: Any, name: str) -> Any:
    loaded = _read_loaded(owner)
    found: Any = None if loaded is None else loaded.get(name)
    if isinstance(found, weakref.ref):
        return cast("weakref.ref[Any]", found)()
    return found


def keep(owner: Any, name: str, value: Any) -> None:
    """Lets an entity, or the entities of a Many, come along with its owner."""
    loaded = _read_loaded(owner)
    if loaded is None:
        loaded = {}
        _place.__set__(owner, loaded)
    # A shared record lives on, and what is held by it would never be read again.
    loaded[name] = weakref.ref(value) if is_live(owner.__class__) else value


def forget(owner: Any, name: str | None = None) -> None:
    """Lets nothing come along any more, or not what came along with one name."""
    loaded = _read_loaded(owner)
    if loaded is None:
        return
    if name is None:
        loaded.clear()
    else:
        loaded.pop(name, None)


def is_live(entity_class: type[Any]) -> bool:
    return _repository_of(entity_class).capabilities.live
