"""What the processes of the reliability tests do."""

import asyncio
import os
import random
import threading
import time
from pathlib import Path
from typing import Any

from kill_points import Points
from scale import BATCH

import nitro
from nitro import BackendUnavailable, CommitOutcomeUnknown, Entity, SQLModelBackend, StaleEntityError

#: Where `create` and the others say.
STORE = SQLModelBackend()


class Entry(Entity, backend=STORE):
    operation: int
    text: str = ""


class Balance(Entity, backend=STORE):
    operation: int = 0
    count: int = 0


class Log:
    """Lines that are in the file when `write` returns, whatever becomes of the process."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, *words: object) -> None:
        os.write(self._file, (" ".join(map(str, words)) + "\n").encode())


def create(url: str, *balances: str) -> None:
    """Makes the tables, and balances with these keys."""
    nitro.configure(sql_url=url)
    nitro.create_all(Entry, Balance)
    Balance.save_all([Balance(id=key) for key in balances])


def increment(url: str, log: str, key: str, times: int) -> None:
    """Adds one, again and again, as often as somebody else was quicker too."""
    nitro.configure(sql_url=url)
    stale = 0
    for _ in range(times):
        while True:
            balance = Balance.get(key)
            balance.count += 1
            try:
                balance.save()
                break
            except StaleEntityError:
                stale += 1
    Log(log).write(stale)


def operate(url: str, log: str, first: int, point: str, nth: int, seed: int) -> None:
    """Saves this and that, and acknowledges each operation, until it is killed."""
    nitro.configure(sql_url=url)
    points = Points(point, nth, seed)
    points.watch_sqlite()
    chance = random.Random(seed)
    said = Log(log)
    said.write("pid", os.getpid())
    single, left, right = (Balance.get(key) for key in ("single", "left", "right"))

    def begun(kind: str, size: int) -> int:
        nonlocal first
        first += 1
        said.write("begin", first, kind, size)
        return first

    def done(number: int) -> None:
        points.reach("before it is acknowledged")
        said.write("done", number)

    def change(balance: Balance, number: int) -> Balance:
        balance.operation, balance.count = number, balance.count + 1
        return balance

    for _ in range(100):
        number = begun("insert", 1)
        Entry(operation=number).save()
        done(number)

        number = begun("update", 0)
        change(single, number).save()
        done(number)

        # From a hundred on PostgreSQL gets them in another way.
        for size in (3, 120):
            number = begun("batch", size)
            batch: list[Entity] = [Entry(operation=number, text="x" * chance.randrange(200)) for _ in range(size)]
            for balance in (left, right):
                batch.insert(chance.choice((0, 1, size)), change(balance, number))
            STORE.save_all(batch)
            done(number)


def load(url: str, log: str, who: int, threads: int, stop: str) -> None:
    """Saves by several threads until there is a file `stop`, and says of each operation how it ended."""
    nitro.configure(sql_url=url, sql_pool_size=threads)
    workers = [threading.Thread(target=_load, args=(log, f"{who}.{number}", Path(stop))) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def _load(log: str, key: str, stop: Path) -> None:
    said, mine, number = Log(log), None, 0
    while not stop.exists():
        number += 1
        name = f"{key}-{number}"
        began = time.monotonic()
        try:
            if mine is None:
                said.write("begin", key, name, "get")
                mine = Balance.get(key)
            elif number % 3 == 0:
                said.write("begin", key, name, "insert")
                Entry(id=name, operation=number).save()
            elif number % 3 == 1:
                said.write("begin", key, name, "batch")
                STORE.save_all([Entry(id=f"{name}-{place}", operation=number) for place in range(BATCH)])
            else:
                said.write("begin", key, name, "update")
                mine.count += 1
                mine.save()
            said.write("done", key, name, time.monotonic())
        except BackendUnavailable as error:
            _failed(said, key, name, began, error)
            mine = None
            # Nobody asks again without a pause.
            time.sleep(0.005)


def aload(url: str, log: str, who: int, tasks: int, stop: str) -> None:
    """The same by tasks of one event loop."""
    nitro.configure(sql_url=url, sql_pool_size=tasks)

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(tasks):
                group.create_task(_aload(log, f"{who}.{number}", Path(stop)))

    asyncio.run(main())


async def _aload(log: str, key: str, stop: Path) -> None:
    said, mine, number = Log(log), None, 0
    while not stop.exists():
        number += 1
        name = f"{key}-{number}"
        began = time.monotonic()
        try:
            if mine is None:
                said.write("begin", key, name, "get")
                mine = await Balance.aget(key)
            elif number % 3 == 0:
                said.write("begin", key, name, "insert")
                await Entry(id=name, operation=number).asave()
            elif number % 3 == 1:
                said.write("begin", key, name, "batch")
                await STORE.asave_all([Entry(id=f"{name}-{place}", operation=number) for place in range(BATCH)])
            else:
                said.write("begin", key, name, "update")
                mine.count += 1
                await mine.asave()
            said.write("done", key, name, time.monotonic())
        except BackendUnavailable as error:
            _failed(said, key, name, began, error)
            mine = None
            await asyncio.sleep(0.005)


def _failed(said: Log, key: str, name: str, began: float, error: BackendUnavailable) -> None:
    outcome: Any = "unknown" if isinstance(error, CommitOutcomeUnknown) else "unavailable"
    said.write("error", key, name, time.monotonic() - began, outcome, type(error).__name__)
