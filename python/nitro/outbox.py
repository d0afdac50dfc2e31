"""Durable events: what is sent is kept with what is stored, and delivered afterwards, come what may.

A signal that has a handler with `durable=True` is written to the outbox of its sender's database, in the transaction
that is going on. A `Relay` delivers it: at least once, in order for each entity, and with the handler's own changes in
that database made once.
"""

from __future__ import annotations

import asyncio
import contextvars
import datetime
import json
import logging
import os
import random
import socket
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from queue import SimpleQueue
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from . import _core, clock, events, work
from ._stored_events import Keywords, Unreadable, Written, class_name, key_text, keywords_text, sender_text
from .backends.sql import SQLModelBackend
from .backends.sql.database import Database, Unfit
from .backends.sql.outbox import Outbox, StoredEvent, wanted_by
from .entity import Entity, subclasses
from .errors import (
    BackendError,
    BackendUnavailable,
    ConfigurationError,
    DurabilityWarning,
    NitroError,
    UnitOfWorkError,
    UnstorableEvent,
    WriteConflict,
)
from .events._dispatcher import dispatchers, group, signal_name
from .events._handler import Handler, _is_async
from .repository import is_substituted, repository_of

if TYPE_CHECKING:
    from blinker import Signal

T = TypeVar("T")

__all__ = ["Relay", "StoredEvent", "dead_letters", "replay"]

_log = logging.getLogger("nitro.outbox")

#: Seconds: the longest pause between two attempts, however many there were.
_LONGEST_PAUSE = 3600.0
#: What ends without anybody doing something about it here, or is seen to by others.
_OUTAGES = (BackendUnavailable, BackendError, WriteConflict)
#: Seconds: the longest pause of a relay whose database is lost.
_LONGEST_WAIT = 30.0
#: Seconds between two looks for dead letters that are to be forgotten.
_FORGETTING = 60.0
#: How many events a relay claims when it begins; more when they take little time.
_FIRST_CLAIM = 8
#: Seconds that what is claimed at a time should take, so that others get their share.
_SHARE = 1.0
#: Characters of an error that are kept.
_KEPT_ERROR = 4000

#: Where an outbox is: a URL, a backend, or None for the database that is configured.
Place = str | SQLModelBackend | None


class Stop(Protocol):
    """What ends a relay that runs: an Event of threading or of asyncio."""

    def is_set(self) -> bool: ...


# --- Sending ----------------------------------------------------------------------------------------------------


def _record(signal: Signal, sender: Any, keywords: dict[str, Any], handlers: tuple[Handler, ...]) -> None:
    """Keeps an event for its durable handlers: what `nitro.events` calls as it is sent."""
    repository = _repository(signal, sender)
    unit = work.current()
    if repository is None:
        _warn(sender.__class__)
        if unit is None:
            _run_here(signal, sender, keywords, handlers)
        else:
            for handler in handlers:
                call = handler.acall if unit.is_async else handler.call
                unit.on_commit(partial(call, sender, keywords))
        return
    event = _event(signal, sender, keywords, handlers)
    if unit is not None and unit.is_async:
        # All of them are written in the order in which they were sent, so those of `asend` are, too.
        unit.defer(_aadd(repository, event, sender, unit))
    else:
        if unit is not None:
            unit.join(repository)
        with _told(event, sender):
            Outbox(repository.database).add(event)
    _ring_after(unit, repository.database)


async def _arecord(signal: Signal, sender: Any, keywords: dict[str, Any], handlers: tuple[Handler, ...]) -> None:
    """`_record`, for `asend`."""
    repository = _repository(signal, sender)
    unit = work.current()
    if unit is not None:
        _record(signal, sender, keywords, handlers)
        return
    if repository is None:
        _warn(sender.__class__)
        await _arun_here(signal, sender, keywords, handlers)
        return
    await _aadd(repository, _event(signal, sender, keywords, handlers), sender)
    _ring(repository.database)


async def _aadd(repository: SQLModelBackend, event: StoredEvent, sender: Entity, unit: work.Unit | None = None) -> None:
    if unit is not None:
        await unit.ajoin(repository)
    with _told(event, sender):
        await Outbox(repository.database).aadd(event)


@contextmanager
def _told(event: StoredEvent, sender: Entity) -> Generator[None]:
    """Tells what the database does not take."""
    try:
        yield
    except Unfit as error:
        raise UnstorableEvent(
            event.signal,
            type(sender),
            f"its name or the key of its sender, {event.sender_key!r}, is no text that a database takes ({error}): "
            "give it another",
        ) from error


