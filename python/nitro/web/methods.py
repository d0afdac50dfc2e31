"""Methods of entities as routes: `POST /orders/{id}/restock`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import cached_property
from typing import Any, cast

from pydantic import ValidationError

from .. import commands
from ..commands import Command
from ..entity import Entity
from ..queries import Query
from .access import Access
from .answers import answer
from .arguments import Arguments
from .keys import key_of, key_path, key_schemas
from .messages import Request, Response
from .problems import Problem, details, problem_of
from .routes import Description, Route, may_wait
from .schemas import result_schema


class MethodOperation:
    """Calls a command or a query of an entity, or of its class."""

    def __init__(self, cls: type[Entity], command: Command, access: Access) -> None:
        self._class, self._command, self._access = cls, command, access
        self._is_query = command.kind == "query"
        self.is_async = command.is_async

    @cached_property
    def _arguments(self) -> Arguments:
        # When it is first called: its annotations may name what is not there yet.
        return Arguments(self._command)

    @property
    def waits(self) -> bool:
        """Whether its store may have to wait."""
        return may_wait(self._class, is_reading=self._is_query)

    def run(self, request: Request) -> Response:
        """Calls a method; an async one in an event loop of its own."""
        if self.is_async:
            return asyncio.run(self.arun(request))
        values, place = self._arguments.read(request)
        target = None
        if self._command.binds == "instance":
            target = self._class.get(key_of(self._class, request))
        self._access.check(request, self._command.name, self._class, target)
        try:
            given = self._arguments.load(values)
            result = self._call(target, given, request)
        except ValueError as error:
            raise _refusal(error, place) from error
        return answer(result, request, self._access, of=target)

    async def arun(self, request: Request) -> Response:
        """Calls a method, and awaits it if it is async."""
        if not self.is_async:
            return self.run(request)
        values, place = self._arguments.read(request)
        target = None
        if self._command.binds == "instance":
            target = await self._class.aget(key_of(self._class, request))
        self._access.check(request, self._command.name, self._class, target)
        try:
            given = await self._arguments.aload(values)
            result = await self._call(target, given, request)
            if isinstance(result, Query):
                result = await cast("Query[Any]", result).aall()
        except ValueError as error:
            raise _refusal(error, place) from error
        return answer(result, request, self._access, of=target)

    def _call(self, target: Entity | None, values: dict[str, Any], request: Request) -> Any:
        positional = [one for one in self._arguments.parameters.values() if one.kind == "positional"]
        first = [values.pop(one.name) for one in positional if one.name in values]
        key = request.headers.get("idempotency-key")
        if key is not None and self._command.idempotent:
            values["idempotency_key"] = key
        if target is not None:
            return self._command(target, *first, **values)
        return self._command(*first, **values)

    def described(self) -> Description:
        """What it takes and gives."""
        schema = self._command.json_schema()
        required = frozenset(schema.get("required", ()))
        path = key_schemas(self._class) if self._binds_entity else {}
        result = result_schema(self._command.returns, self._class if self._binds_entity else None)
        first, _, rest = (self._command.description or "").partition("\n")
        described = Description(
            first or f"{self._command.name.replace('_', ' ').capitalize()}",
            rest.strip(),
            path=path,
            responses={204: None} if result is None else {200: result},
        )
        if self._binds_entity:
            described.responses[404] = None
        if not self._is_query:
            described.responses[409] = None
        if self._arguments.parameters:
            described.responses[422] = None
        if self._is_query:
            described.query, described.required = schema.get("properties", {}), required
        elif self._arguments.parameters:
            described.body = schema
        return described

    @property
    def _binds_entity(self) -> bool:
        return self._command.binds == "instance"


def method_routes(cls: type[Entity], prefix: str, tag: str, access: Access) -> Iterator[Route]:
    """The routes of what is marked in a class, which is called `tag` there: by `@event`, `@command` or `@query`."""
    for name, command in commands.of(cls).items():
        if command.binds == "none":
            continue
        method = command.method or ("GET" if command.kind == "query" else "POST")
        place = key_path(cls, prefix) if command.binds == "instance" else prefix
        operation = MethodOperation(cls, command, access)
        yield Route(method, f"{place}/{name}", f"{tag}.{name}", tag, operation)


def _refusal(error: ValueError, place: str) -> Exception:
    """What a client is told where a method has refused: what is wrong with the arguments, or why it cannot be."""
    if isinstance(error, ValidationError):
        return Problem(422, details(error, place))
    return problem_of(error) or Problem(409, str(error))
