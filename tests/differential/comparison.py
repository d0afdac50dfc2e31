"""Runs a script about a class on both sides of a pair, and compares what happened.

Values are compared through ``freeze``, which turns one into plain tuples that tell everything that a
user could tell apart: types, order, the sign of zero, the fold of a time, which containers are one
and the same object. Two frozen values are equal exactly if no user could see a difference.
"""

import ast
import datetime
import decimal
import functools
import inspect
import itertools
import os
import re
import sys
import types
import uuid
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from . import vocabulary
from .known_differences import GENERATED_IDENTITY, known_difference
from .subjects import Pair, Side

_VOCABULARY = {name: value for name, value in vars(vocabulary).items() if name[:2] != "__"}
_ADDRESS = re.compile(r"0x[0-9a-f]{6,}|(?<=with id=)[0-9]+")
# pydantic shortens long inputs in the text of an error, and may do so in the middle of a generated id
_SHORTENED = re.compile(r"(?s)input_value=(?:(?!input_type=).)*?\.\.\.(?:(?!input_type=).)*, input_type=")
# what is wrong with a generated id may depend on its digits
_ABOUT_AN_ID = re.compile(r"(?m)^  [^\n\[]*(?= \[type=\w+, input_value='<generated id>')")
_NEEDED = {"subject", "many"}  # without these the rest of a script says nothing
_DEEPEST = 150


class Difference(AssertionError):
    """Nitro and pydantic gave different outcomes, at the last statement of the script."""

    def __init__(self, report: str, case: "Case", script: "Script") -> None:
        super().__init__(report)
        self.case = case
        self.script = script


# --- cases -----------------------------------------------------------------------------------------


Script = tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Case:
    """A class, as source that defines ``Case`` in terms of the vocabulary and ``Model``."""

    name: str
    source: str


_module_numbers = itertools.count()


class BuiltCase:
    """A case on one side of a pair. The module makes its classes importable, hence picklable."""

    def __init__(self, case: Case, side: Side) -> None:
        self.module = types.ModuleType(f"differential_case_{next(_module_numbers)}")
        sys.modules[self.module.__name__] = self.module
        namespace = vars(self.module)
        namespace.update(_VOCABULARY)
        namespace.update(side.bindings)
        calls = namespace["calls"]
        calls.clear()
        code = compile(case.source, f"<case {case.name}>", "exec", dont_inherit=True)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                exec(code, namespace)  # noqa: S102 - the sources are our own
                error = None
            except Exception as raised:
                error = raised
        run = Run(self)
        self.definition = (
            run.freeze_error(error) if error else "defined",
            tuple(run.freeze_warning(warning) for warning in caught),
            run.freeze(list(calls)),
        )
        self.usable = error is None


@functools.cache
def built(case: Case, pair: Pair, is_subject: bool) -> BuiltCase:
    return BuiltCase(case, pair.subject if is_subject else pair.reference)


# --- statements ------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=50_000)
def compiled(statement: str) -> tuple[str | None, Any]:
    """The code of a statement: (name it binds or None, code).

    ``name = expression`` and a lone expression are compiled such that their value can be had.
    """
    tree = ast.parse(statement)
    node = tree.body[0]
    if len(tree.body) == 1 and isinstance(node, ast.Expr):
        return None, compile(ast.Expression(node.value), "<script>", "eval", dont_inherit=True)
    if (
        len(tree.body) == 1
        and isinstance(node, ast.Assign)
        and len(node.targets) == 1
        and isinstance(node.targets[0], ast.Name)
    ):
        code = compile(ast.Expression(node.value), "<script>", "eval", dont_inherit=True)
        return node.targets[0].id, code
    return None, compile(tree, "<script>", "exec", dont_inherit=True)


