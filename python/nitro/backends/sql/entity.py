"""`SQLEntity`: an entity that is a SQLModel too.

A table class is mapped by SQLAlchemy, and stays what every entity is: validated, tracked, quick to make. What
SQLAlchemy keeps of an instance (its `InstanceState`) has a slot of its own beside the fields, and is made when
SQLAlchemy first asks for it: an entity that no session has seen costs nothing for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any, ClassVar, Optional, Self, cast, dataclass_transform

import sqlalchemy as sa
from pydantic import BaseModel
from pydantic.fields import Field as PydanticField
from pydantic.fields import FieldInfo, PrivateAttr
from sqlalchemy import event, orm
from sqlalchemy.ext.associationproxy import AssociationProxy
from sqlalchemy.ext.hybrid import hybrid_method, hybrid_property
from sqlalchemy.orm import (
    InstrumentedAttribute,
    MapperProperty,
    QueryableAttribute,
    Session,
    attributes,
    make_transient,
    object_session,
)
from sqlalchemy.orm.base import PASSIVE_NO_FETCH, PASSIVE_NO_RESULT
from sqlalchemy.orm.collections import collection_adapter
from sqlalchemy.orm.exc import DetachedInstanceError
from sqlalchemy.orm.state import InstanceState
from sqlalchemy.util.concurrency import in_greenlet
from sqlmodel import SQLModel
from sqlmodel._compat import SQLModelConfig
from sqlmodel.main import Field as SQLModelField
from sqlmodel.main import FieldInfo as SQLModelFieldInfo
from sqlmodel.main import SQLModelMetaclass

from ... import _core, _plan, changes, expressions, fields, relations
from ...entity import Entity, EntityMeta, original_identity, validate_changes
from ...errors import NotLoaded
from ...repository import is_substituted
from .repository import SQLModelBackend
from .schema import VERSION, column_for, columns_of, complete_table, version_column
from .sessions import JoinedSession

if TYPE_CHECKING:
    from sqlalchemy.orm import Mapper

_MISSING: Any = object()

#: In `Session.info` between a commit and the end of its transaction.
_COMMITTED = "nitro_committed"


# --- Attributes and states, as SQLAlchemy has them -------------------------------------------------------------------


_attribute_get: Any = cast("Any", InstrumentedAttribute).__get__


class EntityAttribute(InstrumentedAttribute[Any]):  # pyright: ignore[reportIncompatibleVariableOverride]  (of the docstring)
    """A column or a relation of a table class: SQLAlchemy's, with errors that say what to do."""

    __slots__ = ()

    inherit_cache = True

    #: What it does at an assignment is what `SQLEntity.__setattr__` lets it do.
    __nitro_transparent__ = True

    def __get__(self, instance: Any, owner: Any) -> Any:
        if instance is None:
            if _core.is_collecting():
                # A field of a subclass that has the same name shadows nothing.
                raise AttributeError(self.key)
            return self
        try:
            return instance.__dict__[self.key]
        except KeyError:
            pass
        _configured(instance)
        state = instance._sa_instance_state
        if state.async_session is not None and not in_greenlet():
            found = self.impl.get(state, instance.__dict__, PASSIVE_NO_FETCH)
            if found is PASSIVE_NO_RESULT:
                raise self._not_loaded(instance, "an AsyncSession loads nothing when an attribute is read")
            return found
        try:
            return _attribute_get(self, instance, owner)
        except DetachedInstanceError as error:
            raise self._not_loaded(instance, f"this {type(instance).__name__} belongs to no open session") from error

    def _not_loaded(self, instance: Any, why: str) -> NotLoaded:
        cls = cast("Any", type(instance))
        name = self.key
        if is_substituted():
            remedy = "get it by its key, declare a Ref field, which works everywhere, or let the test have a database"
            return NotLoaded(cls, name, "nitro_memory keeps no relations of SQLModel", remedy)
        awaiting = "await " if "Async" in why else ""
        again = f"{awaiting}session.refresh(entity, [{name!r}])"
        if name in cls.__pydantic_fields__:
            return NotLoaded(cls, name, why, f"load it by {again}")
        query = f"select({cls.__name__}).options(selectinload({cls.__name__}.{name}))"
        return NotLoaded(cls, name, why, f"load it with the entity, by {query}, or later by {again}")


