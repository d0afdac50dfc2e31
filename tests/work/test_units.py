"""Units of work: kept together, or taken back, on every backend."""

import pytest
from units_of_work import Broken, Order, Product, in_a_loop

from nitro import Repository, UnitOfWork, UnitOfWorkError, changes
from nitro._ambient import acting


def test_what_is_saved_is_kept(repository: Repository) -> None:
    with UnitOfWork() as uow:
        order = uow.orders.save(Order(customer="Ann"))
        Product(name="tea", stock=3).save()
    assert Order.get(order.id).customer == "Ann"
    assert Product.where(name="tea").one().stock == 3


def test_what_is_saved_is_taken_back(repository: Repository) -> None:
    kept = Order(customer="Ann", total=5, tags=["a"]).save()
    gone = Order(customer="Cid").save()
    with pytest.raises(Broken), UnitOfWork():
        new = Order(customer="Bob").save()
        mine = Order.get(kept.id)
        mine.total = 7
        mine.tags.append("b")
        mine.save()
        mine.total = 8
        Order.get(gone.id).delete()
        assert Order.get_or_none(gone.id) is None
        assert Order.where().count() == 2
        raise Broken
    assert changes.version(new) == 0
    assert Order.get_or_none(new.id) is None
    assert mine.total == 5
    assert mine.tags == ["a"]
    assert changes.version(mine) == 1
    assert not changes.exist(mine)
    assert Order.get(kept.id).total == 5
    assert Order.get(gone.id).customer == "Cid"
    assert {order.customer for order in Order.all()} == {"Ann", "Cid"}
    # It can be saved again, as what was taken back was never there.
    mine.total = 9
    mine.save()
    assert Order.get(kept.id).total == 9
    assert changes.version(mine) == 2
    assert new.save()
    assert Order.get(new.id).customer == "Bob"


@in_a_loop
async def test_what_is_saved_by_async_code_is_taken_back(repository: Repository) -> None:
    kept = await Order(customer="Ann", total=5).asave()
    with pytest.raises(Broken):
        async with UnitOfWork() as uow:
            new = await uow.orders.save(Order(customer="Bob"))
            mine = await uow.orders.get(kept.id)
            mine.total = 7
            await uow.orders.save(mine)
            assert {order.total for order in await uow.orders.where()} == {0, 7}
            raise Broken
    assert await Order.aget_or_none(new.id) is None
    assert mine.total == 5
    assert (await Order.aget(kept.id)).total == 5
    async with UnitOfWork() as uow:
        mine = await uow.orders.get(kept.id)
        mine.total = 6
        await uow.orders.save(mine)
        await uow.commit()
    assert (await Order.aget(kept.id)).total == 6


def test_there_is_one_object_for_a_record(repository: Repository) -> None:
    order = Order(customer="Ann").save()
    with UnitOfWork() as uow:
        one = Order.get(order.id)
        assert Order.where(customer="Ann").one() is one
        assert Order.get_many([order.id]) == [one]
        assert Order.get_many([order.id])[0] is one
        assert uow.orders.get(order.id) is one
        assert next(iter(Order.where())) is one


def test_a_unit_inside_of_another_is_part_of_it(repository: Repository) -> None:
    with pytest.raises(Broken), UnitOfWork():
        with UnitOfWork() as inner:
            order = inner.orders.save(Order())
            inner.commit()
        assert Order.get_or_none(order.id) is order
        raise Broken
    assert Order.get_or_none(order.id) is None


def test_the_outer_one_cannot_be_kept_when_an_inner_one_failed(repository: Repository) -> None:
    with pytest.raises(UnitOfWorkError, match="has failed"), UnitOfWork():
        order = Order().save()
        with pytest.raises(Broken), UnitOfWork():
            raise Broken
    assert Order.get_or_none(order.id) is None


def test_an_entity_from_outside_gets_the_values_back_that_it_was_stored_with(repository: Repository) -> None:
    order = Order(total=1, tags=["a"]).save()
    with pytest.raises(Broken), UnitOfWork() as uow:
        order.total = 2
        order.tags.append("b")
        uow.orders.save(order)
        order.total = 3
        raise Broken
    assert (order.total, order.tags) == (1, ["a"])
    assert not changes.exist(order)
    order.total = 4
    order.save()
    assert Order.get(order.id).total == 4


def test_what_was_not_saved_when_it_was_read_is_put_back(repository: Repository) -> None:
    order = Order(total=1).save()
    order.total = 2
    with pytest.raises(Broken), UnitOfWork():
        mine = Order.get(order.id)
        mine.total += 10
        mine.save()
        raise Broken
    # The object is the record, or a copy of it.
    assert mine.total == (2 if repository.capabilities.live else 1)
    assert order.total == 2
    order.save()
    assert Order.get(order.id).total == 2


def test_a_save_without_changes_makes_no_other_object_the_one_that_is_known(repository: Repository) -> None:
    if repository.capabilities.live:
        return  # there is one object for all
    other = Order(total=1).save()
    with UnitOfWork():
        mine = Order.get(other.id)
        other.save()
        assert Order.get(other.id) is mine
    with UnitOfWork():
        other.save()
        assert Order.get(other.id) is other


def test_what_is_cleared_is_not_known_any_more(repository: Repository) -> None:
    order = Order().save()
    with UnitOfWork():
        Order.get(order.id)
        acting(repository).clear(Order)
        assert Order.get_or_none(order.id) is None
