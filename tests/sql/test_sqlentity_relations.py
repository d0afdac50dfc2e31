"""Relations of SQLEntities: loaded when they are read, or with the query, or an error that says how."""

import asyncio
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from heroes import Hero, Mission, Participation, Team, statements_of
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import joinedload, registry, selectinload
from sqlmodel import Session, select
from sqlmodel.ext.asyncio.session import AsyncSession

from nitro import Field, Many, NotLoaded, Ref, SQLEntity, SQLModelBackend, many


@pytest.fixture
def team(engine) -> Team:
    with Session(engine) as session:
        team = Team(name="Preventers", heroes=[Hero(name="a"), Hero(name="b")])
        session.add(team)
        session.commit()
        return team


def run_async(engine, work):
    """Runs `work(session)` with an AsyncSession on the database of an engine."""

    async def main():
        driver = "sqlite+aiosqlite" if engine.dialect.name == "sqlite" else "postgresql+psycopg"
        asynchronous = create_async_engine(engine.url.set(drivername=driver))
        try:
            async with AsyncSession(asynchronous) as session:
                return await work(session)
        finally:
            await asynchronous.dispose()

    return asyncio.run(main())


# --- Loading ---


def test_a_relation_is_loaded_when_it_is_read(engine, team):
    with Session(engine) as session:
        loaded = session.get(Team, team.id)
        with statements_of(engine) as statements:
            assert [hero.name for hero in loaded.heroes] == ["a", "b"]
            assert loaded.heroes[0].team is loaded
        assert len(statements) == 1


@pytest.mark.parametrize("option", [selectinload, joinedload])
def test_a_relation_is_loaded_with_the_query(engine, team, option):
    with Session(engine) as session:
        loaded = session.exec(select(Team).options(option(Team.heroes).joinedload(Hero.team))).unique().one()
    assert [hero.name for hero in loaded.heroes] == ["a", "b"]
    assert loaded.heroes[0].team is loaded
    assert [hero.is_changed for hero in loaded.heroes] == [False, False]


def test_a_join_finds_by_what_is_related(engine, team):
    with Session(engine) as session:
        found = session.exec(select(Hero, Team).join(Team).where(Team.name == "Preventers").order_by(Hero.name)).all()
        assert [(hero.name, of.name) for hero, of in found] == [("a", "Preventers"), ("b", "Preventers")]


@pytest.mark.parametrize("relation", ["team", "missions"])
def test_outside_of_a_session_a_relation_that_is_not_loaded_is_an_error(engine, team, relation):
    with Session(engine) as session:
        hero = session.exec(select(Hero)).first()
    with pytest.raises(NotLoaded) as caught:
        getattr(hero, relation)
    assert str(caught.value) == (
        f"Hero.{relation} is not loaded, and this Hero belongs to no open session: load it with the entity, by "
        f"select(Hero).options(selectinload(Hero.{relation})), or later by session.refresh(entity, ['{relation}'])"
    )
    assert (caught.value.entity_class, caught.value.field) == (Hero, relation)


def test_the_remedies_work(engine, team):
    with Session(engine) as session:
        hero = session.exec(select(Hero).options(selectinload(Hero.team))).first()
    assert hero.team.name == "Preventers"
    with Session(engine) as session:
        other = session.get(Hero, hero.id)
        session.refresh(other, ["team"])
    assert other.team.name == "Preventers"


def test_in_an_async_session_a_relation_that_is_not_loaded_is_an_error(engine, team):
    async def work(session):
        hero = (await session.exec(select(Hero))).first()
        with pytest.raises(NotLoaded) as caught:
            hero.team  # noqa: B018
        assert str(caught.value) == (
            "Hero.team is not loaded, and an AsyncSession loads nothing when an attribute is read: load it with the "
            "entity, by select(Hero).options(selectinload(Hero.team)), or later by "
            "await session.refresh(entity, ['team'])"
        )
        await session.refresh(hero, ["team"])
        return hero.team.name

    assert run_async(engine, work) == "Preventers"