class Run:
    """One run of a script on one side."""

    def __init__(self, case: BuiltCase) -> None:
        self.module_name = case.module.__name__
        self.scope = dict(vars(case.module))
        self.labels: dict[int, int] = {}
        self.alive: list[Any] = []
        self.stack: set[int] = set()
        self.deep = False

    def outcomes(self, script: Iterable[str]) -> Iterable[Any]:
        calls = self.scope["calls"]
        calls.clear()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for statement in script:
                outcome = self.outcome(statement)
                warned = tuple([self.freeze_warning(warning) for warning in caught])
                caught.clear()
                called = self.freeze(list(calls)) if calls else ()
                calls.clear()
                yield outcome, warned, called
                if outcome[0] == "error" and compiled(statement)[0] in _NEEDED - self.scope.keys():
                    return

    def outcome(self, statement: str) -> Any:
        target, code = compiled(statement)
        try:
            value = eval(code, self.scope)  # noqa: S307 - the scripts are our own
        except Exception as error:
            return self.freeze_error(error)
        if target is not None:
            self.scope[target] = value
            if isinstance(value, BaseModel):
                # Looking into it could change what later statements find.
                return ("bound", self.name_of(type(value)), self.label(value))
        self.deep = statement.startswith("vars(")
        if self.deep and type(value) is dict:
            return ("value", "the dict of an object", *self.freeze_pairs(value.items()))
        return ("value", self.freeze(value))

    # --- freezing ----------------------------------------------------------------------------------

    def text(self, text: str) -> str:
        """Text without what differs between any two runs."""
        if "0x" in text or "id=" in text:
            text = _ADDRESS.sub("0x", text)
        if "..." in text:
            text = _SHORTENED.sub("input_value=<shortened>, input_type=", text)
        if "-7" in text:
            text = GENERATED_IDENTITY.sub("<generated id>", text)
            text = _ABOUT_AN_ID.sub("  <what is wrong with the id>", text)
        if "differential_case_" in text:
            text = text.replace(self.module_name, "cases")
        return text

    def name_of(self, kind: type) -> str:
        if kind.__module__ == "builtins":
            return kind.__name__
        if kind.__module__ == self.module_name:
            return f"cases.{kind.__qualname__}"
        return f"{kind.__module__}.{kind.__qualname__}"

    def label(self, value: Any) -> int:
        """A number for the identity of a mutable object: in the order in which they are met."""
        label = self.labels.get(id(value))
        if label is None:
            label = self.labels[id(value)] = len(self.alive)
            self.alive.append(value)
        return label

    def freeze(self, value: Any) -> Any:
        kind = type(value)
        if value is None or kind is bool:
            return value
        if kind is str:
            return ("str", self.text(value))
        freezer = _ATOMS.get(kind)
        if freezer is not None:
            return (kind.__name__, self.text(freezer(value)))
        if kind is bytes or kind is bytearray:
            return (kind.__name__, self.text(value.decode("latin-1")))
        identity = id(value)
        if identity in self.stack:
            return ("cycle", self.label(value))
        if len(self.stack) > _DEEPEST:
            return ("deeper", self.name_of(kind))
        self.stack.add(identity)
        try:
            return self.freeze_compound(kind, value)
        finally:
            self.stack.discard(identity)

    def freeze_compound(self, kind: type, value: Any) -> Any:
        name = self.name_of(kind)
        if kind is tuple:
            return ("tuple", *[self.freeze(item) for item in value])
        if isinstance(value, BaseModel):
            return self.freeze_model(name, value)
        if isinstance(value, type):
            return ("class", self.name_of(value))
        if isinstance(value, BaseException):
            return self.freeze_error(value)
        for base, freezer in _SUBCLASSED_ATOMS:
            if isinstance(value, base):
                return (name, self.text(freezer(value)))
        if isinstance(value, list):
            return (name, self.label(value), *[self.freeze(item) for item in list.__iter__(value)])
        if isinstance(value, tuple):
            return (name, *[self.freeze(item) for item in tuple.__iter__(value)])
        if isinstance(value, dict):
            return (name, self.label(value), *self.freeze_pairs(dict.items(value)))
        if isinstance(value, (set, frozenset)):
            label = self.label(value) if isinstance(value, set) else None
            return (name, label, *sorted([self.freeze(item) for item in value], key=repr))
        if isinstance(value, types.FunctionType | types.BuiltinFunctionType):
            return (name, value.__qualname__)
        try:
            text = self.text(repr(value))
        except Exception as error:
            text = f"repr raised {type(error)}"
        return (name, self.label(value), text)

    def freeze_pairs(self, items: Iterable[tuple[Any, Any]]) -> list[Any]:
        return [(self.freeze(key), self.freeze(value)) for key, value in items]

    def freeze_model(self, name: str, value: BaseModel) -> Any:
        """A model through its attributes only; through all of its state when the run is deep.

        Asking for ``__dict__`` or for the fields set may change how an object is stored, so those
        are looked at only by scripts that ask for them.
        """
        frozen = [name, self.label(value)]
        for field in type(value).__pydantic_fields__:
            frozen.append((field, self.freeze_attribute(value, field)))
        frozen.append(self.freeze_attribute(value, "__pydantic_extra__"))
        if self.deep:
            frozen.extend(self.freeze_pairs(vars(value).items()))
            for attribute in ("__pydantic_fields_set__", "__pydantic_private__"):
                frozen.append(self.freeze_attribute(value, attribute))
        return tuple(frozen)

    def freeze_attribute(self, value: Any, name: str) -> Any:
        try:
            found = getattr(value, name)
        except Exception as error:
            return self.freeze_error(error)
        return self.freeze(found)

    def freeze_error(self, error: BaseException) -> Any:
        name = self.name_of(type(error))
        # How deep the stack was, and who noticed it, is no answer of the library.
        try:
            text = self.text(str(error)) if not isinstance(error, RecursionError) else ""
        except Exception as raised:
            text = f"str() raised {raised!r}"
        if isinstance(error, ValidationError):
            try:
                details = error.errors(include_url=False)
            except Exception as raised:
                return ("error", name, text, f"errors() raised {raised!r}")
            for detail in details:
                if isinstance(detail["input"], str) and GENERATED_IDENTITY.fullmatch(detail["input"]):
                    detail["msg"] = "<what is wrong with the id>"
                    detail.pop("ctx", None)
            return ("error", name, text, error.title, self.freeze(details))
        return ("error", name, text, type(error.__cause__).__name__)

    def freeze_warning(self, warning: warnings.WarningMessage) -> Any:
        return ("warning", self.name_of(warning.category), self.text(str(warning.message)))


