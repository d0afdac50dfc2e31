"""Count what a fast operation of Nitro does: calls into Python code, and memory.

Timings are noisy, counts are not: `tests/test_counts.py` fails where one of these grows. Counted
for one execution of a row's statement:

- python_calls: functions written in Python that ran (`sys.setprofile`);
- c_calls: functions written in C or Rust that Python code called;
- blocks, bytes: what Python's allocators were asked for and is still held, by the result that is
  kept where the statement is an expression, and else for good: a leak;
- peak_bytes: the most that was held at any moment while the statement ran.

Constants fall out because each count is the difference between a longer and a shorter run.
`python -m benches.counting` counts in a fresh process, and prints JSON.
"""

import ast
import gc
import json
import sys
import tracemalloc
from collections import Counter
from collections.abc import Callable
from typing import Any

from .rows import FAST, ROWS
from .shapes import ENTITY, MODEL, PYDANTIC, PYDANTIC_ASSIGNMENT, names_of
from .timing import compile_function

COUNTED = (MODEL, ENTITY, PYDANTIC, PYDANTIC_ASSIGNMENT)

_LOOP = """
for _index in _indexes:
    STATEMENT
"""


def _kept_statement(statement: str) -> str:
    body = ast.parse(statement).body
    if len(body) == 1 and isinstance(body[0], ast.Expr):
        return f"_kept[_index] = {statement}"
    return statement


def count(statement: str, names: dict[str, Any]) -> dict[str, int]:
    """The counts of one execution of the statement."""
    run = compile_function("_indexes, _kept", _LOOP, _kept_statement(statement), names)

    idle = compile_function("_indexes, _kept", _LOOP, "pass", {})

    def calls(times: int) -> Counter[str]:
        seen: Counter[str] = Counter()
        indexes, kept = list(range(times)), [None] * times

        def hook(_frame: object, event: str, _argument: object) -> None:
            seen[event] += 1

        sys.setprofile(hook)
        run(indexes, kept)
        sys.setprofile(None)
        return seen

    def held(times: int) -> tuple[int, int]:
        indexes, kept = list(range(times)), [None] * times
        gc.collect()  # empties the interpreter's free lists too
        blocks = len(tracemalloc.take_snapshot().traces)
        memory = tracemalloc.get_traced_memory()[0]
        run(indexes, kept)
        memory = tracemalloc.get_traced_memory()[0] - memory
        return len(tracemalloc.take_snapshot().traces) - blocks, memory

    def peak(function: Callable[..., None]) -> int:
        indexes, kept = [0], [None]
        gc.collect()
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        function(indexes, kept)
        return tracemalloc.get_traced_memory()[1] - before

    calls(50)  # caches fill, the interpreter specialises
    short, long = calls(10), calls(30)
    tracemalloc.start()
    gc.disable()
    try:
        # Enough to fill free lists; but a result of thousands of blocks is kept a few times only.
        times = 4 if held(1)[0] > 1000 else 200
        held(times)
        (short_blocks, short_bytes), (long_blocks, long_bytes) = held(times), held(2 * times)
        # What measuring and looping need by themselves is not the statement's.
        peak_bytes = min(peak(run) for _ in range(6)) - min(peak(idle) for _ in range(6))
    finally:
        gc.enable()
        tracemalloc.stop()
    return {
        "python_calls": (long["call"] - short["call"]) // 20,
        "c_calls": (long["c_call"] - short["c_call"]) // 20,
        "blocks": round((long_blocks - short_blocks) / times),
        "bytes": round((long_bytes - short_bytes) / times),
        "peak_bytes": peak_bytes,
    }


def count_all() -> dict[str, dict[str, dict[str, int]]]:
    """{row: {peer: counts}} of every row in the fast lane."""
    return {
        row.title: {peer: count(row.statements[peer], names_of(peer)) for peer in COUNTED if peer in row.statements}
        for row in ROWS
        if row.lane == FAST
    }


if __name__ == "__main__":
    json.dump(count_all(), sys.stdout)
