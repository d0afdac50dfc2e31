"""Units of work: what is changed inside of one is kept together, or not at all.

`UnitOfWork` is what programs write. Behind it there is one `Unit` for all that are nested in one another: it holds the
transaction, the entities that it has met, and what is to be done after the commit. The verbs of entities know nothing
of it: while a unit is going on, a `Joined` stands in for each repository that they talk to.
"""

from __future__ import annotations

import asyncio
import inspect
import random
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator
from functools import wraps
from types import TracebackType
from typing import Any, NoReturn, Self, TypeVar, cast

from ..errors import StaleEntityError, UnitOfWorkError, WriteConflict
from .arguments import remembered
from .following import AfterCommit
from .handles import AsyncEntities, AsyncWork, Entities, Work
from .joined import Part, entering, is_alone
from .unit import Unit, ambient, current

__all__ = [
    "AsyncEntities",
    "AsyncWork",
    "Attempt",
    "Entities",
    "Part",
    "Unit",
    "UnitOfWork",
    "Work",
    "attempts",
    "current",
    "entering",
    "is_alone",
]

F = TypeVar("F", bound=Callable[..., Any])

#: Seconds: about how long the first repetition waits; each further one twice as long.
_PAUSE = 0.002

#: As the SQL standard calls them.
ISOLATION_LEVELS = ("read committed", "repeatable read", "serializable")

_CONFLICTS = (StaleEntityError, WriteConflict)


class UnitOfWork:
    """What is changed inside is kept together, or not at all.

    It is kept at the end, or by `commit()`. When an exception leaves it, or by `rollback()`, it is taken back: the
    transaction of the database, what the memory store was told, and the values of the entities. One unit inside of
    another is part of it: the outermost decides. It is kept together within one SQL database; other backends follow
    after the commit, and a second database with transactions is refused.

    Inside, there is one object for each record that is loaded. The signals of `nitro.events` that tell of stored
    entities are sent after the commit.

    It belongs to the task, or thread, that has entered it.

    Args:
        retries: How often a function that is decorated with it runs anew when others were quicker, that is, on
            StaleEntityError and WriteConflict. Not for `with`, which cannot run its block anew.
        isolation: "read committed", "repeatable read" or "serializable"; None takes what the database does by itself.

    Raises:
        UnitOfWorkError: If it is used by another task, or `with` is to retry.

    Example:
        >>> with nitro.UnitOfWork() as uow:
        ...     order = uow.orders.save(Order(customer_name="Ann"))
        >>> Order.get(order.id).customer_name
        'Ann'
    """

    __slots__ = ("_isolation", "_retries", "_unit")

    def __init__(self, *, retries: int = 0, isolation: str | None = None) -> None:
        if retries < 0:
            raise ValueError(f"retries takes a number from 0 on, got {retries}")
        if isolation not in (None, *ISOLATION_LEVELS):
            raise ValueError(f"isolation takes one of {', '.join(ISOLATION_LEVELS)}, got {isolation!r}")
        self._retries, self._isolation = retries, isolation
        self._unit: Unit | Part | None = None

    def _refuse(self) -> NoReturn:
        if self._unit is not None:
            raise UnitOfWorkError("this UnitOfWork is going on already: make another for what is inside of it")
        raise UnitOfWorkError(
            "a block cannot be run anew: use @UnitOfWork(retries=...) on a function, or @command(retry=...)"
        )

    def __enter__(self) -> Work:
        if self._unit is not None or self._retries:
            self._refuse()
        unit = self._unit = entering(is_async=False, isolation=self._isolation)
        return Work(unit.__enter__(), is_inner=type(unit) is Part)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        unit, self._unit = self._unit, None
        assert unit is not None, "it was entered"
        unit.__exit__(kind, error, traceback)

    async def __aenter__(self) -> AsyncWork:
        if self._unit is not None or self._retries:
            self._refuse()
        unit = self._unit = entering(is_async=True, isolation=self._isolation)
        return AsyncWork(unit.__enter__(), is_inner=type(unit) is Part)

    # No coroutine around that of the unit: each takes its time.
    def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> Coroutine[Any, Any, None]:
        unit, self._unit = self._unit, None
        assert unit is not None, "it was entered"
        return unit.__aexit__(kind, error, traceback)

    def __call__(self, function: F) -> F:
        """Runs each call of a function in a unit of work, anew where others were quicker; coroutine functions too.

        Each run gets the arguments as they were given: what a run has changed in lists, dictionaries, sets, models and
        dataclasses is put back before the next one. It does not run anew when it has stored an entity that was loaded
        outside of it, which is as old as before, or when an argument is an iterator, which can be read once.
        """
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise UnitOfWorkError(
                f"{function.__qualname__} is a generator, which would run after its unit of work: "
                "write `with UnitOfWork()` inside of it"
            )
        retries, isolation = self._retries, self._isolation

        if inspect.iscoroutinefunction(function):

            @wraps(function)
            async def arun(*arguments: Any, **keywords: Any) -> Any:
                for attempt in attempts(retries, (*arguments, *keywords.values())):
                    with attempt:
                        async with entering(is_async=True, isolation=isolation) as attempt.unit:
                            return await function(*arguments, **keywords)
                    await asyncio.sleep(attempt.pause)
                raise AssertionError("unreachable: the last attempt returns or raises")

            return arun  # type: ignore[return-value]

        @wraps(function)
        def run(*arguments: Any, **keywords: Any) -> Any:
            for attempt in attempts(retries, (*arguments, *keywords.values())):
                with attempt, entering(is_async=False, isolation=isolation) as attempt.unit:
                    return function(*arguments, **keywords)
                time.sleep(attempt.pause)
            raise AssertionError("unreachable: the last attempt returns or raises")

        return run  # type: ignore[return-value]


