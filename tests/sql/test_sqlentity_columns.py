"""The columns of SQLEntities: whoever writes them, Nitro and SQLAlchemy read the same."""

import datetime
import decimal
import enum
import uuid
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from pydantic import AwareDatetime, HttpUrl, NaiveDatetime
from sqlalchemy.orm import registry
from sqlmodel import AutoString, Session, select
from sqlmodel import Field as SQLModelField

from nitro import ConfigurationError, Field, Index, SQLEntity, SQLModelBackend, UniqueViolation, ValueObject

UTC = datetime.UTC


class Columns(SQLEntity, registry=registry()):
    pass


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Point(ValueObject):
    x: int
    y: float = 0.5


class Everything(Columns, table=True):
    id: int | None = Field(None, primary_key=True)
    text: str = "tea ☕"
    short: Annotated[str, Field(max_length=5)] | None = "abc"
    whole: int = 2**40
    real: float = 0.1
    flag: bool = True
    data: bytes = b"\x00\xff"
    exact: decimal.Decimal = decimal.Decimal("10.500")
    day: datetime.date = datetime.date(2026, 2, 3)
    clock: datetime.time = datetime.time(4, 5, 6, 7)
    moment: datetime.datetime = datetime.datetime(2026, 2, 3, 4, 5, 6, 7, UTC)
    aware: AwareDatetime | None = datetime.datetime(2026, 7, 3, tzinfo=datetime.timezone(datetime.timedelta(hours=2)))
    naive: NaiveDatetime = datetime.datetime(2026, 2, 3, 4, 5)
    span: datetime.timedelta = datetime.timedelta(days=-1, microseconds=3)
    key: uuid.UUID = uuid.UUID(int=7)
    colour: Colour = Colour.BLUE
    level: Level = Level.HIGH
    choice: Literal["a", "b"] = "b"
    tags: list[str] = ["x", 'quote"d']
    counts: dict[str, int] = {"a": 1}
    point: Point | None = Point(x=1)
    points: list[Point] = [Point(x=1, y=2.5)]
    either: int | str = "1"
    anything: Any = {"a": [1, None, "b"]}
    page: HttpUrl = HttpUrl("https://example.org/a")
    members: set[int] = {1, 2}
    pair: tuple[int, str] = (1, "b")
    nothing: str | None = None
    no_point: Point | None = None


class Chosen(Columns, table=True):
    id: int | None = SQLModelField(default=None, primary_key=True)
    short: str = SQLModelField("a", sa_type=sa.String(3))
    auto: str = SQLModelField("b", sa_type=AutoString)
    renamed: str = SQLModelField("c", sa_column=sa.Column("other_name", sa.Text, nullable=False, index=True))
    money: decimal.Decimal = SQLModelField(decimal.Decimal("1.25"), sa_type=sa.Numeric(12, 4))
    small: int = SQLModelField(3, sa_type=sa.SmallInteger)
    named: Colour = SQLModelField(Colour.RED, sa_type=sa.Enum(Colour, name="colour_names"))
    notes: dict[str, Any] = SQLModelField(default={"a": 1}, sa_column=sa.Column(sa.JSON, nullable=False))
    local: datetime.datetime | None = SQLModelField(None, sa_type=sa.DateTime(timezone=True))
    counted: int | None = SQLModelField(None, sa_column_kwargs={"server_default": sa.text("7"), "comment": "seven"})
    email: str = SQLModelField("", unique=True)
    city: str = SQLModelField("", index=True)

    by_city = Index("city", "-small")


@pytest.fixture(scope="module")
def repository(url_of_module: str) -> Iterator[SQLModelBackend]:
    repository = SQLModelBackend(url_of_module)
    Columns.__nitro_backend__ = repository
    Columns.metadata.create_all(repository.database.engine)
    yield repository
    repository.database.close()
    Columns.__nitro_backend__ = SQLModelBackend


@pytest.fixture
def engine(repository) -> Iterator[sa.Engine]:
    yield repository.database.engine
    with repository.database.engine.begin() as connection:
        for table in Columns.metadata.sorted_tables:
            connection.execute(table.delete())


def changed() -> dict[str, Any]:
    """Another value for nearly every field."""
    return {
        "text": "",
        "short": None,
        "whole": -(2**63),
        "real": -0.0,
        "flag": False,
        "data": b"",
        "exact": decimal.Decimal("-0.0001"),
        "moment": datetime.datetime(2026, 7, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=-5))),
        "colour": Colour.RED,
        "level": Level.LOW,
        "tags": [],
        "counts": {},
        "point": None,
        "no_point": Point(x=4),
        "either": 1,
        "anything": "text",
        "pair": (2, "c"),
    }


