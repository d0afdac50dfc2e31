"""SQLEntities in the sessions of SQLModel: what they write, what they load, and what is known of it afterwards."""

import pickle

import pytest
import sqlalchemy as sa
from heroes import Account, Hero, Mission, Page, Power, Team, statements_of
from pydantic import ValidationError
from sqlalchemy.orm import load_only, undefer
from sqlalchemy.orm.exc import StaleDataError
from sqlmodel import Session, col, select

import nitro
from nitro import NotLoaded


def stored(engine, **values) -> int:
    with Session(engine) as session:
        hero = Hero(**{"name": "Deadpond", **values})
        session.add(hero)
        session.commit()
        return hero.id


# --- Writing ---


def test_what_is_added_is_stored(engine):
    key = stored(engine, age=48, tags=["a", "b"], power=Power(name="flight"))
    with Session(engine) as session:
        hero = session.get(Hero, key)
        assert hero == Hero(id=key, name="Deadpond", age=48, tags=["a", "b"], power=Power(name="flight"))
        assert session.exec(select(Hero).where(Hero.age > 40, col(Hero.name).startswith("Dead"))).one() is hero


def test_the_database_gives_the_key(engine):
    with Session(engine) as session:
        first, second = Hero(name="a"), Hero(name="b")
        session.add_all([first, second])
        assert (first.id, second.id) == (None, None)
        session.flush()
        assert first.id < second.id
        assert not first.is_changed
        session.commit()


def test_only_what_changed_is_written(engine):
    key = stored(engine, age=1)
    with Session(engine) as session:
        hero = session.get(Hero, key)
        hero.grow_older()
        assert hero in session.dirty
        assert hero.changes == {"age": (1, 2)}
        assert sa.inspect(hero).attrs.age.history == ([2], (), [1])
        with statements_of(engine) as statements:
            session.commit()
        (update,) = statements
        assert "age=" in update
        assert "name" not in update
        assert (hero.is_changed, hero.previous_changes) == (False, {"age": (1, 2)})


def test_an_assignment_of_the_same_value_writes_nothing(engine):
    key = stored(engine, age=1)
    with Session(engine) as session:
        hero = session.get(Hero, key)
        hero.age = "1"
        with statements_of(engine) as statements:
            session.commit()
        assert statements == []


def test_a_refused_assignment_writes_nothing(engine):
    key = stored(engine, age=1)
    with Session(engine) as session:
        hero = session.get(Hero, key)
        with pytest.raises(ValidationError):
            hero.age = -1
        assert not session.dirty
        assert hero.age == 1


def test_edits_in_place_are_written(engine):
    key = stored(engine, tags=["a"])
    with Session(engine) as session:
        hero = session.get(Hero, key)
        hero.tags.append("b")
        session.commit()
        assert not hero.is_changed
    with Session(engine) as session:
        assert session.get(Hero, key).tags == ["a", "b"]


def test_an_invalid_edit_in_place_is_refused(engine):
    key = stored(engine, tags=["a"])
    with Session(engine) as session:
        hero = session.get(Hero, key)
        hero.tags.append(5)
        with pytest.raises(ValidationError):
            session.commit()
    with Session(engine) as session:
        assert session.get(Hero, key).tags == ["a"]


def test_what_is_deleted_is_stored_no_more(engine):
    key = stored(engine)
    with Session(engine) as session:
        hero = session.get(Hero, key)
        session.delete(hero)
        session.flush()
        assert nitro.changes.version(hero) == 1
        session.commit()
        assert nitro.changes.version(hero) == 0
        assert session.get(Hero, key) is None
        session.add(Hero(**hero.model_dump()))
        session.commit()


def test_statements_on_many_rows_work(engine):
    keys = [stored(engine, name=name, age=age) for name, age in [("a", 1), ("b", 2), ("c", 3)]]
    with Session(engine) as session:
        session.exec(sa.update(Hero).where(Hero.age > 1).values(name="old"))
        session.exec(sa.insert(Hero).values(name="d"))
        session.exec(sa.delete(Hero).where(Hero.id == keys[0]))
        session.commit()
        assert session.exec(select(Hero.name, Hero.secret_name).order_by(Hero.id)).all() == [
            ("old", ""),
            ("old", ""),
            ("d", ""),
        ]


def test_objects_written_in_bulk(engine):
    with Session(engine) as session:
        session.bulk_save_objects([Hero(name="a"), Hero(name="b")])
        session.commit()
        assert session.exec(select(sa.func.count()).select_from(Hero)).one() == 2


# --- After a commit ---


