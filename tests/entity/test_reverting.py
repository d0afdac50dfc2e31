"""revert_changes puts everything back, in place."""

import random
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, create_model

import nitro
from nitro import Entity, Model


class Line(Model):
    product: str = ""
    tags: list[str] = []


class Order(Entity):
    name: str = "a"
    total: float = 0.0
    tags: list[str] = []
    lines: list[Line] = []
    table: dict[str, list[int]] = {}
    labels: set[str] = set()
    first: Line | None = None


def test_reverting_what_has_not_changed_does_nothing():
    order = Order(tags=["x"])
    before = order.model_dump()
    order.revert_changes()
    assert order.model_dump() == before
    assert order.model_fields_set == {"tags"}


def test_containers_are_the_same_objects_with_their_old_contents():
    order = Order(tags=["x"], lines=[{"product": "tea"}], table={"a": [1]}, labels=["l"], first={"product": "milk"})
    kept = (order.tags, order.lines, order.lines[0], order.table, order.table["a"], order.labels, order.first)
    order.tags.clear()
    order.lines[0].product = "coffee"
    order.lines[0].tags.append("hot")
    order.lines.append(Line())
    order.table["a"].append(2)
    order.table["b"] = []
    order.labels.clear()
    order.first.tags.append("cold")
    order.revert_changes()
    assert order.model_dump(exclude={"id"}) == {
        "name": "a",
        "total": 0.0,
        "tags": ["x"],
        "lines": [{"product": "tea", "tags": []}],
        "table": {"a": [1]},
        "labels": {"l"},
        "first": {"product": "milk", "tags": []},
    }
    now = (order.tags, order.lines, order.lines[0], order.table, order.table["a"], order.labels, order.first)
    assert all(one is other for one, other in zip(kept, now, strict=True))


def test_a_replaced_container_comes_back():
    order = Order(tags=["x"])
    tags = order.tags
    tags.append("edited before it was replaced")
    order.tags = ["y"]
    order.tags.append("z")
    order.revert_changes()
    assert order.tags is tags
    assert tags == ["x"]


def test_items_that_were_removed_come_back_as_they_were():
    order = Order(lines=[{"product": "tea"}, {"product": "milk"}])
    tea, milk = order.lines
    order.lines.clear()
    tea.product = "changed while it was out"
    order.revert_changes()
    assert order.lines == [Line(product="tea"), Line(product="milk")]
    assert order.lines[0] is tea
    assert order.lines[1] is milk


def test_the_names_of_given_fields_come_back():
    order = Order(name="b")
    order.name = "c"
    order.total = 5.0
    order.tags.append("x")
    order.tags = []
    assert order.model_fields_set == {"name", "total", "tags"}
    order.revert_changes()
    assert order.model_fields_set == {"name"}
    assert order.model_dump(exclude_unset=True) == {"name": "b"}


def test_the_names_of_given_fields_come_back_where_only_they_changed():
    order = Order()
    order.total = 0.0
    assert not order.is_changed
    order.revert_changes()
    assert order.model_fields_set == set()


def test_the_names_of_given_fields_after_a_look_at_them():
    order = Order(name="b")
    assert order.model_fields_set == {"name"}
    order.total = 1.0
    order.model_fields_set.add("tags")
    order.revert_changes()
    assert "total" not in order.model_fields_set
    assert order.total == 0.0


def test_reverting_goes_to_the_last_save():
    class Stored(Order, backend=nitro.MemoryRepo()):
        pass

    order = Stored(name="a").save()
    order.name = "b"
    order.tags.append("x")
    order.save()
    order.name = "c"
    order.tags.append("y")
    order.revert_changes()
    assert (order.name, order.tags) == ("b", ["x"])
    assert order.previous_changes == {"name": ("a", "b"), "tags": ([], ["x"])}
    order.revert_changes()
    assert (order.name, order.tags) == ("b", ["x"])


def test_reverting_again_and_again():
    order = Order(tags=["x"], first={"product": "tea"})
    for number in range(50):
        order.tags.append(str(number))
        order.first.product = str(number)
        order.total = float(number + 1)
        assert order.changed_fields == {"tags", "first", "total"}
        order.revert_changes()
        assert order.changes == {}
        assert (order.tags, order.first.product, order.total) == (["x"], "tea", 0.0)


