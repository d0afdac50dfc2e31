"""What a program gives back, as a client gets it."""

from __future__ import annotations

import json
from collections.abc import Collection
from hashlib import blake2b
from typing import Any, cast
from urllib.parse import urlencode

from ..codec import encode
from ..entity import Entity, EntityMeta
from ..queries import Page, Query
from .access import Access
from .messages import JSON, Request, Response


def fields_of(cls: type[Entity]) -> dict[str, str]:
    """{field: its name in JSON} of what clients may read of a class: not what is excluded."""
    by_alias = cls.model_config.get("serialize_by_alias")
    return {
        name: (info.serialization_alias or name) if by_alias else name
        for name, info in cls.__pydantic_fields__.items()
        if not info.exclude
    }


def json_of(value: Any, request: Request, access: Access, only: Collection[str] | None = None) -> bytes:
    """The JSON of entities, or of anything else that has one.

    Args:
        value: An entity, a list of entities, or anything that pydantic serialises.
        request: Who asks.
        access: What they may read.
        only: The fields that they want; None for all of them.
    """
    if only is None and access.asks_nobody:
        return encode(value)
    if _is_entity(value):
        return _text(_dumped(value, request, access, only))
    if isinstance(value, list) and any(map(_is_entity, cast("list[Any]", value))):
        return _text([_dumped(item, request, access, only) for item in cast("list[Any]", value)])
    return encode(cast("Any", value))


def _dumped(value: Any, request: Request, access: Access, only: Collection[str] | None) -> Any:
    if not _is_entity(value):
        return json.loads(encode(value))
    cls = cast("type[Entity]", type(value))
    included = {
        name
        for name in fields_of(cls)
        if (only is None or name in only) and access.allows(request, "get", cls, value, name)
    }
    return value.model_dump(mode="json", include=included)


def _text(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _is_entity(value: Any) -> bool:
    return isinstance(type(value), EntityMeta)


def answer(value: Any, request: Request, access: Access, *, of: Any = None) -> Response:
    """The response for what a method gave.

    Args:
        value: A Response; an entity, a list, a Page, a Query, or anything that pydantic serialises; one of these and a
            status, as `(order, 201)`; None for nothing.
        request: Who asks.
        access: What they may read.
        of: What the answer is where there is nothing else: the entity of the method; None answers 204.
    """
    status = 200
    if isinstance(value, tuple) and len(cast("tuple[Any, ...]", value)) == 2 and type(value[1]) is int:  # type: ignore[misc]
        value, status = cast("tuple[Any, int]", value)
    if isinstance(value, Response):
        return value
    if value is None:
        if of is None:
            return Response(204 if status == 200 else status, b"", None)
        value = of
    headers: list[tuple[str, str]] = []
    if isinstance(value, Query):
        value = cast("Query[Any]", value).all()
    if isinstance(value, Page):
        page = cast("Page[Any]", value)
        value, headers = page.items, page_headers(page, request)
    return Response(status, json_of(value, request, access), JSON, headers)


def page_headers(page: Page[Any], request: Request) -> list[tuple[str, str]]:
    """What says where the next page is, and how many entities there are on all of them."""
    headers: list[tuple[str, str]] = []
    if page.next_cursor is not None:
        kept = [(name, value) for name, value in request.pairs if name != "after"]
        headers.append(("link", f'<{request.path}?{urlencode([*kept, ("after", page.next_cursor)])}>; rel="next"'))
    if page.total is not None:
        headers.append(("x-total-count", str(page.total)))
    return headers


def etag_of(whole: bytes) -> str:
    """What tells one state of an entity from another, for If-Match and If-None-Match.

    Args:
        whole: All of its JSON, whatever a client may read of it.
    """
    return f'"{blake2b(whole, digest_size=12).hexdigest()}"'


def names(header: str | None) -> frozenset[str]:
    """The ETags in a header, the weak ones as the others."""
    if header is None:
        return frozenset()
    return frozenset(tag.strip().removeprefix("W/") for tag in header.split(","))