def _ring_after(unit: work.Unit | None, store: Database) -> None:
    """Lets the relays know of an event as soon as it is kept."""
    if unit is None:
        _ring(store)
    else:
        unit.on_commit(partial(_ring, store))


events.recorder, events.arecorder = _record, _arecord


def _repository(signal: Signal, sender: Any) -> SQLModelBackend | None:
    """The repository of a sender, where it has an outbox."""
    if not isinstance(sender, Entity):
        raise UnstorableEvent(
            signal_name(signal),
            sender.__class__,
            f"its sender {sender!r} is no entity, in whose database it could be kept: send it of one",
        )
    repository = repository_of(type(sender))
    return repository if isinstance(repository, SQLModelBackend) else None


def _event(signal: Signal, sender: Entity, keywords: Mapping[str, Any], handlers: Sequence[Handler]) -> StoredEvent:
    name = signal_name(signal)
    return StoredEvent(
        id=_core.new_id(),
        signal=name,
        sender_class=class_name(type(sender)),
        sender_key=key_text(sender),
        sender=sender_text(name, sender),
        keywords=keywords_text(name, type(sender), keywords),
        handlers=json.dumps([handler.name for handler in handlers]),
        created_at=clock.now(),
    )


# --- Where there is no outbox -----------------------------------------------------------------------------------

_warned: weakref.WeakSet[type] = weakref.WeakSet()


def _warn(entity_class: type[Any]) -> None:
    """Says, once for each class, that its durable events are not."""
    if entity_class in _warned or is_substituted():
        return
    _warned.add(entity_class)
    backend = type(repository_of(entity_class)).__name__
    warnings.warn(
        f"events of {entity_class.__name__} are lost if this process ends: {backend} has no outbox, so durable "
        f"handlers run here, after the commit; SQLModelBackend as the backend of {entity_class.__name__} keeps them",
        DurabilityWarning,
        stacklevel=4,
    )


def _run_here(signal: Signal, sender: Any, keywords: Mapping[str, Any], handlers: Sequence[Handler]) -> None:
    failures: list[Exception] = []
    for handler in handlers:
        try:
            handler.call(sender, keywords)
        except Exception as error:  # noqa: BLE001 - raised in a group, after the others
            handler.note(error)
            failures.append(error)
    if failures:
        raise group(signal, failures, len(handlers) - len(failures))


async def _arun_here(signal: Signal, sender: Any, keywords: Mapping[str, Any], handlers: Sequence[Handler]) -> None:
    failures: list[Exception] = []
    for handler in handlers:
        try:
            await handler.acall(sender, keywords)
        except Exception as error:  # noqa: BLE001 - raised in a group, after the others
            handler.note(error)
            failures.append(error)
    if failures:
        raise group(signal, failures, len(handlers) - len(failures))


# --- Which databases have an outbox -----------------------------------------------------------------------------

_relays: weakref.WeakSet[Relay] = weakref.WeakSet()


def _is_wanted(store: Database) -> bool:
    if any(relay.store is store for relay in list(_relays)):
        return True
    return any(_may_send(handler, store) for _, dispatcher in dispatchers() for handler in dispatcher.durable)


def has_handlers() -> bool:
    """Whether there is any durable handler in this process."""
    return any(dispatcher.durable for _, dispatcher in dispatchers())


def _may_send(handler: Handler, store: Database) -> bool:
    """Whether a handler may be sent events of entities in a database."""
    chosen = [cls for cls in handler.classes if issubclass(cls, Entity)]
    if len(chosen) < len(handler.classes) or not chosen:
        # A mixin, or any class at all.
        return True
    for cls in chosen:
        for sender_class in (cls, *subclasses(cls)):
            repository = repository_of(sender_class)
            if isinstance(repository, SQLModelBackend) and repository.database is store:
                return True
    return False


wanted_by.append(_is_wanted)


# --- Delivering -------------------------------------------------------------------------------------------------


def _ring(store: Database) -> None:
    """Lets the relays of this process know that there is something to deliver."""
    for relay in list(_relays):
        if relay.store is store:
            relay.wake()


