"""Scripts by hand: what was found once, and what chance would seldom find."""

import itertools
import re

import pytest

from .comparison import Case, Script, check
from .subjects import pairs

# Each begins with a comment line ``# --- name``; after ``# then`` comes the script, a statement a line.
FOUND = r"""
# --- a dict that holds itself
class Case(Model):
    a: Optional['Case'] = None

# then
Case.model_validate(cyclic_dict())
Case(**cyclic_dict())

# --- a dict that is very deep
class Case(Model):
    a: Optional['Case'] = None

# then
len(str(Case.model_validate(deep_dict(5000))))
Case.model_validate(deep_dict(200))

# --- an object that holds itself
class Case(Model):
    a: Optional['Case'] = None
    b: Any = None

# then
subject = Case()
subject.__dict__['a'] = subject
subject.model_dump()
subject.model_dump_json()
encode([subject])
subject.__dict__.update(a=None, b=[subject])
subject.model_dump()
subject.model_dump_json()
repr(subject)
copy.deepcopy(subject).b[0].a
pickle.loads(pickle.dumps(subject)).b[0].a

# --- JSON that is very deep
class Case(Model):
    a: Optional['Case'] = None
    b: Any = None

# then
Case.model_validate_json(b'{"a":' * 150 + b'null' + b'}' * 150)
Case.model_validate_json(b'{"a":' * 300 + b'null' + b'}' * 300)
Case.model_validate_json(b'{"b":' + b'[' * 198 + b']' * 198 + b'}')
Case.model_validate_json(b'{"b":' + b'[' * 201 + b']' * 201 + b'}')
Case.model_validate_json(b'{"x":' + b'[' * 201 + b']' * 201 + b'}')
Case.model_validate_json(b'{"x":' + b'[' * 100_000 + b']' * 100_000 + b'}')
decode(list[Case], b'[' * 100_000)

# --- how JSON is written, set by the class
class Inner(Model):
    a: float
    b: bytes
    c: timedelta
    d: Moment

class Case(Model):
    model_config = ConfigDict(ser_json_inf_nan='strings', ser_json_bytes='base64', ser_json_timedelta='float')
    a: float = nan
    b: bytes = b'\xff'
    c: timedelta = timedelta(1)
    d: Moment = Moment(2024, 1, 1)
    inner: Inner | None = None

# then
subject = Case(inner=Inner(a=inf, b=b'x', c=timedelta(2), d=Moment(2024, 1, 1)))
subject.model_dump_json()
subject.model_dump(mode='json')
encode(subject)
encode([subject])
subject.inner.model_dump_json()

# --- how JSON is written, set by the class within
class Inner(Model):
    model_config = ConfigDict(ser_json_inf_nan='constants', ser_json_bytes='hex', ser_json_temporal='milliseconds')
    a: float
    b: bytes
    c: timedelta
    d: Moment

class Case(Model):
    inner: Inner
    many: list[Inner] = []

# then
inner = Inner(a=inf, b=b'x', c=timedelta(2), d=Moment(2024, 1, 1))
subject = Case(inner=inner, many=[inner])
subject.model_dump_json()
encode(subject)
encode([subject])
encode([inner])
inner.model_dump_json()

# --- one warning for a list
class Case(Model):
    a: int = 1
    b: Any = None

# then
one = Case.model_construct(a='x')
two = Case.model_construct(a=1, b=object())
encode([one, one])
encode([Case(), one, Case()])
encode([one, two])
encode([Case(), two])

# --- no dict
class Case(Model):
    a: int = 1
    b: list[int] = []

# then
subject = Case()
del subject.__dict__
subject
vars(subject)
subject.model_dump()
subject.a = 5
subject.model_dump()
subject.model_dump_json()
subject = Case(a=2)
vars(subject)
del subject.__dict__
vars(subject)
subject.model_dump_json()

# --- no fields set
class Case(Model):
    a: int = 1

# then
subject = Case(a=1)
del subject.__pydantic_fields_set__
subject.model_fields_set
del subject.__pydantic_fields_set__
subject.model_dump()
subject.a = 2
repr(subject)
copy.copy(subject)

# --- keys of the dict that are no text
class Case(Model):
    a: int = 1

# then
subject = Case()
subject.__dict__[1] = 2
subject.model_dump()
subject.model_dump_json()
encode([subject])
del subject.__dict__['a']
subject.model_dump()
subject.__dict__.clear()
subject.__dict__[Text('a')] = 3
subject
subject.model_dump()
subject.model_dump_json()
subject.a = 4
vars(subject)

# --- an old value that has no order
class Case(Model):
    a: Annotated[Decimal, AllowInfNan(True)] = Decimal(1)
    b: Any = None

# then
subject = Case()
subject.a = Decimal('sNaN')
subject.b = Grumpy()
subject.__setstate__(subject.__getstate__())
subject.b = Grumpy()
subject.b = 1
subject.model_dump(exclude_unset=True)
copy.copy(subject).b

# --- an old value that cannot be copied
class Case(Model):
    a: list[Any] = []
    b: Any = None

# then
subject = Case(a=[MappingProxyType({})], b=(n for n in [1]))
subject.a = [1]
subject.b = 2
pickle.loads(pickle.dumps(subject))
copy.deepcopy(subject)
subject.model_copy(deep=True)

# --- a deleted field with a name of the framework
class Case(Model):
    is_changed: bool = False
    changes: int = 1
    original: str = ''

# then
subject = Case()
del subject.is_changed
subject.is_changed
vars(subject).clear()
subject.changes
subject.original
hasattr(subject, 'changes')
subject.changes = 5
subject.changes

# --- the text of a missing attribute
Case = create_model('Case', __base__=Model, **{'c\\d': (int, 2), 'e"f': (int, 2), "g'h": (int, 3)})

# then
subject = Case()
vars(subject).clear()
getattr(subject, 'c\\d')
getattr(subject, 'e"f')
getattr(subject, "g'h")
getattr(subject, 'nothing')
subject.model_dumb

# --- extra allowed by the call
class Case(Model):
    a: int = 1
    b: list[int] = []

# then
subject = Case.model_validate_json(b'{"a": 1}', extra='allow')
subject.a = 2
subject.__pydantic_extra__
subject = Case.model_validate({'a': 1, 'z': 5}, extra='allow')
subject
subject.model_dump()
subject.model_dump_json()
encode([subject])
subject.b = [1]
subject.z
subject.z = 7
subject.model_dump()
subject.__pydantic_extra__
repr(subject)

# --- an undefined value
class Case(Model):
    a: Any = 5
    b: object = None
    c: Any
    d: list[Any] = [1]
    e: Any = Field(default_factory=new_list)

# then
Case(a=PydanticUndefined, c=1)
Case(b=PydanticUndefined, c=1).model_fields_set
Case(c=PydanticUndefined)
Case.model_validate({'a': PydanticUndefined, 'c': 1, 'e': PydanticUndefined})
Case.model_validate({'c': 1, 'd': [PydanticUndefined]})
subject = Case(c=1)
subject.a = PydanticUndefined
subject.e = PydanticUndefined
subject.c = PydanticUndefined
vars(subject)

# --- an object that was never initialised
class Case(Model):
    a: int = 1
    b: list[int] = []

# then
subject = Case.__new__(Case)
subject.a
subject.model_fields_set
repr(subject)
subject.model_dump()
subject.model_dump_json()
encode([subject])
subject.a = 1
subject.__pydantic_fields_set__ = {'a'}
subject.a = 1
vars(subject)
subject == Case()
copy.copy(subject)
pickle.loads(pickle.dumps(subject))
Case.__init__(subject, b=[2])
vars(subject)

# --- a class that is never complete
class Case(Model):
    a: int = 1
    b: "Nowhere" = None

# then
Case(a=1)
Case.model_validate({'a': 1})
Case.model_validate_json('{}')
decode(Case, '{}')
subject = Case.model_construct(a=2)
subject
subject.a = 3
subject.model_dump()
subject.model_dump_json()
encode(subject)
vars(subject)
copy.copy(subject)
pickle.loads(pickle.dumps(subject))

# --- a model validator refuses an assignment
class Case(Model):
    a: int = 0
    b: int = 0
    c: list[int] = []

    @model_validator(mode="after")
    def ordered(self):
        note((self.a, self.b, sorted(self.model_fields_set)))
        if self.a > self.b:
            raise ValueError("a is above b")
        return self

# then
subject = Case(b=10)
counted = subject.model_fields_set
counted
subject.a = 5
subject.a = 50
subject.a = 'text'
subject
subject.model_fields_set
subject.model_fields_set is counted
subject.b = 1
subject.c = [1]
subject.model_dump(exclude_unset=True)
vars(subject)
Case(a=5)
Case.model_validate({'a': 5})
Case.model_validate_json('{"a": 5}')

# --- an error that names what Python refuses to write
class Case(Model):
    model_config = ConfigDict(frozen=True)
    a: int = 1

# then
subject = Case(a=0)
other = Case(a=10**5000)
{subject: 1}[other]

# --- initialised twice
class Case(Model):
    a: int = 1
    b: list[int] = []

# then
subject = Case(a=2, b=[3])
subject.__init__(a='x')
vars(subject)
subject.__init__(a=4)
vars(subject)
subject.model_fields_set
subject.__init__(b='x')
subject.__init__(1)
vars(subject)

# --- how calls may be made
class Case(Model):
    a: int = 1
    b: str = ''

# then
Case(1)
Case(1, 2)
Case({'a': 1})
Case(None)
Case(**{1: 2})
Case(**{Text('a'): 2})
Case(**{LoudText('a'): 2})
Case(a=1, **{'a': 2})
Case(**{'a': 1}, **{'b': 'x'})
Case.model_validate({Text('a'): 2})
Case.model_validate({LoudText('a'): 2})
Case.model_validate({1: 2, None: 3, 'a': 4})
Case.model_validate({'a': 1}, 5)
Case.model_validate(obj={'a': 1})
Case.model_validate_json(json_data='{}')
Case.model_validate_json('{}', True)
Case.model_validate_json()
Case().model_dump('json')
Case().model_dump_json(2)
Case.__init__()
Case.__init__(5)
Case.__new__()
object.__new__(Case).model_dump()
Case.__init__(Case.__new__(Case), self=1)
type.__call__(Case, a=2)
functools.partial(Case, a=2)(b='x')
list(map(lambda values: Case(**values), [{'a': 1}, {'b': 'x'}]))

# --- what changes while it is read
class Case(Model):
    a: dict[str, int] = {}
    b: list[int] = []
    c: Any = None

class Greedy(int):
    def __index__(self):
        victim.clear()
        return 1

class Clearing(str):
    def __hash__(self):
        victim.clear()
        return hash('a')
    def __eq__(self, other):
        victim.clear()
        return str(self) == str(other)
victim = {}

# then
victim.update(a={}, b=[1], c=1)
victim.update({Clearing('a'): 1})
Case.model_validate(victim)
Case(**victim)
victim.update(b=[Greedy(1), 2, 3])
Case.model_validate(victim)

# --- a class assigned to an object
class Case(Model):
    a: int = 1

class Sub(Case):
    b: int = 2

class Other(Model):
    a: str = ''
    c: list[int] = []

# then
subject = Case(a=5)
subject.__class__ = Sub
subject
subject.model_dump()
subject.model_dump_json()
subject.b = 3
vars(subject)
subject.__class__ = Other
subject.model_dump()
subject.c = [1]
subject.model_fields_set
vars(subject)
encode([subject])

# --- a class that changes
class Case(Model):
    a: int = 1
    b: int = 2

# then
before = Case(a=5)
Case.__init__ = lambda self, **values: note('init')
Case(a=5)
del Case.__init__
Case(a=6)
Case.__setattr__ = lambda self, name, value: note(('set', name))
before.a = 7
del Case.__setattr__
before.a = 8
before
Case.model_fields['a'].default = 9
Case.model_rebuild(force=True)
Case()
before.model_dump(exclude_defaults=True)
Case.model_fields['a'].default = 1
Case.model_rebuild(force=True)

# --- subclasses and generics on the way
class Case(Model):
    a: int = 1

class Sub(Case):
    b: int = 2

class Holder(Model):
    one: Case
    many: list[Case] = []
    named: dict[str, Case] = {}

# then
subject = Holder(one=Sub(b=5), many=[Sub(), Case()], named={'x': Sub()})
subject
subject.model_dump()
subject.model_dump_json()
subject.model_dump_json(serialize_as_any=True)
encode([subject])
subject == Holder(one=Case(), many=[Sub(), Case()], named={'x': Sub()})
Case() == Sub()
Sub() == Case()
Case.model_validate(Sub(b=7))
Sub.model_validate(Case())
encode([Case(), Case()])

# --- edited in place
class Inner(Model):
    a: int = 1

class Case(Model):
    a: list[int] = []
    b: dict[str, list[int]] = {}
    c: Inner = Inner()
    d: list[Inner] = []
    e: set[int] = set()

# then
subject = Case(a=[1], b={'x': [1]}, c=Inner(), d=[Inner()], e={1})
before = subject.model_copy(deep=True)
subject.a.append('text')
subject.b['x'].append(nan)
subject.c.a = 5
subject.d[0].__dict__['a'] = 'text'
subject.d.append({'a': 1})
subject.e.add('text')
subject.model_dump()
subject.model_dump_json()
encode([subject])
subject == before
before.model_dump()
vars(subject)
vars(before)

# --- a default is nobody's own
class Inner(Model):
    a: list[int] = []

class Case(Model):
    a: list[int] = [1]
    b: dict[str, list[int]] = {'x': []}
    c: Inner = Inner()
    d: Any = [[]]
    e: tuple[list[int], ...] = ([1],)
    f: set[int] = {1}
    g: list[Inner] = [Inner()]

# then
one, two = Case(), Case.model_validate({})
three = Case.model_validate_json('{}')
four = Case.model_construct()
one.a.append(2), one.b['x'].append(2), one.c.a.append(2), one.d[0].append(2)
one.e[0].append(2), one.f.add(2), one.g[0].a.append(2), one.g.append(2)
[vars(one), vars(two), vars(three), vars(four), vars(Case())]
one.model_dump(exclude_defaults=True)
two.model_dump(exclude_defaults=True)
"""


