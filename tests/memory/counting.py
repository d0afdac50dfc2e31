"""Counting allocated blocks around an operation."""

import gc
import sys
from collections.abc import Callable
from itertools import repeat
from typing import Any

# The interpreter remembers the latest attribute look-ups of all types, by the address of the name, and keeps those
# names alive: up to 4096 strings that no longer exist elsewhere. Whatever makes names as it goes, such as pickle's
# oldest protocols, fills that cache for thousands of rounds. It is emptied, not waited for.
clear_attribute_cache: Callable[[], None] = (
    sys._clear_internal_caches if sys.version_info >= (3, 13) else sys._clear_type_cache
)


def settle() -> None:
    """Leaves neither garbage nor names in the interpreter's caches; a full collection empties its free lists too."""
    gc.collect()
    # Last, since the hooks of a collection look things up.
    clear_attribute_cache()


def growth(operation: Callable[[], Any], rounds: int, warm_up: int) -> int:
    """How many more blocks are allocated after so many rounds than after the warm-up."""
    for _ in range(warm_up):
        operation()
    settle()
    before = sys.getallocatedblocks()
    # Not a range, whose last number would be one block more.
    for _ in repeat(None, rounds):
        operation()
    settle()
    # The number `before` is a block itself.
    return sys.getallocatedblocks() - before - 1