class ReferenceAttribute(EntityAttribute):  # pyright: ignore[reportIncompatibleVariableOverride]  (of the docstring)
    """The column of a Ref field: the column has the key, and an entity gives the reference."""

    __slots__ = ()

    inherit_cache = True

    def __get__(self, instance: Any, owner: Any) -> Any:
        found = super().__get__(instance, owner)
        if instance is None or found is None:
            return found
        return instance.__nitro_references__[self.key].__get__(instance, owner)


class EntityState(InstanceState[Any]):
    """What SQLAlchemy keeps of an entity."""

    __slots__ = ()

    def _expire(self, dict_: Any, modified_set: Any) -> None:
        # An entity has its values, also when its session has committed them: what was written is what there is.
        session = self.session
        if session is None or _COMMITTED not in session.info:
            super()._expire(dict_, modified_set)
            return
        modified_set.discard(self)
        self._commit_all(dict_)
        loaded = [name for name in self.manager.mapper.relationships.keys() if name in dict_]  # noqa: SIM118
        if loaded:
            self._expire_attributes(dict_, loaded)


#: Pydantic's slots, past `__setattr__`.
_set_fields_set, _set_extra, _set_private = (
    cast("Any", BaseModel).__dict__[f"__pydantic_{slot}__"].__set__ for slot in ("fields_set", "extra", "private")
)


def _state_of_new(entity: Any, manager: Any) -> EntityState:
    """The state of an instance that SQLAlchemy has just made, knowing nothing of pydantic's slots."""
    _set_fields_set(entity, set[str]())
    _set_extra(entity, None)
    _set_private(entity, None)
    return EntityState(entity, manager)


# --- The metaclass ---------------------------------------------------------------------------------------------------


@dataclass_transform(
    kw_only_default=True, field_specifiers=(fields.Field, SQLModelField, SQLModelFieldInfo, PydanticField, PrivateAttr)
)
class SQLEntityMeta(EntityMeta, SQLModelMetaclass):
    """The metaclass of entities that can be SQLModels with a table."""

    def __new__(
        mcs,
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        *,
        table: bool | None = None,
        registry: orm.registry | None = None,
        **keywords: Any,
    ) -> type:
        said: dict[str, Any] = dict(namespace.get("model_config", {}))
        said_table = said.pop("table", None)
        table = said_table if table is None else table
        if said_table or any(_is_table(base) for base in bases):
            # SQLModel would make the columns, of types of its own, before the class is settled.
            namespace["model_config"] = {**said, "table": False}
        cls: Any = super().__new__(mcs, name, bases, namespace, **keywords)
        if registry is not None:
            # A base for classes with a metadata of their own.
            cls._sa_registry, cls.metadata, cls.__abstract__ = registry, registry.metadata, True
        cls.__pydantic_parent_namespace__ = namespace.get("__pydantic_parent_namespace__")
        if not cls.__pydantic_complete__:
            cls.model_rebuild(force=True, raise_errors=False, _parent_namespace_depth=0)
        inherited = next((base for base in cls.__mro__[1:] if _is_table(base)), None)
        if table:
            cls.model_config |= {"table": True, "read_from_attributes": True, "read_with_orm_mode": True}
            _give_columns(cls, inherited)
        elif inherited is not None:
            # A class of its own, with the fields of a table class and without its table.
            for field, info in cls.__pydantic_fields__.items():
                type.__setattr__(cls, field, expressions.FieldRef(cls, (field,), info.annotation))
        return cls

    def __init__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **keywords: Any) -> None:
        # SQLModel maps no class that has a table class among its bases; here, `table=True` says so.
        plain = tuple(base for base in bases if not _is_table(base))
        said = dict(cls.__annotations__)
        for relation in cls.__sqlmodel_relationships__:
            if isinstance(said.get(relation), str):
                said[relation] = _related(said[relation])
        # SQLAlchemy takes the order of the columns from the annotations too.
        order = [field for field in cls.__pydantic_fields__ if field in said]
        cls.__annotations__ = {name: said.pop(name) for name in order} | said
        SQLModelMetaclass.__init__(cls, name, plain, namespace, **keywords)
        if _is_table(cls):
            _mapped(cls)

    if not TYPE_CHECKING:

        @property
        def _sa_instance_state(cls) -> Any:
            # The slot is the instances'; SQLAlchemy would take it for the state of the class.
            raise AttributeError("_sa_instance_state")

        def __setattr__(cls, name: str, value: Any) -> None:
            if isinstance(value, QueryableAttribute):
                # What SQLAlchemy does to a class changes nothing in what pydantic makes of it.
                SQLModelMetaclass.__setattr__(cls, name, value)
            else:
                super().__setattr__(name, value)


