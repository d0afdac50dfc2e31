"""Fields as things to query by: what stands behind `Order.total > 10`.

A field reference on a class (`Order.total`) makes a `Condition` when it is compared, in the types of the field:
`Order.created > "2026-01-01"` compares moments, and `Order.total > "much"` is an error at once. Conditions are
combined with `&`, `|` and `~`; backends read them.
"""

from __future__ import annotations

import decimal
import enum
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from operator import eq, ge, gt, le, lt, ne
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, cast, get_args, get_origin

from pydantic import BaseModel, PydanticSchemaGenerationError, PydanticUserError, TypeAdapter, ValidationError

from . import _core, relations
from ._core import Condition, FieldRef, Ordering
from .errors import UnknownFieldError, UnsupportedQuery

__all__ = ["Condition", "FieldRef", "Index", "Ordering", "col"]

#: What `total__gt=10` may end with, and the operator that it means.
LOOKUPS = {
    "eq": "eq",
    "ne": "ne",
    "lt": "lt",
    "le": "le",
    "lte": "le",
    "gt": "gt",
    "ge": "ge",
    "gte": "ge",
    "in": "in",
    "like": "like",
    "contains": "contains",
    "startswith": "startswith",
    "endswith": "endswith",
    "between": "between",
    "is_null": "is_null",
    "isnull": "is_null",
}

_SIGNS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_NUMBERS = (int, float, decimal.Decimal)
_CONTAINERS = (list, tuple, set, frozenset, dict)


@dataclass(frozen=True, slots=True, init=False)
class Index:
    """An index over several fields, in the class body: `by_status = Index("status", "-created_at")`.

    It answers queries that fix its first fields, and gives the order of the ones after them. A field with `-` in
    front comes in descending order.

    Args:
        fields: Names of fields of the class.
        unique: Whether no two stored entities may have the same values; entities with a None among them may.

    Example:
        >>> class Task(nitro.Entity):
        ...     owner: str
        ...     due: int
        ...     by_owner = nitro.Index("owner", "-due")
        >>> print(Task.where(owner="Ann").order_by("-due").explain())
        index owner, -due (0 rows) in order
    """

    fields: tuple[str, ...]
    unique: bool

    def __init__(self, *fields: str, unique: bool = False) -> None:
        object.__setattr__(self, "fields", fields)
        object.__setattr__(self, "unique", unique)

    @property
    def components(self) -> list[tuple[str, bool]]:
        """(field, whether it is descending) of each part."""
        return [(name.removeprefix("-"), name.startswith("-")) for name in self.fields]


def col(field: Any) -> Any:
    """The field reference itself, for type checkers that take `Order.total` for a float.

    Example:
        >>> nitro.col(Order.customer_name).startswith("A")
        Order.customer_name.startswith('A')
    """
    found = _column_as_field(field)
    if found is None:
        raise TypeError(f"col takes a field of a class, such as Order.total, got {field!r}")
    return found


def _column_as_field(attribute: Any) -> FieldRef | None:
    """The field behind `Product.price`, which is an attribute of SQLAlchemy's on a class that SQLAlchemy maps."""
    if isinstance(attribute, FieldRef):
        return attribute
    owner, name = getattr(attribute, "class_", None), getattr(attribute, "key", None)
    known: Any = getattr(owner, "__pydantic_fields__", ())
    return field_of(owner, name) if isinstance(name, str) and name in known else None


def _is_sqlalchemys(argument: object) -> bool:
    """Whether it is a clause, or stands for one; without a look at SQLAlchemy, which may not be there."""
    return hasattr(type(argument), "__visit_name__")


def _clause(argument: Any) -> Any:
    """What SQLAlchemy makes of an argument, such as `Product.price > 3`; None where it is nothing of SQLAlchemy's."""
    element = getattr(argument, "__clause_element__", None)
    argument = argument if element is None else element()
    return argument if _is_sqlalchemys(argument) else None


# --- The fields of a class --------------------------------------------------------------------------------------


def install(cls: Any) -> None:
    """Gives a class a reference for each of its fields, where nothing else has that name."""
    for name, info in cls.__pydantic_fields__.items():
        known = _in_line(cls, name)
        if known is None or isinstance(known, FieldRef) or hasattr(known, "gives_way"):
            type.__setattr__(cls, name, FieldRef(cls, (name,), info.annotation))
    if getattr(cls, "__nitro_refs__", None):
        relations.install(cls)


def _in_line(cls: type, name: str) -> Any:
    for base in cls.__mro__:
        if name in base.__dict__:
            return base.__dict__[name]
    return None


