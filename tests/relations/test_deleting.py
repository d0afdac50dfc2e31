"""Deleting an entity does to those that refer to it what their fields say."""

import asyncio
from typing import Any

import pytest
from sqlmodel import SQLModel

from nitro import (
    Entity,
    EntityNotFound,
    Field,
    MemoryRepo,
    Query,
    Ref,
    ReferencedError,
    Repository,
    SQLModelBackend,
    StaleEntityError,
    changes,
)
from nitro.backends.sql.schema import table_of


async def adelete(subject: Any) -> Any:
    return await subject.adelete()


def sync(subject: Entity | Query[Any]) -> Any:
    return subject.delete()


def in_async_code(subject: Entity | Query[Any]) -> Any:
    return asyncio.run(adelete(subject))


deleting = pytest.mark.parametrize("delete", [sync, in_async_code])


@pytest.fixture
def stored(domain):
    """Acme has Ann and Bob; Ann has two orders of two lines each."""
    acme = domain.Company(id="acme", name="Acme").save()
    domain.Customer.save_all([domain.Customer(id=f"{name}", name=name, company=acme) for name in ("ann", "bob")])
    domain.Order.save_all([domain.Order(id=f"{i}", customer="ann") for i in (1, 2)])
    domain.Line.save_all([domain.Line(id=f"{i}{j}", order=f"{i}") for i in (1, 2) for j in (1, 2)])
    return domain


def counts(domain):
    return {name: cls.where().count() for name, cls in vars(domain).items()}


ALL = {"Company": 1, "Customer": 2, "Order": 2, "Line": 4}


# --- Each rule, over every backend ------------------------------------------------------------------------------


@deleting
def test_it_is_refused_where_nothing_is_said(stored, delete):
    ann = stored.Customer.get("ann")
    with pytest.raises(
        ReferencedError,
        match=r"Customer 'ann' cannot be deleted: Order.customer of '1' refers to it; delete that one first, or .*CASCADE",
    ) as caught:
        delete(ann)
    error = caught.value
    assert (error.entity_class, error.key) == (stored.Customer, "ann")
    assert (error.referrer_class, error.field, error.referrer) == (stored.Order, "customer", "1")
    assert counts(stored) == ALL
    assert ann.save().name == "ann"
    delete(stored.Customer.get("bob"))
    assert counts(stored) == ALL | {"Customer": 1}
    delete(stored.Order.where())
    delete(ann)
    assert counts(stored) == {"Company": 1, "Customer": 0, "Order": 0, "Line": 0}


@deleting
def test_cascade_deletes_them_too(stored, delete):
    delete(stored.Order.get("1"))
    assert counts(stored) == ALL | {"Order": 1, "Line": 2}
    assert [line.order.key for line in stored.Line.all()] == ["2", "2"]


@deleting
def test_set_null_leaves_them_without_it(stored, delete):
    before = stored.Customer.get("ann")
    version = changes.version(before)
    delete(stored.Company.get("acme"))
    assert counts(stored) == ALL | {"Company": 0}
    assert [customer.company for customer in stored.Customer.all()] == [None, None]
    after = stored.Customer.get("ann")
    assert changes.version(after) == version + 1
    assert not after.is_changed


@deleting
def test_a_query_does_the_same(stored, delete):
    with pytest.raises(ReferencedError, match="Customer 'ann'"):
        delete(stored.Customer.where())
    assert counts(stored) == ALL
    assert delete(stored.Order.where().order_by("-id").limit(1)) == 1
    assert [order.id for order in stored.Order.all()] == ["1"]
    assert counts(stored) == ALL | {"Order": 1, "Line": 2}
    assert delete(stored.Order.where(id="none")) == 0
    assert delete(stored.Order.where()) == 1
    assert delete(stored.Company.where(name="Acme")) == 1
    assert delete(stored.Customer.where()) == 2
    assert counts(stored) == dict.fromkeys(ALL, 0)


