"""Entities as REST resources: list, get, create, update, replace, delete."""

from __future__ import annotations

import json
from collections.abc import Collection, Generator, Iterator
from contextlib import contextmanager
from typing import Any, Literal, cast
from urllib.parse import quote

from pydantic import BaseModel, ValidationError

from .. import changes
from ..codec import encode
from ..entity import Entity
from ..errors import ConfigurationError, EntityNotFound
from ..repository import repository_of
from ..work import UnitOfWork
from ..work.names import plural
from .access import Access
from .answers import etag_of, json_of, names, page_headers
from .filters import asked, described, wanted
from .keys import key_of, key_path, key_schemas
from .messages import JSON, Request, Response
from .problems import Problem, details
from .routes import Description, Route, may_wait
from .schemas import Schemas, create_model_of, patch_model_of, writable

Verb = Literal["list", "get", "create", "update", "replace", "delete", "create_many", "delete_many"]

VERBS: tuple[Verb, ...] = ("list", "get", "create", "update", "replace", "delete", "create_many", "delete_many")


class Resource:
    """What clients may do with the entities of a class, by REST.

    Args:
        entity_class: The class.
        only: What they may do; None for everything: "list", "get", "create", "update" (some fields), "replace",
            "delete", "create_many", "delete_many".
        path: As "/products"; None takes the name of the class in the plural.
        page_size: How many entities a list gives where a client does not say.
        max_page_size: The most that a client may ask for.

    Example:
        >>> nitro.web.Resource(Order, only=["list", "get"]).path
        '/orders'
    """

    def __init__(
        self,
        entity_class: type[Entity],
        *,
        only: Collection[Verb] | None = None,
        path: str | None = None,
        page_size: int = 50,
        max_page_size: int = 1000,
    ) -> None:
        unknown = set(only or ()) - set(VERBS)
        if unknown:
            raise ConfigurationError(f"a resource has no {sorted(unknown)}: it has {', '.join(VERBS)}")
        self.entity_class = entity_class
        self.verbs = tuple(verb for verb in VERBS if only is None or verb in only)
        self.path = "/" + (plural(entity_class) if path is None else path.strip("/"))
        self.page_size, self.max_page_size = page_size, max_page_size

    def routes(self, prefix: str, tag: str, access: Access) -> Iterator[Route]:
        """The routes of what is allowed; `tag` is what the class is called there."""
        cls = self.entity_class
        many, one = prefix + self.path, key_path(cls, prefix + self.path)
        places: dict[str, tuple[str, str, type[_Operation]]] = {
            "list": ("GET", many, _List),
            "get": ("GET", one, _Get),
            "create": ("POST", many, _Create),
            "update": ("PATCH", one, _Update),
            "replace": ("PUT", one, _Replace),
            "delete": ("DELETE", one, _Delete),
            "delete_many": ("DELETE", many, _DeleteMany),
        }
        if "create_many" in self.verbs and "create" not in self.verbs:
            places["create_many"] = ("POST", many, _Create)
        for verb in self.verbs:
            if verb in places:
                method, path, operation = places[verb]
                yield Route(method, path, f"{tag}.{verb}", tag, operation(self, access))


