"""What a unit of work has loaded after it had changed records past their entities.

A query that updates, and a session, write without the entities that the unit knows. What is loaded after that has
values that nobody else has yet, and where they are taken back, nobody can tell the entity what was there before.
"""

from __future__ import annotations

from .. import _core
from ..entity import Entity
from ..errors import NOT_KEPT

#: Comes after every write: a session may write whenever it likes.
_ALWAYS = 2**62


class Doubts:
    """The writes of a unit that no entity knows of, and what was loaded since."""

    __slots__ = ("_has_session", "_loaded", "_written")

    def __init__(self) -> None:
        self._written: list[type[Entity]] = []
        self._has_session = False
        #: {id of an entity that the unit has met: how many writes there were before it was loaded}.
        self._loaded: dict[int, int] = {}

    @property
    def count(self) -> int:
        """How many writes there were."""
        return len(self._written)

    def write(self, entity_class: type[Entity]) -> None:
        """A query has changed records of a class."""
        self._written.append(entity_class)

    def begin_session(self) -> None:
        """A session may change records of any class from now on."""
        self._has_session = True

    def load(self, entity: Entity) -> None:
        """An entity was loaded, or loaded again."""
        number = _ALWAYS if self._has_session else self.count
        while 0 < number < _ALWAYS and not issubclass(type(entity), self._written[number - 1]):
            number -= 1
        if number:
            self._loaded[id(entity)] = number

    def leave(self, key: int) -> None:
        """The unit has let go of the entity that was there."""
        self._loaded.pop(key, None)

    def take_back(self, count: int) -> set[int]:
        """The writes after the first `count` are taken back; gives the ids of what was loaded after one of these."""
        del self._written[count:]
        lost = {key for key, number in self._loaded.items() if number > count}
        for key in lost:
            del self._loaded[key]
        return lost


def disown(entity: Entity) -> None:
    """Has an entity be no record any more, whose values are not kept: it cannot be saved before it is loaded again."""
    if _core.version(entity):
        _core.set_originals(entity, NOT_KEPT, {})
