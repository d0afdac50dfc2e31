"""Measure every row, judge it against its goals, and write the table."""

import os
import platform
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

from .memory import bytes_held
from .rows import NITRO, ROWS, SLOW, Goal, Row
from .shapes import DATACLASS, INSTALLED, MSGSPEC, PYDANTIC, PYDANTIC_ASSIGNMENT, names_of
from .timing import compile_loop, nanoseconds, ratio

README = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- table begins -->", "<!-- table ends -->"
DISTRIBUTIONS = ("nitro", "pydantic", "pydantic-core", "msgspec", "attrs")


@dataclass(frozen=True)
class Result:
    """medians: nanoseconds per operation, or bytes. ratios: (ours, theirs) -> our share."""

    row: Row
    medians: dict[str, float]
    ratios: dict[tuple[str, str], float]

    def measured(self, ours: str, goal: Goal) -> float | None:
        """What the goal is about; None where the peer is not installed."""
        if goal.peer is None:
            return self.medians[ours]
        return self.ratios.get((ours, goal.peer))

    def verdicts(self) -> Iterator[tuple[str, Goal, float | None]]:
        for goal in self.row.goals:
            for ours in NITRO:
                if ours in self.medians:
                    yield ours, goal, self.measured(ours, goal)


def measure(row: Row, *, rounds: int) -> Result:
    peers = [peer for peer in row.statements if peer in INSTALLED]
    if row.kind == "bytes":
        samples = {peer: [bytes_held(row.title, peer)] for peer in peers}
    else:
        loops = {peer: compile_loop(row.statements[peer], names_of(peer)) for peer in peers}
        samples = nanoseconds(loops, rounds=rounds)
        for taken in samples.values():
            taken[:] = [one / row.operations for one in taken]
    return Result(
        row,
        {peer: median(taken) for peer, taken in samples.items()},
        {
            (ours, theirs): ratio(samples[ours], samples[theirs])
            for ours in NITRO
            if ours in samples
            for theirs in samples
            if theirs not in NITRO
        },
    )


def measure_all(rows: Iterable[Row] = ROWS, *, rounds: int) -> list[Result]:
    results = []
    for row in rows:
        print(f"  {row.title} ...", file=sys.stderr, flush=True)
        results.append(measure(row, rounds=rounds))
    return results


def _figure(row: Row, value: float | None) -> str:
    if value is None:
        return ""
    if row.kind == "bytes":
        return f"{value:.0f} B"
    for unit, size in (("ns", 1), ("µs", 1e3), ("ms", 1e6)):
        if value < 1000 * size or unit == "ms":
            scaled = value / size
            return f"{scaled:.0f} {unit}" if scaled >= 100 else f"{scaled:.3g} {unit}"
    raise AssertionError("unreachable")


def _pydantic_of(row: Row) -> str:
    """The pydantic that does the same work: where values are assigned, the one that validates."""
    wanted = [goal.peer for goal in row.goals] + [PYDANTIC, PYDANTIC_ASSIGNMENT]
    return next(peer for peer in wanted if peer in (PYDANTIC, PYDANTIC_ASSIGNMENT) and peer in row.statements)


def _against(result: Result, peer: str) -> str:
    """The ratios of Model and Entity to this peer, in the terms of the row's goals."""
    row = result.row
    shares = [result.ratios[ours, peer] for ours in NITRO if (ours, peer) in result.ratios]
    if not shares:
        return ""
    if row.kind == "bytes":
        return " / ".join(f"{share:.2f}" for share in shares) + "x size"
    if peer == MSGSPEC or row.lane == SLOW:
        return " / ".join(f"{share:.2f}" for share in shares) + "x time"
    return " / ".join(f"{1 / share:.1f}" for share in shares) + "x faster"


def _goals(row: Row) -> str:
    unit = " B" if row.kind == "bytes" else ""
    return ", ".join(f"{goal}{unit}" for goal in row.goals)


def _amount(row: Row, goal: Goal, measured: float) -> str:
    if goal.peer is None:
        return _figure(row, measured)
    return f"{1 / measured:.2f}x" if goal.times_faster is not None else f"{measured:.2f}x"


def _said(result: Result, goal: Goal) -> str:
    """One goal's verdict; a ratio that no column shows is said here."""
    found = [(ours, share) for ours, judged, share in result.verdicts() if judged is goal]
    if any(share is None for _, share in found):
        return f"not measured: {goal.peer} is not installed"
    behind = [f"{ours} {_amount(result.row, goal, share)}" for ours, share in found if not goal.reached(share)]
    against = f" {goal.peer}" if goal.peer else ""
    if behind:
        return f"BEHIND{against}: {', '.join(behind)}"
    if goal.peer == DATACLASS:
        return f"reached ({' / '.join(f'{share:.2f}' for _, share in found)}x)"
    return "reached"


def verdict(result: Result) -> str:
    said = [_said(result, goal) for goal in result.row.goals]
    return "; ".join(dict.fromkeys(one for one in said if one != "reached")) or said[0]


def _cells(results: list[Result]) -> list[list[str]]:
    peers = list(INSTALLED)
    head = ["operation", *peers, "against pydantic", "against msgspec", "goal", "verdict"]
    lines = [head]
    for result in results:
        row = result.row
        lines.append(
            [
                row.title,
                *(_figure(row, result.medians.get(peer)) for peer in peers),
                _against(result, _pydantic_of(row)),
                _against(result, MSGSPEC),
                _goals(row),
                verdict(result) if row.goals else "",
            ]
        )
    return lines


def table(results: list[Result]) -> str:
    """A Markdown table, aligned so that it reads as well on a terminal."""
    lines = _cells(results)
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    figures = range(1, 1 + len(INSTALLED))
    rule = ["-" * (width - 1) + ":" if column in figures else "-" * width for column, width in enumerate(widths)]
    return "\n".join(
        "| "
        + " | ".join(
            cell.rjust(width) if column in figures else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        + " |"
        for line in [lines[0], rule, *lines[1:]]
    )


def summary(results: list[Result]) -> str:
    verdicts = [verdict(result) for result in results if result.row.goals]
    behind = sum("BEHIND" in said for said in verdicts)
    unmeasured = sum("not measured" in said and "BEHIND" not in said for said in verdicts)
    said = f"{len(verdicts)} rows have a goal: {len(verdicts) - behind - unmeasured} reached"
    if unmeasured:
        said += f", {unmeasured} not measured in full"
    return f"{said}, {behind} BEHIND."


def _processor() -> str:
    try:
        found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    except FileNotFoundError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()


def _versions(distributions: Iterable[str]) -> Iterator[str]:
    for distribution in distributions:
        try:
            yield f"{distribution} {version(distribution)}"
        except PackageNotFoundError:
            if distribution in ("nitro", "pydantic"):
                raise
            yield f"{distribution} not installed"


def circumstances(distributions: Iterable[str] = DISTRIBUTIONS) -> str:
    layout = os.environ.get("NITRO_LAYOUT", "not set")
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return "\n".join(
        (
            f"- Processor: {_processor()}, {os.cpu_count()} logical",
            f"- System: {platform.platform()}",
            f"- Python: {python}, {platform.python_compiler()}",
            f"- Versions: {', '.join(_versions(distributions))}",
            f"- `NITRO_LAYOUT`: {layout}",
        )
    )


def write_readme(results: list[Result]) -> None:
    text = README.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    new = f"{BEGIN}\n{circumstances()}\n\n{table(results)}\n\n{summary(results)}\n{END}"
    README.write_text(before + new + after, encoding="utf-8")