def field_of(cls: Any, name: str) -> FieldRef:
    """The reference to the field of a class that is called `name`.

    Raises:
        UnknownFieldError: If there is none.
    """
    info = cls.__pydantic_fields__.get(name)
    if info is None:
        raise UnknownFieldError(cls, name, cls.__pydantic_fields__)
    known = cls.__dict__.get(name)
    if isinstance(known, relations.RefAttribute):
        return known._reference
    return known if isinstance(known, FieldRef) else FieldRef(cls, (name,), info.annotation)


def _annotation(field: FieldRef) -> Any:
    # A class that was completed later knows the types of its fields better than the reference does.
    if len(field._path) == 1:
        info = cast("Any", field._class).__pydantic_fields__.get(field._path[0])
        if info is not None:
            return info.annotation
    return field._annotation


def _choices(annotation: Any) -> tuple[Any, ...]:
    """The types that an annotation allows, None left out."""
    if get_origin(annotation) is Annotated:
        return _choices(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return tuple(choice for part in get_args(annotation) for choice in _choices(part))
    if isinstance(annotation, TypeVar):
        return _choices(annotation.__bound__ or Any)
    return () if annotation in (None, NoneType) else (annotation,)


def _plain(choice: Any) -> Any:
    return get_origin(choice) or choice


def _is(choice: Any, *classes: type) -> bool:
    plain = _plain(choice)
    return isinstance(plain, type) and issubclass(plain, classes)


def _is_anything(choice: Any) -> bool:
    return choice in (Any, object)


def _text(choice: Any) -> bool:
    """Whether values of this type are texts."""
    if get_origin(choice) is Literal:
        return any(isinstance(value, str) for value in get_args(choice))
    return _is(choice, str) or _is_anything(choice)


def _nested(field: FieldRef, name: str) -> FieldRef:
    """`Order.address.city`."""
    if name.startswith("_"):
        raise AttributeError(f"{field!r} has no attribute {name!r}")
    choices = _choices(_annotation(field))
    models = [choice for choice in choices if _is(choice, BaseModel)]
    target = relations.target_of(_annotation(field))
    if target is not None:
        raise UnsupportedQuery(
            f"{field!r}.{name}: the field holds the key of a {target.__name__} and no more; find those first, and ask "
            f"for {field!r}.in_({target.__name__}.where(...).all())"
        )
    for model in models:
        if name in model.__pydantic_fields__:
            return FieldRef(field._class, (*field._path, name), model.__pydantic_fields__[name].annotation)
    if models:
        raise UnknownFieldError(models[0], name, models[0].__pydantic_fields__)
    items = _item_models(choices)
    if items and any(name in item.__pydantic_fields__ for item in items):
        hint = f"; to ask the items, write {field!r}.any({items[0].__name__}.{name} == ...)"
    elif any(_is(choice, dict) or _is_anything(choice) for choice in choices):
        hint = f"; to ask for a key, write {field!r}[{name!r}]"
    else:
        hint = ""
    raise UnknownFieldError(field._class, ".".join(map(str, (*field._path, name))), (), hint)


def _item_models(choices: Iterable[Any]) -> list[Any]:
    """The models that a container of one of these types holds."""
    found: list[Any] = []
    for choice in choices:
        if _is(choice, *_CONTAINERS):
            parts = get_args(choice)
            values = parts[1:] if _is(choice, dict) else parts
            found += [model for part in values for model in _choices(part) if _is(model, BaseModel)]
    return found


def _item(field: FieldRef, key: Any) -> FieldRef:
    """`Order.meta["colour"]`, `Order.tags[0]`, and `Order.address["city"]`."""
    choices = _choices(_annotation(field))
    for choice in choices:
        parts = get_args(choice)
        if _is(choice, dict):
            return FieldRef(field._class, (*field._path, key), parts[1] if parts else Any)
        if _is(choice, list, tuple) and isinstance(key, int):
            if key < 0:
                raise UnsupportedQuery(f"{field!r}[{key}]: places count from the front, from 0 on")
            fixed = _is(choice, tuple) and parts and parts[-1] is not Ellipsis
            part = (parts[key] if key < len(parts) else Any) if fixed else (parts[0] if parts else Any)
            return FieldRef(field._class, (*field._path, key), part)
        if _is(choice, BaseModel) and isinstance(key, str):
            return _nested(field, key)
        if _is_anything(choice):
            return FieldRef(field._class, (*field._path, key), Any)
    raise UnsupportedQuery(f"{field!r}[{key!r}]: {_named(_annotation(field))} has no such items")


# --- Values in the types of their fields ------------------------------------------------------------------------


def _coerce(field: FieldRef, operator: str, value: Any) -> Any:
    """A value as the field's type has it.

    Raises:
        UnsupportedQuery: If the field cannot be asked this.
    """
    annotation = _annotation(field)
    if isinstance(value, FieldRef):
        raise UnsupportedQuery(f"{_shown(field, operator, value)}: a field is compared with a value, not with a field")
    if operator in ("startswith", "endswith", "like"):
        if not any(map(_text, _choices(annotation))):
            raise UnsupportedQuery(f"{_shown(field, operator, value)}: {_named(annotation)} is no text")
        if not isinstance(value, str):
            raise UnsupportedQuery(f"{_shown(field, operator, value)}: takes text, got {type(value).__name__}")
        return str(value)
    if operator == "in":
        if isinstance(value, str | bytes) or not isinstance(value, Iterable):
            raise UnsupportedQuery(f"{_shown(field, operator, value)}: takes several values, such as a list")
        return tuple(_as(annotation, field, "in", item) for item in cast("Iterable[Any]", value))
    if operator == "contains":
        return _contained(annotation, field, value)
    if operator == "any":
        return _condition_on_items(annotation, field, value)
    if value is None and operator not in ("eq", "ne"):
        raise UnsupportedQuery(f"{_shown(field, operator, value)}: None has no order; write {field!r}.is_null()")
    return _as(annotation, field, operator, value)


def _as(annotation: Any, field: FieldRef, operator: str, value: Any) -> Any:
    if value is None:
        return None
    key = relations.key_given(field, value)
    if key is not None:
        return key
    choices = _choices(annotation)
    # Numbers of all types are in one order, whatever the field's own is.
    if isinstance(value, _NUMBERS) and any(_is(choice, *_NUMBERS) and not _is(choice, enum.Enum) for choice in choices):
        return value
    if any(map(_is_anything, choices)):
        return value
    adapter = _adapter(annotation)
    if adapter is None:
        return value
    try:
        valid = adapter.validate_python(value)
        # The Ref fields of an entity hold keys; a Ref in a list is one.
        return relations.key_in_field(field, valid) if operator != "contains" else valid
    except ValidationError as error:
        reason = error.errors(include_url=False)[0]["msg"]
        raise UnsupportedQuery(
            f"{_shown(field, operator, value)}: {field!r} holds {_named(annotation)} ({reason[:1].lower()}{reason[1:]})"
        ) from None


def _contained(annotation: Any, field: FieldRef, value: Any) -> Any:
    for choice in _choices(annotation):
        if _is(choice, *_CONTAINERS):
            parts = [part for part in get_args(choice)[:1] if part is not Ellipsis]
            return _as(parts[0], field, "contains", value) if parts else value
        if _text(choice) and isinstance(value, str):
            return str(value)
        if _is_anything(choice):
            return value
    raise UnsupportedQuery(f"{_shown(field, 'contains', value)}: {_named(annotation)} does not contain such a value")


def _condition_on_items(
    annotation: Any, field: FieldRef, asked: tuple[tuple[Any, ...], dict[str, Any] | None]
) -> Condition:
    arguments, lookups = asked
    items = _item_models(_choices(annotation))
    shown = ", ".join([*map(repr, arguments), *(f"{name}={value!r}" for name, value in (lookups or {}).items())])
    said = f"{field!r}.any({shown})"
    if not items:
        raise UnsupportedQuery(f"{said}: {_named(annotation)} holds no models")
    conditions: list[Condition] = [_lookup(items[0], name, value) for name, value in (lookups or {}).items()]
    for argument in arguments:
        if not isinstance(argument, Condition):
            raise UnsupportedQuery(f"{said}: takes conditions on the items, such as {items[0].__name__}.field > 3")
        if not any(issubclass(item, argument.entity_class) for item in items):
            raise UnsupportedQuery(
                f"{said}: {field!r} holds {_named(annotation)}, the condition is about {argument.entity_class.__name__}"
            )
        conditions.append(argument)
    if not conditions:
        raise UnsupportedQuery(f"{said}: takes at least one condition on the items")
    first, *rest = conditions
    for condition in rest:
        first &= condition
    return first


def _adapter(annotation: Any) -> TypeAdapter[Any] | None:
    try:
        return _cached_adapter(annotation)
    except TypeError:  # an annotation that has no hash
        return _new_adapter(annotation)


def _new_adapter(annotation: Any) -> TypeAdapter[Any] | None:
    try:
        return TypeAdapter(annotation)
    except (PydanticSchemaGenerationError, PydanticUserError):
        # A type that pydantic knows in its class only: values of it are taken as they are.
        return None


_cached_adapter = lru_cache(maxsize=4096)(_new_adapter)


def _named(annotation: Any) -> str:
    return annotation.__name__ if isinstance(annotation, type) else str(annotation).replace("typing.", "")


def _shown(field: FieldRef, operator: str, value: Any) -> str:
    if operator in _SIGNS:
        return f"{field!r} {_SIGNS[operator]} {value!r}"
    return f"{field!r}.{'in_' if operator == 'in' else operator}({value!r})"


# --- What `where` and `order_by` take ---------------------------------------------------------------------------


def _lookup(cls: Any, name: str, value: Any) -> Any:
    """The condition that a keyword stands for: `status="placed"`, `total__gt=10`, `address__city="Oslo"`."""
    if name in cls.__pydantic_fields__:
        return field_of(cls, name) == value
    first, *rest = name.split("__")
    field = field_of(cls, first)
    operator = "eq"
    for place, part in enumerate(rest):
        if place == len(rest) - 1 and part in LOOKUPS and not _has(field, part):
            operator = LOOKUPS[part]
        else:
            field = _item(field, int(part)) if part.isdecimal() else _step(field, part)
    if operator == "between":
        low, high = value
        return field.between(low, high)
    if operator == "is_null":
        return field.is_null() if value else ~field.is_null()
    if operator == "in":
        return field.in_(value)
    if operator in ("like", "contains", "startswith", "endswith"):
        return getattr(field, operator)(value)
    return _COMPARE[operator](field, value)


_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "eq": eq,
    "ne": ne,
    "lt": lt,
    "le": le,
    "gt": gt,
    "ge": ge,
}


