"""`factory`: valid entities for tests, made from what their classes say."""

from __future__ import annotations

import difflib
import random
import threading
from collections.abc import Callable, Generator
from typing import Any, Generic, TypeVar, cast
from weakref import WeakKeyDictionary

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import to_json

from nitro.entity import Entity
from nitro.errors import ConfigurationError, UnknownFieldError
from nitro.fields import stored
from nitro.relations.reference import KeyReader

from .samples import MAKERS, CannotMake, Sample

__all__ = ["Factory", "factory"]

M = TypeVar("M", bound=BaseModel)
R = TypeVar("R")

Schema = dict[str, Any]
#: Makes something, and gives on the way the entities that have to be saved before it can go on.
Steps = Generator[Entity, None, R]

#: How many values are tried where each has to be another one.
_ATTEMPTS = 1000


class _Count:
    """How many entities of a class were made, and the values that must not come again."""

    def __init__(self, seed: object) -> None:
        self.seed = seed
        self._made = 0
        self._lock = threading.Lock()
        self._taken: dict[str, set[str]] = {}

    def next(self) -> int:
        """The number of the next entity, from 1 on."""
        with self._lock:
            self._made += 1
            return self._made

    def take(self, field: str, value: Any) -> bool:
        """Whether a value of a unique field is a new one; it is not, from now on."""
        with self._lock:
            taken = self._taken.setdefault(field, set())
            key = repr(value)
            return key not in taken and not taken.add(key)


class _Counts:
    """A count for each class."""

    def __init__(self, seed: object) -> None:
        self.seed = seed
        self._counts: WeakKeyDictionary[type, _Count] = WeakKeyDictionary()
        self._lock = threading.Lock()

    def of(self, cls: type) -> _Count:
        with self._lock:
            return self._counts.setdefault(cls, _Count(self.seed))


#: What all factories have in common, so that no two of them make the same unique value.
_everywhere = _Counts(0)


def factory(entity_class: type[M], /, **fields: Any) -> Factory[M]:
    """What makes valid entities of a class for tests.

    A field that has a default keeps it, and each of the others gets a value within its limits, of
    `Field(examples=[...])` where there are any. What is unique is another value each time. A `Ref` gets an entity that
    is made for it and saved.

    Args:
        entity_class: A class of entities, or any other class of pydantic's.
        fields: Values that the entities are to have. A function is called with the number of the entity, from 1 on, and
            another factory makes what belongs there.

    Raises:
        UnknownFieldError: If the class has no such field.

    Example:
        >>> from nitro.testing import factory
        >>> make = factory(Order, status="placed")
        >>> make()
        Order(id='...', customer_name='customer_name 1', total=0.0, status='placed')
        >>> [order.total for order in make.batch(3, total=lambda number: number * 10)]
        [20.0, 30.0, 40.0]
    """
    return Factory(entity_class, fields, _everywhere)


class Factory(Generic[M]):
    """Makes valid entities of one class: see `factory`."""

    def __init__(self, entity_class: type[M], fields: dict[str, Any], counts: _Counts) -> None:
        _check_names(entity_class, fields)
        self._class, self._fields, self._counts = entity_class, fields, counts

    def __call__(self, /, **fields: Any) -> M:
        """A new entity, which is not saved.

        Raises:
            ConfigurationError: If a value cannot be made; the message says for which field, and what to do.
            pydantic.ValidationError: If a value that was given is not valid.
            UnknownFieldError: If the class has no such field.
        """
        return _run(self._steps(fields))

    def batch(self, count: int, /, **fields: Any) -> list[M]:
        """Several new entities, which are not saved: `Order.save_all(make.batch(10))` saves them."""
        return [self(**fields) for _ in range(count)]

    def saved(self, /, **fields: Any) -> M:
        """A new entity, saved."""
        return _run(self._saving_steps(fields))

    async def asaved(self, /, **fields: Any) -> M:
        """`saved`, for async code."""
        return await _arun(self._saving_steps(fields))

    def seeded(self, seed: int) -> Factory[M]:
        """The same factory, which makes the same values whenever it is made, whatever other factories have made.

        Unique values too: where two of them save, each needs a seed of its own, or a memory of its own.
        """
        return Factory(self._class, self._fields, _Counts(seed))

    def _steps(self, fields: dict[str, Any]) -> Steps[M]:
        _check_names(self._class, fields)
        maker = _Maker(self._counts, ())
        made = yield from maker.instance(self._class, {**self._fields, **fields})
        return cast("M", made)

    def _saving_steps(self, fields: dict[str, Any]) -> Steps[M]:
        if not issubclass(self._class, Entity):
            raise TypeError(f"{self._class.__name__} is no Entity, and is not saved: call the factory itself")
        made = yield from self._steps(fields)
        yield cast("Any", made)
        return made


