"""Relations between entities, wherever each of them lives: `Ref` for the side that has the key, `Many` for the other.

An entity keeps the key alone: in a field declared as `customer: Ref[Customer]` stands the key of a customer, for every
backend, index, dump and comparison. The `Ref` is made when the attribute is read.
"""

from __future__ import annotations

import re
import sys
import uuid
import weakref
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from dataclasses import dataclass
from importlib import import_module
from types import NoneType, UnionType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ClassVar,
    ForwardRef,
    Generic,
    Literal,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    overload,
)

from pydantic import BaseModel, GetCoreSchemaHandler
from pydantic.errors import PydanticUndefinedAnnotation
from pydantic_core import PydanticCustomError, core_schema

from . import _core, fields
from .errors import ConfigurationError, EntityNotFound

if TYPE_CHECKING:
    from .entity import Entity
    from .queries import Query
    from .repository import Repository

T = TypeVar("T", bound="Entity")
R = TypeVar("R")

#: What `Field(ondelete=...)` of a Ref may say.
ACTIONS = ("RESTRICT", "CASCADE", "SET NULL")


if TYPE_CHECKING:

    class _Field(Generic[T]):
        """A field so declared takes more than it gives. None is in it for the sake of `Ref[Customer] | None`."""

        # In a base class, as pyright narrows no attribute whose own class says this: `if order.payer is not None`.
        @overload
        def __get__(self, instance: None, owner: Any = None, /) -> Any: ...
        @overload
        def __get__(self, instance: object, owner: Any = None, /) -> Ref[T]: ...
        def __get__(self, instance: object, owner: Any = None, /) -> Any: ...
        def __set__(self, instance: Any, value: T | Ref[T] | str | int | uuid.UUID | None, /) -> None: ...

else:
    _Field = Generic


class Ref(_Field[T]):
    """The key of an entity of another class, or of the same one, as the type of a field.

    The field takes an entity, a Ref or a key, and keeps the key; `order.customer.get()` loads the entity from wherever
    its class lives. Two are equal that have the same class and the same key. In dumps, in JSON and in what changed
    there is the key alone.

    `Field(ondelete=...)` says what deleting the customer does to its orders: "RESTRICT", which is what happens where
    nothing is said, refuses it; "CASCADE" deletes them too; "SET NULL" leaves them without a customer.

    An entity that was assigned, or that `with_` loaded, comes along: `get` gives it and reads nothing. Where the owner
    itself is the record that everyone shares, as in memory, it comes along only while somebody else holds it too.

    Args:
        entity_class: The class of the entity.
        key: Its key, which is converted to the key field's type, or the entity.

    Raises:
        pydantic.ValidationError: If it is no such key.

    Example:
        >>> class Customer(nitro.Entity):
        ...     name: str
        >>> class Sale(nitro.Entity):
        ...     customer: nitro.Ref[Customer]
        >>> ann = Customer(name="Ann").save()
        >>> sale = Sale(customer=ann)
        >>> sale.customer.key == ann.id, sale.customer.get().name
        (True, 'Ann')
    """

    __slots__ = ("_class", "_entity", "_key", "_owner")

    _class: type[T]
    _key: Any
    #: The entity itself, where it came along.
    _entity: T | None
    #: (the entity whose field this is, the name of the field), where it is one.
    _owner: tuple[Any, str] | None

    def __init__(self, entity_class: type[T], key: Any) -> None:
        from .entity import to_key

        self._class = entity_class
        self._entity = key if isinstance(key, entity_class) else None
        self._key = to_key(entity_class, _Reader(entity_class)(key))
        self._owner = None

    @classmethod
    def _of(cls, entity_class: type[T], key: Any) -> Ref[T]:
        """A reference with a key that is known to be one."""
        made = object.__new__(cls)
        made._class = entity_class
        made._key = key
        made._entity = None
        made._owner = None
        return made

    @property
    def key(self) -> Any:
        """The key, of the type that the key field of its class has."""
        return self._key

    @property
    def entity_class(self) -> type[T]:
        """The class that it refers to."""
        return self._class

    def get(self) -> T:
        """The entity: the one that came along, or else the one that is stored now.

        Raises:
            EntityNotFound: If there is none with this key.
        """
        known = self._known()
        if known is not None:
            return known
        try:
            return self._class.get(self._key)
        except EntityNotFound as error:
            raise self._dangling() from error

    async def aget(self) -> T:
        """`get`, for async code."""
        known = self._known()
        if known is not None:
            return known
        try:
            return await self._class.aget(self._key)
        except EntityNotFound as error:
            raise self._dangling() from error

    def _known(self) -> T | None:
        """The entity that came along, if it still is the one with this key."""
        if self._entity is not None and key_of(self._entity) == self._key:
            return self._entity
        return None if self._owner is None else _kept(*self._owner, self._key)

    def _dangling(self) -> EntityNotFound:
        where = None
        if self._owner is not None:
            owner, name = self._owner
            where = f"{type(owner).__name__}.{name} of {key_of(owner)!r}"
        return EntityNotFound(self._class, self._key, referrer=where)

    def __eq__(self, other: object) -> bool:
        if type(other) is not _REF:
            return NotImplemented
        others = cast("Ref[Any]", other)
        return self._class is others._class and self._key == others._key

    def __hash__(self) -> int:
        return hash((self._class, self._key))

    def __repr__(self) -> str:
        return f"Ref({self._class.__name__}, {self._key!r})"

    # It does not change, and the entity that came along is no part of it.

    def __copy__(self) -> Ref[T]:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Ref[T]:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _referring, (self._class, self._key)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        target = _argument(source)
        if target is None:
            raise ConfigurationError("Ref takes the class that it refers to: write Ref[Customer]")
        key = handler.generate_schema(key_type(target))
        taken = core_schema.no_info_before_validator_function(_Reader(target), key)
        return core_schema.no_info_after_validator_function(
            _Maker(target),
            taken,
            serialization=core_schema.plain_serializer_function_ser_schema(plain, return_schema=key),
        )


