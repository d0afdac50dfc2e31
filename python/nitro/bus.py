"""Messages and their handlers: `bus.execute(PlaceOrder(...))` calls the function that `@handles(PlaceOrder)`.

A message is an instance of any class: a `nitro.Model`, a dataclass, or another. Exactly one function handles each
class. The functions of this module are those of one `Bus` that a program has without making any; another one has
handlers of its own.
"""

from __future__ import annotations

import difflib
import inspect
import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Protocol, TypeVar, cast

from .commands import Command, command, of, query
from .errors import ConfigurationError, NitroError, PermissionDenied

F = TypeVar("F", bound=Callable[..., Any])
M = TypeVar("M")

#: What a middleware calls to go on: the next middleware or, behind the last, the handler.
Proceed = Callable[[Any], Any]


class Middleware(Protocol):
    """What stands between whoever sends a message and its handler, around the unit of work.

    `def middleware(message, proceed)` goes on by `return proceed(message)`. An `async def` one awaits that, and is for
    `aexecute` and `aask` alone. One that does something afterwards, for both, is an object with a second method,
    `acall`, that is async.
    """

    def __call__(self, message: Any, proceed: Proceed, /) -> Any: ...


class Bus:
    """Handlers by the classes of their messages, and what every message passes on its way.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass
        ... class Greet:
        ...     name: str
        >>> bus = nitro.bus.Bus()
        >>> @bus.handles(Greet)
        ... def greet(message: Greet) -> str:
        ...     return f"Hello {message.name}"
        >>> bus.ask(Greet("Ann"))
        'Hello Ann'
    """

    def __init__(self) -> None:
        self._handlers: dict[type, Handler] = {}
        self._middleware: list[Any] = []

    def handles(self, *message_classes: Any) -> Callable[[F], F]:
        """Makes a function, sync or async, the handler of some classes of messages. The function stays as it is.

        Raises:
            ConfigurationError: If a class has a handler already, or none is named.
        """
        if not message_classes or not all(isinstance(one, type) for one in message_classes):
            raise ConfigurationError("handles takes the classes of messages: write @handles(PlaceOrder)")

        def register(function: F) -> F:
            handler = Handler(function)
            for message_class in message_classes:
                known = self._handlers.get(message_class)
                if known is not None:
                    raise ConfigurationError(
                        f"{message_class.__name__} is handled by {known.name} already, and {handler.name} would be a "
                        "second handler: one message has one handler; what more is to happen are events (nitro.on)"
                    )
            self._handlers.update(dict.fromkeys(message_classes, handler))
            return function

        return register

    def use(self, middleware: M) -> M:
        """Lets every message pass a middleware. What was added first is the outermost."""
        self._middleware.append(middleware)
        return middleware

    def execute(self, message: Any) -> Any:
        """Has a message handled in a unit of work, and what that changed saved. Gives what the handler gives.

        Raises:
            NitroError: If nobody handles it, or its handler is async or a `@query`.
            PermissionDenied: If a middleware forbids it.
        """
        return self._sent(self._handler(message).execute, message)

    def ask(self, message: Any) -> Any:
        """Has a message answered. Nothing is saved; an entity that the handler changed is an error.

        Raises:
            NitroError: As for `execute`; a handler that is a `@command` cannot be asked.
        """
        return self._sent(self._handler(message).ask, message)

    async def aexecute(self, message: Any) -> Any:
        """`execute`, for async code and for handlers of both kinds."""
        return await self._asent(self._handler(message).aexecute, message)

    async def aask(self, message: Any) -> Any:
        """`ask`, for async code and for handlers of both kinds."""
        return await self._asent(self._handler(message).aask, message)

    def handler(self, message_class: type[Any]) -> Callable[..., Any]:
        """The function that handles a class of messages.

        Raises:
            NitroError: If there is none.
        """
        return self._handler_of(message_class).function

    def _handler(self, message: Any) -> Handler:
        return self._handler_of(cast("type[Any]", type(message)))

    def _handler_of(self, message_class: type[Any]) -> Handler:
        found = self._handlers.get(message_class)
        if found is not None:
            return found
        bases = [base for base in message_class.__mro__ if base in self._handlers]
        by_name = {known.__name__: known for known in self._handlers}
        near = bases or [by_name[name] for name in difflib.get_close_matches(message_class.__name__, by_name, n=1)]
        hint = f"; {near[0].__name__} is handled by {self._handlers[near[0]].name}" if near else ""
        raise NitroError(
            f"nobody handles {message_class.__name__}{hint}: write @handles({message_class.__name__}) above a "
            "function, and import its module"
        )

    def _sent(self, proceed: Proceed, message: Any) -> Any:
        for middleware in reversed(self._middleware):
            if inspect.iscoroutinefunction(middleware):
                raise NitroError(
                    f"{_name_of(middleware)} is an async middleware, which execute and ask cannot await: send "
                    f"{type(message).__name__} by aexecute or aask, or give the middleware a sync form too"
                )
            proceed = partial(_passing, middleware, proceed)
        return proceed(message)

    async def _asent(self, proceed: Callable[[Any], Awaitable[Any]], message: Any) -> Any:
        going_on: Any = proceed
        for middleware in reversed(self._middleware):
            going_on = partial(_passing, getattr(middleware, "acall", middleware), going_on)
        answer = going_on(message)
        return await answer if inspect.isawaitable(answer) else answer


def _passing(middleware: Any, proceed: Proceed, message: Any) -> Any:
    return middleware(message, proceed)


def _name_of(function: Any) -> str:
    return getattr(function, "__qualname__", None) or type(function).__qualname__


