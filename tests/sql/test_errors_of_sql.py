"""What users are told when something is wrong with a class, a value, a table or the database."""

import asyncio
import datetime as dt
from collections.abc import Iterator
from decimal import Decimal

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

import nitro
from nitro import (
    BackendUnavailable,
    ConfigurationError,
    Entity,
    Field,
    SchemaMismatch,
    SQLModelBackend,
    UniqueViolation,
    UnstorableValue,
)


class Parcel(Entity):
    label: str = ""
    weight: int = 0
    price: Decimal = Decimal(0)
    share: float = 0.0
    sent: dt.datetime | None = None
    code: str | None = Field(default=None, unique=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def repository(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[SQLModelBackend]:
    url = "sqlite://" if request.param == "sqlite" else request.getfixturevalue("fresh_database")
    repository = SQLModelBackend(url)
    monkeypatch.setattr(Parcel, "__nitro_backend__", repository)
    yield repository
    gauges = repository.database.gauges
    assert gauges.idle == gauges.open
    repository.database.close()


def test_a_table_that_is_not_there(repository: SQLModelBackend) -> None:
    asks = [
        Parcel().save,
        Parcel.all,
        Parcel.where().count,
        Parcel.where().delete,
        lambda: Parcel.where().update(weight=1),
        lambda: list(Parcel.where()),
        lambda: Parcel.get("1"),
        lambda: Parcel.get_many(["1"]),
        lambda: Parcel.save_all([Parcel(), Parcel()]),
        lambda: Parcel.where().sum("weight"),
        lambda: Parcel.where().page(),
        lambda: asyncio.run(Parcel().asave()),
        lambda: asyncio.run(Parcel.aget("1")),
        lambda: asyncio.run(Parcel.aall()),
    ]
    for ask in asks:
        with pytest.raises(SchemaMismatch, match=r"parcel.*nitro.create_all\(\)"):
            ask()
    nitro.create_all(Parcel)
    assert Parcel.all() == []


def test_a_column_that_is_not_there(repository: SQLModelBackend) -> None:
    with repository.database.engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE parcel (id VARCHAR PRIMARY KEY, label VARCHAR NOT NULL)"))
    with pytest.raises(SchemaMismatch, match=r"(?s)parcel\.weight.*BIGINT.*nitro db upgrade"):
        Parcel.all()
    with pytest.raises(SchemaMismatch, match=r"parcel\.weight"):
        nitro.create_all(Parcel)


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("label", "a\x00b", "NUL"),
        ("label", "\ud800", "surrogate"),
        ("weight", 2**63, "64 bits"),
        ("price", Decimal("1E+2000"), "of that size"),
        ("share", float("nan"), "NaN"),
        ("sent", dt.datetime(2026, 1, 1), "time zone"),
        ("sent", dt.datetime.min.replace(tzinfo=dt.timezone(dt.timedelta(hours=5))), "years 1 to 9999"),
    ],
)
def test_a_value_that_no_column_holds(repository: SQLModelBackend, field: str, value: object, reason: str) -> None:
    nitro.create_all(Parcel)
    kept = Parcel().save()
    stored = Parcel.model_validate({field: value})
    ways = [
        stored.save,
        lambda: asyncio.run(stored.asave()),
        stored.upsert,
        lambda: Parcel.save_all([Parcel(), stored]),
        lambda: Parcel.save_all([*(Parcel() for _ in range(300)), stored]),
        lambda: asyncio.run(Parcel.asave_all([Parcel(), stored])),
    ]
    for way in ways:
        with pytest.raises(UnstorableValue, match=reason) as caught:
            way()
        assert (caught.value.entity_class, caught.value.field) == (Parcel, field)
        assert f"Parcel.{field}=" in str(caught.value)
        assert Parcel.all() == [kept]
    setattr(kept, field, value)
    with pytest.raises(UnstorableValue, match=reason):
        kept.save()
    with pytest.raises(UnstorableValue, match=reason):
        Parcel.where().update(**{field: value})


def test_a_key_that_cannot_be_is_nobodys(repository: SQLModelBackend) -> None:
    nitro.create_all(Parcel)
    for key in ("\x00", "\ud800"):
        assert Parcel.get_or_none(key) is None
        assert Parcel.get_many([key]) == []
        assert asyncio.run(Parcel.aget_or_none(key)) is None


