"""`python -m benches`: measure every row, print one table, and keep it in README.md."""

import argparse

from .lanes import wrong_lanes
from .report import circumstances, measure_all, summary, table, write_readme
from .rows import ROWS

parser = argparse.ArgumentParser(prog="python -m benches", description=__doc__)
parser.add_argument("--only", metavar="TEXT", help="only rows with this in their title")
parser.add_argument("--rounds", type=int, default=75, help="rounds per row (default 75)")
parser.add_argument("--no-readme", action="store_true", help="leave the table in README.md as it is")
options = parser.parse_args()

if complaint := wrong_lanes():
    raise SystemExit(complaint)
rows = [row for row in ROWS if options.only is None or options.only in row.title]
if not rows:
    raise SystemExit(f"no row has {options.only!r} in its title")
results = measure_all(rows, rounds=options.rounds)
print(circumstances(), table(results), summary(results), sep="\n\n")
if options.only is None and not options.no_readme:
    write_readme(results)
