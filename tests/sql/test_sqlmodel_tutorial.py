"""A walk through what SQLModel's tutorial teaches, heroes and teams, with SQLEntity in the place of SQLModel."""

import asyncio
from collections.abc import Iterator
from functools import partial
from typing import Annotated, Any

import httpx
import pytest
import sqlalchemy as sa
from fastapi import Depends, FastAPI, HTTPException, Query
from pydantic import ValidationError
from sqlalchemy.exc import IntegrityError, NoResultFound
from sqlalchemy.orm import registry, selectinload
from sqlalchemy.pool import StaticPool
from sqlmodel import Field, Relationship, Session, SQLModel, col, create_engine, or_, select

from nitro import SQLEntity

# SQLModel's own Field, create_engine, select and so on; only the base class is another one.


class Model(SQLEntity, registry=registry()):
    pass


class HeroTeamLink(Model, table=True):
    team_id: int | None = Field(default=None, foreign_key="team.id", primary_key=True)
    hero_id: int | None = Field(default=None, foreign_key="hero.id", primary_key=True)
    is_training: bool = False

    team: "Team" = Relationship(back_populates="hero_links")
    hero: "Hero" = Relationship(back_populates="team_links")


class TeamBase(Model):
    name: str = Field(index=True)
    headquarters: str


class Team(TeamBase, table=True):
    id: int | None = Field(default=None, primary_key=True)

    heroes: list["Hero"] = Relationship(back_populates="team", passive_deletes="all")
    hero_links: list[HeroTeamLink] = Relationship(back_populates="team")


class HeroBase(Model):
    name: str = Field(index=True)
    secret_name: str
    age: int | None = Field(default=None, index=True)
    team_id: int | None = Field(default=None, foreign_key="team.id", ondelete="SET NULL")


class Hero(HeroBase, table=True):
    id: int | None = Field(default=None, primary_key=True)
    hashed_password: str = Field(default="")

    team: Team | None = Relationship(back_populates="heroes")
    team_links: list[HeroTeamLink] = Relationship(back_populates="hero")


class HeroPublic(HeroBase):
    id: int


class HeroCreate(HeroBase):
    password: str


class HeroUpdate(Model):
    name: str | None = None
    secret_name: str | None = None
    age: int | None = None
    password: str | None = None
    team_id: int | None = None


class TeamPublic(TeamBase):
    id: int


class TeamCreate(TeamBase):
    pass


class HeroPublicWithTeam(HeroPublic):
    team: TeamPublic | None = None


class TeamPublicWithHeroes(TeamPublic):
    heroes: list[HeroPublic] = []


@pytest.fixture
def engine() -> Iterator[sa.Engine]:
    engine = create_engine("sqlite://", connect_args={"check_same_thread": False}, poolclass=StaticPool)
    with engine.connect() as connection:
        connection.execute(sa.text("PRAGMA foreign_keys=ON"))
    Model.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def session(engine) -> Iterator[Session]:
    with Session(engine) as session:
        yield session


def heroes() -> list[Hero]:
    return [
        Hero(name="Deadpond", secret_name="Dive Wilson"),
        Hero(name="Spider-Boy", secret_name="Pedro Parqueador"),
        Hero(name="Rusty-Man", secret_name="Tommy Sharp", age=48),
        Hero(name="Tarantula", secret_name="Natalia Roman-on", age=32),
        Hero(name="Black Lion", secret_name="Trevor Challa", age=35),
        Hero(name="Dr. Weird", secret_name="Steve Weird", age=36),
        Hero(name="Captain North America", secret_name="Esteban Rogelios", age=93),
    ]


@pytest.fixture
def seven(session) -> Session:
    session.add_all(heroes())
    session.commit()
    return session


def names(found) -> list[str]:
    return [hero.name for hero in found]


def test_create_tables(engine):
    inspector = sa.inspect(engine)
    assert set(inspector.get_table_names()) == {"hero", "team", "heroteamlink"}
    assert {index["name"] for index in inspector.get_indexes("hero")} == {"ix_hero_name", "ix_hero_age"}
    assert inspector.get_pk_constraint("heroteamlink")["constrained_columns"] == ["team_id", "hero_id"]
    columns = {column["name"]: column["nullable"] for column in inspector.get_columns("hero")}
    assert columns == {
        "id": False,
        "name": False,
        "secret_name": False,
        "age": True,
        "team_id": True,
        "hashed_password": False,
    }