def test_reverting_needs_no_validation():
    class Strange(Entity):
        model_config = ConfigDict(validate_assignment=True)
        number: int = Field(default=0, gt=10)

    strange = Strange()
    strange.number = 50
    strange.revert_changes()
    assert strange.number == 0


def test_reverting_a_deleted_attribute_restores_the_dump():
    order = Order(name="b")
    dumped = order.model_dump_json()
    del order.name, order.tags
    order.revert_changes()
    assert order.model_dump() == Order.model_validate_json(dumped).model_dump()
    assert BaseModel.__eq__(order, Order.model_validate_json(dumped))


@pytest.mark.parametrize("count", [1, 30, 63, 64, 65, 66, 100, 300])
def test_any_number_of_fields(count):
    fields: dict[str, Any] = {
        f"f{number}": (list[int] if number % 3 == 0 else int, [] if number % 3 == 0 else 0) for number in range(count)
    }
    Wide = create_model("Wide", __base__=Entity, **fields)
    wide = Wide(f0=[1])
    before, given = wide.model_dump(), set(wide.model_fields_set)
    for number in range(count):
        if number % 3 == 0:
            getattr(wide, f"f{number}").append(number)
        else:
            setattr(wide, f"f{number}", number)
    changed = {f"f{number}" for number in range(count)}
    assert wide.changed_fields == changed
    assert wide.changes[f"f{count - 1}"][1] == getattr(wide, f"f{count - 1}")
    assert wide.original("f0") == [1]
    wide.revert_changes()
    assert wide.model_dump() == before
    assert wide.model_fields_set == given
    assert not wide.is_changed
    setattr(wide, f"f{count - 1}", [5] if (count - 1) % 3 == 0 else 5)
    assert wide.changed_fields == {f"f{count - 1}"}
    assert wide.model_fields_set == given | {f"f{count - 1}"}


@pytest.mark.parametrize("seed", range(40))
def test_tracking_agrees_with_a_naive_model_of_it(seed):
    """Random edits: changes are what a comparison with a deep copy finds, and reverting gives the copy back."""
    dice = random.Random(seed)
    order = Order(tags=["x"], lines=[{"product": "tea"}], table={"a": [1]}, labels=["l"])
    base = order.model_copy(deep=True).model_dump()
    edits = [
        lambda: setattr(order, "name", dice.choice("abc")),
        lambda: setattr(order, "total", dice.choice([0, 1.5, "2"])),
        lambda: order.tags.append(dice.choice("xyz")),
        lambda: order.tags and order.tags.pop(),
        lambda: setattr(order, "tags", dice.sample("xyz", dice.randint(0, 2))),
        lambda: order.lines.append(Line(product=dice.choice("ab"))),
        lambda: order.lines and setattr(order.lines[0], "product", dice.choice(["tea", "milk"])),
        lambda: order.lines and order.lines[-1].tags.append("t"),
        lambda: order.lines and order.lines[-1].tags.clear(),
        lambda: order.lines and order.lines.pop(),
        lambda: order.table.setdefault(dice.choice("abc"), []).append(1),
        lambda: order.table.pop(dice.choice("abc"), None),
        lambda: order.labels.add(dice.choice("lmn")),
        lambda: order.labels.discard(dice.choice("lmn")),
        lambda: setattr(order, "first", dice.choice([None, Line(product="f")])),
        lambda: order.first and order.first.tags.append("q"),
        lambda: vars(order),
        lambda: order.model_dump(),
    ]
    for step in range(200):
        dice.choice(edits)()
        now = order.model_dump()
        expected = {name for name in now if now[name] != base[name]}
        assert order.changed_fields == expected
        assert order.is_changed == bool(expected)
        for name, (old, new) in order.changes.items():
            plain = type("Plain", (BaseModel,), {"__annotations__": {"value": Any}, "__module__": __name__})
            assert plain(value=old).model_dump()["value"] == base[name]
            assert new is getattr(order, name)
        if step % 37 == 36:
            order.revert_changes()
            assert order.model_dump() == base
            assert order.model_fields_set == {"tags", "lines", "table", "labels"}
