"""What pydantic answers is the expected answer: one test body, run on pydantic's base class and on Nitro's.

A body is a generator that takes a base class and yields answers. `as_pydantic_does` makes a test of it
that runs it on pydantic's class and on Nitro's, and compares the answers one by one.
"""

import enum
import functools
import inspect
import re
import types
import warnings
from collections.abc import Callable, Iterator
from itertools import zip_longest
from typing import Any
from uuid import uuid4

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

import nitro

Body = Callable[[Any], Iterator[Any]]


def _made_id() -> str:
    text = str(uuid4())
    return f"{text[:14]}7{text[15:]}"


class PydanticEntity(BaseModel):
    """What an Entity is to pydantic: a model with an id, whose assignments are validated."""

    model_config = ConfigDict(validate_assignment=True)

    id: str = Field(default_factory=_made_id)


class PydanticValueObject(BaseModel):
    """What a ValueObject is to pydantic."""

    model_config = ConfigDict(frozen=True)


class PydanticValidatedModel(BaseModel):
    model_config = ConfigDict(validate_assignment=True)


class ValidatedModel(nitro.Model):
    model_config = ConfigDict(validate_assignment=True)


#: Nitro's base class and the one of pydantic that it must equal, by name.
PAIRS: dict[str, tuple[type[BaseModel], type[BaseModel]]] = {
    "Model": (nitro.Model, BaseModel),
    "validated Model": (ValidatedModel, PydanticValidatedModel),
    "Entity": (nitro.Entity, PydanticEntity),
    "ValueObject": (nitro.ValueObject, PydanticValueObject),
}

ORDINARY = ("Model", "validated Model", "Entity")

#: The names of the classes above differ from side to side, and every generated id differs.
_BASES = re.compile(
    r"\b(Pydantic(Entity|ValueObject|ValidatedModel)|BaseModel|ValidatedModel|Entity|ValueObject|Model"
    r"|ModelMetaclass|ModelMeta|EntityMeta)\b"
)
_METHOD = re.compile(r"<(?:function|method) [^<>]*>")
_ADDRESS = re.compile(r"0x[0-9a-f]{6,}|(?<=with id=)\d+")
_GENERATED = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def as_pydantic_does(body: Body | None = None, *, on: tuple[str, ...] = ORDINARY) -> Any:
    """A test that the body gives the same answers on Nitro's base classes as on pydantic's.

    Args:
        body: A generator function of one argument, the base class.
        on: Which pairs of base classes it runs on.
    """
    if body is None:
        return functools.partial(as_pydantic_does, on=on)

    @pytest.mark.parametrize("base", on)
    def test(base: str) -> None:
        ours, theirs = PAIRS[base]
        expected = [described(answer) for answer in body(theirs)]
        assert expected, "the body gives answers"
        found = [described(answer) for answer in body(ours)]
        lines = _yielding_lines(body)
        for number, (wanted, got) in enumerate(zip_longest(expected, found)):
            line = lines[number] if len(lines) == len(expected) else ""
            assert got == wanted, f"answer {number}: {line}"

    return functools.update_wrapper(
        test, body, assigned=("__name__", "__qualname__", "__module__", "__doc__"), updated=()
    )


def _yielding_lines(body: Body) -> list[str]:
    return [line.strip() for line in inspect.getsource(body).splitlines() if line.strip().startswith("yield")]


def refusal(action: Callable[..., Any], *arguments: Any, **keywords: Any) -> BaseException:
    """The exception that the action raises; it must raise one."""
    try:
        result = action(*arguments, **keywords)
    except Exception as error:  # noqa: BLE001 - whatever is raised is the answer
        return error
    raise AssertionError(f"nothing was raised, the result is {result!r}")


def with_warnings(action: Callable[..., Any], *arguments: Any, **keywords: Any) -> tuple[Any, list[Any]]:
    """What the action gives or raises, and its warnings in order."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = action(*arguments, **keywords)
        except Exception as error:  # noqa: BLE001 - whatever is raised is the answer
            result = error
    return result, [(warning.category.__name__, str(warning.message)) for warning in caught]


def described(value: Any, above: tuple[int, ...] = ()) -> Any:
    """Plain data that is equal for two values exactly when no user could tell them apart, classes aside."""
    if id(value) in above:
        return "a cycle", len(above) - above.index(id(value))
    above = (*above, id(value))
    match value:
        case str():
            return type(value).__name__, _plain(value)
        case enum.Enum():
            return type(value).__name__, value.name
        case BaseModel():
            slots = ("__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__")
            return (
                _plain(type(value).__name__),
                [(name, described(item, above)) for name, item in value.__dict__.items()],
                [described(getattr(value, slot, "nothing"), above) for slot in slots],
            )
        case dict():
            return type(value).__name__, [(described(k, above), described(v, above)) for k, v in value.items()]
        case list() | tuple():
            return type(value).__name__, [described(item, above) for item in value]
        case set() | frozenset():
            return type(value).__name__, sorted((described(item, above) for item in value), key=repr)
        case ValidationError():
            details = value.errors(include_url=False)
            return "ValidationError", _plain(value.title), described(details, above), _plain(str(value))
        case BaseException():
            return type(value).__name__, _plain(str(value))
        case type():
            return "class", _plain(value.__name__)
        case types.FunctionType() | types.MethodType():
            return "function", value.__qualname__
    return type(value).__name__, _plain(repr(value))


def _plain(text: str) -> str:
    text = _METHOD.sub("<method>", _GENERATED.sub("<id>", text))
    return _BASES.sub("<base>", _ADDRESS.sub("<address>", text))
