"""Pickle, by every protocol, gives back what pydantic's would."""

import copyreg
import pickle
import re
import subprocess
import sys
from typing import Annotated, Any, Generic, TypeVar

import pytest
from parity import PydanticEntity, described, refusal
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, RootModel

import nitro

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
T = TypeVar("T")


def classes_on(base: type, prefix: str) -> dict[str, Any]:
    """The classes of the tests, on one base, findable in this module under their prefixed names."""

    class Point(base):
        x: int
        y: float = 0.0

    class Line(base):
        points: list[Point] = []
        named: dict[str, Point] = {}
        origin: Point | None = None

    class Open(base):
        model_config = ConfigDict(extra="allow")
        x: int

    class Secretive(base):
        x: int
        _seen: list[int] = PrivateAttr(default_factory=lambda: [1])

        def model_post_init(self, context: Any) -> None:
            self._seen.append(self.x)

    class Aliased(base):
        name: str = Field(alias="customerName")

    class Box(base, Generic[T]):
        content: T

    class Many(base):
        __annotations__ = {f"field_{number}": int for number in range(80)}

    class Frozen(base):
        model_config = ConfigDict(frozen=True)
        x: int

    made = dict(locals())
    del made["base"], made["prefix"]
    for name, cls in made.items():
        cls.__qualname__ = cls.__name__ = f"{prefix}{name}"
        cls.__module__ = __name__
        globals()[f"{prefix}{name}"] = cls
    return made


PYDANTIC, PYDANTIC_ENTITY = classes_on(BaseModel, "Pydantic"), classes_on(PydanticEntity, "PydanticEntity")
MODEL, ENTITY = classes_on(nitro.Model, "Model"), classes_on(nitro.Entity, "Entity")

PAIRS = [pytest.param(MODEL, PYDANTIC, id="Model"), pytest.param(ENTITY, PYDANTIC_ENTITY, id="Entity")]


def instances_of(classes: dict[str, Any]) -> list[Any]:
    point = classes["Point"](x=1)
    changed = classes["Point"](x=1)
    changed.y = 2.5
    without = classes["Point"](x=1)
    del without.y
    opened = classes["Open"](x=1, other=[1], more="b")
    secretive = classes["Secretive"](x=4)
    secretive._seen.append(9)
    return [
        point,
        changed,
        without,
        classes["Point"].model_validate({"x": "3", "y": "4"}),
        classes["Point"].model_validate_json('{"x": 3}'),
        classes["Point"].model_construct(x="no int"),
        classes["Line"](points=[point, changed], named={"a": point}, origin=point),
        opened,
        secretive,
        classes["Aliased"](customerName="a"),
        classes["Box"](content=[point]),
        classes["Many"](**{f"field_{number}": number for number in range(80)}),
        classes["Frozen"](x=3),
    ]


def plain(instance: Any) -> Any:
    """Described, with the prefixes of the class names taken away."""
    return re.sub("(PydanticEntity|Pydantic|Model|Entity)(?=[A-Z])", "", repr(described(instance)))


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_every_instance_comes_back_as_with_pydantic(ours, theirs, protocol):
    for instance, reference in zip(instances_of(ours), instances_of(theirs), strict=True):
        back = pickle.loads(pickle.dumps(instance, protocol))
        reference_back = pickle.loads(pickle.dumps(reference, protocol))
        assert type(back) is type(instance)
        assert back == instance
        assert plain(back) == plain(reference_back)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_what_came_back_goes_on_like_any_other(ours, theirs, protocol):
    for classes in (ours, theirs):
        back = pickle.loads(pickle.dumps(classes["Point"](x=1), protocol))
        back.y = 7.5
        assert back.model_dump(exclude={"id"}) == {"x": 1, "y": 7.5}
        assert back.model_fields_set == {"x", "y"}
        assert back.model_dump_json(exclude={"id"}) == '{"x":1,"y":7.5}'
        assert pickle.loads(pickle.dumps(back, protocol)) == back


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("classes", [MODEL, ENTITY], ids=["Model", "Entity"])
def test_shared_references_stay_shared(classes, protocol):
    point = classes["Point"](x=1)
    line = classes["Line"](points=[point, point], origin=point)
    back = pickle.loads(pickle.dumps([line, point], protocol))
    assert back[0].points[0] is back[0].points[1] is back[0].origin is back[1]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_pickle_is_as_large_as_that_of_pydantic(protocol):
    """What pydantic does not need, nobody else's pickle carries."""
    size = len(pickle.dumps(MODEL["Point"](x=1), protocol))
    assert size <= len(pickle.dumps(PYDANTIC["Point"](x=1), protocol))


class Parametrised(nitro.Model, Generic[T]):
    content: T


class ParametrisedEntity(nitro.Entity, Generic[T]):
    content: T


