"""`create_all` makes what is missing, and says how a table that is there is not what its class says."""

import asyncio
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlmodel import Field as SQLField
from sqlmodel import SQLModel

import nitro
from nitro import ConfigurationError, Entity, Field, SchemaMismatch, SQLModelBackend
from nitro.backends.sql import tables
from nitro.backends.sql.database import Database, database


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setattr(SQLModel, "metadata", sa.MetaData())
    made = database(f"sqlite:///{tmp_path / 'shop.db'}")
    yield made
    made.close()


def backend(store: Database) -> SQLModelBackend:
    return SQLModelBackend(str(store.url))


def run(store: Database, *statements: str) -> None:
    with store.engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def test_it_makes_tables_of_entities_and_leaves_the_rows_that_are_there(store: Database) -> None:
    class Visit(Entity, backend=backend(store)):
        page: str

    nitro.create_all(Visit)
    visit = Visit(page="/").save()
    nitro.create_all(Visit)
    asyncio.run(nitro.acreate_all(Visit))
    assert Visit.get(visit.id).page == "/"


def test_without_arguments_it_makes_every_table_that_is_known(tmp_path: Path, store: Database) -> None:
    class Stored(Entity, backend=backend(store)):
        pass

    class Dated(Stored):
        __abstract__ = True
        day: str = ""

    class Trip(Dated):
        place: str

    class Passing(Entity):
        seen: int = 0

    assert {owner for _, owner in tables.tables_of(store).values()} == {Trip}


def test_a_table_that_another_refers_to_is_found(store: Database) -> None:
    class Owner(Entity, backend=backend(store)):
        name: str

    class Pet(Entity, backend=backend(store)):
        owner: str = Field(foreign_key="owner.id")

    nitro.create_all(Pet, Owner)
    with pytest.raises(nitro.ConstraintViolation):
        Pet(owner="nobody").save()

    class Stray(Entity, backend=backend(store)):
        owner: str = Field(foreign_key="ownr.id")

    with pytest.raises(ConfigurationError, match=r"Stray\.owner refers to ownr\.id, and no class .* import the module"):
        nitro.create_all(Stray)


def test_a_sqlmodel_gets_its_table_in_the_configured_database(store: Database) -> None:
    class Hero(SQLModel, table=True):
        id: int | None = SQLField(default=None, primary_key=True)
        name: str = SQLField(unique=True)

    nitro.configure(sql_url=str(store.url))
    try:
        nitro.create_all(Hero)
        nitro.create_all(Hero)
    finally:
        nitro.configure(sql_url=None)
    assert sa.inspect(store.engine).get_table_names() == ["hero"]


GOOD = "CREATE TABLE parcel (id VARCHAR NOT NULL PRIMARY KEY, weight BIGINT NOT NULL, note VARCHAR, label VARCHAR(9) NOT NULL UNIQUE, _version BIGINT NOT NULL DEFAULT 1)"


@pytest.mark.parametrize(
    ("was", "instead", "sentence"),
    [
        ("weight BIGINT NOT NULL, ", "", "there is no column parcel.weight, which Parcel keeps as BIGINT"),
        ("weight BIGINT", "weight VARCHAR", "column parcel.weight is VARCHAR, and Parcel keeps BIGINT in it"),
        (
            "weight BIGINT NOT NULL",
            "weight BIGINT",
            "column parcel.weight may be NULL, and Parcel.weight is never None",
        ),
        ("note VARCHAR", "note VARCHAR NOT NULL", "column parcel.note must not be NULL, and Parcel.note may be None"),
        ("VARCHAR(9)", "VARCHAR(8)", "column parcel.label is VARCHAR(8), and Parcel keeps VARCHAR(9) in it"),
        (" UNIQUE", "", "label of table parcel may be there twice, and Parcel says unique"),
        (
            ", _version BIGINT NOT NULL DEFAULT 1",
            "",
            "there is no column parcel._version, which Parcel keeps as BIGINT; versioned=False as a class keyword does without",
        ),
        (
            "note VARCHAR",
            "note VARCHAR, more INT NOT NULL",
            "column parcel.more needs a value, and Parcel has no such field",
        ),
    ],
)
def test_a_table_that_will_not_do_is_an_error_that_says_what_and_how_to_mend_it(
    store: Database, was: str, instead: str, sentence: str
) -> None:
    class Parcel(Entity, backend=backend(store)):
        weight: int
        note: str | None = None
        label: str = Field("", max_length=9, unique=True)

    assert was in GOOD
    run(store, GOOD.replace(was, instead))
    with pytest.raises(SchemaMismatch) as error:
        nitro.create_all(Parcel)
    assert str(error.value) == (
        f'{store.name}: {sentence}: `nitro db revision -m "..."` and `nitro db upgrade` bring the table up to date'
    )


