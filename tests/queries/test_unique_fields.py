"""Of unique values there is one at any time: a clash changes nothing, and names the one that has it."""

import copy
from typing import Any

import pytest
from pydantic import ConfigDict, field_validator

from nitro import Entity, Field, Index, MemoryRepo, UniqueViolation

live = MemoryRepo()
isolated = MemoryRepo(isolated=True)


class User(Entity, backend=live):
    email: str | None = Field(None, unique=True)
    team: str = Field("", index=True)
    number: int | None = None
    nick: str = ""
    one_number = Index("team", "number", unique=True)


class Guest(User, backend=isolated):
    pass


class Careful(User, backend=live):
    """Its own code runs at assignments."""

    @field_validator("email")
    @classmethod
    def lower(cls, value: str | None) -> str | None:
        return value and value.lower()


classes = pytest.mark.parametrize("User", [User, Guest, Careful], ids=lambda cls: cls.__name__)
live_classes = pytest.mark.parametrize("User", [User, Careful], ids=lambda cls: cls.__name__)


def snapshot(User: Any) -> list[dict[str, Any]]:
    return [user.model_dump() for user in User.all()]


@classes
def test_a_new_one_with_a_taken_value(User):
    ann = User(email="a@x", number=1).save()
    stranger = User(email="a@x", number=2)
    with pytest.raises(UniqueViolation, match="another .* with email='a@x' is stored") as caught:
        stranger.save()
    error = caught.value
    assert (error.entity_class, error.field, error.value, error.other) == (User, "email", "a@x", ann.id)
    assert ann.id in str(error)
    assert [user.id for user in User.all()] == [ann.id]
    assert User.get_or_none(stranger.id) is None
    stranger.email = "b@x"
    stranger.save()
    assert User.where().count() == 2


@classes
def test_several_fields_together(User):
    ann = User(team="red", number=1).save()
    User(team="red", number=2).save()
    User(team="blue", number=1).save()
    with pytest.raises(UniqueViolation) as caught:
        User(team="red", number=1).save()
    error = caught.value
    assert (error.field, error.value, error.other) == ("team, number", ("red", 1), ann.id)
    assert User.where().count() == 3


@classes
def test_none_is_unique_to_nobody(User):
    for _ in range(3):
        User(email=None, team="red", number=None).save()
    assert User.where(email=None).count() == 3


@live_classes
def test_an_assignment_to_a_taken_value_leaves_the_old_one(User):
    ann, bob = User(email="a@x", team="red", number=1).save(), User(email="b@x", team="red", number=2).save()
    with pytest.raises(UniqueViolation) as caught:
        bob.email = "a@x"
    assert caught.value.other == ann.id
    with pytest.raises(UniqueViolation) as caught:
        bob.number = 1
    assert (caught.value.value, caught.value.other) == (("red", 1), ann.id)
    assert (bob.email, bob.number, bob.is_changed) == ("b@x", 2, False)
    assert User.where(email="b@x").one() is bob
    assert User.where(email="a@x").one() is ann
    ann.email = "c@x"
    bob.email = "a@x"
    assert User.where(email="a@x").one() is bob


@live_classes
def test_a_revert_to_a_value_that_somebody_has_taken_meanwhile(User):
    ann = User(email="a@x").save()
    ann.email = "free@x"
    ann.nick = "changed"
    bob = User(email="a@x").save()
    with pytest.raises(UniqueViolation) as caught:
        ann.revert_changes()
    assert caught.value.other == bob.id
    assert (ann.email, ann.nick) == ("free@x", "changed")
    assert User.where(email="free@x").one() is ann
    assert User.where(email="a@x").one() is bob
    bob.email = "b@x"
    ann.revert_changes()
    assert (ann.email, ann.nick, ann.is_changed) == ("a@x", "", False)
    assert User.where(email="a@x").one() is ann


@classes
def test_saving_a_copy_with_a_taken_value(User):
    ann, bob = User(email="a@x", number=1).save(), User(email="b@x", number=2).save()
    copied = copy.deepcopy(User.get(bob.id))
    copied.email = "a@x"
    copied.nick = "new"
    before = snapshot(User)
    with pytest.raises(UniqueViolation) as caught:
        copied.save()
    assert caught.value.other == ann.id
    assert snapshot(User) == before
    assert copied.changes == {"email": ("b@x", "a@x"), "nick": ("", "new")}
    copied.email = "c@x"
    copied.save()
    assert User.where(email="c@x").one().nick == "new"
    assert User.where(email="b@x").count() == 0


@classes
@pytest.mark.parametrize("place", [0, 1, 5, 9])
def test_many_at_once_are_all_stored_or_none(User, place):
    taken = User(email="taken@x", number=-1).save()
    many = [User(email=f"{number}@x", number=number) for number in range(10)]
    many[place].email = "taken@x"
    before = snapshot(User)
    with pytest.raises(UniqueViolation) as caught:
        User.save_all(many)
    assert caught.value.other == taken.id
    assert snapshot(User) == before
    assert User.where(User.number >= 0).count() == 0
    assert all(User.get_or_none(user.id) is None for user in many)
    many[place].email = "free@x"
    User.save_all(many)
    assert User.where().count() == 11


@classes
def test_many_at_once_that_clash_with_one_another(User):
    many = [User(email=f"{number % 9}@x", number=number) for number in range(10)]
    with pytest.raises(UniqueViolation) as caught:
        User.save_all(many)
    assert {caught.value.field, caught.value.value} == {"email", "0@x"}
    assert caught.value.other in {many[0].id, many[9].id}
    assert User.all() == []


@classes
def test_many_at_once_with_a_taken_key(User):
    User(id="1", number=1).save()
    with pytest.raises(UniqueViolation, match="with id='1'"):
        User.save_all([User(id="2", number=2), User(id="1", number=3), User(id="3", number=4)])
    assert [user.id for user in User.all()] == ["1"]
    with pytest.raises(UniqueViolation, match="with id='4'"):
        User.save_all([User(id="4", number=2), User(id="4", number=3)])
    assert [user.id for user in User.all()] == ["1"]


@classes
def test_a_deleted_value_is_free(User):
    User(email="a@x").save().delete()
    User(email="a@x").save()
    assert User.where(email="a@x").count() == 1


@live_classes
def test_two_cannot_swap_but_can_take_turns(User):
    ann, bob = User(email="a@x").save(), User(email="b@x").save()
    ann.email = None
    bob.email, ann.email = "a@x", "b@x"
    assert User.where(email="a@x").one() is bob
    ann.save()
    bob.save()
    assert User.where(email="b@x").one() is ann


def test_unique_numbers_of_all_types_are_one_value():
    class Part(Entity, backend=live):
        model_config = ConfigDict(arbitrary_types_allowed=True)
        number: Any = Field(unique=True)

    Part(number=1).save()
    for same in (1.0, True):
        with pytest.raises(UniqueViolation):
            Part(number=same).save()
    Part(number=float("nan")).save()
    with pytest.raises(UniqueViolation):
        Part(number=float("nan")).save()
    Part(number=0.0).save()
    with pytest.raises(UniqueViolation):
        Part(number=-0.0).save()
    Part(number="1").save()
    assert Part.where().count() == 4
