"""A memory repository and a naive model of it, side by side for a million steps in each mode: no difference.

`NITRO_MODEL_STEPS` sets another number of steps, `NITRO_MODEL_SEED` another beginning.
"""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "queries"))

from model_of_memory import drive

STEPS = int(os.environ.get("NITRO_MODEL_STEPS", "1000000"))
SEED = int(os.environ.get("NITRO_MODEL_SEED", "20260101"))


@pytest.mark.parametrize("isolated", [False, True], ids=["live", "isolated"])
def test_a_million_steps_show_no_difference(isolated):
    drive(SEED, STEPS, isolated=isolated)
