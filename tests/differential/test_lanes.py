"""The suite compares the fast lane with pydantic, and not pydantic with itself."""

import nitro

from .classes import FAST, cases_in
from .comparison import built
from .subjects import nitro_library, pairs_of


def test_most_of_the_fast_cases_take_the_fast_lane() -> None:
    for pair in pairs_of(nitro_library()):
        sides = [built(case, pair, True) for case in cases_in(FAST)]
        plans = [nitro.explain(vars(side.module)["Case"]).operations for side in sides if side.usable]
        for operation in plans[0]:
            fast = sum(plan[operation] is None for plan in plans)
            if pair.name == "value object" and operation == "assignment":
                continue  # refused at once
            assert fast > 0.85 * len(plans), f"{pair.name}: {operation} is fast for {fast} of {len(plans)} cases"
