"""What is assigned to entities and not saved: to remember it, to give it back, and to warn of it."""

from __future__ import annotations

import copy
import inspect
import sys
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from .. import _core
from ..entity import Entity
from ..errors import UnsavedChangesWarning


def dirty(entity: Entity) -> dict[str, Any]:
    """{field: value} of what was changed and not saved, to be kept whatever happens to the entity."""
    if not _core.is_changed(entity):
        return {}
    return {name: copy.deepcopy(new) for name, (_, new) in _core.changes(entity).items()}


def put_back(entity: Entity, values: dict[str, Any]) -> None:
    """Gives an entity without changes those that it had; validating them again might give something else."""
    version = _core.version(entity)
    saved = {name: copy.deepcopy(_core.original(entity, name)) for name in values}
    _core.set_originals(entity, version, copy.deepcopy(values))
    _core.revert_changes(entity)
    _core.set_originals(entity, version, saved)


@contextmanager
def as_it_was(entity: Entity, values: dict[str, Any]) -> Generator[None]:
    """Gives an entity the changes that it had, for as long as it takes to store them."""
    now = dirty(entity)
    if now == values:
        yield
        return
    held = entity.__dict__
    wanted = {name: copy.deepcopy(held[name]) for name in {**now, **values} if name in held}
    _core.revert_changes(entity)
    put_back(entity, values)
    try:
        yield
    finally:
        _core.revert_changes(entity)
        put_back(entity, wanted)


def warn(message: str) -> None:
    """Warns of what the program does: where it has entered the unit, or at the function that the unit is about."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("nitro."):
        # Those who call what was decorated have it under one of these names.
        known = frame.f_locals
        function = known.get("function") or getattr(known.get("self"), "function", None)
        if inspect.isfunction(function):
            code = function.__code__
            _warn_at(message, code.co_filename, code.co_firstlineno, function.__globals__)
            return
        frame = frame.f_back
    _warn_at(message, frame.f_code.co_filename, frame.f_lineno, frame.f_globals)


def _warn_at(message: str, file: str, line: int, variables: dict[str, Any]) -> None:
    registry = variables.setdefault("__warningregistry__", {})
    warnings.warn_explicit(message, UnsavedChangesWarning, file, line, variables.get("__name__"), registry)
