"""How many examples are run, and how they are shared out among cases and areas."""

import os
import zlib
from collections.abc import Iterable

from hypothesis import HealthCheck, Phase, given, seed, settings

from .comparison import Case, check
from .scripts import AREAS
from .subjects import Pair

TOTAL = int(os.environ.get("NITRO_DIFFERENTIAL_EXAMPLES", "20000"))

# What part of the examples each area gets.
WEIGHTS = {
    "constructing": 25,
    "reading_json": 20,
    "assigning": 16,
    "dumping": 12,
    "living": 16,
    "copying": 5,
    "bulk": 6,
}


def examples_of(area: str, cases: int, total: int = TOTAL) -> int:
    """How many examples of an area one case gets, so that all cases together make the total."""
    return max(1, round(total * WEIGHTS[area] / sum(WEIGHTS.values()) / cases))


def compare(
    case: Case, area: str, pairs: Iterable[Pair], examples: int, *, repeatable: bool, shrink: bool = True
) -> None:
    """Generate scripts of an area for a case; a Difference, as small as can be, if any disagrees.

    Each case has its own run: left to choose among cases, Hypothesis would dwell on few of them.
    repeatable: the examples are the same ones in every run.
    """

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink) if shrink else (Phase.generate,),
        report_multiple_bugs=False,
    )
    @given(AREAS[area](case))
    def agrees(script: tuple[str, ...]) -> None:
        for pair in pairs:
            check(case, pair, script)

    if repeatable:
        agrees = seed(zlib.crc32(f"{area} {case.name}".encode()))(agrees)
    agrees()
