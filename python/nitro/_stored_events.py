"""How a durable event is written, and read again: the sender, and the keywords that it was sent with.

A value comes back as what it was: JSON has no moments, no decimals and no sets, so what is none of JSON's own stands in
an object that says its type. Types are found by their names among the modules that are loaded; nothing is imported.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from pydantic import PydanticUserError, ValidationError
from pydantic_core import PydanticSerializationError, to_jsonable_python

from . import changes
from ._ambient import acting
from .backends.sql.mapping import made
from .backends.sql.types import JsonCodec, Refused
from .codec import _adapter
from .entity import Entity, identity, to_key
from .errors import NitroError, UnstorableEvent
from .relations import key_type, plain, target_of
from .repository import repository_of

#: The name that tells an object with a type from a dictionary.
_TYPE = "$type"

_COLLECTIONS: dict[str, Callable[[Any], Any]] = {"tuple": tuple, "set": set, "frozenset": frozenset}


def class_name(entity_class: type) -> str:
    """The module-qualified name of a class."""
    return f"{entity_class.__module__}.{entity_class.__qualname__}"


# --- Writing ----------------------------------------------------------------------------------------------------


def sender_text(signal: str, sender: Entity) -> str:
    """The sender as it is now, as JSON.

    Raises:
        UnstorableEvent: If a field of it cannot be written so that it comes back.
    """
    try:
        return _text(sender)
    except _Unwritable as error:
        raise UnstorableEvent(
            signal, type(sender), f"its sender {error}: send it of another entity, which can be written"
        ) from error


def _text(entity: Entity) -> str:
    """An entity as JSON, by the names of its fields and without what is computed of them.

    Raises:
        _Unwritable: If a field cannot be written so that it comes back.
    """
    codecs = _codecs(type(entity))
    if codecs is None:
        try:
            written = entity.__pydantic_serializer__.to_json(entity, by_alias=False, exclude_computed_fields=True)
            return written.decode()
        except PydanticSerializationError as error:
            # One of the fields by itself says which one it is.
            _by_fields(entity, _codecs_of_fields(type(entity)))
            raise _Unwritable(f"has no JSON ({error})") from error
    return _by_fields(entity, codecs)


def _by_fields(entity: Entity, codecs: Mapping[str, JsonCodec]) -> str:
    parts: list[str] = []
    for name, codec in codecs.items():
        value = plain(getattr(entity, name))
        try:
            parts.append(f"{json.dumps(name)}:{codec.encode(value)}")
        except Refused as error:
            raise _Unwritable(
                f"has {type(entity).__name__}.{name}={_shown(value)}, which cannot be written ({error})"
            ) from error
    return "{" + ",".join(parts) + "}"


#: Where a class keeps its codecs: they live as long as it does.
_ATTRIBUTE = "__nitro_event_codecs__"


def _codecs(entity_class: type[Entity]) -> dict[str, JsonCodec] | None:
    """How the fields of a class are written; None where its JSON is what it is read from."""
    if _ATTRIBUTE not in entity_class.__dict__:
        is_read_back = _is_read_back(entity_class.__pydantic_core_schema__)
        type.__setattr__(entity_class, _ATTRIBUTE, None if is_read_back else _codecs_of_fields(entity_class))
    return entity_class.__dict__[_ATTRIBUTE]


def _codecs_of_fields(entity_class: type[Entity]) -> dict[str, JsonCodec]:
    codecs: dict[str, JsonCodec] = {}
    for name, info in entity_class.__pydantic_fields__.items():
        target = target_of(info.annotation)
        # The field holds the key of another entity.
        codecs[name] = JsonCodec(info.annotation if target is None else key_type(target) | None)
    return codecs


def _is_read_back(schema: Any) -> bool:
    """Whether nothing in a schema of pydantic's is left out of the JSON, or written otherwise than it is read."""
    if isinstance(schema, (list, tuple)):
        return all(map(_is_read_back, cast("Sequence[Any]", schema)))
    if not isinstance(schema, dict):
        return True
    parts = cast("dict[str, Any]", schema)
    serialization = parts.get("serialization")
    if isinstance(serialization, dict) and str(cast("Any", serialization).get("type")).startswith("function"):
        return False
    if parts.get("serialization_exclude") or "serialization_exclude_if" in parts or parts.get("type") == "bytes":
        return False
    return all(_is_read_back(part) for name, part in parts.items() if name not in ("metadata", "computed_fields"))


