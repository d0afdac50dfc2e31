"""The parameters of a function: what their annotations say, made into something that validates arguments."""

from __future__ import annotations

import inspect
import sys
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from inspect import CO_OPTIMIZED
from inspect import Parameter as Inspected
from types import FrameType, FunctionType
from typing import Annotated, Any, ForwardRef, Literal, cast, get_args, get_origin

from pydantic import ConfigDict
from pydantic._internal._model_construction import build_lenient_weakvaluedict, unpack_lenient_weakvaluedict
from pydantic._internal._typing_extra import signature_no_eval
from pydantic.errors import PydanticUndefinedAnnotation
from pydantic.experimental.arguments_schema import generate_arguments_schema
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import ArgsKwargs, PydanticCustomError, PydanticUndefined, SchemaValidator, ValidationError
from pydantic_core.core_schema import ErrorType

from ..errors import ConfigurationError

#: A parameter may be anything: what pydantic has no schema for is looked at by isinstance.
_CONFIG = ConfigDict(arbitrary_types_allowed=True)

_KINDS: dict[Any, Literal["any", "positional", "keyword", "arguments", "keywords"]] = {
    Inspected.POSITIONAL_ONLY: "positional",
    Inspected.POSITIONAL_OR_KEYWORD: "any",
    Inspected.KEYWORD_ONLY: "keyword",
    Inspected.VAR_POSITIONAL: "arguments",
    Inspected.VAR_KEYWORD: "keywords",
}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a command, of those after `self` or `cls`."""

    name: str
    #: What is annotated, with the names in quotes resolved; Any where nothing is.
    annotation: Any
    #: How it is given: by its place or its name, by one of the two alone, or as one of any number.
    kind: Literal["any", "positional", "keyword", "arguments", "keywords"]
    #: Whether every call has to give it.
    required: bool
    #: What it is when a call leaves it out; None also where it is required, or made anew for each call.
    default: Any = None
    #: What `Annotated[..., Field(description=...)]` says.
    description: str | None = None


class Signature:
    """The parameters of a function. They are compiled once: at once, or, where annotations are texts or name what is
    not there yet, when they are first needed.

    Args:
        function: The function.
        title: What it is called in errors, as "Order.place".
        skips: How many of its first parameters are somebody else's: 1 for `self`.
    """

    def __init__(self, function: FunctionType, *, title: str, skips: int) -> None:
        self.function = function
        self.title = title
        self._inspected = list(signature_no_eval(function).parameters.values())[skips:]
        #: The names of the parameters.
        self.names = tuple(parameter.name for parameter in self._inspected)
        self._around = _names_around()
        self._validator: SchemaValidator | None = None
        self._schema: Any = None
        self._parameters: dict[str, Parameter] = {}
        #: The names of those whose default is made anew for each call.
        self.made_anew: frozenset[str] = frozenset()
        if not any(map(_names_something, self.annotations().values())):
            try:
                self._compile(None, is_late=False)
            except (NameError, PydanticUndefinedAnnotation):
                self._validator = None

    def validated(
        self, arguments: tuple[Any, ...], keywords: dict[str, Any], owner: Any = None
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments of a call, converted to what the annotations say.

        Args:
            arguments: Those that are given by their places.
            keywords: Those that are given by their names.
            owner: The class that the function is a method of, or an instance of it; None for a function.

        Raises:
            pydantic.ValidationError: If they are not valid; each `loc` begins with the name of the argument.
            ConfigurationError: If an annotation names what is not there.
        """
        validator = self._validator
        if validator is None:
            validator = self.compiled(owner if owner is None or isinstance(owner, type) else type(owner))
        try:
            return validator.validate_python(ArgsKwargs(arguments, keywords or None))
        except ValidationError as error:
            raise self._named(error) from None

    def given(self, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> set[str]:
        """The names of what a call gives."""
        return {*self._places()[: len(arguments)], *keywords}

    def named(self, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> dict[str, Any]:
        """{name of a parameter: what it is} of a call, once its arguments are valid."""
        return inspect.Signature(self._inspected).bind(*arguments, **keywords).arguments

    def _places(self) -> list[str]:
        return [one.name for one in self._inspected if _KINDS[one.kind] in ("positional", "any")]

    def _named(self, error: ValidationError) -> ValidationError:
        """The same error, with the names of arguments that were given by their places."""
        places = self._places()
        rest = self._name_of(Inspected.VAR_POSITIONAL)
        lines: list[Any] = []
        for line in error.errors(include_url=False):
            path, kind, context = line["loc"], line["type"], line.get("ctx")
            place = path[0] if path else None
            if isinstance(place, int) and place < len(places):
                path = (places[place], *path[1:])
            elif isinstance(place, int) and rest is not None:
                path = (rest, place - len(places), *path[1:])
            named = kind if kind in _error_types() else PydanticCustomError(cast("Any", kind), cast("Any", line["msg"]))
            lines.append({"type": named, "loc": path, "input": line["input"], "ctx": context or {}})
        return ValidationError.from_exception_data(self.title, lines)

    def _name_of(self, kind: Any) -> str | None:
        return next((one.name for one in self._inspected if one.kind is kind), None)

    # --- For others to read ---

    def parameters(self, owner: type | None = None) -> dict[str, Parameter]:
        """{name: parameter}, in their order."""
        self.compiled(owner)
        return self._parameters

    def returns(self, owner: type | None = None) -> Any:
        """What the function says that it gives; Any where it says nothing."""
        return self._resolved({"return": self.annotations().get("return", Any)}, owner, is_late=True)["return"]

    def json_schema(self, owner: type | None = None) -> dict[str, Any]:
        """The JSON schema of an object that has every argument by its name."""
        self.compiled(owner)
        whole = self._schema
        inner: Any = whole["schema"] if whole["type"] == "definitions" else whole
        named = [{**argument, "mode": "keyword_only"} for argument in inner["arguments_schema"]]
        rest = self._name_of(Inspected.VAR_POSITIONAL)
        if rest is not None:
            every: Any = {"type": "list", "items_schema": inner["var_args_schema"]}
            optional: Any = {"type": "default", "schema": every, "default": []}
            named.append({"name": rest, "mode": "keyword_only", "schema": optional})
        schema = {key: value for key, value in inner.items() if key != "var_args_schema"} | {"arguments_schema": named}
        return GenerateJsonSchema().generate(cast("Any", schema if inner is whole else {**whole, "schema": schema}))

    # --- How it is made ---

    def compiled(self, owner: type | None = None) -> SchemaValidator:
        """What validates.

        Raises:
            ConfigurationError: If an annotation names what is not there.
        """
        return self._validator or self._compile(owner, is_late=True)

    def _compile(self, owner: type | None, *, is_late: bool) -> SchemaValidator:
        annotations = self.annotations()
        wanted = {one.name: annotations[one.name] for one in self._inspected if one.name in annotations}
        resolved = self._resolved(wanted, owner, is_late=is_late)
        stand_in: Any = self._stand_in(resolved)
        stand_in.__signature__ = inspect.Signature(
            [one.replace(annotation=resolved.get(one.name, Inspected.empty)) for one in self._inspected]
        )
        schema = generate_arguments_schema(stand_in, "arguments", config=_CONFIG)
        self._parameters = {one.name: _described(one, resolved.get(one.name, Any)) for one in self._inspected}
        infos = {one.name: _info(one, resolved.get(one.name, Any)) for one in self._inspected}
        self.made_anew = frozenset(name for name, info in infos.items() if info.default_factory is not None)
        self._schema = schema
        self._validator = SchemaValidator(schema, {"title": self.title})
        return self._validator

    def annotations(self) -> dict[str, Any]:
        """What is annotated, as it is written."""
        if sys.version_info >= (3, 14):
            import annotationlib

            return annotationlib.get_annotations(self.function, format=annotationlib.Format.FORWARDREF)
        return self.function.__annotations__

    def _resolved(self, annotations: Mapping[str, Any], owner: type | None, *, is_late: bool) -> dict[str, Any]:
        names: dict[str, Any] = dict(unpack_lenient_weakvaluedict(self._around) or {})
        if owner is not None:
            owner = _defining(owner, self.function)
            names |= unpack_lenient_weakvaluedict(getattr(owner, "__pydantic_parent_namespace__", None)) or {}
            names[owner.__name__] = owner
        for scope in (owner, self.function):
            names |= {one.__name__: one for one in getattr(scope, "__type_params__", ())}
        stand_in, everywhere = self._stand_in(annotations), self.function.__globals__
        try:
            return typing.get_type_hints(stand_in, everywhere, names, include_extras=True)
        except NameError:
            if not is_late:
                raise
        # The function that calls may have made a class since.
        names |= _frame_outside().f_locals
        try:
            return typing.get_type_hints(stand_in, everywhere, names, include_extras=True)
        except NameError as error:
            raise ConfigurationError(
                f"the annotations of {self.title} name {error.name!r}, which is not there: "
                f"define or import it in {self.function.__module__} before the first call"
            ) from error

    def _stand_in(self, annotations: Mapping[str, Any]) -> FunctionType:
        """A function of the same name and place, for what looks at functions."""

        def stand_in() -> None: ...

        stand_in.__annotations__ = dict(annotations)
        stand_in.__module__ = self.function.__module__
        stand_in.__qualname__ = stand_in.__name__ = self.title
        return stand_in


@lru_cache(maxsize=1)
def _error_types() -> frozenset[str]:
    return frozenset(get_args(ErrorType))


def _described(parameter: Inspected, annotation: Any) -> Parameter:
    kind = _KINDS[parameter.kind]
    if kind in ("arguments", "keywords"):
        return Parameter(parameter.name, annotation, kind, False)
    info = _info(parameter, annotation)
    default = None if info.default is PydanticUndefined else info.default
    return Parameter(parameter.name, annotation, kind, info.is_required(), default, info.description)


def _info(parameter: Inspected, annotation: Any) -> FieldInfo:
    if parameter.default is Inspected.empty:
        return FieldInfo.from_annotation(annotation)
    return FieldInfo.from_annotated_attribute(annotation, parameter.default)


def _names_something(annotation: Any) -> bool:
    """Whether an annotation has a name in quotes anywhere."""
    if isinstance(annotation, str | ForwardRef):
        return True
    origin = get_origin(annotation)
    if origin is Literal:
        return False
    inside = get_args(annotation)[:1] if origin is Annotated else get_args(annotation)
    return any(map(_names_something, inside))


def _defining(owner: type, function: FunctionType) -> type:
    """The class of which a function is a method, of a class and its bases: annotations name what is known there."""
    name = function.__qualname__.rpartition(".")[0].rpartition(".")[2]
    return next(
        (base for base in owner.__mro__ if base.__name__ == name and base.__module__ == function.__module__), owner
    )


def _frame_outside() -> FrameType:
    """The nearest frame that is not of Nitro."""
    frame = sys._getframe(1)
    while frame.f_back is not None and str(frame.f_globals.get("__name__")).startswith("nitro."):
        frame = frame.f_back
    return frame


def _names_around() -> dict[str, Any] | None:
    """What annotations may name besides what a module has, where a class or a function is defined in another one."""
    frame: FrameType | None = _frame_outside()
    scopes: list[dict[str, Any]] = []
    while frame is not None and frame.f_code.co_name != "<module>":
        scopes.append(frame.f_locals)
        if frame.f_code.co_flags & CO_OPTIMIZED and not frame.f_code.co_name.startswith("<generic parameters"):
            # A function; what called it is another matter. What it is inside of is the class body below.
            break
        frame = frame.f_back
    return build_lenient_weakvaluedict({name: value for scope in reversed(scopes) for name, value in scope.items()})
