"""`Many`, the other side of a Ref."""

from __future__ import annotations

import re
import sys
import weakref
from collections.abc import AsyncIterator, Collection, Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, ForwardRef, Generic, Literal, TypeVar, cast, get_args, get_origin

from .. import _core
from ..errors import ConfigurationError
from . import referring
from .kept import key_of, loaded_as, where
from .reference import bare_key_type
from .referring import referrers

if TYPE_CHECKING:
    from ..entity import Entity
    from ..queries import Query

T = TypeVar("T", bound="Entity")


class Many(Generic[T]):
    """The other side of a Ref: `lines: Many[Line] = many()` on Order, where Line has `order: Ref[Order]`.

    It is no field: nothing is stored or dumped. What it gives is asked of the backend of the other class when it is
    asked for, or comes along where `with_("lines")` has loaded it.

    Example:
        >>> class Team(nitro.Entity):
        ...     name: str
        ...     players: nitro.Many["Player"] = nitro.many()
        >>> class Player(nitro.Entity):
        ...     name: str
        ...     team: nitro.Ref[Team] = nitro.Field(index=True)
        >>> reds = Team(name="reds").save()
        >>> Player.save_all([Player(name="Ann", team=reds), Player(name="Bob", team=reds)])
        [...]
        >>> [player.name for player in reds.players], reds.players.where(name="Ann").count()
        (['Ann', 'Bob'], 1)
    """

    __slots__ = ("_class", "_declared", "_entity", "_field", "_found", "_name", "_owner")

    if not TYPE_CHECKING:

        def __init__(self, field: str | None = None) -> None:
            #: The class at the other side, or its name.
            self._declared: Any = None
            #: The name of the Ref field there, where it was said.
            self._field = field
            #: The class that has this attribute, weakly, and how it is called.
            self._class: Any = None
            self._name = ""
            self._entity: Any = None
            #: (generation, class, name of the Ref field): what was found at last.
            self._found: Any = None

        def __get__(self, entity: Any, owner: Any = None) -> Any:
            if entity is None:
                return self
            bound = object.__new__(Many)
            bound._declared, bound._field, bound._class, bound._name = self, None, None, self._name
            bound._entity, bound._found = entity, None
            return bound

        # It comes before what is in the instance's dictionary, and cannot be assigned.
        def __set__(self, entity: Any, value: Any) -> None:
            raise AttributeError(f"{self!r} cannot be assigned: assign to the field at the other side")

    def all(self) -> list[T]:
        """Every entity whose Ref field refers to this one."""
        loaded = self._loaded()
        return self.where().all() if loaded is None else list(loaded)

    def where(self, /, *conditions: Any, **lookups: Any) -> Query[T]:
        """Those of them for which all the conditions hold, as a lazy query: see `Entity.where`."""
        declared, owner = self._bound()
        other, name = declared._other_side(type(owner))
        mine = _core.FieldRef(other, (name,), bare_key_type(type(owner))) == key_of(owner)
        return where(other, mine, *conditions, **lookups)

    def count(self) -> int:
        """How many there are."""
        loaded = self._loaded()
        return self.where().count() if loaded is None else len(loaded)

    def __iter__(self) -> Iterator[T]:
        return iter(self.all())

    async def aall(self) -> list[T]:
        """`all`, for async code."""
        loaded = self._loaded()
        return await self.where().aall() if loaded is None else list(loaded)

    async def acount(self) -> int:
        """`count`, for async code."""
        loaded = self._loaded()
        return await self.where().acount() if loaded is None else len(loaded)

    async def __aiter__(self) -> AsyncIterator[T]:
        for entity in await self.aall():
            yield entity

    def __repr__(self) -> str:
        if self._entity is not None:
            return f"{type(self._entity).__name__}.{self._name} of {key_of(self._entity)!r}"
        owner = None if self._class is None else self._class()
        return f"{'?' if owner is None else owner.__name__}.{self._name}"

    def _bound(self) -> tuple[Any, Any]:
        if self._entity is None:
            raise TypeError(f"{self!r} is asked of an entity, such as one that {self!r} was declared for")
        return self._declared, self._entity

    def _loaded(self) -> list[Any] | None:
        """What `with_` has loaded."""
        _, owner = self._bound()
        return loaded_as(owner, self._name)

    def _other_side(self, owner: type[Any]) -> tuple[type[Any], str]:
        """The class at the other side, and its field that refers to a class.

        Raises:
            ConfigurationError: If there is none, or there are several.
        """
        if self._found and self._found[0] == (referring.generation, owner):
            return self._found[1], self._found[2]
        declared = self._declared
        name = declared if isinstance(declared, str) else declared.__name__
        fitting = [
            (cls, field.name)
            for cls, field in referrers(owner)
            if (cls.__name__ == name if isinstance(declared, str) else cls is declared)
            and self._field in (None, field.name)
        ]
        if len({cls for cls, _ in fitting}) > 1:
            near = [pair for pair in fitting if pair[0].__module__ == owner.__module__] or fitting
            # Of a class that was defined again, the last one.
            fitting = [pair for pair in near if pair[0] is near[-1][0]]
        if not fitting:
            wanted = "a field" if self._field is None else f"a field {self._field!r}"
            raise ConfigurationError(
                f"{owner.__name__}.{self._name}: {name} has no such thing as {wanted} of the type Ref[{owner.__name__}]"
            )
        if len(fitting) > 1:
            names = [field for _, field in fitting]
            raise ConfigurationError(
                f"{owner.__name__}.{self._name}: {name} refers to {owner.__name__} by {' and '.join(names)}; "
                f'say by which, as in {self._name}: Many[{name}] = many("{names[0]}")'
            )
        (found,) = fitting
        self._found = (referring.generation, owner), *found
        return found


