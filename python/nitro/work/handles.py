"""What programs have in their hands inside of a unit of work."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from types import TracebackType
from typing import Any, Generic, TypeVar

from ..entity import Entity
from ..errors import UnitOfWorkError
from ..queries import Query
from ..repository import Ttl
from .names import class_called
from .unit import Unit, Where

E = TypeVar("E", bound=Entity)


class _Entities(Generic[E]):
    """The entities of a class, inside of a unit of work."""

    __slots__ = ("_class", "_unit")

    def __init__(self, unit: Unit, entity_class: type[E]) -> None:
        self._unit, self._class = unit, entity_class

    def where(self, /, *conditions: Any, **lookups: Any) -> Query[E]:
        """A query: see `Entity.where`."""
        return self._there().where(*conditions, **lookups)

    def _there(self) -> type[E]:
        if not self._unit.is_open:
            raise UnitOfWorkError("this unit of work has ended: open another")
        return self._class

    def _mine(self, entity: E) -> E:
        if not self._unit.is_open:
            self._there()
        if not isinstance(entity, self._class):
            raise TypeError(f"these are the {self._class.__name__} of a unit of work, got {type(entity).__name__}")
        return entity

    def __repr__(self) -> str:
        return f"<{self._class.__name__} of a unit of work>"


class Entities(_Entities[E]):
    """The entities of a class, inside of `with UnitOfWork()`."""

    __slots__ = ()

    def save(self, entity: E, *, ttl: Ttl = ...) -> E:
        """See `Entity.save`."""
        return self._mine(entity).save(ttl=ttl) if ttl is not ... else self._mine(entity).save()

    def delete(self, entity: E) -> None:
        """See `Entity.delete`."""
        self._mine(entity).delete()

    def save_all(self, entities: Iterable[E], *, ttl: Ttl = ...) -> list[E]:
        """See `Entity.save_all`."""
        return self._there().save_all(entities, ttl=ttl)

    def create(self, /, **data: Any) -> E:
        """See `Entity.create`."""
        return self._there().create(**data)

    def get(self, key: Any) -> E:
        """See `Entity.get`."""
        return self._there().get(key)

    def get_or_none(self, key: Any) -> E | None:
        """See `Entity.get_or_none`."""
        return self._there().get_or_none(key)

    def get_many(self, keys: Iterable[Any]) -> list[E]:
        """See `Entity.get_many`."""
        return self._there().get_many(keys)

    def all(self) -> list[E]:
        """See `Entity.all`."""
        return self._there().all()

    def locked(self, key: Any) -> AbstractContextManager[E]:
        """See `Entity.locked`."""
        return self._there().locked(key)


class AsyncEntities(_Entities[E]):
    """The entities of a class, inside of `async with UnitOfWork()`; what `where` gives can be awaited."""

    __slots__ = ()

    async def save(self, entity: E, *, ttl: Ttl = ...) -> E:
        """See `Entity.asave`."""
        return await (self._mine(entity).asave(ttl=ttl) if ttl is not ... else self._mine(entity).asave())

    async def delete(self, entity: E) -> None:
        """See `Entity.adelete`."""
        await self._mine(entity).adelete()

    async def save_all(self, entities: Iterable[E], *, ttl: Ttl = ...) -> list[E]:
        """See `Entity.asave_all`."""
        return await self._there().asave_all(entities, ttl=ttl)

    async def create(self, /, **data: Any) -> E:
        """See `Entity.acreate`."""
        return await self._there().acreate(**data)

    async def get(self, key: Any) -> E:
        """See `Entity.aget`."""
        return await self._there().aget(key)

    async def get_or_none(self, key: Any) -> E | None:
        """See `Entity.aget_or_none`."""
        return await self._there().aget_or_none(key)

    async def get_many(self, keys: Iterable[Any]) -> list[E]:
        """See `Entity.aget_many`."""
        return await self._there().aget_many(keys)

    async def all(self) -> list[E]:
        """See `Entity.aall`."""
        return await self._there().aall()

    def locked(self, key: Any) -> AbstractAsyncContextManager[E]:
        """See `Entity.alocked`."""
        return self._there().alocked(key)


class _Savepoint:
    """What `uow.savepoint()` gives, for the kind of `with` that the unit was entered by."""

    __slots__ = ("_going", "_unit")

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self._going: Any = None

    def __enter__(self) -> None:
        if self._unit.is_async:
            raise UnitOfWorkError("inside of `async with UnitOfWork()` write `async with uow.savepoint()`")
        self._going = self._unit.savepoint()
        self._going.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._going.__exit__(kind, error, traceback)

    async def __aenter__(self) -> None:
        if not self._unit.is_async:
            raise UnitOfWorkError("inside of `with UnitOfWork()` write `with uow.savepoint()`")
        self._going = self._unit.asavepoint()
        await self._going.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._going.__aexit__(kind, error, traceback)


class _Work:
    """What `with UnitOfWork() as uow` gives: `uow.orders` is where the entities of Order are.

    Any other name than those below stands for a class of entities: its name in the plural, in lower case, with
    underscores between the words.
    """

    __slots__ = ("_is_inner", "_unit")

    def __init__(self, unit: Unit, *, is_inner: bool) -> None:
        self._unit, self._is_inner = unit, is_inner

    def _open(self) -> Unit:
        if not self._unit.is_open:
            raise UnitOfWorkError("this unit of work has ended: open another")
        self._unit.check_owner()
        return self._unit

    def on_commit(self, function: Callable[[], Any]) -> None:
        """Calls a function without arguments after the commit of the outermost unit, and never if that is given up.

        Args:
            function: Called outside of the unit. A coroutine function is awaited, in async units.

        Raises:
            TypeError: If it cannot be called.
            UnitOfWorkError: If it is to be awaited, and the unit is not an async one.
        """
        unit = self._open()
        if not callable(function):
            hint = ": give the function itself, without a call" if inspect.iscoroutine(function) else ""
            raise TypeError(f"on_commit takes a function without arguments, got {function!r}{hint}")
        if not unit.is_async and (
            inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)
        ):
            raise UnitOfWorkError(
                f"{function!r} is async: only `async with UnitOfWork()` can await it after the commit"
            )
        unit.on_commit(function)

    def __repr__(self) -> str:
        state = "open" if self._unit.is_open else "ended"
        return f"<UnitOfWork, {state}, {len(self._unit.entities)} entities>"


class Work(_Work):
    __doc__ = _Work.__doc__
    __slots__ = ()

    def commit(self) -> None:
        """Keeps what was changed until now; what follows is kept at the end, or by another commit.

        Inside of another unit of work nothing happens: what is changed is kept when that one is.

        Raises:
            StaleEntityError, WriteConflict, BackendUnavailable: If it cannot be kept.
            ExceptionGroup: If it is kept, and a handler of an event or a function given to `on_commit` has failed.
        """
        unit = self._open()
        if not self._is_inner:
            unit.commit()

    def rollback(self) -> None:
        """Takes back what was changed since the beginning or the last commit; entities get their values back.

        Inside of another unit of work that one cannot be kept any more either: `savepoint` is for what may fail.
        """
        unit = self._open()
        if self._is_inner:
            unit.fail_inside()
        else:
            unit.rollback()

    def savepoint(self) -> AbstractContextManager[None]:
        """What is changed inside is taken back when an exception leaves it; what was changed before stays.

        Example:
            >>> with nitro.UnitOfWork() as uow:
            ...     order = Order(customer_name="Ann").save()
            ...     try:
            ...         with uow.savepoint():
            ...             order.status = "paid"
            ...             _ = order.save()
            ...             raise ValueError("the card is refused")
            ...     except ValueError:
            ...         pass
            >>> order.status
            'draft'
        """
        return _Savepoint(self._open())

    def session(self, where: Where | None = None) -> Any:
        """A Session of SQLModel on the same connection and transaction.

        Args:
            where: A repository, or a class of entities: its database. None stands for the one that the unit has
                changed, or the configured one.
        """
        unit = self._open()
        return unit.join_sql(where).session()

    def repository(self, entity_class: type[E]) -> Entities[E]:
        """The entities of a class."""
        return Entities(self._open(), entity_class)

    def __getattr__(self, name: str) -> Entities[Any]:
        return Entities(self._open(), class_called(name, self._unit.entities))


class AsyncWork(_Work):
    __doc__ = (_Work.__doc__ or "").replace("`with", "`async with")
    __slots__ = ()

    async def commit(self) -> None:
        """See `Work.commit`."""
        unit = self._open()
        if not self._is_inner:
            await unit.acommit()

    async def rollback(self) -> None:
        """See `Work.rollback`."""
        unit = self._open()
        if self._is_inner:
            unit.fail_inside()
        else:
            await unit.arollback()

    def savepoint(self) -> AbstractAsyncContextManager[None]:
        """See `Work.savepoint`."""
        return _Savepoint(self._open())

    async def session(self, where: Where | None = None) -> Any:
        """An AsyncSession of SQLModel on the same connection and transaction: see `Work.session`."""
        unit = self._open()
        return (await unit.ajoin_sql(where)).asession()

    def repository(self, entity_class: type[E]) -> AsyncEntities[E]:
        """The entities of a class."""
        return AsyncEntities(self._open(), entity_class)

    def __getattr__(self, name: str) -> AsyncEntities[Any]:
        return AsyncEntities(self._open(), class_called(name, self._unit.entities))
