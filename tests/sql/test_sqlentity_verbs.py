"""The verbs of entities on SQLEntities with a table, in and out of SQLAlchemy's sessions."""

import asyncio
import subprocess
import sys

import pytest
import sqlalchemy as sa
from heroes import Account, Hero, Mission, Page, Power, Team, statements_of
from pydantic import ValidationError
from sqlmodel import Session, select

import nitro
from nitro import (
    ConfigurationError,
    Entity,
    EntityNotFound,
    Field,
    MemoryRepo,
    SQLEntity,
    SQLModelBackend,
    StaleEntityError,
    UniqueViolation,
    UnsupportedQuery,
    col,
)

# --- Without a session ---


def test_an_entity_is_saved_found_changed_and_deleted(engine):
    hero = Hero(name="Deadpond", age=48, tags=["a"], power=Power(name="flight")).save()
    assert hero.id is not None
    found = Hero.get(hero.id)
    assert found == hero
    assert found is not hero
    found.grow_older()
    found.tags.append("b")
    assert found.save().previous_changes == {"age": (48, 49), "tags": (["a"], ["a", "b"])}
    assert hero.refresh().age == 49
    hero.delete()
    assert Hero.get_or_none(hero.id) is None
    with pytest.raises(EntityNotFound):
        hero.delete()


def test_the_verbs_of_async_code(engine):
    async def main():
        hero = await Hero(name="x").asave()
        found = await Hero.aget(hero.id)
        found.age = 3
        await found.asave()
        await hero.arefresh()
        assert hero.age == 3
        assert [each.name async for each in Hero.where(Hero.age == 3)] == ["x"]
        await Hero.asave_all([Hero(name="y"), Hero(name="z")])
        assert await Hero.where().acount() == 3
        await hero.adelete()
        assert len(await Hero.aall()) == 2

    asyncio.run(main())


def test_many_new_ones_are_given_keys(engine):
    heroes = Hero.save_all([Hero(name=str(number)) for number in range(5)])
    assert len({hero.id for hero in heroes}) == 5
    assert [hero.name for hero in Hero.get_many([heroes[3].id, heroes[1].id])] == ["3", "1"]
    assert Mission.save_all([Mission(title=str(number)) for number in range(200)])[7].title == "7"
    assert Mission.where().count() == 200


def test_a_key_of_several_fields(engine):
    Page.save_all([Page(book="tea", number=number, text=str(number)) for number in range(1, 6)])
    page = Page.get(("tea", 3))
    assert (page.text, nitro.identity(page)) == ("3", ("tea", 3))
    assert Page.get(["tea", "3"]) == page
    assert Page.get_or_none(("tea", 9)) is None
    assert Page.get_or_none("tea") is None
    assert [found.number for found in Page.get_many([("tea", 5), ("no", 1), ("tea", 1)])] == [5, 1]
    page.number = 30
    page.save()
    assert [found.number for found in Page.all()] == [1, 2, 4, 5, 30]
    first = Page.where().page(limit=3)
    assert [found.number for found in first] == [1, 2, 4]
    assert [found.number for found in Page.where().page(limit=3, after=first.next_cursor)] == [5, 30]
    by_text = Page.where().order_by("-number").page(limit=4)
    assert [found.number for found in Page.where().order_by("-number").page(after=by_text.next_cursor)] == [1]
    assert Page.where(Page.number > 1).order_by("number").limit(2).delete() == 2
    page.delete()
    assert [found.number for found in Page.all()] == [1, 5]
    with pytest.raises(UniqueViolation, match=r"Page with book, number=\('tea', 1\)"):
        Page(book="tea", number=1).save()
    with pytest.raises(EntityNotFound, match=r"\('tea', 77\)"):
        Page.get(("tea", 77))


