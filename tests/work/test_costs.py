"""What units of work, commands and signals cost does not grow: how many Python functions run for each.

The operations are the rows of `benches/work` that happen in memory. What goes to a database is counted in
`sql/test_round_trips.py`.
"""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent

#: {row: the most functions that may run for one call}, the loop's own code not counted. Later versions of Python run
#: fewer, which need no function for a comprehension. Whoever makes one cheaper lowers its number:
#: `python -m benches.work.counting` counts.
MOST = {
    "signal.send, 3 @on handlers, no keywords": 16,
    "signal.send, 3 @on handlers that name the keyword": 16,
    "signal.send, 3 @on handlers that take any keywords": 16,
    "signal.send, 3 @on handlers that name one of two keywords": 19,
    "an empty `with UnitOfWork()`": 11,
    "an empty `async with UnitOfWork()`": 14,
    "UnitOfWork with one save": 30,
    "@command without arguments": 19,
    "@command with an argument": 20,
    "async @command with an argument": 25,
    "@query with an argument": 21,
    "no unit, no listener: get": 0,
    "no unit, no listener: save, nothing is changed": 8,
    "no unit, no listener: assign and save": 8,
    "no unit, no listener: assign and asave": 9,
}

#: What entities run that use none of it, in a program that has never imported units of work.
MOST_ALONE = {
    "get": 0,
    "save, nothing is changed": 7,
    "assign and save": 7,
    "assign and asave": 8,
}


def in_a_fresh_process(*arguments: str) -> str:
    finished = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


@cache
def counted() -> dict[str, int]:
    return json.loads(in_a_fresh_process("-m", "benches.work.counting"))


@cache
def counted_alone() -> dict[str, int]:
    return json.loads(in_a_fresh_process("-m", "benches.work.alone", "--count"))


def test_every_row_of_the_benches_is_counted() -> None:
    assert counted().keys() == MOST.keys()
    assert counted_alone().keys() == MOST_ALONE.keys()


@pytest.mark.parametrize("row", MOST)
def test_no_more_functions_run_than_before(row: str) -> None:
    assert counted()[row] <= MOST[row]


@pytest.mark.parametrize("operation", MOST_ALONE)
def test_nothing_is_added_to_entities_that_use_none_of_it(operation: str) -> None:
    assert counted_alone()[operation] <= MOST_ALONE[operation]
