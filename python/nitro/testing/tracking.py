"""What an entity knows of its record: whether copies go in and out, changes, versions, locks."""

from __future__ import annotations

import asyncio
import copy

import pytest

from nitro import EntityNotFound, Repository, StaleEntityError, UnsupportedQuery, changes

from .domain import Address, Line, Order, backend_name


class Tracking:
    def test_a_save_leaves_no_changes_and_tells_what_it_wrote(self) -> None:
        order = Order(name="Ann", total=1.0)
        order.save()
        assert changes.of(order) == {}
        assert changes.previous(order)["name"] == (None, "Ann")
        order.name = "Bob"
        order.tags.append("x")
        order.save()
        assert changes.of(order) == {}
        assert changes.previous(order) == {"name": ("Ann", "Bob"), "tags": ([], ["x"])}

    def test_changes_of_what_was_found_are_known_and_reverted(self) -> None:
        id = Order(name="Ann", tags=["a"], address=Address(city="Oslo"), lines=[Line(product="tea")]).save().id
        found = Order.get(id)
        found.name = "Bob"
        found.tags.append("b")
        assert found.address is not None
        found.address.city = "Rome"
        found.lines[0].quantity = 5
        assert set(changes.of(found)) == {"name", "tags", "address", "lines"}
        changes.revert(found)
        assert changes.of(found) == {}
        assert (found.name, found.tags, found.lines[0].quantity) == ("Ann", ["a"], 1)

    def test_in_place_edits_are_saved(self) -> None:
        order = Order(address=Address(city="Oslo"), counts={"a": 1}).save()
        found = Order.get(order.id)
        assert found.address is not None
        found.address.city = "Rome"
        found.counts["b"] = 2
        found.lines.append(Line(product="tea"))
        found.save()
        again = Order.get(order.id)
        assert again.address == Address(city="Rome")
        assert again.counts == {"a": 1, "b": 2}
        assert again.lines == [Line(product="tea")]

    def test_an_invalid_in_place_edit_is_refused(self, repository: Repository) -> None:
        order = Order(tags=["a"]).save()
        order.tags.append(5)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="tags"):
            order.save()
        if not repository.capabilities.live:
            assert Order.get(order.id).tags == ["a"]
        changes.revert(order)
        order.save()
        assert Order.get(order.id).tags == ["a"]

    def test_the_object_is_the_record_where_the_backend_is_live_and_a_copy_elsewhere(
        self, repository: Repository
    ) -> None:
        order = Order(name="Ann", tags=["a"]).save()
        found = Order.get(order.id)
        live = repository.capabilities.live
        assert (found is order) == live
        assert (Order.all()[0] is order) == live
        found.name = "Bob"
        found.tags.append("b")
        assert Order.get(order.id).name == ("Bob" if live else "Ann")
        assert Order.get(order.id).tags == (["a", "b"] if live else ["a"])
        assert Order.where(name="Bob").count() == int(live)
        assert Order.where(name="Ann").count() == int(not live)
        found.save()
        assert Order.get(order.id).tags == ["a", "b"]
        assert Order.where(name="Bob").count() == 1

    def test_a_change_after_a_save_does_not_reach_what_was_saved(self, repository: Repository) -> None:
        order = Order(tags=["a"])
        order.save()
        order.tags.append("later")
        if not repository.capabilities.live:
            assert Order.get(order.id).tags == ["a"]
        assert changes.of(order) == {"tags": (["a"], ["a", "later"])}

    def test_a_new_entity_has_version_0_and_every_save_gives_another(self, repository: Repository) -> None:
        order = Order()
        assert changes.version(order) == 0
        order.save()
        first = changes.version(order)
        assert first >= 1
        assert changes.version(Order.get(order.id)) == first
        order.name = "changed"
        order.save()
        if repository.capabilities.versions:
            assert changes.version(order) == first + 1
            assert changes.version(Order.get(order.id)) == first + 1
        order.delete()
        assert changes.version(order) == 0

    def test_a_save_over_a_version_that_moved(self, repository: Repository) -> None:
        order = Order(name="Ann").save()
        early = copy.deepcopy(order)
        order.name = "Bob"
        order.save()
        early.name = "Cleo"
        if not repository.capabilities.versions:
            early.save()
            assert Order.get(order.id).name == "Cleo"
            return
        with pytest.raises(StaleEntityError) as caught:
            early.save()
        error = caught.value
        assert (error.entity_class, error.key) == (Order, order.id)
        assert (error.expected_version, error.stored_version) == (changes.version(early), changes.version(order))
        assert Order.get(order.id).name == "Bob"
        assert changes.of(early) == {"name": ("Ann", "Cleo")}
        early.refresh()
        assert (early.name, changes.of(early)) == ("Bob", {})
        early.name = "Cleo"
        early.save()
        assert Order.get(order.id).name == "Cleo"

    def test_a_save_of_what_somebody_has_deleted(self, repository: Repository) -> None:
        order = Order().save()
        early = copy.deepcopy(order)
        order.delete()
        early.name = "late"
        if not repository.capabilities.versions:
            early.save()
            assert Order.get(order.id).name == "late"
            return
        with pytest.raises(StaleEntityError) as caught:
            early.save()
        assert caught.value.stored_version is None
        assert Order.all() == []

    def test_a_delete_of_a_version_that_moved(self, repository: Repository) -> None:
        order = Order().save()
        early = copy.deepcopy(order)
        order.name = "moved"
        order.save()
        if not repository.capabilities.versions:
            early.delete()
            assert Order.all() == []
            return
        with pytest.raises(StaleEntityError):
            early.delete()
        assert Order.get(order.id).name == "moved"

    def test_a_locked_entity(self, repository: Repository) -> None:
        order = Order().save()
        if not repository.capabilities.locks:
            with pytest.raises(UnsupportedQuery, match=backend_name(repository)):
                repository.locked(Order, order.id)
            with pytest.raises(UnsupportedQuery, match=backend_name(repository)):
                repository.alocked(Order, order.id)
            return
        with repository.locked(Order, order.id) as locked:
            assert locked == order
            locked.rank += 1
            locked.save()
        assert Order.get(order.id).rank == 1
        with pytest.raises(EntityNotFound), repository.locked(Order, "nobody"):
            pass

        async def story() -> None:
            async with repository.alocked(Order, order.id) as locked:
                assert locked == await Order.aget(order.id)
                locked.rank += 1
                await locked.asave()
            with pytest.raises(EntityNotFound):
                async with repository.alocked(Order, "nobody"):
                    pass

        asyncio.run(story())
        assert Order.get(order.id).rank == 2

    def test_a_savepoint(self, repository: Repository) -> None:
        if not repository.capabilities.savepoints:
            with pytest.raises(UnsupportedQuery, match=backend_name(repository)):
                repository.savepoint()
            with pytest.raises(UnsupportedQuery, match=backend_name(repository)):
                repository.asavepoint()
            return
        with repository.transaction():
            order = Order(name="kept").save()
            with pytest.raises(EntityNotFound), repository.savepoint():
                order.name = "taken back"
                order.save()
                Order(name="taken back").save()
                Order.get("nobody")
            assert changes.of(order) == {"name": ("kept", "taken back")}
        assert [order.name for order in Order.all()] == ["kept"]