def test_thousands_of_keys_of_several_fields(engine):
    Page.save_all([Page(book=book, number=number) for book in ("tea", "milk") for number in range(3000)])
    keys = [("tea", number) for number in range(2500)] + [("milk", number) for number in reversed(range(2500))]
    found = Page.get_many(keys)
    assert [(page.book, page.number) for page in found] == keys
    assert asyncio.run(Page.aget_many(keys)) == found
    # More than go into one statement.
    others = [("coffee", number) for number in range(20_000)]
    assert Page.get_many([*keys, *others, *keys[:1]]) == [*found, found[0]]


def test_a_version_is_kept_where_it_is_asked_for(engine):
    account = Account(owner="Ann").save()
    other = Account.get(account.id)
    account.balance = 1
    account.save()
    other.balance = 2
    with pytest.raises(StaleEntityError):
        other.save()
    hero = Hero(name="x").save()
    twin = Hero.get(hero.id)
    hero.age = 1
    hero.save()
    twin.name = "y"
    twin.save()
    assert (Hero.get(hero.id).name, Hero.get(hero.id).age) == ("y", 1)


# --- Questions, in Nitro's words and in SQLAlchemy's ---


@pytest.fixture
def heroes(engine) -> list[Hero]:
    return Hero.save_all([Hero(name="Ann", age=10, tags=["x"]), Hero(name="bob", age=20), Hero(name="Cid", age=None)])


def names(query) -> list[str]:
    return [hero.name for hero in query.order_by("id")]


def test_conditions_of_both_kinds(heroes):
    assert names(Hero.where(Hero.age > 10)) == ["bob"]
    assert names(Hero.where(age__gt=10)) == ["bob"]
    assert names(Hero.where(col(Hero.age) > 10)) == ["bob"]
    assert names(Hero.where(Hero.age >= 10, name="Ann")) == ["Ann"]
    assert names(Hero.where(Hero.age >= 10, ~col(Hero.name).startswith("A"))) == ["bob"]
    assert names(Hero.where(Hero.age.in_([10, 20, 30])).where(name__contains="o")) == ["bob"]
    assert names(Hero.where(sa.or_(Hero.age.is_(None), sa.func.lower(Hero.name) == "ann"))) == ["Ann", "Cid"]
    assert names(Hero.where(sa.text("age < 15"))) == ["Ann"]
    assert names(Hero.where(tags__contains="x")) == ["Ann"]


def test_what_can_be_done_with_them(heroes):
    assert Hero.where(Hero.age < 15).count() == 1
    assert Hero.where(Hero.age > 0).sum(Hero.age) == 30
    assert Hero.where().group_by(Hero.name).max(Hero.age) == {"Ann": 10, "bob": 20, "Cid": None}
    assert [hero.name for hero in Hero.where(Hero.age > 0).order_by(Hero.age.desc())] == ["bob", "Ann"]
    assert [hero.name for hero in Hero.where(Hero.age > 0).order_by(Hero.age)] == ["Ann", "bob"]
    assert [hero.name for hero in Hero.where(Hero.age > 0).order_by(Hero.age).page(limit=1)] == ["Ann"]
    assert Hero.where(Hero.age > 15).exists()
    assert Hero.where(Hero.age == 20).update(age=21) == 1
    assert Hero.where(Hero.name == "Cid").delete() == 1
    assert Hero.where(Hero.name == "bob").one().age == 21


def test_conditions_are_values_that_are_never_part_of_the_statement(heroes):
    evil = "x'; DROP TABLE hero; --"
    assert Hero.where(Hero.name == evil).all() == []
    assert Hero.where(Hero.name.in_([evil, "Ann"]), sa.text("1 = 1")).count() == 1
    assert Hero.where().count() == 3


def test_what_is_no_field_is_no_order(heroes):
    with pytest.raises(UnsupportedQuery, match=r"Hero is sorted and summed up by its fields"):
        Hero.where().order_by(sa.func.lower(Hero.name))


def test_values_are_converted_as_columns_keep_them(engine):
    hero = Hero(name="x", power=Power(name="flight")).save()
    assert Hero.where(Hero.power == Power(name="flight")).count() == 1
    assert Hero.where(power=Power(name="flight")).one() == hero


