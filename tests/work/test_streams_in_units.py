"""Loops over queries inside of units of work: what they change is noticed, and what they leave alone is not kept."""

import pytest
from units_of_work import Broken, Order, in_a_loop

from nitro import (
    Repository,
    SQLModelBackend,
    UnitOfWork,
    UnitOfWorkError,
    UnsavedChangesWarning,
    changes,
    command,
    query,
    work,
)
from nitro.work import unit as unit_of_work


@pytest.fixture
def orders(repository: Repository) -> list[Order]:
    return Order.save_all([Order(number=number) for number in range(5)])


@command
def mark(status: str) -> None:
    for order in Order.where():
        order.status = status


@command
async def amark(status: str) -> None:
    async for order in Order.where():
        order.status = status


@query
def look() -> None:
    for order in Order.where():
        order.status = "seen"


def statuses() -> list[str]:
    return [order.status for order in Order.where().order_by("number")]


def test_a_save_that_is_forgotten_is_loud(repository: Repository, orders: list[Order]) -> None:
    if repository.capabilities.live:
        with UnitOfWork():
            mark_all("shipped")
        assert statuses() == ["shipped"] * 5
        return
    with pytest.warns(UnsavedChangesWarning) as caught, UnitOfWork():
        mark_all("shipped")
    assert len(caught) == 5


@in_a_loop
async def test_a_save_that_is_forgotten_is_loud_in_async_code(repository: Repository) -> None:
    await Order.asave_all([Order(number=number) for number in range(5)])
    if repository.capabilities.live:
        return  # the object is the record

    async def ship() -> None:
        async with UnitOfWork():
            async for order in Order.where():
                order.status = "shipped"

    with pytest.warns(UnsavedChangesWarning) as caught:
        await ship()
    assert len(caught) == 5


def mark_all(status: str) -> None:
    for order in Order.where():
        order.status = status


def test_what_is_changed_after_the_loop_has_gone_on_is_noticed(
    repository: Repository, orders: list[Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    if repository.capabilities.live:
        return
    monkeypatch.setattr(unit_of_work, "SWEPT", 2)

    @UnitOfWork()
    def change() -> None:
        before = None
        for order in Order.where():
            if before is not None:
                before.status = "passed"
            before = order
        held = list(Order.where())
        held[-1].status = "held"

    with pytest.warns(UnsavedChangesWarning) as caught:
        change()
    assert len(caught) == 5


def test_a_command_saves_what_a_loop_has_changed(repository: Repository, orders: list[Order]) -> None:
    mark("shipped")
    assert statuses() == ["shipped"] * 5
    assert {changes.version(order) for order in Order.all()} == {2}


@in_a_loop
async def test_an_async_command_saves_what_a_loop_has_changed(repository: Repository) -> None:
    await Order.asave_all([Order(number=number) for number in range(5)])
    await amark("shipped")
    assert {(order.status, changes.version(order)) for order in await Order.aall()} == {("shipped", 2)}


def test_a_query_must_not_change_what_it_looks_at(repository: Repository, orders: list[Order]) -> None:
    with pytest.raises(UnitOfWorkError, match="is a query, and has changed Order"):
        look()
    assert statuses() == ["draft"] * 5


def test_what_a_loop_has_changed_is_taken_back(repository: Repository, orders: list[Order]) -> None:
    with pytest.raises(Broken), UnitOfWork():
        found = list(Order.where())
        for order in found:
            order.status = "lost"
        found[0].save()
        raise Broken
    assert {order.status for order in (*found, *Order.all())} == {"draft"}


def test_there_is_one_object_for_a_record_of_a_loop(
    repository: Repository, orders: list[Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unit_of_work, "SWEPT", 2)
    with UnitOfWork():
        for order in Order.where():
            assert Order.get(order.id) is order
        held = list(Order.where().order_by("number"))
        assert Order.where().order_by("number").all() == list(Order.where().order_by("number")) == held
        assert [Order.get(order.id) for order in orders] == held
        for order, mine in zip(orders, held, strict=True):
            assert Order.get(order.id) is mine


def test_what_a_loop_leaves_alone_is_not_kept(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    Order.save_all([Order(number=number) for number in range(3000)])
    monkeypatch.setattr(unit_of_work, "SWEPT", 50)
    with UnitOfWork():
        unit = work.current()
        assert unit is not None
        seen = most = 0
        for order in Order.where():
            seen += 1
            if order.number == 7:
                order.status = "changed"
                order.save()
            most = max(most, len(unit.met), len(unit.entities))
        assert seen == 3000
        if isinstance(repository, SQLModelBackend) and repository.database.url.database is not None:
            # A thousand are read at a time, and are there until the next thousand is. From memory all are.
            assert most < 2500
        assert Order.where(number=7).one().status == "changed"
    assert Order.where(status="changed").count() == 1


def test_a_savepoint_takes_back_what_a_loop_has_changed(
    repository: Repository, orders: list[Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unit_of_work, "SWEPT", 1)
    with UnitOfWork() as uow:
        first = next(iter(Order.where().order_by("number")))
        first.status = "kept"
        first.save()
        with pytest.raises(Broken), uow.savepoint():
            for order in Order.where():
                order.status = "lost"
                order.save()
            raise Broken
        assert first.status == "kept"
    assert statuses() == ["kept", *["draft"] * 4]