@pytest.mark.parametrize(
    ("was", "instead"),
    [
        ("weight BIGINT", "weight INTEGER"),
        ("note VARCHAR", "note TEXT"),
        ("VARCHAR(9)", "VARCHAR(10)"),
        ("VARCHAR(9)", "VARCHAR"),
        ("note VARCHAR", "note VARCHAR, more INT"),
        ("note VARCHAR", "note VARCHAR, more INT NOT NULL DEFAULT 5"),
    ],
)
def test_a_table_that_will_do_is_taken(store: Database, was: str, instead: str) -> None:
    class Parcel(Entity, backend=backend(store)):
        weight: int
        note: str | None = None
        label: str = Field("", max_length=9, unique=True)

    assert was in GOOD
    run(store, GOOD.replace(was, instead))
    nitro.create_all(Parcel)
    assert Parcel(weight=5).save().weight == 5


def test_fields_may_have_the_names_of_sql(store: Database) -> None:
    class Word(Entity, backend=backend(store)):
        nothing: int = 1
        returning: int = 2
        order: int = 3

    nitro.create_all(Word)
    word = Word().save()
    assert Word.where(nothing=1, returning=2).order_by("order").all() == [word]


def test_those_who_start_together_take_turns(postgres_url: str) -> None:
    class Starting(Entity, backend=SQLModelBackend(postgres_url)):
        __tablename__ = "starting_together"
        name: str

    store = database(postgres_url)
    failures: list[BaseException] = []
    start = threading.Barrier(4)

    def make() -> None:
        start.wait()
        try:
            nitro.create_all(Starting)
        except BaseException as error:  # noqa: BLE001 - it is looked at below
            failures.append(error)

    try:
        for _ in range(5):
            run(store, "DROP TABLE IF EXISTS starting_together")
            threads = [threading.Thread(target=make) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert failures == []
    finally:
        run(store, "DROP TABLE IF EXISTS starting_together")


def test_a_database_that_is_not_there_is_told_without_its_password(tmp_path: Path) -> None:
    class Lost(Entity, backend=SQLModelBackend("postgresql://shop:s3cret@127.0.0.1:1/shop")):
        name: str

    with pytest.raises(
        nitro.BackendUnavailable, match=r"postgresql://shop@127\.0\.0\.1:1/shop cannot be reached"
    ) as error:
        nitro.create_all(Lost)
    assert "s3cret" not in str(error.value)


def test_what_the_database_refuses_is_told(store: Database) -> None:
    class Shipped(Entity, backend=backend(store)):
        place: str = Field(default="", index=True)

    run(store, 'CREATE TABLE "ix_shipped_place" (a)')
    with pytest.raises(nitro.errors.BackendError, match=r"shop.db refuses .*already.* ix_shipped_place.*CREATE INDEX"):
        nitro.create_all(Shipped)
    # Nothing of it is kept.
    run(store, 'DROP TABLE "ix_shipped_place"', "CREATE TABLE shipped (place)", "DROP TABLE shipped")
    nitro.create_all(Shipped)
    assert Shipped(place="Rome").save()


def test_what_postgresql_refuses_is_told(fresh_database: str) -> None:
    store = database(fresh_database)
    # The roles of a server are those of all its databases.
    role = f"nitro_{uuid.uuid4().hex}"
    run(store, f"CREATE ROLE {role} LOGIN PASSWORD 'less'", "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    try:
        lesser = store.url.set(username=role, password="less").render_as_string(hide_password=False)

        class Forbidden(Entity, backend=SQLModelBackend(lesser)):
            name: str = ""

        with pytest.raises(nitro.errors.BackendError, match=r"permission denied .*, grant the role"):
            nitro.create_all(Forbidden)
        database(lesser).close()
    finally:
        run(store, f"DROP ROLE {role}")


def test_what_cannot_be_made_of_a_class_is_told(store: Database) -> None:
    class Odd(SQLModel, table=True):
        id: int = SQLField(primary_key=True)
        address: str = SQLField(sa_type=sa.dialects.postgresql.INET)

    other = SQLModelBackend(str(store.url))
    with pytest.raises(ConfigurationError, match=r"the tables of .*shop.db cannot be made: .*INET"):
        nitro.backends.sql.tables._made(other.database, [Odd.__table__])


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    file = tmp_path / "letter.txt"
    file.write_text("Dear Ann, " * 100)

    class Letter(Entity, backend=SQLModelBackend(f"sqlite:///{file}")):
        text: str = ""

    for ask in (lambda: nitro.create_all(Letter), lambda: Letter.get("1"), lambda: Letter().save()):
        with pytest.raises(nitro.BackendUnavailable, match=r"letter.txt cannot be opened .*: name another file, for"):
            ask()
    assert file.read_text() == "Dear Ann, " * 100
