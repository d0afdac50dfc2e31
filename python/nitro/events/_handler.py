"""A function that `on` has registered: what it takes, and for which senders it runs."""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
import sys
import threading
import weakref
from collections.abc import Callable, Coroutine, Hashable, Mapping
from types import BuiltinMethodType
from typing import Any

import blinker

from .. import _core
from .._core import Condition, FieldRef
from ..errors import ConfigurationError

_log = logging.getLogger("nitro.events")

#: Tasks that nobody waits for: a loop keeps no task alive.
_left_alone: set[asyncio.Task[Any]] = set()


class Handler:
    """A registered function.

    Attributes:
        function: As it was decorated.
        name: "module.qualname" of it.
        classes: The classes whose instances it handles; empty where the class does not matter.
        senders: The particular senders that it handles; empty where it does not matter which.
        when: The condition that the sender must fulfil; None for any.
        once: Whether it runs one time only.
        durable: Whether the event is to survive a crash: see `nitro.outbox`.
        timeout: Seconds that it may take; None for no limit.
        names: The keywords that it takes; None for all that are sent.
        matches: Whether it handles a sender; None where it handles every one.
    """

    __slots__ = (
        "_claim",
        "_fits",
        "_senders",
        "classes",
        "durable",
        "function",
        "key",
        "matches",
        "name",
        "names",
        "once",
        "timeout",
        "when",
    )

    def __init__(
        self,
        function: Callable[..., Any],
        senders: tuple[Any, ...] = (),
        *,
        when: Any = None,
        once: bool = False,
        durable: bool = False,
        timeout: float | None = None,
    ) -> None:
        self.function = function
        self.key = identifier(function)
        self.name = name_of(function)
        self.names = _keywords_of(function, self.name)
        if timeout is not None and not _is_async(function):
            raise ConfigurationError(
                f"{self.name} is no `async def`, so timeout={timeout:g} could not stop it: "
                "make it one, or set no timeout"
            )
        if once and durable:
            raise ConfigurationError(
                f"{self.name} is registered with once=True and durable=True: a durable handler runs for every event; "
                "keep one of the two"
            )
        self.once, self.durable, self.timeout = once, durable, timeout
        self.when = _condition(when, senders, self.name)
        if any(sender is blinker.ANY for sender in senders):
            senders = ()
        self.classes = tuple(sender for sender in senders if isinstance(sender, type))
        self._senders = {identifier(sender): _reference(sender) for sender in senders if not isinstance(sender, type)}
        self._claim = threading.Lock() if once else None
        self._fits = self._filter()
        self.matches = self._claimed() if once else self._fits

    @property
    def senders(self) -> tuple[Any, ...]:
        return tuple(sender for refer in self._senders.values() if (sender := refer()) is not _GONE)

    @property
    def is_dead(self) -> bool:
        """Whether it cannot run any more: it has run once, or all its senders are gone."""
        claimed = self._claim is not None and self._claim.locked()
        return claimed or bool(self._senders and not self.classes and not self.senders)

    def options(self) -> tuple[Any, ...]:
        """What distinguishes two registrations of one function."""
        when = repr(self.when) if isinstance(self.when, Condition) else self.when
        return self.classes, frozenset(self._senders), when, self.once, self.durable, self.timeout

    # --- Running ---

    def call(self, sender: Any, keywords: Mapping[str, Any]) -> Any:
        """Runs the function with the sender and those keywords that it takes, and gives what it returns.

        What an `async def` returns is a task where a loop runs; elsewhere it runs to its end.
        """
        value = self.function(sender, **self.taken(keywords))
        return self.start(value) if inspect.iscoroutine(value) else value

    async def acall(self, sender: Any, keywords: Mapping[str, Any]) -> Any:
        """`call`, which awaits an `async def`.

        Raises:
            TimeoutError: If it takes longer than `timeout`.
        """
        value = self.function(sender, **self.taken(keywords))
        return await self.limited(value) if inspect.iscoroutine(value) else value

    def taken(self, keywords: Mapping[str, Any]) -> Mapping[str, Any]:
        """Those keywords that the function takes."""
        names = self.names
        if names is None or names.issuperset(keywords):
            return keywords
        return {name: value for name, value in keywords.items() if name in names}

    async def limited(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Awaits what an `async def` has begun, for no longer than `timeout`."""
        if self.timeout is None:
            return await coroutine
        limit = asyncio.timeout(self.timeout)
        try:
            async with limit:
                return await coroutine
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise TimeoutError(f"{self.name} took longer than {self.timeout:g} s") from error

    async def _noted(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        try:
            return await self.limited(coroutine)
        except Exception as error:
            self.note(error)
            raise

    def start(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Has a running loop run what an `async def` has begun, and gives the task; runs it to its end elsewhere."""
        from .. import work

        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(self.limited(coroutine))
        try:
            unit = work.current()
        except BaseException:
            coroutine.close()
            raise
        if unit is not None and unit.is_async:
            return unit.defer(coroutine, self._noted)
        task = loop.create_task(self._noted(coroutine), name=self.name)
        _left_alone.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        _left_alone.discard(task)
        if task.cancelled():
            _log.error("%s was cancelled before its end", self.name)
        elif error := task.exception():
            message = f"{self.name} failed; nobody waited for it"
            task.get_loop().call_exception_handler({"message": message, "exception": error, "task": task})

    def note(self, error: BaseException) -> None:
        """Lets the traceback of an error name the handler that raised it."""
        note = f"in the handler {self.name}"
        if note not in getattr(error, "__notes__", ()):
            error.add_note(note)

    # --- Filtering ---

    def decided(self, sender: Any) -> Callable[[Any], bool] | None:
        """`matches` for an entity of which a signal tells later: what it says of the entity as it is now."""
        assert self._fits is not None, "a handler that has no condition decides nothing"
        try:
            fits = self._fits(sender)
        except Exception as error:  # noqa: BLE001 - raised where the handler would run
            return functools.partial(_raise, error)
        if not fits:
            return _never
        return None if self._claim is None else self._acquire

    def _acquire(self, _sender: Any) -> bool:
        """Whether this is the one time that it runs."""
        assert self._claim is not None, "it runs once"
        return self._claim.acquire(blocking=False)

    def _claimed(self) -> Callable[[Any], bool]:
        """The filter of a handler that runs once. Only who acquires it runs the handler, so that comes last."""
        fits, acquire = self._fits, self._acquire
        return acquire if fits is None else lambda sender: fits(sender) and acquire(sender)

    def _filter(self) -> Callable[[Any], bool] | None:
        """One function that says whether the handler runs for a sender. What is cheap comes first."""
        tests: list[Callable[[Any], Any]] = []
        if self.classes or self._senders:
            tests.append(_among(self.classes, self._senders))
        if isinstance(self.when, Condition):
            condition = self.when
            tests += [functools.partial(_is_a, condition.entity_class), condition.matches]
        elif self.when is not None:
            tests.append(self.when)
        if len(tests) < 2:
            return tests[0] if tests else None
        return lambda sender: all(test(sender) for test in tests)

    def __repr__(self) -> str:
        return f"<handler {self.name}>"


def identifier(thing: object) -> Hashable:
    """What blinker tells receivers and senders apart by: texts and numbers by value, all else by identity."""
    if inspect.ismethod(thing):
        return id(thing.__func__), id(thing.__self__)
    if isinstance(thing, BuiltinMethodType):
        # Of `list.append` and the like, too, each access makes a new object.
        return thing.__name__, id(thing.__self__)
    return thing if isinstance(thing, (str, int)) else id(thing)


def name_of(function: Callable[..., Any]) -> str:
    """The module and the qualified name of a function, or of what is called like one."""
    if isinstance(function, functools.partial):
        return name_of(function.func)  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]
    named: Any = function if hasattr(function, "__qualname__") else type(function)
    module = getattr(named, "__module__", None)
    return f"{module}.{named.__qualname__}" if module else named.__qualname__