def test_create_rows_and_their_ids(engine):
    with Session(engine) as session:
        first, second = heroes()[:2]
        session.add(first)
        session.add(second)
        assert (first.id, second.id) == (None, None)
        session.commit()
        # With SQLModel these would have to be loaded again.
        assert (first.id, first.name) == (1, "Deadpond")
        assert second.model_dump()["name"] == "Spider-Boy"
        session.refresh(first)
        session.refresh(second)
    assert first.id == 1
    assert second.secret_name == "Pedro Parqueador"


def test_read_with_select(seven):
    assert len(seven.exec(select(Hero)).all()) == 7
    assert names(seven.exec(select(Hero))) == names(heroes())


def test_filter_with_where(seven):
    assert names(seven.exec(select(Hero).where(Hero.name == "Deadpond"))) == ["Deadpond"]
    assert len(seven.exec(select(Hero).where(Hero.name != "Deadpond")).all()) == 6
    assert names(seven.exec(select(Hero).where(col(Hero.age) > 36))) == ["Rusty-Man", "Captain North America"]
    assert names(seven.exec(select(Hero).where(col(Hero.age) >= 35).where(col(Hero.age) < 40))) == [
        "Black Lion",
        "Dr. Weird",
    ]
    assert names(seven.exec(select(Hero).where(col(Hero.age) >= 35, col(Hero.age) < 36))) == ["Black Lion"]
    found = seven.exec(select(Hero).where(or_(col(Hero.age) <= 35, col(Hero.age) > 90)))
    assert names(found) == ["Tarantula", "Black Lion", "Captain North America"]


def test_one_row(seven):
    assert seven.exec(select(Hero).where(col(Hero.age) <= 35)).first().name == "Tarantula"
    assert seven.exec(select(Hero).where(col(Hero.age) < 25)).first() is None
    assert seven.exec(select(Hero).where(Hero.name == "Deadpond")).one().id == 1
    with pytest.raises(NoResultFound):
        seven.exec(select(Hero).where(col(Hero.age) < 25)).one()
    assert seven.get(Hero, 1).name == "Deadpond"
    assert seven.get(Hero, 9001) is None


def test_limit_and_offset(seven):
    assert names(seven.exec(select(Hero).order_by(Hero.id).limit(3))) == ["Deadpond", "Spider-Boy", "Rusty-Man"]
    assert names(seven.exec(select(Hero).order_by(Hero.id).offset(6).limit(3))) == ["Captain North America"]


def test_update_and_delete(seven):
    hero = seven.exec(select(Hero).where(Hero.name == "Spider-Boy")).one()
    hero.age = 16
    hero.name = "Spider-Youngster"
    seven.add(hero)
    seven.commit()
    seven.refresh(hero)
    assert (hero.age, hero.name) == (16, "Spider-Youngster")
    seven.delete(hero)
    seven.commit()
    assert hero.name == "Spider-Youngster"
    assert seven.exec(select(Hero).where(Hero.name == "Spider-Youngster")).first() is None


@pytest.fixture
def teams(session) -> Session:
    preventers = Team(name="Preventers", headquarters="Sharp Tower")
    z_force = Team(name="Z-Force", headquarters="Sister Margaret's Bar")
    session.add_all(
        [
            Hero(name="Deadpond", secret_name="Dive Wilson", team=z_force),
            Hero(name="Rusty-Man", secret_name="Tommy Sharp", age=48, team=preventers),
            Hero(name="Spider-Boy", secret_name="Pedro Parqueador"),
        ]
    )
    session.commit()
    return session


def test_connected_rows_by_hand(session):
    team = Team(name="Preventers", headquarters="Sharp Tower")
    session.add(team)
    session.commit()
    hero = Hero(name="Rusty-Man", secret_name="Tommy Sharp", age=48, team_id=team.id)
    session.add(hero)
    session.commit()
    assert session.exec(select(Hero, Team).where(Hero.team_id == Team.id)).one() == (hero, team)
    hero.team_id = None
    session.add(hero)
    session.commit()
    assert hero.team is None


