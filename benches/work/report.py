"""Judges what was measured against the goals, and writes the table."""

from collections.abc import Sequence
from pathlib import Path
from statistics import median

from ..report import circumstances
from ..sql.report import grid, time_of
from .measure import Result

README = Path(__file__).parent.with_name("README.md")
BEGIN, END = "<!-- work begins -->", "<!-- work ends -->"

DISTRIBUTIONS = ("nitro", "pydantic", "blinker", "sqlalchemy", "psycopg")


def _added(seconds: float) -> str:
    return f"-{time_of(-seconds)}" if seconds < 0 else time_of(seconds)


def verdict(result: Result) -> str:
    """Whether the goal is reached, or what was measured; nothing where there is none."""
    if result.goal is None:
        return ""
    value = result.measured(result.goal)
    if value <= result.goal.limit:
        return "reached"
    return f"BEHIND: {f'{value:.2f}x' if result.goal.kind == 'ratio' else _added(value)}"


def table(results: Sequence[Result]) -> str:
    """A row for each result."""
    lines = [["operation", "where", "Nitro", "compared with", "its time", "ratio", "adds", "goal", "verdict"]]
    for result in results:
        lines.append(
            [
                result.title,
                result.place,
                time_of(median(result.nitro)),
                result.peer_name,
                time_of(median(result.peer)),
                f"{result.ratio:.2f}x",
                _added(result.added),
                str(result.goal or ""),
                verdict(result),
            ]
        )
    return grid(lines)


def summary(results: Sequence[Result]) -> str:
    """How many goals are reached."""
    verdicts = [verdict(result) for result in results if result.goal is not None]
    reached = verdicts.count("reached")
    return f"{len(verdicts)} rows have a goal: {reached} reached, {len(verdicts) - reached} BEHIND."


def written(results: Sequence[Result]) -> str:
    """Everything that is to be said."""
    return "\n\n".join((circumstances(DISTRIBUTIONS), table(results), summary(results)))


def write_readme(results: Sequence[Result]) -> None:
    """Keeps the table where people look for it."""
    text = README.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    README.write_text(f"{before}{BEGIN}\n\n{written(results)}\n\n{END}{after}", encoding="utf-8")
