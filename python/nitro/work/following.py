"""What comes before and after the commit of a unit of work: coroutines, writes, signals, functions of the program."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine, Generator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from .._tasks import settled
from ..entity import Entity
from ..errors import UnitOfWorkError
from ..repository import Repository
from .unsaved import as_it_was

if TYPE_CHECKING:
    from ..events import LifecycleSignal

FAILED_AFTER = "the unit of work is committed, and what came after that has failed"


class AfterCommit(ExceptionGroup[Exception]):
    """What came after the commit of a unit of work has failed: the unit is kept, so nothing of it may run anew."""

    def derive(self, excs: Sequence[Any], /) -> AfterCommit:
        return AfterCommit(self.message, excs)


class Deferred:
    """A coroutine that a unit of work awaits before it commits, or whoever needs it earlier."""

    __slots__ = ("_around", "_coroutine", "_error", "_result")

    def __init__(
        self, coroutine: Coroutine[Any, Any, Any], run: Callable[[Any], Coroutine[Any, Any, Any]] | None
    ) -> None:
        self._coroutine: Coroutine[Any, Any, Any] | None = coroutine
        self._around = run
        self._result: Any = None
        self._error: BaseException | None = None

    def close(self) -> None:
        """It is not wanted any more."""
        coroutine, self._coroutine = self._coroutine, None
        if coroutine is not None:
            coroutine.close()

    async def _run(self) -> Any:
        coroutine, self._coroutine = self._coroutine, None
        if coroutine is not None:
            try:
                self._result = await (coroutine if self._around is None else self._around(coroutine))
            except BaseException as error:
                self._error = error
                raise
        if self._error is not None:
            raise self._error
        return self._result

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._run().__await__()


class Write(NamedTuple):
    """What a backend writes after the commit."""

    repository: Repository
    verb: str
    entity: Entity
    options: dict[str, Any]
    #: What was changed in the entity when it was saved: it may have gone on since.
    values: dict[str, Any]

    def run(self) -> None:
        with as_it_was(self.entity, self.values):
            getattr(self.repository, self.verb)(self.entity, **self.options)

    async def arun(self) -> None:
        with as_it_was(self.entity, self.values):
            await getattr(self.repository, f"a{self.verb}")(self.entity, **self.options)


class Announcement:
    """What an entity went through, which a signal tells after the commit."""

    __slots__ = ("_changes", "_decided", "_entity", "_is_async", "_signal")

    def __init__(
        self,
        signal: LifecycleSignal,
        entity: Entity,
        changes: dict[str, tuple[Any, Any]],
        decided: Any,
        *,
        is_async: bool,
    ) -> None:
        self._signal, self._entity, self._changes, self._is_async = signal, entity, changes, is_async
        self._decided = decided

    def record(self) -> None:
        """Keeps the event for the durable handlers."""
        self._signal.record(self._entity, self._decided, changes=self._changes)

    async def arecord(self) -> None:
        """`record`, for async code."""
        await self._signal.arecord(self._entity, self._decided, changes=self._changes)

    def __call__(self) -> Any:
        tell = self._signal.atell if self._is_async else self._signal.tell
        return tell(self._entity, self._decided, changes=self._changes)


def gather(errors: list[Exception], function: Callable[[], Any]) -> None:
    try:
        answer = function()
    except Exception as error:  # noqa: BLE001 - raised in a group, after the others
        errors.append(error)
        return
    if inspect.iscoroutine(answer):
        answer.close()
        errors.append(
            UnitOfWorkError(f"{function!r} is async: only `async with UnitOfWork()` can await it after the commit")
        )


async def agather(errors: list[Exception], function: Callable[[], Any]) -> None:
    try:
        answer = function()
        if inspect.isawaitable(answer):
            await answer
    except Exception as error:  # noqa: BLE001 - raised in a group, after the others
        errors.append(error)


async def all_of(errors: list[Exception], functions: Sequence[Callable[[], Any]]) -> asyncio.CancelledError | None:
    """Calls functions to the last one; gives what the task was cancelled by meanwhile."""
    if not functions:
        return None

    async def call() -> None:
        for function in functions:
            await agather(errors, function)

    # In a task of its own: whoever is cancelled may be so at whatever it awaits.
    following = asyncio.ensure_future(call())
    cancelled = await settled(following)
    following.result()
    return cancelled


def raise_all(errors: list[Exception]) -> None:
    if errors:
        raise AfterCommit(FAILED_AFTER, errors)
