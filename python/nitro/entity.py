"""`Entity`: a model with identity, change tracking and a place to live."""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from functools import lru_cache, wraps
from types import MethodType
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, dataclass_transform

from pydantic import ConfigDict, GetCoreSchemaHandler, TypeAdapter, ValidationError
from pydantic.fields import Field as PydanticField
from pydantic.fields import FieldInfo, PrivateAttr
from pydantic_core import core_schema

from . import _core, _plan, _related, changes, fields, relations
from ._ambient import acting
from .errors import ConfigurationError, EntityNotFound, UnknownFieldError
from .expressions import Index
from .model import Model, ModelMeta
from .queries import Query
from .repository import Repository, Ttl, repository_of

_E = TypeVar("_E", bound="Entity")

#: A field cannot have these names: they are how every entity is found and stored.
RESERVED = frozenset({"get", "all", "where", "save", "delete", "aget", "aall", "asave", "adelete"})

#: What the class body says about where its entities live.
_BACKEND = "_persistence_backend_class"

if TYPE_CHECKING:
    _attribute = property
    _class_verb = classmethod

    _F = TypeVar("_F")

    def _verb(function: _F) -> _F: ...

else:

    class _Giving(staticmethod):
        """An attribute of Entity that gives way to a field of the same name, on the instance and on the class.

        A staticmethod only in name: that is a kind of attribute which pydantic does not take for a field.
        """

        gives_way = True

        def __init__(self, function: Callable[..., Any]) -> None:
            super().__init__(function)
            self.function = function

        def __set_name__(self, owner: type, name: str) -> None:
            self.name = name

        def give_way(self, entity: Any, owner: type) -> None:
            if self.name in owner.__pydantic_fields__ or (entity is None and _core.is_collecting()):
                raise AttributeError(f"{owner.__name__!r} object has no attribute {self.name!r}")

    class _attribute(_Giving):  # noqa: N801
        def __get__(self, entity: Any, owner: type) -> Any:
            self.give_way(entity, owner)
            return self if entity is None else self.function(entity)

    class _verb(_Giving):  # noqa: N801
        def __get__(self, entity: Any, owner: type) -> Any:
            self.give_way(entity, owner)
            return self.function if entity is None else MethodType(self.function, entity)

    class _class_verb(_Giving):  # noqa: N801
        def __get__(self, entity: Any, owner: type) -> Any:
            self.give_way(entity, owner)
            return MethodType(self.function, owner)


@dataclass_transform(kw_only_default=True, field_specifiers=(fields.Field, PydanticField, PrivateAttr, relations.many))
class EntityMeta(ModelMeta):
    """The metaclass of entities: finds the key and the backend of each class."""

    def __new__(
        mcs,
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        *,
        backend: Any = None,
        ttl: Ttl = ...,
        versioned: bool | None = None,
        **keywords: Any,
    ) -> type:
        annotations = _annotations(namespace)
        _refuse_reserved(name, annotations)
        many = relations.take_many(namespace, annotations)
        # Taken out: pydantic would ask for an annotation.
        indexes = {name: namespace.pop(name) for name, value in list(namespace.items()) if isinstance(value, Index)}
        namespace["__nitro_own_indexes__"] = indexes
        named = namespace.pop(_BACKEND, None)
        namespace.get("__annotations__", {}).pop(_BACKEND, None)
        cls: Any = super().__new__(mcs, name, bases, namespace, **keywords)
        for attribute, index in indexes.items():
            type.__setattr__(cls, attribute, index)
        for attribute, other_side in many.items():
            type.__setattr__(cls, attribute, relations.belonging(other_side, cls))
        if ttl is not ...:
            cls.__nitro_ttl__ = ttl
        if versioned is not None:
            cls.__nitro_versioned__ = versioned
        if backend is not None and named is not None:
            raise ConfigurationError(f"{name} names its backend twice: as a class keyword and as {_BACKEND}; keep one")
        chosen = named if backend is None else backend
        if chosen is not None:
            cls.__nitro_backend__ = chosen
        return cls

    def _settle(cls, namespace: dict[str, Any]) -> None:
        _refuse_reserved(cls.__name__, cls.__pydantic_fields__)
        cls.__nitro_declares_id__ = "id" in _annotations(namespace) or any(map(_declares_id, cls.__bases__))
        _find_key(cls)
        _find_indexes(cls)

    def _find_relations(cls) -> None:
        relations.settle(cls)

    if TYPE_CHECKING:
        __pydantic_fields__: dict[str, FieldInfo]
        __nitro_backend__: Any
        __nitro_declares_id__: bool
        __nitro_key__: str
        __nitro_keys__: tuple[str, ...]
        __nitro_ttl__: float | None
        __nitro_versioned__: bool
    else:

        def __getattr__(cls, name: str) -> Any:
            try:
                return super().__getattr__(name)
            except AttributeError:
                if name.startswith("_") or _core.is_collecting() or "__pydantic_fields__" not in cls.__dict__:
                    raise
            # Most likely somebody wanted to query by a field.
            raise UnknownFieldError(cls, name, cls.__pydantic_fields__)

        @property
        def _persistence_backend_class(cls) -> Any:
            return cls.__nitro_backend__

        @_persistence_backend_class.setter
        def _persistence_backend_class(cls, backend: Any) -> None:
            cls.__nitro_backend__ = backend