class Relay:
    """Delivers the events of one outbox to their durable handlers.

    Any number of relays may be at work, in any number of processes. Events of one entity are delivered in the order in
    which they were sent: a later one waits until the one before it is delivered, or is a dead letter.

    Each handler runs in a unit of work of its own on the outbox's database, which also notes that it has had the event:
    what it changes there is changed once. What it does elsewhere is done at least once.

    Args:
        place: The database: a URL, or a backend; None stands for the one that is configured.
        batch: How many events are claimed at a time, at most. Where they take long, fewer are.
        lease: Seconds until others may take over what a relay that has died had claimed.
        attempts: How often an event is tried before it is a dead letter.
        backoff: Seconds, about, until it is tried again after the first failure; twice as long after each further one,
            an hour at most.
        timeout: Seconds that a handler may take, whose changes are not kept where it takes longer; None for no limit.
        interval: Seconds between two looks at an outbox that was empty.
        keep: How long dead letters are kept before this relay forgets them; None keeps them for ever.

    Raises:
        ConfigurationError: If one of the numbers makes no sense.
    """

    def __init__(
        self,
        place: Place = None,
        *,
        batch: int = 100,
        lease: float = 30.0,
        attempts: int = 10,
        backoff: float = 1.0,
        timeout: float | None = 60.0,
        interval: float = 0.5,
        keep: datetime.timedelta | None = None,
    ) -> None:
        for name, value, least in (
            ("batch", batch, 1),
            ("lease", lease, 0.1),
            ("attempts", attempts, 1),
            ("backoff", backoff, 0),
            ("interval", interval, 0.001),
            ("timeout", 1 if timeout is None else timeout, 0.001),
        ):
            if value < least:
                raise ConfigurationError(f"a Relay has {name}={value!r}: it must be at least {least}")
        if keep is not None and keep < datetime.timedelta(0):
            raise ConfigurationError(f"a Relay has keep={keep}: it must be at least {datetime.timedelta(0)}")
        self._repository = place if isinstance(place, SQLModelBackend) else SQLModelBackend(place)
        self.batch, self.lease, self.attempts = batch, lease, attempts
        self.backoff, self.timeout, self.interval, self.keep = backoff, timeout, interval, keep
        self._size = min(batch, _FIRST_CLAIM)
        self._bell = threading.Event()
        self._running = threading.Lock()
        self._name = f"{socket.gethostname()}:{os.getpid()}:{_core.new_id()}"
        _relays.add(self)

    @property
    def store(self) -> Database:
        """The database."""
        return self._repository.database

    def wake(self) -> None:
        """Lets it look at the outbox now, and not when the interval is over. From any thread."""
        self._bell.set()

    # --- What is called ---

    def run_once(self) -> int:
        """Delivers everything that can be delivered now, and tells how many events that were.

        Raises:
            SchemaMismatch: If the database has no outbox.
            UnitOfWorkError: If it is called inside of a unit of work or a transaction.
        """
        return self._alone(_Run(self, None).deliver)

    async def arun_once(self) -> int:
        """`run_once`, for async code: `async def` handlers run as tasks of this loop, others in a thread."""
        run = _Run(self, asyncio.get_running_loop())
        return await self._beside(run, run.deliver)

    def run(self, stop: Stop) -> None:
        """Delivers until `stop` is set; ends after the event at hand.

        A database that is lost, or refuses to be written, is waited for: each time longer, half a minute at most.

        Args:
            stop: An Event. It is looked at each `interval`; `wake()` after it was set ends the wait at once.

        Raises:
            SchemaMismatch: If the database has no outbox.
        """
        self._alone(_Run(self, None, stop).run)

    async def arun(self, stop: Stop) -> None:
        """`run`, for async code. A task that is cancelled ends after the event at hand, too."""
        run = _Run(self, asyncio.get_running_loop(), stop)
        await self._beside(run, run.run)

    def in_background(self) -> _Background:
        """A relay that runs beside a block: `with Relay().in_background():`, or `async with`.

        At the end of the block it stops, after the event at hand. In async code, `async def` handlers run in the loop.
        """
        return _Background(self)

    # --- How ---

    def _pause(self, failures: int) -> float:
        """Seconds to wait for a database that was not there, the given number of times."""
        # Not all at once come back to it.
        return min(self.interval * 2.0 ** min(failures - 1, 40), _LONGEST_WAIT) * random.uniform(0.5, 1.0)

    def _alone(self, function: Callable[[], T]) -> T:
        self._check()
        if not self._running.acquire(blocking=False):
            raise NitroError("this Relay is at work already: make one for each thread or task")
        try:
            return function()
        finally:
            self._running.release()

    async def _beside(self, run: _Run, function: Callable[[], T]) -> T:
        """Calls a function in a thread of its own; where the task is cancelled, it is told to end, and waited for."""
        self._check()
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        thread = _Thread(partial(self._alone, function), lambda: loop.call_soon_threadsafe(ended.set))
        cancelled: asyncio.CancelledError | None = None
        while not ended.is_set():
            try:
                await ended.wait()
            except asyncio.CancelledError as error:
                cancelled = error
                run.stop()
        if cancelled is not None:
            thread.join()
            raise cancelled
        return thread.result()

    def _check(self) -> None:
        if work.current() is not None or self.store.in_transaction:
            raise UnitOfWorkError(
                "a Relay has transactions of its own: call it outside of units of work and of transactions"
            )


