"""The web: routes from methods, REST from entities, on the framework that an application has."""

from __future__ import annotations

import importlib
from collections.abc import Collection, Iterable
from typing import Any, TypeVar

from ..entity import Entity
from ..errors import ConfigurationError
from .access import Access, Can, GetUser
from .core import Core, Limits
from .messages import Request, Response, current_request
from .problems import Problem
from .resources import Resource

__all__ = ["Access", "Core", "Limits", "Problem", "Request", "Resource", "Response", "current_request", "install"]

A = TypeVar("A")

#: The adapter of each framework, by the module and the name of the class of its applications.
_ADAPTERS = {
    "fasthtml.core.FastHTML": "fasthtml",
    "fastapi.applications.FastAPI": "fastapi",
    "starlette.applications.Starlette": "starlette",
    "flask.app.Flask": "flask",
}


def install(
    app: A,
    *,
    resources: Iterable[type[Entity] | Resource] = (),
    entities: Collection[type[Entity]] | None = None,
    prefix: str = "",
    get_user: GetUser | None = None,
    can: Can | None = None,
    default: str = "allow",
    trusted_origins: Collection[str] = (),
    limits: Limits | None = None,
) -> A:
    """Adds routes to an application: for methods that are marked, and for entities that are resources.

    What stands behind the framework's own routes is found in its own order: a route of the application before that of
    Nitro, where both would fit.

    Args:
        app: An application of FastAPI, Starlette, FastHTML or Flask.
        resources: Classes that clients list, read and write by REST, or `Resource(...)` for some of that.
        entities: Classes whose methods become routes, where `@event`, `@command` or `@query` marks them; None for all
            that are defined by now. Resources are always among them.
        prefix: What the paths begin with, as "/api".
        get_user: Gives the user of a request of the framework.
        can: Says who may do what; see `Can`.
        default: "allow" or "deny": what is allowed where there is no `can`.
        trusted_origins: Other sites whose pages may change something.
        limits: How much a request may be.

    Returns:
        The application.

    Raises:
        ConfigurationError: If the framework is none of these, or two routes would be one.
    """
    access = Access(get_user, can, default, trusted_origins)
    adapter = _adapter(app)
    adapter.install(app, Core(access, resources, entities, prefix, limits))
    return app


def _adapter(app: Any) -> Any:
    for base in type(app).__mro__:
        module = _ADAPTERS.get(f"{base.__module__}.{base.__qualname__}")
        if module is not None:
            return importlib.import_module(f".adapters.{module}", __name__)
    known = ", ".join(name.rpartition(".")[2] for name in _ADAPTERS)
    raise ConfigurationError(f"nitro.install takes an application of {known}, got {type(app).__name__}")
