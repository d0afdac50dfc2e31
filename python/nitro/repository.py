"""Where entities live: the protocol of a backend, and which backend a class has."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast, runtime_checkable

from .errors import ConfigurationError

if TYPE_CHECKING:
    from .entity import Entity

E = TypeVar("E", bound="Entity")


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a backend can do."""

    #: The object that `get` hands out is the record: an assignment is seen by everyone at once.
    live: bool = False
    #: A save over a version that moved is refused.
    versions: bool = False


@runtime_checkable
class Repository(Protocol):
    """A store of entities of any number of classes. Safe from any thread."""

    @property
    def capabilities(self) -> Capabilities: ...

    def get(self, entity_class: type[E], key: Any) -> E | None:
        """The entity with this key, which has the key field's type; None when there is none."""
        ...

    def find(self, entity_class: type[E], equal: Mapping[str, Any]) -> list[E]:
        """The entities of a class whose fields equal the given values, in the order of their first save."""
        ...

    def save(self, entity: Entity) -> None:
        """Stores the entity and what changed in it.

        Raises:
            StaleEntityError: If the stored version moved since the entity was loaded.
            UniqueViolation: If another entity has the same key.
        """
        ...

    def save_all(self, entities: Iterable[Entity]) -> None:
        """Stores many entities, in order; stops at the first that is refused."""
        ...

    def delete(self, entity: Entity) -> None:
        """Removes the entity.

        Raises:
            EntityNotFound: If it is not stored.
        """
        ...

    def refresh(self, entity: Entity) -> None:
        """Gives the entity the values of the stored record.

        Raises:
            EntityNotFound: If it is not stored.
        """
        ...


_shared: dict[type, Repository] = {}
_known: set[type] = set()
_shared_lock = threading.Lock()


def repository_of(entity_class: type[Entity]) -> Repository:
    """The repository of a class: the one it names, or the shared one of the backend class that it names.

    Raises:
        ConfigurationError: If what the class names is no backend.
    """
    backend = entity_class.__nitro_backend__
    if not isinstance(backend, type):
        return _checked(entity_class, backend)
    repository = _shared.get(backend)
    if repository is None:
        with _shared_lock:
            repository = _shared.get(backend)
            if repository is None:
                repository = _shared[backend] = _checked(entity_class, backend())
    return repository


def _checked(entity_class: type, backend: object) -> Repository:
    # Asking whether an object follows a protocol takes long: each type is asked once.
    if type(backend) not in _known and not isinstance(backend, Repository):
        raise ConfigurationError(
            f"{entity_class.__name__} names {backend!r} as its backend, which is no Repository: "
            "name a backend class such as MemoryRepo, or an instance of one"
        )
    _known.add(type(backend))
    return cast("Repository", backend)