class _Run:
    """One run of a relay, in one thread.

    Args:
        relay: The relay.
        loop: Where `async def` handlers run; None for a loop that is made for them where it is needed.
        stop: What ends it.
    """

    def __init__(self, relay: Relay, loop: asyncio.AbstractEventLoop | None, stop: Stop | None = None) -> None:
        self.relay = relay
        self.outbox = Outbox(relay.store)
        self._loop, self._stop = loop, stop
        self._is_stopped = False
        self._runner: asyncio.Runner | None = None
        self._helper: _Helper | None = None
        self._forgets_at = 0.0

    def stop(self) -> None:
        """Ends it after the event at hand."""
        self._is_stopped = True
        self.relay.wake()

    @property
    def is_over(self) -> bool:
        return self._is_stopped or (self._stop is not None and self._stop.is_set())

    def run(self) -> None:
        """Delivers until it is stopped, however often the database is lost meanwhile."""
        relay, failures = self.relay, 0
        with self._own_loop():
            while not self.is_over:
                relay._bell.clear()
                pause = relay.interval
                try:
                    if failures:
                        # What could not be given back when the database was lost.
                        self.outbox.release(relay._name)
                    self._deliver()
                    if failures:
                        _log.info("the relay is at work again")
                    failures = 0
                except _OUTAGES as error:
                    failures += 1
                    pause = relay._pause(failures)
                    _log.warning("the relay tries again in %.2g s: %s", pause, error)
                self._wait(pause)

    def _wait(self, seconds: float) -> None:
        """Waits, unless it is over, or woken."""
        until = time.monotonic() + seconds
        while not self.is_over and (left := until - time.monotonic()) > 0:
            # Whoever sets `stop` need not wake it.
            if self.relay._bell.wait(min(left, self.relay.interval)):
                return

    def deliver(self) -> int:
        """Delivers what can be delivered now."""
        with self._own_loop():
            return self._deliver()

    @contextmanager
    def _own_loop(self) -> Generator[None]:
        try:
            yield
        finally:
            if self._runner is not None:
                self._runner.close()
            if self._helper is not None:
                self._helper.end()

    # --- Events ---

    def _deliver(self) -> int:
        relay, delivered = self.relay, 0
        self._forget()
        while not self.is_over:
            claimed = self.outbox.claim(relay._name, limit=relay._size, lease=relay.lease)
            if not claimed:
                break
            began = time.monotonic()
            delivered += self._deliver_all(claimed)
            took = time.monotonic() - began
            # As many as others would wait for, and no more.
            relay._size = max(1, min(relay.batch, 2 * len(claimed) if took < _SHARE / 2 else int(len(claimed) / took)))
        return delivered

    def _forget(self) -> None:
        """Forgets dead letters that were kept for long enough."""
        keep = self.relay.keep
        if keep is None or time.monotonic() < self._forgets_at:
            return
        self._forgets_at = time.monotonic() + _FORGETTING
        count = self.outbox.forget(keep.total_seconds())
        if count:
            letters = "1 dead letter is" if count == 1 else f"{count} dead letters are"
            _log.info("%s forgotten after %g days", letters, keep / datetime.timedelta(days=1))

    def _deliver_all(self, claimed: Sequence[StoredEvent]) -> int:
        """Delivers what was claimed, and tells how many went."""
        relay, delivered = self.relay, 0
        waiting: set[tuple[str, str]] = set()
        is_through = False
        with self._renewing():
            try:
                for event in claimed:
                    if self.is_over:
                        break
                    entity = event.sender_class, event.sender_key
                    if entity in waiting:
                        continue
                    is_delivered, is_retried = self._deliver_one(event)
                    delivered += is_delivered
                    if is_retried:
                        waiting.add(entity)
                else:
                    is_through = True
            finally:
                if not is_through:
                    with suppress(*_OUTAGES):
                        self.outbox.release(relay._name)
        return delivered

    def _deliver_one(self, event: StoredEvent) -> tuple[bool, bool]:
        """Gives an event to its handlers: (whether it is delivered, whether it is to be tried again)."""
        relay = self.relay
        if event.is_taken_over:
            # Whoever had it has ended, and perhaps for what the handler did.
            if event.attempts >= relay.attempts:
                self._failed(event, f"the process that delivered it has ended, {event.attempts} times")
                return False, False
            self.outbox.attempt(event, relay._name)
        errors: list[str] = []
        is_gone = False
        *others, last = json.loads(event.handlers)
        for name in (*others, last):
            try:
                # The event goes with the last one that has it.
                is_gone = self._hand_over(event, self._handler(event, name), is_last=name == last and not errors)
            except Exception as error:  # noqa: BLE001 - noted in the outbox, and tried again
                _log.exception("%s %s of %s %s: %s", event.signal, event.id, event.sender_class, event.sender_key, name)
                errors.append(f"{name}: {type(error).__name__}: {error}")
        if not errors:
            return is_gone or self.outbox.delivered(event.id, relay._name), False
        return False, self._failed(event, "\n".join(errors))

    def _failed(self, event: StoredEvent, error: str) -> bool:
        """Notes that an event was not delivered; whether it is to be tried again."""
        relay = self.relay
        again_in: float | None = None
        if event.attempts + 1 < relay.attempts:
            pause = min(relay.backoff * 2.0 ** min(event.attempts, 40), _LONGEST_PAUSE)
            # Not all at once that failed at once.
            again_in = pause * random.uniform(0.5, 1.0)
        else:
            _log.error("%s %s is a dead letter: `nitro relay replay %s`", event.signal, event.id, event.id)
        self.outbox.failed(event, relay._name, error=error[:_KEPT_ERROR], again_in=again_in)
        return again_in is not None

    @staticmethod
    def _handler(event: StoredEvent, name: str) -> Handler:
        for handler in events.durable_handlers(event.signal):
            if handler.name == name:
                return handler
        raise Unreadable(
            f"{event.signal} has no durable handler {name} here: name the module that defines it with --app"
        )

    @contextmanager
    def _renewing(self) -> Generator[None]:
        """Keeps what is claimed, however long it takes, as long as this process lives."""
        done = threading.Event()

        def renew() -> None:
            while not done.wait(self.relay.lease / 3):
                try:
                    self.outbox.renew(self.relay._name, lease=self.relay.lease)
                except _OUTAGES as error:
                    _log.warning("the relay could not renew its lease: %s", error)

        thread = _Thread(renew)
        try:
            yield
        finally:
            done.set()
            thread.join()

    # --- Handlers ---

    def _hand_over(self, event: StoredEvent, handler: Handler, *, is_last: bool) -> bool:
        """Runs a handler, unless it has had the event; whether the event is gone, as it goes with the last one."""
        if _is_async(handler.function):
            return self._in_loop(self._areceive(event, handler, is_last=is_last))
        is_late = threading.Event()
        receive = partial(self._receive, event, handler, is_late, is_last=is_last)
        if self.relay.timeout is None:
            return receive()
        helper = self._helper = self._helper or _Helper()
        call = helper.call(receive)
        if not call.ended.wait(self.relay.timeout):
            # A thread cannot be ended from outside, but what it does is not kept.
            is_late.set()
            helper.end()
            self._helper = None
            raise TimeoutError(f"{handler.name} took longer than {self.relay.timeout:g} s")
        return call.result()

    def _receive(self, event: StoredEvent, handler: Handler, is_late: threading.Event, *, is_last: bool) -> bool:
        with work.UnitOfWork():
            self._unit().join(self.relay._repository)
            if not self.outbox.receive(event.id, handler.name, self.relay._name):
                return False
            sender = Written.read(event.sender_class, event.sender_key, event.sender).load()
            keywords = Keywords(event.keywords)
            handler.call(sender, keywords.read([written.load() for written in keywords.entities]))
            if is_late.is_set():
                raise TimeoutError(f"{handler.name} ended after its time, and what it did is not kept")
            return is_last and self.outbox.delivered(event.id, self.relay._name)

    async def _areceive(self, event: StoredEvent, handler: Handler, *, is_last: bool) -> bool:
        limit = asyncio.timeout(self.relay.timeout)
        try:
            async with limit, work.UnitOfWork():
                await self._unit().ajoin(self.relay._repository)
                if not await self.outbox.areceive(event.id, handler.name, self.relay._name):
                    return False
                sender = await Written.read(event.sender_class, event.sender_key, event.sender).aload()
                keywords = Keywords(event.keywords)
                entities = [await written.aload() for written in keywords.entities]
                await handler.acall(sender, keywords.read(entities))
                return is_last and await self.outbox.adelivered(event.id, self.relay._name)
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise TimeoutError(f"{handler.name} took longer than {self.relay.timeout:g} s") from error

    @staticmethod
    def _unit() -> work.Unit:
        unit = work.current()
        assert unit is not None, "a unit of work has been entered"
        return unit

    def _in_loop(self, coroutine: Coroutine[Any, Any, T]) -> T:
        if self._loop is not None:
            return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()
        if self._runner is None:
            self._runner = asyncio.Runner()
        try:
            return self._runner.run(coroutine)
        except RuntimeError:
            coroutine.close()
            raise


