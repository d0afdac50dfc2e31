"""Queries: lazy, immutable, the same over every backend."""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from . import _core, _related, expressions, relations
from ._ambient import acting
from ._core import FieldRef, QueryCore
from .errors import EntityNotFound, NitroError

if TYPE_CHECKING:
    from .entity import Entity
    from .repository import Repository

E = TypeVar("E", bound="Entity")


@dataclass(frozen=True, slots=True)
class Page(Generic[E]):
    """Some of the entities that a query finds, and where to go on."""

    #: In the query's order.
    items: list[E]
    #: What `page(after=...)` takes for the next page; None on the last one. Opaque, and safe in a URL.
    next_cursor: str | None
    #: How many the query finds on all pages; None where it was not asked for.
    total: int | None = None

    def __iter__(self) -> Iterator[E]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


def cursor_text(cursor: bytes) -> str:
    """A cursor as text for users."""
    return base64.urlsafe_b64encode(cursor).rstrip(b"=").decode()


def cursor_bytes(text: str) -> bytes:
    """A cursor as the backend made it.

    Raises:
        ValueError: If it is no cursor.
    """
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"after takes the next_cursor of a page, got {text!r}") from None


class Query(QueryCore, Generic[E]):
    """The entities of one class for which some conditions hold. Nothing is read before it is asked for.

    `where`, `order_by`, `limit` and `offset` give another query; `all`, `first`, `one`, `count` and the like, and a
    loop, read. Without an order, entities come in the order of their first save; so do those that are equal in it.

    Comparisons hold between values of one kind, and never with None or NaN: these are found by `== None`, `is_null()`
    and `== nan`. `!=` and `~` hold wherever the opposite does not. None sorts before everything else and NaN after all
    numbers; numbers of all types are in one order; texts are in the order of their code points.

    Example:
        >>> Order.where(Order.total > 10, status="draft").order_by("-total").limit(3).all()
        []
    """

    __slots__ = ()

    if TYPE_CHECKING:

        @property
        def _class(self) -> type[E]: ...
        @property
        def _repository(self) -> Repository: ...
        def where(self, /, *conditions: Any, **lookups: Any) -> Self: ...
        def order_by(self, /, *fields: Any) -> Self: ...
        def limit(self, count: int | None, /) -> Self: ...
        def offset(self, count: int, /) -> Self: ...
        def in_memory(self) -> Self: ...

    @property
    def _store(self) -> Repository:
        return acting(self._repository)

    def with_(self, /, *relations_: Any) -> Query[E]:
        """The same query, which also loads what the entities refer to: one question for each class, however many
        entities there are. `order.customer.get()` and `order.lines` read nothing then.

        Args:
            relations_: A Ref field or a Many, as `Order.customer` or its name; "customer.company" goes on from there.

        Raises:
            UnknownFieldError: If a class has no such relation.

        Example:
            >>> class Customer(nitro.Entity):
            ...     name: str
            >>> class Sale(nitro.Entity):
            ...     customer: nitro.Ref[Customer]
            >>> sale = Sale(customer=Customer(name="Ann").save()).save()
            >>> [sale.customer.get().name for sale in Sale.where().with_("customer")]
            ['Ann']
        """
        return LoadingQuery(self, _related.grown(self._class, self._tree(), relations_))

    # --- Reading ---

    def all(self) -> list[E]:
        """Every match."""
        return self._store.select(self)

    def __iter__(self) -> Iterator[E]:
        return iter(self._store.stream(self))

    def first(self) -> E | None:
        """The first match; None when there is none."""
        found = self._at_most(1).all()
        return found[0] if found else None

    def one(self) -> E:
        """The only match.

        Raises:
            EntityNotFound: If there is none.
            NitroError: If there are several.
        """
        return self._one(self._at_most(2).all())

    def one_or_none(self) -> E | None:
        """The only match; None when there is none.

        Raises:
            NitroError: If there are several.
        """
        return self._one_or_none(self._at_most(2).all())

    def count(self) -> int:
        """How many match."""
        return self._store.count(self)

    def exists(self) -> bool:
        """Whether any matches."""
        return bool(self._at_most(1).all())

    def page(self, *, limit: int = 50, after: str | None = None, total: bool = False) -> Page[E]:
        """The next matches, and a cursor to go on from.

        A cursor names the last entity of its page, not a number of entities: while entities come and go, no page
        skips one or shows one twice, unless what it is sorted by changes.

        Args:
            limit: How many at most.
            after: The `next_cursor` of the page before; None for the first page.
            total: Whether to count all matches.

        Raises:
            ValueError: If `after` is no cursor of the same query in the same order, or `limit` is below 1.
        """
        if limit < 1:
            raise ValueError(f"limit takes a number from 1 on, got {limit}")
        return self._store.page(self, limit, after, total)

    def explain(self) -> str:
        """How the backend would answer, for people: which indexes it uses, and what it filters and sorts itself."""
        return self._store.explain(self)

    def among(self, entities: Iterable[E]) -> list[E]:
        """What the query finds among these entities, whatever is stored: filtered, ordered and cut in Python.

        Example:
            >>> paid, open = Order(customer_name="Ann", status="paid"), Order(customer_name="Bob")
            >>> [order.customer_name for order in Order.where(status="paid").among([paid, open])]
            ['Ann']
        """
        found = [entity for entity in entities if all(condition.matches(entity) for condition in self._conditions)]
        if self._order:
            found.sort(key=self._place)
        return found[self._offset :][: self._limit]

    # --- Changing ---

    def delete(self) -> int:
        """Deletes every match and tells how many there were. What refers to them is treated as by `Entity.delete`.

        Raises:
            ReferencedError: If another entity refers to one of them that does not allow it; nothing is changed then.
        """
        if relations.is_referred_to(self._class):
            return _related.run(_related.deletion_of_query(self))
        return self._store.delete_all(self)

    def update(self, /, **values: Any) -> int:
        """Gives every match new values, validated, and tells how many there were.

        Raises:
            UnknownFieldError: If the class has no such field.
            pydantic.ValidationError: If a value is not valid.
        """
        expressions.changes_of(self._class, values)
        return self._store.update_all(self, values)

    # --- Summing up ---

    def sum(self, field: Any) -> Any:
        """The sum of a field; 0 of nothing. None is passed over, here and below."""
        return self._store.aggregate(self, "sum", self._field(field))

    def avg(self, field: Any) -> Any:
        """The mean of a field; None of nothing."""
        return self._store.aggregate(self, "avg", self._field(field))

    def min(self, field: Any) -> Any:
        """The least value of a field; None of nothing."""
        return self._store.aggregate(self, "min", self._field(field))

    def max(self, field: Any) -> Any:
        """The greatest value of a field; None of nothing."""
        return self._store.aggregate(self, "max", self._field(field))

    def group_by(self, *fields: Any) -> Grouped:
        """The matches by the values of some fields, to be counted or summed up.

        Example:
            >>> Order.where().group_by("status").count()
            {}
        """
        if not fields:
            raise TypeError("group_by takes one field or more")
        return Grouped(self, tuple(map(self._field, fields)))

    # --- The same for async code ---

    async def aall(self) -> list[E]:
        """`all`, for async code."""
        return await self._store.aselect(self)

    async def __aiter__(self) -> AsyncIterator[E]:
        async for entity in self._store.astream(self):
            yield entity

    def __await__(self) -> Generator[Any, Any, list[E]]:
        """`await query` is `await query.aall()`."""
        return self.aall().__await__()

    async def afirst(self) -> E | None:
        """`first`, for async code."""
        found = await self._at_most(1).aall()
        return found[0] if found else None

    async def aone(self) -> E:
        """`one`, for async code."""
        return self._one(await self._at_most(2).aall())

    async def aone_or_none(self) -> E | None:
        """`one_or_none`, for async code."""
        return self._one_or_none(await self._at_most(2).aall())

    async def acount(self) -> int:
        """`count`, for async code."""
        return await self._store.acount(self)

    async def aexists(self) -> bool:
        """`exists`, for async code."""
        return bool(await self._at_most(1).aall())

    async def apage(self, *, limit: int = 50, after: str | None = None, total: bool = False) -> Page[E]:
        """`page`, for async code."""
        if limit < 1:
            raise ValueError(f"limit takes a number from 1 on, got {limit}")
        return await self._store.apage(self, limit, after, total)

    async def adelete(self) -> int:
        """`delete`, for async code."""
        if relations.is_referred_to(self._class):
            return await _related.arun(_related.deletion_of_query(self))
        return await self._store.adelete_all(self)

    async def aupdate(self, /, **values: Any) -> int:
        """`update`, for async code."""
        expressions.changes_of(self._class, values)
        return await self._store.aupdate_all(self, values)

    async def asum(self, field: Any) -> Any:
        """`sum`, for async code."""
        return await self._store.aaggregate(self, "sum", self._field(field))

    async def aavg(self, field: Any) -> Any:
        """`avg`, for async code."""
        return await self._store.aaggregate(self, "avg", self._field(field))

    async def amin(self, field: Any) -> Any:
        """`min`, for async code."""
        return await self._store.aaggregate(self, "min", self._field(field))

    async def amax(self, field: Any) -> Any:
        """`max`, for async code."""
        return await self._store.aaggregate(self, "max", self._field(field))

    # --- Within ---

    def _tree(self) -> _related.Tree:
        """What `with_` was asked to load."""
        return {}

    def _at_most(self, count: int) -> Query[E]:
        return self if self._limit is not None and self._limit <= count else self.limit(count)

    def _place(self, entity: E) -> bytes:
        """Where an entity stands in the query's order: bytes that compare as the entities do."""
        parts: list[bytes] = []
        for ordering in self._order:
            key = _core.sort_key(_core.value_at(entity, ordering.field))
            parts.append(bytes(255 - byte for byte in key) if ordering.descending else key)
        return b"".join(parts)

    def _field(self, field: Any) -> FieldRef:
        return expressions.ordering(self._class, field).field

    def _one(self, found: Sequence[E]) -> E:
        only = self._one_or_none(found)
        if only is None:
            raise EntityNotFound(self._class, self._asked())
        return only

    def _one_or_none(self, found: Sequence[E]) -> E | None:
        if len(found) > 1:
            raise NitroError(f"several {self._class.__name__} match {self._asked()}, one was asked for")
        return found[0] if found else None

    def _asked(self) -> str:
        return " & ".join(f"({condition!r})" for condition in self._conditions) or "everything"

    def __repr__(self) -> str:
        text = f"{self._class.__name__}.where({', '.join(map(repr, self._conditions))})"
        if self._order:
            text += f".order_by({', '.join(map(repr, self._order))})"
        if self._limit is not None:
            text += f".limit({self._limit})"
        if self._offset:
            text += f".offset({self._offset})"
        return text + (".in_memory()" if self._in_memory else "")


