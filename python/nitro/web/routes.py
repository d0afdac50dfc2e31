"""Which request is answered by what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable
from urllib.parse import unquote

from ..entity import Entity
from ..errors import ConfigurationError
from ..repository import repository_of
from .messages import Request, Response
from .schemas import Schemas

#: What stands in a path as it is, beside letters and digits.
PLAIN = "/:@!$&'()*+,;=~-._"


class Operation(Protocol):
    """What answers a request, and says what it takes and gives."""

    #: Whether it is awaited by `arun`; else `run` does it.
    is_async: bool

    @property
    def waits(self) -> bool:
        """Whether `run` may wait for something, so that an event loop lets a thread do it."""
        ...

    def run(self, request: Request) -> Response:
        """Answers a request."""
        ...

    async def arun(self, request: Request) -> Response:
        """`run`, for async code."""
        ...

    def described(self) -> Description:
        """What it takes and gives."""
        ...


@runtime_checkable
class Body(Protocol):
    """What makes the schema of a body."""

    def said_in(self, schemas: Schemas) -> Any:
        """Its schema, with what it refers to among those of the document."""
        ...


@dataclass(slots=True)
class Description:
    """What an operation takes and gives, for OpenAPI. Schemas have their own definitions in `$defs`."""

    summary: str
    description: str = ""
    #: {name: schema} of the path, and of the query.
    path: dict[str, Any] = field(default_factory=dict[str, Any])
    query: dict[str, Any] = field(default_factory=dict[str, Any])
    #: The names of the query that have to be given.
    required: frozenset[str] = frozenset()
    #: A type, the schema of the body, or what makes it; None where there is none.
    body: Any = None
    #: {status: a type or a schema, or None for an error or for no body}.
    responses: dict[int, Any] = field(default_factory=dict[int, Any])


@dataclass(slots=True)
class Route:
    """One method and path.

    Attributes:
        path: As "/orders/{id}/restock": names in braces stand for one segment each.
        name: What it is called by programs, as "Order.restock"; no two routes have one name.
        tag: What it is listed under, the name of the class.
    """

    method: str
    path: str
    name: str
    tag: str
    operation: Operation


def may_wait(cls: type[Entity], *, is_reading: bool) -> bool:
    """Whether the store of a class may have to wait when it is read, or written."""
    return repository_of(cls).waits(is_reading=is_reading)


class _Node:
    __slots__ = ("any", "fixed", "routes")

    def __init__(self) -> None:
        self.fixed: dict[str, _Node] = {}
        self.any: _Node | None = None
        #: {method: (route, the names of its parameters)}
        self.routes: dict[str, tuple[Route, tuple[str, ...]]] = {}


class Routes:
    """Routes by their paths. To find one takes as long as its path is, however many there are."""

    def __init__(self) -> None:
        self._root = _Node()
        self._names: dict[str, Route] = {}

    def __iter__(self) -> Iterator[Route]:
        return iter(self._names.values())

    def __len__(self) -> int:
        return len(self._names)

    def add(self, route: Route) -> None:
        """Adds a route.

        Raises:
            ConfigurationError: If there is another one for this method and path, or of this name.
        """
        node, names = self._root, list[str]()
        for segment in route.path.strip("/").split("/"):
            if segment.startswith("{"):
                names.append(segment[1:-1])
                node.any = node.any or _Node()
                node = node.any
            else:
                node = node.fixed.setdefault(segment, _Node())
        taken = node.routes.get(route.method)
        other = taken[0] if taken is not None else self._names.get(route.name)
        if other is not None:
            raise ConfigurationError(
                f"{route.name} would be {route.method} {route.path}, and {other.name} is {other.method} {other.path}: "
                "give one of them another path"
            )
        node.routes[route.method] = route, tuple(names)
        self._names[route.name] = route

    def find(self, method: str, segments: Sequence[str]) -> tuple[Route, Mapping[str, str]] | frozenset[str] | None:
        """The route for a request, and its parameters.

        Args:
            method: The HTTP method; HEAD is answered by GET.
            segments: The path, split at the slashes and then decoded.

        Returns:
            The methods that there are where this one is not among them; None where there is nothing.
        """
        allowed: set[str] = set()
        wanted = "GET" if method == "HEAD" else method
        for node, values in _reached(self._root, segments, 0, ()):
            found = node.routes.get(wanted)
            if found is not None:
                route, names = found
                return route, dict(zip(names, values, strict=True))
            allowed.update(node.routes)
        return frozenset(allowed) or None


def _reached(
    node: _Node, segments: Sequence[str], at: int, values: tuple[str, ...]
) -> Iterator[tuple[_Node, tuple[str, ...]]]:
    """The places of a path: what it says itself before what anything may stand for."""
    if at == len(segments):
        yield node, values
        return
    segment = segments[at]
    fixed = node.fixed.get(segment)
    if fixed is not None:
        yield from _reached(fixed, segments, at + 1, values)
    if node.any is not None and segment:
        yield from _reached(node.any, segments, at + 1, (*values, segment))


def segments_of(path: str) -> list[str]:
    """The segments of a path that is still encoded: a slash in a key is %2F."""
    return [unquote(segment) for segment in path.strip("/").split("/")]
