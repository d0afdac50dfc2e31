"""SQLEntities as type checkers see them. Never run; `test_type_checkers.py` has it checked."""

from typing import assert_type

from sqlmodel import Field, Relationship, Session, select

from nitro import SQLEntity, col


class Team(SQLEntity, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str

    heroes: list["Hero"] = Relationship(back_populates="team")


class Hero(SQLEntity, table=True, versioned=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str
    age: int = 0

    team: Team | None = Relationship(back_populates="heroes")


hero = Hero(name="Deadpond", team=Team(name="Preventers"))
assert_type(hero.id, int | None)
assert_type(hero.team, Team | None)
assert_type(hero.save(), Hero)
assert_type(Hero.get(1), Hero)
assert_type(Hero.where(Hero.age > 3, col(Hero.name).startswith("x"), name="x").all(), list[Hero])


def read(session: Session) -> None:
    assert_type(session.exec(select(Hero).where(Hero.age > 3)).one(), Hero)
    assert_type(session.get(Hero, 1), Hero | None)
    session.add(Hero.model_validate(hero, update={"age": 3}))
    hero.sqlmodel_update({"age": 3})
