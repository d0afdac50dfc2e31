"""What a client asks and what it is answered, whatever framework stands between."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl

from .problems import Problem

JSON = "application/json"

_FORM = "application/x-www-form-urlencoded"


class Request:
    """A request, as an adapter has translated it.

    Attributes:
        method: The HTTP method, in capitals.
        path: The path, as it was asked for.
        query: What stands behind the question mark; empty where nothing does.
        headers: {name in lower case: value}.
        body: The whole body.
        native: The framework's own request.
        parameters: {name: text} of the path.
        user: What `get_user` gave; None where nobody is known, or nobody was asked.
    """

    def __init__(
        self,
        method: str,
        path: str,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        native: Any = None,
        parameters: Mapping[str, str] | None = None,
    ) -> None:
        self.method, self.path, self.query = method, path, query
        self.headers: Mapping[str, str] = {} if headers is None else headers
        self.body, self.native = body, native
        self.parameters: Mapping[str, str] = {} if parameters is None else parameters
        self.user: Any = None

    @property
    def media_type(self) -> str:
        """What the body is, without parameters such as the character set; empty where the client does not say."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def is_datastar(self) -> bool:
        """Whether a page asks that Datastar runs in."""
        return self.headers.get("datastar-request") == "true"

    @cached_property
    def pairs(self) -> Sequence[tuple[str, str]]:
        """(name, value) of the query, in their order."""
        return parse_qsl(self.query, keep_blank_values=True) if self.query else ()

    @cached_property
    def data(self) -> Any:
        """What the body holds: any JSON, or {name: text, or list of texts} of a form; None where there is no body.

        Raises:
            Problem: If it is neither, or no JSON (400, 415).
        """
        if not self.body:
            return None
        kind = self.media_type
        if kind == _FORM:
            return grouped(parse_qsl(self.body.decode("latin-1"), keep_blank_values=True))
        if kind == JSON or (kind.startswith("application/") and kind.endswith("+json")):
            try:
                return json.loads(self.body, parse_constant=_refused)
            except (ValueError, RecursionError) as error:
                raise Problem(400, f"the body is no JSON: {error}") from None
        raise Problem(415, f"a body is {JSON} or {_FORM} here, and this one is {kind or 'not said to be anything'}")


def grouped(pairs: Sequence[tuple[str, str]]) -> dict[str, str | list[str]]:
    """{name: value}, a list of them where a name is given several times."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name not in found:
            found[name] = value
        elif isinstance(found[name], list):
            found[name].append(value)
        else:
            found[name] = [found[name], value]
    return found


def _refused(constant: str) -> Any:
    raise ValueError(f"{constant} is none")


@dataclass(slots=True)
class Response:
    """What a client is answered.

    Example:
        >>> from nitro.web import Response
        >>> Response(201, b'{"id":"1"}', headers=[("location", "/orders/1")]).status
        201
    """

    status: int = 200
    #: The whole body, or what is sent piece by piece.
    body: bytes | AsyncIterator[bytes] = b""
    media_type: str | None = JSON
    #: (name in lower case, value), apart from the type and the length of the body.
    headers: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])


#: The request that is being answered; None outside of any.
current: ContextVar[Request | None] = ContextVar("nitro_request", default=None)
