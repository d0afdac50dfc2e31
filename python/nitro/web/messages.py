"""What a client asks and what it is answered, whatever framework stands between."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol
from urllib.parse import parse_qsl

from ..errors import NitroError
from .problems import Problem

JSON = "application/json"

_FORM = "application/x-www-form-urlencoded"


class Users(Protocol):
    """Finds out whose request it is: sets its `user`."""

    @property
    def is_async(self) -> bool:
        """Whether that has to be awaited."""
        ...

    def identify(self, request: Request) -> None:
        """Sets the user."""
        ...

    async def aidentify(self, request: Request) -> None:
        """Sets the user, for async code."""
        ...


class Request:
    """A request, as an adapter has translated it.

    Attributes:
        method: The HTTP method, in capitals.
        path: The path as it was asked for, still percent-encoded, with what the application is mounted at.
        query: What stands behind the question mark; empty where nothing does.
        headers: {name in lower case: value}.
        native: The framework's own request.
        parameters: {name: text} of the path.
    """

    def __init__(
        self,
        method: str,
        path: str,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        body: bytes | Callable[[], bytes] = b"",
        native: Any = None,
        parameters: Mapping[str, str] | None = None,
        *,
        users: Users | None = None,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """What a client asks.

        Args:
            method: See above, and so the others.
            path: See there.
            query: See there.
            headers: See there.
            body: The whole body, or what gives it when it is asked for.
            native: See there.
            parameters: See there.
            users: Finds the user when somebody asks; None where there is none.
            loop: The event loop that waits for an async `get_user` which another thread asks for.
        """
        self.method, self.path, self.query = method, path, query
        self.headers: Mapping[str, str] = {} if headers is None else headers
        self.native = native
        self.parameters: Mapping[str, str] = {} if parameters is None else parameters
        self._body, self._users, self._loop = body, users, loop
        self._user: Any = None

    @property
    def body(self) -> bytes:
        """The whole body.

        Raises:
            NitroError: If it is the framework's to read.
        """
        if not isinstance(self._body, bytes):
            self._body = self._body()
        return self._body

    @property
    def user(self) -> Any:
        """What `get_user` gave; None where nobody is known, or there is no `get_user`.

        Raises:
            NitroError: If `get_user` is async, and this is async code: see `auser`.
        """
        self.identify()
        return self._user

    @user.setter
    def user(self, user: Any) -> None:
        self._user, self._users = user, None

    def identify(self) -> None:
        """Finds out who the user is, where nobody has asked yet: see `user`."""
        users = self._users
        if users is None:
            return
        if not users.is_async:
            users.identify(self)
        elif _is_looping():
            raise NitroError("get_user is async here: await request.auser()")
        elif self._loop is None:
            asyncio.run(users.aidentify(self))
        else:
            asyncio.run_coroutine_threadsafe(users.aidentify(self), self._loop).result()

    async def auser(self) -> Any:
        """`user`, for async code."""
        if self._users is not None:
            await self._users.aidentify(self)
        return self._user

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


class Untranslated:
    """The request that a handler of the framework's own answers: it is translated when somebody asks for it.

    Args:
        translate: Gives the request.
    """

    __slots__ = ("_translate", "_translated")

    def __init__(self, translate: Callable[[], Request]) -> None:
        self._translate, self._translated = translate, None

    def request(self) -> Request:
        """The request, always the same object."""
        if self._translated is None:
            self._translated = self._translate()
        return self._translated


#: The request that is being answered; None outside of any.
current: ContextVar[Request | Untranslated | None] = ContextVar("nitro_request", default=None)


def current_request() -> Request | None:
    """The request that is being answered; None outside of any.

    Inside of the application's own handlers as well: there its body is known where Datastar has sent it, and else the
    framework's to read.
    """
    found = current.get()
    return found.request() if isinstance(found, Untranslated) else found


def _is_looping() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
