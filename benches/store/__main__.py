"""Measures the memory store beside its peers, prints one table, and keeps it and a plot in the README."""

import argparse

from .plot import growth
from .report import judged, measure, table, write_readme

parser = argparse.ArgumentParser(prog="python -m benches.store", description=__doc__)
parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
parser.add_argument("--no-readme", action="store_true", help="leave README.md and the plot as they are")
options = parser.parse_args()

figures = {size: measure(size) for size in options.sizes}
print(table(figures), judged(figures), sep="\n\n")
if not options.no_readme:
    write_readme(figures)
    growth(figures)
