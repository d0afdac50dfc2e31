"""`Ref`, the key of an entity as the type of a field, and what an annotation with it refers to."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ClassVar,
    ForwardRef,
    Generic,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    overload,
)

from pydantic import GetCoreSchemaHandler
from pydantic.errors import PydanticUndefinedAnnotation
from pydantic_core import PydanticCustomError, core_schema

from .. import _core, fields
from ..errors import ConfigurationError, EntityNotFound
from .kept import kept, key_of

if TYPE_CHECKING:
    from ..entity import Entity

T = TypeVar("T", bound="Entity")


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
        from ..entity import to_key

        self._class = entity_class
        self._entity = key if isinstance(key, entity_class) else None
        self._key = to_key(entity_class, KeyReader(entity_class)(key))
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
        return None if self._owner is None else kept(*self._owner, self._key)

    def _dangling(self) -> EntityNotFound:
        where = None
        if self._owner is not None:
            owner, name = self._owner
            where = f"{type(owner).__name__}.{name} of {key_of(owner)!r}"
        return EntityNotFound(self._class, self._key, referrer=where)

    def __eq__(self, other: object) -> bool:
        if type(other) is not REF:
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
        taken = core_schema.no_info_before_validator_function(KeyReader(target), key)
        return core_schema.no_info_after_validator_function(
            RefMaker(target),
            taken,
            serialization=core_schema.plain_serializer_function_ser_schema(plain, return_schema=key),
        )


#: For comparing types: a value of any type stays one of any type to type checkers.
REF: Any = Ref


def _referring(entity_class: type[Any], key: Any) -> Ref[Any]:
    return REF._of(entity_class, key)


def plain(value: Any) -> Any:
    """The key that stands for a reference."""
    return value._key if type(value) is REF else value


@dataclass(frozen=True, slots=True)
class KeyReader:
    """Makes a key, for pydantic to validate, of what a Ref field takes."""

    target: type[Any]

    #: It changes nothing in a value that has the key's type already: see `_plan.Compiler.function`.
    keeps_keys: ClassVar[bool] = True

    def __call__(self, value: Any) -> Any:
        if type(value) is str:
            return value
        if type(value) is REF:
            if value._class is not self.target:
                raise self._wrong(f"a reference to {value._class.__name__}")
            return value._key
        cls = value.__class__
        if cls is self.target or (isinstance(value, _core.ModelCore) and hasattr(cls, "__nitro_key__")):
            if not is_kept_with(cls, self.target):
                raise self._wrong(f"an entity of {cls.__name__}")
            key = key_of(value)
            if key is None:
                raise PydanticCustomError(
                    "reference_key", "The {target} has no key yet: save it first", {"target": self.target.__name__}
                )
            return key
        if isinstance(value, int | uuid.UUID) and type(value) is not bool and bare_key_type(self.target) is str:
            return str(value)
        return value

    def _wrong(self, got: str) -> PydanticCustomError:
        return PydanticCustomError(
            "reference_type",
            "Input should be an entity of {target}, a reference to one or its key, got {got}",
            {"target": self.target.__name__, "got": got},
        )


@dataclass(frozen=True, slots=True)
class RefMaker:
    """Makes the reference of a valid key."""

    target: type[Any]

    def __call__(self, key: Any) -> Ref[Any]:
        return REF._of(self.target, key)


def is_kept_with(cls: type, target: type) -> bool:
    """Whether entities of a class are found by their key among those of another one."""
    # Each class has a place of its own, except where SQLAlchemy maps a class and its subclasses together.
    return cls is target or (issubclass(cls, target) and hasattr(target, "__mapper__"))


# --- What an annotation refers to -------------------------------------------------------------------------------


def choices_of(annotation: Any) -> list[Any]:
    origin = get_origin(annotation)
    if origin is Annotated:
        return choices_of(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return [choice for part in get_args(annotation) for choice in choices_of(part)]
    return [annotation]


def target_of(annotation: Any) -> type[Entity] | None:
    """The class that a field of this annotation refers to; None where it is no `Ref[...]`, with or without None.

    Raises:
        ConfigurationError: If the class is not defined yet, or is no class of entities.
    """
    choices = [choice for choice in choices_of(annotation) if choice not in (None, NoneType)]
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


def bare_key_type(target: Any) -> Any:
    annotation = _key_info(target).annotation
    referred = target_of(annotation)
    if referred is not None:
        return bare_key_type(referred)
    choices = [choice for choice in choices_of(annotation) if choice not in (None, NoneType)]
    return choices[0] if len(choices) == 1 else annotation


def key_type(target: type[Entity]) -> Any:
    """The type of the keys of a class, with the constraints of its key field and without None."""
    info = _key_info(target)
    referred = target_of(info.annotation)
    annotation = bare_key_type(target) if referred is None else key_type(referred)
    constraints = [item for item in info.metadata if not isinstance(item, fields.Stored)]
    annotated: Any = Annotated
    return annotated[(annotation, *constraints)] if constraints else annotation
