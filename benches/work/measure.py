"""Measures each row and what it is compared with in turn."""

import asyncio
import gc
import inspect
import json
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from ..sql.places import PLACES
from .alone import OPERATIONS
from .rows import MEMORY, Body, Goal, Row, commands, empty_units, signals
from .shop import Shop

ROOT = Path(__file__).parent.parent.parent

#: How many processes of each kind there are.
PROCESSES = 9


@dataclass(frozen=True)
class Result:
    """What was measured of a row: the seconds of one call, in each round."""

    title: str
    place: str
    peer_name: str
    goal: Goal | None
    nitro: list[float]
    peer: list[float]

    @property
    def ratio(self) -> float:
        """The median of the rounds' ratios: what slows a whole round down falls out of it."""
        return median(ours / theirs for ours, theirs in zip(self.nitro, self.peer, strict=True))

    @property
    def added(self) -> float:
        """The median of the rounds' differences, in seconds."""
        return median(ours - theirs for ours, theirs in zip(self.nitro, self.peer, strict=True))

    def measured(self, goal: Goal) -> float:
        """What the goal is about."""
        return {"time": median(self.nitro), "adds": self.added, "ratio": self.ratio}[goal.kind]


def measure_all(kinds: Iterable[str], *, only: str, rounds: int) -> list[Result]:
    """Measures the rows with `only` in their title, in the places of these kinds."""
    results: list[Result] = []
    with asyncio.Runner() as loop:
        for kind in kinds:
            if kind == MEMORY:
                rows = [*signals(), *empty_units(), *commands()]
                results += [_measure(row, loop, rounds) for row in rows if only in row.title]
                results += _alone(only)
                continue
            with PLACES[kind]() as place, ExitStack() as ending:
                shop = Shop(place)
                ending.callback(shop.close)
                ending.callback(_run, loop, shop.aclose)
                results += [_measure(row, loop, rounds) for row in shop.rows() if only in row.title]
    return results


def _run(loop: asyncio.Runner, function: Callable[[], Coroutine[Any, Any, None]]) -> None:
    loop.run(function())


def _say(what: str) -> None:
    print(f"  {what} ...", file=sys.stderr, flush=True)


Run = Callable[[int], float]


def _measure(row: Row, loop: asyncio.Runner, rounds: int) -> Result:
    _say(f"{row.place}: {row.title}")
    ours, theirs = (_run_of(body, row.clock, loop) for body in (row.nitro, row.peer))
    gc.collect()
    ours_times, theirs_times = (_calls_of_a_round(run, row.round) for run in (ours, theirs))
    nitro: list[float] = []
    peer: list[float] = []
    for number in range(rounds):
        # Nobody always runs in the same one's wake.
        if number % 2:
            nitro.append(ours(ours_times))
            peer.append(theirs(theirs_times))
        else:
            peer.append(theirs(theirs_times))
            nitro.append(ours(ours_times))
    return Result(row.title, row.place, row.peer_name, row.goal, nitro, peer)


def _run_of(body: Body, clock: Callable[[], float], loop: asyncio.Runner) -> Run:
    """A function that does an operation so many times, and gives the seconds of one."""
    function: Any = body
    if not inspect.iscoroutinefunction(function):

        def run(times: int) -> float:
            begin = clock()
            function(times)
            return (clock() - begin) / times

        return run

    async def timed(times: int) -> float:
        begin = clock()
        await function(times)
        return (clock() - begin) / times

    return lambda times: loop.run(timed(times))


def _calls_of_a_round(run: Run, least: float) -> int:
    # The first calls connect, compile and prepare, which drivers do with what they have seen five times.
    run(7)
    count = 1
    while (taken := run(count) * count) < least / 2:
        count *= 2
    return max(1, round(count * least / taken))


def _alone(only: str) -> list[Result]:
    """Entities that use none of it, in processes that have imported units of work and in such that have not."""
    titles = {operation: f"no unit, no listener: {operation}" for operation in OPERATIONS}
    wanted = [operation for operation, title in titles.items() if only in title]
    if not wanted:
        return []
    _say(f"{MEMORY}: no unit, no listener")
    taken: dict[bool, list[dict[str, float]]] = {True: [], False: []}
    for number in range(PROCESSES):
        for imports in (True, False) if number % 2 else (False, True):
            taken[imports].append(_in_a_process("nitro.work") if imports else _in_a_process())
    return [
        Result(
            titles[operation],
            MEMORY,
            "nitro.work not imported",
            None,
            [one[operation] for one in taken[True]],
            [one[operation] for one in taken[False]],
        )
        for operation in wanted
    ]


def _in_a_process(*modules: str) -> dict[str, float]:
    finished = subprocess.run(
        [sys.executable, "-m", "benches.work.alone", *modules], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return json.loads(finished.stdout)
