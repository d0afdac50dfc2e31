"""Measures events, units of work and commands, prints one table, and keeps it in the README."""

import argparse

from .measure import measure_all
from .report import write_readme, written
from .rows import MEMORY
from .shop import KINDS

PLACES = {kind.lower(): kind for kind in (MEMORY, *KINDS)}

parser = argparse.ArgumentParser(prog="python -m benches.work", description=__doc__)
parser.add_argument("--only", metavar="TEXT", default="", help="only rows with this in their title; prints only")
parser.add_argument("--place", choices=PLACES, help="only this one; prints only")
parser.add_argument("--rounds", type=int, default=61, help="rounds per row (default 61)")
parser.add_argument("--no-readme", action="store_true", help="leave the table in README.md as it is")
options = parser.parse_args()

results = measure_all(
    [PLACES[options.place]] if options.place else PLACES.values(), only=options.only, rounds=options.rounds
)
if not results:
    raise SystemExit(f"no row has {options.only!r} in its title")
print(written(results))
if not (options.no_readme or options.only or options.place):
    write_readme(results)