def scripts_in(text: str) -> dict[str, tuple[str, Script]]:
    _, *parts = re.split(r"(?m)^# --- (.*)$", text)
    found = {}
    for name, part in zip(parts[::2], parts[1::2], strict=True):
        source, _, script = part.partition("# then\n")
        found[name] = source.strip() + "\n", tuple(script.strip().splitlines())
    return found


def each(statements: str, **values: tuple[str, ...]) -> Script:
    """The statements for each combination of the values."""
    combinations = (dict(zip(values, chosen, strict=True)) for chosen in itertools.product(*values.values()))
    return tuple(line for chosen in combinations for line in statements.format(**chosen).splitlines())


def fields(text: str) -> str:
    """Source of a class with these fields, one a line."""
    return "class Case(Model):\n" + "".join(f"    {line.strip()}\n" for line in text.strip().splitlines())


NUMBERS = (
    "0", "-0", "-0.0", "1.0", "1e2", "1E-2", "1.5", "9223372036854775807", "9223372036854775808",
    "-9223372036854775809",
    "123456789012345678901234567890", "1e400", "-1e400", "1e-400", "NaN", "Infinity", "-Infinity", "0.1",
    "1.7976931348623159e308", "4.9e-324", "2.4e-324", "01", "1.", ".5", "+1", "1e", "0x1", "1e5.5", "--1",
    "9007199254740993.0", "1.0e0", "10" * 50, "0.30000000000000004", "123456789.0e-9", "5e-1",
)  # fmt: skip

