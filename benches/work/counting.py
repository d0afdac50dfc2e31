"""Counts the Python functions that run for one call of each row in memory: `python -m benches.work.counting`.

Timings are noisy, counts are not: `tests/work/test_costs.py` fails where one of these grows. It prints JSON.
"""

import json
import sys

from .alone import bodies, calls_of
from .rows import commands, empty_units, signals


def count_all() -> dict[str, int]:
    """{row: calls}, those of entities that use none of it among them."""
    rows = {row.title: calls_of(row.nitro) for row in (*signals(), *empty_units(), *commands())}
    return rows | {f"no unit, no listener: {name}": calls_of(body) for name, body in bodies().items()}


if __name__ == "__main__":
    json.dump(count_all(), sys.stdout, indent=1)
