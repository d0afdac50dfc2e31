"""Many processes add one to the same record: every addition counts."""

from pathlib import Path

from nursery import Nursery
from scale import INCREMENTS, PROCESSES

from rows import rows


def test_no_increment_of_many_processes_is_lost(durable_url: str, nursery: Nursery, tmp_path: Path) -> None:
    assert nursery.run(("create", durable_url, "shared")) == [0], nursery.errors
    log = tmp_path / "stale.txt"
    jobs = [("increment", durable_url, str(log), "shared", INCREMENTS) for _ in range(PROCESSES)]
    assert nursery.run(*jobs) == [0] * PROCESSES, nursery.errors
    count = PROCESSES * INCREMENTS
    assert rows(durable_url, "SELECT count, _version FROM balance") == [(count, count + 1)]
    # Had nobody been in the way of another, nothing would have been shown.
    assert sum(map(int, log.read_text().split())) > 0