def test_uniqueness_is_told_with_the_other(repository: SQLModelBackend) -> None:
    nitro.create_all(Parcel)
    first = Parcel(code="A").save()
    second = Parcel(code="B").save()
    with pytest.raises(UniqueViolation) as caught:
        Parcel(code="A").save()
    assert (caught.value.field, caught.value.value, caught.value.other) == ("code", "A", first.id)
    second.code = "A"
    with pytest.raises(UniqueViolation, match=first.id):
        asyncio.run(second.asave())
    with pytest.raises(UniqueViolation, match="code"):
        Parcel(code="A").upsert()
    with pytest.raises(UniqueViolation) as caught:
        Parcel.save_all([Parcel(code=str(number)) for number in range(300)] + [Parcel(code="17")])
    assert (caught.value.field, caught.value.value) == ("code", "17")
    assert Parcel.where().count() == 2


def test_classes_that_cannot_be_kept() -> None:
    class Locker(Entity, backend=SQLModelBackend("sqlite://")):
        secret: SecretStr

    with pytest.raises(ConfigurationError, match=r"Locker\.secret is a secret"):
        Locker(secret="x").save()

    class Bag(Entity, backend=SQLModelBackend("sqlite://"), extra="allow"):
        pass

    with pytest.raises(ConfigurationError, match="Bag takes fields that it does not declare"):
        Bag().save()

    class Odd(Entity, backend=SQLModelBackend("sqlite://"), arbitrary_types_allowed=True):
        lock: asyncio.Lock | None = None

    with pytest.raises(ConfigurationError, match=r"Odd\.lock"):
        Odd().save()


def test_two_classes_of_one_name() -> None:
    def make(module: str) -> type[Entity]:
        return type(Entity)("Twin", (Entity,), {"__module__": module, "__qualname__": "Twin", "__annotations__": {}})

    nitro.backends.sql.schema.table_of(make("here"))
    with pytest.raises(ConfigurationError, match=r"there\.Twin.*here\.Twin.*__tablename__"):
        nitro.backends.sql.schema.table_of(make("there"))
    nitro.backends.sql.schema.table_of(make("here"))


def test_addresses_that_lead_nowhere(tmp_path) -> None:
    secret = "hunter2"
    for url in (f"postgresql://ann:{secret}@127.0.0.1:1/shop", f"postgresql://127.0.0.1:1/shop?password={secret}"):
        repository = SQLModelBackend(url)
        for ask in (
            lambda repository=repository: repository.get(Parcel, "1"),
            lambda repository=repository: repository.save(Parcel()),
            lambda repository=repository: asyncio.run(repository.aget(Parcel, "1")),
        ):
            with pytest.raises(BackendUnavailable, match="127.0.0.1:1/shop cannot be reached") as caught:
                ask()
            shown = f"{caught.value!r} {caught.value}"
            assert secret not in shown
    with pytest.raises(BackendUnavailable, match="nowhere/shop.db cannot be opened"):
        SQLModelBackend(f"sqlite:///{tmp_path}/nowhere/shop.db").get(Parcel, "1")
    with pytest.raises(ConfigurationError, match="mysql://x/y is neither"):
        SQLModelBackend("mysql://x/y").get(Parcel, "1")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        SQLModelBackend("no url").get(Parcel, "1")


def test_a_statement_that_takes_too_long(fresh_database: str) -> None:
    repository = SQLModelBackend(f"{fresh_database}?options=-c%20statement_timeout%3D50")
    sql = "SELECT pg_sleep(5)"
    with pytest.raises(BackendUnavailable, match=r"given a statement up.*statement timeout"):
        repository.database.fetch_one(sql, ())
    with pytest.raises(BackendUnavailable, match=r"given a statement up.*statement timeout"):
        asyncio.run(repository.database.afetch_one(sql, ()))
    assert repository.database.fetch_one("SELECT 1", ()) == (1,)
    assert repository.database.fetch_one("SHOW timezone", ()) == ("UTC",)
    repository.database.close()