def key_text(entity: Entity) -> str:
    """The key of an entity as text, from which `class_by_name(...).get` finds it."""
    key = to_jsonable_python(identity(entity))
    return key if isinstance(key, str) else json.dumps(key)


def keywords_text(signal: str, sender_class: type, keywords: Mapping[str, Any]) -> str:
    """Keyword arguments as JSON.

    Raises:
        UnstorableEvent: If one of them cannot be written so that it comes back as it is.
    """
    written: dict[str, Any] = {}
    for name, value in keywords.items():
        try:
            written[name] = _written(value)
            # A text may be none that can be written.
            json.dumps(written[name], ensure_ascii=False, allow_nan=False).encode()
        except (_Unwritable, ValueError, RecursionError) as error:
            remedy = "send what identifies it, such as a key" + (", or an entity" * (not isinstance(value, Entity)))
            what = f" {error}" if isinstance(value, Entity) else f"={_shown(value)} cannot be written ({error})"
            raise UnstorableEvent(signal, sender_class, f"its keyword {name}{what}: {remedy}") from error
    return json.dumps(written, ensure_ascii=False)


class _Unwritable(Exception):
    """A value of a type that cannot be found again, or that does not come back; of an entity the field is named."""


def _written(value: Any) -> Any:
    kind: type[Any] = value.__class__
    if value is None or kind in (bool, int, str) or (kind is float and math.isfinite(value)):
        return value
    if kind is float:
        return {_TYPE: "float", "value": repr(value)}
    if kind is list:
        return [_written(item) for item in value]
    if kind is dict:
        if all(type(name) is str for name in value) and _TYPE not in value:
            return {name: _written(item) for name, item in value.items()}
        return {_TYPE: "dict", "value": [[_written(name), _written(item)] for name, item in value.items()]}
    if kind in (tuple, set, frozenset):
        return {_TYPE: kind.__name__, "value": [_written(item) for item in value]}
    if isinstance(value, Entity):
        return {_TYPE: "entity", "class": class_name(kind), "key": key_text(value), "value": _text(value)}
    name = class_name(kind)
    if _type_by_name(name) is not kind:
        raise _Unwritable(f"the type {name} cannot be found by its name: it is not at the top of a module")
    try:
        adapter = _adapter(kind)
        text = adapter.dump_json(value, by_alias=False, exclude_computed_fields=True).decode()
        same = adapter.validate_json(text, by_alias=False, by_name=True)
    except (PydanticUserError, PydanticSerializationError, ValueError) as error:
        raise _Unwritable(str(error).splitlines()[0]) from error
    if same != value:
        raise _Unwritable(f"it would come back as {_shown(same)}")
    return {_TYPE: name, "value": text}


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 100 else shown[:97] + "..."


# --- Reading ----------------------------------------------------------------------------------------------------


class Unreadable(NitroError):
    """An event that was written cannot be read here; the message says why and what to do."""


def class_by_name(name: str) -> type[Entity]:
    """The entity class of a module-qualified name; of several definitions the last one.

    Raises:
        Unreadable: If there is none.
    """
    found = _type_by_name(name)
    if found is not None and issubclass(found, Entity):
        return found
    # Those that are made in functions are nowhere to be found by their names.
    waiting: list[type[Entity]] = [Entity]
    while waiting:
        for entity_class in waiting.pop().__subclasses__():
            if class_name(entity_class) == name:
                found = entity_class
            waiting.append(entity_class)
    if found is None:
        raise Unreadable(
            f"no class {name} is known here: name the module that defines it with --app; if it is called otherwise "
            "now, say so in the column sender_class of nitro_outbox"
        )
    return found