class Attempt:
    """One run of what is repeated when others were quicker: their errors end here, but for the last run.

    Attributes:
        pause: Seconds to wait before the next one.
        unit: The unit of work of the run; None where nobody has said.
    """

    __slots__ = ("_is_last", "pause", "unit")

    def __init__(self, number: int, *, is_last: bool) -> None:
        self._is_last = is_last
        self.unit: Unit | None = None
        # Those who were in each other's way do not meet again at once.
        self.pause = _PAUSE * 2**number * random.random()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: Any) -> bool:
        can_run_anew = self.unit is None or self.unit.can_run_anew
        return error is not None and not self._is_last and can_run_anew and is_conflict(error)


def is_conflict(error: BaseException) -> bool:
    """Whether an error says that others were quicker: itself, or as a group of such errors, as `asyncio.TaskGroup`
    raises it, with tasks that were cancelled for them among them. What has failed after a commit says no such thing."""
    if not isinstance(error, BaseExceptionGroup):
        return isinstance(error, _CONFLICTS)
    if isinstance(error, AfterCommit):
        return False
    inside = cast("BaseExceptionGroup[BaseException]", error).exceptions
    others = [one for one in inside if not isinstance(one, asyncio.CancelledError)]
    if len(others) < len(inside) and _is_cancelled():
        return False
    return bool(others) and all(map(is_conflict, others))


def _is_cancelled() -> bool:
    """Whether somebody wants the running task to end."""
    loop = asyncio._get_running_loop()
    task = None if loop is None else asyncio.current_task(loop)
    return task is not None and task.cancelling() > 0


def attempts(retries: int, arguments: Iterable[Any] = ()) -> Iterator[Attempt]:
    """The runs of what may be repeated `retries` times.

    Just one inside of a unit of work, as only the whole of it could run anew.

    Args:
        retries: How often it may run anew.
        arguments: What each run gets, as it was given; where one of them can be read only once, there is just one run.
    """
    outer = ambient.get()
    put_back: Callable[[], None] | None = None
    if retries and not (outer is not None and outer.is_open and outer.is_mine):
        put_back = remembered(arguments)
    count = 0 if put_back is None else retries
    for number in range(count + 1):
        if number and put_back is not None:
            put_back()
        yield Attempt(number, is_last=number == count)
