"""Queries: lazy, immutable, the same over every backend."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .errors import EntityNotFound, NitroError, UnknownFieldError
from .repository import Repository

if TYPE_CHECKING:
    from .entity import Entity

E = TypeVar("E", bound="Entity")


class Query(Generic[E]):
    """The entities of one class whose fields equal given values. Nothing is read before it is asked for.

    Example:
        >>> Order.where(status="draft").count()
        0
    """

    def __init__(self, entity_class: type[E], repository: Repository, equal: Mapping[str, Any]) -> None:
        known = entity_class.__pydantic_fields__
        for name in equal:
            if name not in known:
                raise UnknownFieldError(entity_class, name, known)
        self._entity_class = entity_class
        self._repository = repository
        self._equal = dict(equal)

    def where(self, /, **equal: Any) -> Query[E]:
        """The same query with further conditions.

        Raises:
            UnknownFieldError: If the class has no field of such a name.
            NitroError: If a field is asked for twice.
        """
        twice = equal.keys() & self._equal.keys()
        if twice:
            raise NitroError(f"{self._entity_class.__name__}.where was given {sorted(twice)} twice")
        return Query(self._entity_class, self._repository, {**self._equal, **equal})

    def all(self) -> list[E]:
        """Every match, in the order of their first save."""
        return self._repository.find(self._entity_class, self._equal)

    def __iter__(self) -> Iterator[E]:
        return iter(self.all())

    def first(self) -> E | None:
        """The first match; None when there is none."""
        return next(iter(self.all()), None)

    def one(self) -> E:
        """The only match.

        Raises:
            EntityNotFound: If there is none.
            NitroError: If there are several.
        """
        found = self.one_or_none()
        if found is None:
            raise EntityNotFound(self._entity_class, self._equal)
        return found

    def one_or_none(self) -> E | None:
        """The only match; None when there is none.

        Raises:
            NitroError: If there are several.
        """
        found = self.all()
        if len(found) > 1:
            raise NitroError(f"{len(found)} of {self._entity_class.__name__} match {self._equal!r}, one was asked for")
        return found[0] if found else None

    def count(self) -> int:
        """How many match."""
        return len(self.all())

    def exists(self) -> bool:
        """Whether any matches."""
        return bool(self.all())

    def delete(self) -> int:
        """Deletes every match and tells how many there were."""
        found = self.all()
        for entity in found:
            self._repository.delete(entity)
        return len(found)

    async def aall(self) -> list[E]:
        """`all`, for async code."""
        return self.all()

    async def __aiter__(self) -> AsyncIterator[E]:
        for entity in self.all():
            yield entity

    async def afirst(self) -> E | None:
        """`first`, for async code."""
        return self.first()

    async def aone(self) -> E:
        """`one`, for async code."""
        return self.one()

    async def aone_or_none(self) -> E | None:
        """`one_or_none`, for async code."""
        return self.one_or_none()

    async def acount(self) -> int:
        """`count`, for async code."""
        return self.count()

    async def aexists(self) -> bool:
        """`exists`, for async code."""
        return self.exists()

    async def adelete(self) -> int:
        """`delete`, for async code."""
        return self.delete()
