"""Ids of entities that are the same in every run."""

from __future__ import annotations

import datetime
import random
import threading
from collections.abc import Generator
from contextlib import contextmanager
from uuid import UUID

from nitro import _core, clock

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
#: The time in seeded ids, and of a frozen clock that nobody gave another one.
START = datetime.datetime(2025, 1, 1, tzinfo=datetime.UTC)


class Ids:
    """Gives UUIDv7 texts: the time of `nitro.clock`, a counter that keeps them in order, and random bits."""

    def __init__(self, bits: random.Random) -> None:
        self._bits = bits
        self._lock = threading.Lock()
        #: Milliseconds and counter of the newest one, as one number.
        self._newest = 0

    def __call__(self) -> str:
        # Without a frozen clock the time stands still too, or else no two runs would be alike.
        moment = START if clock.source is None else clock.now()
        now = (moment - _EPOCH) // datetime.timedelta(milliseconds=1) << 12
        with self._lock:
            stamp = self._newest = max(now, self._newest + 1)
            tail = self._bits.getrandbits(62)
        milliseconds, counter = stamp >> 12, stamp & 0xFFF
        return str(UUID(int=milliseconds << 80 | 7 << 76 | counter << 64 | 0b10 << 62 | tail))


_source: Ids | None = None


def are_given() -> bool:
    """Whether ids come from here already."""
    return _source is not None


@contextmanager
def given_by(bits: random.Random) -> Generator[None]:
    """Takes the ids of entities from `Ids` with these random bits, in every thread and task."""
    global _source
    before, _source = _source, Ids(bits)
    _core.set_id_source(_source)
    try:
        yield
    finally:
        _source = before
        _core.set_id_source(before)


@contextmanager
def seeded_ids(seed: int = 0) -> Generator[None]:
    """Gives new entities ids that are the same in every run, and in the order in which they are made.

    They are UUIDv7 as ever. The time in them is that of `frozen_clock`; without one, the beginning of 2025.

    Args:
        seed: Another number gives other ids.

    Example:
        >>> from nitro.testing import seeded_ids
        >>> with seeded_ids():
        ...     print(Order(customer_name="Ann").id, Order(customer_name="Bob").id)
        01941f29-7c00-7000-... 01941f29-7c00-7001-...
    """
    with given_by(random.Random(seed)):
        yield
