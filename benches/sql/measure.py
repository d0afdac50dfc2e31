"""Measures each operation of every peer in turn."""

import asyncio
import gc
import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import cycle, islice
from statistics import median
from typing import Any

from .core import Core
from .django_orm import Django
from .entities import NITRO, Entities
from .operations import Operation
from .orders import COUNT, FIRST, NEW, Questions, orders
from .peers import Peer
from .places import PLACES, POSTGRES, SQLITE, Place
from .raw import RawPostgres, RawSqlite
from .sessions import Orm, Sqlmodel

#: Who is measured where, in the order of the columns.
PEERS: dict[str, tuple[type[Peer], ...]] = {
    SQLITE: (Entities, RawSqlite, Core, Orm, Sqlmodel, Django),
    POSTGRES: (Entities, RawPostgres, Core, Orm, Sqlmodel, Django),
}

#: Seconds that a round of an operation takes at least, unless one call takes longer.
ROUND = 0.02

Samples = dict[str, list[float]]


@dataclass
class Figures:
    """Of one database: {operation: {peer: the seconds of one call, in each round}}."""

    place: str
    samples: dict[str, Samples] = field(default_factory=dict[str, Samples])

    def seconds(self, operation: str, peer: str) -> float | None:
        """The median; None where the peer was not measured."""
        taken = self.samples.get(operation, {}).get(peer)
        return median(taken) if taken else None

    def share(self, operation: str, peer: str, of: str | None = None) -> float | None:
        """Nitro's time divided by that of a peer, at the same operation or another one: the median of the rounds."""
        ours = self.samples.get(operation, {}).get(NITRO)
        theirs = self.samples.get(of or operation, {}).get(peer)
        if not ours or not theirs:
            return None
        if of is not None:
            return median(ours) / median(theirs)
        return median(one / other for one, other in zip(ours, theirs, strict=True))


def measure(kind: str, operations: Sequence[Operation], *, rounds: int, only: Sequence[str]) -> Figures:
    """Measures what is asked for in a database that is made for it.

    Args:
        kind: The database.
        operations: What is measured.
        rounds: How often.
        only: The names of the peers; all of them if there is none.
    """
    figures = Figures(kind)
    stored, new = orders(COUNT, FIRST), orders(COUNT, NEW)
    questions = Questions.about(stored)
    with PLACES[kind]() as place, asyncio.Runner() as loop, ExitStack() as ending:
        peers = [peer_class(place) for peer_class in PEERS[kind] if not only or peer_class.name in only]
        for peer in peers:
            ending.callback(peer.close)
            ending.callback(lambda peer=peer: loop.run(peer.aclose()))
            print(f"  {kind}: {peer.name} ...", file=sys.stderr, flush=True)
            peer.prepare()
            peer.insert_many([peer.given(one) for one in stored])
            place.settle(peer.table)
        for operation in operations:
            print(f"  {kind}: {operation.title} ...", file=sys.stderr, flush=True)
            runs = {peer.name: _run_of(operation, peer, place, loop, questions, new) for peer in peers}
            figures.samples[operation.title] = _in_turn(runs, rounds=rounds, alone=operation.is_alone)
            for peer in peers:
                place.forget_new(peer.table)
    return figures


Run = Callable[[int], float]


def _run_of(
    operation: Operation, peer: Peer, place: Place, loop: asyncio.Runner, questions: Questions, new: list[Any]
) -> Run:
    """A function that calls an operation so many times, and gives the seconds that took."""
    function = getattr(peer, operation.method)
    asked = _asked(operation.asks, peer, place, questions, new)
    if not inspect.iscoroutinefunction(function):
        return lambda times: _timed(place, function, list(islice(asked, times)))

    async def timed(batch: list[Any]) -> float:
        begin = place.clock()
        for question in batch:
            await function(question)
        return place.clock() - begin

    return lambda times: loop.run(timed(list(islice(asked, times))))


def _asked(asks: str, peer: Peer, place: Place, questions: Questions, new: list[Any]) -> Iterator[Any]:
    """What each call takes."""
    if asks == "new":
        given = [peer.given(one) for one in new]
        while True:
            # All of them are stored: they are taken away again, outside of what is measured.
            place.forget_new(peer.table)
            yield from given
    if asks == "all new":
        given = [peer.given(one) for one in new]
        while True:
            place.forget_new(peer.table)
            gc.collect()
            yield given
    if asks == "nothing":
        while True:
            gc.collect()
            yield None
    yield from cycle(getattr(questions, asks))


def _timed(place: Place, function: Callable[[Any], Any], batch: list[Any]) -> float:
    clock = place.clock
    begin = clock()
    for question in batch:
        function(question)
    return clock() - begin


def _in_turn(runs: dict[str, Run], *, rounds: int, alone: bool) -> Samples:
    """Seconds of one call of each peer, round by round, so that what disturbs the machine disturbs all alike."""
    gc.collect()
    calls = {peer: 1 if alone else _calls_of_a_round(run) for peer, run in runs.items()}
    samples: Samples = {peer: [] for peer in runs}
    for number in range(rounds):
        # Everyone follows everyone in turn, so nobody always runs in the same one's wake.
        order = list(runs)[number % len(runs) :] + list(runs)[: number % len(runs)]
        for peer in order if number % 2 else reversed(order):
            samples[peer].append(runs[peer](calls[peer]) / calls[peer])
    return samples


def _calls_of_a_round(run: Run) -> int:
    # The first calls connect, compile and prepare, which drivers do with what they have seen five times.
    run(7)
    count = 1
    while (taken := run(count)) < ROUND / 2:
        count *= 2
    return max(1, round(count * ROUND / taken))
