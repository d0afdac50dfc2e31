"""Every entity in a memory of its own, whatever backend its class names."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import registry
from sqlmodel import Field as SQLModelField
from sqlmodel import Relationship

import nitro
from nitro import (
    ConfigurationError,
    Entity,
    EntityNotFound,
    Field,
    MemoryRepo,
    NotLoaded,
    Ref,
    SQLEntity,
    SQLModelBackend,
    StaleEntityError,
    UniqueViolation,
    UnsupportedQuery,
)
from nitro.testing import nitro_memory

NOWHERE = SQLModelBackend("postgresql://nobody@127.0.0.1:1/nowhere")


class Note(Entity):
    __tablename__ = "memory_note"

    text: str = ""


class Order(Entity, backend=NOWHERE):
    __tablename__ = "memory_order"

    status: str = "draft"
    total: float = 0.0


class Numbered(Entity, backend=NOWHERE):
    __tablename__ = "memory_numbered"

    id: int | None = None  # pyright: ignore[reportGeneralTypeIssues, reportIncompatibleVariableOverride]
    text: str = Field("", unique=True)


class Line(Entity, backend=NOWHERE):
    __tablename__ = "memory_line"

    order: Ref[Order] = Field(ondelete="CASCADE")


class Related(SQLEntity, registry=registry()):
    """Relations name classes, and a document may have a Team too."""


class Team(Related, table=True):
    __tablename__ = "memory_team"

    id: int | None = Field(None, primary_key=True)
    name: str
    players: list[Player] = Relationship(back_populates="team")


class Player(Related, table=True):
    __tablename__ = "memory_player"

    id: int | None = Field(None, primary_key=True)
    name: str
    age: int | None = None
    active: bool = True
    team_id: int | None = SQLModelField(None, foreign_key="memory_team.id")
    team: Team | None = Relationship(back_populates="players")


class Seat(SQLEntity, table=True):
    __tablename__ = "memory_seat"

    row: int = Field(primary_key=True)
    number: int = Field(primary_key=True)


class Animal(SQLEntity, table=True):
    __tablename__ = "memory_animal"

    id: int | None = Field(None, primary_key=True)
    kind: str = "animal"
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "animal"}


class Cat(Animal, table=True):
    lives: int = 9
    __mapper_args__ = {"polymorphic_identity": "cat"}


@pytest.fixture
def memory():
    with nitro_memory():
        yield


def test_an_entity_needs_no_database(memory: None) -> None:
    order = Order(total=3).save()
    assert Order.get(order.id) == order
    assert [found.total for found in Order.where(Order.total > 2, status="draft")] == [3]
    order.delete()
    with pytest.raises(EntityNotFound):
        Order.get(order.id)


def test_each_time_it_is_empty_and_what_was_there_before_is_back() -> None:
    note = Note(text="outside").save()
    for _ in range(2):
        with nitro_memory():
            assert Note.all() == []
            Note(id=note.id, text="inside").save()
            assert Note.get(note.id).text == "inside"
    assert Note.get(note.id) is note
    note.delete()


def test_it_ends_with_an_error_too() -> None:
    with pytest.raises(KeyError), nitro_memory():
        Note(text="inside").save()
        raise KeyError
    assert Note.where(text="inside").count() == 0


def test_a_class_that_is_made_meanwhile_is_in_it(memory: None) -> None:
    class Late(Entity, backend=NOWHERE):
        text: str = ""

    assert Late.get(Late().save().id).text == ""


def test_async_verbs_and_other_tasks_and_threads_are_in_it(memory: None) -> None:
    async def main() -> None:
        order = await Order(total=1).asave()
        assert await asyncio.to_thread(Order.get, order.id) == order
        found = await asyncio.gather(*(Order.aget(order.id) for _ in range(3)))
        assert found == [order] * 3

    asyncio.run(main())


def test_an_entity_of_a_database_is_copied_as_there_and_one_of_memory_is_the_record(memory: None) -> None:
    order, note = Order().save(), Note().save()
    order.total, note.text = 5, "seen"
    assert Order.get(order.id).total == 0
    assert Note.get(note.id) is note


def test_a_stale_save_is_found(memory: None) -> None:
    order = Order().save()
    other = Order.get(order.id)
    other.total = 1
    other.save()
    order.status = "placed"
    with pytest.raises(StaleEntityError):
        order.save()


def test_a_table_without_a_version_takes_what_changed(memory: None) -> None:
    player = Player(name="Ann").save()
    other = Player.get(player.id)
    player.age = 30
    other.name = "Anna"
    player.save()
    other.save()
    assert (Player.get(player.id).name, Player.get(player.id).age) == ("Anna", 30)
    assert nitro.changes.previous(other) == {"name": ("Ann", "Anna")}
    player.delete()
    assert Player.all() == []


def test_what_is_gone_is_not_written_again(memory: None) -> None:
    player = Player(name="Ann").save()
    Player.get(player.id).delete()
    player.age = 1
    with pytest.raises(StaleEntityError):
        player.save()


@pytest.mark.parametrize("cls", [Numbered, Player])
def test_keys_that_a_database_gives_are_numbers_from_1_on(memory: None, cls: type[Entity]) -> None:
    name = "text" if cls is Numbered else "name"
    first, second = cls(**{name: "a"}).save(), cls(**{name: "b"}).save()
    taken = cls(**{"id": 3, name: "c"}).save()
    several = cls.save_all([cls(**{name: "d"}), cls(**{name: "e"})])
    assert [nitro.identity(entity) for entity in (first, second, taken, *several)] == [1, 2, 3, 4, 5]
    assert nitro.identity(cls.get(4)) == 4


def test_an_entity_that_is_refused_gets_no_key(memory: None) -> None:
    Numbered(text="taken").save()
    refused = Numbered(text="taken")
    with pytest.raises(UniqueViolation):
        refused.save()
    fresh = Numbered(text="fresh")
    with pytest.raises(UniqueViolation):
        Numbered.save_all([fresh, refused])
    assert (refused.id, fresh.id) == (None, None)
    assert Numbered.where().count() == 1


def test_references_and_what_follows_from_them(memory: None) -> None:
    order = Order().save()
    line = Line(order=order).save()
    assert Line.get(line.id).order.get() == order
    order.delete()
    assert Line.all() == []


def test_tables_are_not_made(memory: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    nitro.create_all()
    asyncio.run(nitro.acreate_all(Player))
    assert list(tmp_path.iterdir()) == []


PLAYERS = [("Ann", 30, True), ("Bob", 40, False), ("Cid", None, True)]
CLAUSES = [
    (lambda: Player.name == "Ann", "Ann"),
    (lambda: Player.name != "Ann", "Bob Cid"),
    (lambda: Player.age > 30, "Bob"),
    (lambda: Player.age >= 30, "Ann Bob"),
    (lambda: Player.age < 40, "Ann"),
    (lambda: Player.age <= 40, "Ann Bob"),
    (lambda: sa.literal(35) < Player.age, "Bob"),
    (lambda: Player.age != 30, "Bob"),
    (lambda: sa.not_(Player.age > 30), "Ann"),
    (lambda: Player.age == None, "Cid"),  # noqa: E711
    (lambda: Player.age.is_not(None), "Ann Bob"),
    (lambda: Player.age.in_([30, 50]), "Ann"),
    (lambda: Player.age.not_in([30, 50]), "Bob"),
    (lambda: Player.age.between(35, 45), "Bob"),
    (lambda: ~Player.age.between(35, 45), "Ann"),
    (lambda: Player.name.like("%n%"), "Ann"),
    (lambda: Player.name.not_like("A%"), "Bob Cid"),
    (lambda: Player.name.startswith("B"), "Bob"),
    (lambda: ~Player.name.startswith("B"), "Ann Cid"),
    (lambda: Player.name.endswith("d"), "Cid"),
    (lambda: Player.name.contains("o"), "Bob"),
    (lambda: ~Player.name.contains("o"), "Ann Cid"),
    (lambda: sa.and_(Player.age > 20, Player.active), "Ann"),
    (lambda: sa.or_(Player.age > 35, Player.name == "Cid"), "Bob Cid"),
    (lambda: sa.not_(sa.and_(Player.age > 35, Player.name == "Bob")), "Ann Cid"),
    (lambda: sa.not_(sa.or_(Player.age > 35, Player.active)), ""),
    (lambda: Player.active, "Ann Cid"),
    (lambda: ~Player.active, "Bob"),
    (lambda: Player.active.is_(True), "Ann Cid"),
    (lambda: Player.active == False, "Bob"),  # noqa: E712
]


def names(condition: object) -> str:
    return " ".join(player.name for player in Player.where(condition).order_by(Player.name))


@pytest.mark.parametrize(("clause", "expected"), CLAUSES, ids=[str(number) for number in range(len(CLAUSES))])
def test_questions_in_the_words_of_sqlalchemy_have_the_answers_of_a_database(
    clause, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked() -> str:
        Player.save_all([Player(name=name, age=age, active=active) for name, age, active in PLAYERS])
        assert Player.where(clause()).count() == len(Player.where(clause()).page(limit=5))
        return names(clause())

    with nitro_memory():
        in_memory = asked()
    monkeypatch.setattr(SQLEntity, "__nitro_backend__", SQLModelBackend(f"sqlite:///{tmp_path / 'players.db'}"))
    nitro.create_all(Team, Player)
    assert in_memory == asked() == expected
    SQLEntity._persistence_backend_class.database.close()


@pytest.mark.parametrize(
    "clause",
    [
        lambda: Player.name.ilike("ann"),
        lambda: sa.func.lower(Player.name) == "ann",
        lambda: Player.name.contains("%"),
        lambda: Player.name.startswith("a/%", autoescape=True),
        lambda: Player.team.has(Team.name == "x"),
        lambda: Player.age + 1 > 3,
        lambda: Player.age == Player.team_id,
        lambda: Team.name == "x",
    ],
)
def test_other_clauses_are_refused(memory: None, clause) -> None:
    with pytest.raises(UnsupportedQuery, match=r"(?s)only a SQL database can answer .*keep Player on a database"):
        Player.where(clause()).all()


def test_what_only_a_database_does_is_refused_by_name(memory: None) -> None:
    with pytest.raises(ConfigurationError, match="the key of Seat is row, number: let this test have a database"):
        Seat(row=1, number=2).save()
    with pytest.raises(ConfigurationError, match="Cat shares a table with others: let this test have a database"):
        Cat().save()
    player = Player(name="Ann", team_id=1).save()
    with pytest.raises(NotLoaded, match=r"Player\.team is not loaded, and nitro_memory keeps no relations"):
        player.team  # noqa: B018


def test_a_backend_of_memory_keeps_its_kind(memory: None) -> None:
    class Copied(Entity, backend=MemoryRepo(isolated=True)):
        text: str = ""

    copied = Copied().save()
    assert Copied.get(copied.id) is not copied