class Handler:
    """A function that handles messages, and how it runs."""

    __slots__ = ("_command", "_query", "function", "is_async", "name")

    def __init__(self, function: Any) -> None:
        self.function = function
        self.name = _name_of(function)
        self.is_async = inspect.iscoroutinefunction(function)
        described: Command | None = of(function) if hasattr(function, "__nitro_command__") else None
        if described is not None:
            self._command = function if described.kind == "command" else None
            self._query = function if described.kind == "query" else None
        else:
            # Messages have been validated when they were made.
            self._command = command(_unchecked(function))
            self._query = query(_unchecked(function))

    def execute(self, message: Any) -> Any:
        return self._as_command(is_async=False)(message)

    def ask(self, message: Any) -> Any:
        return self._as_query(is_async=False)(message)

    async def aexecute(self, message: Any) -> Any:
        return await self._awaited(self._as_command(is_async=True), message)

    async def aask(self, message: Any) -> Any:
        return await self._awaited(self._as_query(is_async=True), message)

    async def _awaited(self, function: Callable[..., Any], message: Any) -> Any:
        answer = function(message)
        return await answer if self.is_async else answer

    def _as_command(self, *, is_async: bool) -> Callable[..., Any]:
        self._check_async("execute", is_async=is_async)
        if self._command is None:
            raise NitroError(f"{self.name} is a query, which changes nothing: send its messages by ask")
        return self._command

    def _as_query(self, *, is_async: bool) -> Callable[..., Any]:
        self._check_async("ask", is_async=is_async)
        if self._query is None:
            raise NitroError(f"{self.name} is a command, which changes something: send its messages by execute")
        return self._query

    def _check_async(self, verb: str, *, is_async: bool) -> None:
        if self.is_async and not is_async:
            raise NitroError(f"{self.name} is async: `await bus.a{verb}(...)`")


def _unchecked(function: Any) -> Any:
    """The same function with one argument of any type."""
    if inspect.iscoroutinefunction(function):

        async def handle_async(message: Any, /) -> Any:
            return await function(message)

        handler: Any = handle_async
    else:

        def handle(message: Any, /) -> Any:
            return function(message)

        handler = handle
    handler.__module__ = function.__module__
    handler.__name__ = getattr(function, "__name__", type(function).__name__)
    handler.__qualname__ = f"<locals>.{_name_of(function)}"
    return handler


# --- Middleware -----------------------------------------------------------------------------------------------------


class logged:  # noqa: N801  (used as a function)
    """A middleware that logs each message by the name of its class, with its time, and errors as errors.

    What is in a message is not logged: it may be nobody else's business.

    Args:
        logger: Where to; None stands for the logger "nitro.bus".
    """

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._logger = logger or logging.getLogger("nitro.bus")

    def __call__(self, message: Any, proceed: Proceed) -> Any:
        began = time.perf_counter()
        try:
            answer = proceed(message)
        except BaseException as error:
            self._failed(message, began, error)
            raise
        self._done(message, began)
        return answer

    async def acall(self, message: Any, proceed: Proceed) -> Any:
        """The same for async code."""
        began = time.perf_counter()
        try:
            answer = await proceed(message)
        except BaseException as error:
            self._failed(message, began, error)
            raise
        self._done(message, began)
        return answer

    def _done(self, message: Any, began: float) -> None:
        self._logger.info("%s took %.1f ms", type(message).__name__, 1000 * (time.perf_counter() - began))

    def _failed(self, message: Any, began: float, error: BaseException) -> None:
        milliseconds = 1000 * (time.perf_counter() - began)
        self._logger.error(
            "%s failed after %.1f ms with %s", type(message).__name__, milliseconds, type(error).__name__
        )


class timed:  # noqa: N801  (used as a function)
    """A middleware that tells how long each message took, the commit included.

    Args:
        report: Called with the message and seconds, also where the handler failed.
    """

    def __init__(self, report: Callable[[Any, float], object]) -> None:
        self._report = report

    def __call__(self, message: Any, proceed: Proceed) -> Any:
        began = time.perf_counter()
        try:
            return proceed(message)
        finally:
            self._report(message, time.perf_counter() - began)

    async def acall(self, message: Any, proceed: Proceed) -> Any:
        """The same for async code."""
        began = time.perf_counter()
        try:
            return await proceed(message)
        finally:
            self._report(message, time.perf_counter() - began)


class authorised:  # noqa: N801  (used as a function)
    """A middleware that lets pass what a predicate allows. Nothing has begun when it says no.

    Args:
        allows: Called with the message; a coroutine function is for `aexecute` and `aask` alone.

    Raises:
        PermissionDenied: For a message that it does not allow.
    """

    def __init__(self, allows: Callable[[Any], Any]) -> None:
        self._allows = allows

    def __call__(self, message: Any, proceed: Proceed) -> Any:
        allowed = self._allows(message)
        if inspect.isawaitable(allowed):
            close = getattr(allowed, "close", None)
            if close is not None:
                close()
            raise NitroError(f"{_name_of(self._allows)} is async: send {type(message).__name__} by aexecute or aask")
        if not allowed:
            raise PermissionDenied(message)
        return proceed(message)

    async def acall(self, message: Any, proceed: Proceed) -> Any:
        """The same for async code."""
        allowed = self._allows(message)
        if not (await allowed if inspect.isawaitable(allowed) else allowed):
            raise PermissionDenied(message)
        return await proceed(message)


# --- The bus of a program -------------------------------------------------------------------------------------------

default = Bus()
handles, use = default.handles, default.use
execute, ask, aexecute, aask = default.execute, default.ask, default.aexecute, default.aask
handler = default.handler