@pytest.mark.parametrize("values", [{}, changed()], ids=["defaults", "others"])
def test_what_nitro_writes_sqlalchemy_reads(engine, values):
    saved = Everything(**values).save()
    with Session(engine) as session:
        assert session.get(Everything, saved.id) == saved


@pytest.mark.parametrize("values", [{}, changed()], ids=["defaults", "others"])
def test_what_sqlalchemy_writes_nitro_reads(engine, values):
    with Session(engine) as session:
        added = Everything(**values)
        session.add(added)
        session.commit()
    assert Everything.get(added.id) == added


def test_both_write_the_same(engine):
    saved = Everything(**changed()).save()
    with Session(engine) as session:
        session.add(Everything(**changed()))
        session.commit()
    with engine.connect() as connection:
        one, other = connection.execute(sa.text("SELECT * FROM everything ORDER BY id")).mappings()
    assert {**one, "id": 0} == {**other, "id": 0}
    assert saved.id == one["id"]


@pytest.mark.parametrize("name", [name for name in Everything.model_fields if name not in ("id", "real")])
def test_sqlalchemy_finds_by_every_kind_of_value(engine, name):
    saved = Everything().save()
    Everything(
        **{**{field: getattr(saved, field) for field in Everything.model_fields if field != "id"}, **changed()}
    ).save()
    column, value = getattr(Everything, name), getattr(saved, name)
    condition = column.is_(None) if value is None else column == value
    with Session(engine) as session:
        assert saved in session.exec(select(Everything).where(condition)).all()
    assert saved in Everything.where(condition).all()


def test_exact_numbers_are_in_the_order_of_numbers(engine):
    Everything.save_all([Everything(exact=number) for number in ("9", "10", "-5", "1e1", "9.50")])
    with Session(engine) as session:
        above = session.exec(
            select(Everything.exact).where(Everything.exact > 9).order_by(Everything.exact.asc())
        ).all()
        assert above == [decimal.Decimal("9.5"), 10, 10]
        assert len(session.exec(select(Everything).where(Everything.exact == decimal.Decimal("10.0"))).all()) == 2
        assert len(session.exec(select(Everything).where(Everything.exact.in_([10, -5]))).all()) == 3
        assert session.exec(select(sa.func.sum(Everything.exact))).one() == decimal.Decimal("33.5")
    assert Everything.where(Everything.exact.between(decimal.Decimal("9.1"), 11)).count() == 3


def test_a_naive_moment_is_refused_for_an_instant(engine):
    with Session(engine) as session:
        session.add(Everything(moment=datetime.datetime(2026, 1, 1)))
        with pytest.raises(sa.exc.StatementError, match="moment without a time zone"):
            session.commit()


def test_columns_of_chosen_types(engine):
    saved = Chosen(email="a").save()
    found = Chosen.get(saved.id)
    with Session(engine) as session:
        assert session.get(Chosen, saved.id) == found
        other = Chosen(email="b", money="2.5", named="blue", notes={"b": [1, None]}, renamed="z")
        session.add(other)
        session.commit()
    again = Chosen.get(other.id)
    assert (again.money, again.named, again.notes, again.renamed) == (
        decimal.Decimal("2.5000"),
        Colour.BLUE,
        {"b": [1, None]},
        "z",
    )
    again.renamed, again.named = "y", Colour.RED
    again.save()
    assert Chosen.where(renamed="y", named=Colour.RED).one() == again
    assert Chosen.where(Chosen.renamed == "y", Chosen.named.in_([Colour.RED])).one() == again
    assert [found.id for found in Chosen.where().order_by("-renamed")] == [other.id, saved.id]
    with pytest.raises(UniqueViolation, match="email='b'"):
        Chosen(email="b").save()


def test_the_tables_are_what_the_classes_say(engine):
    table = Chosen.__table__
    assert isinstance(table.c.short.type, sa.String)
    assert table.c.short.type.length == 3
    assert table.c.renamed.name == "other_name"
    assert table.c.counted.comment == "seven"
    assert {index.name for index in table.indexes} == {"ix_chosen_city", "ix_chosen_other_name", "ix_chosen_city_small"}
    assert Everything.__table__.c.short.type.length == 5
    assert [column.name for column in Everything.__table__.primary_key] == ["id"]
    assert not Everything.__table__.c.text.nullable
    assert Everything.__table__.c.short.nullable


def test_migrations_find_nothing_to_change(engine):
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert compare_metadata(context, Columns.metadata) == []


def test_what_has_no_column_is_an_error_that_says_so():
    from pydantic import SecretStr

    with pytest.raises(ConfigurationError, match=r"Vault\.code is a secret"):

        class Vault(Columns, table=True):
            code: SecretStr
