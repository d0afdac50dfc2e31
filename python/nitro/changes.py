"""What changed in an entity since it was made, loaded or last saved.

Nitro's own code, and code for entities whose fields may have any name, uses these functions; an entity offers the same
as attributes (`order.changes`), which a field of the same name hides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import _core

if TYPE_CHECKING:
    from .entity import Entity


def of(entity: Entity) -> dict[str, tuple[Any, Any]]:
    """{field: (old value, new value)} of the fields that changed; empty when none did.

    A field set to an equal value, or set back, has not changed. Edits inside lists, dicts, sets and nested models are
    found. The old value is None for an attribute that was not there.

    Example:
        >>> order = Order(customer_name="Alice")
        >>> order.total = 5.0
        >>> nitro.changes.of(order)
        {'total': (0.0, 5.0)}
    """
    return _core.changes(entity)


def fields(entity: Entity) -> set[str]:
    """The names of the fields that changed."""
    return set(_core.changes(entity))


def exist(entity: Entity) -> bool:
    """Whether any field changed."""
    return _core.is_changed(entity)


def original(entity: Entity, field: str) -> Any:
    """The value that a field had when the entity was made, loaded or last saved.

    Raises:
        AttributeError: If the class has no such field.
    """
    return _core.original(entity, field)


def previous(entity: Entity) -> dict[str, tuple[Any, Any]]:
    """{field: (old value, new value)} as the last save wrote them.

    Every field, with None as the old value, when that save was the first one; empty before any save, and after one that
    was taken back.
    """
    return _core.previous_changes(entity)


def revert(entity: Entity) -> None:
    """Puts every field back to what it was when the entity was made, loaded or last saved.

    Lists, dicts, sets and nested models that were edited in place get their old contents back in place.
    """
    _core.revert_changes(entity)


# --- For backends: what only the store of an entity may say -------------------------------------------------------


def version(entity: Entity) -> int:
    """The version of the stored record that the entity was loaded from or saved as; 0 when it is not stored.

    Example:
        >>> nitro.changes.version(order), nitro.changes.version(order.save())
        (0, 1)
    """
    return _core.version(entity)


def saved(entity: Entity, version: int) -> None:
    """Tells the entity that a store has written it as it is now.

    It has no changes then, and `previous` gives those that were written.

    Args:
        version: What the record's version is now, from 1 on; 0 when the record was deleted.
    """
    _core.accept_changes(entity, version)


def loaded(entity: Entity, version: int) -> None:
    """Tells the entity, made from a stored record a moment ago, that it is that record, unchanged.

    Args:
        version: The version of the record, from 1 on.
    """
    _core.accept_changes(entity, 0)
    _core.set_originals(entity, version, {})


def renew(entity: Entity, fresh: Entity) -> None:
    """Gives the entity the values and the version of `fresh`, another instance of the same record.

    Args:
        fresh: Loaded a moment ago; of no use afterwards, as the two share their values.
    """
    for slot in ("__dict__", "__pydantic_fields_set__"):
        object.__setattr__(entity, slot, getattr(fresh, slot))
    loaded(entity, _core.version(fresh))
    # Somebody else may keep a record of the entity too: SQLAlchemy does, of a SQLEntity.
    follow = type(entity).__nitro_follow__
    if follow is not None:
        follow(entity)


def restore(entity: Entity, version: int, originals: dict[str, Any]) -> None:
    """Tells the entity that what a store has written of it is not kept: it knows again what it knew before.

    Values stay as they are, and count as changes again.

    Args:
        version: The version that it had; 0 where it was not stored.
        originals: What `originals` gave before it was written.
    """
    before = {**_core.originals(entity), **originals}
    _core.accept_changes(entity, 0)
    _core.set_originals(entity, version, before)


def originals(entity: Entity) -> dict[str, Any]:
    """{field: value when made, loaded or last saved} of the fields that changed: what `restore` is given."""
    return _core.originals(entity)