def _run(steps: Steps[R]) -> R:
    while True:
        try:
            entity = next(steps)
        except StopIteration as done:
            return done.value
        type(entity).save(entity)


async def _arun(steps: Steps[R]) -> R:
    while True:
        try:
            entity = next(steps)
        except StopIteration as done:
            return done.value
        await type(entity).asave(entity)


def _check_names(cls: Any, fields: dict[str, Any]) -> None:
    known = {*cls.__pydantic_fields__, *getattr(cls, "__nitro_constructs__", ())}
    for name in fields:
        if name not in known:
            if issubclass(cls, Entity):
                raise UnknownFieldError(cls, name, known)
            near = difflib.get_close_matches(name, known, n=1)
            raise TypeError(f"{cls.__name__} has no field {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))


class _Maker:
    """Makes one entity, and what is in it.

    Args:
        counts: How many there were of each class.
        within: The classes that it is made for, the outermost first.
    """

    def __init__(self, counts: _Counts, within: tuple[type, ...]) -> None:
        self._counts, self._within = counts, within
        self._definitions: dict[str, Schema] = {}

    def instance(self, cls: Any, given: dict[str, Any]) -> Steps[Any]:
        """An instance with some values given."""
        count = self._counts.of(cls)
        number = count.next()
        chosen_by = random.Random(f"{count.seed} {cls.__qualname__} {number}")
        schemas = self._fields_of(cls)
        inner = _Maker(self._counts, (*self._within, cls))
        inner._definitions = self._definitions
        values: dict[str, Any] = {}
        for name, value in given.items():
            values[name] = yield from inner._given(cls, name, value, number)
            if _is_unique(cls, name):
                count.take(name, values[name])
        for name, info in cls.__pydantic_fields__.items():
            if name not in given and _is_wanted(cls, name):
                sample = Sample(name, number, chosen_by)
                try:
                    values[name] = yield from inner._field(cls, schemas[name], sample, count)
                except CannotMake as error:
                    if self._within:
                        raise CannotMake(error.reason, f".{name}{error.place}") from error.__cause__
                    raise _refused(cls, name, f"{name}{error.place}", info, error.reason) from error.__cause__
        return self._made(cls, values, given)

    def _made(self, cls: Any, values: dict[str, Any], given: dict[str, Any]) -> Any:
        try:
            if any(info.validation_alias is not None for info in cls.__pydantic_fields__.values()):
                return cls.model_validate(values, by_name=True)
            return cls(**values)
        except ValidationError as error:
            wrong = error.errors(include_url=False, include_input=False)[0]
            name = str(wrong["loc"][0]) if wrong["loc"] else ""
            if name in given or name not in values:
                raise
            if self._within:
                raise CannotMake(f"{values[name]!r} is not valid: {wrong['msg']}", f".{name}") from error
            reason = f"{values[name]!r} is not valid: {wrong['msg']}"
            raise _refused(cls, name, name, cls.__pydantic_fields__[name], reason) from error

    def _given(self, cls: Any, name: str, value: Any, number: int) -> Steps[Any]:
        if isinstance(value, Factory):
            other = cast("Factory[Any]", value)
            is_saved = name in getattr(cls, "__nitro_refs__", ())
            return (yield from other._saving_steps({}) if is_saved else other._steps({}))
        return value(number) if callable(value) and not isinstance(value, type) else value

    def _fields_of(self, cls: Any) -> dict[str, Schema]:
        """The core schemas of the fields of a class."""
        if not cls.__pydantic_complete__:
            cls.model_rebuild()
        schema: Schema = cls.__pydantic_core_schema__
        while schema["type"] not in ("model-fields", "typed-dict"):
            if schema["type"] == "definitions":
                self._definitions = {**self._definitions, **{item["ref"]: item for item in schema["definitions"]}}
            known = schema["type"] == "definition-ref"
            schema = self._definitions[schema["schema_ref"]] if known else schema["schema"]
            if schema["type"] == "model" and schema.get("root_model"):
                return {"root": schema["schema"]}
        return {name: field["schema"] for name, field in schema["fields"].items()}

    # --- One field --------------------------------------------------------------------------------------------

    def _field(self, cls: Any, schema: Schema, sample: Sample, count: _Count) -> Steps[Any]:
        if not _is_unique(cls, sample.name):
            return (yield from self._once(cls, schema, sample, 0))
        for attempt in range(_ATTEMPTS):
            value = yield from self._once(cls, schema, sample, attempt)
            if count.take(sample.name, value):
                return value
        raise CannotMake("it is unique, and every value that could be made was used")

    def _once(self, cls: Any, schema: Schema, sample: Sample, attempt: int) -> Steps[Any]:
        info = cls.__pydantic_fields__[sample.name]
        if info.examples:
            return info.examples[(sample.number - 1 + attempt) % len(info.examples)]
        leads_to = stored(info).foreign_key
        if leads_to is not None:
            raise CannotMake(f"it is the key of another entity, {leads_to}")
        if _is_key(cls, sample.name) and _bare(schema) == {"type": "int"}:
            # As a database would number them.
            return sample.number + attempt
        return (yield from self._value(schema, Sample(sample.name, sample.number + attempt, sample.random)))

    def _value(self, schema: Schema, sample: Sample) -> Steps[Any]:
        kind = schema["type"]
        make = MAKERS.get(kind)
        if make is not None:
            return make(schema, sample)
        within = _NESTED.get(kind)
        if within is None:
            raise CannotMake(f"nothing is known of a type whose schema is {kind!r}")
        return (yield from within(self, schema, sample))

    # --- Types with others in them ----------------------------------------------------------------------------

    def _inner(self, schema: Schema, sample: Sample) -> Steps[Any]:
        return (yield from self._value(schema["schema"], sample))

    def _nullable(self, schema: Schema, sample: Sample) -> Steps[Any]:
        try:
            return (yield from self._value(schema["schema"], sample))
        except CannotMake:
            return None

    def _union(self, schema: Schema, sample: Sample) -> Steps[Any]:
        # Of a tagged union they are in a dictionary.
        choices: Any = schema["choices"]
        listed: list[Any] = [*choices] if schema["type"] != "tagged-union" else [*choices.values()]
        reason: CannotMake | None = None
        for choice in listed:
            try:
                # A choice may stand in a tuple with its label.
                chosen = cast("Schema", choice[0] if isinstance(choice, tuple) else choice)
                return (yield from self._value(chosen, sample))
            except CannotMake as error:
                reason = reason or error
        raise reason or CannotMake("it is a union of nothing")

    def _chain(self, schema: Schema, sample: Sample) -> Steps[Any]:
        return (yield from self._union({"type": "union", "choices": schema["steps"]}, sample))

    def _items(self, schema: Schema, sample: Sample) -> Steps[Any]:
        least = schema.get("min_length") or 0
        found: list[Any] = []
        wanted = max(least, min(1, schema.get("max_length", 1)))
        is_set = schema["type"] in ("set", "frozenset")
        for attempt in range(_ATTEMPTS):
            if len(found) >= wanted:
                break
            try:
                named = Sample(sample.name, sample.number + attempt, sample.random)
                value = yield from self._value(schema.get("items_schema", {"type": "any"}), named)
            except CannotMake as error:
                if least:
                    raise CannotMake(error.reason, f"[]{error.place}") from error
                break
            if not is_set or value not in found:
                found.append(value)
        if len(found) < least:
            raise CannotMake(f"there are not {least} different values for it")
        return set(found) if is_set else found

    def _tuple(self, schema: Schema, sample: Sample) -> Steps[Any]:
        found: list[Any] = []
        for place, item in enumerate(schema["items_schema"]):
            is_many = place == schema.get("variadic_item_index")
            missing = (schema.get("min_length") or 0) - len(schema["items_schema"]) + 1
            for _ in range(max(1, missing) if is_many else 1):
                found.append((yield from self._value(item, sample)))
        return tuple(found)

    def _mapping(self, schema: Schema, sample: Sample) -> Steps[Any]:
        least = schema.get("min_length") or 0
        wanted = max(least, min(1, schema.get("max_length", 1)))
        found: dict[Any, Any] = {}
        for attempt in range(_ATTEMPTS):
            if len(found) >= wanted:
                break
            try:
                named = Sample(sample.name, sample.number + attempt, sample.random)
                key = yield from self._value(schema.get("keys_schema", {"type": "str"}), named)
                found[key] = yield from self._value(schema.get("values_schema", {"type": "any"}), named)
            except CannotMake as error:
                if least:
                    raise CannotMake(error.reason, f"[]{error.place}") from error
                break
        if len(found) < least:
            raise CannotMake(f"there are not {least} different keys for it")
        return found

    def _model(self, schema: Schema, sample: Sample) -> Steps[Any]:  # noqa: ARG002  (it has numbers of its own)
        cls = schema["cls"]
        if cls in self._within:
            raise CannotMake(f"it has a {cls.__name__} in it again")
        return (yield from self.instance(cls, {}))

    def _typed_dict(self, schema: Schema, sample: Sample) -> Steps[Any]:
        found: dict[str, Any] = {}
        for name, field in schema["fields"].items():
            if field.get("required", True):
                named = Sample(name, sample.number, sample.random)
                found[name] = yield from self._value(field["schema"], named)
        return found

    def _dataclass(self, schema: Schema, sample: Sample) -> Steps[Any]:
        body = schema["schema"]
        while body["type"] != "dataclass-args":
            body = body["schema"]
        found: dict[str, Any] = {}
        for field in body["fields"]:
            if field["schema"]["type"] != "default":
                named = Sample(field["name"], sample.number, sample.random)
                found[field["name"]] = yield from self._value(field["schema"], named)
        return schema["cls"](**found)

    def _function(self, schema: Schema, sample: Sample) -> Steps[Any]:
        function = schema["function"]["function"]
        if isinstance(function, KeyReader):
            return (yield from self._reference(function.target))
        return (yield from self._value(schema["schema"], sample))

    def _reference(self, target: type[Any]) -> Steps[Any]:
        if target in self._within:
            raise CannotMake(f"it refers to a {target.__name__}, which would need another one first")
        made = yield from self.instance(target, {})
        yield made
        return made

    def _known(self, schema: Schema, sample: Sample) -> Steps[Any]:
        return (yield from self._value(self._definitions[schema["schema_ref"]], sample))

    def _defined(self, schema: Schema, sample: Sample) -> Steps[Any]:
        self._definitions = {**self._definitions, **{item["ref"]: item for item in schema["definitions"]}}
        return (yield from self._value(schema["schema"], sample))

    def _json(self, schema: Schema, sample: Sample) -> Steps[Any]:
        value = yield from self._value(schema.get("schema", {"type": "any"}), sample)
        return to_json(value).decode()

    def _of_python(self, schema: Schema, sample: Sample) -> Steps[Any]:
        name = "python_schema" if schema["type"] == "json-or-python" else "lax_schema"
        return (yield from self._value(schema[name], sample))


_NESTED: dict[str, Callable[[_Maker, Schema, Sample], Steps[Any]]] = {
    "chain": _Maker._chain,
    "custom-error": _Maker._inner,
    "dataclass": _Maker._dataclass,
    "default": _Maker._inner,
    "definition-ref": _Maker._known,
    "definitions": _Maker._defined,
    "dict": _Maker._mapping,
    "frozenset": _Maker._items,
    "function-after": _Maker._function,
    "function-before": _Maker._function,
    "function-wrap": _Maker._function,
    "json": _Maker._json,
    "json-or-python": _Maker._of_python,
    "lax-or-strict": _Maker._of_python,
    "list": _Maker._items,
    "model": _Maker._model,
    "nullable": _Maker._nullable,
    "set": _Maker._items,
    "tagged-union": _Maker._union,
    "tuple": _Maker._tuple,
    "typed-dict": _Maker._typed_dict,
    "union": _Maker._union,
}


def _bare(schema: Schema) -> Schema:
    while schema["type"] in ("default", "nullable"):
        schema = schema["schema"]
    return {name: value for name, value in schema.items() if name in ("type", "ge", "gt", "le", "lt", "multiple_of")}


def _is_key(cls: Any, name: str) -> bool:
    return name in getattr(cls, "__nitro_keys__", ())


def _is_unique(cls: Any, name: str) -> bool:
    info = cls.__pydantic_fields__.get(name)
    # Of several fields that are the key together, each may come again.
    return info is not None and (stored(info).unique or getattr(cls, "__nitro_keys__", ()) == (name,))


def _is_wanted(cls: Any, name: str) -> bool:
    """Whether a field needs a value: it has no default, or one that only one entity may have."""
    info = cls.__pydantic_fields__[name]
    if info.is_required():
        return True
    return _is_unique(cls, name) and info.default_factory is None and info.default is not None


def _refused(cls: type, name: str, place: str, info: FieldInfo, reason: str) -> ConfigurationError:
    annotation: Any = info.annotation
    shown = annotation.__name__ if isinstance(annotation, type) else str(annotation).replace("typing.", "")
    return ConfigurationError(
        f"{cls.__name__}.{place}: no value can be made for {shown}: {reason}. Say what it is, as in "
        f"factory({cls.__name__}, {name}=...), or declare the field with Field(examples=[...])"
    )