def many(field: str | None = None, *, init: Literal[False] = False) -> Any:  # noqa: ARG001  (for type checkers)
    """The value of a `Many` in a class body.

    Args:
        field: The name of the Ref field at the other side, where it has several that could be meant.
        init: For type checkers: it is no argument of the constructor.

    Example:
        >>> class Account(nitro.Entity):
        ...     sent: nitro.Many["Transfer"] = nitro.many("sender")
        ...     received: nitro.Many["Transfer"] = nitro.many("receiver")
        >>> class Transfer(nitro.Entity):
        ...     sender: nitro.Ref[Account]
        ...     receiver: nitro.Ref[Account]
        >>> Account().sent.count()
        0
    """
    return cast("Any", Many)(field)


_IN_TEXT = re.compile(r"^\s*(?:(?:\w+\.)*ClassVar\[\s*)?((?:\w+\.)*Many)\[\s*(.*?)\s*\]\s*\]?\s*$")


def take_many(namespace: dict[str, Any], annotations: Any) -> dict[str, Many[Any]]:
    """Takes each Many out of a class body, which pydantic would take for a field.

    Args:
        namespace: The class body.
        annotations: What it annotates: {name: annotation, or its text}.
    """
    found: dict[str, Many[Any]] = {}
    for name, annotation in dict(annotations).items():
        other = _other_class(annotation, namespace)
        if other is None:
            continue
        value = namespace.pop(name, None)
        made = cast("Any", value if isinstance(value, Many) else cast("Any", Many)())
        made._declared, made._name = other, name
        found[name] = made
    for name, value in namespace.items():
        if isinstance(value, Many):
            raise ConfigurationError(f"{name} = many() does not say of what: write {name}: Many[Line] = many()")
    if found:
        _remove_annotations(namespace, found)
    return found


def belonging(declared: Many[Any], entity_class: type[Any]) -> Many[Any]:
    """A Many that knows whose it is."""
    declared._class = weakref.ref(entity_class)
    return declared


def _other_class(annotation: Any, namespace: dict[str, Any]) -> Any:
    """The class that a Many is of, or its name; None where the annotation is something else."""
    if isinstance(annotation, ForwardRef):
        annotation = annotation.__forward_arg__
    if isinstance(annotation, str):
        match = _IN_TEXT.match(annotation)
        if match is None:
            return None
        module = sys.modules.get(namespace.get("__module__", ""))
        first = match[1].split(".")[0]
        if first == "Many" and getattr(module, "Many", Many) is not Many:
            return None
        return match[2].strip("'\"").split(".")[-1]
    if get_origin(annotation) is ClassVar:
        (annotation,) = get_args(annotation)
        return _other_class(annotation, namespace)
    if get_origin(annotation) is not Many:
        return None
    (other,) = get_args(annotation)
    name = other.__forward_arg__ if isinstance(other, ForwardRef) else other
    return name.split(".")[-1] if isinstance(name, str) else name


def _remove_annotations(namespace: dict[str, Any], names: Collection[str]) -> None:
    known = namespace.get("__annotations__")
    if known is not None:
        for name in names:
            known.pop(name, None)
        return
    annotationlib: Any = import_module("annotationlib")  # Python 3.14

    annotate = annotationlib.get_annotate_from_class_namespace(namespace)

    def without(format: Any, /) -> dict[str, Any]:  # noqa: A002  (its name in the protocol)
        given = annotationlib.call_annotate_function(annotate, format)
        return {name: annotation for name, annotation in given.items() if name not in names}

    namespace["__annotate_func__" if "__annotate_func__" in namespace else "__annotate__"] = without
