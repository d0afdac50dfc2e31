"""What a decorated function is, and how it runs."""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import wraps
from types import FunctionType
from typing import Any, Literal, NamedTuple, TypeGuard, cast

from pydantic import TypeAdapter, ValidationError
from pydantic._internal._typing_extra import signature_no_eval
from pydantic_core import PydanticSerializationError

from .. import _core, relations
from .._ambient import acting
from ..changes import renew
from ..entity import Entity, EntityMeta, original_identity
from ..errors import ConfigurationError, KeyReused, UnitOfWorkError
from ..repository import CommandKey, Repository, repository_of
from ..work import Unit, attempts, entering, is_alone
from .recorded import KEY, afound, by_key, canonical, found, key_text
from .signatures import Parameter, Signature

Kind = Literal["command", "query"]
Binds = Literal["instance", "class", "none"]

#: What entities are looked for in. To write `list | tuple` where it is used makes it anew each time.
_HOLDERS = (list, tuple, dict)


class _Key(NamedTuple):
    """The idempotency key of a call."""

    text: str
    #: The parameters that the call has given; others have their defaults.
    given: set[str]


@dataclass(frozen=True, slots=True)
class Command:
    """What a command or a query is, for what calls it from outside.

    Example:
        >>> class Invoice(nitro.Entity):
        ...     paid: int = 0
        ...     @nitro.command
        ...     def pay(self, amount: int) -> int:
        ...         self.paid += amount
        ...         return self.paid
        >>> pay = nitro.commands.of(Invoice)["pay"]
        >>> pay.title, pay.kind, pay.binds, pay.returns
        ('Invoice.pay', 'command', 'instance', <class 'int'>)
        >>> pay.parameters["amount"].annotation, pay.parameters["amount"].required
        (<class 'int'>, True)
        >>> pay(Invoice(), amount="3")
        3
    """

    #: The name of the method or of the function.
    name: str
    kind: Kind
    #: What was decorated, without a check of its arguments and without a unit of work.
    function: Callable[..., Any]
    #: The class that defines it; None for a function.
    owner: type | None
    is_async: bool
    #: What it is called on: an entity, the class, or nothing.
    binds: Binds
    #: The HTTP method that `@event` says; None where it is not for the web by itself.
    method: str | None = None
    #: How often it runs anew after a conflict.
    retry: int = 0
    #: Whether nobody else has the entity locked while it runs.
    lock: bool = False
    #: Whether calls may give an `idempotency_key`.
    idempotent: bool = False
    _declared: Declared = field(repr=False, compare=False, kw_only=True)
    #: The class that was asked.
    _asked: type | None = field(repr=False, compare=False, kw_only=True)

    @property
    def title(self) -> str:
        """What it is called in errors, as "Order.place"."""
        return self._declared.signature.title

    @property
    def description(self) -> str | None:
        """Its docstring."""
        return inspect.getdoc(self.function)

    @property
    def parameters(self) -> dict[str, Parameter]:
        """{name: parameter} in their order, without `self` and `cls`.

        Raises:
            ConfigurationError: If an annotation names what is not there.
        """
        return self._declared.signature.parameters(self._asked)

    @property
    def returns(self) -> Any:
        """What its annotation says that it gives, which nobody checks; Any where it says nothing.

        Raises:
            ConfigurationError: If the annotation names what is not there.
        """
        return self._declared.signature.returns(self._asked)

    def json_schema(self) -> dict[str, Any]:
        """The JSON schema of an object with its arguments by their names.

        Raises:
            pydantic.PydanticInvalidForJsonSchema: If the type of one has none.
        """
        return self._declared.signature.json_schema(self._asked)

    def __call__(self, /, *arguments: Any, **keywords: Any) -> Any:
        """Calls it: first what it is called on, where it is a method, then its arguments. An async one is awaited."""
        if self.binds == "class" and self._asked is not None:
            return getattr(self._asked, self.name)(*arguments, **keywords)
        if self.binds == "instance":
            if not arguments:
                raise TypeError(f"{self.title} is called on an entity, which is its first argument, and got none")
            return getattr(arguments[0], self.name)(*arguments[1:], **keywords)
        return self._declared.wrapper(*arguments, **keywords)


