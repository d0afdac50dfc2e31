"""Tables follow their classes by migrations, with the rows that are in them, forward and back."""

import enum
import re
import subprocess
import sys
import types
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import sqlmodel
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.types import TypeEngine
from sqlmodel import SQLModel

import nitro
from nitro import ConfigurationError, NitroError
from nitro.backends.sql import migrations
from nitro.backends.sql.database import Database, database
from nitro.backends.sql.tables import plain_type
from nitro.backends.sql.types import EnumValue, ExactDecimal, Json, Moment, Span, _Coded


class Colour(enum.Enum):
    red = "r"


class Size(enum.Enum):
    small = 1


PREAMBLE = """
import datetime as dt, decimal, enum, uuid
from decimal import Decimal
from pydantic import NaiveDatetime
from nitro import Entity, Field, Index, SQLModelBackend, ValueObject, command
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    is_file = request.param == "sqlite"
    made = database(f"sqlite:///{tmp_path / 'shop.db'}" if is_file else request.getfixturevalue("fresh_database"))
    yield made
    made.close()


Define = Callable[..., types.SimpleNamespace]


@pytest.fixture
def define(store: Database, monkeypatch: pytest.MonkeyPatch) -> Define:
    """Defines classes as a module of an application does; a later definition of a class stands for its next version."""
    monkeypatch.setattr(SQLModel, "metadata", sa.MetaData())

    def execute(source: str, place: Database = store) -> types.SimpleNamespace:
        url = place.url.render_as_string(hide_password=False)
        module = types.ModuleType("shop_of_migrations")
        monkeypatch.setitem(sys.modules, module.__name__, module)
        base = f"class Stored(Entity, backend=SQLModelBackend({url!r})): __abstract__ = True"
        program = f"{PREAMBLE}\n{base}\n{source}"
        exec(program, vars(module))  # noqa: S102 - the sources are those below
        return types.SimpleNamespace(**vars(module))

    return execute


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return migrations.initialise(tmp_path / "migrations")


@pytest.fixture
def migrate(store: Database, directory: Path) -> Callable[..., str]:
    """Writes a script, runs it, and gives its text."""

    def run(message: str, **arguments: Any) -> str:
        revision = migrations.revise(store, message, directory=directory, **arguments)
        assert revision.path is not None, "nothing changed"
        assert migrations.upgrade(store, directory=directory)
        assert migrations.check(store, directory=directory) == []
        return revision.path.read_text(encoding="utf-8")

    return run


def rows(store: Database, statement: str) -> list[tuple[Any, ...]]:
    with store.engine.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(statement)]


EVERYTHING = """
class Colour(enum.Enum):
    red = "r"
class Size(enum.Enum):
    small = 1
class Address(ValueObject):
    city: str
class Customer(Stored):
    name: str
class Order(Stored):
    text: str = "a"
    short: str = Field("b", max_length=20)
    number: int = Field(7, unique=True)
    weight: float = 1.5
    price: Decimal = Decimal("12.34")
    exact: Decimal = Field(Decimal("1.25"), max_digits=10, decimal_places=2)
    sent: bool = True
    day: dt.date = dt.date(2026, 1, 2)
    moment: dt.datetime = dt.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=dt.UTC)
    naive: NaiveDatetime = dt.datetime(2026, 1, 2, 3, 4)
    time: dt.time = dt.time(1, 2)
    span: dt.timedelta = dt.timedelta(days=2, seconds=5)
    token: uuid.UUID = uuid.UUID(int=5)
    raw: bytes = b"x"
    colour: Colour = Colour.red
    size: Size = Size.small
    address: Address = Address(city="Oslo")
    tags: list[str] = ["x"]
    note: str | None = None
    customer: str | None = Field(None, foreign_key="customer.id", index=True)
    by_text = Index("text", "-number")
class Line(Stored):
    number: int | None = Field(None, primary_key=True)
