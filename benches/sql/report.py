"""Judges what was measured against the goals, and writes the table."""

from collections.abc import Sequence
from pathlib import Path

from ..report import circumstances
from .entities import NITRO
from .measure import Figures
from .operations import OPERATIONS, SQLMODEL, Goal, Operation
from .raw import RAW

README = Path(__file__).parent.with_name("README.md")
BEGIN, END = "<!-- sql begins -->", "<!-- sql ends -->"

COLUMNS = (NITRO, RAW, "SQLAlchemy Core", "SQLAlchemy ORM", SQLMODEL, "Django")
DISTRIBUTIONS = ("nitro", "pydantic", "sqlalchemy", "sqlmodel", "psycopg", "aiosqlite", "django")


def time_of(seconds: float | None) -> str:
    """A time for people."""
    if seconds is None:
        return ""
    for unit, size in (("ns", 1e-9), ("µs", 1e-6), ("ms", 1e-3)):
        if seconds < 1000 * size or unit == "ms":
            scaled = seconds / size
            return f"{scaled:.0f} {unit}" if scaled >= 100 else f"{scaled:.3g} {unit}"
    raise AssertionError("unreachable")


def _share(figures: Figures, operation: Operation, goal: Goal) -> float | None:
    return figures.share(operation.title, goal.peer or NITRO, goal.of)


def _measured(figures: Figures, operation: Operation, goal: Goal) -> str:
    share = _share(figures, operation, goal)
    if share is None:
        return "not measured"
    return f"{1 / share:.1f}x faster" if goal.times_faster is not None else f"{share:.2f}x time"


def verdict(figures: Figures, operation: Operation) -> str:
    """Whether the goals are reached, or who is behind whom; nothing where there are none."""
    if not operation.goals[figures.place]:
        return ""
    behind: list[str] = []
    for goal in operation.goals[figures.place]:
        share = _share(figures, operation, goal)
        if share is None:
            return "not measured in full"
        if share > goal.limit:
            behind.append(f"{_measured(figures, operation, goal)} {goal.of or goal.peer}")
    return f"BEHIND: {', '.join(behind)}" if behind else "reached"


def table(measured: Sequence[Figures]) -> str:
    """A row for each operation and database, the peers beside Nitro."""
    lines = [["operation", "database", *COLUMNS, "against the driver", "against SQLModel", "goals", "verdict"]]
    for operation in OPERATIONS:
        for figures in measured:
            if operation.title not in figures.samples:
                continue
            goals = operation.goals[figures.place]
            against = {goal.peer: _measured(figures, operation, goal) for goal in goals}
            lines.append(
                [
                    operation.title,
                    figures.place,
                    *(time_of(figures.seconds(operation.title, peer)) for peer in COLUMNS),
                    against.get(RAW) or against.get(None) or "",
                    against.get(SQLMODEL, ""),
                    ", ".join(map(str, goals)),
                    verdict(figures, operation),
                ]
            )
    return grid(lines)


def summary(measured: Sequence[Figures]) -> str:
    """How many goals are reached."""
    verdicts = [
        verdict(figures, operation)
        for operation in OPERATIONS
        for figures in measured
        if operation.title in figures.samples and operation.goals[figures.place]
    ]
    reached, behind = verdicts.count("reached"), sum(said.startswith("BEHIND") for said in verdicts)
    others = len(verdicts) - reached - behind
    return f"{len(verdicts)} rows have goals: {reached} reached, {behind} BEHIND, {others} not measured in full."


def grid(lines: list[list[str]]) -> str:
    """A table of Markdown that reads as well on a terminal."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    rule = ["-" * width for width in widths]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
        for line in [lines[0], rule, *lines[1:]]
    )


def written(measured: Sequence[Figures]) -> str:
    """Everything that is to be said."""
    return "\n\n".join((circumstances(DISTRIBUTIONS), table(measured), summary(measured)))


def write_readme(measured: Sequence[Figures]) -> None:
    """Keeps the table where people look for it."""
    text = README.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    README.write_text(f"{before}{BEGIN}\n\n{written(measured)}\n\n{END}{after}", encoding="utf-8")
