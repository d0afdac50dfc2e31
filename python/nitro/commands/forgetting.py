"""Idempotency keys are kept until somebody says that nobody would use them again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from ..entity import Entity, EntityMeta, subclasses
from ..repository import Repository, repository_of, takes_command_keys

_DAY = timedelta(days=1)


def forget_keys(*entity_classes: type[Entity], older_than: timedelta = _DAY) -> int:
    """Forgets the idempotency keys that are older: a call with one of them runs anew.

    A program calls it now and then, once an hour for one.

    Args:
        entity_classes: Those whose stores forget; none stands for all that have idempotent commands and are known.
        older_than: How long ago a key was used first. The default is a day, after which hardly anybody sends a request
            again.

    Returns:
        How many keys that were.

    Raises:
        ValueError: If `older_than` is no time, or below 0.
        UnsupportedQuery: If a backend keeps none.

    Example:
        >>> class Purse(nitro.Entity, backend=nitro.MemoryRepo()):
        ...     money: int = 0
        ...     @nitro.command(idempotent=True)
        ...     def put_in(self, amount: int) -> None:
        ...         self.money += amount
        >>> Purse().save().put_in(5, idempotency_key="3f6d")
        >>> nitro.commands.forget_keys(Purse)
        0
    """
    _check(older_than)
    return sum(repository.forget_command_keys(older_than) for repository in _stores(entity_classes))


async def aforget_keys(*entity_classes: type[Entity], older_than: timedelta = _DAY) -> int:
    """`forget_keys`, for async code."""
    _check(older_than)
    count = 0
    for repository in _stores(entity_classes):
        count += await repository.aforget_command_keys(older_than)
    return count


def _check(older_than: Any) -> None:
    if not isinstance(older_than, timedelta) or older_than < timedelta(0):
        raise ValueError(f"older_than takes a timedelta from 0 on, got {older_than}")


def _stores(entity_classes: tuple[Any, ...]) -> list[Repository]:
    """Where the keys of classes are, each store once."""
    for one in entity_classes:
        if not isinstance(one, EntityMeta):
            raise TypeError(f"forget_keys takes classes of entities, got {one!r}")
    known = entity_classes or tuple(subclasses(Entity))
    return list(dict.fromkeys(repository_of(one) for one in known if takes_command_keys(one)))
