"""A clock that stands still until a test moves it."""

from __future__ import annotations

import datetime
import math
import random
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, nullcontext

from nitro import clock

from . import ids

__all__ = ["FrozenClock", "frozen_clock"]


class FrozenClock:
    """The time that `nitro.clock` tells, which a test moves by hand."""

    def __init__(self, at: datetime.datetime) -> None:
        self._lock = threading.Lock()
        self._now = _aware(at)
        # From a whole second on, seconds add up without a rest: after a tick of sixty, sixty have passed.
        self._monotonic = float(math.ceil(time.monotonic()))

    def now(self) -> datetime.datetime:
        """The moment at which it stands."""
        return self._now

    def monotonic(self) -> float:
        """Seconds since some moment."""
        return self._monotonic

    def tick(self, seconds: float = 1.0) -> datetime.datetime:
        """Lets time pass, and gives the moment that it is then.

        Raises:
            ValueError: If `seconds` is below 0; `move_to` goes back.
        """
        if seconds < 0:
            raise ValueError(f"tick takes seconds from 0 on, got {seconds}: move_to goes back")
        with self._lock:
            self._now += datetime.timedelta(seconds=seconds)
            self._monotonic += seconds
            return self._now

    def move_to(self, moment: datetime.datetime) -> datetime.datetime:
        """Goes to a moment, and gives it. On the way forward whatever has a time to live gets older; nothing gets
        younger on the way back.

        Raises:
            ValueError: If the moment has no time zone.
        """
        moment = _aware(moment)
        with self._lock:
            self._monotonic += max(0.0, (moment - self._now).total_seconds())
            self._now = moment
            return self._now


def _aware(moment: datetime.datetime) -> datetime.datetime:
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone: write datetime(..., tzinfo=UTC)")
    return moment.astimezone(datetime.UTC)


@contextmanager
def frozen_clock(at: datetime.datetime | None = None) -> Generator[FrozenClock]:
    """Makes the time stand still for `nitro.now`, for what has a time to live in memory, and in new ids.

    Every thread and task of the process sees it. The clock of the machine, such as `time.time()` and the `now()` of a
    database, goes on.

    Args:
        at: The moment, with a time zone; None for the beginning of 2025, so that each run is like the one before.

    Raises:
        ValueError: If the moment has no time zone.

    Example:
        >>> from nitro.testing import frozen_clock
        >>> with frozen_clock() as clock:
        ...     order = Order(customer_name="Ann").save(ttl=60)
        ...     _ = clock.tick(60)
        ...     nitro.now().isoformat(), Order.get_or_none(order.id)
        ('2025-01-01T00:01:00+00:00', None)
    """
    frozen = FrozenClock(ids.START if at is None else at)
    before = clock.source
    # Ids that are given already, such as seeded ones, follow the clock by themselves.
    with nullcontext() if ids.are_given() else ids.given_by(random.SystemRandom()):
        clock.source = frozen
        try:
            yield frozen
        finally:
            clock.source = before