class LoadingQuery(Query[E]):
    """A query that loads what its entities refer to."""

    __slots__ = ("_loaded",)

    _loaded: _related.Tree

    def __new__(cls, query: Query[E], tree: _related.Tree) -> Self:
        made = QueryCore.__new__(
            cls,
            query._class,
            query._repository,
            query._conditions,
            query._order,
            query._limit,
            query._offset,
            query._in_memory,
        )
        object.__setattr__(made, "_loaded", tree)
        return made

    def _plain(self) -> Query[E]:
        return Query(
            self._class,
            self._repository,
            self._conditions,
            self._order,
            self._limit,
            self._offset,
            self._in_memory,
        )

    if not TYPE_CHECKING:

        def where(self, /, *conditions: Any, **lookups: Any) -> Self:
            return LoadingQuery(self._plain().where(*conditions, **lookups), self._loaded)

        def order_by(self, /, *fields: Any) -> Self:
            return LoadingQuery(self._plain().order_by(*fields), self._loaded)

        def limit(self, count: int | None, /) -> Self:
            return LoadingQuery(self._plain().limit(count), self._loaded)

        def offset(self, count: int, /) -> Self:
            return LoadingQuery(self._plain().offset(count), self._loaded)

        def in_memory(self) -> Self:
            return LoadingQuery(self._plain().in_memory(), self._loaded)

    def all(self) -> list[E]:
        found = self._plain().all()
        return _related.results(found, _related.run(_related.loading(self._class, found, self._loaded)))

    def __iter__(self) -> Iterator[E]:
        yield from self.all()

    def page(self, *, limit: int = 50, after: str | None = None, total: bool = False) -> Page[E]:
        page = self._plain().page(limit=limit, after=after, total=total)
        alive = _related.run(_related.loading(self._class, page.items, self._loaded))
        return replace(page, items=_related.results(page.items, alive))

    async def aall(self) -> list[E]:
        found = await self._plain().aall()
        return _related.results(found, await _related.arun(_related.loading(self._class, found, self._loaded)))

    async def __aiter__(self) -> AsyncIterator[E]:
        for entity in await self.aall():
            yield entity

    async def apage(self, *, limit: int = 50, after: str | None = None, total: bool = False) -> Page[E]:
        page = await self._plain().apage(limit=limit, after=after, total=total)
        alive = await _related.arun(_related.loading(self._class, page.items, self._loaded))
        return replace(page, items=_related.results(page.items, alive))

    def _tree(self) -> _related.Tree:
        return self._loaded

    def __repr__(self) -> str:
        return f"{super().__repr__()}.with_({', '.join(map(repr, _related.paths(self._loaded)))})"