def _frozen_int(value: int) -> str:
    return int.__format__(value, "x")  # decimal text of huge ones is refused by Python


def _frozen_float(value: float) -> str:
    return float.__repr__(value)


def _frozen_decimal(value: decimal.Decimal) -> str:
    return str(decimal.Decimal.as_tuple(value))


def _frozen_zone(zone: datetime.tzinfo | None) -> str:
    return f"{type(zone).__module__}.{type(zone).__name__} {zone!r}"


def _frozen_datetime(value: datetime.datetime) -> str:
    return (
        f"{value.year}-{value.month}-{value.day} {value.hour}:{value.minute}:{value.second}"
        f".{value.microsecond} fold {value.fold} {_frozen_zone(value.tzinfo)}"
    )


def _frozen_time(value: datetime.time) -> str:
    return (
        f"{value.hour}:{value.minute}:{value.second}.{value.microsecond} fold {value.fold} {_frozen_zone(value.tzinfo)}"
    )


_ATOMS = {
    int: _frozen_int,
    float: _frozen_float,
    decimal.Decimal: _frozen_decimal,
    datetime.datetime: _frozen_datetime,
    datetime.date: datetime.date.isoformat,
    datetime.time: _frozen_time,
    datetime.timedelta: repr,
    uuid.UUID: str,
    complex: repr,
}

_SUBCLASSED_ATOMS = (
    (str, str.__str__),
    (int, _frozen_int),
    (float, float.__repr__),
    (bytes, bytes.__repr__),
    (decimal.Decimal, _frozen_decimal),
    (datetime.datetime, _frozen_datetime),
    (datetime.date, datetime.date.isoformat),
    (datetime.time, _frozen_time),
)


# --- comparing -------------------------------------------------------------------------------------

