"""What handlers give and raise that the users of a framework write themselves."""

from __future__ import annotations

from typing import Any, cast

from pydantic import BaseModel

from ..queries import Page, Query
from .access import Access
from .answers import answer
from .messages import Request, Response, current_request

#: What a handler gives, it has decided that the client may read.
_OPEN = Access()

#: Who asks, where a handler is called without a request.
_NOBODY = Request("GET", "/")


def is_known(value: Any) -> bool:
    """Whether Nitro answers it in every framework: a model, a list of models, a Page, a Query or a Response."""
    if isinstance(value, BaseModel | Page | Query | Response):
        return True
    if not is_exactly(value, list) or not value:
        return False
    return all(issubclass(kind, BaseModel) for kind in set(map(type, value)))


def is_exactly(value: Any, kind: type) -> bool:
    """Whether it is an instance of that class, and of no class that inherits from it."""
    return type(value) is kind


def split(value: Any) -> tuple[Any, int | None]:
    """`(order, 201)` as what is answered and its status; None for the status where none is said."""
    if (
        is_exactly(value, tuple)
        and len(value) == 2
        and is_status(value[1])
        and (value[0] is None or is_known(value[0]))
    ):
        return value[0], int(value[1])
    return value, None


def is_status(value: Any) -> bool:
    """Whether it is the status of a response."""
    return isinstance(value, int) and not isinstance(value, bool) and 100 <= value <= 599


def reply(value: Any, status: int | None = None) -> Response:
    """The response for what a handler gave.

    Args:
        value: What `is_known`, or a list, or None for nothing.
        status: What `split` gave.
    """
    return answer(value if status is None else (value, status), current_request() or _NOBODY, _OPEN)


async def areply(value: Any, status: int | None = None) -> Response:
    """`reply`, for async code."""
    if isinstance(value, Query):
        value = await cast("Query[Any]", value).aall()
    return reply(value, status)


def handled_as(kind: type[Exception]) -> list[type]:
    """The class of an error and those that it is one of, for which an application may have a handler of its own.

    Not Exception: who handles that handles what nobody else has handled.
    """
    return [base for base in kind.__mro__ if base not in (Exception, BaseException, object)]
