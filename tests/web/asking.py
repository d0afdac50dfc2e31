"""Asks the core of the web what a client would, without a framework in between."""

import json
from collections.abc import Mapping
from typing import Any

from nitro.web import Core, Request, Response
from nitro.web.routes import segments_of


class Client:
    """Sends requests to a core, and reads what it answers."""

    def __init__(self, core: Core, *, headers: Mapping[str, str] | None = None, native: Any = None) -> None:
        self._core, self._headers, self._native = core, dict(headers or {}), native

    def ask(
        self,
        method: str,
        url: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        raw: bytes | None = None,
    ) -> "Answer":
        """Sends a request; `body` is sent as JSON, and `raw` as it is."""
        path, _, query = url.partition("?")
        found = self._core.routes.find(method, segments_of(path))
        assert isinstance(found, tuple), f"{method} {path} is no route: {found}"
        route, parameters = found
        said = {"host": "shop.example", **self._headers, **(headers or {})}
        if body is not None:
            raw = json.dumps(body).encode()
        if raw:
            said.setdefault("content-type", "application/json")
        request = Request(method, path, query, said, raw or b"", self._native, parameters, users=self._core.access)
        return Answer(self._core.handle(route, request))


class Answer:
    """What was answered."""

    def __init__(self, response: Response) -> None:
        assert isinstance(response.body, bytes)
        self.status, self.text = response.status, response.body.decode()
        self.headers = dict(response.headers)

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.text)

    @property
    def wrong(self) -> list[tuple[str, tuple[Any, ...]]]:
        """(kind, place) of what a client has given wrong."""
        return [(line["type"], tuple(line["loc"])) for line in self.json["detail"]]

    def __repr__(self) -> str:
        return f"<{self.status} {self.text[:500]}>"