_TRACE = os.environ.get("NITRO_DIFFERENTIAL_TRACE")


def check_definition(case: Case, pair: Pair) -> bool:
    """Whether the case can be defined, on both sides; a Difference if only one allows it."""
    reference, subject = built(case, pair, False), built(case, pair, True)
    if reference.definition != subject.definition and not known_difference(
        pair.name, "class Case", reference.definition, subject.definition
    ):
        outcomes = reference.definition, subject.definition
        raise Difference(_report(case, pair, (), "the class statement", *outcomes), case, ())
    return reference.usable and subject.usable


def outcomes(case: Case, pair: Pair, script: Script) -> tuple[list[Any], list[Any]]:
    """What each statement did: on pydantic's side, on the subject's side."""
    if _TRACE:
        Path(_TRACE).write_text("\n".join([pair.subject.header, case.source, *script]))
    reference = list(Run(built(case, pair, False)).outcomes(script))
    try:
        subject = list(Run(built(case, pair, True)).outcomes(script))
    except BaseException as error:
        error.add_note(pasteable(case, pair.subject, script))
        raise
    return reference, subject


def check(case: Case, pair: Pair, script: Script) -> None:
    """Run the script on both sides; a Difference at the first statement whose outcomes differ."""
    if not check_definition(case, pair):
        return
    expected, actual = outcomes(case, pair, script)
    if expected == actual:
        return
    for number, (left, right) in enumerate(zip(expected, actual, strict=False)):
        if left != right:
            statement = script[number]
            if known_difference(pair.name, statement, left, right):
                return  # from here on the two have different histories
            done = script[: number + 1]
            raise Difference(_report(case, pair, done, statement, left, right), case, done)


def _report(case: Case, pair: Pair, script: tuple[str, ...], statement: str, left: Any, right: Any) -> str:
    where = _first_difference(left, right)
    return (
        f"{pair.name}: {statement} differs\n"
        f"  pydantic: {where[0]!r}\n"
        f"  subject:  {where[1]!r}\n"
        f"{pasteable(case, pair.subject, script)}"
    )


def _first_difference(left: Any, right: Any) -> tuple[Any, Any]:
    """The smallest parts that differ, the first ones if there are several; errors stay whole."""
    if isinstance(left, tuple) and isinstance(right, tuple) and len(left) == len(right):
        differing = [(a, b) for a, b in zip(left, right, strict=True) if a != b]
        if len(differing) == 1 or (differing and "error" not in (left[0], right[0])):
            return _first_difference(*differing[0])
    return left, right


@functools.cache
def _vocabulary_statements() -> Mapping[str, ast.stmt]:
    """Which statement of vocabulary.py binds a name."""
    found: dict[str, ast.stmt] = {}
    for node in ast.parse(inspect.getsource(vocabulary)).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                one = (
                    ast.Import([alias])
                    if isinstance(node, ast.Import)
                    else ast.ImportFrom(node.module, [alias], node.level)
                )
                found[(alias.asname or alias.name).partition(".")[0]] = one
        elif isinstance(node, ast.ClassDef | ast.FunctionDef):
            found[node.name] = node
        elif isinstance(node, ast.Assign):
            found.update((t.id, node) for t in node.targets if isinstance(t, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found[node.target.id] = node
    return found


def _names_in(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def pasteable(case: Case, side: Side, script: Iterable[str]) -> str:
    """The case and the script as a Python program that runs alone."""
    script_text = "\n".join(script)
    statements = _vocabulary_statements()
    wanted: set[str] = set()
    open_names = _names_in(ast.parse(case.source)) | _names_in(ast.parse(script_text))
    while open_names:
        name = open_names.pop()
        if name in statements and name not in wanted:
            wanted.add(name)
            open_names |= _names_in(statements[name])
    needed = dict.fromkeys(node for name, node in statements.items() if name in wanted)
    parts = [ast.unparse(ast.fix_missing_locations(node)) for node in needed]
    return "\n".join(["# --- paste from here", *parts, side.header, "", case.source.strip(), "", script_text, ""])
