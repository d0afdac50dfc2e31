"""What entities cost that use no unit of work: `python -m benches.work.alone [--count] [module ...]`.

Nobody listens to them either. It imports the modules that are named, which may be none, and prints {operation:
seconds} as JSON, or how many Python functions run for one call. A process for each, because what was imported once
stays.
"""

import asyncio
import importlib
import inspect
import json
import sys
import time
from collections.abc import Callable
from itertools import repeat
from statistics import median
from typing import Any

import nitro

OPERATIONS = ("get", "save, nothing is changed", "assign and save", "assign and asave")

ROUNDS = 15
#: How many calls are a round.
CALLS = 3000


def bodies() -> dict[str, Callable[[int], Any]]:
    """{operation: what does it so many times}."""

    class Order(nitro.Entity, backend=nitro.MemoryRepo()):
        total: float = 0.0

    order = Order().save()
    key = order.id

    def get(times: int) -> None:
        for _ in repeat(None, times):
            Order.get(key)

    def save(times: int) -> None:
        for _ in repeat(None, times):
            order.save()

    def assign(times: int) -> None:
        for _ in repeat(None, times):
            order.total += 1
            order.save()

    async def aassign(times: int) -> None:
        for _ in repeat(None, times):
            order.total += 1
            await order.asave()

    return dict(zip(OPERATIONS, (get, save, assign, aassign), strict=True))


async def measured() -> dict[str, float]:
    """{operation: seconds of one call}: the medians."""
    clock = time.process_time
    seconds: dict[str, list[float]] = {operation: [] for operation in OPERATIONS}
    operations = bodies()
    for _ in range(ROUNDS):
        for operation, body in operations.items():
            begin = clock()
            if (coroutine := body(CALLS)) is not None:
                await coroutine
            seconds[operation].append((clock() - begin) / CALLS)
    return {operation: median(taken) for operation, taken in seconds.items()}


#: The constants of a loop fall out: each count is the difference between a longer and a shorter one.
SHORT, LONG = 10, 30


def calls_of(function: Callable[[int], Any]) -> int:
    """How many functions that are written in Python run for one call."""

    def counted(times: int) -> int:
        seen = 0

        def hook(_frame: object, event: str, _argument: object) -> None:
            nonlocal seen
            seen += event == "call"

        async def awaited() -> None:
            sys.setprofile(hook)
            await function(times)
            sys.setprofile(None)

        if inspect.iscoroutinefunction(function):
            asyncio.run(awaited())
        else:
            sys.setprofile(hook)
            function(times)
            sys.setprofile(None)
        return seen

    counted(LONG)
    return (counted(LONG) - counted(SHORT)) // (LONG - SHORT)


if __name__ == "__main__":
    wanted = [argument for argument in sys.argv[1:] if argument != "--count"]
    for module in wanted:
        importlib.import_module(module)
    if len(wanted) < len(sys.argv) - 1:
        figures: dict[str, Any] = {operation: calls_of(body) for operation, body in bodies().items()}
    else:
        figures = asyncio.run(measured())
    assert ("nitro.work" in sys.modules) == ("nitro.work" in wanted), "what is compared is whether it is imported"
    json.dump(figures, sys.stdout)
