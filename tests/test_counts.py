"""What a fast operation costs in calls and memory does not grow.

The operations are the fast rows of the benches. Their counts are recorded in `counts.json`, for
each minor version of Python and each instance layout. After a wanted change,
`python tests/test_counts.py` records what is counted now.
"""

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
RECORDED = Path(__file__).with_name("counts.json")
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
LAYOUTS = ("default", "public")
NITRO = ("Model", "Entity")
# The rows are named here, so that one that vanishes from the benches is missed.
ROWS = (
    "construct, literal keywords",
    "construct, `**keywords`",
    "construct, three defaults",
    "model_validate(dict)",
    "assign, validated and tracked",
    "construct, then change one field",
    "model_dump()",
    "model_dump_json()",
    "encode one to bytes",
    "model_validate_json(bytes)",
    "decode one from bytes",
    "nested, from instances, construct + dump_json",
    "nested, from dicts, construct + dump_json",
    "encode a list of 1,000",
    "decode a list of 1,000",
    "attribute read",
)

# `nitro.encode` and `nitro.decode` are Python functions around native ones; a few calls for the
# whole of a list are recorded like every other count.
THROUGH_PYTHON = (
    "encode one to bytes",
    "decode one from bytes",
    "encode a list of 1,000",
    "decode a list of 1,000",
)
NATIVE = tuple(row for row in ROWS if row not in THROUGH_PYTHON)


def run_module(module: str, layout: str) -> str:
    """What the module prints in a fresh process, where no other test has left its traces."""
    environment = {name: value for name, value in os.environ.items() if name != "NITRO_LAYOUT"}
    if layout != "default":
        environment["NITRO_LAYOUT"] = layout
    finished = subprocess.run(
        [sys.executable, "-m", module],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


@cache
def counted(layout: str) -> dict[str, dict[str, dict[str, int]]]:
    """{row: {peer: {count: number}}}"""
    return json.loads(run_module("benches.counting", layout))


def recorded(layout: str) -> dict[str, dict[str, dict[str, int]]] | None:
    """As `counted`; None where nothing is recorded for this Python."""
    return json.loads(RECORDED.read_text()).get(PYTHON, {}).get(layout)


def of_pydantic(counts: dict[str, dict[str, int]]) -> dict[str, int]:
    """Where values are assigned, the pydantic that validates them does the same work."""
    return counts.get("pydantic va") or counts["pydantic"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_counted_rows_are_the_fast_rows_of_the_benches(layout):
    assert tuple(counted(layout)) == ROWS


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_classes_of_the_benches_take_the_fast_lane(layout):
    run_module("benches.lanes", layout)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("row", NATIVE)
@pytest.mark.parametrize("peer", NITRO)
def test_no_python_function_runs_in_the_fast_lane(peer, row, layout):
    assert counted(layout)[row][peer]["python_calls"] == 0


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("peer", NITRO)
def test_no_count_grows(peer, row, layout):
    found = counted(layout)[row][peer]
    known = recorded(layout)
    # On a Python for which nothing is recorded, what pydantic's result holds is the limit.
    limits = known[row][peer] if known else {"bytes": of_pydantic(counted(layout)[row])["bytes"]}
    assert {name: (found[name], limit) for name, limit in limits.items() if found[name] > limit} == {}


def record() -> None:
    table = json.loads(RECORDED.read_text()) if RECORDED.exists() else {}
    table[PYTHON] = {
        layout: {row: {peer: peers[peer] for peer in NITRO} for row, peers in counted(layout).items()}
        for layout in LAYOUTS
    }
    RECORDED.write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    record()