if not TYPE_CHECKING:
    _core.finish_metaclass(EntityMeta)


def _annotations(namespace: dict[str, Any]) -> Mapping[str, Any]:
    """{name: annotation, or its text} of what a class body annotates."""
    known = namespace.get("__annotations__")
    if known is None and sys.version_info >= (3, 14):
        import annotationlib

        annotate = annotationlib.get_annotate_from_class_namespace(namespace)
        if annotate is not None:
            known = annotationlib.call_annotate_function(annotate, annotationlib.Format.FORWARDREF)
    return known or {}


def _refuse_reserved(class_name: str, names: Iterable[str]) -> None:
    for name in names:
        if name in RESERVED:
            raise ConfigurationError(
                f"{class_name} has a field {name!r}, which is how entities are found and stored: "
                f"call it {name}_ with alias={name!r}"
            )


def _declares_id(base: type) -> bool:
    """Whether a base class has a field `id` that is not the one that Entity gives."""
    if isinstance(base, EntityMeta):
        return getattr(base, "__nitro_declares_id__", False)
    return "id" in getattr(base, "__pydantic_fields__", ())


def _find_key(cls: Any) -> None:
    """The key is the field, or the fields, declared as primary key; without one it is `id`."""
    declared = [name for name, info in cls.__pydantic_fields__.items() if fields.stored(info).primary_key]
    if len(declared) > 1 and not cls.__nitro_composite__:
        raise ConfigurationError(
            f"{cls.__name__} declares several primary keys, {', '.join(declared)}: keep one, or make it a SQLEntity"
        )
    if (
        declared
        and not cls.__nitro_declares_id__
        and cls.__pydantic_fields__.pop("id", None)
        and cls.__pydantic_complete__
    ):
        cls.model_rebuild(force=True, raise_errors=False, _parent_namespace_depth=0)
    cls.__nitro_keys__ = tuple(declared) or ("id",)
    # No field has the name of several: a backend that knows only one key finds nothing rather than the wrong thing.
    cls.__nitro_key__ = ", ".join(cls.__nitro_keys__)


def _find_indexes(cls: Any) -> None:
    """What the store is to keep indexes of: fields that say so, and each `Index` of the class and its bases."""
    found: dict[tuple[tuple[str, bool], ...], bool] = {}
    for name, info in cls.__pydantic_fields__.items():
        said = fields.stored(info)
        if (said.index or said.unique) and (name,) != cls.__nitro_keys__:
            found[((name, False),)] = said.unique
    for base in reversed(cls.__mro__):
        for index in base.__dict__.get("__nitro_own_indexes__", {}).values():
            for name, _ in index.components:
                if name not in cls.__pydantic_fields__:
                    raise UnknownFieldError(cls, name, cls.__pydantic_fields__)
            key = tuple(index.components)
            found[key] = found.get(key, False) or index.unique
    cls.__nitro_indexes__ = [
        (", ".join(("-" if down else "") + name for name, down in parts), list(parts), unique)
        for parts, unique in found.items()
    ]
    cls.__nitro_indexed__ = frozenset(name for parts in found for name, _ in parts)


def indexes_of(entity_class: type[Entity]) -> list[tuple[str, list[tuple[str, bool]], bool]]:
    """(name, [(field, whether it is descending)], unique) of each index that a class declares."""
    return entity_class.__nitro_indexes__


