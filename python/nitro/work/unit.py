"""What is going on between the beginning of a unit of work and its end."""

from __future__ import annotations

import asyncio
import logging
import weakref
from asyncio import _get_running_loop
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    AsyncExitStack,
    ExitStack,
    asynccontextmanager,
    contextmanager,
)
from contextvars import ContextVar
from functools import partial
from threading import get_ident
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeVar, cast

from .. import _core
from ..changes import renew
from ..entity import Entity, EntityMeta
from ..errors import UnitOfWorkError
from ..repository import Repository, repository_of
from .doubts import Doubts, disown
from .following import FAILED_AFTER, Announcement, Deferred, Write, agather, all_of, gather, raise_all
from .unsaved import dirty, put_back, warn

if TYPE_CHECKING:
    from ..events import LifecycleSignal

E = TypeVar("E", bound=Entity)

_log = logging.getLogger("nitro.work")

#: How many entities of loops over queries are kept before the unit looks which of them nobody has any more.
SWEPT = 2000

#: The unit that the running code is inside of.
ambient: ContextVar[Unit | None] = ContextVar("nitro_unit_of_work", default=None)


def current() -> Unit | None:
    """The unit of work that the running code is inside of; None outside of any.

    Raises:
        UnitOfWorkError: If it is that of another task or thread.
    """
    unit = ambient.get()
    if unit is None or not unit.is_open:
        return None
    unit.check_owner()
    return unit


def _running_task() -> asyncio.Task[Any] | None:
    # Most units are of code that runs in no loop, and an error that says so takes longer than the whole unit.
    loop = _get_running_loop()
    return None if loop is None else asyncio.current_task(loop)


#: (class, key) of an entity that was one of many, and the entity.
_Streamed = tuple[tuple[type, Any], "weakref.ref[Entity]"]

#: Whose database a session is for: a repository, or a class of entities.
Where = Repository | type[Entity]

#: What was not saved of an entity that had no changes.
_NOTHING: dict[str, Any] = {}