"""


def test_the_first_script_makes_every_table_and_names_nothing_of_nitro(
    store: Database, define: Define, migrate: Callable[..., str], directory: Path
) -> None:
    shop = define(EVERYTHING)
    script = migrate("first")
    assert "nitro" not in script
    order = shop.Order(customer=shop.Customer(name="Ann").save().id).save()
    assert shop.Order.get(order.id) == order
    assert shop.Line().save().number == 1
    assert migrations.downgrade(store, directory=directory) != []
    assert sa.inspect(store.engine).get_table_names() == ["alembic_version"]


@pytest.fixture
def other(store: Database, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database of the other kind."""
    is_file = store.dialect.name == "postgresql"
    made = database(f"sqlite:///{tmp_path / 'other.db'}" if is_file else request.getfixturevalue("fresh_database"))
    yield made
    made.close()


def test_scripts_that_one_database_made_run_on_the_other(
    store: Database, other: Database, define: Define, migrate: Callable[..., str], directory: Path
) -> None:
    before = EVERYTHING
    after = re.sub(r"    (tags|moment|price|span|colour|token|naive|weight): .*\n", "", before)
    for old, new in (
        ("number: int = Field(7,", "number: str = Field('7',"),
        ("day: dt.date =", "day: dt.datetime | dt.date ="),
        ("time: dt.time = dt.time(1, 2)", "time: str = ''"),
    ):
        assert old in after
        after = after.replace(old, new)
    define(before)
    migrate("first")
    define(after)
    migrate("second")

    first = migrations.history(directory)[-1][0]
    migrations.upgrade(other, first, directory=directory)
    shop = define(before, other)
    order = shop.Order(customer=shop.Customer(name="Ann").save().id).save()
    migrations.upgrade(other, directory=directory)
    shop = define(after, other)
    assert migrations.check(other, directory=directory) == []
    found = shop.Order.get(order.id)
    assert (found.number, found.sent, found.address.city) == ("7", True, "Oslo")
    migrations.downgrade(other, directory=directory)
    shop = define(before, other)
    nitro.create_all(shop.Customer, shop.Order, shop.Line)
    # A null is no list and no value of an enum: what was in a column that went is gone.
    with other.engine.begin() as connection:
        connection.exec_driver_sql("""UPDATE "order" SET tags = '["x"]', colour = 'r'""")
    again = shop.Order.get(order.id)
    assert (again.number, again.day, again.price, again.naive.year) == (7, order.day, 0, 1970)
    assert shop.Order.get(again.save().id) == again


def test_create_all_makes_the_same_tables(store: Database, define: Define, directory: Path) -> None:
    shop = define(EVERYTHING)
    nitro.create_all(shop.Customer, shop.Order, shop.Line)
    nitro.create_all(shop.Customer, shop.Order, shop.Line)
    revision = migrations.revise(store, "first", directory=directory)
    assert revision.notes == ["the tables are there already: `nitro db stamp` records that, in place of an upgrade"]
    migrations.stamp(store, directory=directory)
    assert migrations.check(store, directory=directory) == []
    assert migrations.revise(store, "nothing", directory=directory).path is None
    assert len(migrations.history(directory)) == 1


def test_a_new_field_gives_its_default_to_the_rows_that_are_there(
    store: Database, define: Define, migrate: Callable[..., str], directory: Path
) -> None:
    shop = define("class Order(Stored):\n    name: str")
    migrate("first")
    key = shop.Order(name="one").save().id
    shop = define(
        EVERYTHING.replace("class Order(Stored):", "class Order(Stored):\n    name: str")
        .replace('raw: bytes = b"x"', "raw: bytes | None = None")
        .replace("span: dt.timedelta = dt.timedelta(days=2, seconds=5)", "span: dt.timedelta = dt.timedelta(0)")
    )
    migrate("more")
    order = shop.Order.get(key)
    fresh = shop.Order(id=key, name="one")
    assert order == fresh
    order.note = "saved"
    order.save()
    migrations.downgrade(store, directory=directory)
    shop = define("class Order(Stored):\n    name: str")
    assert shop.Order.get(key).name == "one"
    migrations.upgrade(store, directory=directory)


