"""What entities cost that use no unit of work and have no listener: `python -m benches.work.alone [module ...]`.

It imports the modules that are named, which may be none, and prints {operation: seconds} as JSON. A process for each,
because what was imported once stays.
"""

import asyncio
import importlib
import json
import sys
import time
from itertools import repeat
from statistics import median

import nitro

OPERATIONS = ("get", "save, nothing is changed", "assign and save", "assign and asave")

ROUNDS = 15
#: How many calls are a round.
CALLS = 3000


class Order(nitro.Entity, backend=nitro.MemoryRepo()):
    total: float = 0.0


async def measured() -> dict[str, float]:
    """{operation: seconds of one call}: the medians."""
    order = Order().save()
    key, clock = order.id, time.process_time

    def get() -> None:
        for _ in repeat(None, CALLS):
            Order.get(key)

    def save() -> None:
        for _ in repeat(None, CALLS):
            order.save()

    def assign() -> None:
        for _ in repeat(None, CALLS):
            order.total += 1
            order.save()

    async def aassign() -> None:
        for _ in repeat(None, CALLS):
            order.total += 1
            await order.asave()

    seconds: dict[str, list[float]] = {operation: [] for operation in OPERATIONS}
    for _ in range(ROUNDS):
        for operation, body in zip(OPERATIONS, (get, save, assign, aassign), strict=True):
            begin = clock()
            if (coroutine := body()) is not None:
                await coroutine
            seconds[operation].append((clock() - begin) / CALLS)
    return {operation: median(taken) for operation, taken in seconds.items()}


if __name__ == "__main__":
    for module in sys.argv[1:]:
        importlib.import_module(module)
    figures = asyncio.run(measured())
    assert ("nitro.work" in sys.modules) == ("nitro.work" in sys.argv), "what is compared is whether it is imported"
    json.dump(figures, sys.stdout)
