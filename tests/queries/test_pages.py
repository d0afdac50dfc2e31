"""Pages stay right while rows come and go."""

import math
from typing import Any

import pytest

from nitro import Entity, Field, Index, MemoryRepo

store = MemoryRepo()


class Task(Entity, backend=store):
    name: str
    #: Of the same values, one indexed and one not.
    due: float | None = Field(None, index=True)
    due_plain: float | None = None
    owner: str = Field("Ann", index=True)
    by_owner = Index("owner", "-due")


def make(name: str, due: float | None, owner: str = "Ann") -> Task:
    return Task(name=name, due=due, due_plain=due, owner=owner).save()


ORDERS = [
    [],
    ["due"],
    ["-due"],
    ["due_plain"],
    ["-due_plain"],
    ["owner", "-due"],
    ["-owner", "due"],
    ["name"],
    ["due", "-name"],
]
orders = pytest.mark.parametrize("order", ORDERS, ids=lambda order: "+".join(order) or "none")

DUES = [3.0, None, math.nan, 1.0, 1.0, None, -0.0, 0.0, math.inf, -math.inf, 1.0, math.nan, 2.0, 1.0, 10.0**300]


def fill() -> None:
    for number, due in enumerate(DUES):
        make(f"t{number:02}", due, "Ann" if number % 3 else "Bob")


def walk(query: Any, limit: int) -> list[str]:
    seen: list[str] = []
    after = None
    while True:
        page = query.page(limit=limit, after=after)
        assert len(page) == len(page.items) <= limit
        seen += [task.name for task in page]
        if page.next_cursor is None:
            return seen
        assert len(page) == limit
        after = page.next_cursor


@orders
@pytest.mark.parametrize("limit", [1, 2, 3, 7, 14, 15, 16])
def test_pages_show_everything_once_in_order(order, limit):
    fill()
    query = Task.where().order_by(*order)
    assert walk(query, limit) == [task.name for task in query]


@orders
@pytest.mark.parametrize("limit", [1, 4])
def test_pages_of_a_filtered_query(order, limit):
    fill()
    for condition in [Task.owner == "Ann", Task.due > 0, (Task.due_plain <= 1) | Task.due.is_null(), Task.name < "t09"]:
        query = Task.where(condition).order_by(*order)
        assert walk(query, limit) == [task.name for task in query]


@orders
def test_what_is_deleted_behind_or_ahead_skips_and_repeats_nothing(order):
    fill()
    query = Task.where().order_by(*order)
    expected = [task.name for task in query]
    first = query.page(limit=5)
    # The last one that was shown is what the cursor stands on.
    first.items[-1].delete()
    first.items[0].delete()
    Task.where(name=expected[7]).delete()
    assert [task.name for task in first] + walk_from(query, first.next_cursor) == expected[:7] + expected[8:]


def walk_from(query: Any, after: str | None) -> list[str]:
    seen: list[str] = []
    while after is not None:
        page = query.page(limit=2, after=after)
        seen += [task.name for task in page]
        after = page.next_cursor
    return seen


@orders
def test_what_is_added_shows_if_it_stands_ahead(order):
    fill()
    query = Task.where().order_by(*order)
    shown = [task.name for task in query.page(limit=6)]
    after = query.page(limit=6).next_cursor
    before = [task.name for task in query]
    make("a", 1.0)
    make("z", None, "Bob")
    make("y", math.nan, "Aaa")
    now = [task.name for task in query]
    new = {"a", "z", "y"}
    last = now.index(shown[-1])
    assert walk_from(query, after) == now[last + 1 :]
    assert [name for name in now if name not in new] == before


@orders
def test_a_cursor_survives_many_deletions(order):
    tasks = [make(f"{number:04}", number % 7) for number in range(3000)]
    query = Task.where().order_by(*order)
    first = query.page(limit=1500)
    gone = {task.name for task in tasks[::5] + tasks[1::5] + tasks[2::5] + tasks[3::5]}
    rest = [task.name for task in query.all()[1500:] if task.name not in gone]
    Task.where(Task.name.in_(gone)).delete()
    seen = []
    after = first.next_cursor
    while after is not None:
        page = query.page(limit=100, after=after)
        seen += [task.name for task in page]
        after = page.next_cursor
    assert seen == rest


def test_a_page_counts_all_matches_when_asked():
    fill()
    page = Task.where(owner="Bob").order_by("due").page(limit=2, total=True)
    assert (len(page.items), page.total) == (2, 5)
    page = Task.where(owner="Bob").order_by("due").page(limit=2, after=page.next_cursor, total=True)
    assert page.total == 5
    assert Task.where().page(limit=2).total is None


def test_the_last_page_has_no_cursor():
    fill()
    assert Task.where().page(limit=len(DUES)).next_cursor is None
    assert Task.where().page(limit=len(DUES) - 1).next_cursor is not None
    assert Task.where(name="nobody").page().items == []
    assert Task.where(name="nobody").page(total=True).total == 0


def test_cursors_are_safe_in_a_url():
    make("x", 1.0)
    make("éß\ud800/?&=", 1.0)
    make("z", 2.0)
    for order in ORDERS:
        cursor = Task.where().order_by(*order).page(limit=1).next_cursor
        assert cursor.replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize("cursor", ["", "nonsense", "!!", "AAAA", "é", "a" * 1000])
def test_what_is_no_cursor_is_refused(cursor):
    fill()
    with pytest.raises(ValueError, match="after takes the next_cursor of a page"):
        Task.where().order_by("due").page(after=cursor)


def test_the_cursor_of_another_order_is_refused():
    fill()
    cursor = Task.where().order_by("due", "name").page(limit=2).next_cursor
    with pytest.raises(ValueError, match="of the same query, in the same order"):
        Task.where().order_by("due").page(after=cursor)


def test_a_page_holds_one_entity_at_least():
    with pytest.raises(ValueError, match="limit takes a number from 1 on, got 0"):
        Task.where().page(limit=0)