def test_a_new_field_without_a_default_is_refused_until_a_value_is_named(
    store: Database, define: Define, migrate: Callable[..., str], directory: Path
) -> None:
    shop = define("class Order(Stored):\n    name: str")
    migrate("first")
    key = shop.Order(name="one").save().id
    shop = define("class Order(Stored):\n    name: str\n    customer: str")
    with pytest.raises(ConfigurationError, match=r"Order\.customer has no default .* --fill order\.customer=\.\.\."):
        migrations.revise(store, "customer", directory=directory)
    with pytest.raises(ConfigurationError, match=r"--fill order\.name: no such column is new"):
        migrations.revise(store, "customer", directory=directory, fills={"order.customer": "x", "order.name": "x"})
    migrate("customer", fills={"order.customer": "it's: nobody"})
    assert shop.Order.get(key).customer == "it's: nobody"


def test_a_field_that_becomes_required_gives_its_default_where_there_was_none(
    define: Define, migrate: Callable[..., str]
) -> None:
    shop = define("class Order(Stored):\n    note: str | None = None")
    migrate("first")
    empty, full = shop.Order().save().id, shop.Order(note="x").save().id
    shop = define("class Order(Stored):\n    note: str = 'none: it''s'")
    migrate("required")
    assert (shop.Order.get(empty).note, shop.Order.get(full).note) == ("none: its", "x")


def test_a_field_that_becomes_required_without_a_default_stops_at_rows_that_have_none(
    store: Database, define: Define, migrate: Callable[..., str], directory: Path
) -> None:
    shop = define("class Order(Stored):\n    note: str | None = None")
    migrate("first")
    key = shop.Order().save().id
    define("class Order(Stored):\n    note: str")
    migrations.revise(store, "required", directory=directory)
    with pytest.raises(NitroError, match=r"refuses: .*note.*: nothing was changed"):
        migrations.upgrade(store, directory=directory)
    assert rows(store, 'SELECT id, note FROM "order"') == [(key, None)]


RENAMED = """
class Customer(Stored):
    name: str
class Purchase(Stored):
    __tablename__ = {table!r}
    {field}: int = Field(5, unique=True)
    customer: str | None = Field(None, foreign_key="customer.id", ondelete="CASCADE")
    status: str = Field("draft", index=True)
    by_field = Index("status", "-{field}")
class Line(Stored):
    purchase: str = Field(foreign_key="{table}.id", ondelete="CASCADE")
"""


def test_a_renamed_column_keeps_its_values(
    store: Database, define: Define, migrate: Callable[..., str], directory: Path
) -> None:
    shop = define(RENAMED.format(table="order", field="total"))
    migrate("first")
    customer = shop.Customer(name="Ann").save()
    order = shop.Purchase(total=20, customer=customer.id).save()
    line = shop.Line(purchase=order.id).save()

    shop = define(RENAMED.format(table="order", field="amount"))
    with pytest.raises(
        ConfigurationError,
        match=re.escape(
            "column order.total goes and order.amount comes: --rename order.total:amount keeps its values, "
            "--drop order.total throws them away"
        ),
    ):
        migrations.revise(store, "amount", directory=directory)
    script = migrate("amount", renames=["order.total:amount"])
    assert "drop_column" not in script
    assert shop.Purchase.get(order.id).amount == 20
    assert shop.Line.get(line.id).purchase == order.id
    with pytest.raises(nitro.UniqueViolation):
        shop.Purchase(amount=20).save()

    migrations.downgrade(store, directory=directory)
    shop = define(RENAMED.format(table="order", field="total"))
    assert shop.Purchase.get(order.id).total == 20
    migrations.upgrade(store, directory=directory)
    shop = define(RENAMED.format(table="order", field="amount"))
    assert migrations.check(store, directory=directory) == []
    customer.delete()
    assert shop.Line.where().count() == 0


def test_a_column_that_is_to_go_goes(store: Database, define: Define, migrate: Callable[..., str]) -> None:
    shop = define(RENAMED.format(table="order", field="total"))
    migrate("first")
    order = shop.Purchase(total=20).save()
    shop = define(RENAMED.format(table="order", field="amount"))
    migrate("amount", drops=["order.total"])
    assert shop.Purchase.get(order.id).amount == 5


