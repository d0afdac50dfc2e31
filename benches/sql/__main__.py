"""Measures entities in SQLite and PostgreSQL beside their peers, prints one table, and keeps it in the README."""

import argparse

from .construction import measure_construction
from .measure import PEERS, measure
from .operations import OPERATIONS
from .places import POSTGRES, SQLITE
from .report import COLUMNS, write_readme, written

DATABASES = {"sqlite": SQLITE, "postgresql": POSTGRES}

parser = argparse.ArgumentParser(prog="python -m benches.sql", description=__doc__)
parser.add_argument("--only", metavar="TEXT", help="only operations with this in their title; prints only")
parser.add_argument("--database", choices=DATABASES, help="only this one; prints only")
parser.add_argument("--peers", nargs="+", choices=COLUMNS, default=[], help="only these; prints only")
parser.add_argument("--rounds", type=int, default=15, help="rounds per operation (default 15)")
parser.add_argument("--no-readme", action="store_true", help="leave the table in README.md as it is")
options = parser.parse_args()

operations = [operation for operation in OPERATIONS if options.only is None or options.only in operation.title]
if not operations:
    raise SystemExit(f"no operation has {options.only!r} in its title")
places = [DATABASES[options.database]] if options.database else list(PEERS)
stored = [operation for operation in operations if operation.method]
figures = [measure(place, stored, rounds=options.rounds, only=options.peers) for place in places if stored]
if not options.database and len(stored) < len(operations):
    figures.append(measure_construction(rounds=4 * options.rounds))
print(written(figures))
if not (options.no_readme or options.only or options.database or options.peers):
    write_readme(figures)
