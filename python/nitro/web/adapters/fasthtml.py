"""FastHTML."""

from __future__ import annotations

from typing import Any

from ..core import Core
from . import starlette


def install(app: Any, core: Core) -> None:
    """Adds the routes, before FastHTML's own for static files, which would take `/orders/1.5`."""
    starlette.install(app, core, first=True)