def test_a_renamed_table_keeps_its_rows(
    store: Database, define: Define, migrate: Callable[..., str], directory: Path
) -> None:
    shop = define(RENAMED.format(table="order", field="total"))
    migrate("first")
    order = shop.Purchase(total=20).save()
    line = shop.Line(purchase=order.id).save()
    shop = define(RENAMED.format(table="purchase", field="amount"))
    script = migrate("purchase", renames=["order:purchase", "purchase.total:amount"])
    assert "create_table" not in script
    assert shop.Purchase.get(order.id).amount == 20
    migrations.downgrade(store, directory=directory)
    shop = define(RENAMED.format(table="order", field="total"))
    assert shop.Purchase.get(order.id).total == 20
    assert shop.Line.get(line.id).purchase == order.id
    order.delete()
    assert shop.Line.where().count() == 0


@pytest.mark.parametrize(
    ("rename", "message"),
    [
        ("order.totl:amount", "there is no column order.totl to rename: there are id, total"),
        ("ordr.total:amount", "there is no table 'ordr' to rename: there are alembic_version, order"),
        ("order", "'order' is no rename: write table.old:new for a column, old:new for a table"),
        ("order:alembic_version", "there is a table 'alembic_version' already"),
    ],
)
def test_a_rename_that_cannot_be_says_why(
    store: Database, define: Define, migrate: Callable[..., str], directory: Path, rename: str, message: str
) -> None:
    define("class Order(Stored):\n    total: int")
    migrate("first")
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        migrations.revise(store, "rename", directory=directory, renames=[rename])


# (the type before and after, values before and after)
CHANGES = [
    ("int", "str", 5, "5"),
    ("str", "int", "5", 5),
    ("int", "float", 5, 5.0),
    ("float", "int", 5.0, 5),
    ("float", "Decimal", 0.1, "0.1"),
    ("Decimal", "float", "1.5", 1.5),
    ("int", "Decimal", 5, "5"),
    ("Decimal", "int", "5.00", 5),
    ("str", "Decimal", "1.50", "1.50"),
    ("Decimal", "str", "1.50", "1.50"),
    ("bool", "int", True, 1),
    ("int", "bool", 1, True),
    ("str", "bool", "true", True),
    ("bool", "str", False, "false"),
    ("dt.date", "dt.datetime", "2026-01-02", "2026-01-02T00:00:00Z"),
    ("dt.datetime", "dt.date", "2026-01-02T03:04:05Z", "2026-01-02"),
    ("NaiveDatetime", "dt.datetime", "2026-01-02T03:04:05", "2026-01-02T03:04:05Z"),
    ("dt.datetime", "NaiveDatetime", "2026-01-02T03:04:05+02:00", "2026-01-02T01:04:05"),
    ("str", "dt.date", "2026-01-02", "2026-01-02"),
    ("str", "NaiveDatetime", "2026-01-02T03:04", "2026-01-02T03:04:00"),
    ("str", "dt.time", "03:04", "03:04:00"),
    ("dt.date", "str", "2026-01-02", "2026-01-02"),
    ("str", "uuid.UUID", str(uuid.UUID(int=5)), str(uuid.UUID(int=5))),
    ("uuid.UUID", "str", str(uuid.UUID(int=5)), str(uuid.UUID(int=5))),
    ("str", "bytes", "åx", "åx".encode()),
    ("bytes", "str", "åx".encode(), "åx"),
    ("str", "str | int", "it's", "it's"),
    ("int", "list[int] | int", 5, 5),
    ("str | int", "str", "x", "x"),
    ("int", "dt.timedelta", 1_500_000, "PT1.5S"),
    ("dt.timedelta", "int", "PT1.5S", 1_500_000),
    ("str", "int | None", "7", 7),
]
#: What a change cannot keep: the value that comes back.
NOT_THE_SAME_AGAIN = {
    ("dt.datetime", "dt.date"): "2026-01-02T00:00:00Z",
    ("str", "NaiveDatetime"): {"sqlite": "2026-01-02 03:04:00.000000", "postgresql": "2026-01-02 03:04:00"},
    ("str", "dt.time"): {"sqlite": "03:04:00.000000", "postgresql": "03:04:00"},
}


