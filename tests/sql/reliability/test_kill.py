"""kill -9 at every point of a save: what was acknowledged is there, and nothing is there by half."""

import random
import signal
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from kill_points import POINTS
from nursery import Nursery
from scale import KILLS

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
    history, number, outcomes = History(), 0, set()
    for kill in range(KILLS):
        log = tmp_path / f"{kill}.txt"
        job = ("operate", durable_url, str(log), number, point, chance.randrange(1, 5), chance.randrange(2**32))
        assert nursery.run(job) == [-signal.SIGKILL], f"it never came to {point!r}: {nursery.errors}"
        wait_until_nobody_is_there(durable_url)

        begun: Operation | None = None
        for word, *rest in map(str.split, log.read_text().splitlines()):
            if word == "begin":
                assert begun is None
                number = int(rest[0])
                begun = Operation(number, rest[1], int(rest[2]))
            else:
                assert begun is not None
                history.happened.append(begun)
                begun = None

        assert begun is not None, "an operation was under way"
        found = stored(durable_url)
        without, within = history.state(), history.state(also=begun)
        assert found in (without, within)
        outcomes.add(found == within)
        if found == within:
            history.happened.append(begun)
    expected = POINTS[point]
    assert outcomes == {expected} if expected is not None else outcomes <= {True, False}
