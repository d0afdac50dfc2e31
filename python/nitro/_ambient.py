"""What stands between the verbs of entities and a backend, where something does: a unit of work, for one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .repository import Repository

_stand_in: Callable[[Repository], Repository] | None = None


def acting(repository: Repository) -> Repository:
    """What the verbs talk to: the repository itself, unless something stands in for it."""
    stand_in = _stand_in
    return repository if stand_in is None else stand_in(repository)


def set_stand_in(stand_in: Callable[[Repository], Repository]) -> None:
    """Has a function say, from now on, what the verbs talk to in place of a repository."""
    global _stand_in
    _stand_in = stand_in
