"""What each operator of a condition holds for."""

import copy
import operator
import pickle
from typing import Any

import pytest

from nitro import Entity, Field, MemoryRepo, col

store = MemoryRepo()


class Order(Entity, backend=store):
    name: str
    total: float = 0.0
    status: str | None = Field("draft", index=True)
    weight: int | None = None
    paid: bool = False
    tags: list[str] = []


def names(*conditions: Any, **lookups: Any) -> list[str]:
    return [order.name for order in Order.where(*conditions, **lookups).all()]


@pytest.fixture(autouse=True)
def _orders() -> None:
    Order.save_all(
        [
            Order(name="Ann", total=5.0, status="placed", weight=1, paid=True, tags=["new", "gift"]),
            Order(name="Bob", total=10.0, status="draft", weight=None, tags=["new"]),
            Order(name="Cleo", total=15.5, status=None, weight=3),
            Order(name="ann", total=-2.0, status="shipped", weight=10, paid=True),
            Order(name="", total=0.0, status="", weight=0),
        ]
    )


def test_everything_without_a_condition():
    assert names() == ["Ann", "Bob", "Cleo", "ann", ""]


def test_equal():
    assert names(Order.name == "Ann") == ["Ann"]
    assert names(Order.total == 10) == ["Bob"]
    assert names(Order.status == "placed") == ["Ann"]
    assert names(Order.name == "Anna") == []


def test_not_equal_holds_wherever_equal_does_not():
    assert names(Order.name != "Ann") == ["Bob", "Cleo", "ann", ""]
    assert names(Order.status != "placed") == ["Bob", "Cleo", "ann", ""]
    assert names(Order.weight != 1) == ["Bob", "Cleo", "ann", ""]


@pytest.mark.parametrize(
    ("compare", "expected"),
    [
        (operator.lt, ["Ann", "ann", ""]),
        (operator.le, ["Ann", "Bob", "ann", ""]),
        (operator.gt, ["Cleo"]),
        (operator.ge, ["Bob", "Cleo"]),
    ],
)
def test_comparisons(compare, expected):
    assert names(compare(Order.total, 10)) == expected


def test_the_value_may_stand_on_the_left():
    assert names(10 < Order.total) == ["Cleo"]  # noqa: SIM300
    assert names("Ann" == Order.name) == ["Ann"]  # noqa: SIM300


def test_comparisons_never_hold_for_none():
    assert names(Order.weight < 100) == ["Ann", "Cleo", "ann", ""]
    assert names(Order.weight >= 0) == ["Ann", "Cleo", "ann", ""]
    assert names(~(Order.weight < 100)) == ["Bob"]
    assert names(Order.status < "e") == ["Bob", ""]
    assert names(Order.status >= "e") == ["Ann", "ann"]


def test_none_is_found_by_equality_and_by_is_null():
    assert names(Order.weight == None) == ["Bob"]  # noqa: E711
    assert names(Order.weight.is_null()) == ["Bob"]
    assert names(Order.status.is_null()) == ["Cleo"]
    assert names(Order.status == None) == ["Cleo"]  # noqa: E711
    assert names(Order.status != None) == ["Ann", "Bob", "ann", ""]  # noqa: E711
    assert names(~Order.status.is_null()) == ["Ann", "Bob", "ann", ""]


def test_one_of_several():
    assert names(Order.name.in_(["Ann", "Cleo", "nobody"])) == ["Ann", "Cleo"]
    assert names(Order.status.in_({"placed", None})) == ["Ann", "Cleo"]
    assert names(Order.weight.in_(range(4))) == ["Ann", "Cleo", ""]
    assert names(Order.weight.in_([])) == []
    assert names(~Order.name.in_(iter(["Ann", "Bob"]))) == ["Cleo", "ann", ""]


def test_between_includes_both_ends():
    assert names(Order.total.between(5, 15.5)) == ["Ann", "Bob", "Cleo"]
    assert names(Order.status.between("draft", "placed")) == ["Ann", "Bob"]
    assert names(Order.total.between(15.5, 5)) == []


def test_beginnings_and_endings():
    assert names(Order.name.startswith("An")) == ["Ann"]
    assert names(Order.name.startswith("")) == ["Ann", "Bob", "Cleo", "ann", ""]
    assert names(Order.status.startswith("")) == ["Ann", "Bob", "ann", ""]
    assert names(Order.status.startswith("sh")) == ["ann"]
    assert names(Order.name.endswith("nn")) == ["Ann", "ann"]
    assert names(Order.status.endswith("ed")) == ["Ann", "ann"]


def test_a_text_contains_another():
    assert names(Order.name.contains("n")) == ["Ann", "ann"]
    assert names(Order.name.contains("leo")) == ["Cleo"]
    assert names(Order.name.contains("")) == ["Ann", "Bob", "Cleo", "ann", ""]
    assert names(Order.status.contains("p")) == ["Ann", "ann"]


def test_a_list_contains_an_item():
    assert names(Order.tags.contains("new")) == ["Ann", "Bob"]
    assert names(Order.tags.contains("ne")) == []
    assert names(~Order.tags.contains("new")) == ["Cleo", "ann", ""]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("A%", ["Ann"]),
        ("_nn", ["Ann", "ann"]),
        ("%", ["Ann", "Bob", "Cleo", "ann", ""]),
        ("%e%", ["Cleo"]),
        ("", [""]),
        ("Ann", ["Ann"]),
        ("___", ["Ann", "Bob", "ann"]),
        ("%n_", ["Ann", "ann"]),
        ("A\\%", []),
    ],
)
def test_like(pattern, expected):
    assert names(Order.name.like(pattern)) == expected


