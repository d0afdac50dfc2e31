"""A PostgreSQL that stops under load, again and again: errors come soon and say what is known, and all goes on."""

import random
import time
from collections import Counter, defaultdict
from pathlib import Path

from nursery import Nursery
from scale import BATCH, STOPS

from nitro.testing.servers import PostgresServer
from rows import rows, wait_until, wait_until_nobody_is_there

#: Seconds until everybody works again.
RECOVERY = 5.0
#: Seconds that an operation takes at most to fail.
BOUND = 5.0

THREADS = 3
TASKS = 4


class Lines:
    """What the workers say, as far as they have said it."""

    def __init__(self, path: Path) -> None:
        self._path, self._read = path, 0
        self.watch(0.0)
        self.every: list[list[str]] = []

    def read(self) -> None:
        if not self._path.exists():
            return
        with self._path.open() as file:
            file.seek(self._read)
            # A line that has no end yet comes with the next reading.
            text = file.read()
        whole = text[: text.rfind("\n") + 1]
        self._read += len(whole)
        for line in whole.splitlines():
            words = line.split()
            self.every.append(words)
            if words[0] == "done" and float(words[3]) > self.since:
                self.first.setdefault(words[1], float(words[3]))

    def watch(self, since: float) -> None:
        """From now on `first` has the first success of each worker after a moment."""
        self.since, self.first = since, {}

    def all_of(self, workers: set[str]) -> bool:
        """Whether every worker was successful since then."""
        self.read()
        return self.first.keys() >= workers


def test_a_server_that_stops_under_load_costs_errors_and_nothing_else(
    durable_server: PostgresServer, nursery: Nursery, tmp_path: Path
) -> None:
    log, stop = tmp_path / "log.txt", tmp_path / "stop"
    workers = {f"{who}.{number}" for who, count in ((1, THREADS), (2, THREADS), (3, TASKS)) for number in range(count)}
    lines, chance, recoveries = Lines(log), random.Random(1), []
    with durable_server.database() as url:
        assert nursery.run(("create", url, *workers)) == [0], nursery.errors
        nursery.start(
            ("load", url, str(log), 1, THREADS, str(stop)),
            ("load", url, str(log), 2, THREADS, str(stop)),
            ("aload", url, str(log), 3, TASKS, str(stop)),
        )
        try:
            wait_until(lambda: lines.all_of(workers), "everybody has begun")
            for _ in range(STOPS):
                time.sleep(chance.random() * 0.1)
                durable_server.stop("immediate")
                time.sleep(chance.random() * 0.3)
                durable_server.start()
                up = time.monotonic()
                lines.watch(up)
                wait_until(lambda: lines.all_of(workers), "everybody works again")
                recoveries.append(max(lines.first.values()) - up)
        finally:
            durable_server.start()
            stop.touch()
            ended = nursery.ended()
        assert ended == [0, 0, 0], nursery.errors
        lines.read()
        wait_until_nobody_is_there(url)
        assert max(recoveries) < RECOVERY

        outcomes: dict[str, dict[str, str]] = {"insert": {}, "update": {}, "batch": {}, "get": {}}
        kinds = {name: kind for word, _, name, *rest in lines.every if word == "begin" for kind in rest}
        errors: Counter[str] = Counter()
        slowest = 0.0
        for word, _, name, *rest in lines.every:
            if word == "done":
                outcomes[kinds[name]][name] = "done"
            elif word == "error":
                seconds, outcome, error = rest
                outcomes[kinds[name]][name] = outcome
                errors[error] += 1
                slowest = max(slowest, float(seconds))
        assert set(errors) == {"BackendUnavailable", "CommitOutcomeUnknown"}
        assert slowest < BOUND

        # The id of an entry is the name of its operation, and in a batch the place behind it.
        entries = Counter("-".join(key.split("-")[:2]) for (key,) in rows(url, "SELECT id FROM entry"))
        for kind, size in (("insert", 1), ("batch", BATCH)):
            for name, outcome in outcomes[kind].items():
                possible = {"done": {size}, "unavailable": {0}, "unknown": {0, size}}[outcome]
                assert entries[name] in possible, (name, outcome)
        assert set(entries) <= {*outcomes["insert"], *outcomes["batch"]}

        least: dict[str, int] = defaultdict(int)
        most: dict[str, int] = defaultdict(int)
        for name, outcome in outcomes["update"].items():
            key = name.partition("-")[0]
            least[key] += outcome == "done"
            most[key] += outcome in ("done", "unknown")
        for key, count in rows(url, "SELECT id, count FROM balance"):
            assert least[key] <= count <= most[key]
    done = sum(outcome == "done" for of_kind in outcomes.values() for outcome in of_kind.values())
    print(f"{STOPS} stops: {done} operations, {dict(errors)}, the slowest to fail {slowest:.3f} s, ", end="")
    print(f"recovery {sorted(recoveries)[len(recoveries) // 2]:.3f} s, at most {max(recoveries):.3f} s")
