"""The one receiver that stands in a signal for all handlers that `on` has registered for it."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from inspect import iscoroutine
from typing import Any

import blinker

from .. import events
from ..errors import ConfigurationError
from . import _scopes
from ._handler import Handler, identifier

#: Where a signal keeps its dispatcher: with the signal it comes, with the signal it goes.
_ATTRIBUTE = "_nitro_dispatcher"

#: What a loop over handlers needs of each: the function, the filter, the keywords, the handler.
Step = tuple[Callable[..., Any], Callable[[Any], bool] | None, frozenset[str] | None, Handler]
#: What they returned, as blinker's `send` tells it of receivers.
Results = list[tuple[Callable[..., Any], Any]]
#: What was decided when an entity was stored: the entity, and what stands in for `matches` of those that have a `when`.
Decisions = tuple[Any, dict[Handler, "Callable[[Any], bool] | None"]]

#: What was decided of the entity that a signal tells of now; None where it is sent by hand.
decisions: ContextVar[Decisions | None] = ContextVar("nitro_event_decisions", default=None)

_dispatchers: weakref.WeakSet[Dispatcher] = weakref.WeakSet()
_lock = threading.RLock()


class Dispatcher:
    """Calls the handlers of a signal, all of them, in the order of their registration."""

    def __init__(self, signal: blinker.Signal) -> None:
        # Not the signal itself: it goes as soon as nobody else has it.
        self._signal = weakref.ref(signal)
        #: Whether events are kept for durable handlers before they are sent.
        self._is_lifecycle = isinstance(signal, events.LifecycleSignal)
        self.handlers: tuple[Handler, ...] = ()
        self.durable: tuple[Handler, ...] = ()
        self._steps: tuple[Step, ...] = ()
        self._has_once = False
        #: Whether something is to be decided when an entity is stored, before the signal tells of it.
        self._has_conditions = False
        self._is_repetitive = False
        #: How many want it in its signal though it may have no handlers.
        self._holders = 0

    @property
    def signal(self) -> blinker.Signal:
        signal = self._signal()
        assert signal is not None, "a dispatcher lives no longer than its signal"
        return signal

    # --- Who is registered ---

    def add(self, handler: Handler) -> None:
        """Registers a handler, as the last one; one that is there already keeps its place."""
        with _lock:
            self._connect()
            if any(there.key == handler.key and there.options() == handler.options() for there in self.all()):
                return
            if handler.durable:
                for there in self.durable:
                    if there.name == handler.name:
                        raise ConfigurationError(
                            f"{signal_name(self.signal)} has a durable handler {handler.name} already, and events are "
                            "kept under that name: give one of them another, or take the old one away with off()"
                        )
            self._set([*self.all(), handler])

    def remove(self, function: Callable[..., Any]) -> None:
        """Takes every registration of a function away."""
        with _lock:
            self._set([there for there in self.all() if there.key != identifier(function)])

    def tidy(self) -> None:
        """Takes away what cannot run any more."""
        with _lock:
            self._set(self.all())

    def hold(self) -> None:
        """Has it in its signal, with handlers or without, until `release`."""
        with _lock:
            self._holders += 1
            self._connect()

    def release(self) -> None:
        """Ends what `hold` began."""
        with _lock:
            self._holders -= 1
            self._set(self.all())

    def all(self) -> tuple[Handler, ...]:
        return self.handlers + self.durable

    def _set(self, handlers: Iterable[Handler]) -> None:
        alive = [handler for handler in handlers if not handler.is_dead]
        # Whoever is in a loop over the old ones goes on with them.
        self.handlers = tuple(handler for handler in alive if not handler.durable)
        self.durable = tuple(handler for handler in alive if handler.durable)
        self._steps = tuple((handler.function, handler.matches, handler.names, handler) for handler in self.handlers)
        self._has_once = any(handler.once for handler in self.handlers)
        self._has_conditions = self._is_lifecycle and any(handler.when is not None for handler in alive)
        self._is_repetitive = len({handler.key for handler in self.handlers}) < len(self.handlers)
        if isinstance(self.signal, events.LifecycleSignal):
            self.signal.has_conditions = self._has_conditions
        if not alive and not self._holders:
            self.signal.disconnect(self)

    def _connect(self) -> None:
        # Somebody may have cleared the signal.
        if identifier(self) not in self.signal.receivers:
            self.signal.connect(self, weak=False)

    # --- Sending ---

    def __call__(self, sender: Any = None, /, **keywords: Any) -> Results:
        steps = self._steps
        failures: list[Exception] = []
        if self.durable or _scopes.opened:
            steps = self._looked_at(sender, keywords)
            if not self._is_lifecycle and (durable := self._to_record(sender, failures)):
                try:
                    _recorder(events.recorder)(self.signal, sender, keywords, durable)
                except Exception as error:  # noqa: BLE001 - raised in a group, after the handlers
                    failures.append(error)
        if self._has_conditions:
            steps = self._as_decided(sender, steps)
        results: Results = []
        seen: set[Any] | None = set() if self._is_repetitive else None
        try:
            for function, matches, names, handler in steps:
                try:
                    if seen is not None and handler.key in seen:
                        continue
                    if matches is not None and not matches(sender):
                        continue
                    if seen is not None:
                        seen.add(handler.key)
                    if not keywords:
                        value = function(sender)
                    elif names is None or names.issuperset(keywords):
                        value = function(sender, **keywords)
                    else:
                        value = function(sender, **{name: keywords[name] for name in names if name in keywords})
                    if value is not None and iscoroutine(value):
                        value = handler.start(value)
                    results.append((function, value))
                except Exception as error:  # noqa: BLE001 - raised in a group, after the others
                    handler.note(error)
                    failures.append(error)
        except BaseException as stop:
            if failures:
                raise stop from group(self.signal, failures, len(results))
            raise
        if self._has_once:
            self.tidy()
        if failures:
            try:
                raise group(self.signal, failures, len(results))
            finally:
                # Their tracebacks hold this frame.
                del failures
        return results

    def decide(self, sender: Any) -> Decisions:
        """What the conditions of the handlers say of an entity as it is now, of which the signal tells later."""
        return sender, {handler: handler.decided(sender) for handler in self.all() if handler.when is not None}

    def record(self, sender: Any, keywords: dict[str, Any]) -> None:
        """Keeps an event for the durable handlers, before it is sent."""
        failures: list[Exception] = []
        if durable := self._to_record(sender, failures):
            _recorder(events.recorder)(self.signal, sender, keywords, durable)
        if failures:
            raise group(self.signal, failures, len(durable))

    async def arecord(self, sender: Any, keywords: dict[str, Any]) -> None:
        """`record`, for async code."""
        failures: list[Exception] = []
        if durable := self._to_record(sender, failures):
            await _recorder(events.arecorder)(self.signal, sender, keywords, durable)
        if failures:
            raise group(self.signal, failures, len(durable))

    async def asend(self, sender: Any, keywords: dict[str, Any], results: Results, failures: list[Exception]) -> None:
        """Runs the handlers, awaits those for async code, and adds what they return and what they raise."""
        steps = self._steps
        if self.durable or _scopes.opened:
            steps = self._looked_at(sender, keywords)
            if not self._is_lifecycle and (durable := self._to_record(sender, failures)):
                try:
                    await _recorder(events.arecorder)(self.signal, sender, keywords, durable)
                except Exception as error:  # noqa: BLE001 - raised in a group, after the handlers
                    failures.append(error)
        if self._has_conditions:
            steps = self._as_decided(sender, steps)
        seen: set[Any] = set()
        for function, matches, _, handler in steps:
            try:
                if handler.key in seen or (matches is not None and not matches(sender)):
                    continue
                seen.add(handler.key)
                results.append((function, await handler.acall(sender, keywords)))
            except Exception as error:  # noqa: BLE001 - raised in a group, after the others
                handler.note(error)
                failures.append(error)
        if self._has_once:
            self.tidy()

    def _looked_at(self, sender: Any, keywords: Mapping[str, Any]) -> tuple[Step, ...]:
        """Lets the scopes around capture what is sent, and gives what they let run."""
        signal, steps = self.signal, self._steps
        for scope in _scopes.current():
            scope.capture(signal, sender, keywords)
            steps = tuple(step for step in steps if not scope.mutes(signal, step[3]))
        return steps

    def _as_decided(self, sender: Any, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        """The steps with what was decided of a sender when it was stored."""
        known = _decided_of(sender)
        return tuple(
            (function, known.get(handler, matches), names, handler) for function, matches, names, handler in steps
        )

    def _to_record(self, sender: Any, failures: list[Exception]) -> tuple[Handler, ...]:
        """The durable handlers that an event is kept for. A condition that raises adds to the failures."""
        signal, known = self.signal, _decided_of(sender)
        found: list[Handler] = []
        for handler in self.durable:
            try:
                matches = known.get(handler, handler.matches)
                if (matches is None or matches(sender)) and not any(
                    scope.mutes(signal, handler) for scope in _scopes.current()
                ):
                    found.append(handler)
            except Exception as error:  # noqa: BLE001 - raised in a group, after the handlers
                handler.note(error)
                failures.append(error)
        return tuple(found)

    def __repr__(self) -> str:
        return f"<handlers of {signal_name(self.signal)}: {', '.join(handler.name for handler in self.all())}>"


def _decided_of(sender: Any) -> Mapping[Handler, Callable[[Any], bool] | None]:
    """What was decided of a sender when it was stored."""
    decided = decisions.get()
    return decided[1] if decided is not None and decided[0] is sender else {}


def _recorder(recorder: Any) -> Any:
    if recorder is None:
        raise ConfigurationError("nothing records durable events: import nitro.outbox")
    return recorder


def group(signal: blinker.Signal, failures: list[Exception], succeeded: int) -> ExceptionGroup:
    """The error that tells of all that went wrong as a signal was sent."""
    stands = "; what was stored stays so" if isinstance(signal, events.LifecycleSignal) else ""
    count = len(failures)
    return ExceptionGroup(f"{signal_name(signal)}: {count} of {count + succeeded} handlers failed{stands}", failures)


def signal_name(signal: blinker.Signal) -> str:
    """What a signal is called in messages."""
    return signal.name if isinstance(signal, blinker.NamedSignal) else repr(signal)


def signal_of(signal: blinker.Signal | str) -> blinker.Signal:
    """The signal itself, or that of blinker's default namespace which has the name."""
    if isinstance(signal, str):
        return blinker.signal(signal)
    if not isinstance(signal, blinker.Signal):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ConfigurationError(
            f"a signal of blinker or the name of one is wanted, got {signal!r}: write `@on(order_placed)`"
        )
    return signal


def dispatcher_of(signal: blinker.Signal) -> Dispatcher:
    """The dispatcher of a signal, made at the first time."""
    found = find_dispatcher(signal)
    if found is None:
        with _lock:
            found = find_dispatcher(signal)
            if found is None:
                found = vars(signal)[_ATTRIBUTE] = Dispatcher(signal)
                _dispatchers.add(found)
    return found


def find_dispatcher(signal: blinker.Signal) -> Dispatcher | None:
    """The dispatcher of a signal; None where it never had a handler."""
    return vars(signal).get(_ATTRIBUTE)


def dispatchers() -> list[tuple[blinker.Signal, Dispatcher]]:
    """Every signal that had a handler, with its dispatcher. The signals live as long as the list."""
    with _lock:
        known = list(_dispatchers)
    return [(signal, dispatcher) for dispatcher in known if (signal := dispatcher._signal()) is not None]