def test_memory_does_not_answer_sql(heroes):
    class Note(Entity):
        text: str = ""

    Note(text="x").save()
    with pytest.raises(UnsupportedQuery, match="only a SQL database can answer hero.age"):
        Note.where(Hero.age > 3).all()
    with pytest.raises(UnsupportedQuery, match="only a SQL database"):
        Hero.where(Hero.age > 3).in_memory().all()


def test_a_query_shows_its_clauses(heroes):
    assert repr(Hero.where(Hero.age > 3)).startswith("Hero.where(hero.age > ")


# --- Between Nitro and sessions ---


def test_an_entity_of_nitro_has_no_state_until_a_session_sees_it(engine):
    key = Hero(name="x", age=1).save().id
    hero = Hero.get(key)
    assert not any("sa_instance" in name for name in vars(hero))
    with Session(engine) as session:
        session.add(hero)
        assert sa.inspect(hero).persistent
        assert session.get(Hero, key) is hero


def test_what_changed_before_a_session_saw_it_is_written_and_nothing_else(engine):
    key = Hero(name="x", age=1, tags=["a"]).save().id
    hero = Hero.get(key)
    hero.age = 2
    hero.tags.append("b")
    with Session(engine) as session:
        session.add(hero)
        assert hero in session.dirty
        with statements_of(engine) as statements:
            session.commit()
        (update,) = [statement for statement in statements if statement.startswith("UPDATE")]
        assert "age=" in update
        assert "tags=" in update
        assert "name" not in update
        assert not hero.is_changed
    assert (Hero.get(key).age, Hero.get(key).tags) == (2, ["a", "b"])


def test_what_did_not_change_is_not_written(engine):
    hero = Hero.get(Hero(name="x").save().id)
    with Session(engine) as session:
        session.add(hero)
        with statements_of(engine) as statements:
            session.commit()
    assert not [statement for statement in statements if statement.startswith("UPDATE")]


def test_changes_after_a_session_saw_it_are_seen_by_both(engine):
    hero = Hero.get(Hero(name="x", age=1).save().id)
    assert sa.inspect(hero).detached
    hero.age = 5
    assert hero.changes == {"age": (1, 5)}
    assert sa.inspect(hero).attrs.age.history == ([5], (), [1])
    hero.save()
    assert not sa.inspect(hero).modified
    with Session(engine) as session:
        session.add(hero)
        assert hero not in session.dirty
    assert Hero.get(hero.id).age == 5


def test_what_a_session_stored_is_changed_and_deleted_by_nitro(engine):
    with Session(engine) as session:
        hero = Hero(name="x")
        session.add(hero)
        session.commit()
    hero.age = 3
    hero.save()
    assert Hero.get(hero.id).age == 3
    hero.delete()
    assert sa.inspect(hero).transient
    with Session(engine) as session:
        session.add(hero)
        session.commit()
    assert Hero.where().count() == 1


def test_what_nitro_stored_is_no_new_entity_to_a_session(engine):
    hero = Hero(name="x", age=1)
    assert sa.inspect(hero).transient
    hero.save()
    assert sa.inspect(hero).detached
    with Session(engine) as session:
        session.add(hero)
        hero.age = 2
        session.commit()
    assert [found.age for found in Hero.all()] == [2]


def test_what_a_session_was_to_store_is_stored_once(engine):
    with Session(engine) as session:
        hero = Hero(name="x")
        session.add(hero)
        hero.save()
        hero.age = 4
        session.commit()
    assert [(found.name, found.age) for found in Hero.all()] == [("x", 4)]


def test_versions_are_known_to_both(engine):
    account = Account(owner="Ann").save()
    with Session(engine) as session:
        session.add(account)
        account.balance = 1
        session.commit()
        assert nitro.changes.version(account) == 2
    account.balance = 2
    account.save()
    assert nitro.changes.version(account) == 3
    with Session(engine) as session:
        session.add(account)
        account.balance = 3
        session.commit()
    assert (account.balance, nitro.changes.version(Account.get(account.id))) == (3, 4)