def test_types_that_change_take_their_values_along(
    store: Database, define: Define, migrate: Callable[..., str], directory: Path
) -> None:
    """Each change is that of a field, and of one beside it which is None."""

    def source(place: int) -> str:
        lines = [
            f"    value_{number}: {change[place]}\n    absent_{number}: ({change[place]}) | None = None"
            for number, change in enumerate(CHANGES)
        ]
        return "class Order(Stored):\n" + "\n".join(lines)

    def values(of: int) -> dict[str, Any]:
        return {f"value_{number}": change[of] for number, change in enumerate(CHANGES)}

    shop = define(source(0))
    migrate("first")
    order = shop.Order(**values(2)).save()
    shop = define(source(1))
    migrate("change")
    expected = shop.Order(id=order.id, **values(3))
    assert shop.Order.get(order.id).model_dump() == expected.model_dump()
    for name in values(3):
        assert shop.Order.where(**{name: getattr(expected, name)}).count() == 1, name

    migrations.downgrade(store, directory=directory)
    shop = define(source(0))
    again = values(2)
    for number, (old, new, *_) in enumerate(CHANGES):
        changed = NOT_THE_SAME_AGAIN.get((old, new))
        if changed is not None:
            again[f"value_{number}"] = changed[store.dialect.name] if isinstance(changed, dict) else changed
    assert shop.Order.get(order.id).model_dump() == shop.Order(id=order.id, **again).model_dump()


@pytest.mark.parametrize(
    ("old", "new", "value", "reason"),
    [
        ("str", "int", "many", "many"),
        ("float", "int", 1.5, "1.5"),
        ("Decimal", "int", "1.5", "1.5"),
        ("str", "dt.date", "soon", "soon"),
        ("str", "bool", "perhaps", "perhaps"),
        ("str", "uuid.UUID", "five", "five"),
    ],
)
def test_a_value_that_the_new_type_cannot_hold_stops_the_migration(
    store: Database,
    define: Define,
    migrate: Callable[..., str],
    directory: Path,
    old: str,
    new: str,
    value: Any,
    reason: str,
) -> None:
    shop = define(f"class Order(Stored):\n    value: {old}")
    migrate("first")
    order = shop.Order(value=value).save()
    define(f"class Order(Stored):\n    value: {new}")
    migrations.revise(store, "change", directory=directory)
    with pytest.raises(NitroError, match=f"refuses: .*{re.escape(reason)}.*: nothing was changed; mend the rows"):
        migrations.upgrade(store, directory=directory)
    shop = define(f"class Order(Stored):\n    value: {old}")
    assert shop.Order.get(order.id).value == order.value
    assert (migrations.current(store) or "") in [revision for revision, _ in migrations.history(directory)][1:]


def test_a_column_that_came_with_a_default_may_change_its_type(define: Define, migrate: Callable[..., str]) -> None:
    shop = define("class Order(Stored):\n    name: str")
    migrate("first")
    key = shop.Order(name="x").save().id
    define("class Order(Stored):\n    name: str\n    size: str = '12'")
    migrate("second")
    shop = define("class Order(Stored):\n    name: str\n    size: int = 12")
    migrate("third")
    assert shop.Order.get(key).size == 12


def test_tables_of_others_are_left_alone(
    store: Database, define: Define, migrate: Callable[..., str], directory: Path
) -> None:
    with store.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE legacy (id INTEGER PRIMARY KEY)")
    define("class Order(Stored):\n    name: str")
    migrate("first")
    define("class Order(Stored):\n    name: str = ''\n    more: str = ''")
    revision = migrations.revise(store, "more", directory=directory)
    assert revision.notes == ["table legacy belongs to no class and is left alone; --drop legacy drops it"]
    migrations.upgrade(store, directory=directory)
    assert "legacy" in sa.inspect(store.engine).get_table_names()
    migrate("legacy", drops=["legacy"])
    assert "legacy" not in sa.inspect(store.engine).get_table_names()
    migrations.downgrade(store, directory=directory)
    assert "legacy" in sa.inspect(store.engine).get_table_names()