if not TYPE_CHECKING:
    _core.finish_metaclass(SQLEntityMeta)


def _is_table(cls: Any) -> bool:
    return bool(getattr(cls, "model_config", {}).get("table"))


def _related(annotation: str) -> Any:
    """The annotation of a relation from its text, as `from __future__ import annotations` leaves it."""
    text = annotation.replace('"', "").replace("'", "").strip()
    many = re.fullmatch(r"(?:\w+\.)?[Ll]ist\[(.+)\]", text)
    if many:
        return list.__class_getitem__(many[1].strip())
    one = re.fullmatch(r"(?:\w+\.)?Optional\[(.+)\]|(.+?)\s*\|\s*None|None\s*\|\s*(.+)", text)
    return Optional[next(filter(None, one.groups()))] if one else text  # noqa: UP045  (the name is no class yet)


def _give_columns(cls: Any, inherited: Any) -> None:
    """Puts a column in the place of each field, for SQLAlchemy to find."""
    if not cls.__pydantic_complete__:
        cls.model_rebuild(_parent_namespace_depth=0)
    known: Mapping[str, FieldInfo] = {} if inherited is None else inherited.__pydantic_fields__
    own = cls.__annotations__
    shares = inherited is not None and not any(name in own and name in cls.__nitro_keys__ for name in known)
    for name, column in columns_of(cls).items():
        if name not in known or (not shares and name in cls.__nitro_keys__):
            made = column_for(cls, column, defaults=True)
            # The rows of the other classes in the same table have no value for it.
            made.nullable = made.nullable or shares
            type.__setattr__(cls, name, made)
    if shares:
        cls.__tablename__ = None
    elif cls.__nitro_versioned__ and inherited is None:
        version = version_column()
        type.__setattr__(cls, VERSION, version)
        arguments = getattr(cls, "__mapper_args__", {})
        cls.__mapper_args__ = {**arguments, "version_id_col": version}


def _mapped(cls: Any) -> None:
    """Makes a class an entity again that SQLAlchemy has just mapped."""
    manager, mapper = cls._sa_class_manager, cls.__mapper__
    # Instances are made without SQLAlchemy's help, and get their state when it is asked for.
    manager.uninstall_member("__init__")
    manager._state_constructor = _state_of_new
    manager._state_setter = _state_slot.__set__
    for attribute in manager.values():
        _ours(cls, attribute.key, attribute)
    related = frozenset(name for base in cls.__mro__ for name in base.__dict__.get("__sqlmodel_relationships__", ()))
    for name in cls.__sqlmodel_relationships__:
        # To pydantic it would be a field of whatever inherits from the class.
        cls.__annotations__.pop(name, None)
    columns = [name for name in cls.__pydantic_fields__ if name in mapper.columns]
    type.__setattr__(cls, "__nitro_attributes__", {name: manager[name] for name in columns})
    type.__setattr__(cls, "__nitro_constructs__", related)
    references: dict[str, relations.RefAttribute] = {}
    for name, field in cls.__nitro_refs__.items():
        manager[name].__class__ = ReferenceAttribute
        reference = _core.FieldRef(cls, (name,), cls.__pydantic_fields__[name].annotation)
        references[name] = relations.RefAttribute(reference, field.target, False)
    type.__setattr__(cls, "__nitro_references__", references)
    kinds = columns_of(cls)
    type.__setattr__(cls, "__nitro_watched__", tuple(name for name in columns if kinds[name].kind == "json"))
    complete_table(cls)
    names = (*columns, VERSION) if mapper.version_id_col is not None else tuple(columns)
    take: Any = itemgetter(*names) if len(names) > 1 else _only(*names)
    type.__setattr__(cls, "__nitro_loading__", (names, take, frozenset(columns)))
    event.listen(cls, "load", _loaded, raw=True)
    event.listen(cls, "refresh", _refreshed)
    event.listen(cls, "before_insert", _numbering)
    event.listen(cls, "after_insert", _written)
    event.listen(cls, "after_update", _written)
    if mapper.polymorphic_on is not None and mapper.polymorphic_identity is not None:
        # What tells the classes of one table apart is given by the class, from the start.
        field = cls.__pydantic_fields__.get(mapper.get_property_by_column(mapper.polymorphic_on).key)
        if field is not None and field.default != mapper.polymorphic_identity:
            field.default, field.default_factory = mapper.polymorphic_identity, None
            cls.model_rebuild(force=True, _parent_namespace_depth=0)
    _plan.install(cls)