TEXTS = (
    rb'"\ud83d\ude00"', rb'"\ud83d"', rb'"\ude00"', rb'"\ud83dx"', rb'"\ud83d\u0041"', rb'"\u0000"', b'"\xff"',
    b'"\xc3\xa9"',
    b'"\xed\xa0\x80"', b'"\xf4\x90\x80\x80"', b'"\xc0\x80"', b'"\x00"', b'"\x1f"', b'"\x7f"', b'"\n"', rb'"\x"',
    rb'"\u12"',
    rb'"\u12g4"', rb'"\/"', b'"a', b'"\\', rb'"\"', rb'"\u', b'{"k": "v", "k": "w"}', rb'{"\u006b": "v"}', b'{"k" "v"}',
    b'{"k": "v",}', b'{k: "v"}', b'{"": ""}',
)  # fmt: skip

DOCUMENTS = (
    "'{}'", "b'{}'", "bytearray(b'{}')", "memoryview(b'{}')", "Text('{}')", "Raw(b'{}')", "None", "1", "{}", "[]",
    "'{}'.encode('utf-16')", "'\\ufeff{}'", "b'{\"a\": 1, \"z\": ' + b'9' * 5000 + b'}'",
    *map(repr, (
        "", b"", " ", "null", "[]", "1", "{} ", " \n\t\r{}", "\x0b{}", "{}x", "{}{}", b"\xef\xbb\xbf{}", '{"a": 1',
        '{"a"',
        '{"a":', "{", b'{"a": 1, "a": 2}', b'{"a": "x", "a": 2}', b'{"a": 2, "a": "x"}', rb'{"a": 2, "\u0061": 3}',
        b'{"z": [1, {"y": null}], "a": 2}', b'{"z": nope, "a": 2}', b'{"z": "\xff", "a": 2}', b'{"\xff": 1}',
        b'{"z": 1e999, "a": 2}', b'{"z": NaN, "a": 2}', b'{"z": 01, "a": 2}', rb'{"z": "\ud800", "a": 2}',
    )),
)  # fmt: skip

