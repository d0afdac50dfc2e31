"""kill -9 at every point of sending and delivering: no event is missed, no effect is there twice, no work by half.

The processes of the three points around a step run at once, each with a database of its own.
"""

import random
import signal
from pathlib import Path

import pytest
from crash_lanes import Lane
from crash_points import KINDS, WHEN
from nursery import Nursery
from scale import KILLS


@pytest.mark.parametrize("kind", KINDS)
def test_no_event_is_missed_and_no_effect_is_there_twice(
    kind: str, lanes: list[Lane], outbox_nursery: Nursery, tmp_path: Path
) -> None:
    nursery, chance = outbox_nursery, random.Random(kind)
    assert nursery.run(*(("create", lane.url, "left", "right") for lane in lanes)) == [0] * len(lanes), nursery.errors
    points = [f"{when} {kind}" for when in WHEN]
    for kill in range(KILLS):
        jobs: list[tuple[object, ...]] = []
        for lane, point in zip(lanes, points, strict=True):
            log, nth = tmp_path / f"{lane.number}-{kill}.txt", chance.randrange(1, 5)
            lane.plan.kill_at(point, nth, log)
            jobs.append(("operate", lane.url, str(log), lane.first, point, nth, chance.randrange(2**32)))
        codes = nursery.run(*jobs)
        survivors = [point for point, code in zip(points, codes, strict=True) if code != -signal.SIGKILL]
        assert not survivors, f"they never came to {survivors}: {nursery.errors}"
        for lane in lanes:
            lane.look()
    assert nursery.run(*(("settle", lane.url) for lane in lanes)) == [0] * len(lanes), nursery.errors
    for lane, point in zip(lanes, points, strict=True):
        lane.check(point)