def _only(name: str) -> Callable[[dict[str, Any]], tuple[Any]]:
    return lambda held: (held[name],)


def _ours(_: Any, __: str, attribute: Any) -> None:
    if type(attribute) is InstrumentedAttribute:
        attribute.__class__ = EntityAttribute


# --- The class -------------------------------------------------------------------------------------------------------


class _Updated:
    """An object some of whose attributes are others, or are hidden."""

    def __init__(self, original: Any, update: Mapping[str, Any], hidden: frozenset[str]) -> None:
        self.original, self.update, self.hidden = original, update, hidden

    def __getattribute__(self, name: str) -> Any:
        own = object.__getattribute__(self, "__dict__")
        if name in own["update"]:
            return own["update"][name]
        if name in own["hidden"]:
            raise AttributeError(name)
        return getattr(own["original"], name)


class _PydanticAgain(SQLModel):
    """SQLModel, with pydantic's own methods where SQLModel has others because it does not validate."""

    if not TYPE_CHECKING:
        __new__ = object.__new__
        __init__ = BaseModel.__init__
        __setattr__ = BaseModel.__setattr__
        model_dump = BaseModel.model_dump

        @classmethod
        def model_validate(cls, obj: Any, *, update: dict[str, Any] | None = None, **keywords: Any) -> Self:
            """Pydantic's; `update` has values that are not in `obj`, or that count instead of those."""
            return _validated(cls, obj, update, keywords)

        model_validate.__func__.__nitro_transparent__ = True


def _validated(cls: Any, given: Any, update: dict[str, Any] | None, keywords: dict[str, Any]) -> Any:
    hidden: frozenset[str] = frozenset()
    if isinstance(given, SQLEntity) and not isinstance(given, cls):
        # The id that a data model such as HeroCreate has because it declares none is nobody's key.
        hidden = frozenset({"id"} if cls.__nitro_declares_id__ and not type(given).__nitro_declares_id__ else ())
    source: Any = given
    if isinstance(given, dict):
        source = {**cast("dict[str, Any]", given), **(update or {})}
    elif update or hidden:
        source = _Updated(given, update or {}, hidden)
    made = BaseModel.model_validate.__func__(cls, source, **keywords)  # type: ignore[attr-defined]
    if made is not given:
        held = cast("Any", given) if isinstance(given, dict) else getattr(given, "__dict__", {})
        for name in getattr(cls, "__nitro_constructs__", ()):
            value = (update or {}).get(name, held.get(name, _MISSING))
            if value is not _MISSING:
                setattr(made, name, value)
    return made


def _follow(entity: Any) -> None:
    """Lets SQLAlchemy know what Nitro has just written, deleted or loaded."""
    state = _state_of(entity)
    if state is None:
        return
    session = object_session(entity)
    if not _core.version(entity):
        entity.__dict__.pop(VERSION, None)
        make_transient(entity)
        return
    if state.deleted or state.was_deleted:
        # It is there again.
        make_transient(entity)
    if state.key is None and session is not None:
        session.expunge(entity)
    state._commit_all(entity.__dict__, None if session is None else session.identity_map)
    if state.key is None:
        _set_key(entity, state)
        if session is not None:
            session.add(entity)
    elif state.manager.mapper.version_id_col is not None:
        entity.__dict__[VERSION] = _core.version(entity)
    _mark_changes(entity, state)