@deleting
def test_one_that_is_not_stored(stored, delete):
    stored.Line.where().delete()
    for order in (stored.Order(customer="ann"), stored.Order(id="1", customer="ann")):
        with pytest.raises(EntityNotFound):
            delete(order)
    assert counts(stored) == ALL | {"Line": 0}


@deleting
def test_what_was_deleted_knows_it(stored, delete):
    order = stored.Order.get("1")
    delete(order)
    assert changes.version(order) == 0
    with pytest.raises(EntityNotFound):
        delete(order)
    assert order.save().customer.key == "ann"


# --- Chains -----------------------------------------------------------------------------------------------------


def chain(repository: Repository, of_order: str, of_line: str, of_audit: str | None = None) -> Any:
    class Person(Entity, backend=repository):
        name: str = ""

    class Sale(Entity, backend=repository):
        person: Ref[Person] | None = Field(None, ondelete=of_order)

    class Item(Entity, backend=repository):
        sale: Ref[Sale] | None = Field(None, ondelete=of_line)
        person: Ref[Person] | None = Field(None, ondelete=of_audit)

    person = Person(id="p").save()
    sale = Sale(id="s", person=person).save()
    item = Item(id="i", sale=sale).save()
    return person, sale, item


def left(*entities: Entity) -> list[str]:
    return [type(entity).__name__ for entity in entities if type(entity).get_or_none(entity.id) is not None]


def test_a_cascade_goes_on():
    entities = chain(MemoryRepo(), "CASCADE", "CASCADE")
    entities[0].delete()
    assert left(*entities) == []


def test_a_cascade_that_is_refused_further_on_has_deleted_nothing():
    entities = chain(MemoryRepo(), "CASCADE", "RESTRICT")
    with pytest.raises(ReferencedError, match="Sale 's' cannot be deleted: Item.sale of 'i'"):
        entities[0].delete()
    assert left(*entities) == ["Person", "Sale", "Item"]
    entities[1].person = None
    entities[1].save()
    entities[0].delete()
    assert left(*entities) == ["Sale", "Item"]


def test_a_cascade_that_ends_with_none():
    entities = chain(MemoryRepo(), "CASCADE", "SET NULL")
    entities[0].delete()
    assert left(*entities) == ["Item"]
    assert entities[2].sale is None


def test_what_goes_anyway_forbids_nothing():
    person, sale, item = entities = chain(MemoryRepo(), "CASCADE", "CASCADE", "RESTRICT")
    item.person = person
    item.save()
    person.delete()
    assert left(*entities) == []
    del sale


class Tree(Entity, backend=MemoryRepo()):
    parent: "Ref[Tree] | None" = Field(None, index=True, ondelete="CASCADE")


def test_a_tree_is_deleted_from_its_root():
    root = Tree().save()
    children = Tree.save_all([Tree(parent=root) for _ in range(3)])
    Tree.save_all([Tree(parent=child) for child in children])
    other = Tree(parent=Tree().save()).save()
    children[0].delete()
    assert Tree.where().count() == 7
    root.delete()
    assert Tree.where().count() == 2
    other.parent.get().delete()
    assert Tree.all() == []


def test_a_circle_is_deleted_whole():
    one, two = Tree().save(), Tree().save()
    one.parent, two.parent = two, one
    one.save()
    two.save()
    one.delete()
    assert Tree.all() == []
    assert changes.version(one) == 0
    alone = Tree().save()
    alone.parent = alone
    alone.save()
    alone.delete()
    assert Tree.all() == []


# --- Not half-done ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("domain", ["isolated", "sqlite", "postgresql"], indirect=True)
def test_a_stale_one_is_refused_before_anything_is_deleted(stored):
    stale, fresh = stored.Order.get("1"), stored.Order.get("1")
    fresh.status = "placed"
    fresh.save()
    with pytest.raises(StaleEntityError):
        stale.delete()
    assert counts(stored) == ALL


