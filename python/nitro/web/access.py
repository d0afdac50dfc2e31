"""Who may do what, and which requests were not sent by whom they seem to be."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable, Collection
from typing import Any
from urllib.parse import urlsplit

from .messages import Request
from .problems import Problem

#: (user, action, class, entity, field) to whether it is allowed. The action is "list", "get", "create", "update",
#: "delete", or the name of a method; the entity is None where there is none yet; the field is None where the whole
#: is asked for.
Can = Callable[[Any, str, type, Any, str | None], bool]
GetUser = Callable[[Any], Any] | Callable[[Any], Awaitable[Any]]

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

_log = logging.getLogger("nitro.web")


class Access:
    """Who may do what. REST, methods and streams all ask here.

    Args:
        get_user: Gives the user of a request of the framework; None where there are no users.
        can: Says what is allowed; None allows everything, or nothing, as `default` says.
        default: "allow" or "deny".
        trusted_origins: Origins of other sites whose pages may change something, as "https://shop.example".
    """

    def __init__(
        self,
        get_user: GetUser | None = None,
        can: Can | None = None,
        default: str = "allow",
        trusted_origins: Collection[str] = (),
    ) -> None:
        if default not in ("allow", "deny"):
            raise ValueError(f"default takes 'allow' or 'deny', got {default!r}")
        self._get_user, self._can, self._default = get_user, can, default
        self._trusted = frozenset(origin.rstrip("/").lower() for origin in trusted_origins)

    @property
    def asks_nobody(self) -> bool:
        """Whether everything is allowed, without a question."""
        return self._can is None and self._default == "allow"

    @property
    def is_async(self) -> bool:
        """Whether who the user is has to be awaited."""
        return inspect.iscoroutinefunction(self._get_user)

    def say_it_is_open(self) -> None:
        """Says once in the log that everybody may do everything."""
        if self.asks_nobody:
            _log.warning(
                "everybody may call every route of Nitro: give nitro.install() a function `can`, or default='deny'"
            )

    def identify(self, request: Request) -> None:
        """Finds out whose request it is."""
        if self._get_user is not None:
            request.user = self._get_user(request.native)

    async def aidentify(self, request: Request) -> None:
        """`identify`, for async code."""
        if self._get_user is not None:
            user: Any = self._get_user(request.native)
            request.user = await user if inspect.isawaitable(user) else user

    def allows(self, request: Request, action: str, cls: type, entity: Any = None, field: str | None = None) -> bool:
        """Whether whoever asks may do that."""
        if self._can is None:
            return self._default == "allow"
        return bool(self._can(request.user, action, cls, entity, field))

    def check(self, request: Request, action: str, cls: type, entity: Any = None, field: str | None = None) -> None:
        """Whether whoever asks may do that.

        Raises:
            Problem: If not: 401 where somebody could be known and nobody is, else 403.
        """
        if not self.allows(request, action, cls, entity, field):
            what = cls.__name__ if field is None else f"{cls.__name__}.{field}"
            is_nobody = self._get_user is not None and request.user is None
            raise Problem(401 if is_nobody else 403, f"{action} is not allowed on {what}")

    def check_origin(self, request: Request) -> None:
        """Whether a request that may change something comes from a page of this site, or from no page at all.

        A browser says where the page comes from that sends a request (Sec-Fetch-Site, Origin), and a page cannot make
        it say something else. Who sends neither is no browser, and nobody else's cookies are with it.

        Raises:
            Problem: 403, if another site's page has sent it.
        """
        if request.method in _SAFE:
            return
        headers = request.headers
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if origin is not None and origin.lower() in self._trusted:
            return
        if site is not None:
            is_own = site in ("same-origin", "none")
        elif origin is not None:
            is_own = urlsplit(origin).netloc.lower() == headers.get("host", "").lower()
        else:
            return
        if not is_own:
            raise Problem(403, "a page of another site has sent this, which may change nothing here")
