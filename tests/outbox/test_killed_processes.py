"""kill -9 at every point of sending and delivering: no event is missed, no effect is there twice, no work by half."""

import random
import signal
from contextlib import nullcontext
from pathlib import Path

import pytest
from crash_points import POINTS
from crash_wire import Deadly, Plan
from nursery import Nursery
from scale import KILLS, LONG
from wire import wire_to

from rows import rows, wait_until_nobody_is_there


def read(log: Path) -> tuple[set[int], set[int]]:
    """(the orders that a process has acknowledged, those that it was placing)."""
    begun: set[int] = set()
    done: set[int] = set()
    for word, *rest in map(str.split, log.read_text().splitlines()):
        if word == "begin":
            begun.add(int(rest[0]))
        elif word == "done":
            done.add(int(rest[0]))
    return done, begun - done


@pytest.mark.parametrize("point", POINTS)
def test_no_event_is_missed_and_no_effect_is_there_twice(
    point: str, url: str, outbox_nursery: Nursery, tmp_path: Path
) -> None:
    nursery, chance, plan = outbox_nursery, random.Random(point), Plan()
    assert nursery.run(("create", url, "left", "right")) == [0], nursery.errors
    acknowledged: set[int] = set()
    doubtful: set[int] = set()
    first = 0
    is_sqlite = url.startswith("sqlite")
    # A connection to a server takes its time.
    kills = KILLS if LONG or is_sqlite else KILLS // 4
    with nullcontext() if is_sqlite else wire_to(url, lambda: Deadly(plan)) as wire:
        for kill in range(kills):
            log, nth = tmp_path / f"{kill}.txt", chance.randrange(1, 5)
            plan.kill_at(point, nth, log)
            job = ("operate", url if wire is None else wire.url, str(log), first, point, nth, chance.randrange(2**32))
            assert nursery.run(job) == [-signal.SIGKILL], f"it never came to {point!r}: {nursery.errors}"
            wait_until_nobody_is_there(url)
            done, under_way = read(log)
            acknowledged |= done
            doubtful |= under_way
            first = max(done | under_way) + 1
    assert nursery.run(("settle", url)) == [0], nursery.errors
    check(url, acknowledged, doubtful)


def check(url: str, acknowledged: set[int], doubtful: set[int]) -> None:
    """The books are balanced."""
    orders = {number for (number,) in rows(url, 'SELECT number FROM "order"')}
    assert acknowledged <= orders <= acknowledged | doubtful
    for kind in ("told", "told too", "packed"):
        effects = dict(rows(url, f"SELECT number, count(*) FROM effect WHERE kind = '{kind}' GROUP BY number"))
        assert effects.keys() == orders
        assert set(effects.values()) == {1}
    balances = rows(url, "SELECT sum(orders), sum(told), sum(disorder) FROM account")
    assert [tuple(map(int, row)) for row in balances] == [(len(orders), len(orders), 0)]
    assert rows(url, "SELECT count(*) FROM nitro_outbox") == rows(url, "SELECT count(*) FROM nitro_inbox") == [(0,)]