class SQLEntity(  # pyright: ignore[reportGeneralTypeIssues]  (the only slot of SQLModel's is for weak references)
    Entity, _PydanticAgain, metaclass=SQLEntityMeta, backend=SQLModelBackend, versioned=False
):
    """An entity in a database that is a SQLModel as well.

    With `table=True` it works with SQLModel's `Session`, `select` and `Relationship`, with Alembic and with sqladmin,
    and unlike a SQLModel it is validated when it is made and at each assignment. Without, it is like any entity on
    `SQLModelBackend`, or a model for others to inherit its fields.

    It has the verbs of every entity. Its key may be an `int | None`, which the database gives at the first save, or be
    made of several fields: `Product.get(("tea", 3))`. With the class keyword `versioned=True` its table has a column
    for the version, and neither a save nor a flush overwrites what somebody else saved meanwhile.

    A commit leaves an entity as it is: no value has to be loaded again before it can be read.

    Example:
        >>> class Kettle(nitro.SQLEntity, table=True):
        ...     name: str
        ...     price: float
        >>> Kettle(name="steel", price="a lot")
        Traceback (most recent call last):
            ...
        pydantic_core._pydantic_core.ValidationError: 1 validation error for Kettle ...
    """

    __slots__ = ("_sa_instance_state",)

    model_config = SQLModelConfig(
        ignored_types=(hybrid_property, hybrid_method, MapperProperty, AssociationProxy, sa.Column)
    )

    __nitro_composite__ = True
    __nitro_follow__ = staticmethod(_follow)
    #: The attributes of the columns, by the names of the fields; none where the class has no table.
    __nitro_attributes__: ClassVar[dict[str, EntityAttribute]] = {}
    #: The relations.
    __nitro_constructs__: ClassVar[frozenset[str]] = frozenset()
    #: What gives the references of Ref fields.
    __nitro_references__: ClassVar[dict[str, relations.RefAttribute]] = {}
    #: The names of the columns, what takes their values from a dictionary, and the names of the fields.
    __nitro_loading__: ClassVar[tuple[tuple[str, ...], Any, frozenset[str]]]
    #: Fields whose values may be edited in place.
    __nitro_watched__: ClassVar[tuple[str, ...]] = ()

    if TYPE_CHECKING:
        #: To type checkers of any type: most classes declare one of another type than every entity's.
        id: Any = PydanticField(default=None)

    else:

        def __init__(self, /, **data: Any) -> None:
            cls = type(self)
            related = {name: data.pop(name) for name in cls.__nitro_constructs__ if name in data}
            if cls.__nitro_refs__:
                relations.init(self, **data)
            else:
                super().__init__(**data)
            for name, value in related.items():
                setattr(self, name, value)

        # To pydantic and to the plan it is the one that every model has.
        __init__.__pydantic_base_init__ = True
        __init__.__nitro_transparent__ = True

        def __setattr__(self, name: str, value: Any) -> None:
            cls = type(self)
            attribute = cls.__nitro_attributes__.get(name)
            if attribute is None:
                if name == "_sa_instance_state":
                    _state_slot.__set__(self, value)
                elif _is_foreign(cls, name):
                    _configured(self)
                    object.__setattr__(self, name, value)
                else:
                    super().__setattr__(name, value)
            elif _state_of(self) is None and not attribute.dispatch.set:
                super().__setattr__(name, value)
            else:
                before = self.__dict__.copy()
                super().__setattr__(name, value)
                _tell(self, before, (name,) if not cls.__pydantic_decorators__.model_validators else before)

        def __getattr__(self, name: str) -> Any:
            if name == "_sa_instance_state":
                return _state_made(self)
            return super().__getattr__(name)

        def model_dump(self, **keywords: Any) -> dict[str, Any]:
            _load_rest(self)
            return super().model_dump(**keywords)

        def model_dump_json(self, **keywords: Any) -> str:
            _load_rest(self)
            return super().model_dump_json(**keywords)

    # A copy is of the record alone: what it is related to belongs to the original.

    def __copy__(self) -> Self:
        copied = super().__copy__()
        held: Any = copied.__dict__
        for name in _relations_in(copied):
            del held[name]
        return copied

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        held: Any = self.__dict__
        related: dict[str, Any] = {name: held.pop(name) for name in _relations_in(self)}
        try:
            return super().__deepcopy__(memo)
        finally:
            held.update(related)

    def __getstate__(self) -> dict[Any, Any]:
        state = super().__getstate__()
        held = dict(state["__dict__"])
        state["__sql_related__"] = {name: _items(held.pop(name)) for name in _relations_in(self)}
        state["__dict__"] = held
        return state

    def __setstate__(self, state: dict[Any, Any]) -> None:
        related = state.pop("__sql_related__", {})
        super().__setstate__(state)
        for name, value in related.items():
            attributes.set_committed_value(self, name, value)


