"""The suite finds what it is for: deliberately broken stand-ins for Model do not pass it.

Each stand-in is pydantic's own BaseModel with one fault. A stand-in with all the same hooks and no
fault passes the script that found the fault, so it is the fault that is found, and not the hooks.
"""

import copy
import json
import math
import re
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError
from pydantic._internal._model_construction import ModelMetaclass

from .budget import WEIGHTS, compare
from .classes import WRITTEN
from .comparison import Case, Difference, check
from .scripts import class_of
from .subjects import PYDANTIC, Library, pairs_of, reference_decode, reference_encode

# Calling an abstract class fails sooner with a hook, when keys are no strings.
CASES = tuple(c for c in WRITTEN if class_of(c) is not None and c.name != "still abstract")

# --- the hooks -------------------------------------------------------------------------------------


def named_like_pydantics(metaclass: type) -> type:
    """Error messages name the type of a class, which is no fault."""
    metaclass.__name__, metaclass.__qualname__ = ModelMetaclass.__name__, ModelMetaclass.__qualname__
    return metaclass


@named_like_pydantics
class HookedMeta(ModelMetaclass):
    """Lets a stand-in tamper with what the call of a class made."""

    def __call__(cls, /, *arguments: Any, **values: Any) -> Any:
        made = super().__call__(*arguments, **values)
        if isinstance(made, Hooked):
            cls.tamper(made, values)
        return made

    def tamper(cls, made: Any, values: dict[str, Any]) -> None:
        pass


class Hooked(BaseModel, metaclass=HookedMeta):
    """BaseModel with every hook that the faults use, and no fault."""

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)

    def model_dump(self, **options: Any) -> Any:
        return super().model_dump(**options)

    def model_dump_json(self, **options: Any) -> Any:
        return super().model_dump_json(**options)

    def model_copy(self, **options: Any) -> Any:
        return super().model_copy(**options)

    def __setstate__(self, state: Any) -> None:
        super().__setstate__(state)

    def __eq__(self, other: Any) -> bool:
        return super().__eq__(other)


def library(model: type[BaseModel], **parts: Any) -> Library:
    return replace(PYDANTIC, name=model.__name__, model=model, **parts)


def tampered(tamper: Callable[[Any, dict[str, Any]], None]) -> Library:
    """A stand-in whose construction from keywords goes wrong."""

    @named_like_pydantics
    class Meta(HookedMeta):
        def tamper(cls, made, values):
            tamper(made, values)

    class Tampered(Hooked, metaclass=Meta):
        pass

    return library(Tampered)


# --- the faults ------------------------------------------------------------------------------------


