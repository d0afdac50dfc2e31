"""A domain of SQLEntities."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from pydantic import PrivateAttr, field_validator
from sqlalchemy import event
from sqlalchemy.orm import registry
from sqlmodel import Relationship

from nitro import Field, SQLEntity, ValueObject


class Base(SQLEntity, registry=registry()):
    """Classes with a metadata of their own."""


class Power(ValueObject):
    name: str
    strength: int = 1


class Team(Base, table=True):
    id: int | None = Field(None, primary_key=True)
    name: str = Field(index=True, min_length=1)

    heroes: list["Hero"] = Relationship(back_populates="team")


class Participation(Base, table=True):
    hero_id: int = Field(primary_key=True, foreign_key="hero.id")
    mission_id: str = Field(primary_key=True, foreign_key="mission.id")


class Hero(Base, table=True):
    id: int | None = Field(None, primary_key=True)
    name: str
    age: int | None = Field(None, ge=0)
    secret_name: str = Field("", max_length=40)
    tags: list[str] = []
    power: Power | None = None
    team_id: int | None = Field(None, foreign_key="team.id")

    _mood: str = PrivateAttr("calm")

    team: Team | None = Relationship(back_populates="heroes")
    missions: list["Mission"] = Relationship(back_populates="heroes", link_model=Participation)

    @field_validator("secret_name")
    @classmethod
    def is_no_number(cls, value: str) -> str:
        if value.isdigit():
            raise ValueError("a secret name is no number")
        return value

    def grow_older(self) -> None:
        self.age = (self.age or 0) + 1


class Mission(Base, table=True):
    """Its key is the one that every entity is given."""

    title: str

    heroes: list[Hero] = Relationship(back_populates="missions", link_model=Participation)


class Page(Base, table=True):
    book: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    text: str = ""


class Account(Base, table=True, versioned=True):
    owner: str
    balance: int = 0


@contextmanager
def statements_of(engine: sa.Engine) -> Iterator[list[str]]:
    """The statements that are sent over an engine's connections meanwhile."""
    seen: list[str] = []

    def note(connection, cursor, statement, *rest) -> None:
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)
