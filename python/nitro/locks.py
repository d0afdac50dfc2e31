"""Locks by keys, for threads and tasks alike, which see when they would wait for one another for ever."""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from itertools import takewhile
from typing import Any, NamedTuple, TypeVar, cast

from .errors import NitroError, WriteConflict

T = TypeVar("T", "threading.Event", "_Turn")


class _KeyLock:
    """A lock that somebody has, and those who wait for it, each with what tells them that it is theirs."""

    __slots__ = ("depth", "owner", "waiting")

    def __init__(self, owner: object) -> None:
        self.owner = owner
        self.depth = 1
        self.waiting: deque[tuple[object, threading.Event | _Turn]] = deque()


class _Wait(NamedTuple):
    """What somebody waits for."""

    lock: _KeyLock
    #: The thread that they run in.
    thread: int
    #: The event loop that goes on only when they do; None where it goes on meanwhile, or there is none.
    stops: object


# Those who wait for one another may do so for locks of several repositories, so all of them are seen together.
_guard = threading.Lock()
#: {who has a lock: how many}
_held: dict[object, int] = {}
_waits: dict[object, _Wait] = {}


class KeyLocks:
    """A lock for each key that somebody wants, for as long as somebody does.

    Threads and the tasks of event loops wait for one another, in the order in which they came. Whoever has the lock may
    take it again: the task, or the thread outside of any task. Who would wait for somebody who waits for them is told.

    Args:
        describe: What the lock of a key is called in errors.
    """

    def __init__(self, describe: Callable[[Any], str] = repr) -> None:
        self._describe = describe
        self._locks: dict[Any, _KeyLock] = {}

    @contextmanager
    def hold(self, key: Any) -> Generator[None]:
        """Waits until nobody else holds the lock of this key, and holds it.

        Raises:
            WriteConflict: If whoever holds it waits for a lock that is held here.
            NitroError: If a task of the event loop that would have to stop meanwhile holds it.
        """
        me = _running()
        turn = self._take(key, me, threading.Event)
        if turn is not None:
            try:
                turn.wait()
            except BaseException:
                self._leave(key, me, turn)
                raise
        try:
            yield
        finally:
            self._give(key)

    @asynccontextmanager
    async def ahold(self, key: Any) -> AsyncGenerator[None]:
        """`hold`, for async code: the event loop goes on meanwhile."""
        me = _running()
        turn = self._take(key, me, _Turn)
        if turn is not None:
            try:
                await turn.wait()
            except BaseException:
                self._leave(key, me, turn)
                raise
        try:
            yield
        finally:
            self._give(key)

    def _take(self, key: Any, me: object, turns: type[T]) -> T | None:
        """What to wait for; None where the lock is ours at once."""
        with _guard:
            lock = self._locks.get(key)
            if lock is None:
                self._locks[key] = _KeyLock(me)
                _held[me] = _held.get(me, 0) + 1
                return None
            if lock.owner == me:
                lock.depth += 1
                return None
            wait = _Wait(lock, threading.get_ident(), None if turns is _Turn else _running_loop())
            refusal = _refusal(me, wait)
            if refusal is None:
                turn = turns()
                lock.waiting.append((me, turn))
                _waits[me] = wait
                return turn
        kind, why = refusal
        raise kind(f"{self._describe(key)} {why}")

    def _give(self, key: Any) -> None:
        with _guard:
            lock = self._locks[key]
            lock.depth -= 1
            if lock.depth:
                return
            count = _held.pop(lock.owner) - 1
            if count:
                _held[lock.owner] = count
            while lock.waiting:
                lock.owner, turn = lock.waiting.popleft()
                _waits.pop(lock.owner, None)
                try:
                    turn.set()
                except RuntimeError:
                    continue  # its event loop is closed
                lock.depth = 1
                _held[lock.owner] = _held.get(lock.owner, 0) + 1
                return
            del self._locks[key]

    def _leave(self, key: Any, me: object, turn: threading.Event | _Turn) -> None:
        """Somebody waits no longer; the lock may be theirs already."""
        with _guard:
            lock = self._locks.get(key)
            is_ours = lock is not None and lock.owner == me
            if lock is not None and (me, turn) in lock.waiting:
                lock.waiting.remove((me, turn))
                _waits.pop(me, None)
        if is_ours:
            self._give(key)


def _refusal(me: object, wait: _Wait) -> tuple[type[NitroError], str] | None:
    """Why somebody may not wait: it would be for ever."""
    if me not in _held and wait.thread not in _held and wait.stops is None:
        # Nobody waits for them.
        return None
    stopped = {other.stops: waiter for waiter, other in _waits.items() if other.stops is not None}
    inside: dict[int, list[object]] = {}
    for waiter, other in _waits.items():
        inside.setdefault(other.thread, []).append(waiter)
    found: tuple[type[NitroError], str] | None = None
    seen: set[object] = set()
    # Who comes before in the queue has to come to an end, too.
    waiting = [wait.lock.owner, *(other for other, _ in wait.lock.waiting)]
    while waiting:
        other = waiting.pop()
        if other == me:
            return WriteConflict, _DEADLOCK
        if other in seen:
            continue
        seen.add(other)
        its = _waits.get(other)
        if its is not None and its.lock is not wait.lock:
            waiting.append(its.lock.owner)
            waiting += takewhile(lambda one, other=other: one != other, (one for one, _ in its.lock.waiting))
        if isinstance(other, int):
            if other == wait.thread:
                return (NitroError, _AROUND_THE_LOOP) if other == wait.lock.owner else (WriteConflict, _DEADLOCK)
            # It goes on when the event loop that it runs has ended.
            waiting += inside.get(other, ())
        else:
            loop = cast("Any", other).get_loop()
            if loop is wait.stops:
                found = NitroError, _IN_THE_LOOP
            elif loop in stopped:
                waiting.append(stopped[loop])
    return found


_DEADLOCK = (
    "is locked by another thread or task, which waits for what this one has locked (a deadlock): this one is given up, "
    "repeat it (@command(retry=...) does), and lock in the same order everywhere"
)
_IN_THE_LOOP = (
    "is locked, and another task of this event loop has to go on before it is not, which it could not while this one "
    "waits: lock it by `async with ...alocked(...)`, which lets the others go on"
)
_AROUND_THE_LOOP = (
    "is locked, and this thread has it locked outside of the event loop that it runs, to whose end it is kept: "
    "lock it inside of the loop, or outside, and not in both"
)


class _Turn:
    """What `threading.Event` is, for a task."""

    def __init__(self) -> None:
        import asyncio

        self._loop = asyncio.get_running_loop()
        self._future = self._loop.create_future()

    def set(self) -> None:
        """Lets the task go on. From any thread.

        Raises:
            RuntimeError: If the event loop is closed.
        """
        self._loop.call_soon_threadsafe(self._go_on)

    def _go_on(self) -> None:
        if not self._future.done():
            self._future.set_result(None)

    async def wait(self) -> None:
        """Waits until it is set."""
        await self._future


def _running_loop() -> object:
    asyncio: Any = sys.modules.get("asyncio")
    return None if asyncio is None else asyncio._get_running_loop()


def _running() -> object:
    """Who is running: the task; outside of any the number of the thread."""
    asyncio: Any = sys.modules.get("asyncio")
    if asyncio is not None and asyncio._get_running_loop() is not None:
        task = asyncio.current_task()
        if task is not None:
            return task
    return threading.get_ident()


def _forked() -> None:
    global _guard
    _guard = threading.Lock()


os.register_at_fork(after_in_child=_forked)
