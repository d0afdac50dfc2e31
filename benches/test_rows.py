"""The rows of the table under pytest-benchmark: `pytest benches --benchmark-only`.

Each call runs a plain inner loop of many operations, so that the harness adds nothing to an
operation of 50 ns. The name of a group says how many; microseconds for 1,000 operations are
nanoseconds for one.
"""

import pytest

from .rows import ROWS
from .shapes import INSTALLED, names_of
from .timing import compile_loop

CASES = [
    pytest.param(row, peer, id=f"{row.title}-{peer}")
    for row in ROWS
    if row.kind == "time"
    for peer in row.statements
    if peer in INSTALLED
]


@pytest.mark.parametrize(("row", "peer"), CASES)
def test_row(benchmark, row, peer):
    loop = compile_loop(row.statements[peer], names_of(peer))
    # A statement that takes long by itself needs no company.
    statements = 1 if min(loop(1) for _ in range(3)) > 50_000 else 1000
    operations = statements * row.operations
    benchmark.group = f"{row.title} ({operations:,} operations)"
    benchmark.extra_info["operations"] = operations
    benchmark(loop, statements)