@pytest.mark.parametrize(
    ("text", "pattern"),
    [("50%", "50\\%"), ("a_b", "a\\_b"), ("a\\b", "a\\\\b"), ("a%b", "a\\%_"), ("ends\\", "ends\\")],
)
def test_like_takes_a_character_after_a_backslash_as_it_is(text, pattern):
    Order(name=text).save()
    Order(name=text + "x").save()
    Order(name="x" + text).save()
    assert names(Order.name.like(pattern)) == [text]


def test_like_counts_characters():
    Order(name="é€😀").save()
    assert names(Order.name.like("___")) == ["Ann", "Bob", "ann", "é€😀"]
    assert names(Order.name.like("é_😀")) == ["é€😀"]


def test_like_is_no_regular_expression():
    Order(name="A.n").save()
    assert names(Order.name.like("A.n")) == ["A.n"]
    assert names(Order.name.like("A.*")) == []


def test_and_or_and_not():
    assert names((Order.total > 0) & (Order.weight == 1)) == ["Ann"]
    assert names((Order.total > 10) | (Order.name == "Bob")) == ["Bob", "Cleo"]
    assert names(~(Order.total > 0)) == ["ann", ""]
    assert names(~((Order.total > 0) & (Order.weight == 1))) == ["Bob", "Cleo", "ann", ""]
    assert names(~((Order.total > 0) | (Order.paid == True))) == [""]  # noqa: E712
    assert names(~~(Order.name == "Ann")) == ["Ann"]


def test_nested_combinations():
    condition = ((Order.status == "placed") | (Order.status == "draft")) & ~((Order.total < 6) | Order.weight.is_null())
    assert names(condition) == []
    condition = ((Order.status == "placed") & (Order.total < 6)) | ((Order.status == None) & (Order.weight > 2))  # noqa: E711
    assert names(condition) == ["Ann", "Cleo"]


def test_an_or_over_indexed_and_other_fields_finds_each_once():
    assert names((Order.status == "placed") | (Order.status == "placed") | (Order.total == 5)) == ["Ann"]
    assert names((Order.status == "placed") | (Order.total < 1)) == ["Ann", "ann", ""]


def test_conditions_and_further_wheres_all_hold():
    query = Order.where(Order.total > 0, Order.weight == 1)
    assert [order.name for order in query] == ["Ann"]
    assert [order.name for order in query.where(status="draft")] == []
    assert [order.name for order in Order.where(Order.total > 0).where(Order.total < 12)] == ["Ann", "Bob"]


def test_a_true_or_false_field_is_a_condition_itself():
    assert names(Order.paid) == ["Ann", "ann"]
    assert names(Order.paid == False) == ["Bob", "Cleo", ""]  # noqa: E712


def test_numbers_of_all_types_compare():
    assert names(Order.total == 10) == names(Order.total == 10.0) == ["Bob"]
    assert names(Order.weight == 1.0) == ["Ann"]
    assert names(Order.weight > 0.5) == ["Ann", "Cleo", "ann"]
    assert names(Order.weight == 0.5) == []


def test_a_query_is_lazy_and_never_changes():
    query = Order.where(Order.total > 10)
    narrower = query.where(status="placed").order_by("name").limit(1).offset(0)
    Order(name="Dora", total=99).save()
    assert [order.name for order in query] == ["Cleo", "Dora"]
    assert narrower is not query
    assert narrower.all() == []
    assert query._limit is None


def test_a_loop_streams_what_matched_when_it_began():
    seen = []
    for order in Order.where(Order.total >= 0):
        seen.append(order.name)
        order.delete()
        Order(name="later", total=1).save()
    assert seen == ["Ann", "Bob", "Cleo", ""]


def test_a_condition_holds_for_an_entity_by_itself():
    ann = Order.where(name="Ann").one()
    assert (Order.total > 4).matches(ann)
    assert not ((Order.total > 4) & (Order.status == "draft")).matches(ann)


def test_conditions_show_what_they_ask():
    condition = (Order.total > 10) & ~(Order.name == "Ann") | Order.name.startswith("B")
    assert repr(condition) == "((Order.total > 10) & (~(Order.name == 'Ann'))) | (Order.name.startswith('B'))"
    assert repr(Order.status.in_(["a"])) == "Order.status.in_(('a',))"
    assert repr(Order.where(Order.total > 1).order_by("-total").limit(2).offset(1)) == (
        "Order.where(Order.total > 1).order_by(Order.total.desc()).limit(2).offset(1)"
    )


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda condition: pickle.loads(pickle.dumps(condition))])
def test_conditions_are_copied_and_pickled(again):
    condition = (Order.total > 4) & Order.name.in_(["Ann", "ann"])
    assert names(again(condition)) == ["Ann"]


def test_col_gives_the_reference_itself():
    assert col(Order.name) is Order.name
    assert names(col(Order.name).startswith("B")) == ["Bob"]
    with pytest.raises(TypeError, match=r"col takes a field of a class, such as Order\.total, got 5"):
        col(5)