def test_a_drop_of_what_is_not_there_is_refused(
    store: Database, define: Define, migrate: Callable[..., str], directory: Path
) -> None:
    define("class Order(Stored):\n    name: str")
    migrate("first")
    for place in ("ordr", "order.totl", "order.name", "order"):
        with pytest.raises(
            ConfigurationError, match=f"--drop {re.escape(place)}: there is no such table or column, or a"
        ):
            migrations.revise(store, "second", directory=directory, drops=[place])
    assert len(migrations.history(directory)) == 1


def test_rows_that_refer_to_a_table_which_is_altered_stay(
    store: Database, define: Define, migrate: Callable[..., str], directory: Path
) -> None:
    source = (
        "class Order(Stored):\n    total: {}\n"
        "class Line(Stored):\n    order: str = Field(foreign_key='order.id', ondelete='CASCADE')"
    )
    shop = define(source.format("int"))
    migrate("first")
    order = shop.Order(total=5).save()
    line = shop.Line(order=order.id).save()
    shop = define(source.format("str"))
    script = migrate("second")
    assert shop.Order.get(order.id).total == "5"
    assert shop.Line.get(line.id).order == order.id
    with pytest.raises(nitro.ConstraintViolation):
        shop.Line(order="none").save()

    # A script that deletes what is referred to: SQLite follows no reference while tables are altered.
    (path,) = directory.glob("versions/*_second.py")
    emptying = "def downgrade() -> None:\n    op.execute('DELETE FROM \"order\"')"
    path.write_text(script.replace("def downgrade() -> None:", emptying), encoding="utf-8")
    if store.dialect.name == "sqlite":
        with pytest.raises(
            NitroError, match="a row of table line would refer to a row of table order that is not there"
        ):
            migrations.downgrade(store, directory=directory)
        assert shop.Order.get(order.id).total == "5"
    else:
        migrations.downgrade(store, directory=directory)
        assert rows(store, "SELECT * FROM line") == []


def test_a_sqlmodel_is_migrated_as_an_entity_is(store: Database, define: Define, migrate: Callable[..., str]) -> None:
    nitro.configure(sql_url=store.url.render_as_string(hide_password=False))
    # SQLModel warns of two classes of one name.
    team = f"TeamOn{store.dialect.name.title()}"
    try:
        shop = define(
            "from sqlmodel import Field as SQLField, SQLModel\n"
            f"class {team}(SQLModel, table=True):\n"
            "    __tablename__ = 'team'\n"
            "    id: int | None = SQLField(default=None, primary_key=True)\n"
            "    name: str = SQLField(index=True, unique=True)\n"
            "class Order(Stored):\n    team: int | None = Field(None, foreign_key='team.id')"
        )
        script = migrate("first")
        assert "AutoString" not in script
        assert "sqlmodel" not in script
        with sqlmodel.Session(store.engine) as session:
            session.add(getattr(shop, team)(name="red"))
            session.commit()
        assert shop.Order(team=1).save().team == 1
    finally:
        nitro.configure(sql_url=None)


def test_the_keys_of_idempotent_commands_get_their_table(
    store: Database, define: Define, migrate: Callable[..., str]
) -> None:
    define("class Order(Stored):\n    total: int = 0")
    assert "nitro_command_keys" not in migrate("first")
    shop = define(
        """
class Order(Stored):
    total: int = 0
    @command(idempotent=True)
    def pay(self, amount: int) -> int:
        self.total += amount
        return self.total
"""
    )
    assert "nitro_command_keys" in migrate("second")
    order = shop.Order().save()
    assert order.pay(5, idempotency_key="a") == order.pay(5, idempotency_key="a") == 5
    assert rows(store, "SELECT key, result FROM nitro_command_keys") == [("a", "5")]


