"""What is done to an object of a case: scripts, as Hypothesis strategies.

A script is a tuple of statements. Statements that bind ``subject`` make the object; what comes after
asks questions of it. The order of the questions matters, since an answer may change how an object is
stored, so that it is drawn too.
"""

import functools
import random
from collections.abc import Callable, Sequence

from hypothesis import strategies as st
from pydantic import BaseModel, RootModel

from .comparison import Case, Script, built
from .inputs import (
    HOSTILE,
    JSON_HOSTILE,
    Draw,
    chance,
    choose,
    document_source,
    json_object,
    json_value,
    pairs_given,
    right,
    wild,
)
from .subjects import PYDANTIC, pairs_of

Area = Callable[[Case], st.SearchStrategy[Script]]

# Inputs are drawn from the fields of pydantic's own class: on its side nothing can be wrong.
_PLAIN_PAIR = pairs_of(PYDANTIC)[0]


@functools.cache
def class_of(case: Case) -> type[BaseModel] | None:
    """The case's class on pydantic's side; None when pydantic refuses its definition."""
    made = built(case, _PLAIN_PAIR, False)
    if not made.usable:
        return None
    kind = vars(made.module)["Case"]
    kind.model_rebuild(raise_errors=False)
    return kind


def field_names(case: Case) -> tuple[str, ...]:
    kind = class_of(case)
    return tuple(kind.__pydantic_fields__) if kind else ()


def is_root(case: Case) -> bool:
    return issubclass(class_of(case) or BaseModel, RootModel)


MANNERS = ("right", "right", "right", "one wrong", "one wrong", "wild")

VALIDATE_OPTIONS = (
    "strict=True", "strict=False", "from_attributes=True", "from_attributes=False", "context={'x': 1}",
    "by_alias=True", "by_name=True", "by_alias=False, by_name=True", "by_alias=True, by_name=True",
    "extra='allow'", "extra='forbid'", "extra='ignore'", "by_alias=False, by_name=False", "strict=None",
    "unknown=1", "extra='wrong'",
)  # fmt: skip
JSON_OPTIONS = tuple(option for option in VALIDATE_OPTIONS if "from_attributes" not in option)

DUMP_OPTIONS = (
    "", "", "", "mode='json'", "mode='python'", "mode='other'", "exclude_unset=True", "exclude_defaults=True",
    "exclude_none=True", "by_alias=True", "by_alias=False", "round_trip=True", "exclude_computed_fields=True",
    "warnings=False", "warnings='error'", "warnings='none'", "serialize_as_any=True", "context={'x': 1}",
    "fallback=lambda value: note(type(value).__name__, 'fallen back')", "mode='json', exclude_unset=True",
    "mode='json', by_alias=True", "mode='json', exclude_defaults=True, warnings=False",
    "exclude_unset=True, exclude_none=True, exclude_defaults=True", "include=set()", "exclude=set()",
    "include={{{0!r}}}", "exclude={{{0!r}}}", "include={{{0!r}: True}}", "exclude={{{0!r}: {{0}}}}",
    "include={{{0!r}: {{'__all__': {{'a'}}}}}}", "exclude={{{0!r}: {{'a'}}}}", "exclude={'__all__'}",
    "include=[{0!r}]", "mode='json', fallback=repr", "polymorphic_serialization=True", "unknown=1",
    "exclude={{{0!r}: ...}}", "mode=1", "mode='json', serialize_as_any=True",
)  # fmt: skip
DUMP_JSON_OPTIONS = (
    "", "", "", "indent=2", "indent=0", "ensure_ascii=True", "ensure_ascii=True, indent=1", "exclude_unset=True",
    "exclude_defaults=True", "exclude_none=True", "by_alias=True", "round_trip=True", "warnings=False",
    "warnings='error'", "serialize_as_any=True", "fallback=repr", "include={{{0!r}}}", "exclude={{{0!r}}}",
    "exclude_computed_fields=True", "polymorphic_serialization=True", "indent='x'",
    "exclude_unset=True, exclude_none=True",
)  # fmt: skip

