"""model_dump and model_dump_json with all their options, and iteration."""

import datetime
import enum
import json
import uuid
from collections import OrderedDict, defaultdict, deque, namedtuple
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from parity import as_pydantic_does, refusal, with_warnings
from pydantic import ConfigDict, Field, Json, SecretStr, SerializeAsAny

import nitro


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Number(enum.IntEnum):
    ONE = 1


def shop(base: Any) -> Any:
    class Line(base):
        product: str
        quantity: int = 1
        note: str | None = None

    class Shop(base):
        name: str = Field(serialization_alias="shopName", default="x")
        lines: list[Line] = []
        by_name: dict[str, Line] = {}
        first: Line | None = None
        opened: datetime.date = datetime.date(2024, 1, 2)
        price: Decimal = Decimal("1.50")
        identity: uuid.UUID = uuid.UUID(int=7)
        colour: Colour = Colour.RED
        number: Number = Number.ONE
        tags: set[str] = set()
        data: bytes = b"abc"
        pair: tuple[int, str] = (1, "a")

    line = Line(id="1", product="tea", quantity=2)
    return Shop(id="s", name="shop", lines=[line, Line(id="2", product="milk")], by_name={"a": line}, first=line)


@as_pydantic_does
def test_both_modes(base):
    yield shop(base).model_dump(), shop(base).model_dump(mode="python"), shop(base).model_dump(mode="json")
    yield shop(base).model_dump(mode="other"), refusal(shop(base).model_dump, mode=1)
    yield shop(base).model_dump_json(), shop(base).model_dump_json(indent=2), shop(base).model_dump_json(indent=0)
    yield shop(base).model_dump_json(ensure_ascii=True)
    yield refusal(shop(base).model_dump, "json"), refusal(shop(base).model_dump_json, 2)
    yield refusal(shop(base).model_dump, unknown=True), refusal(shop(base).model_dump_json, unknown=True)


@as_pydantic_does
def test_a_dump_shares_nothing_with_the_model(base):
    made = shop(base)
    dumped = made.model_dump()
    dumped["lines"].append(1)
    dumped["by_name"]["b"] = 2
    dumped["lines"][0]["product"] = "coffee"
    dumped["tags"].add("z")
    yield made
    yield made.model_dump()


OPTIONS: list[dict[str, Any]] = [
    {"exclude_unset": True},
    {"exclude_defaults": True},
    {"exclude_none": True},
    {"exclude_unset": True, "exclude_none": True, "exclude_defaults": True},
    {"by_alias": True},
    {"by_alias": False},
    {"round_trip": True},
    {"exclude_computed_fields": True},
    {"serialize_as_any": True},
    {"include": {"name"}},
    {"include": {"name": True, "lines": {0: {"product"}}}},
    {"include": {"lines": {"__all__": {"product"}}}},
    {"include": {"first": {"product", "note"}, "by_name": {"a": ...}}},
    {"include": {"lines": {-1}}},
    {"include": set()},
    {"exclude": {"name"}},
    {"exclude": {"lines": {"__all__": {"note", "id"}}, "by_name": True}},
    {"exclude": {"lines": {0}, "first": {"quantity": ...}}},
    {"exclude": {"lines": {-1: {"product"}}}},
    {"exclude": {"by_name": {"a": {"product"}}}},
    {"exclude": set()},
    {"exclude": {"nonsense"}},
    {"include": {"name", "lines"}, "exclude": {"lines": {0}}},
    {"include": {"name", "lines"}, "exclude": {"name"}},
    {"include": ["name"]},
    {"include": "name"},
    {"exclude": {"lines": "wrong"}},
    {"context": {"a": 1}},
    {"warnings": False},
    {"warnings": "error"},
    {"fallback": repr},
    {"exclude_none": True, "include": {"first"}},
]


def spelled(options: Any) -> str:
    """Options as they are written, and the same in every process: the order of a set is not."""
    if isinstance(options, dict):
        return f"{{{', '.join(f'{name!r}: {spelled(option)}' for name, option in options.items())}}}"
    if isinstance(options, set) and options:
        return f"{{{', '.join(sorted(map(repr, options)))}}}"
    return repr(options)


