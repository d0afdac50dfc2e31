"""kill -9 at every point of a save: what was acknowledged is there, and nothing is there by half."""

import random
import signal
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from kill_points import POINTS
from killing_wire import Deadly, Plan
from nursery import Nursery
from scale import KILLS
from wire import wire_to

from rows import rows, wait_until_nobody_is_there


@dataclass
class Operation:
    number: int
    kind: str
    size: int


@dataclass
class History:
    """What happened, and what a database has that only that happened to."""

    happened: list[Operation] = field(default_factory=list)

    def state(self, also: Operation | None = None) -> tuple[dict[int, int], dict[str, tuple[int, int, int]]]:
        """(entries of each operation, (last operation, operations, version) of each balance)."""
        operations = self.happened if also is None else [*self.happened, also]
        entries = {one.number: one.size for one in operations if one.size}
        updates = [one.number for one in operations if one.kind == "update"]
        batches = [one.number for one in operations if one.kind == "batch"]
        balances = {"single": updates, "left": batches, "right": batches}
        return entries, {
            key: (max(numbers, default=0), len(numbers), len(numbers) + 1) for key, numbers in balances.items()
        }


def stored(url: str) -> tuple[dict[int, int], dict[str, tuple[int, int, int]]]:
    entries = rows(url, "SELECT operation, count(*) FROM entry GROUP BY operation")
    balances = rows(url, "SELECT id, operation, count, _version FROM balance")
    return dict(entries), {key: (operation, count, version) for key, operation, count, version in balances}


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_process_loses_nothing_acknowledged_and_leaves_nothing_half_done(
    point: str, durable_url: str, nursery: Nursery, tmp_path: Path
) -> None:
    assert nursery.run(("create", durable_url, "single", "left", "right")) == [0], nursery.errors
    chance = random.Random(point)
    history, number, outcomes = History(), 0, Counter[bool]()
    is_by_wire = not durable_url.startswith("sqlite") and point != "before it is acknowledged"
    plan = Plan()
    with wire_to(durable_url, lambda: Deadly(plan)) if is_by_wire else nullcontext() as wire:
        for kill in range(KILLS):
            log = tmp_path / f"{kill}.txt"
            url, nth = durable_url, chance.randrange(1, 5)
            if wire is not None:
                # On the wire each row is one by itself.
                plan.nth = chance.randrange(1, 250) if point == "among the rows" else nth
                plan.point, plan.log = point, log
                url = wire.url
            job = ("operate", url, str(log), number, point, nth, chance.randrange(2**32))
            assert nursery.run(job) == [-signal.SIGKILL], f"it never came to {point!r}: {nursery.errors}"
            wait_until_nobody_is_there(durable_url)

            acknowledged, begun = read(log)
            history.happened += acknowledged
            assert begun is not None, "an operation was under way"
            number = begun.number
            found, within = stored(durable_url), history.state(also=begun)
            assert found in (history.state(), within)
            outcomes[found == within] += 1
            if found == within:
                history.happened.append(begun)
    print(f"{point}: {outcomes[True]} of {KILLS} had happened", end=" ")
    expected = POINTS[point]
    assert expected is None or outcomes == {expected: KILLS}


def read(log: Path) -> tuple[list[Operation], Operation | None]:
    """What a process has acknowledged, and what it was doing at its end."""
    acknowledged: list[Operation] = []
    begun: Operation | None = None
    for word, *rest in map(str.split, log.read_text().splitlines()):
        if word == "begin":
            assert begun is None
            begun = Operation(int(rest[0]), rest[1], int(rest[2]))
        elif word == "done":
            assert begun is not None
            acknowledged.append(begun)
            begun = None
    return acknowledged, begun