class _Call:
    """A function that another thread calls, in a copy of the context here.

    Attributes:
        ended: Set when it has ended.
    """

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function, self._context = function, contextvars.copy_context()
        self._value: Any = None
        self._error: BaseException | None = None
        self.ended = threading.Event()

    def __call__(self) -> None:
        try:
            self._value = self._context.run(self._function)
        except BaseException as error:  # noqa: BLE001 - raised where the result is asked for
            self._error = error
        self.ended.set()

    def result(self) -> Any:
        self.ended.wait()
        if self._error is not None:
            try:
                raise self._error
            finally:
                # Its traceback holds this object.
                self._error = None
        return self._value


class _Helper:
    """A thread that calls one function after the other, and does not keep the process from ending."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="nitro-relay", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            call()
            # It holds what the function has given.
            del call

    def call(self, function: Callable[[], Any]) -> _Call:
        """Has it call a function when those before have ended."""
        call = _Call(function)
        self._calls.put(call)
        return call

    def end(self) -> None:
        """Lets the thread end when the last function has; nobody waits for that."""
        self._calls.put(None)


class _Thread:
    """A function in a thread that does not keep the process from ending.

    Args:
        function: The function, which runs in a copy of the context here.
        ended: Called in the thread when it has ended.
    """

    def __init__(self, function: Callable[[], Any], ended: Callable[[], Any] | None = None) -> None:
        self._call, self._ended = _Call(function), ended
        self._thread = threading.Thread(target=self._run, name="nitro-relay", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._call()
        finally:
            if self._ended is not None:
                self._ended()

    def join(self) -> None:
        self._thread.join()

    def result(self) -> Any:
        self._thread.join()
        return self._call.result()


class _Background:
    """A relay that runs beside a block."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    def _start(self, loop: asyncio.AbstractEventLoop | None, ended: Callable[[], Any] | None = None) -> None:
        self._relay._check()
        # What cannot work is told now, and not at the end of the block.
        Outbox(self._relay.store).waiting()
        self._run = _Run(self._relay, loop)
        self._thread = _Thread(partial(self._relay._alone, self._run.run), ended)

    def __enter__(self) -> Relay:
        self._start(None)
        return self._relay

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._run.stop()
        self._thread.result()

    async def __aenter__(self) -> Relay:
        loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._start(loop, lambda: loop.call_soon_threadsafe(self._ended.set))
        return self._relay

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._run.stop()
        await self._ended.wait()
        self._thread.result()


# --- Dead letters -----------------------------------------------------------------------------------------------


def dead_letters(place: Place = None) -> list[StoredEvent]:
    """The events that have failed too often, in the order in which they were sent; `error` says what was wrong.

    Args:
        place: The database: a URL, or a backend; None stands for the one that is configured.
    """
    return _outbox(place).dead()


def replay(event_id: str | None = None, place: Place = None) -> int:
    """Lets a relay try dead letters again, and tells how many those are.

    Args:
        event_id: Which; None for each of them.
        place: The database: a URL, or a backend; None stands for the one that is configured.
    """
    outbox = _outbox(place)
    count = outbox.replay(event_id)
    _ring(outbox.store)
    return count


def _outbox(place: Place) -> Outbox:
    return Outbox((place if isinstance(place, SQLModelBackend) else SQLModelBackend(place)).database)
