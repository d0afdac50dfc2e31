"""The differences from pydantic that are wanted: a table, each row with its reason.

There are three kinds. What Nitro adds to every class of a kind is written into the class that stands
on pydantic's side of the comparison (ReferenceEntity, ReferenceValue), so that everything else about
it is still compared. What no comparison looks at is listed in NOT_COMPARED. What is left are rows of
KNOWN_DIFFERENCES: a row tells which differing outcomes it forgives, and has an example that shows the
difference, so that a row that has become needless fails in test_known_differences.py. Any other
difference fails.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from pydantic import BaseModel, Field


@dataclass(frozen=True)
class Stored:
    """What Nitro's Field leaves in the metadata of a field, in the words of pydantic's side."""

    primary_key: bool = False
    index: bool = False
    unique: bool = False
    foreign_key: str | None = None
    ondelete: str | None = None


def generated_identity() -> str:
    """Text in the form of a UUIDv7, which is how the ids that Nitro makes are recognised."""
    text = str(uuid4())
    return f"{text[:14]}7{text[15:]}"


GENERATED_IDENTITY = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


class ReferenceEntity(BaseModel, validate_assignment=True):
    """What Entity is to pydantic: a model with an id, whose assignments are validated."""

    id: str = Field(default_factory=generated_identity)

    def __setattr__(self, name: str, value: Any) -> None:
        """A refused assignment leaves everything as it was, also one that a model validator refuses."""
        if not type(self).__pydantic_decorators__.model_validators:
            return super().__setattr__(name, value)
        before, counted = self.__dict__, getattr(self, "__pydantic_fields_set__", None)
        names = set(counted) if isinstance(counted, set) else set()
        try:
            super().__setattr__(name, value)
        except BaseException:
            if self.__dict__ is not before:
                object.__setattr__(self, "__dict__", before)
                if isinstance(counted, set):
                    counted.intersection_update(names)
                    object.__setattr__(self, "__pydantic_fields_set__", counted)
            raise

    @classmethod
    def __pydantic_init_subclass__(cls, **arguments: Any) -> None:
        """A class that declares another field its key has no id."""
        super().__pydantic_init_subclass__(**arguments)
        if _declares_key(cls) and not _declares_id(cls):
            cls.__pydantic_fields__.pop("id", None)
            cls.model_rebuild(force=True)


def _declares_id(cls: type[BaseModel]) -> bool:
    own = cls.__mro__[: cls.__mro__.index(ReferenceEntity)]
    return any("id" in vars(base).get("__annotations__", {}) for base in own)


def _declares_key(cls: type[BaseModel]) -> bool:
    fields = cls.__pydantic_fields__.values()
    return any(Stored(primary_key=True) in field.metadata for field in fields)


class ReferenceValue(BaseModel, frozen=True):
    """What ValueObject is to pydantic: a frozen model."""


# A class that is not complete would inherit it; of BaseModel, as of Nitro's classes, there is none to inherit.
del ReferenceEntity.__signature__, ReferenceValue.__signature__


@dataclass(frozen=True)
class KnownDifference:
    """Forgives a statement's differing outcomes where ``matches(statement, reference, subject)`` is true.

    An outcome is (what happened, warnings, calls that were noted); what happened is a tuple that begins with "value",
    "bound" or "error", as comparison.py freezes it.

    pairs: names of the pairs of subjects.py that the row is about.
    example: source of a class and a script that show the difference.
    """

    name: str
    reason: str
    pairs: frozenset[str]
    matches: Callable[[str, Any, Any], bool]
    example: tuple[str, tuple[str, ...]]


NOT_COMPARED = {
    "the ids that Nitro generates": "they are new each time; any text in the form of a UUIDv7 is equal",
    "what is wrong with such an id where it is no valid value": "it may depend on its digits",
    "whether the dict of an object stays the same object through a validated assignment": "pydantic "
    "replaces the whole dict, Nitro the one value in it, which is what makes it fast; who holds on "
    "to vars(order) sees the new value instead of an old one",
    "the text of a RecursionError": "it tells who noticed that the stack was full",
    "addresses in the repr of objects": "they differ between any two objects",
    "inputs that pydantic shortens in the text of an error": "it may cut through an id; the whole "
    "input is compared in errors()",
}


def _names_metaclass(statement: str, reference: Any, subject: Any) -> bool:
    return _METACLASS.sub("ModelMetaclass", repr(subject)) == repr(reference)


def _names_method(statement: str, reference: Any, subject: Any) -> bool:
    return "model_construct" in statement and repr(subject).replace("Entity.", "BaseModel.") == repr(reference)


def _refuses_keywords_first(statement: str, reference: Any, subject: Any) -> bool:
    return "Can't instantiate abstract class" in repr(reference) and "keywords must be strings" in repr(subject)


def _allows_class(statement: str, reference: Any, subject: Any) -> bool:
    return ".__class__ = " in statement and "object layout differs" in repr(reference)


_ON_THE_CLASS = re.compile(r"Case\.\w+|hasattr\(Case, '\w+'\)")


def _asks_the_class(statement: str, reference: Any, subject: Any) -> bool:
    if not _ON_THE_CLASS.fullmatch(statement):
        return False
    if statement.startswith("hasattr"):
        return reference[1:] == subject[1:] and "False" in repr(reference[0]) and "True" in repr(subject[0])
    told = "FieldRef" in repr(subject[0]) or "UnknownFieldError" in repr(subject[0])
    return told and reference[0][:2] == ("error", "AttributeError")


def _takes_from_the_class(statement: str, reference: Any, subject: Any) -> bool:
    return "validate(Case" in statement and "FieldRef" in repr(subject) and "FieldRef" not in repr(reference)


def _lists_what_is_lacking(statement: str, reference: Any, subject: Any) -> bool:
    return statement.startswith("dir(") and (reference[0], subject[0]) == (("value", False), ("value", True))


_METACLASS = re.compile(r"\b(ModelMeta|EntityMeta)\b")


def _cannot_copy_the_past(statement: str, reference: Any, subject: Any) -> bool:
    copies = any(word in statement for word in ("pickle", "deepcopy", "model_copy"))
    return copies and reference[0][0] != "error" and subject[0][0] == "error" and "pickle" in subject[0][2]


KNOWN_DIFFERENCES: tuple[KnownDifference, ...] = (
    KnownDifference(
        name="the name of the metaclass",
        reason="Classes of Nitro have a metaclass of their own, and the message of an error names the "
        "type of a wrong input, also when that is a class.",
        pairs=frozenset({"model", "validated model", "entity", "value object"}),
        matches=_names_metaclass,
        example=("class Case(Model):\n    a: int = 1\n", ("Case.model_validate(Case)",)),
    ),
    KnownDifference(
        name="the name of a method",
        reason="Entity has a model_construct of its own, since what it makes is tracked too; Python's message for "
        "wrong arguments names the class that defines the method.",
        pairs=frozenset({"entity"}),
        matches=_names_method,
        example=("class Case(Model):\n    cls: int = 1\n", ("Case.model_construct(**{'cls': 1})",)),
    ),
    KnownDifference(
        name="which of two errors in a call comes first",
        reason="An abstract class is called with a keyword that is no text. Nitro's classes are called by way of "
        "vectorcall, for which the interpreter looks at the keywords before it calls anything.",
        pairs=frozenset({"model", "validated model", "entity", "value object"}),
        matches=_refuses_keywords_first,
        example=(
            "class Case(Model, abc.ABC):\n    a: int = 1\n    @abc.abstractmethod\n    def area(self): ...\n",
            ("Case(**{1: 2})",),
        ),
    ),
    KnownDifference(
        name="a class with slots gives way to its subclass",
        reason="Whether the class of an object may be replaced depends, where there are slots, on how many classes lie "
        "between it and the one that has the dict. There is one more with Nitro, and CPython allows it then.",
        pairs=frozenset({"model"}),
        matches=_allows_class,
        example=(
            "class Case(Model):\n    __slots__ = ('slot',)\n    a: int = 1\n",
            ("subject = Case()", "subject.__class__ = type('Sub', (Case,), {})"),
        ),
    ),
    KnownDifference(
        name="fields on the class",
        reason="A field on the class of an entity or a value object is a reference to query by, and what is no field "
        "there is an error that names the nearest one.",
        pairs=frozenset({"entity", "value object"}),
        matches=_asks_the_class,
        example=("class Case(Model):\n    a: int = 1\n", ("hasattr(Case, 'a')", "Case.a")),
    ),
    KnownDifference(
        name="a class as the object that values are taken from",
        reason="With from_attributes a class may be given in place of an object, and has the references as attributes.",
        pairs=frozenset({"entity", "value object"}),
        matches=_takes_from_the_class,
        example=(
            "class Case(Model):\n    model_config = ConfigDict(from_attributes=True)\n    a: int = 1\n",
            ("Case.model_validate(Case)",),
        ),
    ),
    KnownDifference(
        name="dir of an instance that lacks values",
        reason="It lists the attributes of the class too, and among those are the references.",
        pairs=frozenset({"entity", "value object"}),
        matches=_lists_what_is_lacking,
        example=(
            "class Case(Model):\n    a: int = 1\n",
            ("subject = Case()", "other = Case.__new__(Case)", "dir(subject) == dir(other)"),
        ),
    ),
    KnownDifference(
        name="what an entity was",
        reason="A copy of a changed entity knows from what it changed, so that has to be copied or pickled too.",
        pairs=frozenset({"entity"}),
        matches=_cannot_copy_the_past,
        example=(
            "class Case(Model):\n    a: list[Any] = []\n",
            ("subject = Case(a=[MappingProxyType({})])", "subject.a = [1]", "pickle.loads(pickle.dumps(subject))"),
        ),
    ),
)


def known_difference(pair: str, statement: str, reference: Any, subject: Any) -> KnownDifference | None:
    """The row that forgives this difference, or None when it is a new one."""
    for row in KNOWN_DIFFERENCES:
        if pair in row.pairs and row.matches(statement, reference, subject):
            return row
    return None
