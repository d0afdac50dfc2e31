"""Domain events."""

from __future__ import annotations

from collections.abc import Callable

from blinker import Signal


class LifecycleSignal(Signal):
    """A signal that is sent for entities as they are stored."""


created = LifecycleSignal("An entity was stored for the first time.")
updated = LifecycleSignal("An entity was stored anew.")
deleted = LifecycleSignal("An entity was deleted.")
saved = LifecycleSignal("An entity was stored, for the first time or anew.")

#: Called when somebody begins to listen to one of these.
listened: Callable[[], None] | None = None