def _has(field: FieldRef, name: str) -> bool:
    models = [choice for choice in _choices(_annotation(field)) if _is(choice, BaseModel)]
    return any(name in model.__pydantic_fields__ for model in models)


def _step(field: FieldRef, name: str) -> FieldRef:
    choices = _choices(_annotation(field))
    is_model = any(_is(choice, BaseModel) for choice in choices)
    if not is_model and any(_is(choice, dict) or _is_anything(choice) for choice in choices):
        return _item(field, name)
    if name.startswith("_"):
        # Where the name is an attribute, this is how Python itself asks for what no field can be called.
        raise UnknownFieldError(field._class, ".".join(map(str, (*field._path, name))), ())
    return _nested(field, name)


def ordering(cls: type, argument: Any) -> Ordering:
    if isinstance(argument, Ordering):
        field = _owned(cls, argument.field)
        return field.desc() if argument.descending else field.asc()
    if isinstance(argument, FieldRef):
        return _owned(cls, argument).asc()
    if _is_sqlalchemys(argument) or hasattr(argument, "__clause_element__"):
        # `Product.price`, and `Product.price.desc()`, which knows the attribute's name but not its class.
        attribute, down = argument, False
        while getattr(attribute, "modifier", None) is not None:
            down = down or attribute.modifier.__name__ == "desc_op"
            attribute = attribute.element
        name = getattr(attribute, "key", None)
        if not isinstance(name, str) or name not in cast("Any", cls).__pydantic_fields__:
            raise UnsupportedQuery(
                f"{cls.__name__} is sorted and summed up by its fields, such as {cls.__name__}.{_example(cls)}, "
                f"not by {argument}"
            )
        field = field_of(cls, name)
        return field.desc() if down else field.asc()
    if isinstance(argument, str):
        first, *rest = argument.removeprefix("-").replace(".", "__").split("__")
        field = field_of(cls, first)
        for part in rest:
            field = _item(field, int(part)) if part.isdecimal() else _step(field, part)
        return field.desc() if argument.startswith("-") else field.asc()
    raise TypeError(f"order_by takes fields, such as Order.name or '-total', got {argument!r}")