QUESTIONS = (
    "subject", "subject", "subject.model_fields_set", "subject.model_dump()", "subject.model_dump()",
    "subject.model_dump_json()", "subject.model_dump_json()", "subject.model_dump(mode='json')",
    "subject.model_dump(exclude_unset=True)", "subject.model_dump(exclude_defaults=True)",
    "subject.model_dump(exclude_none=True)", "subject.model_dump(by_alias=True)",
    "subject.model_dump_json(by_alias=True)", "subject.model_dump_json(exclude_unset=True)",
    "vars(subject)", "vars(subject)", "repr(subject)", "str(subject)", "subject.model_extra",
    "list(subject)", "dict(subject)", "subject == subject", "subject.__pydantic_fields_set__",
    "subject.__pydantic_extra__", "subject.__pydantic_private__", "encode(subject)", "encode([subject])",
    "[encode(subject), subject.model_dump_json()]", "subject.__dict__ is subject.__dict__",
    "subject.model_fields_set is subject.model_fields_set", "list(subject.__repr_args__())",
    "hash(subject) == hash(subject)", "TypeAdapter(Case).dump_python(subject)",
    "TypeAdapter(list[Case]).dump_json([subject, subject])", "TypeAdapter(Any).dump_python([subject])",
    "[hasattr(subject, name) for name in Case.model_fields]", "'a' in subject.__dict__",
    "len(subject.__dict__)", "subject.__eq__(1)", "subject != 1", "subject.__class__ is Case",
    "subject.model_computed_fields", "json.loads(subject.model_dump_json())",
)  # fmt: skip


def _question_lists() -> tuple[Script, ...]:
    """A hundred orders of questions: the same ones in every run."""
    shuffler = random.Random(4)
    lists = [
        ("subject", "subject.model_fields_set", "subject.model_dump()", "subject.model_dump_json()", "vars(subject)"),
        ("vars(subject)", "subject.model_dump()", "subject.model_dump_json()", "vars(subject)"),
    ]  # fmt: skip
    for _ in range(98):
        lists.append((*shuffler.sample(QUESTIONS, shuffler.randint(2, 7)), "vars(subject)"))
    return tuple(lists)


QUESTION_LISTS = _question_lists()


def questions(draw: Draw) -> Script:
    return choose(draw, QUESTION_LISTS)


def dump_options(draw: Draw, options: Sequence[str], names: Sequence[str]) -> str:
    option = choose(draw, options)
    if "{0" not in option:
        return option
    return option.format(choose(draw, names) if names else "a")


def _is_identifier(key: str) -> bool:
    return key[0] == "'" and key[1:-1].isidentifier() and key[1:-1] not in ("None", "True", "False")


def literal_keywords(pairs: Sequence[tuple[str, str]]) -> str | None:
    """``a=1, b=2`` for a call, or None when a key cannot be written so."""
    if not all(_is_identifier(key) for key, _ in pairs) or len(dict(pairs)) < len(pairs):
        return None
    return ", ".join(f"{key[1:-1]}={value}" for key, value in pairs)