@pytest.mark.parametrize("options", OPTIONS, ids=spelled)
@pytest.mark.parametrize("base", ["Model", "Entity"])
def test_options(base, options):
    @as_pydantic_does
    def body(base):
        made = shop(base)
        for _ in range(2):
            yield with_warnings(made.model_dump, **options)
            yield with_warnings(made.model_dump, **options, mode="json")
            yield with_warnings(made.model_dump_json, **options)
            vars(made)
        made.name = "other"
        made.lines[0].quantity = 1
        yield with_warnings(made.model_dump, **options), with_warnings(made.model_dump_json, **options)

    body(base)


@as_pydantic_does
def test_unset_and_default_values(base):
    class Point(base):
        x: int
        y: int = 0
        tags: list[str] = Field(default_factory=lambda: ["a"])
        z: float = 1.0

    point = Point(id="1", x=1, y=0)
    yield point.model_dump(exclude_unset=True), point.model_dump_json(exclude_unset=True)
    yield point.model_dump(exclude_defaults=True), point.model_dump_json(exclude_defaults=True)
    point.z = 1.0
    yield point.model_dump(exclude_unset=True), point.model_fields_set
    point.model_fields_set.discard("y")
    yield point.model_dump(exclude_unset=True), point.model_fields_set
    point.tags.append("b")
    yield point.model_dump(exclude_unset=True), point.model_dump(exclude_defaults=True)


@as_pydantic_does
def test_excluded_fields(base):
    class Secret(base):
        name: str
        word: str = Field(exclude=True)
        maybe: int = Field(default=0, exclude_if=lambda value: value == 0)

    secret = Secret(id="1", name="a", word="b")
    yield secret.model_dump(), secret.model_dump_json(), secret.model_dump(include={"word"}), secret
    secret.maybe = 3
    yield secret.model_dump(), secret.model_dump_json()
    yield nitro.encode(secret)


@as_pydantic_does
def test_values_of_subclasses_are_dumped_as_declared(base):
    class Animal(base):
        name: str

    class Dog(Animal):
        breed: str

    class Owner(base):
        animal: Animal
        animals: list[Animal] = []
        anything: SerializeAsAny[Animal] | None = None
        other: Any = None

    dog = Dog(id="1", name="a", breed="b")
    owner = Owner(id="2", animal=dog, animals=[dog, Animal(id="3", name="c")], anything=dog, other=dog)
    yield owner, owner.model_dump(), owner.model_dump_json()
    yield owner.model_dump(serialize_as_any=True), owner.model_dump_json(serialize_as_any=True)
    yield nitro.encode(owner), owner.animal is dog


@as_pydantic_does
def test_containers_of_every_kind(base):
    Pair = namedtuple("Pair", ["a", "b"])

    class Containers(base):
        anything: Any
        ordered: OrderedDict[str, int] = OrderedDict(b=1, a=2)
        default: defaultdict[str, list[int]] = defaultdict(list, {"a": [1]})
        queue: deque[int] = deque([1, 2])
        pair: Pair = Pair(1, 2)
        frozen: frozenset[int] = frozenset({1})
        path: Path = Path("a/b")
        json_text: Json[list[int]] = [1]  # type: ignore[valid-type]
        secret: SecretStr = SecretStr("x")
        by_number: dict[int, dict[Colour, float]] = {1: {Colour.RED: 1.0}}

    for anything in (
        None,
        1,
        [1, (2, {3}), {"a": b"b"}],
        {1: "a", (1, 2): "b", None: "c"},
        Path("x"),
        Colour.BLUE,
        datetime.timedelta(seconds=90),
        range(3),
        float("inf"),
    ):
        made = Containers(id="1", anything=anything)
        yield made.model_dump()
        yield with_warnings(made.model_dump_json), with_warnings(made.model_dump, mode="json")
        yield with_warnings(made.model_dump, round_trip=True)