def test_a_refresh_is_seen_by_a_session(engine):
    hero = Hero(name="x", age=1, team=Team(name="A"))
    with Session(engine) as session:
        session.add(hero)
        session.commit()
    Hero.where().update(age=9)
    hero.age = 2
    hero.refresh()
    assert hero.age == 9
    assert not sa.inspect(hero).modified
    with Session(engine) as session:
        session.add(hero)
        assert hero.team.name == "A"


def test_saving_validates_edits_in_place(engine):
    hero = Hero(name="x").save()
    hero.tags.append(3)
    with pytest.raises(ValidationError):
        hero.save()


# --- Where else they may live ---


def test_a_class_without_a_table_is_an_entity_in_the_database(tmp_path):
    class Receipt(SQLEntity, backend=SQLModelBackend(f"sqlite:///{tmp_path}/orders.db")):
        status: str = "draft"
        total: float = 0.0

        def place(self) -> None:
            self.status = "placed"
            self.save()

    from nitro.backends.sql.schema import table_of

    table_of(Receipt).create(nitro.repository.repository_of(Receipt).database.engine)
    receipt = Receipt(total=5).save()
    receipt.place()
    assert Receipt.where(Receipt.total > 1, status="placed").one() == receipt
    assert not hasattr(receipt, "_sa_instance_state")
    with pytest.raises(sa.exc.NoInspectionAvailable, match="No inspection system"):
        sa.inspect(receipt)


def test_a_table_class_may_live_in_memory():
    class Draft(SQLEntity, table=True):
        text: str
        _persistence_backend_class = MemoryRepo

    draft = Draft(text="x").save()
    assert Draft.get(draft.id) is draft
    draft.text = "y"
    assert Draft.where(text="y").one() is draft


def test_memory_has_no_keys_of_several_fields():
    class Leaf(SQLEntity, table=True, backend=MemoryRepo()):
        book: str = Field(primary_key=True)
        number: int = Field(primary_key=True)

    with pytest.raises(ConfigurationError, match=r"MemoryRepo .* key of Leaf is book, number"):
        Leaf(book="a", number=1).save()


def test_an_entity_that_is_no_sqlentity_has_one_key():
    with pytest.raises(ConfigurationError, match=r"several primary keys, a, b: keep one, or make it a SQLEntity"):

        class Pair(Entity):
            a: str = Field(primary_key=True)
            b: str = Field(primary_key=True)


def test_nothing_of_sqlalchemy_is_loaded_before_it_is_needed():
    program = (
        "import sys, nitro; assert 'sqlalchemy' not in sys.modules; nitro.SQLEntity; print('sqlalchemy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"


def test_a_select_finds_what_nitro_saved(engine):
    Hero(name="x", age=5).save()
    with Session(engine) as session:
        assert session.exec(select(Hero.age).where(Hero.name == "x")).one() == 5


def test_tables_are_made_for_entities_and_not_for_models_of_data(tmp_path):
    class Shared(SQLEntity, registry=sa.orm.registry(), backend=SQLModelBackend(f"sqlite:///{tmp_path}/made.db")):
        pass

    class CupBase(Shared):
        name: str

    class Cup(CupBase, table=True):
        id: int | None = Field(None, primary_key=True)

    class CupCreate(CupBase):
        password: str

    class Saucer(Shared):
        width: int

    from nitro.backends.sql.tables import entity_classes

    known = entity_classes()
    assert [each for each in (SQLEntity, Shared, CupBase, Cup, CupCreate, Saucer) if each in known] == [Cup, Saucer]
    nitro.create_all(Cup, Saucer)
    assert Cup(name="x").save().id == 1
    assert Saucer(width=3).save().refresh().width == 3