class Entity(Model, metaclass=EntityMeta):
    """A domain object: validated always, tracked, and stored where its class says.

    Without a key of its own (`Field(primary_key=True)`, or a field named `id` of any type) an entity has `id`, a
    UUIDv7 as text, from the moment it is made. Every assignment is validated; a refused one leaves the old value.

    A field may have any name but those of the verbs (`get all where save delete` and their async twins). It hides the
    attribute of Nitro of the same name; `nitro.changes.of(entity)` and its siblings always work.

    Where entities live is said in the class body, `_persistence_backend_class = MemoryRepo`, or as a class keyword,
    `class Order(Entity, backend=MemoryRepo)`; it is inherited, and is `MemoryRepo` where nothing is said.

    Example:
        >>> class Order(nitro.Entity):
        ...     customer_name: str
        ...     total: float = 0.0
        >>> order = Order(customer_name="Alice").save()
        >>> order.total = 29.99
        >>> order.changes
        {'total': (0.0, 29.99)}
        >>> Order.get(order.id) is order
        True
    """

    __slots__ = ("__nitro_loaded__", "__nitro_state__")

    model_config = ConfigDict(validate_assignment=True)

    __nitro_queried__ = True
    __nitro_backend__: ClassVar[Any] = None
    __nitro_key__: ClassVar[str] = "id"
    __nitro_keys__: ClassVar[tuple[str, ...]] = ("id",)
    #: What to tell of an entity that has been stored, deleted or loaded again.
    __nitro_follow__: ClassVar[Callable[[Any], None] | None] = None
    #: Whether several fields together may be the key.
    __nitro_composite__: ClassVar[bool] = False
    __nitro_ttl__: ClassVar[float | None] = None
    __nitro_versioned__: ClassVar[bool] = True
    __nitro_indexes__: ClassVar[list[tuple[str, list[tuple[str, bool]], bool]]] = []
    __nitro_indexed__: ClassVar[frozenset[str]] = frozenset()
    #: {name: what it refers to} of the Ref fields.
    __nitro_refs__: ClassVar[dict[str, relations.RefField]] = {}
    #: (class, weakly, and the name of its field) of the Ref fields that refer to this class.
    __nitro_referrers__: ClassVar[tuple[tuple[Any, str], ...]] = ()

    id: str = PydanticField(default_factory=_core.new_id)

    # Verbs on the class.

    if TYPE_CHECKING:

        @classmethod
        def get(cls, key: Any) -> Self:
            """The entity with this key, which is converted to the key field's type.

            Raises:
                EntityNotFound: If there is none.
            """
            ...
    else:
        get = classmethod(_core.get)

    @_class_verb
    def get_or_none(cls, key: Any) -> Self | None:
        """The entity with this key; None when there is none."""
        return _find(cls, key)

    @_class_verb
    def get_many(cls, keys: Iterable[Any]) -> list[Self]:
        """The entities with these keys, in the keys' order; keys that nobody has are passed over."""
        return _store_of(cls).get_many(cls, _keys(cls, keys))

    @classmethod
    def all(cls) -> list[Self]:
        """Every entity of the class, in the order of their first save."""
        return Entity.where.__func__(cls).all()

    @classmethod
    def where(cls, /, *conditions: Any, **lookups: Any) -> Query[Self]:
        """The entities for which all the conditions hold, as a lazy query.

        Args:
            conditions: Such as `Order.total > 10`; combined with `&`, `|` and `~`.
            lookups: Such as `status="placed"` or `total__gt=10`: a field, and one of `eq ne lt le gt ge in like
                contains startswith endswith between is_null` behind two underscores.

        Raises:
            UnknownFieldError: If the class has no field of such a name.
            UnsupportedQuery: If a field is compared with what it cannot hold.
        """
        return Query(cls, repository_of(cls), _core.conditions_of(cls, (), conditions, lookups), (), None, 0, False)

    @_class_verb
    def create(cls, /, **data: Any) -> Self:
        """Makes an entity and saves it.

        Raises:
            pydantic.ValidationError: If the data is not valid.
        """
        return cls(**data).save()

    @_class_verb
    def locked(cls, key: Any) -> AbstractContextManager[Self]:
        """The entity with this key, as it is stored now, while nobody else has it `locked`.

        In a database it is a transaction, during which nobody else can save the entity either; what is saved inside is
        kept together or not at all. In memory it is a lock of this process. Inside of a unit of work it is held until
        that is kept or given up. Whoever has it may lock it again.

        Raises:
            EntityNotFound: If there is none.
            WriteConflict: If whoever has it waits for what is locked here, so that both would wait for ever.
            UnsupportedQuery: If the backend has no locks.

        Example:
            >>> order.save().id == order.id
            True
            >>> with Order.locked(order.id) as mine:
            ...     mine.total += 10
            ...     mine = mine.save()
            >>> Order.get(order.id).total
            10.0
        """
        return _store_of(cls).locked(cls, _key(cls, key))

    @_class_verb
    def save_all(cls, entities: Iterable[Self], *, ttl: Ttl = ...) -> list[Self]:
        """Saves many entities and gives them back.

        Args:
            entities: Of this class, or of a subclass.
            ttl: As for `save`.

        Raises:
            TypeError: If one of them is of another class; nothing is saved then.
            StaleEntityError, UniqueViolation: As for `save`. A database then has stored none of them, and the memory
                store none of those that are new; other backends stop at the first that is refused.
        """
        listed = _all_of(cls, entities)
        _store_of(cls).save_all(listed, ttl=ttl)
        return listed

    # Verbs on the instance.

    def save(self, *, ttl: Ttl = ...) -> Self:
        """Stores the entity, and gives it back.

        Args:
            ttl: Seconds until it is gone; None keeps it for ever; Ellipsis does what its class says, which keeps it
                for ever unless it is declared as `class Session(Entity, ttl=3600)`.

        Raises:
            StaleEntityError: If the stored version moved since the entity was loaded.
            UniqueViolation: If another entity has the same key, or the same value in a unique field.
            pydantic.ValidationError: If a container was edited in place into something invalid.
        """
        _store_of(type(self)).save(self, ttl=ttl)
        return self

    @_verb
    def upsert(self, *, ttl: Ttl = ...) -> Self:
        """Stores the entity with all its values, whether its key is stored already or not, and gives it back.

        Unlike `save` it does not look at what somebody else has saved meanwhile.

        Args:
            ttl: As for `save`.

        Raises:
            UniqueViolation: If another entity has the same value in a unique field.
            pydantic.ValidationError: If a container was edited in place into something invalid.

        Example:
            >>> Order(id="1", customer_name="Ann").upsert().customer_name
            'Ann'
            >>> Order(id="1", customer_name="Bob").upsert().customer_name, Order.get("1").customer_name
            ('Bob', 'Bob')
        """
        _store_of(type(self)).upsert(self, ttl=ttl)
        return self

    def delete(self) -> None:
        """Removes the entity from its store. What refers to it goes too, or is left without it, or forbids it, as
        `ondelete` says in its Ref field.

        Raises:
            EntityNotFound: If it is not stored.
            ReferencedError: If another entity refers to it that does not allow it; nothing is changed then.
        """
        cls = type(self)
        if (cls.__nitro_referrers__ or relations.incomplete) and relations.is_referred_to(cls):
            _related.run(_related.deletion(self))
        else:
            _store_of(cls).delete(self)

    @_verb
    def refresh(self) -> Self:
        """Loads the stored values into this object, and gives it back. What was changed and not saved is lost,
        except where the object itself is the record.

        Raises:
            EntityNotFound: If it is not stored.
        """
        _store_of(type(self)).refresh(self)
        relations.forget(self)
        return self

    # The same for async code.

    # A class that replaces a verb has replaced its twin too, unless it replaces that as well.

    @classmethod
    async def aget(cls, key: Any) -> Self:
        """`get`, for async code."""
        if cls.get.__func__ is not Entity.get.__func__:
            return cls.get(key)
        found = await Entity.aget_or_none.__func__(cls, key)
        if found is None:
            raise EntityNotFound(cls, key)
        return found

    @_class_verb
    async def aget_or_none(cls, key: Any) -> Self | None:
        """`get_or_none`, for async code."""
        for converted in _keys(cls, (key,)):
            return await _store_of(cls).aget(cls, converted)
        return None

    @_class_verb
    async def aget_many(cls, keys: Iterable[Any]) -> list[Self]:
        """`get_many`, for async code."""
        return await _store_of(cls).aget_many(cls, _keys(cls, keys))

    @classmethod
    async def aall(cls) -> list[Self]:
        """`all`, for async code."""
        if cls.all.__func__ is not Entity.all.__func__:
            return cls.all()
        return await Entity.where.__func__(cls).aall()

    @_class_verb
    async def acreate(cls, /, **data: Any) -> Self:
        """`create`, for async code."""
        return await cls(**data).asave()

    @_class_verb
    def alocked(cls, key: Any) -> AbstractAsyncContextManager[Self]:
        """`locked`, for async code."""
        return _store_of(cls).alocked(cls, _key(cls, key))

    @_class_verb
    async def asave_all(cls, entities: Iterable[Self], *, ttl: Ttl = ...) -> list[Self]:
        """`save_all`, for async code."""
        listed = _all_of(cls, entities)
        await _store_of(cls).asave_all(listed, ttl=ttl)
        return listed

    async def asave(self, *, ttl: Ttl = ...) -> Self:
        """`save`, for async code."""
        if type(self).save is not Entity.save:
            return self.save(ttl=ttl) if ttl is not ... else self.save()
        await _store_of(type(self)).asave(self, ttl=ttl)
        return self

    @_verb
    async def aupsert(self, *, ttl: Ttl = ...) -> Self:
        """`upsert`, for async code."""
        await _store_of(type(self)).aupsert(self, ttl=ttl)
        return self

    async def adelete(self) -> None:
        """`delete`, for async code."""
        cls = type(self)
        if cls.delete is not Entity.delete:
            self.delete()
        elif (cls.__nitro_referrers__ or relations.incomplete) and relations.is_referred_to(cls):
            await _related.arun(_related.deletion(self))
        else:
            await _store_of(cls).adelete(self)

    @_verb
    async def arefresh(self) -> Self:
        """`refresh`, for async code."""
        await _store_of(type(self)).arefresh(self)
        relations.forget(self)
        return self

    # What changed.

    @_attribute
    def is_changed(self) -> bool:
        """Whether any field differs from what was made, loaded or last saved."""
        return _core.is_changed(self)

    @_attribute
    def changed_fields(self) -> set[str]:
        """The names of the fields that changed."""
        return changes.fields(self)

    @_attribute
    def changes(self) -> dict[str, tuple[Any, Any]]:
        """{field: (old value, new value)}: see `nitro.changes.of`."""
        return _core.changes(self)

    @_attribute
    def previous_changes(self) -> dict[str, tuple[Any, Any]]:
        """{field: (old value, new value)} as the last save wrote them: see `nitro.changes.previous`."""
        return _core.previous_changes(self)

    @_verb
    def original(self, field: str) -> Any:
        """The value that a field had when the entity was made, loaded or last saved."""
        return _core.original(self, field)

    @_verb
    def revert_changes(self) -> None:
        """Puts every field back to what it was: see `nitro.changes.revert`."""
        _core.revert_changes(self)

    # Wherever an instance is made, its tracking starts when the class's own code has run.

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        schema = handler(source)
        relations.keys_in_fields(cls, handler.resolve_ref_schema(schema))
        if _plan.settles_late(cls):
            _settle_at_the_end(handler.resolve_ref_schema(schema))
        return schema

    def __nitro_post_init__(self, context: Any, /) -> None:
        self.model_post_init(context)
        _core.settle_entity(self)

    @classmethod
    def model_construct(cls, _fields_set: set[str] | None = None, **values: Any) -> Self:
        """Pydantic's: an instance from data that is not validated."""
        return _core.settle_entity(super().model_construct(_fields_set, **values))

    # Copies know what they are copies of.

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Pydantic's copy; the fields in `update` count as changed."""
        if update and self.__nitro_refs__:
            update = relations.keys_of(type(self), update)
        copied = super().model_copy(update=update, deep=deep)
        if update:
            before = {name: _core.original(self, name) for name in update if name in self.__pydantic_fields__}
            _core.set_originals(copied, _core.version(self), {**_core.originals(self), **before})
        return copied

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        copied = super().__deepcopy__(memo)
        _core.copy_tracking(self, copied)
        return copied

    def __getstate__(self) -> dict[Any, Any]:
        state = super().__getstate__()
        if type(self).__pydantic_complete__:
            state["__nitro_state__"] = (_core.version(self), _core.originals(self))
        return state

    def __setstate__(self, state: dict[Any, Any]) -> None:
        version, originals = state.pop("__nitro_state__", (0, {}))
        super().__setstate__(state)
        if type(self).__pydantic_complete__:
            _core.accept_changes(self, 0)
            _core.set_originals(self, version, originals)