IntBox = Parametrised[int]
IntEntityBox = ParametrisedEntity[int]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("box", [IntBox, IntEntityBox], ids=["Model", "Entity"])
def test_parametrised_generics_come_back(box, protocol):
    instance = box(content="3")
    back = pickle.loads(pickle.dumps(instance, protocol))
    assert type(back) is box
    assert back == instance
    assert back.content == 3


Root = RootModel[list[MODEL["Point"]]]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_root_model_of_models_comes_back(protocol):
    root = Root.model_validate([{"x": 1}])
    back = pickle.loads(pickle.dumps(root, protocol))
    assert back == root
    assert type(back.root[0]) is MODEL["Point"]


class WithReduce(nitro.Model):
    x: int

    def __reduce__(self) -> Any:
        return type(self).model_validate, ({"x": self.x + 1},)


class WithState(nitro.Model):
    x: int

    def __getstate__(self) -> dict[Any, Any]:
        state = super().__getstate__()
        return {**state, "note": "seen"}

    def __setstate__(self, state: dict[Any, Any]) -> None:
        assert state.pop("note") == "seen"
        super().__setstate__(state)
        self.x += 1


class EntityWithState(nitro.Entity):
    x: int

    def __getstate__(self) -> dict[Any, Any]:
        return {**super().__getstate__(), "note": "seen"}

    def __setstate__(self, state: dict[Any, Any]) -> None:
        assert state["note"] == "seen"
        super().__setstate__({name: value for name, value in state.items() if name != "note"})


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_own_ways_to_pickle_are_respected(protocol):
    assert pickle.loads(pickle.dumps(WithReduce(x=1), protocol)).x == 2
    assert pickle.loads(pickle.dumps(WithState(x=1), protocol)).x == 2
    entity = EntityWithState(x=1)
    assert pickle.loads(pickle.dumps(entity, protocol)) == entity


def test_a_state_may_be_restored_twice():
    point = MODEL["Point"](x=1)
    entity = ENTITY["Point"](x=1)
    for instance in (point, entity):
        state = instance.__getstate__()
        for _ in range(2):
            fresh = type(instance).__new__(type(instance))
            fresh.__setstate__(state)
            assert fresh == instance


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_pickle_of_pydantic_before_nitro_is_read(protocol):
    """A class that moved from BaseModel to Model reads the pickles that it wrote before."""
    old = PYDANTIC["Point"](x=1, y=2.0)
    data = pickle.dumps(old, protocol)
    globals()["PydanticPoint"] = MODEL["Point"]
    try:
        assert pickle.loads(data) == MODEL["Point"](x=1, y=2.0)
    finally:
        globals()["PydanticPoint"] = PYDANTIC["Point"]


def test_the_classes_themselves_are_pickled_by_name():
    for cls in (*MODEL.values(), *ENTITY.values()):
        assert pickle.loads(pickle.dumps(cls)) is cls


def test_an_instance_of_a_local_class_is_refused_as_pydantic_does():
    def answer(base: type) -> tuple[type, ...]:
        class Local(base):
            x: int

        return type(refusal(pickle.dumps, Local(x=1))), type(refusal(pickle.dumps, Local))

    assert answer(nitro.Model) == answer(nitro.Entity) == answer(BaseModel)


def test_copyreg_is_respected():
    class Registered(nitro.Model):
        x: int

    copyreg.pickle(Registered, lambda instance: (int, (instance.x,)))
    try:
        assert pickle.loads(pickle.dumps(Registered(x=4))) == 4
    finally:
        del copyreg.dispatch_table[Registered]


def test_another_process_reads_a_pickle():
    class_source = (
        "import nitro, datetime, pickle, sys\n"
        "class Order(nitro.Entity):\n"
        "    at: datetime.datetime\n"
        "    lines: list[int] = []\n"
    )
    writer = class_source + (
        "order = Order(at=datetime.datetime(2024, 1, 2), lines=[1])\n"
        "order.lines.append(2)\n"
        "sys.stdout.buffer.write(pickle.dumps(order))\n"
    )
    reader = class_source + (
        "order = pickle.loads(sys.stdin.buffer.read())\nprint(order.at, order.lines, order.changes)\n"
    )
    written = subprocess.run([sys.executable, "-c", writer], capture_output=True, check=True)
    read = subprocess.run([sys.executable, "-c", reader], input=written.stdout, capture_output=True, check=True)
    assert read.stdout.decode().strip() == "2024-01-02 00:00:00 [1, 2] {'lines': ([1], [1, 2])}"


class Nested(nitro.Model):
    value: Annotated[int, Field(gt=0)]
    children: list["Nested"] = []


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_tree_comes_back(protocol):
    tree = Nested(value=1, children=[Nested(value=2, children=[Nested(value=3)]), Nested(value=4)])
    assert pickle.loads(pickle.dumps(tree, protocol)) == tree
