"""Classes of entities by the names that units of work call them."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from ..entity import Entity, subclasses
from ..errors import UnitOfWorkError

_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def plural(entity_class: type[Any]) -> str:
    """The name of a class in the plural, in lower case, with underscores between the words.

    Example:
        >>> from nitro.work.names import plural
        >>> plural(type("OrderLine", (), {})), plural(type("Category", (), {})), plural(type("Box", (), {}))
        ('order_lines', 'categories', 'boxes')
    """
    name = _WORDS.sub("_", entity_class.__name__).lower()
    if re.search(r"[^aeiou]y$", name):
        return name[:-1] + "ies"
    return name + ("es" if re.search(r"(s|x|z|ch|sh)$", name) else "s")


def class_called(name: str, known: Iterable[tuple[type, Any]]) -> type[Entity]:
    """The class of entities whose plural is `name`.

    Where several are, it is the one of which the unit of work knows an entity, or the one that the caller calls so.

    Args:
        known: (class, key) of the entities that are known.

    Raises:
        AttributeError: If there is no such class.
        UnitOfWorkError: If there are several.
    """
    # A class that was defined again has taken the place of the one before.
    found = {(cls.__module__, cls.__qualname__): cls for cls in subclasses(Entity) if plural(cls) == name}
    if not found:
        near = get_close_matches(name, {plural(cls) for cls in subclasses(Entity)}, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise AttributeError(f"a unit of work has no {name!r}, and no class of entities is called so{hint}")
    if len(found) > 1:
        met = {cls for cls, _ in known}
        chosen = [cls for cls in found.values() if cls in met]
        if len(chosen) != 1:
            caller = sys._getframe(2)
            seen = {**caller.f_globals, **caller.f_locals}
            chosen = [cls for cls in found.values() if seen.get(cls.__name__) is cls]
        if len(chosen) != 1:
            places = ", ".join(sorted(f"{module}.{qualname}" for module, qualname in found))
            raise UnitOfWorkError(f"{name!r} may be any of {places}: say which by uow.repository(...)")
        return chosen[0]
    return next(iter(found.values()))