def _settle_at_the_end(schema: Any) -> None:
    """Lets the last of a class's own functions in its schema be followed by the start of tracking."""
    if schema["type"] in ("function-after", "function-wrap"):
        function = schema["function"]["function"]
        if not hasattr(function, "__nitro_settling__"):

            @wraps(function)
            def settling(*arguments: Any) -> Any:
                return _core.settle_entity(function(*arguments))

            settling.__dict__["__nitro_settling__"] = True
            schema["function"] = {**schema["function"], "function": settling}
    elif schema["type"] == "function-before":
        _settle_at_the_end(schema["schema"])
    elif schema.get("post_init"):
        schema["post_init"] = "__nitro_post_init__"


_core.register_entity(Entity)
relations.register(Entity, repository_of)
# What every class gets that declares no key is not of its own declaring.
Entity.__nitro_declares_id__ = False
# As on Model.
del Entity.__signature__
os.register_at_fork(after_in_child=_core.forked)


def subclasses(entity_class: type[Entity]) -> Iterator[type[Entity]]:
    """Every class that is derived from a class, however far; of one that was defined anew each definition, in order."""
    for subclass in entity_class.__subclasses__():
        yield subclass
        yield from subclasses(subclass)


def identity(entity: Entity) -> Any:
    """The key of an entity: the value of its primary key; a tuple where several fields are the key.

    Example:
        >>> nitro.identity(order) == order.id
        True
    """
    return _core.identity(entity)