def given_fields(made: Any, values: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """(name, value that was given, value that was stored) of fields that keep their name."""
    return [
        (name, values[name], vars(made)[name])
        for name in type(made).__pydantic_fields__
        if name in values and name in vars(made)
    ]


def keep_if(condition: Callable[[Any, Any], bool]) -> Callable[[Any, dict[str, Any]], None]:
    """The value that was given is kept instead of the validated one."""

    def tamper(made, values):
        for name, value, stored in given_fields(made, values):
            if condition(value, stored):
                vars(made)[name] = value

    return tamper


def share_defaults(made, values):
    for name, field in type(made).__pydantic_fields__.items():
        if name not in values and type(field.default) is list:
            vars(made)[name] = field.default


def lose_fields_set(made, values):
    made.__pydantic_fields_set__.clear()


def count_fields_in_64_bits(made, values):
    late = list(type(made).__pydantic_fields__)[64:]
    made.__pydantic_fields_set__.difference_update(late)


def order_as_given(made, values):
    fields = {name: vars(made).pop(name) for name in list(vars(made)) if name in values}
    vars(made).update({name: fields[name] for name in values if name in fields})


def lose_zero_sign(made, values):
    for name, value in vars(made).items():
        if type(value) is float and value == 0 and math.copysign(1, value) < 0:
            vars(made)[name] = 0.0


def lose_fold(made, values):
    for name, value in vars(made).items():
        if hasattr(value, "fold"):
            vars(made)[name] = value.replace(fold=0)


def call_factories_twice(made, values):
    for name, field in type(made).__pydantic_fields__.items():
        if name not in values and field.default_factory and not field.default_factory_takes_validated_data:
            field.default_factory()


def empty_the_input(made, values):
    for value in values.values():
        if type(value) is list:
            value.clear()


@named_like_pydantics
class AcceptsNotANumber(HookedMeta):
    """A Decimal that is no number gets in, as in a fast lane that looks at the type alone."""

    def __call__(cls, /, *arguments, **values):
        try:
            return super().__call__(*arguments, **values)
        except ValidationError as error:
            if all(detail["type"] == "finite_number" for detail in error.errors()):
                return cls.model_construct(**values)
            raise


class NotANumber(Hooked, metaclass=AcceptsNotANumber):
    pass


@named_like_pydantics
class WrongPlace(HookedMeta):
    def __call__(cls, /, *arguments, **values):
        try:
            return super().__call__(*arguments, **values)
        except ValidationError as error:
            details = [{**d, "loc": d["loc"][:1]} for d in error.errors(include_url=False)]
            known = [d for d in details if "error" not in d.get("ctx", {})]
            raise ValidationError.from_exception_data(error.title, known) from None


class ErrorsWithoutPlace(Hooked, metaclass=WrongPlace):
    pass


@named_like_pydantics
class Silent(HookedMeta):
    def __new__(mcs, *arguments, **options):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return super().__new__(mcs, *arguments, **options)


class SilentDefinition(Hooked, metaclass=Silent):
    pass


class HalfAssigned(Hooked):
    """A failed assignment leaves the new value behind."""

    def __setattr__(self, name, value):
        try:
            super().__setattr__(name, value)
        except ValidationError:
            vars(self)[name] = value
            raise


class AssignmentNotCounted(Hooked):
    """An assigned field does not count as set."""

    def __setattr__(self, name, value):
        before = set(self.__pydantic_fields_set__)
        super().__setattr__(name, value)
        if name in type(self).__pydantic_fields__:
            self.__pydantic_fields_set__.intersection_update(before)


class AssignmentKeepsInput(Hooked):
    """An assigned list is kept instead of copied."""

    def __setattr__(self, name, value):
        super().__setattr__(name, value)
        if type(value) is list and name in type(self).__pydantic_fields__:
            vars(self)[name] = value


class DumpGivesOwnLists(Hooked):
    """What is dumped is not a copy."""

    def model_dump(self, **options):
        dumped = super().model_dump(**options)
        if isinstance(dumped, dict):
            return {
                name: vars(self)[name] if value == vars(self).get(name) and type(value) is list else value
                for name, value in dumped.items()
            }
        return dumped


class DumpWithoutWarnings(Hooked):
    def model_dump(self, **options):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return super().model_dump(**options)


class DumpRemembers(Hooked):
    """A second dump answers as the first did."""

    def model_dump(self, **options):
        if options:
            return super().model_dump(**options)
        key = (id(self), str(vars(self).keys()))
        if key not in _remembered:
            _remembered[key] = (self, super().model_dump())
        return copy.copy(_remembered[key][1])


_remembered: dict[Any, Any] = {}


class DumpIgnoresUnset(Hooked):
    def model_dump(self, **options):
        return super().model_dump(**{**options, "exclude_unset": False})


class JsonInAscii(Hooked):
    def model_dump_json(self, **options):
        return super().model_dump_json(**{"ensure_ascii": True, **options})


class JsonFloats(Hooked):
    """Large floats get another spelling."""

    def model_dump_json(self, **options):
        return re.sub(r"(\d)e\+?(\d)", r"\1e+\2", super().model_dump_json(**options))


class CopySharesFieldsSet(Hooked):
    def model_copy(self, **options):
        made = super().model_copy(**options)
        if not options:
            object.__setattr__(made, "__pydantic_fields_set__", self.__pydantic_fields_set__)
        return made


class PickleLosesFieldsSet(Hooked):
    def __setstate__(self, state):
        super().__setstate__({**state, "__pydantic_fields_set__": set(state["__dict__"])})


class EqualToAnyClass(Hooked):
    def __eq__(self, other):
        return isinstance(other, BaseModel) and vars(self) == vars(other)


class NoAttributeErrors(Hooked):
    """Deleting a field gives its default back."""

    def __getattr__(self, name):
        field = type(self).__pydantic_fields__.get(name)
        return field.default if field and not field.is_required() else super().__getattr__(name)


@named_like_pydantics
class IgnoresExtra(HookedMeta):
    def __call__(cls, /, *arguments, **values):
        if cls.model_config.get("extra") == "forbid":
            values = {name: values[name] for name in values if name in cls.__pydantic_fields__}
        return super().__call__(*arguments, **values)


class ForbidsNothing(Hooked, metaclass=IgnoresExtra):
    pass


class MendsText(Hooked):
    """Bytes that are not UTF-8 are mended."""

    @classmethod
    def model_validate_json(cls, json_data, **options):
        if isinstance(json_data, bytes):
            json_data = json_data.decode("utf-8", "replace")
        return super().model_validate_json(json_data, **options)


class ReadsThroughPython(Hooked):
    """JSON is read by Python's parser, which knows other rules."""

    @classmethod
    def model_validate_json(cls, json_data, **options):
        try:
            data = json.loads(bytes(json_data) if not isinstance(json_data, str) else json_data)
        except (ValueError, RecursionError, TypeError):
            return super().model_validate_json(json_data, **options)
        return cls.model_validate(data, **options)


class FirstKeyWins(Hooked):
    """Of duplicate keys the first is taken."""

    @classmethod
    def model_validate_json(cls, json_data, **options):
        try:
            pairs = json.loads(json_data, object_pairs_hook=lambda pairs: dict(reversed(pairs)))
            text = json.dumps(pairs, ensure_ascii=False)
        except (ValueError, RecursionError, TypeError):
            return super().model_validate_json(json_data, **options)
        return super().model_validate_json(text, **options)


def spaced_encode(value: Any) -> bytes:
    return reference_encode(value).replace(b",", b", ")


def trusting_decode(kind: Any, data: Any) -> Any:
    try:
        return reference_decode(kind, data)
    except ValidationError:
        return []


FAULTS: dict[str, tuple[Library, str]] = {
    "keeps subclasses of int": (
        tampered(keep_if(lambda value, stored: isinstance(value, int) and type(value) is not type(stored))),
        "constructing",
    ),
    "keeps subclasses of str": (
        tampered(keep_if(lambda value, stored: isinstance(value, str) and type(value) is not type(stored))),
        "constructing",
    ),
    "keeps an int for a float": (
        tampered(keep_if(lambda value, stored: type(value) is int and type(stored) is float)),
        "constructing",
    ),
    "keeps 1 for True": (
        tampered(keep_if(lambda value, stored: type(value) is int and type(stored) is bool)),
        "constructing",
    ),
    "keeps the list that was given": (
        tampered(keep_if(lambda value, stored: type(value) is list and type(stored) is list)),
        "constructing",
    ),
    "keeps the dict that was given": (
        tampered(keep_if(lambda value, stored: type(value) is dict and type(stored) is dict)),
        "constructing",
    ),
    "shares default lists": (tampered(share_defaults), "living"),
    "loses the fields set": (tampered(lose_fields_set), "constructing"),
    "counts fields in 64 bits": (tampered(count_fields_in_64_bits), "constructing"),
    "orders fields as given": (tampered(order_as_given), "constructing"),
    "loses the sign of zero": (tampered(lose_zero_sign), "constructing"),
    "loses the fold of a time": (tampered(lose_fold), "constructing"),
    "calls factories twice": (tampered(call_factories_twice), "constructing"),
    "empties the input": (tampered(empty_the_input), "constructing"),
    "accepts Decimals that are no number": (library(NotANumber), "constructing"),
    "says the wrong place of an error": (library(ErrorsWithoutPlace), "constructing"),
    "swallows warnings of the definition": (library(SilentDefinition), "constructing"),
    "lets in what is forbidden": (library(ForbidsNothing), "constructing"),
    "changes the object in a failed assignment": (library(HalfAssigned), "assigning"),
    "does not count an assigned field": (library(AssignmentNotCounted), "assigning"),
    "keeps the assigned list": (library(AssignmentKeepsInput), "assigning"),
    "gives its own lists in a dump": (library(DumpGivesOwnLists), "dumping"),
    "swallows warnings of a dump": (library(DumpWithoutWarnings), "dumping"),
    "dumps what was dumped before": (library(DumpRemembers), "living"),
    "dumps what is unset": (library(DumpIgnoresUnset), "dumping"),
    "dumps JSON in ASCII": (library(JsonInAscii), "dumping"),
    "dumps floats in another spelling": (library(JsonFloats), "dumping"),
    "shares the fields set with a copy": (library(CopySharesFieldsSet), "copying"),
    "loses the fields set in a pickle": (library(PickleLosesFieldsSet), "copying"),
    "is equal to objects of other classes": (library(EqualToAnyClass), "living"),
    "gives defaults for deleted fields": (library(NoAttributeErrors), "living"),
    "mends broken UTF-8": (library(MendsText), "reading_json"),
    "reads JSON as Python does": (library(ReadsThroughPython), "reading_json"),
    "takes the first of duplicate keys": (library(FirstKeyWins), "reading_json"),
    "encodes with spaces": (library(Hooked, encode=spaced_encode), "bulk"),
    "decodes anything": (library(Hooked, decode=trusting_decode), "bulk"),
}


def run_area(under_test: Library, area: str, examples: int) -> None:
    """The same generated examples each time; a Difference if any is found."""
    compared = pairs_of(under_test)[:2]  # Model, and Model with validated assignment
    for case in CASES:
        compare(case, area, compared, examples, repeatable=True, shrink=False)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found(fault: str) -> None:
    broken, area = FAULTS[fault]
    with pytest.raises(Difference) as caught:
        run_area(broken, area, examples=25)
    for pair in pairs_of(library(Hooked)):
        check(caught.value.case, pair, caught.value.script)


@pytest.mark.parametrize("area", WEIGHTS)
def test_pydantic_agrees_with_itself(area: str) -> None:
    run_area(PYDANTIC, area, examples=2)


def test_a_report_can_be_pasted() -> None:
    """The report of a difference holds a program that runs by itself."""
    case = Case("report", "class Case(Model):\n    a: Positive\n    b: Color = Color.RED\n")
    broken = tampered(lose_fields_set)
    with pytest.raises(Difference) as caught:
        check(case, pairs_of(broken)[0], ("subject = Case(a=1)", "subject.model_fields_set"))
    report = str(caught.value)
    assert report.startswith("model: subject.model_fields_set differs")
    program = report.partition("# --- paste from here\n")[2]
    assert program.rstrip().endswith("subject = Case(a=1)\nsubject.model_fields_set")
    namespace: dict[str, Any] = {"Model": BaseModel, "__name__": "pasted"}
    exec(program, namespace)  # noqa: S102 - the program is our own
    assert namespace["subject"].a == 1