#: For comparing types: a value of any type stays one of any type to type checkers.
_REF: Any = Ref


def _referring(entity_class: type[Any], key: Any) -> Ref[Any]:
    return _REF._of(entity_class, key)


def plain(value: Any) -> Any:
    """The key that stands for a reference."""
    return value._key if type(value) is _REF else value


def key_of(entity: Any) -> Any:
    """The key of an entity: see `nitro.identity`."""
    return entity.__dict__[entity.__class__.__nitro_key__]


@dataclass(frozen=True, slots=True)
class _Reader:
    """Makes a key, for pydantic to validate, of what a Ref field takes."""

    target: type[Any]

    #: It changes nothing in a value that has the key's type already: see `_plan.Compiler.function`.
    keeps_keys: ClassVar[bool] = True

    def __call__(self, value: Any) -> Any:
        if type(value) is str:
            return value
        if type(value) is _REF:
            if value._class is not self.target:
                raise self._wrong(f"a reference to {value._class.__name__}")
            return value._key
        cls = value.__class__
        if cls is self.target or (isinstance(value, _core.ModelCore) and hasattr(cls, "__nitro_key__")):
            if not _is_kept_with(cls, self.target):
                raise self._wrong(f"an entity of {cls.__name__}")
            key = key_of(value)
            if key is None:
                raise PydanticCustomError(
                    "reference_key", "The {target} has no key yet: save it first", {"target": self.target.__name__}
                )
            return key
        if isinstance(value, int | uuid.UUID) and type(value) is not bool and _bare_key_type(self.target) is str:
            return str(value)
        return value

    def _wrong(self, got: str) -> PydanticCustomError:
        return PydanticCustomError(
            "reference_type",
            "Input should be an entity of {target}, a reference to one or its key, got {got}",
            {"target": self.target.__name__, "got": got},
        )


@dataclass(frozen=True, slots=True)
class _Maker:
    """Makes the reference of a valid key."""

    target: type[Any]

    def __call__(self, key: Any) -> Ref[Any]:
        return _REF._of(self.target, key)


def _is_kept_with(cls: type, target: type) -> bool:
    """Whether entities of a class are found by their key among those of another one."""
    # Each class has a place of its own, except where SQLAlchemy maps a class and its subclasses together.
    return cls is target or (issubclass(cls, target) and hasattr(target, "__mapper__"))


# --- What an annotation refers to -------------------------------------------------------------------------------


