"""An index of a field that may be None serves queries that sort by the field, on both databases."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.orm import registry
from sqlmodel import SQLModel

from nitro import Entity, Field, Index, SQLEntity, SQLModelBackend, create_all
from nitro.backends.sql.database import Database, database
from nitro.backends.sql.schema import table_of
from nitro.backends.sql.tables import plain_metadata

MANY = 10_000


class Rated(Entity):
    stars: int | None = Field(default=None, index=True)
    note: str | None = Field(default=None, index=True)
    shelf: str = ""
    order: int | None = None
    code: int | None = Field(default=None, unique=True)

    by_code = Index("code", "id")
    by_shelf = Index("shelf", "-stars")
    downward = Index("-order")


class Base(SQLEntity, registry=registry()):
    pass


class Mapped(Base, table=True):
    number: int | None = Field(default=None, primary_key=True)
    stars: int | None = Field(default=None, index=True)

    downward = Index("-stars", "number")


CLASSES: list[type[Entity]] = [Rated, Mapped]


@pytest.fixture
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Database]:
    is_file = getattr(request, "param", "postgresql") == "sqlite"
    url = f"sqlite:///{tmp_path}/rated.db" if is_file else request.getfixturevalue("fresh_database")
    for entity_class in CLASSES:
        monkeypatch.setattr(entity_class, "__nitro_backend__", SQLModelBackend(url))
    yield database(url)
    database(url).close()


@pytest.mark.parametrize("store", ["sqlite", "postgresql"], indirect=True)
def test_what_is_sorted_is_read_in_the_order_of_an_index(store: Database) -> None:
    create_all(*CLASSES)
    Rated.save_all(
        [
            Rated(
                stars=number % 5000 or None,
                note=f"n{number}" if number % 50 else None,
                shelf=str(number % 7),
                order=number or None,
                code=number or None,
            )
            for number in range(MANY)
        ]
    )
    Mapped.save_all([Mapped(number=number, stars=number % 3000 or None) for number in range(1, MANY)])
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")
    for query, index in (
        (Rated.where().order_by("stars"), "ix_rated_stars"),
        (Rated.where().order_by("-stars"), "ix_rated_stars"),
        (Rated.where().order_by("note"), "ix_rated_note"),
        (Rated.where().order_by("-note"), "ix_rated_note"),
        (Rated.where(shelf="3").order_by("-stars"), "ix_rated_shelf_stars"),
        (Rated.where().order_by("code"), "ix_rated_code_id"),
        (Rated.where().order_by("order"), "ix_rated_order"),
        (Rated.where().order_by("-order"), "ix_rated_order"),
        (Mapped.where().order_by("-stars", "number"), "ix_mapped_stars_number"),
        (Mapped.where().order_by("-number"), "mapped_pkey" if store.dialect.name == "postgresql" else "SCAN mapped"),
    ):
        plan = query.limit(10).explain()
        assert index in plan, plan
        assert "USE TEMP B-TREE FOR ORDER BY" not in plan, plan
        field = query._order[0].field._path[0]
        found = [getattr(entity, field) for entity in query.limit(400)]
        expected = sorted(found, key=lambda value: (value is not None, value), reverse=query._order[0].descending)
        assert found == expected


def indexes(store: Database) -> dict[str, str]:
    with store.engine.connect() as connection:
        sql = "SELECT indexname, indexdef FROM pg_indexes WHERE indexname LIKE 'ix_%%'"
        return {name: text.partition("btree ")[2] for name, text in connection.exec_driver_sql(sql)}


NEW = {
    "ix_rated_stars": "(stars NULLS FIRST)",
    "ix_rated_note": "(note NULLS FIRST)",
    "ix_rated_shelf_stars": "(shelf, stars DESC NULLS LAST)",
    "ix_rated_code_id": "(code NULLS FIRST, id)",
    "ix_rated_order": '("order" DESC NULLS LAST)',
    "ix_mapped_stars": "(stars NULLS FIRST)",
    "ix_mapped_stars_number": "(stars DESC NULLS LAST, number)",
}


def compared(store: Database, metadata: sa.MetaData) -> list[Any]:
    """What Alembic finds different, in indexes of the tables of the classes here."""
    with store.engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), metadata)
    return [one for one in found if one[0] in ("add_index", "remove_index") and one[1].name in NEW]


def test_databases_of_before_are_left_alone(store: Database) -> None:
    create_all(*CLASSES)
    assert indexes(store) == NEW
    assert compared(store, plain_metadata(map(table_of, CLASSES))) == []
    with store.engine.begin() as connection:
        for name, text in NEW.items():
            table, before = name.split("_")[1], text.replace(" NULLS FIRST", "").replace(" NULLS LAST", "")
            connection.exec_driver_sql(f"DROP INDEX {name}")
            connection.exec_driver_sql(f"CREATE INDEX {name} ON {table} {before}")
    assert compared(store, plain_metadata(map(table_of, CLASSES))) == []


def test_the_tables_of_sqlalchemy_have_the_same_indexes(store: Database) -> None:
    Mapped.metadata.create_all(store.engine)
    SQLModel.metadata.create_all(store.engine, [table_of(Rated)])
    assert indexes(store) == NEW
    # As whoever hands a metadata to Alembic itself does: of what is in the metadata nothing is to be made.
    for metadata in (Mapped.metadata, SQLModel.metadata):
        assert not [one for one in compared(store, metadata) if one[0] == "add_index"]


@pytest.mark.parametrize("first", ["sqlite", "postgresql"])
def test_a_script_makes_them_on_both_databases(first: str, fresh_database: str, tmp_path: Path) -> None:
    directory = tmp_path / "migrations"
    program = tmp_path / "shop.py"
    program.write_text(
        "from nitro import Entity, Field, Index, SQLModelBackend\n"
        "class Scripted(Entity, backend=SQLModelBackend):\n"
        "    stars: int | None = Field(default=None, index=True)\n"
        "    order: int | None = None\n"
        "    downward = Index('-order', 'stars')\n"
    )
    urls = {"sqlite": f"sqlite:///{tmp_path}/shop.db", "postgresql": fresh_database}

    def run(kind: str, *words: str) -> str:
        command = [sys.executable, "-m", "nitro.cli", "db", *words, "--directory", str(directory)]
        about = [] if words == ("init",) else ["--app", "shop", "--url", urls[kind]]
        done = subprocess.run([*command, *about], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run(first, "init")
    run(first, "revision", "-m", "first")
    for kind in urls:
        run(kind, "upgrade")
        run(kind, "check")