def construction(draw: Draw, case: Case, manner: str, name: str = "subject") -> Script:
    """Statements that make an object from Python values, or fail to."""
    kind = class_of(case)
    if is_root(case):
        field = kind.__pydantic_fields__["root"]
        value = (right if manner == "right" else wild)(draw, field.annotation, field.metadata)
        form = choose(draw, ("Case(given)", "Case.model_validate(given)", "Case(root=given)"))
        return (f"given = {value}", f"{name} = {form}", "given")
    pairs = pairs_given(draw, kind, 0, manner)
    whole = "{" + ", ".join(f"{key}: {value}" for key, value in pairs) + "}"
    way = draw(_ways)
    if way < 30:
        keywords = literal_keywords(pairs)
        if keywords is not None:
            return (f"{name} = Case({keywords})",)
    if way < 55:
        return (f"given = {whole}", f"{name} = Case(**given)", "given")
    if way < 85:
        return (f"given = {whole}", f"{name} = Case.model_validate(given)", "given")
    form = choose(draw, (
        "Case.model_validate(given, {0})", "Case.model_validate(given, {0})", "Case.model_validate(Table(given))",
        "Case.model_validate(MappingProxyType(given))", "Case.model_validate(Record(given))",
        "Case.model_validate(list(given.items()))", "Case.model_validate(Duck(**given))",
        "Case.model_validate(Duck(**given), from_attributes=True)", "Case.model_validate(UserDict(given))",
        "Case.model_validate(Case(**given))", "Case.model_validate(Case(**given), {0})", "Case(**Table(given))",
        "Case(given)", "Case(1, **given)", "Case(**given, unknown=1)", "Case(*given)", "Case.model_validate(None)",
        "Case.model_validate(Case)", "Case.model_validate(b'{{}}')", "Case.model_validate(MissingTable(given))",
        "Case.model_construct(**given)", "Case.model_construct(set(), **given)",
        "Case.model_construct(set(given), **given)", "TypeAdapter(Case).validate_python(given)",
        "TypeAdapter(list[Case]).validate_python([given, given])[1]", "Case.model_validate_strings(given)",
        "Case.__pydantic_validator__.validate_python(given)", "functools.partial(Case, **given)()",
        "type('Sub', (Case,), {{}})(**given)", "type('Sub', (Case,), {{}}).model_validate(given)",
        "TypeAdapter(Optional[Case]).validate_python(given)", "Case.__call__(**given)",
        "type(Case).__call__(Case, **given)",
        "Case.model_validate(obj=given)", "Case.model_validate(given, **{{}})", "Case.model_validate()",
        "Case.model_validate(type('Sub', (Case,), {{}})(**given))",
    ))  # fmt: skip
    return (
        f"given = {whole}",
        f"{name} = {form.format(choose(draw, VALIDATE_OPTIONS))}",
        "given",
    )


_ways = st.integers(0, 99)


def json_construction(draw: Draw, case: Case, manner: str) -> Script:
    kind = class_of(case)
    if is_root(case):
        field = kind.__pydantic_fields__["root"]
        text = json_value(draw, field.annotation, field.metadata, 0, manner != "right")
    else:
        text = json_object(draw, kind, 0, manner)
    source = document_source(draw, text, spoiled=chance(draw, 20))
    way = draw(_ways)
    if way < 75:
        return (f"subject = Case.model_validate_json({source})",)
    if way < 90:
        return (f"subject = decode(Case, {source})",)
    form = choose(draw, (
        "Case.model_validate_json({0}, {1})", "Case.model_validate_json(json_data={0})",
        "TypeAdapter(Case).validate_json({0})", "Case.__pydantic_validator__.validate_json({0})",
        "Case.model_validate_json({0}, {1})", "TypeAdapter(list[Case]).validate_json(b'[' + {0} + b']')[0]",
        "type('Sub', (Case,), {{}}).model_validate_json({0})",
    ))  # fmt: skip
    return (f"subject = {form.format(source, choose(draw, JSON_OPTIONS))}",)


def _script(area: Callable[[Draw, Case], Script]) -> Area:
    """An area: for each case, the strategy of its scripts."""

    @functools.cache
    def strategy(case: Case) -> st.SearchStrategy[Script]:
        @st.composite
        def draws(draw: Draw) -> Script:
            return area(draw, case)

        return draws()

    return strategy


@_script
def constructing(draw: Draw, case: Case) -> Script:
    """An object is made from Python values, and asked about."""
    return (*construction(draw, case, choose(draw, MANNERS)), *questions(draw))


@_script
def reading_json(draw: Draw, case: Case) -> Script:
    """An object is made from JSON, and asked about."""
    return (*json_construction(draw, case, choose(draw, MANNERS)), *questions(draw))