def test_within_a_database_all_of_it_or_nothing(tmp_path, monkeypatch):
    """The last step fails; a database has undone the others."""
    repository = SQLModelBackend(f"sqlite:///{tmp_path}/all.db")

    class Folder(Entity, backend=repository):
        name: str = ""

    class File(Entity, backend=repository):
        folder: Ref[Folder] = Field(ondelete="CASCADE")

    class Link(Entity, backend=repository):
        folder: Ref[Folder] | None = Field(None, ondelete="SET NULL")

    tables = [table_of(cls) for cls in (Folder, File, Link)]
    SQLModel.metadata.create_all(repository.database.engine, tables)
    for table in tables:
        SQLModel.metadata.remove(table)
    folder = Folder().save()
    File(folder=folder).save()
    Link(id="l", folder=folder).save()
    with repository.database.engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER no_deleting BEFORE DELETE ON folder BEGIN SELECT RAISE(ABORT, 'a folder stays'); END"
        )
    for delete in (sync, in_async_code):
        with pytest.raises(Exception, match="a folder stays"):
            delete(folder)
        assert File.where().count() == 1
        assert Link.get("l").folder is not None
        assert changes.version(folder) == 1
    repository.database.close()


def test_tables_whose_foreign_keys_say_the_same(tmp_path):
    """A database that cascades by itself has deleted some of it already: nobody minds."""
    repository = SQLModelBackend(f"sqlite:///{tmp_path}/keys.db")

    class Step(Entity, backend=repository):
        after: "Ref[Step] | None" = Field(None, ondelete="CASCADE")

    table = table_of(Step)
    with repository.database.engine.begin() as connection:
        connection.exec_driver_sql(
            'CREATE TABLE step (id VARCHAR PRIMARY KEY, "after" VARCHAR REFERENCES step (id) ON DELETE CASCADE, '
            "_version BIGINT NOT NULL DEFAULT 1)"
        )
    assert table.name == "step"
    SQLModel.metadata.remove(table)
    first, second = Step().save(), Step().save()
    first.after, second.after = second, first
    first.save()
    second.save()
    Step(after=second).save()
    first.delete()
    assert Step.all() == []
    repository.database.close()


# --- Who pays ---------------------------------------------------------------------------------------------------


class Watched(MemoryRepo):
    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def select(self, query):
        self.asked.append("select")
        return super().select(query)

    def count(self, query):
        self.asked.append("count")
        return super().count(query)

    def delete(self, entity):
        self.asked.append("delete")
        super().delete(entity)


def test_a_class_that_nobody_refers_to_asks_nothing():
    class Plain(Entity, backend=Watched()):
        name: str = ""

    class Base(Entity, backend=Plain.__nitro_backend__):
        pass

    class Derived(Base):
        pass

    class Referrer(Entity, backend=Plain.__nitro_backend__):
        base: Ref[Base] | None = None

    Plain().save().delete()
    Derived().save().delete()
    Referrer().save().delete()
    assert Plain.__nitro_backend__.asked == ["delete"] * 3
    Base().save().delete()
    assert Plain.__nitro_backend__.asked == ["delete"] * 3 + ["select", "delete"]


def test_a_class_that_is_still_waiting_for_the_one_it_refers_to():
    class Note(Entity, backend=MemoryRepo()):
        about: Ref["Subject"]
        extra: "NowhereToBeFound | None" = None

    class Remark(Entity, backend=MemoryRepo()):
        about: Ref["Subject"]

    class Subject(Entity, backend=MemoryRepo()):
        pass

    subject = Subject().save()
    Remark(about=subject).save()
    with pytest.raises(ReferencedError, match="Remark.about"):
        subject.delete()
    del Note


def test_classes_go_away():
    import gc
    import weakref

    class Kept(Entity, backend=MemoryRepo()):
        pass

    def define() -> weakref.ref[type]:
        class Gone(Entity, backend=MemoryRepo()):
            kept: Ref[Kept]

        assert Gone(kept=Kept().save()).kept.get() is not None
        return weakref.ref(Gone)

    gone = define()
    gc.collect()
    assert gone() is None
    Kept.where().delete()
    assert Kept.all() == []