@dataclass(frozen=True, slots=True)
class Written:
    """An entity as it stands in an event.

    Attributes:
        entity_class: Its class.
        key: Its key.
        text: What it was, as JSON.
    """

    entity_class: type[Entity]
    key: Any
    text: str

    @classmethod
    def read(cls, name: str, key: str, text: str) -> Written:
        """From the name of the class, and the key as `key_text` has written it."""
        entity_class = class_by_name(name)
        parts: Any = tuple(json.loads(key)) if len(entity_class.__nitro_keys__) > 1 else key
        return cls(entity_class, to_key(entity_class, parts), text)

    def load(self) -> Any:
        """The entity as it is stored now; as it was where it is gone."""
        found = acting(repository_of(self.entity_class)).get(self.entity_class, self.key)
        return self.as_it_was() if found is None else found

    async def aload(self) -> Any:
        """`load`, for async code."""
        found = await acting(repository_of(self.entity_class)).aget(self.entity_class, self.key)
        return self.as_it_was() if found is None else found

    def as_it_was(self) -> Any:
        """The entity from what was written of it.

        It is as if it had been loaded before it was deleted: to save it raises StaleEntityError.

        Raises:
            Unreadable: If what was written is no such entity any more.
        """
        codecs = _codecs(self.entity_class)
        try:
            if codecs is not None:
                return self._by_fields(codecs)
            entity = self.entity_class.model_validate_json(self.text, by_alias=False, by_name=True)
        except ValidationError as error:
            raise Unreadable(
                f"{self.entity_class.__name__} {self.key!r} is gone, and what was written of it is none any more: "
                f"{error}"
            ) from error
        changes.loaded(entity, 1)
        return entity

    def _by_fields(self, codecs: Mapping[str, JsonCodec]) -> Any:
        written = json.loads(self.text)
        values = {name: codec.decode(json.dumps(written[name])) for name, codec in codecs.items() if name in written}
        for name, info in self.entity_class.__pydantic_fields__.items():
            if name not in values and info.is_required():
                raise Unreadable(
                    f"{self.entity_class.__name__} {self.key!r} is gone, and its field {name}, which it has to have, "
                    "was not written: give it a default"
                )
        return made(self.entity_class, values, 1)


class Keywords:
    """The keyword arguments of an event.

    Args:
        text: As `keywords_text` has written them.

    Attributes:
        entities: The entities among them.

    Raises:
        Unreadable: If the class of one is not known here.
    """

    def __init__(self, text: str) -> None:
        self.entities: list[Written] = []
        self._values = {name: self._entities_in(value) for name, value in json.loads(text).items()}

    def _entities_in(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._entities_in(item) for item in cast("list[Any]", value)]
        if not isinstance(value, dict):
            return value
        members = cast("dict[str, Any]", value)
        if members.get(_TYPE) == "entity":
            self.entities.append(Written.read(members["class"], members["key"], members["value"]))
            return {_TYPE: "entity", "value": len(self.entities) - 1}
        return {name: self._entities_in(item) for name, item in members.items()}

    def read(self, entities: Sequence[Any]) -> dict[str, Any]:
        """The keyword arguments, with what was loaded for `entities`.

        Raises:
            Unreadable: If a value is none of its type any more, or the type is not known here.
        """
        return {name: _read(value, entities) for name, value in self._values.items()}


def _read(value: Any, entities: Sequence[Any]) -> Any:
    if isinstance(value, list):
        return [_read(item, entities) for item in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    members = cast("dict[str, Any]", value)
    kind = members.get(_TYPE)
    if kind is None:
        return {name: _read(item, entities) for name, item in members.items()}
    if kind == "entity":
        return entities[members["value"]]
    if kind == "dict":
        return {_read(name, entities): _read(item, entities) for name, item in members["value"]}
    if kind == "float":
        return float(members["value"])
    if kind in _COLLECTIONS:
        return _COLLECTIONS[kind](_read(item, entities) for item in members["value"])
    type_ = _type_by_name(kind)
    if type_ is None:
        raise Unreadable(f"no class {kind} is known here: name the module that defines it with --app")
    try:
        return _adapter(type_).validate_json(members["value"], by_alias=False, by_name=True)
    except ValidationError as error:
        raise Unreadable(f"{members['value']} is no {kind} any more: {error}") from error


def _type_by_name(name: str) -> Any:
    """The class of a module-qualified name, of those whose module is loaded."""
    module_name = name
    while module_name:
        module_name, _, _ = module_name.rpartition(".")
        module = sys.modules.get(module_name)
        if module is not None:
            place: Any = module
            for part in name[len(module_name) + 1 :].split("."):
                place = getattr(place, part, None)
            return place if isinstance(place, type) else None
    return None
