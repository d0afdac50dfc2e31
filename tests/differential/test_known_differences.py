"""Each row of the table of known differences is still needed, and forgives its own example."""

from .comparison import Case, check, outcomes
from .known_differences import KNOWN_DIFFERENCES
from .subjects import nitro_library, pairs_of


def test_each_known_difference_exists_and_is_forgiven() -> None:
    for row in KNOWN_DIFFERENCES:
        source, script = row.example
        case = Case(row.name, source)
        for pair in pairs_of(nitro_library()):
            if pair.name in row.pairs:
                reference, subject = outcomes(case, pair, script)
                assert reference != subject, f"{row.name}: there is no difference any more"
                check(case, pair, script)
