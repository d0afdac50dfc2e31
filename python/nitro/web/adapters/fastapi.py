"""FastAPI: the routes of Nitro are in its OpenAPI document."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from ..core import Core
from ..openapi import document
from . import starlette


def install(app: FastAPI, core: Core) -> None:
    """Adds the routes, also to the documentation."""
    starlette.install(app, core)
    own = app.openapi

    def openapi() -> dict[str, Any]:
        known = app.openapi_schema
        if known is None:
            known = own()
            ours = document(core.routes)
            for path, operations in ours["paths"].items():
                # The application's own routes come first.
                known.setdefault("paths", {}).setdefault(path, {}).update(
                    {method: said for method, said in operations.items() if method not in known["paths"].get(path, {})}
                )
            schemas = known.setdefault("components", {}).setdefault("schemas", {})
            for name, schema in ours["components"]["schemas"].items():
                schemas.setdefault(name, schema)
            app.openapi_schema = known
        return known

    app.openapi = openapi  # type: ignore[method-assign]  (as FastAPI documents it)
