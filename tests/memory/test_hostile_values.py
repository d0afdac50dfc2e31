"""Values whose own code runs in the middle of Nitro's work, and a collector that runs all the time."""

import gc
from collections.abc import Iterator
from typing import Any

import pytest
from operations import OPERATIONS
from pydantic import ConfigDict, Field

import nitro
from nitro import Entity, Model


class Holder(Entity):
    name: str = ""
    items: list[Any] = []
    table: dict[Any, Any] = {}
    labels: set[Any] = set()
    anything: Any = None
    other: Any = None


@pytest.fixture
def _collecting_all_the_time() -> Iterator[None]:
    thresholds = gc.get_threshold()
    gc.set_threshold(1, 1, 1)
    yield
    gc.set_threshold(*thresholds)


@pytest.mark.usefixtures("_collecting_all_the_time")
@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_under_a_collector_that_never_rests(name):
    for _ in range(2):
        OPERATIONS[name]()


def test_a_value_that_assigns_when_it_dies():
    class Dying:
        def __init__(self, holder: Holder) -> None:
            self.holder = holder

        def __del__(self) -> None:
            self.holder.name = "assigned by the dying"
            self.holder.anything = None
            vars(self.holder)

    holder = Holder()
    for _ in range(50):
        holder.anything = Dying(holder)
        holder.anything = 1
        holder.save()
        holder.save()
    assert holder.name == "assigned by the dying"
    holder.anything = Dying(holder)
    holder.revert_changes()
    del holder.anything
    assert not hasattr(holder, "anything")
    holder.delete()


def test_a_value_that_deletes_the_attribute_when_it_dies():
    class Model_(Model):
        anything: Any = None
        other: Any = None

    class Dying:
        def __init__(self, holder: Any) -> None:
            self.holder = holder

        def __del__(self) -> None:
            self.holder.__dict__.pop("other", None)
            self.holder.__dict__["anything"] = "late"

    for _ in range(50):
        model = Model_(other=1)
        model.anything = Dying(model)
        model.anything = 2
        assert model.anything in (2, "late")
        assert not hasattr(model, "other")


class Meddling:
    """An equality that edits what is being compared."""

    def __init__(self, action: Any) -> None:
        self.action = action

    def __eq__(self, other: object) -> bool:
        self.action()
        return False

    __hash__ = object.__hash__


@pytest.mark.parametrize(
    "action",
    [
        lambda holder: holder.items.clear(),
        lambda holder: holder.items.append(1),
        lambda holder: holder.items.extend(range(1000)),
        lambda holder: holder.table.clear(),
        lambda holder: holder.table.update({object(): 1}),
        lambda holder: holder.labels.clear(),
        lambda holder: holder.labels.add(object()),
        lambda holder: setattr(holder, "items", []),
        lambda holder: setattr(holder, "name", "edited"),
        lambda holder: delattr(holder, "other") if hasattr(holder, "other") else None,
        lambda holder: vars(holder).clear(),
        lambda holder: vars(holder),
        lambda holder: holder.revert_changes(),
        lambda holder: setattr(holder, "__dict__", {}),
        lambda holder: gc.collect(),
    ],
)
def test_an_equality_that_edits_what_is_compared(action):
    for fill in (
        lambda holder, value: holder.items.extend([value, value, 1]),
        lambda holder, value: holder.table.update({1: value, 2: value, "k": [value]}),
        lambda holder, value: holder.labels.update({value, 1}),
        lambda holder, value: setattr(holder, "other", value),
        lambda holder, value: setattr(holder, "anything", [[value], {"a": value}, (value,)]),
    ):
        holder = Holder(items=[0], other=0)
        fill(holder, Meddling(lambda holder=holder: action(holder)))
        started = Holder(
            items=list(holder.items), table=dict(holder.table), labels=set(holder.labels), anything=holder.anything
        )
        for entity in (holder, started):
            entity.name = "x" if hasattr(entity, "name") else "y"
            for question in (
                lambda entity=entity: entity.changes,
                lambda entity=entity: entity.is_changed,
                lambda entity=entity: entity == Holder(items=[0]),
                lambda entity=entity: entity.model_dump(),
                lambda entity=entity: entity.revert_changes(),
                lambda entity=entity: entity.changes,
                lambda entity=entity: repr(entity),
            ):
                try:
                    question()
                except (AttributeError, RuntimeError, KeyError, RecursionError, TypeError, ValueError):
                    # The data was pulled away underneath; an ordinary exception may say so.
                    continue


