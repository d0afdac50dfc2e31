"""What all frameworks have in common: routes, who may call them, and how a request is answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from ..entity import Entity, subclasses
from ..errors import ConfigurationError
from ..work.names import plural
from .access import Access
from .messages import JSON, Request, Response, current
from .methods import method_routes
from .problems import TOLD, Problem, problem_of
from .resources import Resource
from .routes import Route, Routes

KIB = 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a request may be. One that is more is answered at once, with 413 or 400."""

    #: Bytes of a body.
    body: int = 1024 * KIB
    #: How deep JSON is nested.
    depth: int = 64
    #: How many values there are in it.
    nodes: int = 100_000


class Core:
    """The routes that Nitro adds to an application, and how their requests are answered.

    Attributes:
        routes: What there is.
        access: Who may do what.
        limits: How much a request may be.
    """

    def __init__(
        self,
        access: Access,
        resources: Iterable[type[Entity] | Resource] = (),
        entities: Collection[type[Entity]] | None = None,
        prefix: str = "",
        limits: Limits | None = None,
    ) -> None:
        self.access, self.limits = access, limits or Limits()
        self.routes = Routes()
        self._prefix = "/" + prefix.strip("/") if prefix.strip("/") else ""
        made = [one if isinstance(one, Resource) else Resource(_entity(one)) for one in resources]
        places = {resource.entity_class: resource.path for resource in made}
        marked = _marked(entities, places)
        tags = _tags(marked)
        for cls in marked:
            for route in method_routes(cls, self._prefix + places.get(cls, "/" + plural(cls)), tags[cls], access):
                self.routes.add(route)
        for resource in made:
            for route in resource.routes(self._prefix, tags[resource.entity_class], access):
                self.routes.add(route)
        if len(self.routes):
            access.say_it_is_open()

    def handle(self, route: Route, request: Request) -> Response:
        """Answers a request, in the thread that runs."""
        token = current.set(request)
        try:
            self.access.check_origin(request)
            if self.access.is_async:
                # What is async itself may ask who it is, and cannot wait for that.
                request.identify()
            _check_json(request, self.limits)
            return route.operation.run(request)
        except TOLD as error:
            return told(error)
        finally:
            current.reset(token)

    async def ahandle(self, route: Route, request: Request) -> Response:
        """`handle`, for async operations, and for those that never wait."""
        token = current.set(request)
        try:
            self.access.check_origin(request)
            if self.access.is_async:
                await request.auser()
            _check_json(request, self.limits)
            return await route.operation.arun(request)
        except TOLD as error:
            return told(error)
        finally:
            current.reset(token)


def told(error: Exception) -> Response:
    """The response for what went wrong.

    Raises:
        Exception: The same error, if it is the program's own: what to do with it is for the framework to say.
    """
    problem = problem_of(error)
    if problem is None:
        raise error
    return Response(problem.status, problem.body, JSON, list(problem.headers))


def refused(status: int, detail: str, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    """The response to a request that reaches no operation."""
    return told(Problem(status, detail, headers))


def _entity(one: Any) -> type[Entity]:
    if not (isinstance(one, type) and issubclass(one, Entity)):
        raise ConfigurationError(f"resources are classes of entities, or Resource(...) of them, got {one!r}")
    return one


def _marked(entities: Collection[type[Entity]] | None, places: dict[type[Entity], str]) -> list[type[Entity]]:
    """The classes whose methods become routes: those that are named, or all that there are."""
    if entities is not None:
        return list(dict.fromkeys([*map(_entity, entities), *places]))
    # A class that was defined again has taken the place of the one before.
    found = {(cls.__module__, cls.__qualname__): cls for cls in subclasses(Entity)}
    return list(dict.fromkeys([*found.values(), *places]))


def _tags(classes: Iterable[type[Entity]]) -> dict[type[Entity], str]:
    """What each class is called: its name, and where it is defined too if several have that name."""
    listed = list(classes)
    names = Counter(cls.__name__ for cls in listed)
    return {cls: cls.__name__ if names[cls.__name__] == 1 else f"{cls.__module__}.{cls.__qualname__}" for cls in listed}


def _check_json(request: Request, limits: Limits) -> None:
    """Whether a body of JSON is within the limits; read before anything is made of it."""
    if not request.body:
        return
    if len(request.body) > limits.body:
        raise Problem(413, f"a body has at most {limits.body} bytes here")
    data, nodes, level = request.data, 0, 1
    waiting: list[dict[str, Any] | list[Any]] = [data] if isinstance(data, dict | list) else []
    while waiting:
        if level > limits.depth:
            raise Problem(400, f"JSON is nested at most {limits.depth} deep here")
        deeper: list[dict[str, Any] | list[Any]] = []
        for holder in waiting:
            nodes += len(holder)
            values = holder.values() if isinstance(holder, dict) else holder
            deeper += [value for value in values if isinstance(value, dict | list)]
        if nodes > limits.nodes:
            raise Problem(400, f"JSON has at most {limits.nodes} values here")
        waiting, level = deeper, level + 1
