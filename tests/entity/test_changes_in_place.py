"""Edits inside lists, dicts, sets and nested models are found, at any depth, right after construction."""

import collections
import copy
import dataclasses
from collections.abc import Callable
from typing import Any

import pydantic.dataclasses
import pytest
from pydantic import BaseModel, ConfigDict, RootModel

import nitro
from nitro import Entity, Model, ValueObject


class Leaf(Model):
    text: str = ""
    words: list[str] = []


class Branch(Model):
    leaf: Leaf = Leaf()
    leaves: list[Leaf] = []
    by_name: dict[str, Leaf] = {}


class PlainLeaf(BaseModel):
    text: str = ""
    words: list[str] = []


class Point(ValueObject):
    x: int = 0
    path: list[int] = []


@pydantic.dataclasses.dataclass
class Checked:
    x: int = 0
    items: list[int] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Record:
    x: int = 0
    items: list[int] = dataclasses.field(default_factory=list)


class Tree(Entity):
    numbers: list[int] = []
    matrix: list[list[int]] = []
    table: dict[str, int] = {}
    lists: dict[str, list[int]] = {}
    nested: dict[str, dict[str, list[int]]] = {}
    labels: set[int] = set()
    pair: tuple[int, list[int]] = (0, [])
    pairs: list[tuple[str, dict[str, int]]] = []
    leaf: Leaf = Leaf()
    leaves: list[Leaf] = []
    by_name: dict[str, Leaf] = {}
    leaf_lists: dict[str, list[Leaf]] = {}
    branch: Branch = Branch()
    branches: list[Branch] = []
    maybe: Leaf | None = None
    plain: PlainLeaf = PlainLeaf()
    plains: list[PlainLeaf] = []
    point: Point = Point()
    points: list[Point] = []
    anything: Any = None
    either: list[int] | dict[str, int] = []


def filled() -> dict[str, Any]:
    leaf: dict[str, Any] = {"text": "t", "words": ["w"]}
    branch = {"leaf": leaf, "leaves": [leaf, leaf], "by_name": {"a": leaf}}
    return {
        "numbers": [1, 2, 3],
        "matrix": [[1], [2, 3]],
        "table": {"a": 1, "b": 2},
        "lists": {"a": [1], "b": []},
        "nested": {"a": {"b": [1]}},
        "labels": {1, 2},
        "pair": (1, [1]),
        "pairs": [("a", {"b": 1})],
        "leaf": leaf,
        "leaves": [leaf, leaf],
        "by_name": {"a": leaf},
        "leaf_lists": {"a": [leaf]},
        "branch": branch,
        "branches": [branch],
        "maybe": leaf,
        "plain": leaf,
        "plains": [leaf],
        "point": {"x": 1, "path": [1]},
        "points": [{"x": 1, "path": [1]}],
        "anything": {"a": [1, {"b": {2}}]},
        "either": {"a": 1},
    }


Edit = Callable[[Tree], Any]