class Unit:
    """What is going on between the beginning of a unit of work and its end.

    Attributes:
        is_async: Whether it was entered by `async with`.
        is_apart: Whether it was begun inside of the unit of another task or thread.
        is_open: Whether it has not ended.
        isolation: The isolation level of its transaction; None for what the database does by itself.
        entities: {(class, key): entity} of what was loaded and saved inside.
        met: {id: (entity, what was changed in it and not saved when it was met)}.
        joined: {repository: what stands in for it}.
        reverts: Whether entities get their values back where it fails.
        query: What is only looking now, as "Order.total": nothing may be written meanwhile. None while one may.
    """

    __slots__ = (
        "_after",
        "_begun",
        "_deferred",
        "_doubts",
        "_failed_inside",
        "_has_strangers",
        "_held",
        "_later",
        "_streamed",
        "_sweep_at",
        "_task",
        "_thread",
        "_token",
        "_transaction",
        "_undo",
        "_with",
        "entities",
        "is_apart",
        "is_async",
        "is_open",
        "isolation",
        "joined",
        "met",
        "query",
        "reverts",
    )

    def __init__(self, *, is_async: bool, isolation: str | None = None) -> None:
        self.is_async, self.isolation = is_async, isolation
        self.is_open = self.reverts = True
        self.is_apart = self._failed_inside = self._has_strangers = False
        self.query: str | None = None
        self._thread, loop = get_ident(), _get_running_loop()
        self._task = None if loop is None else asyncio.current_task(loop)
        self.entities: dict[tuple[type, Any], Entity] = {}
        self.met: dict[int, tuple[Entity, dict[str, Any]]] = {}
        self.joined: dict[Repository, Repository] = {}
        #: The transaction, and the repository that has begun it.
        self._transaction: Any = None
        self._with: Repository | None = None
        self._undo: list[Callable[[], None]] = []
        #: The locks that are left when it is kept or given up; None where there is none.
        self._held: Any = None
        #: Writes to backends that cannot take any back, which are done after the commit.
        self._later: list[Write] = []
        self._after: list[Callable[[], Any]] = []
        self._deferred: list[Deferred] = []
        #: The entities of loops over queries, and how many of them there are when it looks through them again.
        self._streamed: list[_Streamed] | None = None
        #: What was written past entities; None where nothing was.
        self._doubts: Doubts | None = None

    # --- Whose it is ---

    @property
    def is_mine(self) -> bool:
        """Whether it is that of the running code: of its thread, and its task."""
        return get_ident() == self._thread and (self._task is None or _running_task() is self._task)

    def check_owner(self) -> None:
        """Whether the running code may use it.

        Raises:
            UnitOfWorkError: If it is another task or thread than the one that entered it.
        """
        if get_ident() == self._thread and (self._task is None or _running_task() is self._task):
            return
        if get_ident() != self._thread:
            raise UnitOfWorkError(
                "a unit of work belongs to the thread that entered it, and this is another one: "
                "open a UnitOfWork in each thread, which is kept by itself"
            )
        raise UnitOfWorkError(
            "a unit of work belongs to the task that entered it, and this is another one (asyncio.gather, "
            "create_task and, before Python 3.12, wait_for make tasks): await one thing after the other, "
            "or open a UnitOfWork in each task, which is kept by itself"
        )

    def check_writes(self) -> None:
        """Whether anything may be written.

        Raises:
            UnitOfWorkError: If it is a query that is running.
        """
        if self.query is not None:
            raise UnitOfWorkError(f"{self.query} is a query, which writes nothing: make it a command")

    @property
    def can_run_anew(self) -> bool:
        """Whether everything that it has stored was loaded inside: what comes from outside stays as old as it is."""
        return not self._has_strangers

    def stand_apart(self) -> None:
        """It was begun inside of the unit of another task or thread, and has no part in that one's transaction."""
        self.is_apart = True

    # --- What it knows ---

    def changed(self) -> list[Entity]:
        """The entities that it has met and that were changed and not saved."""
        return [entity for entity, _ in self.met.values() if _core.is_changed(entity)]

    def meet(self, entity: Entity) -> None:
        """Remembers what the entity is like now, as it was read: a unit that fails puts that back."""
        if id(entity) not in self.met:
            self.met[id(entity)] = entity, dirty(entity)

    def write(self, entity: Entity) -> None:
        """Remembers an entity that is going to be stored: where it was not met before, what the unit puts back are the
        values that it was loaded, or stored, with.

        Raises:
            UnitOfWorkError: If it is a query that is running.
        """
        if self.query is not None:
            self.check_writes()
        if id(entity) not in self.met:
            self.met[id(entity)] = entity, {}
            if _core.version(entity):
                self._has_strangers = True

    def arrive(self, entity: Entity) -> None:
        """Meets an entity that comes from outside: an argument of a command."""
        number = id(entity)
        if number not in self.met:
            self.met[number] = entity, dirty(entity) if _core.is_changed(entity) else {}
        if self.joined and _core.version(entity):
            self.known(entity)

    def settle(self) -> None:
        """Somebody is going to look for entities: those that came from outside are found."""
        for entity, _ in self.met.values():
            if _core.version(entity):
                self.entities.setdefault((type(entity), _core.original_identity(entity)), entity)

    def leave(self, entity: Entity) -> None:
        """Forgets an entity: what becomes of it is no concern of the unit's."""
        self.met.pop(id(entity), None)
        if self._doubts is not None:
            self._doubts.leave(id(entity))

    def known(self, entity: E) -> E:
        """The one object inside of the unit for the record that was loaded as `entity` a moment ago."""
        key = type(entity), _core.identity(entity)
        known = self.entities.get(key)
        if known is entity:
            return entity
        if known is None:
            self.entities[key] = entity
            self.loaded(entity)
            return entity
        return known  # type: ignore[return-value]  (of the same class)

    def loaded(self, entity: Entity) -> None:
        """Meets an entity that was loaded, or that is going to be loaded again."""
        self.meet(entity)
        if self._doubts is not None:
            self._doubts.load(entity)

    def streamed(self, entity: E) -> E:
        """`known`, of one of many that a loop goes through.

        It is forgotten, later, where it is as it was and nobody has it any more: nobody could change it then.
        """
        place = type(entity), _core.identity(entity)
        known = self.entities.get(place)
        if known is not None:
            return known  # type: ignore[return-value]  (of the same class)
        self.entities[place] = entity
        if id(entity) not in self.met:
            self.met[id(entity)] = entity, dirty(entity) if _core.is_changed(entity) else _NOTHING
            if self._streamed is None:
                self._streamed, self._sweep_at = [], SWEPT
            elif len(self._streamed) >= self._sweep_at:
                self._sweep(self._streamed)
            self._streamed.append((place, weakref.ref(entity)))
            if self._doubts is not None:
                self._doubts.load(entity)
        return entity

    def _sweep(self, streamed: list[_Streamed]) -> None:
        left = self._unchanged(streamed)
        streamed.clear()
        for key, place, reference in left:
            entity = reference()
            if entity is not None:
                self.met[id(entity)] = entity, _NOTHING
                self.entities.setdefault(place, entity)
                streamed.append((place, reference))
            elif self._doubts is not None:
                self._doubts.leave(key)
        self._sweep_at = max(SWEPT, 2 * len(streamed))

    def _unchanged(self, streamed: list[_Streamed]) -> list[tuple[int, *_Streamed]]:
        """Lets go of those that are as they were. One that was changed stays, as one that is loaded by itself."""
        left: list[tuple[int, *_Streamed]] = []
        for place, reference in streamed:
            entity = reference()
            known = None if entity is None else self.met.get(id(entity))
            if entity is not None and known is not None and not known[1] and not _core.is_changed(entity):
                del self.met[id(entity)]
                if self.entities.get(place) is entity:
                    del self.entities[place]
                left.append((id(entity), place, reference))
        return left

    def newest(self, entity: E) -> E:
        """`known`, which has the values of what was loaded, unless it has changes of its own."""
        known = self.known(entity)
        if known is not entity and not _core.is_changed(known):
            self.loaded(known)
            renew(known, entity)
        return known

    def write_many(self, entity_class: type[Entity]) -> None:
        """A query is going to update entities of a class."""
        self._doubts = self._doubts or Doubts()
        self._doubts.write(entity_class)

    def begin_session(self) -> None:
        """A session is going to write, now or later."""
        self._doubts = self._doubts or Doubts()
        self._doubts.begin_session()

    def forget(self, entity_class: type[Entity]) -> None:
        """Whoever loads entities of a class, after many were changed at once, gets them as they are now."""
        for cls, key in list(self.entities):
            if issubclass(cls, entity_class):
                del self.entities[cls, key]

    # --- What others have it do ---

    def on_commit(self, function: Callable[[], Any]) -> None:
        """Calls a function without arguments after the commit, outside of the unit; never where it is given up.

        A coroutine function is awaited; for that the unit has to be an async one.
        """
        self._after.append(function)

    def defer(
        self, coroutine: Coroutine[Any, Any, Any], run: Callable[[Any], Coroutine[Any, Any, Any]] | None = None
    ) -> Deferred:
        """Has an async unit await a coroutine, as a part of it, before it commits; its error is that of the unit.

        Where the unit, or the savepoint around it, is given up before that, it never runs.

        Args:
            coroutine: Not begun yet.
            run: What awaits it; None for nothing around it.
        """
        deferred = Deferred(coroutine, run)
        self._deferred.append(deferred)
        return deferred

    def announce(self, signal: LifecycleSignal, entity: Entity, changes: dict[str, tuple[Any, Any]]) -> None:
        """Sends a signal after the commit; its durable handlers have it in the transaction.

        Which handlers it is for is decided now: by then the entity may be another.
        """
        decided = signal.decide(entity) if signal.has_conditions else None
        self._after.append(Announcement(signal, entity, changes, decided, is_async=self.is_async))

    # --- Transactions ---

    def join(self, repository: Repository) -> None:
        """Begins the transaction of a repository that has transactions, where it is not begun.

        Raises:
            UnitOfWorkError: If there is one of another database already, or the unit is an async one.
        """
        if self.is_async:
            raise UnitOfWorkError(
                "inside of `async with UnitOfWork()` entities are stored by the verbs for async code, as `asave`: "
                "write `with UnitOfWork()` for `save`"
            )
        if self._transaction is None:
            if self.is_apart:
                repository.stand_apart()
            level = self.isolation
            transaction = repository.transaction() if level is None else repository.transaction(isolation=level)
            transaction.__enter__()
            self._with, self._transaction = repository, transaction
        elif repository is not self._with:
            self._check_scope(repository)

    async def ajoin(self, repository: Repository) -> None:
        """`join`, in an async unit."""
        if not self.is_async:
            raise UnitOfWorkError(
                "inside of `with UnitOfWork()` entities are stored by the verbs without an a, as `save`: "
                "write `async with UnitOfWork()` for `asave`"
            )
        if self._transaction is None:
            if self.is_apart:
                repository.stand_apart()
            level = self.isolation
            transaction = repository.atransaction() if level is None else repository.atransaction(isolation=level)
            self._begun = await transaction.__aenter__()
            self._with, self._transaction = repository, transaction
        elif repository is not self._with:
            self._check_scope(repository)

    def _check_scope(self, repository: Repository) -> None:
        if self._with is not None and self._with.transaction_scope is not repository.transaction_scope:
            raise UnitOfWorkError(
                "a unit of work is kept together in one database, and this one has changed another already: "
                "use one UnitOfWork after the other"
            )

    @property
    def _in_transaction(self) -> Repository | None:
        return self._with if self._transaction is not None else None

    def join_sql(self, where: Where | None) -> Any:
        """Joins the transaction of a repository, or that of the configured database; gives the repository."""
        chosen = self._chosen(where)
        self.join(chosen)
        self.begin_session()
        return chosen

    async def ajoin_sql(self, where: Where | None) -> Any:
        """`join_sql`, in an async unit."""
        chosen = self._chosen(where)
        await self.ajoin(chosen)
        self.begin_session()
        return chosen

    def _chosen(self, where: Any) -> Any:
        chosen = self._in_transaction if where is None else where
        if chosen is None:
            from ..backends.sql import SQLModelBackend

            return SQLModelBackend()
        about = ""
        if isinstance(chosen, EntityMeta):
            about = f", where {chosen.__name__} is,"
            chosen = repository_of(cast("type[Entity]", chosen))
        if not isinstance(chosen, Repository):
            raise TypeError(f"session takes a repository or a class of entities, got {chosen!r}")
        if not hasattr(chosen, "session"):
            raise UnitOfWorkError(f"{type(chosen).__name__}{about} has no sessions: name a repository of a database")
        return chosen

    def undo(self, function: Callable[[], None]) -> None:
        """Calls a function, the last one first, where the unit is given up."""
        self._undo.append(function)

    def hold(self, lock: AbstractContextManager[Any]) -> None:
        """Leaves a lock, which was entered, when what is changed under it is kept or given up."""
        if not self.is_open:
            lock.__exit__(None, None, None)
            return
        if self._held is None:
            self._held = AsyncExitStack() if self.is_async else ExitStack()
        self._held.push(lock)

    async def ahold(self, lock: AbstractAsyncContextManager[Any]) -> None:
        """`hold`, in an async unit."""
        if not self.is_open:
            await lock.__aexit__(None, None, None)
            return
        if self._held is None:
            self._held = AsyncExitStack()
        self._held.push_async_exit(lock)

    def _let_go(self) -> None:
        held, self._held = self._held, None
        held.close()

    async def _alet_go(self) -> None:
        held, self._held = self._held, None
        await held.aclose()

    def is_deleted(self, entity: Entity) -> bool:
        """Whether the record of an entity is to be deleted after the commit."""
        place = type(entity), _core.identity(entity)
        for write in reversed(self._later):
            if (type(write.entity), _core.original_identity(write.entity)) == place:
                return write.verb == "delete"
        return False

    def later(self, repository: Repository, verb: str, entity: Entity, options: dict[str, Any]) -> None:
        """Has a backend that cannot take anything back write after the commit of the others, what the entity is now."""
        self._later.append(Write(repository, verb, entity, options, dirty(entity)))

    # --- The beginning and the end ---

    def __enter__(self) -> Self:
        self._token = ambient.set(self)
        _core.hold_shortcuts()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        # Whoever ends it, the connection is given back.
        misuse = None if self.is_mine and ambient.get() is self else _ended_elsewhere()
        try:
            if error is not None or misuse is not None:
                self.rollback(error or misuse)
            elif self.joined or not self.is_idle:
                self.commit(is_over=True)
                self.warn_of_unsaved()
            elif self.met:
                self.warn_of_unsaved()
        finally:
            self._close()
            if self._held is not None:
                self._let_go()
        if misuse is not None and error is None:
            raise misuse

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        misuse = None if self.is_mine and ambient.get() is self else _ended_elsewhere()
        try:
            if error is not None or misuse is not None:
                await self.arollback(error or misuse)
            elif self.joined or not self.is_idle:
                await self.acommit(is_over=True)
                self.warn_of_unsaved()
            elif self.met:
                self.warn_of_unsaved()
        finally:
            self._close()
            if self._held is not None:
                await self._alet_go()
        if misuse is not None and error is None:
            raise misuse

    def _close(self) -> None:
        self.is_open = False
        # They know the unit, and would keep it and its entities until the collector comes.
        self.joined.clear()
        _core.release_shortcuts()
        try:  # noqa: SIM105 - that takes longer
            ambient.reset(self._token)
        except ValueError:
            pass  # this is another context, where it was never set

    def commit(self, *, is_over: bool = False) -> None:
        """Keeps what was changed, and does what is to be done after that.

        Args:
            is_over: Whether nothing follows.

        Raises:
            ExceptionGroup: If it is kept, and what came after that has failed.
        """
        has_more = bool(self._after or self._later or self._deferred or self._failed_inside)
        try:
            if has_more:
                self._check_kept()
                for announcement in self._announcements():
                    announcement.record()
            transaction = self._transaction
            if transaction is not None:
                self._transaction = None
                transaction.__exit__(None, None, None)
        except BaseException as error:
            self.rollback(error)
            raise
        self._undo.clear()
        if not is_over:
            # From here on, what is not saved again is as it is now.
            self.met = {id(entity): (entity, dirty(entity)) for entity, _ in self.met.values()}
            self._doubts = None
        if has_more:
            self._follow()
        elif self._held is not None:
            self._let_go()

    def _follow(self) -> None:
        """Does what comes after the commit."""
        writes, after = self._to_follow()
        errors: list[Exception] = []
        token = ambient.set(None)
        try:
            for write in writes:
                gather(errors, write.run)
            # What follows may want the same locks.
            if self._held is not None:
                gather(errors, self._let_go)
            for function in after:
                gather(errors, function)
        finally:
            ambient.reset(token)
        raise_all(errors)

    async def acommit(self, *, is_over: bool = False) -> None:
        """`commit`, of an async unit.

        Where the task is cancelled while the database commits, and that is kept, it is done as ever, and what comes
        after it too, to the end; CancelledError is raised then.
        """
        has_more = bool(self._after or self._later or self._deferred or self._failed_inside)
        cancelled: asyncio.CancelledError | None = None
        try:
            if has_more:
                while self._deferred:
                    await self._deferred.pop(0)
                self._check_kept()
                for announcement in self._announcements():
                    await announcement.arecord()
                # Their events are among them.
                while self._deferred:
                    await self._deferred.pop(0)
            transaction = self._transaction
            if transaction is not None:
                self._transaction = None
                try:
                    await transaction.__aexit__(None, None, None)
                except asyncio.CancelledError as error:
                    if not getattr(self._begun, "is_kept", False):
                        raise
                    cancelled = error
        except BaseException as error:
            await self.arollback(error)
            raise
        self._undo.clear()
        if not is_over:
            # From here on, what is not saved again is as it is now.
            self.met = {id(entity): (entity, dirty(entity)) for entity, _ in self.met.values()}
            self._doubts = None
        if has_more or self._held is not None:
            await self._afollow(cancelled)
        elif cancelled is not None:
            raise cancelled

    async def _afollow(self, cancelled: asyncio.CancelledError | None) -> None:
        """`_follow`, of an async unit, though the task is cancelled."""
        writes, after = self._to_follow()
        errors: list[Exception] = []
        token = ambient.set(None)
        try:
            late = [cancelled, await all_of(errors, [write.arun for write in writes])]
            if self._held is not None:
                try:
                    await agather(errors, self._alet_go)
                except asyncio.CancelledError as error:
                    late.append(error)
            late.append(await all_of(errors, after))
        finally:
            ambient.reset(token)
        cancelled = next(filter(None, late), None)
        if cancelled is None:
            raise_all(errors)
            return
        if errors:
            _log.error(FAILED_AFTER, exc_info=ExceptionGroup(FAILED_AFTER, errors))
        raise cancelled

    def rollback(self, error: BaseException | None = None) -> None:
        """Takes back what was changed."""
        transaction, self._transaction = self._transaction, None
        try:
            if transaction is not None:
                _exit(transaction, error or _GivenUp())
        finally:
            self.take_back()
        if self._held is not None:
            self._let_go()

    async def arollback(self, error: BaseException | None = None) -> None:
        """`rollback`, of an async unit."""
        transaction, self._transaction = self._transaction, None
        try:
            if transaction is not None:
                await _aexit(transaction, error or _GivenUp())
        finally:
            self.take_back()
        if self._held is not None:
            await self._alet_go()

    def fail_inside(self) -> None:
        """A unit that is nested in this one has failed: nothing can be kept any more."""
        self._failed_inside = True

    def _check_kept(self) -> None:
        if self._failed_inside:
            raise UnitOfWorkError(
                "a UnitOfWork inside of this one has failed, so nothing of it can be kept: let its error end this one "
                "too, or use `with uow.savepoint()` for what may fail"
            )

    @property
    def is_idle(self) -> bool:
        """Whether no repository was asked for anything, no transaction begun, and nothing is to be done at the end."""
        return not (self.joined or self._transaction or self._after or self._deferred or self._failed_inside)

    @property
    def has_stored(self) -> bool:
        """Whether something is stored that has been told, and that no transaction takes back."""
        return self._transaction is None and bool(self._after)

    def _announcements(self) -> list[Announcement]:
        return [function for function in self._after if isinstance(function, Announcement)]

    def _to_follow(self) -> tuple[list[Write], list[Callable[[], Any]]]:
        """What is to be done after the commit; it is the unit's no more."""
        writes: list[Write] = []
        #: Where the last one is of each entity.
        places: dict[int, int] = {}
        for write in self._later:
            place = places.get(id(write.entity))
            if place is not None and writes[place].verb == write.verb:
                writes[place] = write
            else:
                places[id(write.entity)] = len(writes)
                writes.append(write)
        self._later = []
        after, self._after = self._after, []
        return writes, after

    def take_back(self, mark: Mark | None = None) -> None:
        """Lets backends and entities forget what they were told since the beginning, or since a savepoint.

        Everything is tried, whatever fails; the first error is raised at the end.
        """
        since = mark or Mark(0, 0, 0, 0, 0, False, {})
        errors: list[Exception] = []
        for deferred in self._deferred[since.deferred :]:
            deferred.close()
        del self._deferred[since.deferred :]
        del self._later[since.later :]
        del self._after[since.after :]
        self._failed_inside = since.failed_inside
        lost = set[int]() if self._doubts is None else self._doubts.take_back(since.doubts)
        if mark is None:
            self._doubts = None
        met = list(self.met.values()) if self.reverts else []
        # What was only assigned gives its place in unique indexes free for what was saved.
        for entity, _ in met:
            if _core.is_changed(entity):
                gather([], partial(_core.revert_changes, entity))
        while len(self._undo) > since.undo:
            gather(errors, self._undo.pop())
        self.entities.clear()
        for entity, before in met:
            if _core.is_changed(entity):
                gather(errors, partial(_core.revert_changes, entity))
            _, unsaved = since.unsaved.get(id(entity), (entity, before))
            if unsaved:
                gather(errors, partial(put_back, entity, unsaved))
            if id(entity) in lost:
                disown(entity)
            elif _core.version(entity):
                self.entities[type(entity), _core.identity(entity)] = entity
        if errors:
            raise errors[0]

    def warn_of_unsaved(self) -> None:
        """Warns of what was changed and not saved, and is no record itself."""
        for entity, _ in self.met.values():
            if _core.is_changed(entity) and _core.version(entity) and not repository_of(type(entity)).capabilities.live:
                fields = ", ".join(_core.changes(entity))
                warn(
                    f"{type(entity).__name__} {_core.original_identity(entity)!r} was changed in a unit of work and "
                    f"not saved ({fields}): call its save(), or revert_changes()"
                )

    def mark(self) -> Mark:
        """Where it is now, for a savepoint."""
        unsaved = {key: (entity, dirty(entity)) for key, (entity, _) in self.met.items()}
        return Mark(
            len(self._undo),
            len(self._later),
            len(self._after),
            len(self._deferred),
            0 if self._doubts is None else self._doubts.count,
            self._failed_inside,
            unsaved,
        )

    @contextmanager
    def savepoint(self) -> Generator[None]:
        """What is changed inside is taken back where it ends with an exception, and the rest of the unit stays."""
        mark, repository = self.mark(), self._in_transaction
        try:
            if repository is None:
                yield
            else:
                with repository.savepoint():
                    yield
        except BaseException as error:
            if repository is None and self._transaction is not None:
                # It was begun inside, so all of it goes.
                transaction, self._transaction = self._transaction, None
                _exit(transaction, error)
            self.take_back(mark)
            raise

    @asynccontextmanager
    async def asavepoint(self) -> AsyncGenerator[None]:
        """`savepoint`, in an async unit."""
        mark, repository = self.mark(), self._in_transaction
        begun: object = None
        try:
            if repository is None:
                yield
            else:
                async with repository.asavepoint() as begun:
                    yield
        except BaseException as error:
            if getattr(begun, "is_kept", False):
                # The task is cancelled as it ends.
                raise
            if repository is None and self._transaction is not None:
                transaction, self._transaction = self._transaction, None
                await _aexit(transaction, error)
            self.take_back(mark)
            raise


class Mark(NamedTuple):
    """How far a unit of work has come."""

    undo: int
    later: int
    after: int
    deferred: int
    doubts: int
    failed_inside: bool
    #: {id: (entity, the values that are not saved)} of each that was met.
    unsaved: dict[int, tuple[Entity, dict[str, Any]]]


class _GivenUp(Exception):
    """A unit of work is given up by its own program."""


def _ended_elsewhere() -> UnitOfWorkError:
    return UnitOfWorkError(
        "a unit of work has to end in the task, and the thread, that has entered it, and this one was left to another: "
        "nothing of it is kept, and what was saved meanwhile was no part of it; do not leave it to a generator that "
        "others finish, such as a dependency of FastAPI that is no `async def`"
    )


def _exit(transaction: AbstractContextManager[Any], error: BaseException) -> None:
    try:
        transaction.__exit__(type(error), error, error.__traceback__)
    except BaseException as raised:
        if raised is not error:
            raise


async def _aexit(transaction: AbstractAsyncContextManager[Any], error: BaseException) -> None:
    try:
        await transaction.__aexit__(type(error), error, error.__traceback__)
    except BaseException as raised:
        if raised is not error:
            raise