# --- What a decorated function does ---------------------------------------------------------------------------------


class Declared:
    """A command or a query as it was declared, and how it runs."""

    def __init__(
        self,
        function: Any,
        kind: Kind,
        binds: Binds | None,
        method: str | None,
        retry: int,
        lock: bool,
        idempotent: bool,
    ) -> None:
        if not isinstance(function, FunctionType):
            raise ConfigurationError(f"@{kind} is for functions and methods, and {function!r} is neither")
        self.function, self.method = function, method
        self.kind: Kind = kind
        self.retry, self.lock, self.idempotent = retry, lock, idempotent
        self.binds: Binds = _bound_to(function) if binds is None else binds
        title = function.__qualname__.rpartition("<locals>.")[2]
        self.signature = Signature(function, title=title, skips=0 if self.binds == "none" else 1)
        self.is_async = inspect.iscoroutinefunction(function)
        self._check(title)
        #: Whether it has arguments to look at.
        self._takes = bool(self.signature.names)
        self._is_guarded = bool(retry or lock)
        self._results: dict[type | None, TypeAdapter[Any]] = {}
        self.wrapper = self._wrapped()

    def _check(self, title: str) -> None:
        if inspect.isgeneratorfunction(self.function) or inspect.isasyncgenfunction(self.function):
            raise ConfigurationError(
                f"{title} is a generator, which would run after its unit of work: give back a list, or a Query"
            )
        if not isinstance(cast("Any", self.retry), int) or self.retry < 0:
            raise ConfigurationError(f"{title}: retry takes a number from 0 on, got {self.retry!r}")
        if self.kind == "query" and (self.retry or self.lock or self.idempotent):
            raise ConfigurationError(
                f"{title} is a query, which writes nothing: retry, lock and idempotent are for commands"
            )
        if self.lock and self.binds != "instance":
            raise ConfigurationError(
                f"{title} has lock=True and no entity to lock: make it a method of an entity, or use "
                "`with Order.locked(key)` inside"
            )
        if self.idempotent and self.binds == "none":
            raise ConfigurationError(
                f"{title} has idempotent=True and no store that could keep the keys: make it a method or a "
                "classmethod of an entity"
            )
        if self.idempotent and KEY in self.signature.names:
            raise ConfigurationError(f"{title} has a parameter {KEY}, which idempotent=True adds: leave it out")
        if self.idempotent and "return" not in self.signature.annotations():
            raise ConfigurationError(
                f"{title} has idempotent=True, and what it gives is recorded as its annotation says: "
                "add one, such as `-> None`"
            )

    def described(
        self,
        owner: type | None,
        asked: type | None,
        binds: Binds,
        name: str | None = None,
    ) -> Command:
        """What others are told of it."""
        return Command(
            name or self.function.__name__,
            self.kind,
            self.function,
            owner,
            self.is_async,
            binds,
            self.method,
            self.retry,
            self.lock,
            self.idempotent,
            _declared=self,
            _asked=asked,
        )

    def _wrapped(self) -> FunctionType:
        """The function that takes the place of the one that was decorated."""
        run: Any = self._call
        arun: Any = self._acall
        if self.binds == "none":

            async def awaited_function(*arguments: Any, **keywords: Any) -> Any:
                return await arun(None, arguments, keywords)

            def plain_function(*arguments: Any, **keywords: Any) -> Any:
                return run(None, arguments, keywords)

            wrapper: Any = awaited_function if self.is_async else plain_function

        else:

            async def awaited_method(self: Any, /, *arguments: Any, **keywords: Any) -> Any:
                return await arun(self, arguments, keywords)

            def plain_method(self: Any, /, *arguments: Any, **keywords: Any) -> Any:
                return run(self, arguments, keywords)

            wrapper = awaited_method if self.is_async else plain_method

        made: Any = wraps(self.function)(wrapper)
        made.__nitro_command__ = self
        return made

    def _call(self, target: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        key = self._key(arguments, keywords) if self.idempotent else None
        if self._takes or arguments or keywords:
            arguments, keywords = self.signature.validated(arguments, keywords, target)
        if self.binds != "none":
            arguments = (target, *arguments)
        if key is not None or self._is_guarded:
            return self._repeated(target, arguments, keywords, key)
        entered = entering(is_async=False)
        with entered as unit:
            new = _met(unit, target, arguments, keywords)
            if self.kind == "query":
                before, others = self._begun(unit)
                try:
                    result = self.function(*arguments, **keywords)
                finally:
                    unit.query = others
                self._check_unchanged(unit, before, is_over=entered is unit)
            else:
                result = self.function(*arguments, **keywords)
                changed = _to_save(unit, target, new)
                if len(changed) == 1 and entered is unit and is_alone(unit, changed[0]):
                    repository_of(type(changed[0])).save(changed[0])
                    # Nothing is left that could fail, and have it taken back.
                    unit.met.clear()
                else:
                    for entity in changed:
                        entity.save()
        return result

    async def _acall(self, target: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        key = self._key(arguments, keywords) if self.idempotent else None
        if self._takes or arguments or keywords:
            arguments, keywords = self.signature.validated(arguments, keywords, target)
        if self.binds != "none":
            arguments = (target, *arguments)
        if key is not None or self._is_guarded:
            return await self._arepeated(target, arguments, keywords, key)
        entered = entering(is_async=True)
        async with entered as unit:
            new = _met(unit, target, arguments, keywords)
            if self.kind == "query":
                before, others = self._begun(unit)
                try:
                    result = await self.function(*arguments, **keywords)
                finally:
                    unit.query = others
                self._check_unchanged(unit, before, is_over=entered is unit)
            else:
                result = await self.function(*arguments, **keywords)
                changed = _to_save(unit, target, new)
                if len(changed) == 1 and entered is unit and is_alone(unit, changed[0]):
                    try:
                        await repository_of(type(changed[0])).asave(changed[0])
                    except asyncio.CancelledError:
                        if _core.version(changed[0]) and not _core.is_changed(changed[0]):
                            # It is stored nevertheless.
                            unit.met.clear()
                        raise
                    unit.met.clear()
                else:
                    for entity in changed:
                        await entity.asave()
        return result

    # --- Queries ---

    def _begun(self, unit: Unit) -> tuple[dict[int, dict[str, Any]], str | None]:
        """What was changed and not saved before, and what the unit was a query of before."""
        others, unit.query = unit.query, self.signature.title
        return {id(entity): _core.changes(entity) for entity in unit.changed()}, others

    def _check_unchanged(self, unit: Unit, before: dict[int, dict[str, Any]], *, is_over: bool) -> None:
        for entity in unit.changed():
            changed = _core.changes(entity)
            if changed != before.get(id(entity)):
                raise UnitOfWorkError(
                    f"{self.signature.title} is a query, and has changed {type(entity).__name__} "
                    f"{original_identity(entity)!r} ({', '.join(changed)}): make it a command, or leave that alone"
                )
            if is_over:
                # It was changed before, and not by what the unit is about.
                unit.leave(entity)

    # --- Again after a conflict, alone, and once for each key ---

    def _repeated(self, target: Any, arguments: tuple[Any, ...], keywords: dict[str, Any], key: _Key | None) -> Any:
        self._check_target(target, key)
        stored = self._stored(target, arguments, keywords)
        for attempt in attempts(self.retry if stored is not None else 0, (*arguments, *keywords.values())):
            with attempt:
                return self._guarded(target, arguments, keywords, key)
            time.sleep(attempt.pause)
            for entity in stored or ():
                Entity.refresh(entity)
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _arepeated(
        self, target: Any, arguments: tuple[Any, ...], keywords: dict[str, Any], key: _Key | None
    ) -> Any:
        self._check_target(target, key)
        stored = self._stored(target, arguments, keywords)
        for attempt in attempts(self.retry if stored is not None else 0, (*arguments, *keywords.values())):
            with attempt:
                return await self._aguarded(target, arguments, keywords, key)
            await asyncio.sleep(attempt.pause)
            for entity in stored or ():
                await Entity.arefresh(entity)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _check_target(self, target: Any, key: _Key | None) -> None:
        """Whether what it is called on has a store, for a lock or a key."""
        if (self.lock or key is not None) and not isinstance(_class_of(target), EntityMeta):
            what, name = "lock" if self.lock else "idempotent", _class_of(target).__name__
            raise ConfigurationError(
                f"{self.signature.title} has {what}=True, and {name} is no entity, which would have a store for that: "
                "make it a method of an entity"
            )

    def _stored(self, target: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> list[Entity] | None:
        """The entities that are refreshed before the command runs anew; None where it cannot."""
        if not self.retry:
            return None
        if _is_entity(target) and not self.lock and not target.__nitro_versioned__:
            name = type(target).__name__
            raise ConfigurationError(
                f"{self.signature.title} has retry={self.retry}, and {name} has no versions, so nobody would notice "
                f"that two were in each other's way: declare {name} versioned=True, or the command lock=True"
            )
        given = _entities_in((*arguments, *keywords.values()))
        stored = [entity for entity in given if _core.version(entity)]
        # What was assigned before the call is stored nowhere, and would be lost.
        return None if any(map(_core.is_changed, stored)) else stored

    def _guarded(self, target: Any, arguments: tuple[Any, ...], keywords: dict[str, Any], key: _Key | None) -> Any:
        with entering(is_async=False) as unit:
            new = _met(unit, target, arguments, keywords)
            if self.lock and _core.version(target):
                # The unit has it locked to its end.
                with _store_of(target).locked(_class_of(target), original_identity(target)) as fresh:
                    _renewed(target, fresh)
            kept: CommandKey | None = None
            if key is not None:
                cls, digest = _class_of(target), self._digest(target, arguments, keywords, key)
                with acting(repository_of(cls)).command_key(cls, self._scope(cls), key.text, digest) as kept:
                    if kept.known is not None:
                        return found(self._recorded(kept, cls, key.text, digest))
            result = self.function(*arguments, **keywords)
            for entity in _to_save(unit, target, new):
                entity.save()
            if kept is not None:
                kept.record(self._text(result, _class_of(target)))
                unit.undo(kept.forget)
        return result

    async def _aguarded(
        self, target: Any, arguments: tuple[Any, ...], keywords: dict[str, Any], key: _Key | None
    ) -> Any:
        async with entering(is_async=True) as unit:
            new = _met(unit, target, arguments, keywords)
            if self.lock and _core.version(target):
                async with _store_of(target).alocked(_class_of(target), original_identity(target)) as fresh:
                    _renewed(target, fresh)
            kept: CommandKey | None = None
            if key is not None:
                cls, digest = _class_of(target), self._digest(target, arguments, keywords, key)
                async with acting(repository_of(cls)).acommand_key(cls, self._scope(cls), key.text, digest) as kept:
                    if kept.known is not None:
                        return await afound(self._recorded(kept, cls, key.text, digest))
            result = await self.function(*arguments, **keywords)
            for entity in _to_save(unit, target, new):
                await entity.asave()
            if kept is not None:
                await kept.arecord(self._text(result, _class_of(target)))
                unit.undo(kept.forget)
        return result

    # --- What is recorded of an idempotent command ---

    def _key(self, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> _Key | None:
        """Takes the key from the arguments of a call; None where it gives none.

        Raises:
            pydantic.ValidationError: If it cannot be one.
        """
        key = keywords.pop(KEY, None)
        if key is None:
            return None
        return _Key(key_text(self.signature.title, key), self.signature.given(arguments, keywords))

    def _scope(self, cls: Any) -> str:
        """What its keys are kept under: no two commands share them, nor do two classes."""
        return f"{cls.__module__}.{cls.__qualname__}: {self.function.__qualname__}"

    def _digest(self, target: Any, arguments: tuple[Any, ...], keywords: dict[str, Any], key: _Key) -> str:
        """What tells calls with the same arguments from others; the entity is an argument."""
        named = self.signature.named(arguments[1:], keywords)
        for name in self.signature.made_anew - key.given:
            named.pop(name, None)
        try:
            whole = json.dumps(canonical([target if _is_entity(target) else None, named]))
        except PydanticSerializationError as error:
            raise ConfigurationError(
                f"{self.signature.title} has idempotent=True and an argument that is no JSON ({error}): "
                "take a key or a model in its place"
            ) from error
        return hashlib.sha256(whole.encode()).hexdigest()

    def _recorded(self, kept: CommandKey, cls: Any, key: str, digest: str) -> Any:
        """What the call before gave, with keys where it gave entities."""
        assert kept.known is not None, "somebody has used the key"
        arguments, result = kept.known
        if arguments != digest:
            raise KeyReused(self.signature.title, key)
        try:
            return self._result(cls).validate_json(result)
        except ValidationError as error:
            raise ConfigurationError(
                f"what {self.signature.title} gave for idempotency_key={key!r} was recorded, and is not what its "
                f"annotation says now ({error.errors(include_url=False)[0]['msg']}): call it with another key"
            ) from error

    def _text(self, result: Any, cls: Any) -> str:
        what = self._result(cls)
        try:
            if isinstance(result, Iterator):
                raise PydanticSerializationError("it is an iterator, which can be read only once: give a list")
            text = what.dump_json(result, warnings=False).decode()
            # The next call is to find what it expects.
            what.validate_json(text)
        except (PydanticSerializationError, ValidationError) as error:
            why = error.errors(include_url=False)[0]["msg"] if isinstance(error, ValidationError) else error
            raise ConfigurationError(
                f"{self.signature.title} has idempotent=True, and what it gave cannot be recorded as JSON by its "
                f"annotation: {why}"
            ) from error
        return text

    def _result(self, cls: Any) -> TypeAdapter[Any]:
        known = self._results.get(cls)
        if known is None:
            known = self._results[cls] = TypeAdapter(by_key(self.signature.returns(cls), cls))
        return known


def _bound_to(function: FunctionType) -> Binds:
    """What a function that is no classmethod yet will be called on."""
    first = next(iter(signature_no_eval(function).parameters.values()), None)
    if first is None:
        return "none"
    if first.name in ("self", "cls"):
        return "instance" if first.name == "self" else "class"
    scope = function.__qualname__.rpartition(".")[0]
    is_method = bool(scope) and not scope.endswith("<locals>")
    return "instance" if is_method and first.annotation is inspect.Parameter.empty else "none"


def _store_of(entity: Entity) -> Repository:
    return acting(repository_of(type(entity)))


def _class_of(target: Any) -> Any:
    return target if target is None or isinstance(target, type) else type(target)


def _is_entity(value: Any) -> TypeGuard[Entity]:
    # isinstance(value, Entity) is slow: pydantic's metaclass has a say in it.
    return isinstance(type(value), EntityMeta)


def _met(unit: Unit, target: Any, arguments: Iterable[Any], keywords: dict[str, Any]) -> Entity | None:
    """Lets the unit of work meet the entities of a call, which are put back to what they are now when it fails.

    Gives the entity that the call is about, if it is a new one.
    """
    new: Entity | None = None
    for value in (*arguments, *keywords.values()) if keywords else arguments:
        if isinstance(type(value), EntityMeta):
            unit.arrive(value)
            if value is target and not _core.version(value):
                new = value
        elif isinstance(value, _HOLDERS):
            for entity in _entities_in(cast("tuple[Any]", (value,))):
                unit.arrive(entity)
    return new


def _to_save(unit: Unit, target: Any, new: Entity | None) -> list[Entity]:
    """What a command has changed, the entity itself first: others may refer to it."""
    changed: list[Entity] = []
    # No comprehension: on Python 3.11 that is a function of its own.
    for entity, _ in unit.met.values():
        if _core.is_changed(entity) and _core.version(entity):
            changed.append(entity)
    if new is not None and (not _core.version(new) or _core.is_changed(new)):
        return [new, *(entity for entity in changed if entity is not new)]
    if len(changed) > 1:
        changed.sort(key=lambda entity: entity is not target)
    return changed


def _entities_in(values: Iterable[Any]) -> Iterator[Entity]:
    for value in values:
        if _is_entity(value):
            yield value
        elif isinstance(value, dict):
            yield from _entities_in(cast("dict[Any, Any]", value).values())
        elif isinstance(value, _HOLDERS):
            yield from _entities_in(cast("Iterable[Any]", value))


def _renewed(target: Entity, fresh: Entity) -> None:
    """Gives the entity that is locked what is stored of it, if the unit of work knows another object for it."""
    if fresh is not target and not _core.is_changed(target):
        renew(target, fresh.__deepcopy__())
        relations.forget(target)