def original_identity(entity: Entity) -> Any:
    """The key that an entity is stored under, whatever was assigned since."""
    return _core.original_identity(entity)


@lru_cache(maxsize=4096)
def _adapter(key_type: Any) -> TypeAdapter[Any]:
    return TypeAdapter(key_type)


def _store_of(entity_class: type[Entity]) -> Repository:
    """What the verbs of a class talk to."""
    return acting(repository_of(entity_class))


def _find(entity_class: type[_E], key: Any) -> _E | None:
    try:
        converted = to_key(entity_class, key)
    except ValidationError:
        # It is no value of the key's type, so no entity can have it.
        return None
    repository = repository_of(entity_class)
    found = acting(repository).get(entity_class, converted)
    if found is not None:
        repository._remember(entity_class)
    return found


def _find_or_raise(entity_class: type[_E], key: Any) -> _E:
    found = _find(entity_class, key)
    if found is None:
        raise EntityNotFound(entity_class, key)
    return found


_core.register_find(_find_or_raise)


def _keys(entity_class: type[Entity], keys: Iterable[Any]) -> Iterator[Any]:
    """Keys as values of the key field's type, without those that are no such values: no entity can have them."""
    for key in keys:
        try:
            yield to_key(entity_class, key)
        except ValidationError:
            continue