del SQLEntity.__signature__
SQLEntity.__nitro_declares_id__ = False

_state_slot = SQLEntity.__dict__["_sa_instance_state"]


def _is_foreign(cls: type, name: str) -> bool:
    """Whether an attribute is SQLAlchemy's: a relation, a proxy, a hybrid."""
    known = _plan.first_in_line(cls, name)
    return isinstance(known, QueryableAttribute | AssociationProxy | hybrid_property)


def _relations_in(entity: SQLEntity) -> list[str]:
    """The names of the relations that are loaded."""
    manager: Any = type(entity).__dict__.get("_sa_class_manager", ())
    known = type(entity).__pydantic_fields__
    return [name for name in entity.__dict__ if name in manager and name not in known and name != VERSION]


def _items(value: Any) -> Any:
    return list(collection_adapter(value)) if hasattr(value, "_sa_adapter") else value


def _tell(entity: SQLEntity, before: dict[str, Any], names: Any) -> None:
    """Lets SQLAlchemy see what an assignment has changed."""
    cls = type(entity)
    for name in names:
        attribute = cls.__nitro_attributes__.get(name)
        held: Any = entity.__dict__
        old, new = before.get(name, _MISSING), held.get(name, _MISSING)
        if attribute is None or old is new or new is _MISSING:
            continue
        if old is _MISSING:
            del held[name]
        else:
            held[name] = old
        attribute.__set__(entity, new)


# --- The state of an entity that Nitro made ------------------------------------------------------------------------


def _state_of(entity: Any) -> Any:
    """What SQLAlchemy keeps of an entity; None where it has never asked for it."""
    try:
        return _state_slot.__get__(entity)
    except AttributeError:
        return None


def _configured(entity: Any) -> None:
    """Lets SQLAlchemy settle how classes are related, at the latest when an attribute of one needs it."""
    manager = type(entity).__dict__.get("_sa_class_manager")
    if manager is not None and manager.is_mapped and not manager.mapper.configured:
        manager.mapper.registry.configure()


def _state_made(entity: Any) -> EntityState:
    """The state of an entity as it is now: new, or stored and with these changes."""
    manager = type(entity).__dict__.get("_sa_class_manager")
    if manager is None or not manager.is_mapped:
        raise AttributeError(f"{type(entity).__name__!r} object has no attribute '_sa_instance_state'")
    _configured(entity)
    state = EntityState(entity, manager)
    _state_slot.__set__(entity, state)
    if _core.version(entity):
        _set_key(entity, state)
        _mark_changes(entity, state)
    return state


def _mark_changes(entity: Any, state: EntityState) -> None:
    """Lets SQLAlchemy know what was changed since the entity was stored."""
    for name, (old, _) in _core.changes(entity).items():
        state.committed_state[name] = old
        state.modified = True


def _set_key(entity: Any, state: EntityState) -> None:
    mapper: Mapper[Any] = state.manager.mapper
    key = original_identity(entity)
    keys: tuple[str, ...] = entity.__nitro_keys__
    by_name = dict(zip(keys, key if len(keys) > 1 else (key,), strict=True))
    primary = tuple(by_name[mapper.get_property_by_column(column).key] for column in mapper.primary_key)
    state.key = mapper.identity_key_from_primary_key(primary)
    if mapper.version_id_col is not None:
        entity.__dict__[VERSION] = _core.version(entity)


def _load_rest(entity: Any) -> None:
    """Loads the columns that have expired, or were left out: what is dumped is the whole entity."""
    known: dict[str, EntityAttribute] = entity.__nitro_attributes__
    held: dict[str, Any] = entity.__dict__
    if known.keys() <= held.keys() or _state_of(entity) is None:
        return
    for name in [name for name in known if name not in held]:
        getattr(entity, name)
    _order(entity)


