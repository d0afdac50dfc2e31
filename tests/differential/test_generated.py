"""Generated classes and scripts: Nitro and pydantic agree, statement by statement."""

import os

import pytest

from .budget import WEIGHTS, compare, examples_of
from .classes import WRITTEN
from .comparison import Case, check_definition
from .generated_classes import GENERATED
from .scripts import class_of
from .subjects import pairs

CASES = tuple(case for case in WRITTEN + GENERATED if class_of(case) is not None)
REFUSED = tuple(case for case in WRITTEN + GENERATED if class_of(case) is None)
IN_CI = "CI" in os.environ


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_agrees_with_pydantic(case: Case) -> None:
    for area in WEIGHTS:
        compare(case, area, pairs(), examples_of(area, len(CASES)), repeatable=IN_CI)


def test_refuses_what_pydantic_refuses() -> None:
    for case in REFUSED:
        for pair in pairs():
            check_definition(case, pair)


def test_most_cases_can_be_defined() -> None:
    assert len(REFUSED) < len(CASES) / 50