EDITS: list[tuple[str, Edit]] = [
    ("numbers", lambda tree: tree.numbers.append(4)),
    ("numbers", lambda tree: tree.numbers.clear()),
    ("numbers", lambda tree: tree.numbers.reverse()),
    ("numbers", lambda tree: tree.numbers.__setitem__(0, 9)),
    ("numbers", lambda tree: tree.numbers.__delitem__(slice(0, 2))),
    ("numbers", lambda tree: tree.numbers.extend([1] * 1000)),
    ("matrix", lambda tree: tree.matrix[1].append(4)),
    ("matrix", lambda tree: tree.matrix.pop()),
    ("matrix", lambda tree: tree.matrix.__setitem__(0, [7])),
    ("table", lambda tree: tree.table.update(c=3)),
    ("table", lambda tree: tree.table.pop("a")),
    ("table", lambda tree: tree.table.__setitem__("a", 5)),
    ("table", lambda tree: (tree.table.pop("a"), tree.table.update(z=1))),
    ("table", lambda tree: tree.table.clear()),
    ("lists", lambda tree: tree.lists["b"].append(1)),
    ("lists", lambda tree: tree.lists.setdefault("c", [])),
    ("nested", lambda tree: tree.nested["a"]["b"].append(2)),
    ("nested", lambda tree: tree.nested["a"].clear()),
    ("labels", lambda tree: tree.labels.add(3)),
    ("labels", lambda tree: tree.labels.discard(1)),
    ("labels", lambda tree: (tree.labels.discard(1), tree.labels.add(7))),
    ("pair", lambda tree: tree.pair[1].append(2)),
    ("pairs", lambda tree: tree.pairs[0][1].update(c=2)),
    ("leaf", lambda tree: setattr(tree.leaf, "text", "changed")),
    ("leaf", lambda tree: tree.leaf.words.append("x")),
    ("leaf", lambda tree: vars(tree.leaf).update(text="written")),
    ("leaves", lambda tree: setattr(tree.leaves[1], "text", "changed")),
    ("leaves", lambda tree: tree.leaves[0].words.append("x")),
    ("leaves", lambda tree: tree.leaves.append(Leaf())),
    ("leaves", lambda tree: tree.leaves.__setitem__(0, Leaf(text="new"))),
    ("by_name", lambda tree: tree.by_name["a"].words.pop()),
    ("by_name", lambda tree: tree.by_name.update(b=Leaf())),
    ("leaf_lists", lambda tree: tree.leaf_lists["a"][0].words.append("x")),
    ("leaf_lists", lambda tree: tree.leaf_lists["a"].append(Leaf())),
    ("branch", lambda tree: setattr(tree.branch.leaf, "text", "changed")),
    ("branch", lambda tree: tree.branch.leaves[1].words.append("x")),
    ("branch", lambda tree: tree.branch.by_name["a"].words.append("x")),
    ("branch", lambda tree: setattr(tree.branch, "leaf", Leaf(text="new"))),
    ("branches", lambda tree: tree.branches[0].leaves[0].words.append("x")),
    ("maybe", lambda tree: setattr(tree.maybe, "text", "changed")),
    ("plain", lambda tree: setattr(tree.plain, "text", "changed")),
    ("plain", lambda tree: tree.plain.words.append("x")),
    ("plains", lambda tree: tree.plains[0].words.append("x")),
    ("point", lambda tree: tree.point.path.append(2)),
    ("points", lambda tree: tree.points[0].path.append(2)),
    ("anything", lambda tree: tree.anything["a"][1]["b"].add(3)),
    ("anything", lambda tree: tree.anything["a"].append(None)),
    ("either", lambda tree: tree.either.update(b=2)),
]

MAKERS: dict[str, Callable[[], Tree]] = {
    "keywords": lambda: Tree(**filled()),
    "model_validate": lambda: Tree.model_validate(filled()),
    "defaults": lambda: Tree.model_validate(filled()).model_copy(deep=True),
}


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("number", range(len(EDITS)), ids=lambda number: f"{number}-{EDITS[number][0]}")
def test_an_edit_in_place_is_found_and_taken_back(number, maker):
    field, edit = EDITS[number]
    tree = MAKERS[maker]()
    before = copy.deepcopy(getattr(tree, field))
    container = getattr(tree, field)
    assert not tree.is_changed
    edit(tree)
    after = copy.deepcopy(getattr(tree, field))
    assert before != after
    assert tree.is_changed
    assert tree.changed_fields == {field}
    assert tree.changes == {field: (before, after)}
    assert tree.original(field) == before
    assert type(tree.original(field)) is type(before)
    tree.revert_changes()
    assert getattr(tree, field) == before
    assert getattr(tree, field) is container
    assert not tree.is_changed
    edit(tree)
    assert tree.changes == {field: (before, after)}


def test_an_edit_that_is_undone_is_no_change():
    tree = Tree(**filled())
    tree.numbers.append(4)
    tree.table["z"] = 1
    tree.labels.add(5)
    tree.leaf.text = "other"
    tree.branch.leaves[0].words.append("x")
    assert tree.changed_fields == {"numbers", "table", "labels", "leaf", "branch"}
    tree.numbers.pop()
    del tree.table["z"]
    tree.labels.discard(5)
    tree.leaf.text = "t"
    tree.branch.leaves[0].words.pop()
    assert tree.changes == {}
    assert not tree.is_changed


