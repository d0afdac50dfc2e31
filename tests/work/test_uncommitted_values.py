"""What was loaded after a query or a session has changed records is not taken for the record when the unit fails."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from units_of_work import Broken, Order, Product, in_a_loop

from nitro import EntityNotFound, Repository, SQLModelBackend, StaleEntityError, UnitOfWork, changes
from nitro.backends.sql.schema import table_of

Load = Callable[[str], Order]


def by_key(key: str) -> Order:
    return Order.get(key)


def by_query(key: str) -> Order:
    return Order.where(id=key).one()


def by_loop(key: str) -> Order:
    (order,) = Order.where(id=key)
    return order


def by_lock(key: str) -> Order:
    with Order.locked(key) as order:
        return order


loads = pytest.mark.parametrize("load", [by_key, by_query, by_loop, by_lock])


def is_stale(order: Order) -> bool:
    """Whether a save of it is refused, and whoever loads it again may go on."""
    order.total += 1
    try:
        order.save()
    except StaleEntityError as error:
        refused = str(error)
    else:
        return False
    order.refresh()
    assert not changes.exist(order)
    order.total += 1
    order.save()
    return "was taken back" in refused


@loads
def test_what_was_loaded_after_an_update_is_stale(repository: Repository, load: Load) -> None:
    order = Order(total=1).save()
    with pytest.raises(Broken), UnitOfWork():
        Order.where().update(status="lost")
        mine = load(order.id)
        assert mine.status == "lost"
        raise Broken
    if not repository.capabilities.transactions:
        # Each was saved by itself, and got its values back.
        assert mine.status == "draft"
        assert not is_stale(mine)
        return
    # Others come to the same version, with other values.
    order.status = "paid"
    order.save()
    assert is_stale(mine)
    assert (mine.status, Order.get(order.id).status, Order.get(order.id).total) == ("paid", "paid", 2)


@in_a_loop
async def test_what_async_code_has_loaded_after_an_update_is_stale(repository: Repository) -> None:
    order = await Order(total=1).asave()
    with pytest.raises(Broken):
        async with UnitOfWork():
            await Order.where().aupdate(status="lost")
            mine = await Order.aget(order.id)
            raise Broken
    mine.total = 5
    if repository.capabilities.transactions:
        with pytest.raises(StaleEntityError, match="was taken back"):
            await mine.asave()
        await mine.arefresh()
    assert (mine.status, (await Order.aget(order.id)).status) == ("draft", "draft")


def test_what_was_loaded_anew_after_an_update_is_stale(repository: Repository) -> None:
    if not repository.capabilities.transactions:
        return
    order = Order(total=1).save()
    with pytest.raises(Broken), UnitOfWork():
        mine = Order.get(order.id)
        Order.where().update(status="lost")
        mine.refresh()
        raise Broken
    assert is_stale(mine)


def test_what_was_saved_after_an_update_is_stale(repository: Repository) -> None:
    if not repository.capabilities.transactions:
        return
    order = Order(total=1).save()
    with pytest.raises(Broken), UnitOfWork():
        Order.where().update(status="lost")
        mine = Order.get(order.id)
        mine.total = 2
        mine.save()
        raise Broken
    assert is_stale(mine)
    assert Order.get(order.id).status == "draft"


def test_a_unit_that_goes_on_after_a_rollback_loads_it_again(repository: Repository) -> None:
    order = Order(total=1).save()
    with UnitOfWork() as uow:
        Order.where().update(status="lost")
        Order.get(order.id)
        uow.rollback()
        mine = Order.get(order.id)
        assert mine.status == "draft"
        mine.total = 2
        mine.save()
    assert Order.get(order.id).total == 2


def test_what_the_update_had_no_part_in_is_as_ever(repository: Repository) -> None:
    order, product = Order().save(), Product(stock=1).save()
    with pytest.raises(Broken), UnitOfWork():
        before = Order.get(order.id)
        Order.where(status="nobody's").update(status="lost")
        other = Product.get(product.id)
        new = Order().save()
        raise Broken
    for entity in (before, new):
        entity.status = "kept"
        entity.save()
    other.stock = 2
    other.save()


def test_what_is_committed_is_as_ever(repository: Repository) -> None:
    order = Order().save()
    with pytest.raises(Broken), UnitOfWork() as uow:
        Order.where().update(status="kept")
        mine = Order.get(order.id)
        uow.commit()
        raise Broken
    assert mine.status == "kept"
    assert not is_stale(mine)


def test_a_savepoint_takes_back_what_was_done_inside_of_it(repository: Repository) -> None:
    order = Order().save()
    with UnitOfWork() as uow:
        Order.where().update(status="kept")
        with pytest.raises(Broken), uow.savepoint():
            outer = Order.get(order.id)
            raise Broken
        outer.total = 1
        outer.save()
        with pytest.raises(Broken), uow.savepoint():
            Order.where().update(status="lost")
            inner = Order.get(order.id)
            raise Broken
        assert Order.get(order.id).status == "kept"
    if repository.capabilities.transactions:
        assert is_stale(inner)
    assert Order.get(order.id).status == "kept"
    assert not is_stale(Order.get(order.id))


def test_what_was_loaded_after_a_session_is_stale(repository: Repository) -> None:
    if not isinstance(repository, SQLModelBackend):
        return
    order, table = Order().save(), table_of(Order)
    with pytest.raises(Broken), UnitOfWork() as uow:
        with uow.session(repository) as session:
            session.execute(table.update().values(status="lost"))
            session.execute(sa.insert(table).values(**Order(id="new").model_dump()))
        mine, new = Order.get(order.id), Order.get("new")
        raise Broken
    assert is_stale(mine)
    assert mine.status == "draft"
    with pytest.raises(EntityNotFound):
        new.refresh()
