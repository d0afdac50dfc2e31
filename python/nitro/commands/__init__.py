"""Commands and queries: methods whose arguments are validated, and whose changes are kept together or not at all.

`@command` makes a method, or a function, that changes something: it runs in a unit of work, and what it changed is
saved when it ends. `@query` makes one that only looks. `of(Order)` tells what there is, for whoever calls them from
outside.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any, Literal, TypeVar, overload

from .declared import Binds, Command, Declared, Kind
from .forgetting import aforget_keys, forget_keys
from .signatures import Parameter

__all__ = ["Command", "Parameter", "aforget_keys", "command", "event", "forget_keys", "of", "query"]

F = TypeVar("F")
R = TypeVar("R")

#: What may be above a function in a class body, and what it is called on then.
_WRAPPERS: tuple[tuple[Any, Binds], ...] = ((classmethod, "class"), (staticmethod, "none"))

#: Methods of HTTP that do not change anything.
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def of(subject: Any) -> Any:
    """The commands and queries of a class, {name: Command}, those that it inherits among them; or that of a function.

    A method that overrides one is what its own decorators say: without any it is no command.

    Raises:
        TypeError: If a function is neither.

    Example:
        >>> @nitro.query
        ... def turnover(year: int) -> float: ...
        >>> nitro.commands.of(turnover).kind
        'query'
    """
    if not isinstance(subject, type):
        declared = _declared(getattr(subject, "__func__", subject))
        if declared is None:
            raise TypeError(f"nitro.commands.of takes a class, a command or a query, got {subject!r}")
        return declared.described(None, None, declared.binds)
    found: dict[str, Command] = {}
    for base in reversed(subject.__mro__):
        held: dict[str, Any] = dict(vars(base))
        for name, value in held.items():
            declared = _declared(getattr(value, "__func__", value))
            if declared is None:
                found.pop(name, None)
            else:
                found[name] = declared.described(base, subject, _bound_by(value), name)
    return found


def _bound_by(attribute: object) -> Binds:
    for wrapper, binds in _WRAPPERS:
        if isinstance(attribute, wrapper):
            return binds
    return "instance"


def _declared(function: object) -> Declared | None:
    return getattr(function, "__nitro_command__", None) if isinstance(function, FunctionType) else None


# --- The decorators -------------------------------------------------------------------------------------------------


@overload
def command(function: F, /) -> F: ...
@overload
def command(
    *, idempotent: Literal[True], retry: int = 0, lock: bool = False
) -> Callable[[Callable[..., R]], Callable[..., R]]: ...
@overload
def command(*, retry: int = 0, lock: bool = False, idempotent: Literal[False] = False) -> Callable[[F], F]: ...
def command(function: Any = None, /, *, retry: int = 0, lock: bool = False, idempotent: bool = False) -> Any:
    """Makes a method, or a function, that changes something, sync or async.

    Its arguments are validated by their annotations. It runs in a unit of work; what it changed of the entities that
    it has met, and the entity itself, is saved when it ends, and an error takes everything back.

    Args:
        function: What to decorate: `@command` without parentheses.
        retry: How often it runs anew after a StaleEntityError or a WriteConflict, with what is stored then. Inside of
            a unit of work it does not: the error goes up, to whoever can repeat all of it.
        lock: Whether nobody else has the entity `locked` while it runs. It has the values that are stored then.
        idempotent: Whether calls may give an `idempotency_key="..."`: a second call with the same key does not run,
            and gives what the first one gave.

    Raises:
        ConfigurationError: If it cannot be one.

    Example:
        >>> class Order(nitro.Entity):
        ...     total: float = 0.0
        ...     @nitro.command
        ...     def add(self, price: float, quantity: int = 1) -> None:
        ...         self.total += price * quantity
        >>> order = Order().save()
        >>> order.add("2.5", quantity=2)
        >>> order.total, order.is_changed
        (5.0, False)
        >>> order.add("a lot")
        Traceback (most recent call last):
            ...
        pydantic_core._pydantic_core.ValidationError: 1 validation error for Order.add
        price ...
    """

    def decorate(decorated: Any) -> Any:
        return _decorated(decorated, "command", retry=retry, lock=lock, idempotent=idempotent)

    return decorate if function is None else decorate(function)


@overload
def query(function: F, /) -> F: ...
@overload
def query() -> Callable[[F], F]: ...
def query(function: Any = None, /) -> Any:
    """Makes a method, or a function, that only looks, sync or async. Its arguments are validated by their annotations.

    Nothing is saved. An entity that it changed is an error, and is put back to what it was.

    Example:
        >>> class Basket(nitro.Entity):
        ...     prices: list[float] = []
        ...     @nitro.query
        ...     def total(self, discount: float = 0.0) -> float:
        ...         return sum(self.prices) * (1 - discount)
        >>> Basket(prices=[1, 2]).total(discount="0.5")
        1.5
    """

    def decorate(decorated: Any) -> Any:
        return _decorated(decorated, "query")

    return decorate if function is None else decorate(function)


@overload
def event(function: F, /) -> F: ...
@overload
def event(
    *, method: str = "POST", idempotent: Literal[True], retry: int = 0, lock: bool = False
) -> Callable[[Callable[..., R]], Callable[..., R]]: ...
@overload
def event(
    *, method: str = "POST", retry: int = 0, lock: bool = False, idempotent: Literal[False] = False
) -> Callable[[F], F]: ...
def event(
    function: Any = None,
    /,
    *,
    method: str = "POST",
    retry: int = 0,
    lock: bool = False,
    idempotent: bool = False,
) -> Any:
    """Makes a command that has a route of its own as well; with `method="GET"` it is a query.

    Args:
        function: What to decorate.
        method: The HTTP method.
        retry: As for `command`, and so are the others.
        lock: See there.
        idempotent: See there.

    Example:
        >>> class Product(nitro.Entity):
        ...     stock: int = 0
        ...     @nitro.event(method="POST")
        ...     def restock(self, quantity: int) -> None:
        ...         self.stock += quantity
        >>> nitro.commands.of(Product)["restock"].method
        'POST'
    """
    said = method.upper()

    def decorate(decorated: Any) -> Any:
        kind: Any = "query" if said in _SAFE else "command"
        return _decorated(decorated, kind, method=said, retry=retry, lock=lock, idempotent=idempotent)

    return decorate if function is None else decorate(function)


def _decorated(
    decorated: Any,
    kind: Kind,
    *,
    method: str | None = None,
    retry: int = 0,
    lock: bool = False,
    idempotent: bool = False,
) -> Any:
    for wrapper, binds in _WRAPPERS:
        if isinstance(decorated, wrapper):
            return wrapper(Declared(decorated.__func__, kind, binds, method, retry, lock, idempotent).wrapper)
    return Declared(decorated, kind, None, method, retry, lock, idempotent).wrapper