def test_after_a_commit_everything_is_there(engine):
    with Session(engine) as session:
        hero = Hero(name="Deadpond", age=48)
        session.add(hero)
        session.commit()
        with statements_of(engine) as statements:
            assert hero.model_dump()["name"] == "Deadpond"
            assert '"name":"Deadpond"' in hero.model_dump_json()
            assert b'"name":"Deadpond"' in nitro.encode(hero)
            assert "name='Deadpond'" in repr(hero)
            assert hero == pickle.loads(pickle.dumps(hero))
            assert hero.name == "Deadpond"
        assert statements == []
    assert hero.model_dump()["age"] == 48


def test_after_a_commit_relations_are_loaded_again(engine):
    with Session(engine) as session:
        team = Team(name="A")
        session.add(team)
        session.commit()
        assert team.heroes == []
        session.add(Hero(name="x", team_id=team.id))
        session.commit()
        assert [hero.name for hero in team.heroes] == ["x"]


def test_after_a_commit_it_goes_on(engine):
    with Session(engine) as session:
        hero = Hero(name="Deadpond", age=1)
        session.add(hero)
        session.commit()
        hero.grow_older()
        session.commit()
        hero.grow_older()
        session.commit()
    with Session(engine) as session:
        assert session.get(Hero, hero.id).age == 3


def test_what_others_wrote_is_seen_after_a_refresh(engine):
    with Session(engine) as session, Session(engine) as other:
        hero = Hero(name="Deadpond", age=1)
        session.add(hero)
        session.commit()
        other.get(Hero, hero.id).age = 9
        other.commit()
        session.refresh(hero)
        assert (hero.age, hero.is_changed) == (9, False)


def test_what_has_expired_is_loaded_to_be_dumped(engine):
    key = stored(engine, age=3)
    with Session(engine) as session:
        hero = session.get(Hero, key)
        session.expire(hero)
        assert hero.model_dump()["age"] == 3
        session.expire(hero)
        assert '"age":3' in hero.model_dump_json()
        session.expire(hero, ["age"])
        assert list(hero.model_dump()) == list(Hero.model_fields)


def test_what_has_expired_outside_of_a_session_is_an_error(engine):
    key = stored(engine)
    with Session(engine) as session:
        hero = session.get(Hero, key)
        session.expire(hero)
    with pytest.raises(NotLoaded, match=r"Hero\.id is not loaded.*no open session"):
        hero.model_dump()


# --- A rollback ---


def test_a_rollback_brings_back_what_was(engine):
    key = stored(engine, age=1)
    with Session(engine) as session:
        hero = session.get(Hero, key)
        hero.age = 7
        session.flush()
        session.rollback()
        assert hero.age == 1
        assert not hero.is_changed
        hero.age = 8
        session.commit()
    with Session(engine) as session:
        assert session.get(Hero, key).age == 8


def test_a_rollback_of_a_new_entity_makes_it_new_again(engine):
    with Session(engine) as session:
        hero = Mission(title="x")
        session.add(hero)
        session.flush()
        assert nitro.changes.version(hero) == 1
        session.rollback()
        assert nitro.changes.version(hero) == 0
        assert sa.inspect(hero).transient
        session.add(hero)
        session.commit()
        assert session.exec(select(Mission.title)).all() == ["x"]


def test_a_savepoint_is_rolled_back_alone(engine):
    with Session(engine) as session:
        hero = Hero(name="x", age=1)
        session.add(hero)
        session.flush()
        with session.begin_nested() as savepoint:
            hero.age = 2
            session.flush()
            savepoint.rollback()
        assert hero.age == 1
        session.commit()
    with Session(engine) as session:
        assert session.get(Hero, hero.id).age == 1


def test_a_rolled_back_deletion_leaves_it_stored(engine):
    key = stored(engine)
    with Session(engine) as session:
        hero = session.get(Hero, key)
        session.delete(hero)
        session.flush()
        session.rollback()
        assert nitro.changes.version(hero) == 1
        assert hero.name == "Deadpond"


# --- Loading ---


def test_what_is_loaded_is_a_whole_entity(engine):
    key = stored(engine, age=3, tags=["a"])
    with Session(engine) as session:
        hero = session.exec(select(Hero)).one()
        assert list(hero.model_dump()) == list(Hero.model_fields)
        assert hero.model_fields_set == set(Hero.model_fields)
        assert (hero.is_changed, nitro.changes.version(hero)) == (False, 1)
        assert hero._mood == "calm"
        hero._mood = "angry"
        assert hero._mood == "angry"
        assert nitro.identity(hero) == key