def test_an_async_session_writes_and_reads(engine):
    async def work(session):
        hero = Hero(name="x", age=3, tags=["t"], team=Team(name="A"))
        session.add(hero)
        await session.commit()
        assert hero.model_dump()["age"] == 3
        hero.age = 4
        await session.commit()
        return (await session.exec(select(Hero).options(selectinload(Hero.team)))).one()

    found = run_async(engine, work)
    assert (found.age, found.tags, found.team.name) == (4, ["t"], "A")


# --- Changing ---


def test_both_sides_know_each_other(engine):
    team, hero = Team(name="A"), Hero(name="x")
    hero.team = team
    assert team.heroes == [hero]
    team.heroes.remove(hero)
    assert hero.team is None


def test_a_relation_gives_the_key(engine, team):
    with Session(engine) as session:
        hero = Hero(name="c", team=session.get(Team, team.id))
        session.add(hero)
        session.commit()
        assert hero.team_id == team.id
        assert not hero.is_changed
        hero.team = None
        session.commit()
        assert hero.team_id is None
    assert Hero.get(hero.id).team_id is None


def test_what_is_related_is_added_too(engine):
    with Session(engine) as session:
        session.add(Hero(name="x", team=Team(name="A")))
        session.commit()
    assert (Hero.where().count(), Team.where().count()) == (1, 1)


def test_many_to_many(engine):
    with Session(engine) as session:
        rescue, dive = Mission(title="Rescue"), Mission(title="Dive")
        session.add_all([Hero(name="a", missions=[rescue, dive]), Hero(name="b", missions=[rescue])])
        session.commit()
        assert sorted(hero.name for hero in rescue.heroes) == ["a", "b"]
        rescue.heroes.clear()
        session.commit()
    assert [part.mission_id for part in Participation.all()] == [dive.id]


# --- Entities that Nitro loads ---


def test_an_entity_of_nitro_reads_its_relations_in_a_session(engine, team):
    hero = Hero.where(name="a").one()
    with pytest.raises(NotLoaded, match=r"Hero\.team is not loaded"):
        hero.team  # noqa: B018
    with Session(engine) as session:
        session.add(hero)
        assert hero.team.name == "Preventers"
        assert hero.team.heroes[0] is hero


def test_a_relation_can_be_asked_for(engine, team):
    Hero(name="c").save()
    assert [hero.name for hero in Hero.where(Hero.team.has(name="Preventers")).order_by("name")] == ["a", "b"]
    assert [found.name for found in Team.where(Team.heroes.any(Hero.name == "a"))] == ["Preventers"]
    assert Team.where(~Team.heroes.any()).all() == []


def test_a_relation_is_no_field_to_ask_by_name(engine):
    from nitro import UnknownFieldError

    with pytest.raises(UnknownFieldError, match="Hero has no field 'team'; did you mean 'team_id'"):
        Hero.where(team=Team(name="x"))


# --- Relations of Nitro's own ---


class References(SQLEntity, registry=registry()):
    pass


class Club(References, table=True):
    name: str

    members: Many["Member"] = many("club")


class Member(References, table=True):
    name: str
    club: Ref[Club] | None = Field(None, index=True)


@pytest.fixture
def clubs(tmp_path) -> Iterator[sa.Engine]:
    repository = SQLModelBackend(f"sqlite:///{tmp_path}/clubs.db")
    References.__nitro_backend__ = repository
    References.metadata.create_all(repository.database.engine)
    yield repository.database.engine
    References.__nitro_backend__ = SQLModelBackend
    repository.database.close()


def test_a_reference_is_a_reference_in_and_out_of_sessions(clubs):
    club = Club(name="chess").save()
    member = Member(name="Ann", club=club)
    assert member.club == Ref(Club, club.id)
    assert member.save().club.get() == club
    with Session(clubs) as session:
        loaded = session.exec(select(Member).where(Member.club == club.id)).one()
        assert loaded == member
        assert loaded.club.get() == club
        loaded.club = None
        session.add(Member(name="Bob", club=club.id))
        session.commit()
    assert [found.name for found in club.members] == ["Bob"]
    assert Member.get(member.id).club is None
    assert Member.where(club=club).with_("club").one().club.get() == club
