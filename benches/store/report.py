"""Measures each operation of every peer in turn, judges, and writes the tables."""

import gc
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import Any

from ..report import circumstances
from .peers import LITTLETABLE, NITRO, PEERS, PLAIN, SQLITE, SQLMODEL, Questions, of_nitro, records

README = Path(__file__).parent.with_name("README.md")
BEGIN, END = "<!-- store begins -->", "<!-- store ends -->"

#: How many times each operation is measured.
ROUNDS = 9
#: Seconds that a round takes at least.
ROUND = 0.02
#: How many different questions are asked.
CALLS = 50_000

TITLES = {
    "get": "get by id",
    "equality": "indexed equality, 20 rows",
    "range": "range + order + limit 20 on an ordered index",
    "and": "two-index AND, 20 rows",
    "count": "count on an index, a fifth of all rows",
    "scan": "unindexed scan filter, all rows",
    "first page": "keyset page, the first",
    "deep page": "keyset page, in the middle",
    "assign total": "assign an indexed float of a random entity",
    "assign status": "assign an indexed str of a random entity",
    "insert": "insert of validated entities, three indexes",
}


@dataclass
class Figures:
    """Of one size: {operation: {peer: seconds}}, {operation: {peer: our time / its time}}, and bytes."""

    seconds: dict[str, dict[str, float]] = field(default_factory=dict)
    ratios: dict[str, dict[str, float]] = field(default_factory=dict)
    #: Bytes per entity beside the objects: {what: bytes}.
    memory: dict[str, float] = field(default_factory=dict)


def measure(size: int) -> Figures:
    """Fills every peer with so many records, and asks all of them the same."""
    held = records(size)
    questions = Questions.about(held, CALLS)
    figures = Figures()
    operations: dict[str, dict[str, Callable[[Any], Any]]] = {}
    figures.seconds["insert"] = {}
    for peer, make in PEERS.items():
        print(f"  {size:,}: {peer} is filled ...", file=sys.stderr, flush=True)
        fill, ready = make(held)
        gc.collect()
        begin = time.perf_counter()
        fill()
        figures.seconds["insert"][peer] = time.perf_counter() - begin
        for name, operation in ready().items():
            operations.setdefault(name, {})[peer] = operation
    del figures.seconds["insert"][PLAIN]
    inserted = figures.seconds["insert"]
    figures.ratios["insert"] = {peer: inserted[NITRO] / taken for peer, taken in inserted.items() if peer != NITRO}
    for name, peers in operations.items():
        print(f"  {size:,}: {TITLES[name]} ...", file=sys.stderr, flush=True)
        asked = {"get": questions.ids, "equality": questions.customers, "and": questions.groups}.get(
            name, questions.totals
        )
        samples = _in_turn(peers, asked)
        figures.seconds[name] = {peer: median(taken) for peer, taken in samples.items()}
        figures.ratios[name] = {
            peer: median(ours / theirs for ours, theirs in zip(samples[NITRO], taken, strict=True))
            for peer, taken in samples.items()
            if peer != NITRO
        }
    entity_class: Any = of_nitro.entity_class  # type: ignore[attr-defined]
    repository = entity_class._persistence_backend_class
    figures.memory = {what: taken / size for what, taken in repository.memory(entity_class).items()}
    assert repository.check() == []
    return figures


def _in_turn(peers: dict[str, Callable[[Any], Any]], asked: list[Any]) -> dict[str, list[float]]:
    """Seconds per call of each peer, round by round, so that what disturbs the machine disturbs all alike."""
    questions = {peer: cycle(asked) for peer in peers}
    calls = {peer: _calls_of_a_round(operation, questions[peer]) for peer, operation in peers.items()}
    samples: dict[str, list[float]] = {peer: [] for peer in peers}
    for _ in range(ROUNDS):
        for peer, operation in peers.items():
            batch = [next(questions[peer]) for _ in range(calls[peer])]
            begin = time.perf_counter()
            for question in batch:
                operation(question)
            samples[peer].append((time.perf_counter() - begin) / len(batch))
    return samples


