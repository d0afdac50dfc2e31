"""Queries in a URL: `?status=placed&total__gt=10&order=-total&limit=20`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..entity import Entity
from ..errors import UnknownFieldError
from ..queries import Query
from .answers import fields_of
from .problems import Problem
from .schemas import is_readable

#: What is no field. A field that is called so is found as `limit__eq`.
RESERVED = ("order", "limit", "after", "fields", "count")

#: Lookups that take several values, which a comma separates or which are given one by one.
_SEVERAL = frozenset({"in", "between"})
_LOOKUPS = frozenset(
    {"eq", "ne", "lt", "le", "gt", "ge", "like", "contains", "startswith", "endswith", "is_null", *_SEVERAL}
)


@dataclass(slots=True)
class Asked:
    """What a URL asks for.

    Attributes:
        limit: How many entities are on a page.
        after: Where the page before has ended; None for the first page.
        fields: The fields that are wanted; None for all of them.
        count: Whether to say how many there are on all pages.
        is_filtered: Whether there is any condition.
        used: The fields that are looked at, by conditions and for the order.
    """

    query: Query[Any]
    limit: int
    after: str | None
    fields: frozenset[str] | None
    count: bool
    is_filtered: bool
    used: frozenset[str]


def asked(cls: type[Entity], pairs: Sequence[tuple[str, str]], *, page_size: int, max_page_size: int) -> Asked:
    """Reads the query of a URL.

    Args:
        cls: What is asked for.
        pairs: (name, value) of the query.
        page_size: How many entities are on a page where nothing is said.
        max_page_size: The most that may be asked for.

    Raises:
        Problem: If a number is none, or a field cannot be read.
        UnknownFieldError, UnsupportedQuery: If there is no such field, or a value does not fit it.
    """
    said: dict[str, list[str]] = {}
    for name, value in pairs:
        said.setdefault(name, []).append(value)
    lookups: dict[str, Any] = {}
    for name, values in said.items():
        if name not in RESERVED:
            _check_readable(cls, name)
            lookups[name] = _value(name, values)
    query = cls.where(**lookups)
    order = _listed(said.get("order"))
    for field in order:
        _check_readable(cls, field.removeprefix("-"))
    if order:
        query = query.order_by(*order)
    return Asked(
        query,
        _number("limit", said, page_size, max_page_size),
        said["after"][-1] if "after" in said else None,
        wanted(cls, said.get("fields")),
        _flag("count", said),
        bool(lookups),
        frozenset(map(_field, (*lookups, *(name.removeprefix("-") for name in order)))),
    )


def wanted(cls: type[Entity], values: list[str] | None) -> frozenset[str] | None:
    """The fields that a URL asks for; None for all of them.

    Args:
        cls: Whose fields.
        values: What is said of `fields`; None where nothing is.

    Raises:
        UnknownFieldError: If clients cannot read one of them.
    """
    if values is None:
        return None
    fields = frozenset(_listed(values))
    for field in fields:
        _check_readable(cls, field)
    return fields


def _check_readable(cls: type[Entity], lookup: str) -> None:
    field = _field(lookup)
    if not is_readable(cls, field):
        raise UnknownFieldError(cls, field, fields_of(cls))


def _field(lookup: str) -> str:
    return lookup.partition("__")[0].partition(".")[0]


def _value(name: str, values: list[str]) -> Any:
    lookup = name.rpartition("__")[2]
    if lookup in _SEVERAL:
        several = _listed(values)
        if lookup == "between" and len(several) != 2:
            raise Problem(400, f"{name} takes two values, as {name}=1,5")
        return several
    if len(values) > 1:
        raise Problem(
            400, f"{name} is given {len(values)} times: write {name.partition('__')[0]}__in={','.join(values)}"
        )
    if lookup == "is_null":
        return _is_true(name, values[0])
    return values[0]


def _listed(values: list[str] | None) -> list[str]:
    return [part for value in values or () for part in value.split(",") if part]


def _number(name: str, said: dict[str, list[str]], default: int, most: int) -> int:
    if name not in said:
        return default
    text = said[name][-1]
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:20]) <= most:
        raise Problem(400, f"{name} is a number from 1 to {most}, and not {text[:40]!r}")
    return int(text)


def _flag(name: str, said: dict[str, list[str]]) -> bool:
    return name in said and _is_true(name, said[name][-1])


def _is_true(name: str, text: str) -> bool:
    if text.lower() in ("true", "1", ""):
        return True
    if text.lower() in ("false", "0"):
        return False
    raise Problem(400, f"{name} is true or false, and not {text[:40]!r}")


def described(cls: type[Entity], *, page_size: int, max_page_size: int) -> dict[str, Any]:
    """{name: schema} of what a URL may ask of a class."""
    whole = cls.model_json_schema(mode="serialization", by_alias=False)
    whole = whole if "properties" in whole else whole.get("$defs", {}).get(cls.__name__, {})
    found: dict[str, Any] = {}
    for field, schema in whole.get("properties", {}).items():
        known = _simple(schema, whole.get("$defs", {}))
        if known and is_readable(cls, field):
            found[f"{field}__eq" if field in RESERVED else field] = known
    found["order"] = {
        "type": "string",
        "description": "Fields, separated by commas; -field sorts the greatest first",
    }
    found["limit"] = {"type": "integer", "minimum": 1, "maximum": max_page_size, "default": page_size}
    found["after"] = {"type": "string", "description": "Where the page before has ended, as its Link header says"}
    found["fields"] = {"type": "string", "description": "The fields that are wanted, separated by commas"}
    found["count"] = {"type": "boolean", "description": "Whether X-Total-Count says how many there are"}
    return found


def _simple(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """What a condition on a field takes; empty where that is no simple value."""
    if "$ref" in schema:
        return _simple(definitions.get(schema["$ref"].rpartition("/")[2], {}), {})
    for option in schema.get("anyOf", ()):
        if option.get("type") != "null":
            return _simple(option, definitions)
    if schema.get("type") not in ("string", "number", "integer", "boolean"):
        return {}
    return {key: value for key, value in schema.items() if key in ("type", "format", "enum")}
