"""Saving, finding, deleting: what every backend does."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from nitro import Capabilities, EntityNotFound, Repository, UniqueViolation, UnsupportedQuery, changes
from nitro.repository import repository_of

from .domain import Address, Line, Numbered, Order, Product, Session, Status, backend_name, names


class Verbs:
    def test_it_is_a_repository_with_capabilities(self, repository: Repository) -> None:
        assert isinstance(repository, Repository)
        assert isinstance(repository.capabilities, Capabilities)
        assert repository_of(Order) is repository

    def test_a_fresh_one_is_empty(self, repository: Repository) -> None:
        assert Order.all() == []
        assert Order.where().count() == 0
        assert not Order.where().exists()
        assert Order.where().first() is None
        assert repository.get(Order, "nobody") is None

    def test_save_gives_the_entity_back_and_get_finds_it(self) -> None:
        order = Order(name="Ann", total=5.0, address=Address(city="Oslo"), lines=[Line(product="tea")])
        assert order.save() is order
        found = Order.get(order.id)
        assert type(found) is Order
        assert found == order
        assert Order.get_or_none(order.id) == order
        assert Order.all() == [order]

    def test_what_is_found_knows_its_values_and_has_no_changes(self) -> None:
        id = Order(name="Ann", status=Status.PLACED, tags=["a"]).save().id
        found = Order.get(id)
        assert (found.name, found.status, found.tags) == ("Ann", Status.PLACED, ["a"])
        assert changes.of(found) == {}

    def test_what_is_found_keeps_its_fields_apart_from_those_of_others(self) -> None:
        one, two = Order(tags=["a"]).save(), Order(tags=["b"]).save()
        assert Order.get(one.id).tags == ["a"]
        assert Order.get(two.id).tags == ["b"]

    def test_a_key_that_nobody_has(self, repository: Repository) -> None:
        Order().save()
        assert Order.get_or_none("nobody") is None
        with pytest.raises(EntityNotFound, match="no Order has the key 'nobody'"):
            Order.get("nobody")
        assert repository.get(Order, "nobody") is None

    def test_each_class_has_its_own_keys(self) -> None:
        Order(id="1", name="order").save()
        Product(sku="1").save()
        assert Order.get("1").name == "order"
        assert Product.get("1").sku == "1"
        Product.get("1").delete()
        assert Order.where().count() == 1
        assert Session.get_or_none("1") is None

    def test_a_key_of_another_name_and_of_another_type(self) -> None:
        Product(sku="A-1", price=2.0).save()
        assert Product.get("A-1").price == 2.0
        Numbered(id=10, name="ten").save()
        Numbered(id=9, name="nine").save()
        assert Numbered.get(10).name == "ten"
        assert Numbered.get("9").name == "nine"
        assert Numbered.get_or_none("nine") is None

    def test_many_keys_at_once(self) -> None:
        orders = [Order(name=name).save() for name in "abc"]
        keys = [orders[2].id, "nobody", orders[0].id]
        assert names(Order.get_many(keys)) == ["c", "a"]
        assert Order.get_many([]) == []

    def test_a_second_save_changes_the_record(self) -> None:
        order = Order(name="Ann").save()
        order.name = "Bob"
        order.tags.append("new")
        order.save()
        found = Order.get(order.id)
        assert (found.name, found.tags) == ("Bob", ["new"])
        assert Order.where().count() == 1

    def test_a_stranger_with_the_same_key_is_refused(self) -> None:
        order = Order(name="Ann").save()
        stranger = Order(id=order.id, name="stranger")
        with pytest.raises(UniqueViolation):
            stranger.save()
        assert names(Order.all()) == ["Ann"]

    def test_upsert_stores_over_what_is_there(self, repository: Repository) -> None:
        Order(id="1", name="Ann", rank=1).upsert()
        assert Order.get("1").name == "Ann"
        version = changes.version(Order.get("1"))
        other = Order(id="1", name="Bob", tags=["b"]).upsert()
        found = Order.get("1")
        assert (found.name, found.rank, found.tags) == ("Bob", 0, ["b"])
        assert changes.of(other) == {}
        assert Order.where().count() == 1
        if repository.capabilities.versions and not repository.capabilities.live:
            assert changes.version(other) == changes.version(found) == version + 1
        other.name = "Cleo"
        other.upsert()
        other.name = "Dora"
        other.save()
        assert Order.get("1").name == "Dora"

        async def story() -> None:
            await Order(id="1", name="Eva").aupsert()

        asyncio.run(story())
        assert Order.get("1").name == "Eva"

    def test_a_deleted_one_is_gone(self) -> None:
        order, other = Order(name="gone").save(), Order(name="kept").save()
        order.delete()
        assert Order.get_or_none(order.id) is None
        assert Order.all() == [other]
        assert Order.where(name="gone").count() == 0

    def test_what_is_not_stored_cannot_be_deleted(self) -> None:
        with pytest.raises(EntityNotFound):
            Order().delete()
        order = Order().save()
        order.delete()
        with pytest.raises(EntityNotFound):
            order.delete()

    def test_a_deleted_one_can_be_saved_again(self) -> None:
        order = Order(name="Ann").save()
        order.delete()
        order.name = "again"
        order.save()
        assert Order.get(order.id).name == "again"
        assert Order.where().count() == 1

    def test_another_key(self) -> None:
        order = Order(id="1", name="Ann").save()
        order.id = "2"
        order.save()
        assert Order.get("2").name == "Ann"
        assert Order.get_or_none("1") is None
        assert Order.where().count() == 1
        other = Order(id="1").save()
        order.id = other.id
        with pytest.raises(UniqueViolation):
            order.save()
        changes.revert(order)
        assert {found.id for found in Order.all()} == {"1", "2"}

    def test_refresh_gives_the_stored_values(self, repository: Repository) -> None:
        order = Order(name="Ann", tags=["a"]).save()
        order.name = "changed"
        assert order.refresh() is order
        assert order.name == ("changed" if repository.capabilities.live else "Ann")
        order.delete()
        with pytest.raises(EntityNotFound):
            order.refresh()

    def test_save_all_and_create(self) -> None:
        orders = Order.save_all([Order(name=str(number)) for number in range(20)])
        assert len(orders) == 20
        assert all(changes.of(order) == {} for order in orders)
        assert {order.name for order in Order.all()} == {str(number) for number in range(20)}
        orders[3].name = "changed"
        Order.save_all([orders[3], Order(name="new")])
        assert Order.get(orders[3].id).name == "changed"
        assert Order.where().count() == 21
        assert Order.create(name="made").name == "made"
        assert Order.where(name="made").count() == 1

    def test_clear_forgets_or_refuses(self, repository: Repository) -> None:
        Order().save()
        Product(sku="1").save()
        try:
            repository.clear(Order)
        except UnsupportedQuery as refusal:
            assert backend_name(repository) in str(refusal)
            assert Order.where().count() == 1
            return
        assert Order.all() == []
        assert Product.where().count() == 1
        repository.clear()
        assert Product.all() == []

    def test_a_class_that_nobody_has_saved_can_be_asked_everything(self) -> None:
        assert Product.where(price=1.0).all() == []
        assert Product.where().page().items == []
        assert Product.where().delete() == 0
        assert Product.where().update(price=2.0) == 0
        assert Product.get_many(["1"]) == []

    def test_every_verb_has_an_async_twin(self) -> None:
        async def story() -> None:
            order = await Order(name="Ann").asave()
            assert await Order.aget(order.id) == order
            assert await Order.aget_or_none("nobody") is None
            with pytest.raises(EntityNotFound):
                await Order.aget("nobody")
            other = await Order.acreate(name="Bob")
            assert await Order.aget_many([other.id, "nobody", order.id]) == [other, order]
            assert len(await Order.aall()) == 2
            await Order.asave_all([Order(name="Cleo"), Order(name="Dora")])
            assert await Order.where().acount() == 4
            order.name = "changed"
            await order.asave()
            await order.arefresh()
            assert (await Order.aget(order.id)).name == "changed"
            await other.adelete()
            assert await Order.aget_or_none(other.id) is None
            with pytest.raises(EntityNotFound):
                await other.adelete()
            stranger = Order(id=order.id)
            with pytest.raises(UniqueViolation):
                await stranger.asave()

        asyncio.run(story())

    def test_async_verbs_at_once(self) -> None:
        async def story() -> list[Any]:
            orders = await asyncio.gather(*(Order(name=str(number)).asave() for number in range(50)))
            return await asyncio.gather(*(Order.aget(order.id) for order in orders))

        assert names(asyncio.run(story())) == [str(number) for number in range(50)]
        assert Order.where().count() == 50
