"""What time it is: the one place where Nitro asks, so that a test can say it."""

from __future__ import annotations

import datetime
import time
from typing import Protocol

__all__ = ["monotonic", "now"]


class Source(Protocol):
    """What can stand in for the clock of the machine."""

    def now(self) -> datetime.datetime: ...
    def monotonic(self) -> float: ...


#: What stands in for the clock of the machine; None for the machine's own.
source: Source | None = None


def now() -> datetime.datetime:
    """This moment, in UTC. `nitro.testing.frozen_clock` makes it stand still.

    Example:
        >>> import datetime
        >>> class Payment(nitro.Entity):
        ...     made_at: datetime.datetime = nitro.Field(default_factory=nitro.now)
        >>> Payment().made_at.tzinfo
        datetime.timezone.utc
    """
    return datetime.datetime.now(datetime.UTC) if source is None else source.now()


def monotonic() -> float:
    """Seconds since some moment, never going back: what a time to live is measured by.

    Example:
        >>> from nitro import clock
        >>> clock.monotonic() <= clock.monotonic()
        True
    """
    return time.monotonic() if source is None else source.monotonic()
