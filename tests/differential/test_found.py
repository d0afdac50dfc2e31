"""Scripts by hand: what was found once, and what chance would seldom find."""

import pytest

from .comparison import Case, Script, check
from .subjects import pairs

SCRIPTS: dict[str, tuple[str, Script]] = {
    "a dict that holds itself": (
        "class Case(Model):\n    a: Optional['Case'] = None\n",
        ("Case.model_validate(cyclic_dict())", "Case(**cyclic_dict())"),
    ),
    "a dict that is very deep": (
        "class Case(Model):\n    a: Optional['Case'] = None\n",
        ("len(str(Case.model_validate(deep_dict(5000))))", "Case.model_validate(deep_dict(200))"),
    ),
    "an object that holds itself": (
        "class Case(Model):\n    a: Optional['Case'] = None\n    b: Any = None\n",
        (
            "subject = Case()",
            "subject.__dict__['a'] = subject",
            "subject.model_dump()",
            "subject.model_dump_json()",
            "encode([subject])",
            "subject.__dict__.update(a=None, b=[subject])",
            "subject.model_dump()",
            "subject.model_dump_json()",
            "repr(subject)",
            "copy.deepcopy(subject).b[0].a",
            "pickle.loads(pickle.dumps(subject)).b[0].a",
        ),
    ),
    "JSON that is very deep": (
        "class Case(Model):\n    a: Optional['Case'] = None\n    b: Any = None\n",
        (
            "Case.model_validate_json(b'{\"a\":' * 150 + b'null' + b'}' * 150)",
            "Case.model_validate_json(b'{\"a\":' * 300 + b'null' + b'}' * 300)",
            "Case.model_validate_json(b'{\"b\":' + b'[' * 198 + b']' * 198 + b'}')",
            "Case.model_validate_json(b'{\"b\":' + b'[' * 201 + b']' * 201 + b'}')",
            "Case.model_validate_json(b'{\"x\":' + b'[' * 201 + b']' * 201 + b'}')",
            "Case.model_validate_json(b'{\"x\":' + b'[' * 100_000 + b']' * 100_000 + b'}')",
            "decode(list[Case], b'[' * 100_000)",
        ),
    ),
    "multiples of a huge float": (
        "class Case(Model):\n    a: float = Field(multiple_of=0.5)\n    b: float = Field(0, multiple_of=0.1)\n",
        tuple(f"Case(a={a})" for a in ("1e308", "1e16", "-0.0", "5e-324", "0.5000000001", "0.5000000000001"))
        + tuple(f"Case(a=0, b={b})" for b in ("0.3", "0.7", "1e22", "123456.7", "0.30000001", "1e-12")),
    ),
    "how JSON is written, set by the class": (
        "class Inner(Model):\n    a: float\n    b: bytes\n    c: timedelta\n    d: Moment\n"
        "class Case(Model):\n"
        "    model_config = ConfigDict(ser_json_inf_nan='strings', ser_json_bytes='base64',"
        " ser_json_timedelta='float')\n"
        "    a: float = nan\n    b: bytes = b'\\xff'\n    c: timedelta = timedelta(1)\n"
        "    d: Moment = Moment(2024, 1, 1)\n    inner: Inner | None = None\n",
        (
            "subject = Case(inner=Inner(a=inf, b=b'x', c=timedelta(2), d=Moment(2024, 1, 1)))",
            "subject.model_dump_json()",
            "subject.model_dump(mode='json')",
            "encode(subject)",
            "encode([subject])",
            "subject.inner.model_dump_json()",
        ),
    ),
    "how JSON is written, set by the class within": (
        "class Inner(Model):\n"
        "    model_config = ConfigDict(ser_json_inf_nan='constants', ser_json_bytes='hex',"
        " ser_json_temporal='milliseconds')\n"
        "    a: float\n    b: bytes\n    c: timedelta\n    d: Moment\n"
        "class Case(Model):\n    inner: Inner\n    many: list[Inner] = []\n",
        (
            "inner = Inner(a=inf, b=b'x', c=timedelta(2), d=Moment(2024, 1, 1))",
            "subject = Case(inner=inner, many=[inner])",
            "subject.model_dump_json()",
            "encode(subject)",
            "encode([subject])",
            "encode([inner])",
            "inner.model_dump_json()",
        ),
    ),
    "a literal that equals a value of another type": (
        "class Case(Model):\n"
        "    a: AnyOf[Literal['a', 1, None], bool, Level] = None\n"
        "    b: AnyOf[Literal[1, 2], bool] = 1\n    c: Literal[1, 'x'] = 1\n"
        "    d: AnyOf[bool, Literal[1, 2]] = 1\n    e: AnyOf[float, Literal[1]] = 1\n",
        tuple(
            f"{way}"
            for name in "abcde"
            for value in ("True", "1", "1.0", "Level.LOW", "Number(1)", "Decimal(1)", "'1'", "Amount(1.0)")
            for way in (
                f"Case({name}={value})",
                f"Case.model_validate({{{name!r}: {value}}})",
                f"setattr(Case(), {name!r}, {value})",
                f"Case.model_validate_json(json.dumps({{{name!r}: {value}}}, default=str))",
            )
        ),
    ),
    "sets of what has no hash": (
        "class Case(Model):\n    a: set = set()\n    b: frozenset = frozenset()\n    c: set[Any] = set()\n"
        "    d: dict[Any, int] = {}\n",
        (
            *[f"Case.model_validate_json('{{\"{name}\": [[1]]}}')" for name in "abc"],
            *[f"Case.model_validate_json('{{\"{name}\": [1, {{}}]}}')" for name in "abc"],
            *[f"Case({name}=[[1]])" for name in "abc"],
            *[f"Case({name}=[1, Grumpy()])" for name in "abc"],
        ),
    ),
    "one warning for a list": (
        "class Case(Model):\n    a: int = 1\n    b: Any = None\n",
        (
            "one = Case.model_construct(a='x')",
            "two = Case.model_construct(a=1, b=object())",
            "encode([one, one])",
            "encode([Case(), one, Case()])",
            "encode([one, two])",
            "encode([Case(), two])",
        ),
    ),
    "no dict": (
        "class Case(Model):\n    a: int = 1\n    b: list[int] = []\n",
        (
            "subject = Case()",
            "del subject.__dict__",
            "subject",
            "vars(subject)",
            "subject.model_dump()",
            "subject.a = 5",
            "subject.model_dump()",
            "subject.model_dump_json()",
            "subject = Case(a=2)",
            "vars(subject)",
            "del subject.__dict__",
            "vars(subject)",
            "subject.model_dump_json()",
        ),
    ),
    "no fields set": (
        "class Case(Model):\n    a: int = 1\n",
        (
            "subject = Case(a=1)",
            "del subject.__pydantic_fields_set__",
            "subject.model_fields_set",
            "del subject.__pydantic_fields_set__",
            "subject.model_dump()",
            "subject.a = 2",
            "repr(subject)",
            "copy.copy(subject)",
        ),
    ),
    "a fields set that is no set": (
        "class Case(Model):\n    a: int = 1\n    b: int = 2\n",
        tuple(
            statement
            for value in ("-1", "0", "2", "2**70", "()", "'a'", "None", "frozenset({'a'})", "Unique({'b'})")
            for statement in (
                "subject = Case(a=1)",
                f"subject.__pydantic_fields_set__ = {value}",
                "subject.b = 1",
                "subject.model_dump()",
                "subject.model_dump_json()",
                "subject.model_dump(exclude_unset=True)",
                "subject.__pydantic_fields_set__",
                "subject.model_fields_set",
                "repr(subject)",
                "subject.model_copy()",
                "subject == Case(a=1)",
            )
        ),
    ),
    "keys of the dict that are no text": (
        "class Case(Model):\n    a: int = 1\n",
        (
            "subject = Case()",
            "subject.__dict__[1] = 2",
            "subject.model_dump()",
            "subject.model_dump_json()",
            "encode([subject])",
            "del subject.__dict__['a']",
            "subject.model_dump()",
            "subject.__dict__.clear()",
            "subject.__dict__[Text('a')] = 3",
            "subject",
            "subject.model_dump()",
            "subject.model_dump_json()",
            "subject.a = 4",
            "vars(subject)",
        ),
    ),
    "an old value that has no order": (
        "class Case(Model):\n    a: Annotated[Decimal, AllowInfNan(True)] = Decimal(1)\n    b: Any = None\n",
        (
            "subject = Case()",
            "subject.a = Decimal('sNaN')",
            "subject.b = Grumpy()",
            "subject.__setstate__(subject.__getstate__())",
            "subject.b = Grumpy()",
            "subject.b = 1",
            "subject.model_dump(exclude_unset=True)",
            "copy.copy(subject).b",
        ),
    ),
    "an old value that cannot be copied": (
        "class Case(Model):\n    a: list[Any] = []\n    b: Any = None\n",
        (
            "subject = Case(a=[MappingProxyType({})], b=(n for n in [1]))",
            "subject.a = [1]",
            "subject.b = 2",
            "pickle.loads(pickle.dumps(subject))",
            "copy.deepcopy(subject)",
            "subject.model_copy(deep=True)",
        ),
    ),
    "a deleted field with a name of the framework": (
        "class Case(Model):\n    is_changed: bool = False\n    changes: int = 1\n    original: str = ''\n",
        (
            "subject = Case()",
            "del subject.is_changed",
            "subject.is_changed",
            "vars(subject).clear()",
            "subject.changes",
            "subject.original",
            "hasattr(subject, 'changes')",
            "subject.changes = 5",
            "subject.changes",
        ),
    ),
    "the text of a missing attribute": (
        "Case = create_model('Case', __base__=Model, **{'c\\\\d': (int, 2), 'e\"f': (int, 2), \"g'h\": (int, 3)})\n",
        (
            "subject = Case()",
            "vars(subject).clear()",
            "getattr(subject, 'c\\\\d')",
            "getattr(subject, 'e\"f')",
            "getattr(subject, \"g'h\")",
            "getattr(subject, 'nothing')",
            "subject.model_dumb",
        ),
    ),
    "extra allowed by the call": (
        "class Case(Model):\n    a: int = 1\n    b: list[int] = []\n",
        (
            "subject = Case.model_validate_json(b'{\"a\": 1}', extra='allow')",
            "subject.a = 2",
            "subject.__pydantic_extra__",
            "subject = Case.model_validate({'a': 1, 'z': 5}, extra='allow')",
            "subject",
            "subject.model_dump()",
            "subject.model_dump_json()",
            "encode([subject])",
            "subject.b = [1]",
            "subject.z",
            "subject.z = 7",
            "subject.model_dump()",
            "subject.__pydantic_extra__",
            "repr(subject)",
        ),
    ),
    "an undefined value": (
        "class Case(Model):\n    a: Any = 5\n    b: object = None\n    c: Any\n    d: list[Any] = [1]\n"
        "    e: Any = Field(default_factory=new_list)\n",
        (
            "Case(a=PydanticUndefined, c=1)",
            "Case(b=PydanticUndefined, c=1).model_fields_set",
            "Case(c=PydanticUndefined)",
            "Case.model_validate({'a': PydanticUndefined, 'c': 1, 'e': PydanticUndefined})",
            "Case.model_validate({'c': 1, 'd': [PydanticUndefined]})",
            "subject = Case(c=1)",
            "subject.a = PydanticUndefined",
            "subject.e = PydanticUndefined",
            "subject.c = PydanticUndefined",
            "vars(subject)",
        ),
    ),
    "an object that was never initialised": (
        "class Case(Model):\n    a: int = 1\n    b: list[int] = []\n",
        (
            "subject = Case.__new__(Case)",
            "subject.a",
            "subject.model_fields_set",
            "repr(subject)",
            "subject.model_dump()",
            "subject.model_dump_json()",
            "encode([subject])",
            "subject.a = 1",
            "subject.__pydantic_fields_set__ = {'a'}",
            "subject.a = 1",
            "vars(subject)",
            "subject == Case()",
            "copy.copy(subject)",
            "pickle.loads(pickle.dumps(subject))",
            "Case.__init__(subject, b=[2])",
            "vars(subject)",
        ),
    ),
    "initialised twice": (
        "class Case(Model):\n    a: int = 1\n    b: list[int] = []\n",
        (
            "subject = Case(a=2, b=[3])",
            "subject.__init__(a='x')",
            "vars(subject)",
            "subject.__init__(a=4)",
            "vars(subject)",
            "subject.model_fields_set",
            "subject.__init__(b='x')",
            "subject.__init__(1)",
            "vars(subject)",
        ),
    ),
    "how calls may be made": (
        "class Case(Model):\n    a: int = 1\n    b: str = ''\n",
        (
            "Case(1)",
            "Case(1, 2)",
            "Case({'a': 1})",
            "Case(None)",
            "Case(**{1: 2})",
            "Case(**{Text('a'): 2})",
            "Case(**{LoudText('a'): 2})",
            "Case(a=1, **{'a': 2})",
            "Case(**{'a': 1}, **{'b': 'x'})",
            "Case.model_validate({Text('a'): 2})",
            "Case.model_validate({LoudText('a'): 2})",
            "Case.model_validate({1: 2, None: 3, 'a': 4})",
            "Case.model_validate({'a': 1}, 5)",
            "Case.model_validate(obj={'a': 1})",
            "Case.model_validate_json(json_data='{}')",
            "Case.model_validate_json('{}', True)",
            "Case.model_validate_json()",
            "Case().model_dump('json')",
            "Case().model_dump_json(2)",
            "Case.__init__()",
            "Case.__init__(5)",
            "Case.__new__()",
            "object.__new__(Case).model_dump()",
            "Case.__init__(Case.__new__(Case), self=1)",
            "type.__call__(Case, a=2)",
            "functools.partial(Case, a=2)(b='x')",
            "list(map(lambda values: Case(**values), [{'a': 1}, {'b': 'x'}]))",
        ),
    ),
    "what changes while it is read": (
        "class Case(Model):\n    a: dict[str, int] = {}\n    b: list[int] = []\n    c: Any = None\n"
        "class Greedy(int):\n    def __index__(self):\n        victim.clear()\n        return 1\n"
        "class Clearing(str):\n    def __hash__(self):\n        victim.clear()\n        return hash('a')\n"
        "    def __eq__(self, other):\n        victim.clear()\n        return str(self) == str(other)\n"
        "victim = {}\n",
        (
            "victim.update(a={}, b=[1], c=1)",
            "victim.update({Clearing('a'): 1})",
            "Case.model_validate(victim)",
            "Case(**victim)",
            "victim.update(b=[Greedy(1), 2, 3])",
            "Case.model_validate(victim)",
        ),
    ),
    "a class assigned to an object": (
        "class Case(Model):\n    a: int = 1\n"
        "class Sub(Case):\n    b: int = 2\n"
        "class Other(Model):\n    a: str = ''\n    c: list[int] = []\n",
        (
            "subject = Case(a=5)",
            "subject.__class__ = Sub",
            "subject",
            "subject.model_dump()",
            "subject.model_dump_json()",
            "subject.b = 3",
            "vars(subject)",
            "subject.__class__ = Other",
            "subject.model_dump()",
            "subject.c = [1]",
            "subject.model_fields_set",
            "vars(subject)",
            "encode([subject])",
        ),
    ),
    "a class that changes": (
        "class Case(Model):\n    a: int = 1\n    b: int = 2\n",
        (
            "before = Case(a=5)",
            "Case.__init__ = lambda self, **values: note('init')",
            "Case(a=5)",
            "del Case.__init__",
            "Case(a=6)",
            "Case.__setattr__ = lambda self, name, value: note(('set', name))",
            "before.a = 7",
            "del Case.__setattr__",
            "before.a = 8",
            "before",
            "Case.model_fields['a'].default = 9",
            "Case.model_rebuild(force=True)",
            "Case()",
            "before.model_dump(exclude_defaults=True)",
            "Case.model_fields['a'].default = 1",
            "Case.model_rebuild(force=True)",
        ),
    ),
    "subclasses and generics on the way": (
        "class Case(Model):\n    a: int = 1\n"
        "class Sub(Case):\n    b: int = 2\n"
        "class Holder(Model):\n    one: Case\n    many: list[Case] = []\n    named: dict[str, Case] = {}\n",
        (
            "subject = Holder(one=Sub(b=5), many=[Sub(), Case()], named={'x': Sub()})",
            "subject",
            "subject.model_dump()",
            "subject.model_dump_json()",
            "subject.model_dump_json(serialize_as_any=True)",
            "encode([subject])",
            "subject == Holder(one=Case(), many=[Sub(), Case()], named={'x': Sub()})",
            "Case() == Sub()",
            "Sub() == Case()",
            "Case.model_validate(Sub(b=7))",
            "Sub.model_validate(Case())",
            "encode([Case(), Case()])",
        ),
    ),
    "edited in place": (
        "class Inner(Model):\n    a: int = 1\n"
        "class Case(Model):\n    a: list[int] = []\n    b: dict[str, list[int]] = {}\n    c: Inner = Inner()\n"
        "    d: list[Inner] = []\n    e: set[int] = set()\n",
        (
            "subject = Case(a=[1], b={'x': [1]}, c=Inner(), d=[Inner()], e={1})",
            "before = subject.model_copy(deep=True)",
            "subject.a.append('text')",
            "subject.b['x'].append(nan)",
            "subject.c.a = 5",
            "subject.d[0].__dict__['a'] = 'text'",
            "subject.d.append({'a': 1})",
            "subject.e.add('text')",
            "subject.model_dump()",
            "subject.model_dump_json()",
            "encode([subject])",
            "subject == before",
            "before.model_dump()",
            "vars(subject)",
            "vars(before)",
        ),
    ),
    "a default is nobody's own": (
        "class Inner(Model):\n    a: list[int] = []\n"
        "class Case(Model):\n    a: list[int] = [1]\n    b: dict[str, list[int]] = {'x': []}\n"
        "    c: Inner = Inner()\n    d: Any = [[]]\n    e: tuple[list[int], ...] = ([1],)\n    f: set[int] = {1}\n"
        "    g: list[Inner] = [Inner()]\n",
        (
            "one, two = Case(), Case.model_validate({})",
            "three = Case.model_validate_json('{}')",
            "four = Case.model_construct()",
            "one.a.append(2), one.b['x'].append(2), one.c.a.append(2), one.d[0].append(2)",
            "one.e[0].append(2), one.f.add(2), one.g[0].a.append(2), one.g.append(2)",
            "[vars(one), vars(two), vars(three), vars(four), vars(Case())]",
            "one.model_dump(exclude_defaults=True)",
            "two.model_dump(exclude_defaults=True)",
        ),
    ),
    "numbers in JSON": (
        "class Case(Model):\n    a: int = 0\n    b: float = 0\n    c: Decimal = Decimal(0)\n    d: Any = None\n"
        "    e: int | float | None = None\n    f: str = ''\n    g: bool = False\n",
        tuple(
            f"Case.model_validate_json('{{\"{name}\": {number}}}')"
            for name in "abcdefg"
            for number in (
                "0", "-0", "-0.0", "1.0", "1e2", "1E-2", "1.5", "9223372036854775807", "9223372036854775808",
                "-9223372036854775809", "123456789012345678901234567890", "1e400", "-1e400", "1e-400", "NaN",
                "Infinity", "-Infinity", "0.1", "1.7976931348623159e308", "4.9e-324", "2.4e-324", "01", "1.",
                ".5", "+1", "1e", "0x1", "1e5.5", "--1", "9007199254740993.0", "1.0e0", "10" * 50,
                "0.30000000000000004", "123456789.0e-9", "5e-1",
            )
        ),
    ),
    "text in JSON": (
        "class Case(Model):\n    a: str = ''\n    b: dict[str, str] = {}\n    c: bytes = b''\n    d: Any = None\n",
        tuple(
            f"Case.model_validate_json(b'{{\"{name}\": ' + {text!r} + b'}}')"
            for name in "abcd"
            for text in (
                b'"\\ud83d\\ude00"', b'"\\ud83d"', b'"\\ude00"', b'"\\ud83dx"', b'"\\ud83d\\u0041"', b'"\\u0000"',
                b'"\xff"', b'"\xc3\xa9"', b'"\xed\xa0\x80"', b'"\xf4\x90\x80\x80"', b'"\xc0\x80"', b'"\x00"', b'"\x1f"',
                b'"\x7f"', b'"\n"', b'"\\x"', b'"\\u12"', b'"\\u12g4"', b'"\\/"', b'"a', b'"\\', b'"\\"', b'"\\u',
                b'{"k": "v", "k": "w"}', b'{"\\u006b": "v"}', b'{"k" "v"}', b'{"k": "v",}', b'{k: "v"}', b'{"": ""}',
            )
        )
        + ("Case(a='\\ud800').model_dump_json()", "Case.model_construct(a='a\\udfff').model_dump_json()",
           "encode([Case.model_construct(a='\\ud800')])", "Case.model_validate_json('{\"a\": \"\\ud800\"}')",
           "Case(b={'\\ud800': ''}).model_dump_json()"),
    ),
    "what JSON may come in": (
        "class Case(Model):\n    a: int = 1\n",
        tuple(
            f"Case.model_validate_json({data})"
            for data in (
                "'{}'", "b'{}'", "bytearray(b'{}')", "memoryview(b'{}')", "Text('{}')", "Raw(b'{}')", "None", "1", "{}", "[]",
                "''", "b''", "' '", "'null'", "'[]'", "'1'", "'{} '", "' \\n\\t\\r{}'", "'\\x0b{}'", "'{}x'", "'{}{}'",
                "b'\\xef\\xbb\\xbf{}'", "'\\ufeff{}'", "'{}'.encode('utf-16')", "'{\"a\": 1'", "'{\"a\"'", "'{\"a\":'", "'{'",
                "b'{\"a\": 1, \"a\": 2}'", "b'{\"a\": \"x\", \"a\": 2}'", "b'{\"a\": 2, \"a\": \"x\"}'",
                "b'{\"a\": 2, \"\\\\u0061\": 3}'", "b'{\"z\": [1, {\"y\": null}], \"a\": 2}'", "b'{\"z\": nope, \"a\": 2}'",
                "b'{\"z\": \"\\xff\", \"a\": 2}'", "b'{\"\\xff\": 1}'", "b'{\"z\": 1e999, \"a\": 2}'", "b'{\"z\": NaN, \"a\": 2}'",
                "b'{\"z\": 01, \"a\": 2}'", "b'{\"z\": \"\\\\ud800\", \"a\": 2}'", "b'{\"a\": 1, \"z\": ' + b'9' * 5000 + b'}'",
            )
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SCRIPTS)
def test_agrees_with_pydantic(name: str) -> None:
    source, script = SCRIPTS[name]
    for pair in pairs():
        check(Case(name, source), pair, script)
