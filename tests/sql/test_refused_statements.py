"""What a database refuses for reasons of its own is an error of Nitro's: where, in the driver's words, and what to do."""

import asyncio
import random
import sqlite3
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from nitro import BackendError, BackendUnavailable, Entity, Field, SQLModelBackend, create_all

#: In each value that is sent, and in no message.
SECRET = "hunter2"


class Barrel(Entity):
    label: str = SECRET
    code: str | None = Field(default=None, unique=True)


@contextmanager
def opened(url: str) -> Generator[SQLModelBackend]:
    """A backend in which the barrels live meanwhile; all of its connections come back."""
    repository = SQLModelBackend(url)
    before = Barrel.__nitro_backend__
    Barrel.__nitro_backend__ = repository
    try:
        yield repository
        assert repository.database.gauges.idle == repository.database.gauges.open
    finally:
        Barrel.__nitro_backend__ = before
        repository.database.close()


def filled(url: str, many: int = 1) -> list[Barrel]:
    """Makes the table, and barrels in it."""
    with opened(url):
        create_all(Barrel)
        return Barrel.save_all([Barrel(label=SECRET * 20) for _ in range(many)])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "shop.db"


def check_refused(ask: Callable[[], Any], reason: str, remedy: str, driver: type[Exception]) -> None:
    with pytest.raises(BackendError, match=reason) as caught:
        ask()
    error = caught.value
    assert isinstance(error.__cause__, driver)
    assert SECRET not in f"{error!r} {error}"
    assert str(error).startswith(f"{error.place} refuses a statement ({error.reason}): nothing of it is kept, ")
    assert remedy in str(error)


# --- SQLite ---


def test_a_file_that_may_only_be_read(file: Path) -> None:
    (barrel,) = filled(f"sqlite:///{file}")
    with opened(f"sqlite:///file:{file}?mode=ro&uri=true"):
        assert Barrel.get(barrel.id) == barrel
        for act in (
            Barrel().save,
            lambda: Barrel.save_all([Barrel(), Barrel()]),
            Barrel.where().delete,
            lambda: asyncio.run(Barrel().asave()),
            lambda: asyncio.run(Barrel.asave_all([Barrel(), Barrel()])),
        ):
            check_refused(act, "attempt to write a readonly database", "let this program write", sqlite3.Error)
        assert Barrel.all() == [barrel]


def test_a_file_that_is_spoilt(file: Path) -> None:
    barrels = filled(f"sqlite:///{file}", 2000)
    spoilt = bytearray(file.read_bytes())
    page = 4096
    # What says which tables there are is in the first page.
    spoilt[2 * page :] = b"\xff" * (len(spoilt) - 2 * page)
    file.write_bytes(spoilt)
    with opened(f"sqlite:///{file}"):
        for act in (
            Barrel.all,
            lambda: list(Barrel.where()),
            lambda: Barrel.get(barrels[7].id),
            lambda: asyncio.run(Barrel.aall()),
            lambda: asyncio.run(Barrel.aget(barrels[7].id)),
        ):
            check_refused(act, "database disk image is malformed", "restore the file", sqlite3.DatabaseError)


@pytest.mark.parametrize("is_file", [True, False], ids=["file", "memory"])
def test_a_disk_that_is_full(file: Path, is_file: bool) -> None:
    with opened(f"sqlite:///{file}" if is_file else "sqlite://") as repository:
        create_all(Barrel)
        Barrel(label="first").save()
        ((pages,),) = repository.database.fetch_all("PRAGMA page_count", ())
        repository.database.fetch_all(f"PRAGMA max_page_count = {pages + 5}", ())
        full = "database or disk is full"
        check_refused(
            lambda: Barrel.save_all([Barrel(label=SECRET * 20) for _ in range(1000)]), full, "make room", sqlite3.Error
        )
        check_refused(Barrel(label=SECRET * 100_000).save, full, "make room", sqlite3.Error)
        # What was there is there, and nothing else.
        assert [barrel.label for barrel in Barrel.all()] == ["first"]
        Barrel(label="second").save()
        assert Barrel.where().count() == 2


def test_a_directory_in_place_of_a_file(tmp_path: Path) -> None:
    with opened(f"sqlite:///{tmp_path}"), pytest.raises(BackendUnavailable, match="unable to open database file"):
        Barrel.all()


# --- PostgreSQL ---


@pytest.fixture
def server(fresh_database: str) -> Iterator[sa.Engine]:
    """Of the database that the barrels are in, as the role that may do anything."""
    filled(fresh_database)
    engine = sa.create_engine(fresh_database.replace("postgresql://", "postgresql+psycopg://"))
    yield engine
    engine.dispose()


def with_options(url: str, **options: str) -> str:
    """A URL whose connections have settings of the server's."""
    return f"{url}?options=" + "%20".join(f"-c%20{name}%3D{value}" for name, value in options.items())