def _calls_of_a_round(operation: Callable[[Any], Any], questions: Any) -> int:
    count = 1
    while True:
        batch = [next(questions) for _ in range(count)]
        begin = time.perf_counter()
        for question in batch:
            operation(question)
        if time.perf_counter() - begin > ROUND or count >= CALLS:
            return count
        count *= 4


def _time(seconds: float | None) -> str:
    if seconds is None:
        return ""
    for unit, size in (("ns", 1e-9), ("µs", 1e-6), ("ms", 1e-3), ("s", 1)):
        if seconds < 1000 * size or unit == "s":
            return f"{seconds / size:.3g} {unit}"
    raise AssertionError("unreachable")


def _grid(lines: list[list[str]]) -> str:
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    rule = ["-" * width for width in widths]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
        for line in [lines[0], rule, *lines[1:]]
    )


def table(figures: dict[int, Figures]) -> str:
    """The times of every peer at every size."""
    shown = (NITRO, SQLITE, PLAIN, SQLMODEL, LITTLETABLE)
    lines = [["operation", "entities", *shown, "against sqlite3"]]
    for name, title in TITLES.items():
        for size, measured in figures.items():
            taken = measured.seconds.get(name, {})
            ratio = measured.ratios.get(name, {}).get(SQLITE)
            against = "" if ratio is None else f"{1 / ratio:.3g}x faster" if ratio < 1 else f"{ratio:.2f}x time"
            lines.append([title, f"{size:,}", *(_time(taken.get(peer)) for peer in shown), against])
    return _grid(lines)


def judged(figures: dict[int, Figures]) -> str:
    """The goals, which are about the greatest size, and whether they are reached."""
    size = max(figures)
    most, least = figures[size], figures[min(figures)]
    lines = [["goal at " + f"{size:,}", "measured", "verdict"]]

    def add(goal: str, value: float, reached: bool, unit: str = "x") -> None:
        lines.append([goal, f"{value:.3g}{unit}", "reached" if reached else "BEHIND"])

    def faster(name: str, peer: str, times: float) -> None:
        value = 1 / most.ratios[name][peer]
        add(f"{TITLES[name]}: ≥ {times:g}x {peer}", value, value >= times)

    faster("get", SQLITE, 40)
    value = most.ratios["get"][PLAIN]
    add("get by id: ≤ 4x the time of dict.get", value, value <= 4)
    faster("equality", SQLITE, 10)
    faster("range", SQLITE, 8)
    value = most.seconds["range"][NITRO] / least.seconds["range"][NITRO]
    add(f"range: time ≤ 2x that at {min(figures):,}", value, value <= 2)
    faster("and", SQLITE, 5)
    faster("count", SQLITE, 100)
    faster("scan", PLAIN, 5)
    value = most.seconds["deep page"][NITRO] / most.seconds["first page"][NITRO]
    add("a deep page: ≤ 1.3x the time of the first", value, value <= 1.3)
    faster("insert", SQLITE, 1)
    for name in ("assign total", "assign status"):
        value = most.seconds[name][NITRO] * 1e6
        add(f"{TITLES[name]}: ≤ 1 µs", value, value <= 1, " µs")
    indexes = {what: taken for what, taken in most.memory.items() if what.startswith("index")}
    for what, taken in indexes.items():
        add(f"memory of {what}: ≤ 60 B per entity", taken, taken <= 60, " B")
    everything = sum(most.memory.values()) / len(indexes)
    add("all memory beside the objects: ≤ 60 B per entity and index", everything, everything <= 60, " B")
    return _grid(lines)


def write_readme(figures: dict[int, Figures]) -> None:
    """Keeps the tables where people look for them."""
    text = README.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    new = "\n\n".join((BEGIN, circumstances(), judged(figures), table(figures), END))
    README.write_text(before + new + after, encoding="utf-8")