_GONE = object()


def _reference(sender: Any) -> Callable[[], Any]:
    """A function that gives the sender, or `_GONE`; the sender is not kept alive where that is possible."""
    if not isinstance(sender, (str, int)):
        try:
            reference = weakref.WeakMethod(sender) if inspect.ismethod(sender) else weakref.ref(sender)
        except TypeError:
            pass
        else:
            return lambda: _GONE if (found := reference()) is None else found
    return lambda: sender


def _among(classes: tuple[type, ...], senders: dict[Hashable, Callable[[], Any]]) -> Callable[[Any], bool]:
    def matches(sender: Any) -> bool:
        if isinstance(sender, classes):
            return True
        # A class can be a sender, too.
        if classes and isinstance(sender, type) and issubclass(sender, classes):
            return True
        refer = senders.get(identifier(sender))
        # Another object may have got the identity of one that is gone.
        return refer is not None and refer() is not _GONE

    if senders:
        return matches
    return lambda sender: isinstance(sender, classes) or (isinstance(sender, type) and issubclass(sender, classes))


def _never(_sender: Any) -> bool:
    return False


def _raise(error: Exception, _sender: Any) -> bool:
    raise error


def _is_a(entity_class: type, sender: Any) -> bool:
    return isinstance(sender, entity_class)