@dataclass(frozen=True, slots=True)
class Grouped:
    """The matches of a query by the values of some fields: {value: result}, or {(value, value): result}."""

    query: Query[Any]
    fields: tuple[FieldRef, ...]

    def count(self) -> dict[Any, int]:
        """How many there are of each."""
        return self._aggregate("count", None)

    def sum(self, field: Any) -> dict[Any, Any]:
        """The sum of a field of each."""
        return self._aggregate("sum", field)

    def avg(self, field: Any) -> dict[Any, Any]:
        """The mean of a field of each."""
        return self._aggregate("avg", field)

    def min(self, field: Any) -> dict[Any, Any]:
        """The least value of a field of each."""
        return self._aggregate("min", field)

    def max(self, field: Any) -> dict[Any, Any]:
        """The greatest value of a field of each."""
        return self._aggregate("max", field)

    async def acount(self) -> dict[Any, int]:
        """`count`, for async code."""
        return await self._aaggregate("count", None)

    async def asum(self, field: Any) -> dict[Any, Any]:
        """`sum`, for async code."""
        return await self._aaggregate("sum", field)

    async def aavg(self, field: Any) -> dict[Any, Any]:
        """`avg`, for async code."""
        return await self._aaggregate("avg", field)

    async def amin(self, field: Any) -> dict[Any, Any]:
        """`min`, for async code."""
        return await self._aaggregate("min", field)

    async def amax(self, field: Any) -> dict[Any, Any]:
        """`max`, for async code."""
        return await self._aaggregate("max", field)

    def _aggregate(self, function: str, field: Any) -> dict[Any, Any]:
        of = None if field is None else self.query._field(field)
        return self.query._store.aggregate(self.query, function, of, self.fields)

    async def _aaggregate(self, function: str, field: Any) -> dict[Any, Any]:
        of = None if field is None else self.query._field(field)
        return await self.query._store.aaggregate(self.query, function, of, self.fields)
