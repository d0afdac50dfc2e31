"""Entities that are gone after some seconds."""

import resource
from pathlib import Path

import pytest

from nitro import Entity, EntityNotFound, Field, MemoryRepo, StaleEntityError


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


clock = Clock()
store = MemoryRepo(clock=clock)
isolated = MemoryRepo(clock=clock, isolated=True)


class Session(Entity, backend=store, ttl=60):
    user: str = Field("Ann", unique=True)
    hits: int = Field(0, index=True)


class Order(Entity, backend=store):
    name: str = Field("", index=True)


class Copied(Entity, backend=isolated):
    hits: int = Field(0, index=True)


def test_it_is_there_until_its_time_has_come():
    session = Session().save()
    clock.now += 59.9
    assert Session.get(session.id) is session
    clock.now += 0.1
    assert Session.get_or_none(session.id) is None
    with pytest.raises(EntityNotFound):
        Session.get(session.id)


def test_nothing_finds_it_afterwards():
    session = Session().save()
    clock.now += 60
    assert Session.all() == []
    assert Session.where(user="Ann").count() == 0
    assert not Session.where(Session.hits == 0).exists()
    assert Session.get_many([session.id]) == []
    assert Session.where().page(total=True).total == 0
    with pytest.raises(EntityNotFound):
        session.delete()


def test_a_save_begins_it_anew():
    session = Session().save()
    clock.now += 50
    session.hits += 1
    session.save()
    clock.now += 50
    assert Session.get(session.id).hits == 1
    clock.now += 10
    assert Session.all() == []


def test_per_save():
    Order(name="short").save(ttl=5)
    Order(name="long").save(ttl=50)
    Order(name="ever").save()
    clock.now += 5
    assert [order.name for order in Order.all()] == ["long", "ever"]
    clock.now += 45
    assert [order.name for order in Order.all()] == ["ever"]
    clock.now += 1e9
    assert [order.name for order in Order.all()] == ["ever"]


def test_a_save_without_one_does_what_the_class_says():
    order = Order(name="x").save(ttl=5)
    order.save()
    clock.now += 10
    assert Order.where(name="x").one() is order
    session = Session().save(ttl=None)
    clock.now += 100
    assert Session.get(session.id) is session
    session.save(ttl=5)
    clock.now += 5
    assert Session.all() == []


def test_a_shorter_and_a_longer_one_replace_the_one_before():
    order = Order().save(ttl=50)
    order.save(ttl=5)
    clock.now += 5
    assert Order.all() == []
    order = Order().save(ttl=5)
    order.save(ttl=50)
    clock.now += 49
    assert Order.all() == [order]
    clock.now += 1
    assert Order.all() == []


def test_many_at_once():
    Order.save_all([Order(name=str(number)) for number in range(10)], ttl=5)
    Order.save_all([Order(name="kept")])
    assert Order.where().count() == 11
    clock.now += 5
    assert [order.name for order in Order.all()] == ["kept"]


def test_a_unique_value_is_free_again():
    Session(user="Bob").save()
    clock.now += 60
    Session(user="Bob").save()
    assert Session.where(user="Bob").count() == 1


def test_it_can_be_saved_again_as_a_new_one():
    session = Session(user="Cleo").save()
    clock.now += 60
    assert Session.all() == []
    session.save()
    assert Session.get(session.id) is session
    clock.now += 60
    assert Session.all() == []


def test_an_assignment_after_its_time_reaches_nothing():
    session = Session().save()
    clock.now += 60
    assert Session.where().count() == 0
    session.hits = 5
    assert Session.where(hits=5).count() == 0


def test_deleted_before_its_time():
    order = Order().save(ttl=5)
    order.delete()
    Order(id=order.id, name="another").save()
    clock.now += 10
    assert [order.name for order in Order.all()] == ["another"]


def test_copies_expire_in_the_store():
    copied = Copied().save(ttl=5)
    clock.now += 4
    copied.hits = 1
    copied.save(ttl=5)
    clock.now += 4
    assert Copied.get(copied.id).hits == 1
    clock.now += 1
    assert Copied.get_or_none(copied.id) is None
    with pytest.raises(StaleEntityError, match="it was deleted"):
        copied.save()


def test_ttl_of_a_subclass_is_inherited():
    class Admin(Session):
        pass

    Admin(user="Root").save()
    clock.now += 60
    assert Admin.all() == []


def test_saving_again_and_again_keeps_no_old_deadlines():
    class Session(Entity, ttl=3600, backend=MemoryRepo()):
        hits: int = 0

    session = Session().save()

    def save_often() -> None:
        for _ in range(50_000):
            session.save()

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

    save_often()
    before = resident()
    for _ in range(3):
        save_often()
    # Sixteen bytes for each save would be 2.4 million.
    assert resident() - before < 1_000_000
    assert Session.all() == [session]