# --- What sessions do ------------------------------------------------------------------------------------------------


def _version_in(entity: Any) -> int:
    """The version of the record that SQLAlchemy has just read or written; 0 where the table keeps none."""
    return entity.__dict__.get(VERSION, 0) if entity.__mapper__.version_id_col is not None else 0


def _order(entity: Any) -> list[str]:
    """Puts the values into the order of the fields, which is that of a dump; the names of those that are there."""
    known: dict[str, FieldInfo] = entity.__pydantic_fields__
    held: dict[str, Any] = entity.__dict__
    names = [name for name in known if name in held]
    if [name for name in held if name in known] != names:
        # SQLAlchemy holds on to the dictionary while it loads.
        held.update([(name, held.pop(name)) for name in names])
    return names


def _loaded(state: EntityState, _: Any) -> None:
    # For each row that a session loads: what can be done at once is done at once.
    entity: Any = state.obj()
    held: dict[str, Any] = entity.__dict__
    names, take, given = entity.__nitro_loading__
    try:
        values = take(held)
    except KeyError:
        values = ()
    if len(held) == len(values):
        # SQLAlchemy fills the dictionary in an order of its own, and holds on to it while it loads.
        held.clear()
        held.update(zip(names, values, strict=True))
        _set_fields_set(entity, set(given))
    else:
        _set_fields_set(entity, set(_order(entity)))
    if entity.__pydantic_post_init__:
        entity.model_post_init(None)
    version = held.get(VERSION, 1)
    if version == 1:
        _core.accept_changes(entity, 1)
    else:
        changes.loaded(entity, version)


def _refreshed(entity: Any, _: Any, names: Any) -> None:
    loaded: Any = entity.__pydantic_fields__ if names is None else names
    pending = {name: old for name, old in _core.originals(entity).items() if name not in loaded}
    version = _version_in(entity) or _core.version(entity) or 1
    known = set(_order(entity)).intersection(loaded)
    object.__setattr__(entity, "__pydantic_fields_set__", entity.__pydantic_fields_set__ | known)
    changes.loaded(entity, version)
    if pending:
        _core.set_originals(entity, version, pending)


def _numbering(_: Any, __: Any, entity: Any) -> None:
    session = object_session(entity)
    if isinstance(session, JoinedSession):
        missing = {name: None for name in entity.__nitro_keys__ if entity.__dict__.get(name) is None}
        if missing:
            session.undo(partial(entity.__dict__.update, missing))


def _written(_: Any, __: Any, entity: Any) -> None:
    session = object_session(entity)
    if isinstance(session, JoinedSession):
        session.wrote(entity)
    changes.saved(entity, _version_in(entity) or _core.version(entity) + 1)


def _no_longer_stored(_: Session, entity: Any) -> None:
    if isinstance(entity, SQLEntity):
        changes.saved(entity, 0)


def _flag_edits(session: Session) -> None:
    """Finds what was edited in place, which SQLAlchemy does not see."""
    for entity in list(session.identity_map.values()):
        if isinstance(entity, SQLEntity) and type(entity).__nitro_watched__ and _core.is_changed(entity):
            state = _state_of(entity)
            for name in _core.changes(entity):
                # What has expired was not edited.
                if name in type(entity).__nitro_watched__ and name in state.dict and name not in state.committed_state:
                    attributes.flag_modified(entity, name)


def _validate_edits(session: Session, _: Any, __: Any) -> None:
    _flag_edits(session)
    for entity in (*session.new, *session.dirty):
        if isinstance(entity, SQLEntity) and type(entity).__nitro_watched__:
            validate_changes(entity)


def _has_committed(session: Session) -> None:
    session.info[_COMMITTED] = True


def _has_ended(session: Session, _: Any) -> None:
    session.info.pop(_COMMITTED, None)


event.listen(SQLEntity, "attribute_instrument", _ours, propagate=True)
event.listen(Session, "before_commit", _flag_edits)
event.listen(Session, "before_flush", _validate_edits)
event.listen(Session, "after_commit", _has_committed)
event.listen(Session, "after_transaction_end", _has_ended)
event.listen(Session, "deleted_to_detached", _no_longer_stored)
event.listen(Session, "persistent_to_transient", _no_longer_stored)
