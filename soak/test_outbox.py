"""Four workers deliver a hundred thousand events, and one of them is killed again and again: no event is missed, none
has an effect twice, and each customer's come in order.

`NITRO_SOAK_EVENTS` sets another number of events, `NITRO_SOAK_PAUSE` the longest pause between two kills, in seconds.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rows import rows, wait_until_nobody_is_there

pytest_plugins = ["nitro.testing.fixtures"]

TESTS = Path(__file__).parent.parent / "tests"
PLACES = [str(TESTS / name) for name in ("outbox", "sql", "sql/reliability")]

EVENTS = int(os.environ.get("NITRO_SOAK_EVENTS", "100000"))
PAUSE = float(os.environ.get("NITRO_SOAK_PAUSE", "5"))
#: Each has two events: that it was placed, and that it was shipped.
ORDERS = EVENTS // 2
WORKERS = 4
#: Seconds until others take over what a worker that was killed had claimed.
LEASE = 2.0
CUSTOMERS = 200


def start(function: str, *arguments: object) -> subprocess.Popen[bytes]:
    """A function of `outbox_workers` in a process of its own."""
    code = f"import outbox_workers; outbox_workers.{function}(*{arguments!r})"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([*PLACES, *filter(None, sys.path)])}
    return subprocess.Popen([sys.executable, "-c", code], env=environment)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'shop.db'}"
    else:
        yield request.getfixturevalue("fresh_database")


def test_no_event_is_missed_and_none_has_an_effect_twice(url: str) -> None:
    chance, began = random.Random(url.partition(":")[0]), time.monotonic()
    assert start("create", url, *map(str, range(CUSTOMERS))).wait() == 0
    sender = start("place_many", url, ORDERS, CUSTOMERS)
    workers = [start("work", url, LEASE) for _ in range(WORKERS)]
    kills = 0
    try:
        while sender.poll() is None or rows(url, "SELECT 1 FROM nitro_outbox LIMIT 1"):
            time.sleep(chance.uniform(PAUSE / 4, PAUSE))
            place = chance.randrange(WORKERS)
            assert workers[place].poll() is None, "no worker ends by itself"
            workers[place].kill()
            workers[place].wait()
            kills += 1
            workers[place] = start("work", url, LEASE)
        for worker in workers:
            worker.send_signal(signal.SIGTERM)
        # One that was started a moment ago does not listen yet.
        assert {worker.wait(60) for worker in workers} <= {0, -signal.SIGTERM}
    finally:
        for process in (sender, *workers):
            process.kill()
            process.wait()
    seconds = time.monotonic() - began
    wait_until_nobody_is_there(url)
    assert sender.returncode == 0
    for kind in ("told", "told too", "packed"):
        told = rows(url, f"SELECT count(*), count(DISTINCT number) FROM effect WHERE kind = '{kind}'")
        assert told == [(ORDERS, ORDERS)]
    totals = rows(url, "SELECT sum(orders), sum(told), sum(disorder) FROM account")
    assert [tuple(map(int, row)) for row in totals] == [(ORDERS, ORDERS, 0)]
    assert rows(url, "SELECT count(*) FROM nitro_inbox") == [(0,)]
    print(f"{EVENTS} events, {kills} kills, {seconds:.0f} s, {EVENTS / seconds:.0f} events a second", end=" ")
