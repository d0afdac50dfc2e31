"""What was written is taken back, by a backend without transactions that can do so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

import pytest

from nitro import EntityNotFound, Repository, UniqueViolation, UnitOfWork, UnsupportedQuery, changes

from .domain import Account, Line, Order, Session, backend_name, names


class _GivenUp(Exception):
    """Ends a unit of work."""


class Undoing:
    @pytest.fixture
    def undo(self, repository: Repository) -> bool:
        """Whether the backend takes back what it has written; one that does not says so."""
        if not repository.capabilities.undo:
            with pytest.raises(UnsupportedQuery, match=backend_name(repository)):
                repository.taking_back(Order())
        return repository.capabilities.undo

    def test_a_new_one_is_taken_back(self, repository: Repository, undo: bool) -> None:
        if not undo:
            return
        order = Order(name="Ann", tags=["a"])
        take_back = repository.taking_back(order)
        order.save()
        take_back()
        assert Order.get_or_none(order.id) is None
        assert Order.all() == Order.where(name="Ann").in_memory().all() == []
        assert (order.name, order.tags, changes.version(order)) == ("Ann", ["a"], 0)
        with pytest.raises(EntityNotFound):
            order.delete()
        # It is new again.
        order.save()
        assert Order.get(order.id) == order
        assert Order.where().count() == 1

    def test_a_change_is_taken_back(self, repository: Repository, undo: bool) -> None:
        if not undo:
            return
        order = Order(name="Ann", rank=1, lines=[Line(product="tea")]).save()
        version = changes.version(order)
        order.name, order.rank = "Bob", 2
        order.lines[0].quantity = 5
        take_back = repository.taking_back(order)
        order.save()
        take_back()
        stored = Order.get(order.id)
        assert (stored.name, stored.rank, stored.lines) == ("Ann", 1, [Line(product="tea")])
        assert names(Order.where(Order.rank == 1).in_memory().all()) == ["Ann"]
        assert Order.where(Order.rank == 2).in_memory().all() == []
        assert changes.version(order) == changes.version(stored) == version
        # The entity is told that it is not stored as it is. Where it is the record it has the old values.
        expected = {} if stored is order else {"name": ("Ann", "Bob"), "rank": (1, 2)}
        assert {name: pair for name, pair in changes.of(order).items() if name != "lines"} == expected
        changes.revert(order)
        order.name = "Cid"
        order.save()
        assert Order.get(order.id).name == "Cid"

    def test_a_deletion_is_taken_back(self, repository: Repository, undo: bool) -> None:
        if not undo:
            return
        order = Order(name="Ann", tags=["a"]).save()
        version = changes.version(order)
        take_back = repository.taking_back(order)
        order.delete()
        take_back()
        stored = Order.get(order.id)
        assert (stored.name, stored.tags) == ("Ann", ["a"])
        assert changes.version(order) == changes.version(stored) == version
        assert not changes.exist(order)
        order.name = "Bob"
        order.save()
        assert names(Order.all()) == ["Bob"]
        order.delete()
        assert Order.all() == []

    def test_several_writes_are_taken_back_the_last_first(self, repository: Repository, undo: bool) -> None:
        if not undo:
            return
        order = Order(name="0").save()
        undone: list[Callable[[], None]] = []
        for number in (1, 2, 3):
            order.name = str(number)
            undone.append(repository.taking_back(order))
            order.save()
        undone.append(repository.taking_back(order))
        order.delete()
        for expected in ("3", "2", "1", "0"):
            undone.pop()()
            assert Order.get(order.id).name == expected
        assert names(Order.all()) == ["0"]

    def test_a_key_that_moved_is_moved_back(self, repository: Repository, undo: bool) -> None:
        if not undo:
            return
        order = Order(id="1", name="Ann").save()
        order.id = "2"
        take_back = repository.taking_back(order)
        order.save()
        take_back()
        assert Order.get("1").name == "Ann"
        assert Order.get_or_none("2") is None
        assert Order.where().count() == 1

    def test_what_was_refused_was_never_there(self, repository: Repository, undo: bool) -> None:
        if not undo:
            return
        Order(id="1", name="theirs").save()
        mine = Order(id="1", name="mine")
        take_back = repository.taking_back(mine)
        with pytest.raises(UniqueViolation):
            mine.save()
        take_back()
        assert Order.get("1").name == "theirs"
        assert changes.version(mine) == 0

    def test_what_was_replaced_is_put_back(self, repository: Repository, undo: bool) -> None:
        if not undo:
            return
        Order(id="1", name="theirs").save()
        mine = Order(id="1", name="mine")
        take_back = repository.taking_back(mine)
        mine.upsert()
        assert Order.get("1").name == "mine"
        take_back()
        assert Order.get("1").name == "theirs"
        assert changes.version(mine) == 0
        other = Order(id="2")
        take_back = repository.taking_back(other)
        other.upsert()
        take_back()
        assert Order.get_or_none("2") is None

    def test_what_others_have_saved_since_stays(self, repository: Repository, undo: bool) -> None:
        able = repository.capabilities
        # Without versions nobody can tell; and where the object is the record, there is one for all.
        if not undo or not able.versions or able.live:
            return
        order = Order(name="Ann").save()
        order.name = "mine"
        take_back = repository.taking_back(order)
        order.save()
        other = Order.get(order.id)
        other.name = "theirs"
        other.save()
        take_back()
        assert Order.get(order.id).name == "theirs"
        new = Order(name="mine")
        take_back = repository.taking_back(new)
        new.save()
        other = Order.get(new.id)
        other.name = "theirs"
        other.save()
        take_back()
        assert Order.get(new.id).name == "theirs"

    def test_unique_values_are_free_again(self, repository: Repository, undo: bool) -> None:
        if not undo or not repository.capabilities.unique:
            return
        ann, bob = Account(email="a@x").save(), Account(email="b@x")
        take_back = repository.taking_back(bob)
        bob.save()
        take_back()
        Account(email="b@x").save()
        ann.email = "c@x"
        take_back = repository.taking_back(ann)
        ann.save()
        take_back()
        Account(email="c@x").save()
        with pytest.raises(UniqueViolation):
            Account(email="a@x").save()

    def test_what_is_put_back_expires_as_before(self, repository: Repository, undo: bool) -> None:
        if not undo or not repository.capabilities.ttl:
            return
        advance = cast("Callable[[Repository, float], None]", self.advance)  # type: ignore[attr-defined]
        session = Session(user="Ann").save()
        advance(repository, 40)
        session.user = "Bob"
        take_back = repository.taking_back(session)
        session.save(ttl=1000)
        take_back()
        advance(repository, 15)
        assert Session.get(session.id).user == "Ann"
        advance(repository, 10)
        assert Session.get_or_none(session.id) is None

    def test_a_unit_of_work_that_fails_leaves_nothing(self, undo: bool) -> None:
        if not undo:
            return
        kept, gone = Order(id="1", name="kept", rank=1).save(), Order(id="2", name="gone").save()
        mine, new = kept, [Order(name="new"), Order(name="newer")]
        with pytest.raises(_GivenUp), UnitOfWork():
            mine = Order.get("1")
            mine.rank = 2
            mine.save()
            Order.save_all(new)
            Order.get("2").delete()
            mine.rank = 3
            mine.save()
            assert {order.name for order in Order.all()} == {"kept", "new", "newer"}
            raise _GivenUp
        assert {(order.name, order.rank) for order in Order.all()} == {("kept", 1), ("gone", 0)}
        assert (mine.rank, changes.exist(mine), [changes.version(order) for order in new]) == (1, False, [0, 0])
        for order in (kept, gone, *new):
            order.rank = 9
            order.save()
        assert {order.rank for order in Order.all()} == {9}

    def test_a_unit_of_work_of_async_code_that_fails_leaves_nothing(self, undo: bool) -> None:
        if not undo:
            return

        async def story() -> None:
            kept, new = await Order(id="1", name="kept").asave(), Order(name="new")
            mine = kept
            with pytest.raises(_GivenUp):
                async with UnitOfWork() as uow:
                    mine = await Order.aget("1")
                    mine.name = "lost"
                    await mine.asave()
                    await new.asave()
                    with pytest.raises(_GivenUp):
                        async with uow.savepoint():
                            await mine.adelete()
                            raise _GivenUp
                    assert {order.name for order in await Order.aall()} == {"lost", "new"}
                    raise _GivenUp
            assert names(await Order.aall()) == ["kept"]
            assert (mine.name, changes.version(new)) == ("kept", 0)
            kept.name = "kept on"
            await kept.asave()
            assert names(await Order.aall()) == ["kept on"]

        asyncio.run(story())
