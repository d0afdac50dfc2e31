"""What tests do with events: look at what is sent, and keep handlers from running."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import blinker

from ..errors import ConfigurationError
from . import _dispatcher
from ._handler import Handler, identifier, name_of


class Sent(NamedTuple):
    """A signal that was sent."""

    signal: blinker.Signal
    sender: Any
    #: What was sent beside the sender.
    keywords: dict[str, Any]


class CapturedEvents(list[Sent]):
    """What was sent, in that order."""

    def of(self, signal: blinker.Signal | str) -> list[Sent]:
        """What was sent of one signal."""
        wanted = _dispatcher.signal_of(signal)
        return [sent for sent in self if sent.signal is wanted]


class _Scope:
    """What holds inside of one `with captured_events()` or `with muted()`.

    Attributes:
        signals: Those that are meant; None for all.
        functions: The handlers that are muted, by what identifies their functions.
    """

    def __init__(self, signals: tuple[blinker.Signal, ...] | None, functions: frozenset[Any] = frozenset()) -> None:
        self.signals = signals
        self.functions = functions
        self.captured: CapturedEvents | None = None
        self.is_muted = False
        self.is_open = True

    def _means(self, signal: blinker.Signal) -> bool:
        return self.signals is None or any(signal is meant for meant in self.signals)

    def capture(self, signal: blinker.Signal, sender: Any, keywords: Mapping[str, Any]) -> None:
        if self.captured is not None and self._means(signal):
            self.captured.append(Sent(signal, sender, dict(keywords)))

    def mutes(self, signal: blinker.Signal, handler: Handler) -> bool:
        return (self.is_muted and self._means(signal)) or handler.key in self.functions


#: How many scopes there are, in all threads: where there is none, nobody has to look for one.
opened: int = 0
_opened_lock = threading.Lock()
# Of the running thread or task; what it starts with its context is inside, too.
_scopes: ContextVar[tuple[_Scope, ...]] = ContextVar("nitro_event_scopes", default=())


def current() -> list[_Scope]:
    """The scopes that the running code is inside of."""
    # A task may outlive the scope that it was started in.
    return [scope for scope in _scopes.get() if scope.is_open]


@contextmanager
def _entered(scope: _Scope) -> Generator[None]:
    global opened
    with _opened_lock:
        opened += 1
    _scopes.set((*_scopes.get(), scope))
    try:
        yield
    finally:
        scope.is_open = False
        # By no token: a fixture may be torn down in another context than it was set up in.
        _scopes.set(tuple(other for other in _scopes.get() if other is not scope))
        with _opened_lock:
            opened -= 1


@contextmanager
def captured_events(*signals: blinker.Signal | str, muted: bool = False) -> Generator[CapturedEvents]:
    """Captures what is sent meanwhile.

    It sees what this thread or task sends, and what is started from here with its context: tasks, and functions in
    `asyncio.to_thread`. It may be nested, and used in several threads at once.

    Args:
        signals: Which ones; by default all those that have handlers, those of blinker's default namespace that exist,
            and so those of the life of entities.
        muted: Whether the handlers of these signals are kept from running.

    Returns:
        A list that grows, of `Sent(signal, sender, keywords)`.

    Example:
        >>> from nitro.events import captured_events
        >>> from blinker import signal
        >>> with captured_events() as events:
        ...     signal("order-placed").send(order, total=5)
        [...]
        >>> [(sent.signal.name, sent.sender is order, sent.keywords) for sent in events]
        [('order-placed', True, {'total': 5})]
    """
    if signals:
        chosen = wanted = tuple(map(_dispatcher.signal_of, signals))
    else:
        known = [*blinker.default_namespace.values(), *(signal for signal, _ in _dispatcher.dispatchers())]
        chosen, wanted = None, tuple({id(signal): signal for signal in known}.values())
    scope = _Scope(chosen)
    scope.captured, scope.is_muted = CapturedEvents(), muted
    held: list[_dispatcher.Dispatcher] = []
    try:
        for signal in wanted:
            held.append(dispatcher := _dispatcher.dispatcher_of(signal))
            dispatcher.hold()
        with _entered(scope):
            yield scope.captured
    finally:
        for dispatcher in held:
            dispatcher.release()


@contextmanager
def muted(*functions_or_signals: Callable[..., Any] | blinker.Signal | str) -> Generator[None]:
    """Keeps handlers from running: those given, and all of the signals given; all there are where nothing is given.

    It reaches as far as `captured_events` does, so what other threads and tasks send is handled as ever. Receivers that
    were connected without `on` run: for them there is `signal.muted()`.

    Raises:
        ConfigurationError: If a function is no handler.

    Example:
        >>> from nitro.events import muted, on
        >>> from blinker import signal
        >>> @on("order-placed")
        ... def send_mail(order):
        ...     print("sent")
        >>> with muted(send_mail):
        ...     _ = signal("order-placed").send(order)
        >>> nitro.off(send_mail)
    """
    signals: list[blinker.Signal] = []
    functions: set[Any] = set()
    for given in functions_or_signals:
        if isinstance(given, (str, blinker.Signal)):
            signals.append(_dispatcher.signal_of(given))
        elif any(handler.key == identifier(given) for _, known in _dispatcher.dispatchers() for handler in known.all()):
            functions.add(identifier(given))
        else:
            raise ConfigurationError(
                f"{name_of(given)} is no handler that `on` has registered: muted() takes these, and signals; "
                "for other receivers there is signal.muted()"
            )
    scope = _Scope(tuple(signals) if functions_or_signals else None, frozenset(functions))
    scope.is_muted = True
    with _entered(scope):
        yield
