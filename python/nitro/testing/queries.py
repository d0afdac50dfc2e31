"""Conditions, order, limits, sums and pages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from nitro import Condition, EntityNotFound, NitroError, Repository, UnknownFieldError, UnsupportedQuery, col

from .domain import Address, Line, Order, Status, backend_name, names


def orders() -> None:
    """Stores what the queries below are asked of."""
    Order.save_all(
        [
            Order(
                name="Ann",
                total=5.0,
                rank=1,
                status=Status.PLACED,
                note="a note",
                address=Address(city="Oslo", zone=3),
                lines=[Line(product="tea", quantity=1), Line(product="cup", quantity=5)],
                tags=["new", "gift"],
                counts={"tea": 1},
            ),
            Order(name="Bob", total=10.0, rank=2, address=Address(city="Rome"), tags=["new"], counts={"cup": 4}),
            Order(name="Cleo", total=None, rank=2, note="50%", lines=[Line(product="tea", quantity=2)]),
            Order(name="ann", total=-2.5, rank=-1, status=Status.PLACED, note=""),
        ]
    )


#: (the operators that it takes, whether it looks inside of fields, the condition, the names of what it finds)
CONDITIONS: list[tuple[set[str], bool, Callable[[], Any], str]] = [
    ({"eq"}, False, lambda: Order.name == "Ann", "Ann"),
    ({"eq"}, False, lambda: Order.rank == 2, "Bob Cleo"),
    ({"eq"}, False, lambda: Order.total == 10, "Bob"),
    ({"eq"}, False, lambda: Order.status == Status.PLACED, "Ann ann"),
    ({"eq"}, False, lambda: col(Order.status) == "placed", "Ann ann"),
    ({"eq"}, False, lambda: Order.total == None, "Cleo"),  # noqa: E711
    ({"eq"}, False, lambda: Order.note == "", "ann"),
    ({"eq"}, False, lambda: Order.tags == ["new"], "Bob"),
    ({"ne"}, False, lambda: Order.name != "Ann", "Bob Cleo ann"),
    ({"ne"}, False, lambda: Order.total != 5, "Bob Cleo ann"),
    ({"ne"}, False, lambda: Order.total != None, "Ann Bob ann"),  # noqa: E711
    ({"lt"}, False, lambda: col(Order.total) < 5, "ann"),
    ({"le"}, False, lambda: col(Order.total) <= 5, "Ann ann"),
    ({"gt"}, False, lambda: col(Order.total) > 5, "Bob"),
    ({"ge"}, False, lambda: col(Order.total) >= 5, "Ann Bob"),
    ({"gt"}, False, lambda: col(Order.rank) > 1.5, "Bob Cleo"),
    ({"lt"}, False, lambda: Order.name < "a", "Ann Bob Cleo"),
    ({"in"}, False, lambda: col(Order.name).in_(["Ann", "Cleo", "nobody"]), "Ann Cleo"),
    ({"in"}, False, lambda: col(Order.total).in_([5, None]), "Ann Cleo"),
    ({"in"}, False, lambda: col(Order.rank).in_([]), ""),
    ({"and", "ge", "le"}, False, lambda: col(Order.total).between(5, 10), "Ann Bob"),
    ({"is_null"}, False, lambda: col(Order.total).is_null(), "Cleo"),
    ({"is_null"}, False, lambda: col(Order.address).is_null(), "Cleo ann"),
    ({"like"}, False, lambda: col(Order.name).like("_nn"), "Ann ann"),
    ({"like"}, False, lambda: col(Order.name).like("%e%"), "Cleo"),
    ({"like"}, False, lambda: col(Order.note).like("50\\%"), "Cleo"),
    ({"startswith"}, False, lambda: col(Order.name).startswith("A"), "Ann"),
    ({"startswith"}, False, lambda: col(Order.note).startswith(""), "Ann Cleo ann"),
    ({"startswith"}, False, lambda: col(Order.note).startswith("50%"), "Cleo"),
    ({"endswith"}, False, lambda: col(Order.name).endswith("nn"), "Ann ann"),
    ({"contains"}, False, lambda: col(Order.name).contains("n"), "Ann ann"),
    ({"contains"}, False, lambda: col(Order.note).contains("%"), "Cleo"),
    ({"contains"}, False, lambda: col(Order.tags).contains("gift"), "Ann"),
    ({"and", "eq", "gt"}, False, lambda: (Order.rank == 2) & (col(Order.total) > 1), "Bob"),
    ({"or", "eq"}, False, lambda: (col(Order.rank) == 1) | (col(Order.name) == "Bob"), "Ann Bob"),
    ({"not", "eq"}, False, lambda: ~(col(Order.name) == "Ann"), "Bob Cleo ann"),
    ({"not", "gt"}, False, lambda: ~(col(Order.total) > 1), "Cleo ann"),
    (
        {"not", "or", "and", "eq", "lt", "is_null"},
        False,
        lambda: ~((col(Order.rank) == 1) & (col(Order.total) < 9) | col(Order.total).is_null()),
        "Bob ann",
    ),
    ({"eq"}, True, lambda: col(Order.address).city == "Oslo", "Ann"),
    ({"gt"}, True, lambda: col(Order.address).zone > 1, "Ann"),
    ({"is_null"}, True, lambda: col(Order.address).city.is_null(), "Cleo ann"),
    ({"ne"}, True, lambda: col(Order.address).city != "Oslo", "Bob Cleo ann"),
    ({"eq"}, True, lambda: col(Order.tags)[1] == "gift", "Ann"),
    ({"ge"}, True, lambda: col(Order.counts)["cup"] >= 4, "Bob"),
    ({"any", "gt"}, True, lambda: col(Order.lines).any(quantity__gt=1), "Ann Cleo"),
    (
        {"any", "and", "eq", "gt"},
        True,
        lambda: col(Order.lines).any(product="tea", quantity__gt=1),
        "Cleo",
    ),
]

#: Ways to order the names; what is equal in one comes in any order.
ORDERS: list[tuple[bool, tuple[Any, ...], list[set[str]]]] = [
    (False, ("name",), [{"Ann"}, {"Bob"}, {"Cleo"}, {"ann"}]),
    (False, ("-name",), [{"ann"}, {"Cleo"}, {"Bob"}, {"Ann"}]),
    (False, ("total",), [{"Cleo"}, {"ann"}, {"Ann"}, {"Bob"}]),
    (False, ("-total",), [{"Bob"}, {"Ann"}, {"ann"}, {"Cleo"}]),
    (False, ("rank",), [{"ann"}, {"Ann"}, {"Bob", "Cleo"}]),
    (False, ("-rank",), [{"Bob", "Cleo"}, {"Ann"}, {"ann"}]),
    (False, ("rank", "-name"), [{"ann"}, {"Ann"}, {"Cleo"}, {"Bob"}]),
    (False, ("-rank", "total"), [{"Cleo"}, {"Bob"}, {"Ann"}, {"ann"}]),
    (False, ("note",), [{"Bob"}, {"ann"}, {"Cleo"}, {"Ann"}]),
    (True, ("address.city",), [{"Cleo", "ann"}, {"Ann"}, {"Bob"}]),
    (True, ("-address.zone",), [{"Ann"}, {"Bob"}, {"Cleo", "ann"}]),
]


def ranks(groups: list[set[str]], found: list[str]) -> list[int]:
    return [next(place for place, group in enumerate(groups) if name in group) for name in found]


class Queries:
    def answers(self, repository: Repository, operators: set[str], *, paths: bool = False) -> bool:
        """Whether the backend declares all of this."""
        known = repository.capabilities.operators
        return (known is None or operators <= known) and (not paths or repository.capabilities.paths)

    @pytest.mark.parametrize(("operators", "paths", "condition", "expected"), CONDITIONS)
    def test_a_condition(
        self,
        repository: Repository,
        operators: set[str],
        paths: bool,
        condition: Callable[[], Condition],
        expected: str,
    ) -> None:
        orders()
        query = Order.where(condition())
        if not self.answers(repository, operators, paths=paths):
            for ask in (query.all, query.count, query.first, query.exists, query.page, query.delete):
                with pytest.raises(UnsupportedQuery, match=f"(?s){backend_name(repository)}.*Order"):
                    ask()
            query = query.in_memory()
        found = names(query.all())
        assert sorted(found) == expected.split()
        assert query.count() == len(found)
        assert query.exists() == bool(found)
        assert sorted(order.name for order in query) == expected.split()
        assert sorted(names(query.page().items)) == expected.split()

    def test_a_loop_over_many_may_save_and_stop(self) -> None:
        Order.save_all([Order(name=f"{number:04}") for number in range(2500)])
        for order in Order.where():
            order.rank = 1
            order.save()
        assert Order.where().count() == 2500
        assert sum(order.rank for order in Order.where()) == 2500
        for number, _ in enumerate(Order.where()):
            if number == 1200:
                break
        else:
            raise AssertionError("the loop ends before it began")

        async def story() -> int:
            return sum([order.rank async for order in Order.where()])

        assert asyncio.run(story()) == 2500

    def test_conditions_and_keywords_all_hold(self, repository: Repository) -> None:
        orders()
        if not self.answers(repository, {"eq", "gt"}):
            return
        assert names(Order.where(col(Order.total) > 1, rank=2).all()) == ["Bob"]
        assert names(Order.where(rank=2).where(total__gt=1).all()) == ["Bob"]
        assert Order.where(rank=2, name="Ann").all() == []

    def test_one_and_first(self, repository: Repository) -> None:
        orders()
        if not self.answers(repository, {"eq"}):
            return
        assert Order.where(name="Bob").one().rank == 2
        assert Order.where(name="nobody").one_or_none() is None
        with pytest.raises(EntityNotFound):
            Order.where(name="nobody").one()
        with pytest.raises(NitroError, match="several Order"):
            Order.where(rank=2).one()
        with pytest.raises(NitroError, match="several Order"):
            Order.where(rank=2).one_or_none()
        first = Order.where(rank=2).first()
        assert first is not None
        assert first.name in {"Bob", "Cleo"}
        assert Order.where(name="nobody").first() is None

    @pytest.mark.parametrize(("paths", "fields", "groups"), ORDERS)
    def test_an_order(
        self, repository: Repository, paths: bool, fields: tuple[Any, ...], groups: list[set[str]]
    ) -> None:
        orders()
        query = Order.where().order_by(*fields)
        if not repository.capabilities.ordering or (paths and not repository.capabilities.paths):
            with pytest.raises(UnsupportedQuery, match=f"(?s){backend_name(repository)}.*Order"):
                query.all()
            with pytest.raises(UnsupportedQuery, match=backend_name(repository)):
                query.page()
            query = query.in_memory()
        found = names(query.all())
        assert sorted(found) == ["Ann", "Bob", "Cleo", "ann"]
        assert ranks(groups, found) == sorted(ranks(groups, found))
        for limit in range(5):
            for offset in range(5):
                assert names(query.limit(limit).offset(offset).all()) == found[offset:][:limit]
        first = query.offset(1).first()
        assert first is not None
        assert first.name == found[1]
        assert self.walk(query, 1) == self.walk(query, 3)
        assert ranks(groups, self.walk(query, 2)) == sorted(ranks(groups, found))

    def test_limit_and_offset_without_an_order(self) -> None:
        orders()
        assert len(Order.where().limit(3).all()) == 3
        assert len(Order.where().offset(3).all()) == 1
        assert Order.where().limit(0).all() == []
        assert Order.where().limit(3).count() == 3
        assert Order.where().offset(1).count() == 3
        assert Order.where().offset(9).count() == 0
        one, other = names(Order.where().limit(2).all()), names(Order.where().offset(2).all())
        assert sorted(one + other) == ["Ann", "Bob", "Cleo", "ann"]

    def test_unknown_fields_are_refused(self) -> None:
        with pytest.raises(UnknownFieldError, match="Order has no field 'nam'; did you mean 'name'"):
            Order.where(nam="x")
        with pytest.raises(UnknownFieldError, match="Order has no field 'nam'; did you mean 'name'"):
            Order.where().order_by("nam")
        with pytest.raises(UnknownFieldError, match="Order has no field 'nam'; did you mean 'name'"):
            Order.where().update(nam="x")

    def test_explain_says_something(self) -> None:
        assert Order.where(rank=2).explain()

    # --- Changing ---

    def test_delete(self, repository: Repository) -> None:
        orders()
        query = Order.where(rank=2)
        query = query if self.answers(repository, {"eq"}) else query.in_memory()
        assert query.delete() == 2
        assert sorted(names(Order.all())) == ["Ann", "ann"]
        assert query.delete() == 0
        assert Order.where().delete() == 2

    def test_update(self, repository: Repository) -> None:
        orders()
        query = Order.where(rank=2)
        query = query if self.answers(repository, {"eq"}) else query.in_memory()
        assert query.update(rank=7, note="updated") == 2
        assert sorted(order.name for order in Order.all() if order.rank == 7) == ["Bob", "Cleo"]
        assert query.count() == 0
        with pytest.raises(ValueError, match="rank"):
            Order.where().update(rank="much")
        assert sorted(order.rank for order in Order.all()) == [-1, 1, 7, 7]

    # --- Sums ---

    def test_sums(self) -> None:
        orders()
        everything = Order.where()
        assert everything.sum("total") == 12.5
        assert everything.avg("total") == pytest.approx(12.5 / 3)
        assert everything.min("total") == -2.5
        assert everything.max(Order.total) == 10.0
        assert everything.min("name") == "Ann"
        assert everything.group_by("rank").count() == {1: 1, 2: 2, -1: 1}
        assert everything.group_by("rank").sum("total") == {1: 5.0, 2: 10.0, -1: -2.5}
        assert everything.group_by("status").count() == {Status.DRAFT: 2, Status.PLACED: 2}
        assert everything.group_by("status", "rank").count() == {
            (Status.PLACED, 1): 1,
            (Status.DRAFT, 2): 2,
            (Status.PLACED, -1): 1,
        }
        Order.where().delete()
        assert everything.sum("total") == 0
        assert everything.avg("total") is None
        assert everything.max("total") is None
        assert everything.group_by("rank").count() == {}

    # --- Pages ---

    def walk(self, query: Any, limit: int) -> list[str]:
        """The names on all pages."""
        seen: list[str] = []
        after = None
        while True:
            page = query.page(limit=limit, after=after)
            assert len(page.items) <= limit
            seen += names(page.items)
            assert len(seen) <= 100, "the pages have no end"
            if page.next_cursor is None:
                return seen
            assert len(page.items) == limit
            after = page.next_cursor

    @pytest.mark.parametrize("fields", [(), ("rank",), ("-rank",), ("total", "-name"), ("-total",)])
    @pytest.mark.parametrize("limit", [1, 3, 12, 13])
    def test_pages_show_everything_once(self, repository: Repository, fields: tuple[str, ...], limit: int) -> None:
        for number in range(12):
            Order(name=f"{number:02}", rank=number % 3, total=None if number % 4 == 0 else number % 5).save()
        query = Order.where().order_by(*fields)
        query = query if repository.capabilities.ordering else query.in_memory()
        seen = self.walk(query, limit)
        assert sorted(seen) == [f"{number:02}" for number in range(12)]
        position = {order.name: order for order in Order.all()}
        if fields == ("rank",):
            assert [position[name].rank for name in seen] == sorted(number % 3 for number in range(12))
        if fields == ("-rank",):
            assert [position[name].rank for name in seen] == sorted((number % 3 for number in range(12)), reverse=True)

    @pytest.mark.parametrize("fields", [(), ("rank",), ("-rank", "name"), ("-total",)])
    def test_pages_stay_right_while_rows_come_and_go(self, repository: Repository, fields: tuple[str, ...]) -> None:
        for number in range(12):
            Order(name=f"{number:02}", rank=number % 3, total=None if number % 4 == 0 else number % 5).save()
        query = Order.where().order_by(*fields)
        query = query if repository.capabilities.ordering else query.in_memory()
        expected = self.walk(query, 12)
        first = query.page(limit=4, total=True)
        assert first.total == 12
        assert names(first.items) == expected[:4]
        assert first.next_cursor is not None
        gone = {expected[3], expected[0], expected[6]}
        for order in Order.all():
            if order.name in gone:
                order.delete()
        rest: list[str] = []
        after: str | None = first.next_cursor
        while after is not None:
            page = query.page(limit=2, after=after, total=True)
            assert page.total == 9
            rest += names(page.items)
            assert len(rest) <= 100, "the pages have no end"
            after = page.next_cursor
        assert rest == [name for name in expected[4:] if name not in gone]

    def test_what_is_no_cursor_is_refused(self, repository: Repository) -> None:
        orders()
        query = Order.where().order_by("name")
        query = query if repository.capabilities.ordering else query.in_memory()
        for cursor in ("nonsense", "!", "é"):
            with pytest.raises(ValueError, match="next_cursor"):
                query.page(after=cursor)
        cursor = query.page(limit=1).next_cursor
        with pytest.raises(ValueError, match="next_cursor"):
            query.order_by("rank", "name").page(after=cursor)
        with pytest.raises(ValueError, match="limit"):
            query.page(limit=0)

    def test_cursors_are_safe_in_a_url(self, repository: Repository) -> None:
        Order.save_all([Order(name="éß€😀 /?&=%"), Order(name="x"), Order(name="\x01")])
        query = Order.where().order_by("name")
        query = query if repository.capabilities.ordering else query.in_memory()
        for limit in (1, 2):
            cursor = query.page(limit=limit).next_cursor
            assert cursor is not None
            assert cursor.replace("-", "").replace("_", "").isalnum()

    # --- The same for async code ---

    def test_every_verb_of_a_query_has_an_async_twin(self, repository: Repository) -> None:
        orders()
        query: Any = Order.where(rank=2)
        query = query if self.answers(repository, {"eq"}) else query.in_memory()

        async def story() -> None:
            assert sorted(names(await query.aall())) == ["Bob", "Cleo"]
            assert sorted([order.name async for order in query]) == ["Bob", "Cleo"]
            assert (await query.afirst()).name in {"Bob", "Cleo"}
            assert await query.acount() == 2
            assert await query.aexists()
            assert (await query.where(name="Bob").aone()).name == "Bob"
            assert await query.where(name="nobody").aone_or_none() is None
            page = await query.apage(limit=1, total=True)
            assert page.total == 2
            rest = await query.apage(limit=1, after=page.next_cursor)
            assert sorted(names(page.items + rest.items)) == ["Bob", "Cleo"]
            assert await query.asum("total") == 10.0
            assert await query.aavg("rank") == 2
            assert await query.amin("name") == "Bob"
            assert await query.amax("name") == "Cleo"
            assert await query.group_by("rank").acount() == {2: 2}
            assert await query.aupdate(rank=3) == 2
            assert await query.acount() == 0
            assert await Order.where().adelete() == 4

        asyncio.run(story())
        assert Order.all() == []
