"""Bytes that one result of a statement holds, each peer in a process of its own.

Two measurements: what Python's allocators were asked for (tracemalloc), and by how much the
process grew (resident set), which also sees memory that an extension takes from elsewhere. The
larger of the two counts.
"""

import gc
import json
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

from .rows import ROWS
from .shapes import names_of
from .timing import compile_function

INSTANCES = 100_000
_KEEP = """
for _index in _indexes:
    STATEMENT
"""


def bytes_held(title: str, peer: str) -> int:
    """Whole bytes: the resident set grows by pages, so that a fraction means nothing."""
    return round(max(_measure(title, peer, how) for how in ("traced", "resident")))


def _measure(title: str, peer: str, how: str) -> float:
    answer = subprocess.run(
        [sys.executable, "-m", "benches.memory", title, peer, how],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent.parent,
    )
    return float(json.loads(answer.stdout))


def _resident_bytes() -> int:
    """Linux tells a process the pages it has; elsewhere only tracemalloc is consulted."""
    try:
        pages = Path("/proc/self/statm").read_text().split()[1]
    except FileNotFoundError:
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _measure_here(title: str, peer: str, how: str) -> float:
    row = next(row for row in ROWS if row.title == title)
    statement = f"_kept[_index] = {row.statements[peer]}"
    keep = compile_function("_indexes, _kept", _KEEP, statement, names_of(peer))
    keep([0], [None])  # whatever the first call sets up is not the instances' memory
    indexes = list(range(INSTANCES))
    kept = [None] * INSTANCES
    gc.collect()
    if how == "traced":
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        keep(indexes, kept)
        grown = tracemalloc.get_traced_memory()[0] - before
    else:
        before = _resident_bytes()
        keep(indexes, kept)
        grown = _resident_bytes() - before
    assert None not in kept
    return grown / INSTANCES


if __name__ == "__main__":
    print(json.dumps(_measure_here(*sys.argv[1:])))
