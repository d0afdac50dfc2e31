"""Counting allocated blocks around an operation."""

import gc
import sys
from collections.abc import Callable
from typing import Any


def growth(operation: Callable[[], Any], rounds: int, warm_up: int = 300) -> int:
    """How many more blocks are allocated after so many rounds than after the warm-up."""
    for _ in range(warm_up):
        operation()
    # Caches of the interpreter settle in steps, so the second count starts where the first has been.
    for _ in range(2):
        gc.collect()
        sys.getallocatedblocks()
    before = sys.getallocatedblocks()
    for _ in range(rounds):
        operation()
    gc.collect()
    return sys.getallocatedblocks() - before
