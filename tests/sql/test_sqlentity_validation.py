"""A SQLEntity with a table is validated when it is made and at each assignment, as a SQLModel is not."""

import pytest
from heroes import Account, Hero, Mission, Page, Power, Team
from pydantic import BaseModel, TypeAdapter, ValidationError
from sqlmodel import SQLModel

import nitro
from nitro import Entity, SQLEntity, SQLModelBackend


def test_it_is_an_entity_and_a_sqlmodel():
    hero = Hero(name="Deadpond")
    assert isinstance(hero, Entity)
    assert isinstance(hero, SQLModel)
    assert isinstance(hero, BaseModel)


def test_everything_takes_the_fast_lane():
    assert not any(nitro.explain(Account).operations.values())


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"name": None},
        {"name": "x", "age": "old"},
        {"name": "x", "age": -1},
        {"name": "x", "secret_name": "x" * 41},
        {"name": "x", "secret_name": "12"},
        {"name": "x", "tags": "no list"},
        {"name": "x", "power": {"strength": 1}},
    ],
)
def test_what_is_not_valid_is_refused_when_it_is_made(data):
    with pytest.raises(ValidationError):
        Hero(**data)
    with pytest.raises(ValidationError):
        Hero.model_validate(data)
    with pytest.raises(ValidationError):
        TypeAdapter(Hero).validate_python(data)


def test_values_are_converted():
    hero = Hero(name="x", age="41", power={"name": "flight", "strength": "3"})
    assert hero.age == 41
    assert hero.power == Power(name="flight", strength=3)


def test_a_refused_assignment_leaves_the_old_value():
    hero = Hero(name="x", age=4)
    for name, value in [("age", "old"), ("age", -1), ("name", None), ("secret_name", "12"), ("tags", 1)]:
        with pytest.raises(ValidationError):
            setattr(hero, name, value)
    assert hero == Hero(name="x", age=4)
    assert not hero.is_changed


def test_an_assignment_is_converted_and_tracked():
    hero = Hero(name="x", age=4)
    hero.age = "5"
    hero.grow_older()
    hero.tags.append("new")
    assert hero.changes == {"age": (4, 6), "tags": ([], ["new"])}
    assert hero.original("age") == 4
    hero.revert_changes()
    assert (hero.age, hero.tags, hero.is_changed) == (4, [], False)


def test_unknown_names_are_passed_over_as_pydantic_does():
    assert Hero(name="x", colour="red") == Hero(name="x")
    assert Team(name="x", colour="red") == Team(name="x")


def test_an_unknown_attribute_is_refused():
    with pytest.raises(ValueError, match="colour"):
        Hero(name="x").colour = "red"
    with pytest.raises(AttributeError, match="colour"):
        Hero(name="x").colour  # noqa: B018


def test_relations_are_given_to_the_constructor():
    team = Team(name="Z-Force")
    hero = Hero(name="x", team=team)
    assert hero.team is team
    assert team.heroes == [hero]
    assert Team(name="A", heroes=[hero]).heroes == [hero]


def test_relations_are_no_fields():
    assert "team" not in Hero.model_fields
    assert "team" not in Hero(name="x", team=Team(name="y")).model_dump()
    assert "team" not in Hero.model_json_schema()["properties"]


def test_fields_that_were_given_are_known():
    hero = Hero(name="x")
    assert hero.model_fields_set == {"name"}
    hero.age = 3
    assert hero.model_fields_set == {"name", "age"}
    assert hero.model_dump(exclude_unset=True) == {"name": "x", "age": 3}


def test_from_a_dict_json_and_an_object():
    expected = Hero(name="x", age=3)
    assert Hero.model_validate({"name": "x", "age": 3}) == expected
    assert Hero.model_validate_json('{"name": "x", "age": 3}') == expected
    assert nitro.decode(Hero, b'{"name": "x", "age": 3}') == expected
    assert Hero.model_validate(type("Row", (), {"name": "x", "age": 3})()) == expected


def test_update_adds_to_what_is_validated():
    class HeroCreate(SQLModel):
        name: str
        age: int | None = None

    hero = Hero.model_validate(HeroCreate(name="x"), update={"secret_name": "Dive"})
    assert (hero.name, hero.secret_name) == ("x", "Dive")
    assert Hero.model_validate({"name": "x"}, update={"age": "7"}).age == 7
    with pytest.raises(ValidationError):
        Hero.model_validate({"name": "x"}, update={"age": "old"})


def test_sqlmodel_update_is_validated():
    hero = Hero(name="x")
    hero.sqlmodel_update({"age": "3", "unknown": 1})
    assert hero.changes == {"age": (None, 3)}
    with pytest.raises(ValidationError):
        hero.sqlmodel_update({"age": "old"})


def test_model_construct_validates_nothing_and_works_with_sessions():
    hero = Hero.model_construct(name=5)
    assert hero.name == 5
    hero.team = Team(name="x")
    assert hero.team.heroes == [hero]


def test_the_key_is_none_until_it_is_stored():
    assert Hero(name="x").id is None


def test_a_class_without_a_key_is_given_one():
    first, second = Mission(title="a"), Mission(title="b")
    assert first.id < second.id
    assert nitro.identity(first) == first.id


def test_a_key_of_several_fields_is_a_tuple():
    assert nitro.identity(Page(book="tea", number=3)) == ("tea", 3)


def test_private_attributes_work():
    hero = Hero(name="x")
    hero._mood = "angry"
    assert hero._mood == "angry"
    assert Hero(name="x")._mood == "calm"


def test_validators_of_the_whole_model_see_assignments():
    from pydantic import model_validator

    class Span(SQLEntity, table=True):
        __tablename__ = "validated_span"
        low: int
        high: int

        @model_validator(mode="after")
        def is_a_span(self):
            if self.low > self.high:
                raise ValueError("low is above high")
            return self

    span = Span(low=1, high=2)
    assert span.low == 1
    with pytest.raises(ValidationError, match="low is above high"):
        span.low = 3
    assert (span.low, span.is_changed) == (1, False)
    span.high = 9
    assert span.changes == {"high": (2, 9)}


def test_an_init_of_its_own_is_called():
    class Greeting(SQLEntity, table=True):
        __tablename__ = "own_init_greeting"
        text: str

        def __init__(self, name: str = "you", **data):
            super().__init__(**{"text": f"Hello {name}", **data})

    assert Greeting("Ann").text == "Hello Ann"
    assert Greeting(text="x").text == "x"


def test_its_home_is_the_database():
    assert SQLEntity.__nitro_backend__ is SQLModelBackend

    class Product(SQLEntity, table=True):
        __tablename__ = "validated_product"
        name: str
        price: float
        _persistence_backend_class = SQLModelBackend

    assert Product.__nitro_backend__ is SQLModelBackend
    assert Product(name="tea", price=3).price == 3.0