def test_check_says_what_differs_and_what_mends_it(
    store: Database, define: Define, migrate: Callable[..., str], directory: Path
) -> None:
    define("class Order(Stored):\n    name: str = ''\n    note: str = ''")
    found = migrations.check(store, directory=directory / "none")
    assert found[0] == "there is no table order"
    assert found[1].startswith("`nitro db init --directory ")
    migrate("first")
    define("class Order(Stored):\n    name: int | None = None\n    more: str = Field('', unique=True, index=True)")
    text = "BIGINT"
    assert migrations.check(store, directory=directory) == [
        "there is no column order.more (VARCHAR)",
        f"column order.name is VARCHAR, and should be {text}",
        "column order.name must not be NULL, and may be",
        "there is no unique constraint on order (more)",
        "column order.note belongs to no field",
        '`nitro db revision -m "..."` and `nitro db upgrade` mend it',
    ]
    migrations.revise(store, "second", directory=directory, drops=["order.note"])
    (behind, remedy) = migrations.check(store, directory=directory)
    assert re.fullmatch(r".* is at \w+, and the last script is \w+", behind)
    assert remedy == "`nitro db upgrade` mends it"
    with pytest.raises(ConfigurationError, match="is not at the last script: `nitro db upgrade` first"):
        migrations.revise(store, "third", directory=directory)
    with pytest.raises(ConfigurationError, match="`nitro db history` lists the scripts"):
        migrations.upgrade(store, "nowhere", directory=directory)


def test_the_statements_can_be_had_instead(store: Database, define: Define, directory: Path) -> None:
    define("class Order(Stored):\n    name: str = ''")
    migrations.revise(store, "first", directory=directory)
    statements = "\n".join(migrations.upgrade(store, directory=directory, sql=True))
    assert 'CREATE TABLE "order" (' in statements
    assert sa.inspect(store.engine).get_table_names() == []
    with pytest.raises(ConfigurationError, match="downgrade --sql from:to"):
        migrations.downgrade(store, directory=directory, sql=True)


def test_an_index_keeps_its_directions_when_its_table_is_copied(
    store: Database, define: Define, migrate: Callable[..., str]
) -> None:
    source = "class Order(Stored):\n    name: str = ''\n    size: {} = 0\n    by_size = Index('name', '-size')"
    define(source.format("int"))
    migrate("first")
    define(source.format("float"))
    migrate("second")
    if store.dialect.name == "sqlite":
        directions = [row[3] for row in rows(store, "PRAGMA index_xinfo(ix_order_name_size)") if row[5]]
        assert directions == [0, 1]
    else:
        ((definition,),) = rows(store, "SELECT indexdef FROM pg_indexes WHERE indexname = 'ix_order_name_size'")
        assert "size DESC" in definition


def test_those_who_upgrade_together_take_turns(store: Database, define: Define, directory: Path) -> None:
    define("class Order(Stored):\n    name: str = ''")
    migrations.revise(store, "first", directory=directory)
    url = store.url.render_as_string(hide_password=False)
    command = [sys.executable, "-m", "nitro.cli", "db", "upgrade", "--url", url, "--directory", str(directory)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    outcomes = [process.communicate() for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], outcomes
    assert sorted(output.strip().split(" ")[0] for output, _ in outcomes) == ["nothing", "nothing", "up"]


DIALECTS = [SQLiteDialect_pysqlite(), PGDialect_psycopg()]
OURS = [Moment(), ExactDecimal(), ExactDecimal(10, 2), Span(), EnumValue(Colour), EnumValue(Size), Json(list[int])]


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
@pytest.mark.parametrize("type_", OURS, ids=repr)
def test_the_plain_type_makes_the_same_column(type_: TypeEngine[Any], dialect: sa.Dialect) -> None:
    plain = plain_type(type_)
    assert type(plain).__module__.startswith("sqlalchemy.")
    assert plain.dialect_impl(dialect).compile(dialect) == type_.dialect_impl(dialect).compile(dialect)


def test_every_type_of_ours_has_a_plain_one() -> None:
    assert {type(type_) for type_ in OURS} == set(_Coded.__subclasses__())