class _Operation:
    """One operation. The verbs of entities without an a are used: a thread that runs all of an operation costs less
    than one that is asked for each statement."""

    is_async = False
    is_reading = False

    def __init__(self, resource: Resource, access: Access) -> None:
        self.resource, self.access = resource, access
        self.entity_class: Any = resource.entity_class

    @property
    def waits(self) -> bool:
        """Whether the store may have to wait."""
        return may_wait(self.entity_class, is_reading=self.is_reading)

    def run(self, request: Request) -> Response:
        """Answers a request."""
        raise NotImplementedError

    async def arun(self, request: Request) -> Response:
        """Answers a request."""
        return self.run(request)

    def described(self) -> Description:
        """What it takes and gives."""
        raise NotImplementedError

    @property
    def _name(self) -> str:
        return self.entity_class.__name__

    def _keys(self) -> dict[str, Any]:
        return key_schemas(self.entity_class)

    def _found(self, request: Request) -> Any:
        """The entity that the path names."""
        return self.entity_class.get(key_of(self.entity_class, request))

    @contextmanager
    def _changing(self, request: Request) -> Generator[Any]:
        """The entity that the path names, which is going to be changed; nobody else changes it between the look at what
        the client knows of it, where the client says that, and the end."""
        cls = self.entity_class
        if "if-match" not in request.headers or not repository_of(cls).capabilities.locks:
            entity = self._found(request)
            self._matched(request, entity)
            yield entity
            return
        with UnitOfWork(), cls.locked(key_of(cls, request)) as entity:
            self._matched(request, entity)
            yield entity

    def _matched(self, request: Request, entity: Entity) -> None:
        """Whether the client knows the entity as it is.

        Raises:
            Problem: 412, if it knows an older one.
        """
        known = request.headers.get("if-match")
        if known is not None and known.strip() != "*" and etag_of(encode(entity)) not in names(known):
            raise Problem(412, f"{self._name} has changed since it was read: read it again")

    def _answer(self, request: Request, entity: Entity, status: int = 200) -> Response:
        whole = encode(entity)
        headers = [("etag", etag_of(whole))]
        if status == 201:
            headers.append(("location", self._location(request, entity)))
        body = whole if self.access.asks_nobody else json_of(entity, request, self.access)
        return Response(status, body, JSON, headers)

    def _location(self, request: Request, entity: Entity) -> str:
        keys = self.entity_class.__nitro_keys__
        base = request.path if request.method == "POST" else request.path.rsplit("/", len(keys))[0]
        return "/".join((base.rstrip("/"), *(quote(str(getattr(entity, name)), safe="") for name in keys)))


class _List(_Operation):
    is_reading = True

    def run(self, request: Request) -> Response:
        cls, access, resource = self.entity_class, self.access, self.resource
        access.check(request, "list", cls)
        asks = asked(cls, request.pairs, page_size=resource.page_size, max_page_size=resource.max_page_size)
        for field in asks.used:
            access.check(request, "list", cls, None, field)
        try:
            page = asks.query.page(limit=asks.limit, after=asks.after, total=asks.count and access.asks_nobody)
        except ValueError as error:
            raise Problem(400, str(error)) from None
        found = page.items
        if not access.asks_nobody:
            found = [entity for entity in found if access.allows(request, "list", cls, entity)]
        return Response(200, json_of(found, request, access, asks.fields), JSON, page_headers(page, request))

    def described(self) -> Description:
        resource, cls = self.resource, self.entity_class
        query = described(cls, page_size=resource.page_size, max_page_size=resource.max_page_size)
        return Description(f"List {self._name}", query=query, responses={200: list[cls], 400: None})


class _Get(_Operation):
    is_reading = True

    def run(self, request: Request) -> Response:
        entity = self._found(request)
        self.access.check(request, "get", self.entity_class, entity)
        only = wanted(self.entity_class, [value for name, value in request.pairs if name == "fields"] or None)
        whole = encode(entity)
        tag = [("etag", etag_of(whole))]
        known = request.headers.get("if-none-match")
        if known is not None and tag[0][1] in names(known):
            return Response(304, b"", None, tag)
        if only is None and self.access.asks_nobody:
            return Response(200, whole, JSON, tag)
        return Response(200, json_of(entity, request, self.access, only), JSON, tag)

    def described(self) -> Description:
        return Description(
            f"Get one {self._name}", path=self._keys(), responses={200: self.entity_class, 304: None, 404: None}
        )