def test_a_key_whose_hash_and_equality_meddle():
    class Key:
        def __init__(self, holder: Any) -> None:
            self.holder = holder

        def __hash__(self) -> int:
            return 1

        def __eq__(self, other: object) -> bool:
            self.holder.table.clear()
            return False

    holder = Holder()
    one, other = Key(holder), Key(holder)
    holder.table[one] = [1]
    assert holder.changes
    holder.table = {one: 1}
    holder.table[other] = [2]
    for question in (
        lambda: holder.changes,
        lambda: holder.model_dump(),
        lambda: holder.revert_changes(),
        lambda: holder.model_copy(deep=True),
    ):
        try:
            question()
        except (RuntimeError, KeyError):
            continue


def test_a_factory_that_meddles_with_its_class():
    class Changing(Entity):
        x: int = 0
        y: Any = Field(default_factory=lambda: Changing.model_rebuild(force=True))
        z: list[int] = []

    for number in range(20):
        made = Changing(x=number)
        assert (made.x, made.y, made.z) == (number, True, [])
        made.z.append(1)
        assert made.changes == {"z": ([], [1])}


def test_a_factory_that_takes_the_plan_away():
    class Changing(Model):
        x: int = 0
        y: Any = Field(default_factory=lambda: setattr(Changing, "__init__", lambda self, **data: None))

    for _ in range(5):
        Changing(x=1)
    assert Changing.__init__ is not Model.__init__


def test_a_factory_that_makes_another_of_its_class():
    depth = [0]

    def another() -> Any:
        depth[0] += 1
        return Chain() if depth[0] < 40 else None

    class Chain(Entity):
        next: Any = Field(default_factory=another)

    chain = Chain()
    length = 0
    while chain is not None:
        chain, length = chain.next, length + 1
    assert length == 40


def test_endless_recursion_is_an_ordinary_error():
    class Endless(Model):
        next: Any = Field(default_factory=lambda: Endless())

    with pytest.raises(RecursionError):
        Endless()


def test_a_mapping_that_changes_while_it_is_read():
    class Text(str):
        def __hash__(self) -> int:
            return hash(str(self))

        def __eq__(self, other: object) -> bool:
            data.pop("y", None)
            return str.__eq__(self, other)

    class Point(Model):
        x: int = 0
        y: int = 0

    data: dict[Any, Any] = {Text("x"): 1, "y": 2, Text("z"): 3}
    made = Point.model_validate(data)
    assert made.x in (0, 1)


def test_a_list_that_shrinks_while_it_is_written():
    class Shrinking:
        def __repr__(self) -> str:
            items.clear()
            return "shrunk"

    items: list[Any] = [Shrinking(), 1, 2, 3]
    holder = Holder.model_construct(items=items)
    holder.model_dump_json(fallback=repr)
    holder.items = [Shrinking(), *range(100)]
    repr(holder)
    holder.model_dump()


def test_subclasses_of_plain_types_that_lie():
    class LyingInt(int):
        def __index__(self) -> int:
            raise ZeroDivisionError

        def __repr__(self) -> str:
            raise ZeroDivisionError

    class LyingStr(str):
        def encode(self, *arguments: Any) -> bytes:
            raise ZeroDivisionError

    class LyingList(list):
        def __iter__(self) -> Any:
            raise ZeroDivisionError

        def __len__(self) -> int:
            return 10**9

    class Point(Entity):
        model_config = ConfigDict(strict=False)
        x: int = 0
        text: str = ""
        items: list[int] = []

    point = Point.model_construct(x=LyingInt(5), text=LyingStr("a"))
    vars(point)["items"] = LyingList([1])
    for question in (
        lambda: Point.model_construct(items=LyingList([1])), lambda: point.model_dump(warnings=False), lambda: point.model_dump_json(warnings=False), lambda: point.changes, lambda: nitro.encode(point),
        lambda: Point(x=LyingInt(5), text=LyingStr("b")), lambda: Point(items=LyingList([1])), lambda: point.revert_changes(),
    ):  # fmt: skip
        try:
            question()
        except (ZeroDivisionError, ValueError):
            continue


def test_a_deep_structure_of_any_kind_is_let_go():
    class Link(Model):
        next: Any = None

    link: Any = None
    for _ in range(100_000):
        link = Link(next=link)
    deep: Any = None
    for _ in range(1000):
        deep = Holder(anything=deep)
    assert link.next is not None
    assert deep.name == ""
    del deep, link
    gc.collect()