def _condition(when: Any, senders: tuple[Any, ...], name: str) -> Any:
    for sender in senders:
        if isinstance(sender, (Condition, FieldRef)):
            raise ConfigurationError(f"{name} is registered for the sender {sender!r}: write when={sender!r}")
    if when is None or isinstance(when, Condition):
        return when
    if isinstance(when, FieldRef):
        # A field that is true or not, as `where` takes it.
        return _core.conditions_of(when._class, (), (when,), {})[0]
    if not callable(when):
        raise ConfigurationError(
            f"{name} is registered with when={when!r}: it takes a condition such as Order.total > 100, "
            "or a function of the sender"
        )
    if _is_async(when):
        raise ConfigurationError(f"{name} is registered with when={when!r}, which is async: it has to answer at once")
    return when


# --- What a function takes ---------------------------------------------------------------------------------------


def _keywords_of(function: Any, name: str) -> frozenset[str] | None:
    """The keywords that a function takes beside the sender; None for all."""
    if not callable(function):
        raise ConfigurationError(f"{name} cannot be called: on() decorates functions")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise ConfigurationError(f"{name} is a generator, which does nothing when it is called: take the yield out")
    try:
        signature = _signature(function)
    except ValueError:
        raise ConfigurationError(
            f"{name} does not say what it takes: wrap it, as in `lambda sender: {name.rpartition('.')[2]}(sender)`"
        ) from None
    parameters = list(signature.parameters.values())
    if not parameters or parameters[0].kind in (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD):
        raise ConfigurationError(
            f"{name}{signature} cannot take a sender: its first parameter has to be a positional "
            "one, as in `def handler(sender)`"
        )
    names: set[str] = set()
    takes_all = False
    for parameter in parameters[1:]:
        if parameter.kind is parameter.POSITIONAL_ONLY and parameter.default is parameter.empty:
            raise ConfigurationError(
                f"{name}{signature} takes {parameter.name!r} by position only, "
                "and what is sent comes by keyword: move it behind the /"
            )
        if parameter.kind is parameter.VAR_KEYWORD:
            takes_all = True
        elif parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            names.add(parameter.name)
    return None if takes_all else frozenset(names)


def _signature(function: Callable[..., Any]) -> inspect.Signature:
    if sys.version_info >= (3, 14):
        import annotationlib

        # What is annotated may be imported for type checkers only.
        return inspect.signature(function, annotation_format=annotationlib.Format.FORWARDREF)
    return inspect.signature(function)


def _is_async(function: Any) -> bool:
    if isinstance(function, functools.partial):
        return _is_async(function.func)  # pyright: ignore[reportUnknownMemberType]
    if isinstance(function, staticmethod):
        return _is_async(function.__func__)
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)