def test_joins(teams):
    found = teams.exec(select(Hero, Team).join(Team)).all()
    assert [(hero.name, team.name) for hero, team in found] == [("Deadpond", "Z-Force"), ("Rusty-Man", "Preventers")]
    found = teams.exec(select(Hero, Team).join(Team, isouter=True)).all()
    assert [(hero.name, team and team.name) for hero, team in found][2] == ("Spider-Boy", None)
    assert names(teams.exec(select(Hero).join(Team).where(Team.name == "Preventers"))) == ["Rusty-Man"]


def test_relationship_attributes(teams):
    preventers = teams.exec(select(Team).where(Team.name == "Preventers")).one()
    spider_boy = teams.exec(select(Hero).where(Hero.name == "Spider-Boy")).one()
    spider_boy.team = preventers
    assert spider_boy in preventers.heroes
    teams.add(spider_boy)
    teams.commit()
    assert names(preventers.heroes) == ["Rusty-Man", "Spider-Boy"]
    preventers.heroes.append(Hero(name="Tarantula", secret_name="Natalia Roman-on"))
    teams.commit()
    assert teams.exec(select(Hero).where(Hero.name == "Tarantula")).one().team is preventers
    spider_boy.team = None
    teams.commit()
    assert (spider_boy.team_id, names(preventers.heroes)) == (None, ["Rusty-Man", "Tarantula"])


def test_deleting_a_team(engine, teams):
    teams.connection().exec_driver_sql("PRAGMA foreign_keys=ON")
    preventers = teams.exec(select(Team).where(Team.name == "Preventers")).one()
    teams.delete(preventers)
    teams.commit()
    hero = teams.exec(select(Hero).where(Hero.name == "Rusty-Man")).one()
    teams.refresh(hero)
    assert hero.team_id is None


def test_many_to_many_with_more_fields(session):
    preventers = Team(name="Preventers", headquarters="Sharp Tower")
    z_force = Team(name="Z-Force", headquarters="Sister Margaret's Bar")
    deadpond = Hero(name="Deadpond", secret_name="Dive Wilson")
    session.add_all(
        [
            HeroTeamLink(team=z_force, hero=deadpond),
            HeroTeamLink(team=preventers, hero=deadpond, is_training=True),
        ]
    )
    session.commit()
    assert {link.team.name: link.is_training for link in deadpond.team_links} == {"Z-Force": False, "Preventers": True}
    for link in preventers.hero_links:
        link.is_training = False
    session.commit()
    assert session.get(HeroTeamLink, (preventers.id, deadpond.id)).is_training is False
    with pytest.raises(IntegrityError):
        session.exec(sa.insert(HeroTeamLink).values(team_id=z_force.id, hero_id=deadpond.id))


# --- With FastAPI ---


