"""What is measured, what it is compared with, and the goals.

Every body of a row does its operation so many times in a loop of its own, as one would write it by hand.
"""

import contextlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from dataclasses import dataclass
from itertools import repeat
from typing import Any, Literal

import blinker

import nitro
from nitro import UnitOfWork
from nitro.events import on

Body = Callable[[int], None] | Callable[[int], Awaitable[None]]

#: Where everything happens in the memory of this process.
MEMORY = "memory"


@dataclass(frozen=True)
class Goal:
    """How much an operation may cost.

    Attributes:
        kind: What is limited: the "time" of one call, the time that it "adds" to the peer's, or the "ratio" to that.
        limit: In seconds; for a ratio a number.
    """

    kind: Literal["time", "adds", "ratio"]
    limit: float

    def __str__(self) -> str:
        if self.kind == "ratio":
            return f"≤ {self.limit:g}x"
        return f"{'adds ' if self.kind == 'adds' else ''}≤ {self.limit * 1e6:g} µs"


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        place: The database, or "memory".
        nitro: What is measured.
        peer: What it is compared with.
        peer_name: What that is.
        goal: None where the row is there for information.
        clock: What is measured by, in seconds: the processor time of the process, or the clock on the wall where
            others do a part of the work.
        round: Seconds that a round takes at least. Short enough that what disturbs the machine disturbs both.
    """

    title: str
    place: str
    nitro: Body
    peer: Body
    peer_name: str
    goal: Goal | None = None
    clock: Callable[[], float] = time.process_time
    round: float = 0.002


# --- Signals --------------------------------------------------------------------------------------------------------

HANDLERS = 3


def _sending(signal: blinker.Signal, keywords: dict[str, Any]) -> Body:
    sender = object()
    if keywords:

        def send(times: int) -> None:
            for _ in repeat(None, times):
                signal.send(sender, **keywords)

    else:

        def send(times: int) -> None:
            for _ in repeat(None, times):
                signal.send(sender)

    return send


def _signal(title: str, receiver: Callable[[], Any], handler: Callable[[], Any], keywords: dict[str, Any]) -> Row:
    bare, ours = blinker.Signal(), blinker.Signal()
    for _ in range(HANDLERS):
        bare.connect(receiver(), weak=False)
        on(ours)(handler())
    return Row(
        title, MEMORY, _sending(ours, keywords), _sending(bare, keywords), f"blinker, {HANDLERS} receivers", _SIGNAL
    )


_SIGNAL = Goal("ratio", 1.5)


def signals() -> list[Row]:
    """`send` of a signal with handlers beside that of a signal with receivers."""

    def without() -> Any:
        def handler(sender: object) -> None: ...

        return handler

    def naming() -> Any:
        def handler(sender: object, total: float) -> None: ...

        return handler

    def taking_any() -> Any:
        def handler(sender: object, **keywords: Any) -> None: ...

        return handler

    one, two = {"total": 1.0}, {"total": 1.0, "count": 2}
    title = f"signal.send, {HANDLERS} @on handlers"
    return [
        _signal(f"{title}, no keywords", without, without, {}),
        _signal(f"{title} that name the keyword", naming, naming, one),
        _signal(f"{title} that take any keywords", taking_any, taking_any, two),
        # Receivers of blinker have to take everything that is sent.
        _signal(f"{title} that name one of two keywords", taking_any, naming, two),
    ]


# --- Units of work, and commands, in memory -------------------------------------------------------------------------


def empty_units() -> list[Row]:
    """A unit of work in which nothing happens, beside a context manager that does nothing."""

    @contextlib.contextmanager
    def nothing() -> Generator[None]:
        yield

    @contextlib.asynccontextmanager
    async def anothing() -> AsyncGenerator[None]:
        yield

    def unit(times: int) -> None:
        for _ in repeat(None, times):
            with UnitOfWork():
                pass

    def peer(times: int) -> None:
        for _ in repeat(None, times):
            with nothing():
                pass

    async def aunit(times: int) -> None:
        for _ in repeat(None, times):
            async with UnitOfWork():
                pass

    async def apeer(times: int) -> None:
        for _ in repeat(None, times):
            async with anothing():
                pass

    goal = Goal("time", 3e-6)
    return [
        Row("an empty `with UnitOfWork()`", MEMORY, unit, peer, "`contextlib.contextmanager`", goal),
        Row("an empty `async with UnitOfWork()`", MEMORY, aunit, apeer, "`contextlib.asynccontextmanager`", goal),
    ]


def commands() -> list[Row]:
    """A command that changes a field beside a method that does, and saves the entity itself."""

    class Order(nitro.Entity, backend=nitro.MemoryRepo()):
        total: float = 0.0
        count: int = 0

        def plain(self) -> None:
            self.count += 1
            self.save()

        def plain_with(self, price: float) -> None:
            self.total += price
            self.save()

        async def aplain_with(self, price: float) -> None:
            self.total += price
            await self.asave()

        @nitro.command
        def command(self) -> None:
            self.count += 1

        @nitro.command
        def command_with(self, price: float) -> None:
            self.total += price

        @nitro.command
        async def acommand_with(self, price: float) -> None:
            self.total += price

        def looking(self, factor: float) -> float:
            return self.total * factor

        @nitro.query
        def query(self, factor: float) -> float:
            return self.total * factor

    order = Order().save()

    def command(times: int) -> None:
        for _ in repeat(None, times):
            order.command()

    def plain(times: int) -> None:
        for _ in repeat(None, times):
            order.plain()

    def command_with(times: int) -> None:
        for _ in repeat(None, times):
            order.command_with(1.5)

    def plain_with(times: int) -> None:
        for _ in repeat(None, times):
            order.plain_with(1.5)

    async def acommand_with(times: int) -> None:
        for _ in repeat(None, times):
            await order.acommand_with(1.5)

    async def aplain_with(times: int) -> None:
        for _ in repeat(None, times):
            await order.aplain_with(1.5)

    def query(times: int) -> None:
        for _ in repeat(None, times):
            order.query(1.5)

    def looking(times: int) -> None:
        for _ in repeat(None, times):
            order.looking(1.5)

    def unit(times: int) -> None:
        for _ in repeat(None, times):
            with UnitOfWork():
                order.plain()

    goal = Goal("time", 5e-6)
    method = "the method, which saves"
    return [
        Row("UnitOfWork with one save", MEMORY, unit, plain, "the save alone"),
        Row("@command without arguments", MEMORY, command, plain, method, goal),
        Row("@command with an argument", MEMORY, command_with, plain_with, method, goal),
        Row("async @command with an argument", MEMORY, acommand_with, aplain_with, method, goal),
        Row("@query with an argument", MEMORY, query, looking, "the method"),
    ]