def _choices(annotation: Any) -> list[Any]:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _choices(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return [choice for part in get_args(annotation) for choice in _choices(part)]
    return [annotation]


def target_of(annotation: Any) -> type[Entity] | None:
    """The class that a field of this annotation refers to; None where it is no `Ref[...]`, with or without None.

    Raises:
        ConfigurationError: If the class is not defined yet, or is no class of entities.
    """
    choices = [choice for choice in _choices(annotation) if choice not in (None, NoneType)]
    if len(choices) != 1 or (get_origin(choices[0]) or choices[0]) is not Ref:
        return None
    target = _argument(choices[0])
    if target is None:
        raise ConfigurationError(f"{annotation} does not say what it refers to: write Ref[Customer]")
    return target


def _argument(reference: Any) -> type[Any] | None:
    """`Customer` of `Ref[Customer]`."""
    arguments = get_args(reference)
    target: Any = arguments[0] if arguments else None
    if isinstance(target, TypeVar):
        target = target.__bound__
    if isinstance(target, str | ForwardRef):
        name = target if isinstance(target, str) else target.__forward_arg__
        raise ConfigurationError(f"Ref[{name}] refers to a class that is not defined yet")
    if target is None:
        return None
    if not (isinstance(target, type) and hasattr(target, "__nitro_key__")):
        raise ConfigurationError(f"Ref refers to a class of entities, not to {target!r}")
    return target


def _key_info(target: Any) -> Any:
    """The field that is the key of a class, even of one that is being made."""
    known: dict[str, Any] = target.__dict__.get("__pydantic_fields__", {})
    declared = [info for info in known.values() if fields.stored(info).primary_key]
    if len(declared) > 1:
        raise ConfigurationError(f"Ref[{target.__name__}]: a key of several fields cannot be referred to")
    info = declared[0] if declared else known.get("id")
    if info is None or not getattr(info, "_complete", True):
        raise PydanticUndefinedAnnotation(target.__name__, f"the key of {target.__name__} is not known yet")
    return info


def _bare_key_type(target: Any) -> Any:
    annotation = _key_info(target).annotation
    referred = target_of(annotation)
    if referred is not None:
        return _bare_key_type(referred)
    choices = [choice for choice in _choices(annotation) if choice not in (None, NoneType)]
    return choices[0] if len(choices) == 1 else annotation


def key_type(target: type[Entity]) -> Any:
    """The type of the keys of a class, with the constraints of its key field and without None."""
    info = _key_info(target)
    referred = target_of(info.annotation)
    annotation = _bare_key_type(target) if referred is None else key_type(referred)
    constraints = [item for item in info.metadata if not isinstance(item, fields.Stored)]
    annotated: Any = Annotated
    return annotated[(annotation, *constraints)] if constraints else annotation


# --- Ref fields of a class --------------------------------------------------------------------------------------


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
        made: Any = object.__new__(_REF)
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
    return value._key if type(value) is _REF and value._class is attribute._target else None


def key_in_field(field: _core.FieldRef, value: Any) -> Any:
    """What stands in a field for a valid value: in a Ref field of an entity the key."""
    direct = type(value) is _REF and len(field._path) == 1 and hasattr(field._class, "__nitro_refs__")
    return value._key if direct else value


def _giving_key(schema: Any) -> Any:
    if schema["type"] in ("default", "nullable"):
        return {**schema, "schema": _giving_key(schema["schema"])}
    if schema["type"] == "function-after" and isinstance(schema["function"]["function"], _Maker):
        return schema["schema"]
    # Validators of the field's own are about references.
    return core_schema.no_info_after_validator_function(plain, schema)


#: Classes that pydantic has not completed: they may refer to any class.
incomplete: list[weakref.ref[Any]] = []

#: How often a class was defined or completed.
_generation = 0


def settle(entity_class: Any) -> None:
    """Called when a class of entities was defined, and when pydantic has completed it."""
    global _generation
    _generation += 1
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
        type.__setattr__(entity_class, "__init__", _init)


def install(entity_class: Any) -> None:
    """Gives a class that has its plan the attributes of its Ref fields."""
    if not entity_class.__pydantic_complete__:
        return
    for name, field in entity_class.__nitro_refs__.items():
        known = first_in_line(entity_class, name)
        if known is None or isinstance(known, _core.FieldRef) or hasattr(known, "gives_way"):
            reference = _core.FieldRef(entity_class, (name,), _bare_key_type(field.target))
            inline = entity_class.__nitro_plan__.layout == "inline"
            type.__setattr__(entity_class, name, RefAttribute(reference, field.target, inline))


def first_in_line(cls: type, name: str) -> Any:
    for base in cls.__mro__:
        if name in base.__dict__:
            return base.__dict__[name]
    return None


def _ref_field(entity_class: type, name: str, info: Any, target: type) -> RefField:
    said = fields.stored(info)
    nullable = any(choice in (None, NoneType) for choice in _choices(info.annotation))
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
    if _looked_at[0] != _generation:
        _looked_at = _generation, weakref.WeakSet()
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
        if base is entity_class or ("__nitro_key__" in base.__dict__ and _is_kept_with(entity_class, base)):
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


# --- Entities that come along -----------------------------------------------------------------------------------


class Rows(list[Any]):
    """The entities of a Many: a list that can be referred to weakly."""

    __slots__ = ("__weakref__",)


def _read_loaded(owner: Any) -> dict[str, Any] | None:
    try:
        # Not by attribute: where there is nothing, pydantic would look for it everywhere.
        return _place.__get__(owner)
    except AttributeError:
        return None


#: Where an entity has what came along: the slot of Entity, which has yet to be defined.
_place: Any = None


#: `Entity.where`, whatever a class of the user's makes of the name.
_where: Any = None

_repository_of: Any = None


def register(entity: Any, repository_of: Callable[[type[Any]], Repository]) -> None:
    """Tells this module, which others are built upon, what it needs of those."""
    global _place, _where, _repository_of
    _place = entity.__dict__["__nitro_loaded__"]
    _where = entity.where.__func__
    _repository_of = repository_of


def home(entity_class: type[Any]) -> Repository:
    """The repository of a class: see `nitro.repository.repository_of`."""
    return _repository_of(entity_class)


def where(entity_class: Any, *conditions: Any, **lookups: Any) -> Query[Any]:
    """The query of a class, even where the class has a `where` of its own."""
    return _where(entity_class, *conditions, **lookups)


def _kept(owner: Any, name: str, key: Any) -> Any:
    """The entity with this key that came along with a field."""
    found = _loaded_as(owner, name)
    return found if found is not None and key_of(found) == key else None


def _loaded_as(owner: Any, name: str) -> Any:
    loaded = _read_loaded(owner)
    found: Any = None if loaded is None else loaded.get(name)
    if isinstance(found, weakref.ref):
        return cast("weakref.ref[Any]", found)()
    return found


def keep(owner: Any, name: str, value: Any) -> None:
    """Lets an entity, or the entities of a Many, come along with its owner."""
    loaded = _read_loaded(owner)
    if loaded is None:
        loaded = {}
        _place.__set__(owner, loaded)
    # A shared record lives on, and what is held by it would never be read again.
    loaded[name] = weakref.ref(value) if is_live(owner.__class__) else value


def forget(owner: Any, name: str | None = None) -> None:
    """Lets nothing come along any more, or not what came along with one name."""
    loaded = _read_loaded(owner)
    if loaded is None:
        return
    if name is None:
        loaded.clear()
    else:
        loaded.pop(name, None)


def is_live(entity_class: type[Any]) -> bool:
    return _repository_of(entity_class).capabilities.live


def _take_along(owner: Any, name: str, given: Any) -> None:
    """Keeps the entity that was given for a Ref field, if it was one."""
    entity = given._known() if type(given) is _REF else given
    if isinstance(entity, _core.ModelCore):
        keep(owner, name, entity)
    else:
        forget(owner, name)


def _assign(owner: Any, name: str, value: Any) -> None:
    """How pydantic assigns to a Ref field."""
    owner.__pydantic_validator__.validate_assignment(owner, name, value)
    _take_along(owner, name, value)


def _init(self: Any, /, **data: Any) -> None:
    # Where every value has exactly the declared type already, nobody calls this.
    __tracebackhide__ = True
    BaseModel.__init__(self, **data)
    cls = self.__class__
    known = cls.__pydantic_fields__
    for name in cls.__nitro_refs__:
        given = data.get(name)
        if given is None:
            given = data.get(known[name].alias or name)
        if isinstance(given, _core.ModelCore) or type(given) is _REF:
            _take_along(self, name, given)


# Pydantic asks for it: this one is no constructor of the user's own.
_init.__pydantic_base_init__ = True  # type: ignore[attr-defined]
_init.__name__ = "__init__"


def keys_of(entity_class: Any, values: Any) -> Any:
    """Values of fields, with keys for the entities and references among them."""
    refs = entity_class.__nitro_refs__
    return {name: _Reader(refs[name].target)(value) if name in refs else value for name, value in values.items()}


# --- Many -------------------------------------------------------------------------------------------------------


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
        mine = _core.FieldRef(other, (name,), _bare_key_type(type(owner))) == key_of(owner)
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
        return _loaded_as(owner, self._name)

    def _other_side(self, owner: type[Any]) -> tuple[type[Any], str]:
        """The class at the other side, and its field that refers to a class.

        Raises:
            ConfigurationError: If there is none, or there are several.
        """
        if self._found and self._found[0] == (_generation, owner):
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
        self._found = (_generation, owner), *found
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
