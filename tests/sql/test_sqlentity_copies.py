"""Copies and pickles of SQLEntities: of the record alone, and not of what SQLAlchemy keeps of it."""

import copy
import pickle

import pytest
import sqlalchemy as sa
from heroes import Hero, Team

import nitro


def loaded() -> Hero:
    """As if it came from the database, and changed since."""
    hero = Hero(id=3, name="x", tags=["a"])
    nitro.changes.loaded(hero, 1)
    hero.name = "y"
    return hero


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, Hero.model_copy, lambda hero: pickle.loads(pickle.dumps(hero))]
)
@pytest.mark.parametrize("touched", [False, True])
def test_a_copy_knows_what_the_original_knows(copied, touched):
    hero = loaded()
    if touched:
        assert sa.inspect(hero).modified
    other = copied(hero)
    assert other == hero
    assert other.changes == {"name": ("x", "y")}
    assert sa.inspect(other) is not sa.inspect(hero)
    assert sa.inspect(other).detached
    assert sa.inspect(other).attrs.name.history == (["y"], (), ["x"])
    other.name = "z"
    assert hero.name == "y"


def test_a_copy_is_related_to_nothing():
    hero = Hero(name="x", team=Team(name="A"))
    for other in (copy.copy(hero), copy.deepcopy(hero), hero.model_copy()):
        assert other.team is None
    assert hero.team.heroes == [hero]


def test_a_deep_copy_has_lists_of_its_own():
    hero = loaded()
    copy.deepcopy(hero).tags.append("b")
    assert hero.tags == ["a"]


def test_model_copy_takes_updates_as_changes():
    hero = loaded()
    assert hero.model_copy(update={"age": 5}).changes == {"name": ("x", "y"), "age": (None, 5)}


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_what_is_related_is_pickled_too(protocol):
    team = Team(name="A", heroes=[Hero(name="x"), Hero(name="y")])
    back = pickle.loads(pickle.dumps(team, protocol))
    assert [hero.name for hero in back.heroes] == ["x", "y"]
    assert all(hero.team is back for hero in back.heroes)
    back.heroes.append(Hero(name="z"))
    assert back.heroes[-1].team is back
    assert len(team.heroes) == 2


def test_private_attributes_travel():
    hero = loaded()
    hero._mood = "angry"
    assert pickle.loads(pickle.dumps(hero))._mood == "angry"
    assert copy.copy(hero)._mood == "angry"


def test_relations_do_not_count_in_equality():
    assert Hero(name="x", team=Team(name="A")) == Hero(name="x")
    assert Hero(name="x") != Hero(name="y")


def test_its_repr_shows_the_fields():
    hero = Hero(name="x", team=Team(name="A"))
    assert sa.inspect(hero).transient
    assert repr(hero) == "Hero(id=None, name='x', age=None, secret_name='', tags=[], power=None, team_id=None)"