def assignment(draw: Draw, case: Case, names: Sequence[str]) -> str:
    if not names or chance(draw, 6):
        name = choose(draw, (
            "unknown", "_private", "__dunder__", "model_config", "model_fields", "model_fields_set", "__class__",
            "model_extra", "model_dump", "name",
        ))  # fmt: skip
        return f"setattr(subject, {name!r}, {choose(draw, HOSTILE)})"
    name = choose(draw, names)
    field = class_of(case).__pydantic_fields__[name]
    value = (wild if chance(draw, 45) else right)(draw, field.annotation, field.metadata)
    if name.isidentifier() and not chance(draw, 15):
        return f"subject.{name} = {value}"
    return f"setattr(subject, {name!r}, {value})"


@_script
def assigning(draw: Draw, case: Case) -> Script:
    """An object's fields are assigned; after each the object is looked at, or not."""
    names = field_names(case)
    statements = list(construction(draw, case, "right"))
    for _ in range(1 + draw(_few)):
        statement = assignment(draw, case, names)
        if " = " in statement and chance(draw, 40):
            target, _, value = statement.partition(" = ")
            statements += [f"given = {value}", f"{target} = given", "given"]
        else:
            statements.append(statement)
        if chance(draw, 60):
            statements.append(choose(draw, ("subject", "subject.model_dump()", "vars(subject)",
                              "subject.model_fields_set", "subject.model_dump_json()")))  # fmt: skip
    return (*statements, *questions(draw))


_few = st.integers(0, 4)


@_script
def dumping(draw: Draw, case: Case) -> Script:
    """An object, which may hold what its fields never allowed, is dumped in every way."""
    names = field_names(case)
    statements = list(construction(draw, case, "right"))
    for _ in range(draw(_few) if chance(draw, 40) else 0):
        statements.append(tampering(draw, case, names))
    for _ in range(1 + draw(_few)):
        if chance(draw, 50):
            statements.append(f"dumped = subject.model_dump({dump_options(draw, DUMP_OPTIONS, names)})")
        else:
            options = dump_options(draw, DUMP_JSON_OPTIONS, names)
            statements.append(f"subject.model_dump_json({options})")
    if chance(draw, 50):
        statements.append("Case.model_validate(subject.model_dump())")
    if chance(draw, 50):
        statements.append("Case.model_validate_json(subject.model_dump_json())")
    return (*statements, *questions(draw))


def tampering(draw: Draw, case: Case, names: Sequence[str]) -> str:
    """A statement that goes around validation."""
    name = choose(draw, names) if names else "a"
    field = class_of(case).__pydantic_fields__.get(name)
    annotation, metadata = (field.annotation, field.metadata) if field else (int, ())
    value = (wild if chance(draw, 60) else right)(draw, annotation, metadata)
    form = choose(draw, (
        "subject.__dict__[{0!r}] = {1}", "subject.__dict__.pop({0!r}, None)", "object.__setattr__(subject, {0!r}, {1})",
        "subject.__dict__.update({{{0!r}: {1}}})", "subject.__dict__ = {{{0!r}: {1}}}", "delattr(subject, {0!r})",
        "subject.__dict__ = {{**subject.__dict__, {0!r}: {1}}}", "getattr(subject, {0!r}).append({1})",
        "getattr(subject, {0!r}).clear()", "getattr(subject, {0!r})['x'] = {1}", "getattr(subject, {0!r})[0] = {1}",
        "getattr(subject, {0!r}).add({1})", "subject.model_fields_set.add({0!r})", "getattr(subject, {0!r}).a = {1}",
        "subject.model_fields_set.discard({0!r})", "subject.model_fields_set.clear()",
        "object.__setattr__(subject, '__pydantic_fields_set__', {{{0!r}}})", "object.__delattr__(subject, {0!r})",
        "subject.__pydantic_fields_set__ = {{{0!r}, 'ghost'}}", "subject.__dict__['ghost'] = {1}",
        "object.__setattr__(subject, 'ghost', {1})", "subject.model_extra[{0!r}] = {1}",
        "subject.__dict__[Text({0!r})] = {1}", "subject.__dict__[1] = {1}", "subject.__dict__.clear()",
        "del subject.__dict__", "object.__setattr__(subject, '__dict__', {{{0!r}: {1}}})",
        "subject.__dict__.move_to_end({0!r})", "subject.__dict__[{0!r}] = subject.__dict__.pop({0!r})",
        "subject.__dict__[{0!r}] = subject", "del subject.__dict__[{0!r}]", "del subject.__pydantic_fields_set__",
        "object.__setattr__(subject, '__dict__', 1)", "subject.__dict__.setdefault({0!r}, {1})",
    ))  # fmt: skip
    return form.format(name, value)