def test_the_order_of_a_list_counts_and_that_of_a_dict_and_a_set_does_not():
    tree = Tree(table={"a": 1, "b": 2}, labels={1, 2, 3}, numbers=[1, 2])
    tree.table["a"] = tree.table.pop("a")
    tree.labels.discard(1)
    tree.labels.add(1)
    assert not tree.is_changed
    tree.numbers.reverse()
    assert tree.changed_fields == {"numbers"}


def test_equal_items_in_the_place_of_others_are_no_change():
    tree = Tree(leaves=[{"text": "a"}], matrix=[[1]])
    tree.leaves[0] = Leaf(text="a")
    tree.matrix[0] = [1]
    assert not tree.is_changed


def test_a_default_is_not_shared_and_its_edits_are_found():
    one, other = Tree(), Tree()
    one.numbers.append(1)
    one.leaf.words.append("x")
    one.branch.leaves.append(Leaf())
    one.pair[1].append(5)
    assert one.changed_fields == {"numbers", "leaf", "branch", "pair"}
    assert not other.is_changed
    assert other.changes == {}
    fresh = Tree()
    assert (fresh.numbers, fresh.leaf, fresh.branch.leaves, fresh.pair) == ([], Leaf(), [], (0, []))


def test_a_new_container_is_tracked_in_its_turn():
    tree = Tree(numbers=[1])
    tree.numbers = [2]
    tree.numbers.append(3)
    assert tree.changes == {"numbers": ([1], [2, 3])}
    tree.numbers = [1]
    assert not tree.is_changed
    tree.numbers.append(9)
    assert tree.changes == {"numbers": ([1], [1, 9])}
    tree.revert_changes()
    assert tree.numbers == [1]


def test_one_container_in_two_fields():
    shared: list[int] = [1]
    tree = Tree.model_construct(numbers=shared, anything=shared)
    shared.append(2)
    assert tree.changes == {"numbers": ([1], [1, 2]), "anything": ([1], [1, 2])}
    tree.revert_changes()
    assert tree.numbers == tree.anything == [1]


def test_entities_inside_entities():
    class Child(Entity):
        name: str
        tags: list[str] = []

    class Parent(Entity):
        child: Child
        children: list[Child] = []

    parent = Parent(child={"name": "a"}, children=[{"name": "b"}])
    parent.children[0].tags.append("x")
    assert parent.changed_fields == {"children"}
    assert parent.children[0].changes == {"tags": ([], ["x"])}
    parent.child.name = "c"
    assert parent.changed_fields == {"child", "children"}
    parent.revert_changes()
    assert parent.child.name == "a"
    assert parent.children[0].tags == []
    assert not parent.is_changed
    assert not parent.child.is_changed
    assert not parent.children[0].is_changed


def test_containers_of_other_kinds():
    class Holder(Entity):
        model_config = ConfigDict(arbitrary_types_allowed=True)
        counts: collections.defaultdict[str, int] = collections.defaultdict(int)
        ordered: collections.OrderedDict[str, int] = collections.OrderedDict(a=1)
        root: RootModel[list[int]] = RootModel[list[int]]([1])
        anything: Any = None

    holder = Holder(anything=bytearray(b"a"))
    assert not holder.is_changed
    holder.counts["a"] += 1
    holder.ordered["b"] = 2
    holder.root.root.append(2)
    holder.anything.extend(b"b")
    assert holder.changed_fields == {"counts", "ordered", "root", "anything"}
    assert holder.changes["ordered"] == (collections.OrderedDict(a=1), collections.OrderedDict(a=1, b=2))
    holder.revert_changes()
    assert type(holder.counts) is collections.defaultdict
    assert dict(holder.counts) == {}
    assert holder.root.root == [1]
    assert holder.anything == b"a"
    assert not holder.is_changed


def test_subclasses_of_containers():
    class Tags(list):
        pass

    class Holder(Entity):
        anything: Any = None

    holder = Holder(anything=Tags(["a"]))
    holder.anything.append("b")
    assert holder.changes == {"anything": (["a"], ["a", "b"])}
    assert type(holder.changes["anything"][0]) is Tags
    holder.revert_changes()
    assert holder.anything == ["a"]
    assert type(holder.anything) is Tags