class Client:
    """Asks an application, without a server between them."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app
        self.get, self.post, self.patch, self.delete = (
            partial(self.ask, method) for method in ("GET", "POST", "PATCH", "DELETE")
        )

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return await client.request(method, path, **options)

        return asyncio.run(ask())


@pytest.fixture
def client(engine) -> Client:
    app = FastAPI()

    def get_session():
        with Session(engine) as session:
            yield session

    Request = Annotated[Session, Depends(get_session)]

    @app.post("/heroes/", response_model=HeroPublic)
    def create_hero(*, session: Request, hero: HeroCreate):
        db_hero = Hero.model_validate(hero, update={"hashed_password": f"hashed {hero.password}"})
        session.add(db_hero)
        session.commit()
        return db_hero

    @app.get("/heroes/", response_model=list[HeroPublic])
    def read_heroes(
        session: Request,
        offset: int = 0,
        limit: Annotated[int, Query(le=100)] = 100,
    ):
        return session.exec(select(Hero).offset(offset).limit(limit)).all()

    @app.get("/heroes/{hero_id}", response_model=HeroPublicWithTeam)
    def read_hero(*, session: Request, hero_id: int):
        hero = session.get(Hero, hero_id)
        if not hero:
            raise HTTPException(status_code=404, detail="Hero not found")
        return hero

    @app.patch("/heroes/{hero_id}", response_model=HeroPublic)
    def update_hero(*, session: Request, hero_id: int, hero: HeroUpdate):
        db_hero = session.get(Hero, hero_id)
        if not db_hero:
            raise HTTPException(status_code=404, detail="Hero not found")
        hero_data = hero.model_dump(exclude_unset=True)
        extra = {}
        if "password" in hero_data:
            extra["hashed_password"] = f"hashed {hero_data['password']}"
        db_hero.sqlmodel_update(hero_data, update=extra)
        session.add(db_hero)
        session.commit()
        return db_hero

    @app.delete("/heroes/{hero_id}")
    def delete_hero(*, session: Request, hero_id: int):
        session.delete(session.get(Hero, hero_id))
        session.commit()
        return {"ok": True}

    @app.post("/teams/", response_model=TeamPublic)
    def create_team(*, session: Request, team: TeamCreate):
        db_team = Team.model_validate(team)
        session.add(db_team)
        session.commit()
        return db_team

    @app.get("/teams/{team_id}", response_model=TeamPublicWithHeroes)
    def read_team(*, team_id: int, session: Request):
        return session.exec(select(Team).where(Team.id == team_id).options(selectinload(Team.heroes))).one()

    return Client(app)


def test_the_web_application(client):
    created = client.post(
        "/heroes/", json={"name": "Deadpond", "secret_name": "Dive Wilson", "password": "chimichanga"}
    )
    assert created.status_code == 200
    hero = created.json()
    assert hero == {"id": 1, "name": "Deadpond", "secret_name": "Dive Wilson", "age": None, "team_id": None}

    assert client.post("/heroes/", json={"name": "Deadpond"}).status_code == 422
    assert client.get("/heroes/").json() == [hero]
    assert client.get("/heroes/?limit=1000").status_code == 422
    assert client.get("/heroes/9").status_code == 404

    team = client.post("/teams/", json={"name": "Preventers", "headquarters": "Sharp Tower"}).json()
    assert team == {"id": 1, "name": "Preventers", "headquarters": "Sharp Tower"}
    patched = client.patch("/heroes/1", json={"age": 30, "team_id": 1, "password": "new"})
    assert patched.json() == {**hero, "age": 30, "team_id": 1}
    assert client.patch("/heroes/1", json={"age": "old"}).status_code == 422

    assert client.get("/heroes/1").json() == {**hero, "age": 30, "team_id": 1, "team": team}
    assert client.get("/teams/1").json() == {**team, "heroes": [{**hero, "age": 30, "team_id": 1}]}

    assert client.delete("/heroes/1").json() == {"ok": True}
    assert client.get("/heroes/").json() == []


def test_what_the_client_must_not_set_is_not_set(client, engine):
    body = {"id": "7", "name": "a", "secret_name": "b", "password": "c", "hashed_password": "d"}
    assert client.post("/heroes/", json=body).json()["id"] == 1
    with Session(engine) as session:
        hero = session.exec(select(Hero)).one()
        assert (hero.id, hero.hashed_password) == (1, "hashed c")


def test_models_of_data_may_stay_sqlmodels(engine):
    class VillainBase(SQLModel):
        name: str
        age: int | None = None

    class VillainCreate(VillainBase):
        password: str

    class Villain(Model, VillainBase, table=True):
        id: int | None = Field(default=None, primary_key=True)
        hashed_password: str = ""

    class VillainPublic(VillainBase):
        id: int

    assert "id" not in VillainCreate.model_fields
    Model.metadata.create_all(engine)
    with Session(engine) as session:
        data = VillainCreate(name="x", password="y")
        villain = Villain.model_validate(data, update={"hashed_password": "z"})
        session.add(villain)
        session.commit()
        assert VillainPublic.model_validate(villain).model_dump() == {"name": "x", "age": None, "id": 1}
    with pytest.raises(ValidationError):
        Villain(name="x", age="old")