def test_a_role_without_rights(fresh_database: str, server: sa.Engine) -> None:
    role = f"nobody_{random.randrange(2**40):x}"
    with server.begin() as connection:
        connection.exec_driver_sql(f"CREATE ROLE {role}")
    try:
        with opened(with_options(fresh_database, role=role)) as repository:
            for act in (
                Barrel().save,
                Barrel.all,
                lambda: list(Barrel.where()),
                lambda: Barrel.get_or_none("1"),
                lambda: Barrel.save_all([Barrel(), Barrel()]),
                lambda: Barrel.save_all([Barrel() for _ in range(200)]),
                Barrel.where().delete,
                lambda: asyncio.run(Barrel().asave()),
                lambda: asyncio.run(Barrel.aall()),
                lambda: asyncio.run(Barrel.asave_all([Barrel() for _ in range(200)])),
            ):
                check_refused(
                    act, "permission denied for table barrel", "grant the role what it needs", psycopg.ProgrammingError
                )
            repository.database.close()
    finally:
        with server.begin() as connection:
            connection.exec_driver_sql(f"DROP ROLE {role}")


def test_a_server_that_may_only_be_read(fresh_database: str, server: sa.Engine) -> None:
    with opened(with_options(fresh_database, default_transaction_read_only="on")):
        assert len(Barrel.all()) == 1
        check_refused(Barrel().save, "cannot execute INSERT in a read-only transaction", "may write", psycopg.Error)
        check_refused(
            lambda: asyncio.run(Barrel().asave()), "cannot execute INSERT in a read-only", "may write", psycopg.Error
        )


def test_what_a_server_has_no_room_for(fresh_database: str, server: sa.Engine) -> None:
    filled(fresh_database, 5000)
    with opened(with_options(fresh_database, temp_file_limit="0", work_mem="64kB")) as repository:
        sql = "SELECT label, id FROM barrel ORDER BY label, md5(id)"
        check_refused(
            lambda: repository.database.fetch_all(sql, ()), "temporary file size exceeds", "make room", psycopg.Error
        )


def test_a_text_that_is_too_long_for_an_index(fresh_database: str, server: sa.Engine) -> None:
    # Nothing that could be compressed.
    text = SECRET + random.Random(1).randbytes(6000).hex()
    with opened(fresh_database):
        check_refused(Barrel(code=text).save, "index row requires", "fits into no index", psycopg.Error)
        assert Barrel(label=text).save().refresh().label == text


def test_a_statement_in_a_transaction_takes_the_transaction_along(fresh_database: str, server: sa.Engine) -> None:
    text = SECRET + random.Random(1).randbytes(6000).hex()
    with opened(fresh_database) as repository:

        def two() -> None:
            with repository.transaction():
                Barrel(label="first").save()
                Barrel(code=text).save()

        check_refused(two, "index row requires", "fits into no index", psycopg.Error)
        assert Barrel.where(label="first").count() == 0


# --- Both ---


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_trigger_that_says_no(kind: str, file: Path, request: pytest.FixtureRequest) -> None:
    url = f"sqlite:///{file}" if kind == "sqlite" else request.getfixturevalue("fresh_database")
    filled(url)
    with opened(url) as repository:
        if kind == "sqlite":
            repository.database.execute(
                "CREATE TRIGGER closed BEFORE INSERT ON barrel BEGIN SELECT RAISE(ABORT, 'closed on Sundays'); END", ()
            )
        else:
            repository.database.execute(
                "CREATE FUNCTION closed() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN RAISE EXCEPTION 'closed on Sundays'; END $$",
                (),
            )
            repository.database.execute(
                "CREATE TRIGGER closed BEFORE INSERT ON barrel FOR EACH ROW EXECUTE FUNCTION closed()", ()
            )
        driver: Any = sqlite3.IntegrityError if kind == "sqlite" else psycopg.DatabaseError
        again = "it is refused again until that has changed"
        check_refused(Barrel().save, "closed on Sundays", again, driver)
        check_refused(lambda: Barrel.save_all([Barrel(), Barrel()]), "closed on Sundays", again, driver)
        assert Barrel.where().count() == 1


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_sql_of_ones_own_with_a_mistake(kind: str, file: Path, request: pytest.FixtureRequest) -> None:
    url = f"sqlite:///{file}" if kind == "sqlite" else request.getfixturevalue("fresh_database")
    driver: Any = sqlite3.OperationalError if kind == "sqlite" else psycopg.ProgrammingError
    with opened(url) as repository:
        ask = repository.database.fetch_all
        check_refused(lambda: ask("SELEC 1", ()), "syntax error", "refused again", driver)
        check_refused(lambda: ask("SELECT nonsense(1)", ()), "nonsense", "refused again", driver)