@as_pydantic_does
def test_what_has_no_json_form(base):
    class Anything(base):
        value: Any

    for value in (object(), lambda: 1, {1, "a"}, b"\xff", "\ud800", 10**30, float("nan"), [object()]):
        made = Anything.model_construct(id="1", value=value)
        found, warned = with_warnings(made.model_dump_json)
        yield type(found), warned
        yield type(with_warnings(made.model_dump, mode="json")[0])
        yield type(made.model_dump()["value"]), made.model_dump()["value"] is value
        yield type(with_warnings(made.model_dump_json, fallback=lambda _: "fallen back")[0])


@as_pydantic_does
def test_cycles(base):
    class Node(base):
        children: list[Any] = []

    node = Node(id="1")
    node.children.append(node)
    yield with_warnings(node.model_dump), with_warnings(node.model_dump_json)
    looped: list[Any] = []
    looped.append(looped)
    other = Node.model_construct(id="1", children=looped)
    yield with_warnings(other.model_dump), with_warnings(other.model_dump_json)


@as_pydantic_does
def test_deep_nesting(base):
    class Node(base):
        child: "Node | None" = None
        value: Any = None

    node = Node(id="0")
    for _ in range(150):
        node = Node(id="0", child=node)
    yield len(node.model_dump_json()), len(repr(node.model_dump()))
    nested: Any = 1
    for _ in range(150):
        nested = [nested]
    deep = Node(id="0", value=nested)
    yield deep.model_dump_json(), deep.model_dump()
    for _ in range(400):
        nested = [nested]
    deep = Node.model_construct(id="0", value=nested)
    yield type(with_warnings(deep.model_dump_json)[0]), type(with_warnings(deep.model_dump)[0])


@as_pydantic_does
def test_every_setting_of_the_json_form(base):
    class Numbers(base):
        model_config = ConfigDict(ser_json_inf_nan="strings", ser_json_timedelta="float", ser_json_bytes="base64")
        number: float = float("inf")
        time: datetime.timedelta = datetime.timedelta(days=1, microseconds=5)
        data: bytes = b"\xff\x00"

    yield Numbers(id="1").model_dump_json(), Numbers(id="1").model_dump(mode="json"), Numbers(id="1").model_dump()

    class Hexed(base):
        model_config = ConfigDict(
            ser_json_inf_nan="constants", ser_json_bytes="hex", val_json_bytes="hex", ser_json_temporal="seconds"
        )
        number: float = float("nan")
        data: bytes = b"\xff\x00"
        when: datetime.datetime = datetime.datetime(2024, 1, 2)

    yield Hexed(id="1").model_dump_json(), Hexed.model_validate_json('{"data": "ff"}').data


@as_pydantic_does
def test_the_dump_of_version_1_still_answers(base):
    class Point(base):
        x: int
        y: int | None = None

    with pytest.warns(DeprecationWarning, match="dict"):
        yield Point(id="1", x=1).dict(exclude_none=True)
    with pytest.warns(DeprecationWarning, match="json"):
        yield Point(id="1", x=1).json()
    with pytest.warns(DeprecationWarning, match="parse_obj"):
        yield Point.parse_obj({"id": "1", "x": "3"})
    yield with_warnings(Point.parse_raw, '{"id": "1", "x": 3}')
    with pytest.warns(DeprecationWarning, match="schema"):
        yield Point.schema()


@as_pydantic_does
def test_serializers_of_the_class_agree(base):
    made = shop(base)
    serializer = type(made).__pydantic_serializer__
    yield serializer.to_python(made) == made.model_dump(), serializer.to_json(made)
    yield serializer.to_python({"name": "a"}, warnings=False)
    yield made.model_dump_json() == serializer.to_json(made).decode()
    yield json.loads(made.model_dump_json()) == made.model_dump(mode="json", by_alias=False)


@pytest.mark.parametrize("base", [nitro.Model, nitro.Entity])
def test_encode_writes_what_pydantic_writes(base):
    made = shop(base)
    assert nitro.encode(made) == made.__pydantic_serializer__.to_json(made)
    assert nitro.encode([made, made]) == b"[" + b",".join([nitro.encode(made)] * 2) + b"]"
    assert nitro.encode((made,)) == b"[" + nitro.encode(made) + b"]"
    assert nitro.encode([]) == b"[]"
    assert nitro.encode({"a": made}) == b'{"a":' + nitro.encode(made) + b"}"