class _Create(_Operation):
    def run(self, request: Request) -> Response:
        data = request.data
        cls, access = self.entity_class, self.access
        if isinstance(data, list):
            if "create_many" not in self.resource.verbs:
                raise Problem(422, f"one {self._name} is created at a time: the body is an object")
            return self._many(request, cast("list[Any]", data))
        if "create" not in self.resource.verbs:
            raise Problem(422, f"many {self._name} are created at a time: the body is an array")
        access.check(request, "create", cls)
        entity = self._made(request, data, ())
        entity.save()
        return self._answer(request, entity, 201)

    def _many(self, request: Request, data: list[Any]) -> Response:
        cls, access = self.entity_class, self.access
        if len(data) > self.resource.max_page_size:
            raise Problem(413, f"at most {self.resource.max_page_size} {self._name} are created at a time")
        access.check(request, "create", cls)
        entities = [self._made(request, item, (number,)) for number, item in enumerate(data)]
        with UnitOfWork():
            cls.save_all(entities)
        return Response(201, json_of(entities, request, access))

    def _made(self, request: Request, data: Any, place: tuple[int, ...]) -> Any:
        cls = self.entity_class
        held = _checked(cls, data, place, creating=True)
        for name in held:
            self.access.check(request, "create", cls, None, name)
        return _validated(cls, held, place, is_text=request.media_type != JSON)

    def described(self) -> Description:
        one: Any = Created(self.entity_class)
        body: Any = one
        if "create_many" in self.resource.verbs:
            body = Created(self.entity_class, is_many=True, is_one="create" in self.resource.verbs)
        responses = {201: self.entity_class, 409: None, 422: None}
        return Description(f"Create one {self._name}", body=body, responses=responses)


class _Update(_Operation):
    def run(self, request: Request) -> Response:
        cls, access = self.entity_class, self.access
        given = self._given(request, _checked(cls, request.data, (), creating=False))
        with self._changing(request) as entity:
            access.check(request, "update", cls, entity)
            for name in given:
                access.check(request, "update", cls, entity, name)
            _change(entity, given)
            return self._answer(request, entity)

    def _given(self, request: Request, data: dict[str, Any]) -> dict[str, Any]:
        model = patch_model_of(self.entity_class)
        read = _validated(model, data, (), is_text=request.media_type != JSON)
        return {name: getattr(read, name) for name in read.model_fields_set}

    def described(self) -> Description:
        return Description(
            f"Change some fields of one {self._name}",
            path=self._keys(),
            body=Patched(self.entity_class),
            responses={200: self.entity_class, 404: None, 409: None, 412: None, 422: None},
        )


class _Replace(_Operation):
    def run(self, request: Request) -> Response:
        cls, access = self.entity_class, self.access
        key, keys = key_of(cls, request), cls.__nitro_keys__
        entity = cls.get_or_none(key)
        makes_keys = any(name in keys for name in writable(cls, creating=True))
        if entity is None and not makes_keys:
            raise EntityNotFound(cls, key)
        action = "create" if entity is None else "update"
        access.check(request, action, cls, entity)
        if entity is None and "if-match" in request.headers:
            raise Problem(412, f"no {self._name} has this key")
        data = request.data
        named = dict(zip(keys, (key,) if len(keys) == 1 else key, strict=True))
        if isinstance(data, dict):
            held = cast("dict[str, Any]", data)
            for name, value in named.items():
                if str(held.get(name, value)) != value:
                    raise Problem(422, [_line("key_differs", (name,), "Input should be the key in the path")])
            data = {name: value for name, value in held.items() if name not in named}
        held = _checked(cls, data, (), creating=entity is None)
        for name in held:
            access.check(request, action, cls, entity, name)
        fresh = _validated(cls, {**named, **held}, (), is_text=True)
        if entity is None:
            fresh.save()
            return self._answer(request, fresh, 201)
        with self._changing(request) as known:
            new = {
                name: getattr(fresh, name)
                for name in writable(cls, creating=False)
                if access.allows(request, action, cls, known, name)
            }
            _change(known, new)
            return self._answer(request, known)

    def described(self) -> Description:
        return Description(
            f"Give one {self._name} new values",
            path=self._keys(),
            body=Created(self.entity_class),
            responses={200: self.entity_class, 404: None, 409: None, 412: None, 422: None},
        )


class _Delete(_Operation):
    def run(self, request: Request) -> Response:
        with self._changing(request) as entity:
            self.access.check(request, "delete", self.entity_class, entity)
            entity.delete()
        return Response(204, b"", None)

    def described(self) -> Description:
        return Description(
            f"Delete one {self._name}", path=self._keys(), responses={204: None, 404: None, 409: None, 412: None}
        )


