"""Connections to a database, taken and given back."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ...errors import BackendUnavailable

C = TypeVar("C")

#: What a process had open when this one was forked from it: to close it here would end it there.
OF_THE_PARENT: list[Any] = []


@dataclass(frozen=True, slots=True)
class Gauges:
    """How many connections there are.

    Attributes:
        open: Those that count towards the size of the pool.
        idle: Those of them that nobody has.
        waiting: How many wait for one.
        apart: Those that are read for long, beside the others.
    """

    open: int
    idle: int
    waiting: int
    apart: int


class Pool(Generic[C]):
    """At most `size` connections, the one that was used last given first. Safe from any thread.

    Args:
        connect: Makes a connection.
        is_alive: Whether an idle connection can be used; one that cannot is closed.
        close: Closes a connection.
        size: How many there are at most.
        timeout: Seconds to wait for one.
        name: The database, for errors.
    """

    def __init__(
        self,
        connect: Callable[[], C],
        is_alive: Callable[[C], bool],
        close: Callable[[C], None],
        *,
        size: int,
        timeout: float,
        name: str,
    ) -> None:
        self._connect, self._is_alive, self._close = connect, is_alive, close
        self.size, self.timeout, self.name = size, timeout, name
        # Taking and giving back are single steps of the interpreter; the lock is for whoever has to wait or connect.
        self._idle: list[C] = []
        self._changed = threading.Condition(threading.Lock())
        self._open = 0
        self._apart = 0
        self._waiting = 0
        self._tasks: deque[tuple[asyncio.AbstractEventLoop, asyncio.Future[C | None]]] = deque()
        self._closed = False

    def take(self) -> C:
        """A connection that nobody else has until it is given back or dropped.

        Raises:
            BackendUnavailable: If the database cannot be reached, or all connections stay taken.
        """
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                found = self._open_or_wait()
                if found is None:
                    return self._connected()
                connection = found
            if self._is_alive(connection):
                return connection
            self.drop(connection)

    async def atake(self) -> C:
        """`take` for a task, whose event loop goes on meanwhile. Making a connection must take no time."""
        while True:
            connection = self.take_idle()
            if connection is not None:
                return connection
            loop = asyncio.get_running_loop()
            handed: asyncio.Future[C | None] = loop.create_future()
            with self._changed:
                if self._open < self.size:
                    self._open += 1
                    self._closed = False
                    handed.set_result(None)
                else:
                    self._tasks.append((loop, handed))
                    # Somebody may have given one back without the lock, before there was anybody to see.
                    self._hand_on()
            try:
                async with asyncio.timeout(self.timeout):
                    connection = await handed
            except BaseException as error:
                if handed.done() and not handed.cancelled():
                    # It came, and the task was ended before it had it.
                    self._pass_on(handed.result())
                if isinstance(error, TimeoutError):
                    raise _all_taken(self.name, self.size, self.timeout) from None
                raise
            if connection is None:
                return self._connected()
            if self._is_alive(connection):
                return connection
            self.drop(connection)

    def _hand_on(self) -> None:
        """Gives what is there to tasks that wait; called with the lock held."""
        while self._tasks and (self._idle or self._open < self.size):
            loop, handed = self._tasks.popleft()
            connection = None
            if self._idle:
                try:
                    connection = self._idle.pop()
                except IndexError:
                    self._tasks.appendleft((loop, handed))
                    continue
            else:
                self._open += 1
            try:
                loop.call_soon_threadsafe(self._hand, handed, connection)
            except RuntimeError:  # the loop is closed
                self._return(connection)

    def _hand(self, handed: asyncio.Future[C | None], connection: C | None) -> None:
        if not handed.done():
            handed.set_result(connection)
        else:
            self._pass_on(connection)

    def _pass_on(self, connection: C | None) -> None:
        """Gives what nobody has taken to the next."""
        if connection is not None:
            self.give(connection)
            return
        with self._changed:
            self._return(None)
            self._hand_on()

    def _return(self, connection: C | None) -> None:
        if connection is None:
            self._open -= 1
            self._changed.notify()
        else:
            self._idle.append(connection)

    @property
    def free(self) -> int:
        """How many can be had without waiting for somebody."""
        return len(self._idle) + self.size - self._open

    def take_idle(self) -> C | None:
        """A connection that is there already; None where there is none."""
        try:
            connection = self._idle.pop()
        except IndexError:
            return None
        if self._is_alive(connection):
            return connection
        self.drop(connection)
        return None

    def give(self, connection: C) -> None:
        """Gives a connection back."""
        self._idle.append(connection)
        if self._waiting or self._tasks or self._closed:
            with self._changed:
                self._changed.notify()
                self._hand_on()
            if self._closed:
                self.close()

    def drop(self, connection: C) -> None:
        """Closes a connection that is of no use any more."""
        with self._changed:
            self._open -= 1
            self._changed.notify()
            self._hand_on()
        self._close(connection)

    def set_apart(self, connection: C) -> None:  # noqa: ARG002  (they are only counted)
        """Takes a connection that stays taken for long out of the count: others may wait for none meanwhile."""
        with self._changed:
            self._open -= 1
            self._apart += 1
            self._changed.notify()
            self._hand_on()

    def take_back(self, connection: C, *, is_usable: bool = True) -> None:
        """Gives a connection back that was set apart; it is closed where it is of no use, or has no room any more."""
        with self._changed:
            is_kept = is_usable and self._open < self.size and not self._closed
            self._open += is_kept
            self._apart -= 1
        if is_kept:
            self.give(connection)
        else:
            self._close(connection)

    def close(self) -> None:
        """Closes every idle connection, and each other one when it is given back."""
        self._closed = True
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return
            self.drop(connection)

    def forked(self, *, keep: bool = False) -> None:
        """In a child process: leaves the connections to the parent, or keeps those that can be had twice."""
        idle, self._idle = self._idle, []
        (self._idle if keep else OF_THE_PARENT).extend(idle)
        self._open, self._apart, self._waiting = len(self._idle), 0, 0
        # Threads that had or awaited them are not here.
        self._tasks.clear()
        self._changed = threading.Condition(threading.Lock())

    @property
    def gauges(self) -> Gauges:
        """How many connections there are now."""
        return Gauges(self._open, len(self._idle), self._waiting + len(self._tasks), self._apart)

    def _open_or_wait(self) -> C | None:
        """A connection that somebody gave back; None where the caller may open one, which is counted already."""
        deadline = time.monotonic() + self.timeout
        with self._changed:
            self._waiting += 1
            try:
                while True:
                    if self._idle:
                        try:
                            return self._idle.pop()
                        except IndexError:
                            pass  # somebody who did not have to wait was quicker
                    if self._open < self.size:
                        self._open += 1
                        self._closed = False
                        return None
                    left = deadline - time.monotonic()
                    if left <= 0:
                        raise _all_taken(self.name, self.size, self.timeout)
                    self._changed.wait(left)
            finally:
                self._waiting -= 1

    def _connected(self) -> C:
        try:
            return self._connect()
        except BaseException:
            with self._changed:
                self._open -= 1
                self._changed.notify()
            raise


class AsyncPool(Generic[C]):
    """The same, for the tasks of one event loop."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[C]],
        is_alive: Callable[[C], bool],
        close: Callable[[C], None],
        *,
        size: int,
        timeout: float,
        name: str,
    ) -> None:
        self._connect, self._is_alive, self._close = connect, is_alive, close
        self.size, self.timeout, self.name = size, timeout, name
        self._idle: list[C] = []
        self._waiters: deque[asyncio.Future[C | None]] = deque()
        self._open = 0
        self._apart = 0

    def take_idle(self) -> C | None:
        """A connection that is there already; None where there is none."""
        while self._idle:
            connection = self._idle.pop()
            if self._is_alive(connection):
                return connection
            self.drop(connection)
        return None

    async def take(self) -> C:
        """A connection that no other task has until it is given back or dropped.

        Raises:
            BackendUnavailable: If the database cannot be reached, or all connections stay taken.
        """
        connection = self.take_idle()
        if connection is not None:
            return connection
        if self._open >= self.size:
            handed = await self._wait()
            if handed is not None:
                if self._is_alive(handed):
                    return handed
                self._close(handed)
            # The place of the connection that is gone is ours.
        else:
            self._open += 1
        try:
            return await self._connect()
        except BaseException:
            self._free_place()
            raise

    def give(self, connection: C) -> None:
        """Gives a connection back."""
        waiter = self._next_waiter()
        if waiter is None:
            self._idle.append(connection)
        else:
            waiter.set_result(connection)

    def drop(self, connection: C) -> None:
        """Closes a connection that is of no use any more."""
        self._free_place()
        self._close(connection)

    def set_apart(self, connection: C) -> None:  # noqa: ARG002  (they are only counted)
        """Takes a connection that stays taken for long out of the count: others may wait for none meanwhile."""
        self._apart += 1
        self._free_place()

    def take_back(self, connection: C, *, is_usable: bool = True) -> None:
        """Gives a connection back that was set apart; it is closed where it is of no use, or has no room any more."""
        self._apart -= 1
        if is_usable and self._open < self.size:
            self._open += 1
            self.give(connection)
        else:
            self._close(connection)

    def close(self) -> None:
        """Closes every idle connection."""
        while self._idle:
            self.drop(self._idle.pop())

    def forked(self) -> None:
        """In a child process: leaves the connections to the parent."""
        OF_THE_PARENT.extend(self._idle)
        self._idle, self._open, self._apart = [], 0, 0
        self._waiters.clear()

    @property
    def gauges(self) -> Gauges:
        """How many connections there are now."""
        return Gauges(self._open, len(self._idle), len(self._waiters), self._apart)

    def _free_place(self) -> None:
        waiter = self._next_waiter()
        if waiter is None:
            self._open -= 1
        else:
            waiter.set_result(None)

    def _next_waiter(self) -> asyncio.Future[C | None] | None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                return waiter
        return None

    async def _wait(self) -> C | None:
        """A connection that was given back, or None: the place of one that is gone."""
        waiter: asyncio.Future[C | None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            async with asyncio.timeout(self.timeout):
                return await waiter
        except TimeoutError:
            self._pass_on(waiter)
            raise _all_taken(self.name, self.size, self.timeout) from None
        except BaseException:
            self._pass_on(waiter)
            raise

    def _pass_on(self, waiter: asyncio.Future[C | None]) -> None:
        """What was handed to somebody who waits no more goes to the next."""
        if waiter.done() and not waiter.cancelled():
            handed = waiter.result()
            if handed is None:
                self._free_place()
            else:
                self.give(handed)


def _all_taken(name: str, size: int, timeout: float) -> BackendUnavailable:
    return BackendUnavailable(
        f"all {size} connections to {name} were taken for {timeout:g} seconds: "
        "look for transactions that stay open, or raise sql_pool_size"
    )