def _key(entity_class: type[Entity], key: Any) -> Any:
    for converted in _keys(entity_class, (key,)):
        return converted
    raise EntityNotFound(entity_class, key)


def _all_of(entity_class: type[_E], entities: Iterable[_E]) -> list[_E]:
    listed = list(entities)
    for entity in listed:
        if not isinstance(entity, entity_class):
            name = entity_class.__name__
            raise TypeError(f"{name}.save_all saves {name}, got {type(entity).__name__}")
    return listed


def to_key(entity_class: type[Entity], key: Any) -> Any:
    """The key as a value of the key field's type.

    Raises:
        pydantic.ValidationError: If it is no such value.
    """
    key_types = [entity_class.__pydantic_fields__[name].annotation for name in entity_class.__nitro_keys__]
    if len(key_types) > 1:
        return _adapter(tuple.__class_getitem__(tuple(key_types))).validate_python(key)
    (key_type,) = key_types
    if key_type is str:
        if type(key) is str:
            return key
        if isinstance(key, int | uuid.UUID):
            return str(key)
    converted = _adapter(key_type).validate_python(key)
    return converted.key if type(converted) is relations.Ref else converted


def validate_changes(entity: Entity) -> None:
    """Validates the fields whose value was edited in place, as an assignment would have.

    Raises:
        pydantic.ValidationError: If a value is not valid any more, or an attribute is gone; nothing is changed.
    """
    edited = _core.edited(entity)
    if edited is None:
        return
    cls, held = type(entity), entity.__dict__
    for name, value in edited.items():
        if name not in held:
            raise ValidationError.from_exception_data(
                cls.__name__, [{"type": "missing", "loc": (name,), "input": dict(held)}]
            )
        if cls.model_config.get("frozen") or cls.__pydantic_fields__[name].frozen:
            fields = {field: held[field] for field in cls.__pydantic_fields__ if field in held}
            valid = cls.__pydantic_validator__.validate_python(fields, by_name=True).__dict__[name]
        else:
            valid = cls.__pydantic_validator__.validate_assignment(entity.__copy__(), name, value).__dict__[name]
        if valid != value:
            held = {**held, name: valid}
            object.__setattr__(entity, "__dict__", held)