class _DeleteMany(_Operation):
    def run(self, request: Request) -> Response:
        cls, access, resource = self.entity_class, self.access, self.resource
        access.check(request, "delete", cls)
        asks = asked(cls, request.pairs, page_size=resource.max_page_size, max_page_size=resource.max_page_size)
        for field in asks.used:
            access.check(request, "list", cls, None, field)
        if not asks.is_filtered:
            raise Problem(400, f"say which {self._name} are to be deleted, as ?id__in=1,2")
        if access.asks_nobody:
            return Response(200, encode({"deleted": asks.query.delete()}))
        with UnitOfWork():
            found = asks.query.all()
            for entity in found:
                access.check(request, "delete", cls, entity)
                entity.delete()
        return Response(200, encode({"deleted": len(found)}))

    def described(self) -> Description:
        cls = self.entity_class
        query = described(cls, page_size=1, max_page_size=1)
        for name in ("order", "limit", "after", "fields", "count"):
            del query[name]
        schema = {"type": "object", "properties": {"deleted": {"type": "integer"}}, "required": ["deleted"]}
        return Description(f"Delete the {self._name} that are found", query=query, responses={200: schema, 400: None})


class Created:
    """The body of what creates entities."""

    def __init__(self, cls: type[Entity], *, is_many: bool = False, is_one: bool = True) -> None:
        self._class: Any = cls
        self._is_many, self._is_one = is_many, is_one

    def said_in(self, schemas: Schemas) -> Any:
        """Its schema."""
        one = schemas.of(create_model_of(self._class), reading=False)
        if not self._is_many:
            return one
        many = {"type": "array", "items": one}
        return {"anyOf": [one, many]} if self._is_one else many


class Patched:
    """The body of what changes some fields of an entity."""

    def __init__(self, cls: type[Entity]) -> None:
        self._class = cls

    def said_in(self, schemas: Schemas) -> Any:
        """Its schema."""
        return schemas.patched(self._class)


def _change(entity: Entity, values: dict[str, Any]) -> None:
    """Assigns values to an entity and saves it; one that is refused is what it was before."""
    try:
        for name, value in values.items():
            setattr(entity, name, value)
        entity.save()
    except BaseException:
        changes.revert(entity)
        raise


def _line(kind: str, place: tuple[Any, ...], message: str) -> dict[str, Any]:
    return {"type": kind, "loc": ["body", *place], "msg": message}


def _checked(cls: type[Entity], data: Any, place: tuple[int, ...], *, creating: bool) -> dict[str, Any]:
    """What a client gives, when it is nothing but what it may write.

    Raises:
        Problem: 422, if there is anything else.
    """
    if not isinstance(data, dict):
        raise Problem(422, [_line("dict_type", place, "Input should be an object")])
    held = cast("dict[str, Any]", data)
    known = _written_names(cls, creating=creating)
    wrong = [_line("extra_forbidden", (*place, name), "This cannot be written") for name in held if name not in known]
    if wrong:
        raise Problem(422, wrong)
    return held


def _written_names(cls: type[Entity], *, creating: bool) -> frozenset[str]:
    """What clients may call the fields that they may write."""
    found: set[str] = set()
    for name, info in writable(cls, creating=creating).items():
        alias = info.validation_alias if isinstance(info.validation_alias, str) else None
        if alias is not None:
            found.add(alias)
        if alias is None or cls.model_config.get("populate_by_name") or cls.model_config.get("validate_by_name"):
            found.add(name)
    return frozenset(found)


def _validated(model: type[BaseModel], data: dict[str, Any], place: tuple[int, ...], *, is_text: bool) -> Any:
    """A model of what a client gives; texts of a form stand for values of every kind."""
    try:
        if is_text:
            return model.model_validate(data)
        return model.model_validate_json(json.dumps(data))
    except ValidationError as error:
        found = details(error, "body")
        for line in found:
            line["loc"][1:1] = place
        raise Problem(422, found) from None