OPERATIONS = (
    "other = subject.model_copy()", "other = subject.model_copy(deep=True)", "other = copy.copy(subject)",
    "other = copy.deepcopy(subject)", "other = pickle.loads(pickle.dumps(subject))", "subject, other = other, subject",
    "other = subject", "other = Case.model_validate(subject)", "other = Case.model_construct(**dict(subject))",
    "other = Case(**subject.model_dump())", "other = Case.model_validate_json(subject.model_dump_json())",
    "subject == other", "other == subject", "other", "vars(other)", "other.model_dump()", "other.model_dump_json()",
    "other.model_fields_set", "repr(other)", "subject.__setstate__(subject.__getstate__())",
    "other = Case.__new__(Case)", "subject = Case.__new__(Case)",
    "subject.model_copy(update={{{0!r}: {1}}})", "other = subject.model_copy(update={{{0!r}: {1}}}, deep=True)",
    "subject.__init__()", "subject.__init__(**given)", "Case.__init__(subject, **given)",
    "subject.model_validate(given)",
    "subject.model_post_init(None)", "given", "given.clear()", "subject.model_dump(exclude_unset=True)",
    "other = decode(Case, encode(subject))", "other = decode(list[Case], encode([subject, subject]))[1]",
    "encode([subject, other])", "other = [subject.model_copy(), subject][0]",
    "[name for name in Case.model_fields if shared(getattr(subject, name, None), getattr(other, name, None))]",
    "subject.model_rebuild()", "Case.model_rebuild(force=True)", "subject = Case.model_construct()",
    "subject = Case.model_construct(**{{{0!r}: {1}}})", "other = copy.copy(other)", "hash(subject) == hash(other)",
    "{subject: 1}[other]", "subject in [other]", "other = subject.copy()", "subject.dict()", "subject.json()",
    "other.__init__(**given)", "other.{0} = {1}", "del other.{0}", "other.__dict__[{0!r}] = {1}",
    "dir(subject) == dir(other)", "sorted(vars(type(subject)).keys() & {'__init__', '__setattr__'})",
    "subject.__class__ = type('Sub', (Case,), {})", "subject.__reduce_ex__(2)[0].__name__",
    "[pickle.loads(pickle.dumps(subject, protocol)) for protocol in range(6)]",
    "subject.__pydantic_fields_set__ is other.__pydantic_fields_set__",
)  # fmt: skip


@_script
def living(draw: Draw, case: Case) -> Script:
    """A sequence of any operations on one object, and on a second that came from it."""
    names = field_names(case)
    statements = list(construction(draw, case, choose(draw, ("right", "right", "right", "wild"))))
    if chance(draw, 30):
        statements = list(json_construction(draw, case, "right"))
    if chance(draw, 30):
        statements += construction(draw, case, "right", name="other")
    else:
        statements.append(choose(draw, ("other = subject", "other = copy.copy(subject)")))
    for _ in range(2 + draw(_several)):
        roll = draw(_ways)
        if roll < 25:
            statements.append(assignment(draw, case, names))
        elif roll < 40:
            statements.append(tampering(draw, case, names))
        elif roll < 55:
            statements.append(choose(draw, QUESTIONS))
        else:
            operation = choose(draw, OPERATIONS)
            if "{0" in operation:
                name = choose(draw, names) if names else "a"
                field = class_of(case).__pydantic_fields__.get(name)
                if "{0}" in operation and not name.isidentifier():
                    continue
                value = (
                    right(draw, field.annotation, field.metadata)
                    if field and chance(draw, 70)
                    else choose(draw, HOSTILE)
                )
                operation = operation.format(name, value)
            statements.append(operation)
    return (*statements, *questions(draw), "vars(other)", "other == subject")