def test_values_that_cannot_be_copied_are_no_hindrance():
    import threading

    lock = threading.Lock()

    class Holder(Entity):
        anything: Any = None
        name: str = ""

    holder = Holder(anything=lock)
    holder.name = "a"
    assert holder.changes == {"name": ("", "a")}
    holder.anything = None
    assert holder.changes["anything"] == (lock, None)
    holder.revert_changes()
    assert holder.anything is lock

    class Tags(list):
        pass

    for container in (Tags([lock]), collections.OrderedDict(a=lock), collections.defaultdict(list, {"a": lock})):
        holder = Holder(anything=container)
        assert holder.anything is container
        holder.name = "b"
        assert "name" in holder.changes
    generator = (number for number in range(3))
    assert Holder(anything=[generator]).anything[0] is generator


def test_functions_and_classes_are_values():
    class Holder(Entity):
        anything: Any = None

    holder = Holder(anything=[len, Holder, print])
    assert not holder.is_changed
    holder.anything.pop()
    assert holder.changes == {"anything": ([len, Holder, print], [len, Holder])}


def test_a_container_in_itself():
    class Holder(Entity):
        anything: Any = None
        children: list[Any] = []

    looped: list[Any] = [1]
    looped.append(looped)
    holder = Holder(anything=looped)
    holder.children.append(holder)
    assert "children" in holder.changed_fields
    holder.children.clear()
    assert "children" not in holder.changed_fields


def test_very_deep_nesting():
    class Holder(Entity):
        anything: Any = None

    deep: Any = ["end"]
    for _ in range(5000):
        deep = [deep]
    holder = Holder.model_construct(anything=deep)
    holder.anything.append(1)
    assert holder.changed_fields == {"anything"}
    holder.revert_changes()
    assert len(holder.anything) == 1


def test_a_linked_list_of_models():
    class Node(Model):
        value: int
        next: "Node | None" = None

    class Chain(Entity):
        head: Node

    head = Node(value=0)
    for number in range(60):
        head = Node(value=number, next=head)
    chain = Chain(head=head)
    node = chain.head
    while node.next is not None:
        node = node.next
    node.value = 99
    assert chain.changed_fields == {"head"}
    chain.revert_changes()
    assert node.value == 0
    assert not chain.is_changed


def test_an_own_equality_decides():
    class Word(Model):
        text: str

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Word) and self.text.lower() == other.text.lower()

        __hash__ = None  # type: ignore[assignment]

    class Holder(Entity):
        word: Word
        name: str = "a"

    holder = Holder(word=Word(text="a"))
    holder.word = Word(text="A")
    assert "word" not in holder.changes or holder.changes["word"][1].text == "A"
    holder.word = Word(text="b")
    assert "word" in holder.changes


def test_edits_inside_dataclasses():
    class Holder(Entity):
        record: Record = Record()
        records: list[Record] = []
        checked: Checked | None = None

    holder = Holder(records=[Record(1)], checked={"x": 1})
    holder.record.x = 9
    holder.records[0].items.append(2)
    holder.checked.items.append(3)
    assert holder.changes == {
        "record": (Record(), Record(9)),
        "records": ([Record(1)], [Record(1, [2])]),
        "checked": (Checked(1), Checked(1, [3])),
    }
    holder.revert_changes()
    assert (holder.record, holder.records, holder.checked) == (Record(), [Record(1)], Checked(1))


def test_edits_inside_a_deque():
    class Holder(Entity):
        queue: collections.deque[int] = collections.deque([1])

    holder = Holder()
    holder.queue.append(2)
    assert holder.changes == {"queue": (collections.deque([1]), collections.deque([1, 2]))}
    holder.revert_changes()
    assert holder.queue == collections.deque([1])


def test_what_cannot_be_compared_counts_as_changed():
    class Odd:
        def __eq__(self, other: object) -> bool:
            raise ZeroDivisionError("cannot compare")

        __hash__ = None  # type: ignore[assignment]

    class Holder(Entity):
        anything: Any = None

    holder = Holder(anything=1)
    holder.anything = Odd()
    assert holder.is_changed
    holder.revert_changes()
    assert holder.anything == 1


def test_many_items_are_compared():
    class Holder(Entity):
        numbers: list[int] = []

    holder = Holder(numbers=list(range(200_000)))
    holder.numbers[100_000] = -1
    assert holder.is_changed
    holder.revert_changes()
    assert holder.numbers == list(range(200_000))
    assert nitro.changes.of(holder) == {}
