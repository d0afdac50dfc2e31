"""The Ref fields of a class: what they give and take, and which classes refer to which."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from types import NoneType
from typing import Any

from pydantic import BaseModel
from pydantic_core import core_schema

from .. import _core, fields
from ..errors import ConfigurationError
from .kept import forget, keep, key_of
from .reference import REF, KeyReader, RefMaker, bare_key_type, choices_of, is_kept_with, plain, target_of

#: What `Field(ondelete=...)` of a Ref may say.
ACTIONS = ("RESTRICT", "CASCADE", "SET NULL")


@dataclass(frozen=True, slots=True)
class RefField:
    """A field of a class that refers to another class.

    Attributes:
        name: Of the field.
        target: The class that it refers to.
        nullable: Whether it may be None.
        ondelete: What deleting the other entity does, one of ACTIONS.
    """

    name: str
    target: type[Any]
    nullable: bool
    ondelete: str


class RefAttribute:
    """`order.customer`: the reference that the key in the field stands for. On the class, the field to query by."""

    #: Gives way to a field of a subclass: see `nitro.expressions.install`.
    gives_way = True

    __slots__ = ("__weakref__", "_inline", "_name", "_reference", "_target")

    def __init__(self, reference: _core.FieldRef, target: type[Any], inline: bool) -> None:
        self._reference = reference
        self._name: str = reference._path[0]
        self._target = target
        self._inline = inline

    def __get__(self, entity: Any, owner: Any = None) -> Any:
        if entity is None:
            return self._reference.__get__(None, owner)
        name = self._name
        # Asking for the dictionary would make one where there is none.
        key = _core.value_at(entity, self._reference) if self._inline else None
        if key is None:
            try:
                key = entity.__dict__[name]
            except KeyError:
                raise AttributeError(f"{type(entity).__name__!r} object has no attribute {name!r}") from None
            if key is None:
                return None
        made: Any = object.__new__(REF)
        made._class = self._target
        made._key = key
        made._entity = None
        made._owner = (entity, name)
        return made

    # Both are called by those alone who write past the entity.

    def __set__(self, entity: Any, value: Any) -> None:
        entity.__dict__[self._name] = plain(value)

    def __delete__(self, entity: Any) -> None:
        del entity.__dict__[self._name]


def keys_in_fields(entity_class: Any, schema: Any) -> None:
    """Lets the core schema of a class give keys for its Ref fields, where it gave references."""
    while schema["type"] in ("function-before", "function-after", "function-wrap"):
        schema = schema["schema"]
    if schema["type"] != "model" or schema["schema"]["type"] != "model-fields":
        return
    for name, entry in schema["schema"]["fields"].items():
        info = entity_class.__pydantic_fields__.get(name)
        if info is not None and target_of(info.annotation) is not None:
            entry["schema"] = _giving_key(entry["schema"])


def key_given(field: _core.FieldRef, value: Any) -> Any:
    """The key of an entity or a reference that a Ref field of an entity is compared with; None for anything else."""
    attribute: Any = field._class.__dict__.get(field._path[0])
    if type(attribute) is not RefAttribute or len(field._path) > 1:
        return None
    if value.__class__ is attribute._target:
        return key_of(value)
    return value._key if type(value) is REF and value._class is attribute._target else None


def key_in_field(field: _core.FieldRef, value: Any) -> Any:
    """What stands in a field for a valid value: in a Ref field of an entity the key."""
    direct = type(value) is REF and len(field._path) == 1 and hasattr(field._class, "__nitro_refs__")
    return value._key if direct else value


def _giving_key(schema: Any) -> Any:
    if schema["type"] in ("default", "nullable"):
        return {**schema, "schema": _giving_key(schema["schema"])}
    if schema["type"] == "function-after" and isinstance(schema["function"]["function"], RefMaker):
        return schema["schema"]
    # Validators of the field's own are about references.
    return core_schema.no_info_after_validator_function(plain, schema)


def first_in_line(cls: type, name: str) -> Any:
    for base in cls.__mro__:
        if name in base.__dict__:
            return base.__dict__[name]
    return None


# --- Taking entities and references -----------------------------------------------------------------------------


def _take_along(owner: Any, name: str, given: Any) -> None:
    """Keeps the entity that was given for a Ref field, if it was one."""
    entity = given._known() if type(given) is REF else given
    if isinstance(entity, _core.ModelCore):
        keep(owner, name, entity)
    else:
        forget(owner, name)


def _assign(owner: Any, name: str, value: Any) -> None:
    """How pydantic assigns to a Ref field."""
    owner.__pydantic_validator__.validate_assignment(owner, name, value)
    _take_along(owner, name, value)


def init(self: Any, /, **data: Any) -> None:
    # Where every value has exactly the declared type already, nobody calls this.
    __tracebackhide__ = True
    BaseModel.__init__(self, **data)
    cls = self.__class__
    known = cls.__pydantic_fields__
    for name in cls.__nitro_refs__:
        given = data.get(name)
        if given is None:
            given = data.get(known[name].alias or name)
        if isinstance(given, _core.ModelCore) or type(given) is REF:
            _take_along(self, name, given)


# Pydantic asks for it: this one is no constructor of the user's own.
init.__pydantic_base_init__ = True  # type: ignore[attr-defined]
init.__name__ = "__init__"


def keys_of(entity_class: Any, values: Any) -> Any:
    """Values of fields, with keys for the entities and references among them."""
    refs = entity_class.__nitro_refs__
    return {name: KeyReader(refs[name].target)(value) if name in refs else value for name, value in values.items()}


# --- Which classes refer to which -------------------------------------------------------------------------------


#: Classes that pydantic has not completed: they may refer to any class.
incomplete: list[weakref.ref[Any]] = []

#: How often a class was defined or completed.
generation: int = 0


def settle(entity_class: Any) -> None:
    """Called when a class of entities was defined, and when pydantic has completed it."""
    global generation
    generation += 1
    if not entity_class.__pydantic_complete__:
        if not any(known() is entity_class for known in incomplete):
            incomplete.append(weakref.ref(entity_class))
        return
    if incomplete:
        incomplete[:] = [known for known in incomplete if known() not in (None, entity_class)]
    found = {
        name: _ref_field(entity_class, name, info, target)
        for name, info in entity_class.__pydantic_fields__.items()
        if (target := target_of(info.annotation)) is not None
    }
    if not found and not entity_class.__nitro_refs__:
        return
    type.__setattr__(entity_class, "__nitro_refs__", found)
    for name, field in found.items():
        _refer(entity_class, field)
        info = entity_class.__pydantic_fields__[name]
        if not (info.frozen or entity_class.model_config.get("frozen")):
            entity_class.__pydantic_setattr_handlers__[name] = _assign
    if first_in_line(entity_class, "__init__") is BaseModel.__init__:
        type.__setattr__(entity_class, "__init__", init)


def install(entity_class: Any) -> None:
    """Gives a class that has its plan the attributes of its Ref fields."""
    if not entity_class.__pydantic_complete__:
        return
    for name, field in entity_class.__nitro_refs__.items():
        known = first_in_line(entity_class, name)
        if known is None or isinstance(known, _core.FieldRef) or hasattr(known, "gives_way"):
            reference = _core.FieldRef(entity_class, (name,), bare_key_type(field.target))
            inline = entity_class.__nitro_plan__.layout == "inline"
            type.__setattr__(entity_class, name, RefAttribute(reference, field.target, inline))


def _ref_field(entity_class: type, name: str, info: Any, target: type) -> RefField:
    said = fields.stored(info)
    nullable = any(choice in (None, NoneType) for choice in choices_of(info.annotation))
    action = "RESTRICT" if said.ondelete is None else said.ondelete
    where = f"{entity_class.__name__}.{name}"
    if action not in ACTIONS:
        raise ConfigurationError(f"{where} says ondelete={action!r}: it is one of {', '.join(map(repr, ACTIONS))}")
    if action == "SET NULL" and not nullable:
        raise ConfigurationError(
            f'{where} says ondelete="SET NULL" and cannot be None: declare it as Ref[{target.__name__}] | None'
        )
    if said.foreign_key is not None:
        raise ConfigurationError(
            f"{where} says foreign_key={said.foreign_key!r}, and Ref[{target.__name__}] says it already: leave it out"
        )
    return RefField(name, target, nullable, action)


def _refer(entity_class: Any, field: RefField) -> None:
    """Tells the class that is referred to."""
    target = field.target
    known = target.__dict__.get("__nitro_referrers__", ())
    others = [
        (cls, name) for cls, name in known if cls() is not None and not (cls() is entity_class and name == field.name)
    ]
    type.__setattr__(target, "__nitro_referrers__", (*others, (weakref.ref(entity_class), field.name)))


def _settle_incomplete(target: type) -> None:
    """Has pydantic look again at classes that it has not completed: they may refer to this one."""
    global _looked_at
    if _looked_at[0] != generation:
        _looked_at = generation, weakref.WeakSet()
    if not incomplete or target in _looked_at[1]:
        return
    _looked_at[1].add(target)
    incomplete[:] = [known for known in incomplete if known() is not None]
    for known in list(incomplete):
        waiting = known()
        if waiting is not None and not waiting.__pydantic_complete__:
            # Classes of one function do not find one another by themselves.
            names = {target.__name__: target} if waiting.__module__ == target.__module__ else None
            waiting.model_rebuild(raise_errors=False, _types_namespace=names, _parent_namespace_depth=0)


#: (generation, the classes for which pydantic has looked again since).
_looked_at: tuple[int, weakref.WeakSet[type]] = (0, weakref.WeakSet())


def referrers(entity_class: Any) -> list[tuple[type[Any], RefField]]:
    """(class, its field) of each Ref field that refers to a class."""
    _settle_incomplete(entity_class)
    found: list[tuple[type[Any], RefField]] = []
    for base in entity_class.__mro__:
        if base is entity_class or ("__nitro_key__" in base.__dict__ and is_kept_with(entity_class, base)):
            for known, name in base.__dict__.get("__nitro_referrers__", ()):
                cls = known()
                if cls is not None and name in cls.__nitro_refs__ and cls.__nitro_refs__[name].target is base:
                    found.append((cls, cls.__nitro_refs__[name]))
    return found


def is_referred_to(entity_class: Any) -> bool:
    """Whether deleting entities of a class has to look for others that refer to them."""
    if incomplete:
        _settle_incomplete(entity_class)
    return bool(entity_class.__nitro_referrers__) and bool(referrers(entity_class))