_several = st.integers(0, 7)


@_script
def copying(draw: Draw, case: Case) -> Script:
    """An object is copied, and both are changed: neither may notice the other."""
    names = field_names(case)
    statements = list(construction(draw, case, "right"))
    if chance(draw, 30):
        statements.append(assignment(draw, case, names))
    if chance(draw, 30):
        statements.append(choose(draw, QUESTIONS))
    ways = tuple(way for way in OPERATIONS if way.startswith("other = ") and "{" not in way)
    statements.append(choose(draw, (*ways, *[
        f"other = pickle.loads(pickle.dumps(subject, {protocol}))" for protocol in range(6)
    ])))  # fmt: skip
    statements += ["subject == other", "vars(other)" if chance(draw, 50) else "other"]
    changed = [tampering(draw, case, names), assignment(draw, case, names)]
    if chance(draw, 50):
        changed = [statement.replace("subject", "other") for statement in changed]
    statements += [*changed, "subject == other", "other", "other.model_fields_set"]
    statements += ["other.model_dump()", "hash(subject) == hash(other)"]
    return (*statements, *questions(draw), "vars(other)")


@_script
def bulk(draw: Draw, case: Case) -> Script:
    """Lists of objects to JSON and back."""
    kind = class_of(case)
    if chance(draw, 50):
        statements = []
        names = []
        for number in range(draw(_few)):
            name = f"object{number}"
            made = construction(draw, case, "right", name)
            statements += made
            names.append(name)
            if chance(draw, 25):
                statements.append(tampering(draw, case, field_names(case)).replace("subject", name))
        listed = ", ".join(names)
        statements += [f"many = [{listed}]", "encode(many)", "decode(list[Case], encode(many))"]
        form = choose(draw, (
            "encode(tuple(many))", "encode(many[0])", "encode({'a': many})", "encode(None)", "encode(1)",
            "encode(Case)",
            "encode([many])", "encode(many + many)", "encode(Items(many))", "encode([None])", "encode({})",
            "encode(many[0].model_copy())", "encode()", "many == decode(list[Case], encode(many))",
        ))  # fmt: skip
        if form.startswith(("encode(tuple", "encode({", "encode(None", "encode(1", "encode(Case", "encode([",
                            "encode(Items", "encode()")):  # fmt: skip
            form = "encode(many[:1])"  # the outcome of these is Nitro's own
        return (*statements, form)
    texts = [
        json_object(draw, kind, 0, choose(draw, MANNERS)) if not is_root(case) else "[1]" for _ in range(draw(_few))
    ]
    if chance(draw, 15):
        texts.append(choose(draw, JSON_HOSTILE))
    document = document_source(draw, "[" + choose(draw, (",", ", ", "\n,")).join(texts) + "]", chance(draw, 20))
    return (
        f"decode({'Case' if chance(draw, 20) else 'list[Case]'}, {document})",
        f"many = decode(list[Case], {document})",
        "many",
        "[item.model_fields_set for item in many]",
        "encode(many)",
        "[vars(item) for item in many]",
    )


AREAS: dict[str, Area] = {
    "constructing": constructing,
    "reading_json": reading_json,
    "assigning": assigning,
    "dumping": dumping,
    "living": living,
    "copying": copying,
    "bulk": bulk,
}