def test_columns_that_were_left_out_are_loaded_when_they_are_read(engine):
    key = stored(engine, age=3, tags=["a"])
    with Session(engine) as session:
        hero = session.exec(select(Hero).options(load_only(Hero.name))).one()
        assert "age" not in hero.__dict__
        with session.no_autoflush:
            hero.name = "y"
            assert hero.age == 3
            assert hero.tags == ["a"]
            assert hero.changes == {"name": ("Deadpond", "y")}
        session.commit()
        lazy = session.exec(select(Hero).options(undefer(Hero.age)).execution_options(populate_existing=True)).one()
        assert lazy is hero
    with Session(engine) as session:
        other = session.exec(select(Hero).options(load_only(Hero.name))).one()
    with pytest.raises(NotLoaded, match=r"Hero\.age is not loaded"):
        other.age  # noqa: B018
    assert nitro.identity(other) == key


def test_populating_anew_loses_what_was_not_written(engine):
    stored(engine, age=3)
    with Session(engine) as session:
        hero = session.exec(select(Hero)).one()
        with session.no_autoflush:
            hero.age = 4
            session.exec(select(Hero).execution_options(populate_existing=True)).one()
        assert (hero.age, hero.is_changed) == (3, False)


def test_a_detached_entity_is_merged(engine):
    key = stored(engine, age=3)
    with Session(engine) as session:
        hero = session.get(Hero, key)
    hero.age = 4
    with Session(engine) as session:
        merged = session.merge(hero)
        assert merged is not hero
        assert merged.age == 4
        session.commit()
        assert session.merge(Hero(id=key, name="z", age=9)).name == "z"
        new = session.merge(Hero(id=key + 100, name="new"))
        assert new.model_dump()["name"] == "new"
        assert new._mood == "calm"
        session.commit()
    with Session(engine) as session:
        assert session.exec(select(Hero.name, Hero.age).order_by(Hero.id)).all() == [("z", 9), ("new", None)]


def test_what_changed_while_it_was_detached_is_written(engine):
    key = stored(engine, age=3)
    with Session(engine) as session:
        hero = session.get(Hero, key)
    hero.grow_older()
    with Session(engine) as session:
        session.add(hero)
        with statements_of(engine) as statements:
            session.commit()
    assert [statement for statement in statements if "BEGIN" not in statement] == [
        statement for statement in statements if statement.startswith("UPDATE")
    ]
    with Session(engine) as session:
        assert session.get(Hero, key).age == 4


def test_keys_of_several_fields(engine):
    with Session(engine) as session:
        session.add_all([Page(book="tea", number=1, text="a"), Page(book="tea", number=2)])
        session.commit()
        assert session.get(Page, ("tea", 1)).text == "a"
        page = session.get(Page, {"book": "tea", "number": 2})
        page.number = 3
        session.commit()
        assert session.get(Page, ("tea", 2)) is None
        assert session.get(Page, ("tea", 3)) is page


# --- Versions ---


def test_a_session_keeps_versions(engine):
    with Session(engine) as session:
        account = Account(owner="Ann")
        session.add(account)
        session.commit()
        assert nitro.changes.version(account) == 1
        account.balance = 5
        session.commit()
        assert nitro.changes.version(account) == 2
        assert "_version" not in account.model_dump()
    with Session(engine) as session:
        assert nitro.changes.version(session.get(Account, account.id)) == 2


def test_a_session_does_not_overwrite_what_another_wrote(engine):
    with Session(engine) as session:
        mine = Account(owner="Ann")
        session.add(mine)
        session.commit()
        with Session(engine) as other:
            other.get(Account, mine.id).balance = 1
            other.commit()
        mine.balance = 2
        with pytest.raises(StaleDataError):
            session.commit()


# --- What SQLAlchemy offers besides ---


def test_events_of_attributes_see_assignments(engine):
    seen = []

    def note(hero, value, old, initiator):
        seen.append((value, old))

    sa.event.listen(Hero.secret_name, "set", note)
    try:
        hero = Hero(name="x")
        hero.secret_name = "Dive"
        with pytest.raises(ValidationError):
            hero.secret_name = "12"
        assert seen == [("Dive", "")]
    finally:
        sa.event.remove(Hero.secret_name, "set", note)


def test_an_entity_can_be_inspected():
    hero = Hero(name="x")
    state = sa.inspect(hero)
    assert state.transient
    assert state.mapper is sa.inspect(Hero)
    assert state.object is hero
    assert set(state.dict) >= {"name", "age"}