def _owned(cls: Any, field: FieldRef) -> FieldRef:
    if field._class is cls:
        return field
    if not issubclass(cls, field._class):
        raise UnknownFieldError(cls, repr(field), cls.__pydantic_fields__)
    return FieldRef(cls, field._path, field._annotation)


def _condition(cls: type, argument: Any) -> Condition:
    if isinstance(argument, Condition):
        if issubclass(cls, argument.entity_class):
            return argument
        raise UnsupportedQuery(
            f"{cls.__name__}.where was given {argument!r}, a condition on {argument.entity_class.__name__}"
        )
    if isinstance(argument, FieldRef) and any(_is(choice, bool) for choice in _choices(_annotation(argument))):
        return _condition(cls, argument == True)  # noqa: E712  (makes a condition)
    clause = _clause(argument)
    if clause is not None:
        return _core.condition("sql", (clause,), cls)
    raise TypeError(
        f"{cls.__name__}.where takes conditions such as {cls.__name__}.{_example(cls)} == ..., got {argument!r}"
    )


def _example(cls: Any) -> str:
    return next(reversed(cls.__pydantic_fields__), "id")


_core.register_expressions(_coerce, _nested, _item, _lookup, ordering, _condition)


def changes_of(cls: Any, values: Mapping[str, Any]) -> None:
    """Whether a class has the fields that an update names.

    Raises:
        UnknownFieldError: If it has not.
    """
    for name in values:
        field_of(cls, name)