SCRIPTS = scripts_in(FOUND) | {
    "multiples of a float": (
        fields("a: float = Field(multiple_of=0.5)\nb: float = Field(0, multiple_of=0.1)"),
        each("Case(a={a})", a=("1e308", "1e16", "-0.0", "5e-324", "0.5000000001", "0.5000000000001"))
        + each("Case(a=0, b={b})", b=("0.3", "0.7", "1e22", "123456.7", "0.30000001", "1e-12")),
    ),
    "a literal that equals a value of another type": (
        fields(
            """
            a: AnyOf[Literal['a', 1, None], bool, Level] = None
            b: AnyOf[Literal[1, 2], bool] = 1
            c: Literal[1, 'x'] = 1
            d: AnyOf[bool, Literal[1, 2]] = 1
            e: AnyOf[float, Literal[1]] = 1
            """
        ),
        each(
            "Case({name}={value})\n"
            "Case.model_validate({{'{name}': {value}}})\n"
            "setattr(Case(), '{name}', {value})\n"
            "Case.model_validate_json(json.dumps({{'{name}': {value}}}, default=str))",
            name=tuple("abcde"),
            value=("True", "1", "1.0", "Level.LOW", "Number(1)", "Decimal(1)", "'1'", "Amount(1.0)"),
        ),
    ),
    "sets of what has no hash": (
        fields("a: set = set()\nb: frozenset = frozenset()\nc: set[Any] = set()\nd: dict[Any, int] = {}"),
        each(
            "Case.model_validate_json('{{\"{name}\": [[1]]}}')\n"
            "Case.model_validate_json('{{\"{name}\": [1, {{}}]}}')\n"
            "Case({name}=[[1]])\n"
            "Case({name}=[1, Grumpy()])",
            name=tuple("abc"),
        ),
    ),
    "a fields set that is no set": (
        fields("a: int = 1\nb: int = 2"),
        each(
            "subject = Case(a=1)\n"
            "subject.__pydantic_fields_set__ = {value}\n"
            "subject.b = 1\n"
            "subject.model_dump()\n"
            "subject.model_dump_json()\n"
            "subject.model_dump(exclude_unset=True)\n"
            "subject.__pydantic_fields_set__\n"
            "subject.model_fields_set\n"
            "repr(subject)\n"
            "subject.model_copy()\n"
            "subject == Case(a=1)",
            value=("-1", "0", "2", "2**70", "()", "'a'", "None", "frozenset({'a'})", "Unique({'b'})"),
        ),
    ),
    "numbers in JSON": (
        fields(
            """
            a: int = 0
            b: float = 0
            c: Decimal = Decimal(0)
            d: Any = None
            e: int | float | None = None
            f: str = ''
            g: bool = False
            """
        ),
        each("Case.model_validate_json('{{\"{name}\": {number}}}')", name=tuple("abcdefg"), number=NUMBERS),
    ),
    "text in JSON": (
        fields("a: str = ''\nb: dict[str, str] = {}\nc: bytes = b''\nd: Any = None"),
        each(
            "Case.model_validate_json({document})",
            document=tuple(repr(b'{"%b": %b}' % pair) for pair in itertools.product((b"a", b"b", b"c", b"d"), TEXTS)),
        )
        + each(
            "Case(a={text}).model_dump_json()\n"
            "Case(b={{{text}: ''}}).model_dump_json()\n"
            "Case(d=[{text}]).model_dump_json()\n"
            "encode([Case.model_construct(a={text})])\n"
            "Case.model_construct(c={text}).model_dump(mode='json')",
            text=(r"'\ud800'", r"'a\udfff'", r"'\U0001f600'", "'x' * 100 + '\\x7f'"),
        ),
    ),
    "what JSON may come in": (
        fields("a: int = 1"),
        each("Case.model_validate_json({document})\ndecode(Case, {document})", document=DOCUMENTS),
    ),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_agrees_with_pydantic(name: str) -> None:
    source, script = SCRIPTS[name]
    for pair in pairs():
        check(Case(name, source), pair, script)
