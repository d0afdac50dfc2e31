"""Domain events: signals of blinker, and handlers that `on` registers for them.

A signal knows one receiver of ours, its dispatcher, which runs all handlers. What is connected to the signal by
blinker's own means works beside it as ever.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib import import_module
from inspect import iscoroutine
from typing import Any, TypeVar

import blinker

from .._core import Condition
from ..errors import ConfigurationError
from ._dispatcher import (
    Decisions,
    Dispatcher,
    Results,
    decisions,
    dispatcher_of,
    dispatchers,
    find_dispatcher,
    group,
    signal_name,
    signal_of,
)
from ._handler import Handler
from ._scopes import CapturedEvents, Sent, captured_events, muted

__all__ = [
    "CapturedEvents",
    "Handler",
    "LifecycleSignal",
    "Sent",
    "asend",
    "captured_events",
    "created",
    "deleted",
    "durable_handlers",
    "muted",
    "off",
    "on",
    "saved",
    "signal_of",
    "updated",
]

_F = TypeVar("_F", bound=Callable[..., Any])

#: Keep an event for its durable handlers: (signal, sender, keywords, handlers). What delivers it sets them.
recorder: Callable[[blinker.Signal, Any, dict[str, Any], tuple[Handler, ...]], None] | None = None
arecorder: Callable[[blinker.Signal, Any, dict[str, Any], tuple[Handler, ...]], Awaitable[None]] | None = None


class LifecycleSignal(blinker.NamedSignal):
    """A signal that is sent for entities when they are stored.

    Its durable handlers are told by `record`, in the transaction in which the entity is stored.

    Attributes:
        has_conditions: Whether a handler has a `when`, which is decided as the entity is stored.
    """

    has_conditions = False

    def decide(self, sender: Any) -> Decisions | None:
        """What the conditions of the handlers say of an entity as it is stored."""
        dispatcher = find_dispatcher(self)
        return None if dispatcher is None else dispatcher.decide(sender)

    def record(self, sender: Any, decided: Decisions | None, /, **keywords: Any) -> None:
        """Keeps an event for the durable handlers."""
        dispatcher = find_dispatcher(self)
        if dispatcher is not None and dispatcher.durable:
            token = decisions.set(decided)
            try:
                dispatcher.record(sender, keywords)
            finally:
                decisions.reset(token)

    async def arecord(self, sender: Any, decided: Decisions | None, /, **keywords: Any) -> None:
        """`record`, for async code."""
        dispatcher = find_dispatcher(self)
        if dispatcher is not None and dispatcher.durable:
            token = decisions.set(decided)
            try:
                await dispatcher.arecord(sender, keywords)
            finally:
                decisions.reset(token)

    def tell(self, sender: Any, decided: Decisions | None, /, **keywords: Any) -> Results:
        """`send`, with what was decided when the entity was stored; None where there was nothing to decide."""
        token = decisions.set(decided)
        try:
            return self.send(sender, **keywords)
        finally:
            decisions.reset(token)

    async def atell(self, sender: Any, decided: Decisions | None, /, **keywords: Any) -> Results:
        """`tell`, for async code."""
        token = decisions.set(decided)
        try:
            return await asend(self, sender, **keywords)
        finally:
            decisions.reset(token)

    def connect(self, receiver: _F, sender: Any = blinker.ANY, weak: bool = True) -> _F:
        # It sends these signals, from the moment on that it is asked to.
        import_module("nitro.work")
        return super().connect(receiver, sender, weak)


def _lifecycle(name: str, doc: str) -> LifecycleSignal:
    signal = LifecycleSignal(f"nitro.{name}", doc)
    blinker.default_namespace[signal.name] = signal
    return signal


#: Sent with `changes`, {field: (old value, new value)} as they were stored: after the commit of the outermost unit of
#: work, at once where there is none.
created = _lifecycle("created", "An entity was stored for the first time.")
updated = _lifecycle("updated", "An entity was stored anew.")
deleted = _lifecycle("deleted", "An entity was deleted.")
saved = _lifecycle("saved", "An entity was stored, for the first time or anew.")


def on(
    signal: blinker.Signal | str,
    /,
    *senders: Any,
    # A comparison of fields is a bool to type checkers.
    when: Condition | Callable[[Any], object] | bool | None = None,
    once: bool = False,
    durable: bool = False,
    timeout: float | None = None,
) -> Callable[[_F], _F]:
    """Registers the decorated function as a handler of a signal.

    The function is called with the sender, and with those keywords that it names (all, where it has `**keywords`).
    Handlers run in the order in which they were registered. All of them run; if any raised, an ExceptionGroup follows.
    An `async def` is awaited by `asend`. On a plain `send` it is awaited by the unit of work around it before that
    commits, if it is an async one; else it becomes a task of the running loop; where no loop runs, it runs to its end.

    A function that is registered several times for a signal runs once for what is sent, if any registration fits.

    Args:
        signal: A signal of blinker, or the name of one.
        senders: Classes, whose instances are meant, and particular senders; any sender where nothing is given.
        when: What must hold of the sender: a condition such as `Order.total > 100`, or a function of the sender. For
            `created`, `updated`, `deleted` and `saved` it is decided as the entity is when it is stored.
        once: Whether to run one time only, and then be gone.
        durable: Whether the event is kept with what the unit of work stores, and delivered afterwards, come what may.
        timeout: Seconds that an `async def` may take before it is cancelled with a TimeoutError; None for no limit.

    Raises:
        ConfigurationError: If the function cannot take a sender, or the arguments do not fit together.

    Example:
        >>> from nitro import off, on
        >>> from blinker import signal
        >>> @on("order-placed", Order, when=Order.total > 100)
        ... def congratulate(order):
        ...     print("A big one!", order.total)
        >>> for total in 50, 500:
        ...     _ = signal("order-placed").send(Order(customer_name="Ann", total=total))
        A big one! 500.0
        >>> off(congratulate)
    """
    wanted = signal_of(signal)
    if isinstance(when, bool):
        raise ConfigurationError(f"when={when} says nothing of a sender: compare a field, as in when=Order.total > 100")
    if durable:
        _check_durable(wanted)

    def register(function: _F) -> _F:
        handler = Handler(function, senders, when=when, once=once, durable=durable, timeout=timeout)
        dispatcher_of(wanted).add(handler)
        return function

    return register


def _check_durable(signal: blinker.Signal) -> None:
    if blinker.default_namespace.get(getattr(signal, "name", "")) is not signal:
        raise ConfigurationError(
            f"{signal_name(signal)} has no name by which its events could be kept: make it with blinker.signal(name)"
        )
    if recorder is None:
        # It sets it.
        import_module("nitro.outbox")


def off(function: Callable[..., Any], signal: blinker.Signal | str | None = None) -> None:
    """Takes a handler away from a signal, or from all where none is given.

    Nothing happens where it is not registered.
    """
    wanted = None if signal is None else signal_of(signal)
    for known, dispatcher in dispatchers():
        if wanted is None or known is wanted:
            dispatcher.remove(function)


async def asend(signal: blinker.Signal | str, sender: Any = None, /, **keywords: Any) -> Results:
    """Sends a signal, and awaits what handles it: one after the other, in the running task.

    The handlers of `on` and the receivers of blinker, sync and async; all run.

    Returns:
        (function, what it returned) of each.

    Raises:
        ExceptionGroup: Of what was raised, if anything was.

    Example:
        >>> import asyncio
        >>> from nitro import asend, off, on
        >>> @on("order-shipped")
        ... async def tell(order, carrier):
        ...     return f"{order.customer_name}'s is with {carrier}"
        >>> results = asyncio.run(asend("order-shipped", order, carrier="the post"))
        >>> [value for _, value in results]
        ["Alice's is with the post"]
        >>> off(tell)
    """
    wanted = signal_of(signal)
    results: Results = []
    failures: list[Exception] = []
    try:
        for receiver in () if wanted.is_muted else list(wanted.receivers_for(sender)):
            try:
                if isinstance(receiver, Dispatcher):
                    await receiver.asend(sender, keywords, results, failures)
                else:
                    value = receiver(sender, **keywords)
                    results.append((receiver, await value if iscoroutine(value) else value))
            except Exception as error:  # noqa: BLE001 - raised in a group, after the others
                failures.append(error)
    except BaseException as stop:
        if failures:
            raise stop from group(wanted, failures, len(results))
        raise
    if failures:
        try:
            raise group(wanted, failures, len(results))
        finally:
            # Their tracebacks hold this frame.
            del failures
    return results


def durable_handlers(signal: blinker.Signal | str) -> tuple[Handler, ...]:
    """The durable handlers of a signal, in the order of their registration."""
    dispatcher = find_dispatcher(signal_of(signal))
    return () if dispatcher is None else dispatcher.durable
