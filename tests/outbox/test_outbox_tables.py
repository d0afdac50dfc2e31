"""The tables of the outbox are made, and known to migrations, where something is to be kept in them."""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import nitro
from nitro import Entity, SQLModelBackend, on
from nitro.backends.sql import migrations
from nitro.backends.sql.database import database
from nitro.backends.sql.tables import plain_metadata, tables_of
from nitro.outbox import Relay


def tables_in(url: str) -> set[str]:
    return {name for name in sa.inspect(SQLModelBackend(url).engine).get_table_names() if name.startswith("nitro_")}


def order_class(url: str) -> Any:
    class Order(Entity, backend=SQLModelBackend(url)):
        __tablename__ = "outbox_order"

    return Order


def nothing(order: Any) -> None:
    pass


BOTH = {"nitro_outbox", "nitro_inbox"}


def test_without_a_durable_handler_there_are_none(url: str) -> None:
    nitro.create_all(order_class(url))
    assert tables_in(url) == set()


def test_a_durable_handler_has_them_made(url: str) -> None:
    on("order-placed", durable=True)(nothing)
    nitro.create_all(order_class(url))
    assert tables_in(url) == BOTH
    # What is there is looked at, and will do.
    nitro.create_all(order_class(url))


def test_a_relay_has_them_made(url: str) -> None:
    relay = Relay(url)
    nitro.create_all(order_class(url))
    assert tables_in(url) == BOTH
    assert relay.run_once() == 0


def test_they_are_made_only_where_the_senders_are(url: str, tmp_path: Path) -> None:
    Order = order_class(url)

    class Customer(Entity, backend=SQLModelBackend(f"sqlite:///{tmp_path / 'customers.db'}")):
        pass

    on("order-placed", Order, durable=True)(nothing)
    nitro.create_all(Order, Customer)
    assert tables_in(url) == BOTH
    assert tables_in(f"sqlite:///{tmp_path / 'customers.db'}") == set()


def test_a_handler_of_a_base_class_has_them_made_where_its_subclasses_are(url: str) -> None:
    class Thing(Entity):
        pass

    class Stored(Thing, backend=SQLModelBackend(url)):
        pass

    on("thing-made", Thing, durable=True)(nothing)
    nitro.create_all(Stored)
    assert tables_in(url) == BOTH


def test_a_table_that_will_not_do_is_told(url: str) -> None:
    on("order-placed", durable=True)(nothing)
    Order = order_class(url)
    SQLModelBackend(url).database.execute("CREATE TABLE nitro_outbox (id VARCHAR PRIMARY KEY)", ())
    with pytest.raises(nitro.NitroError):
        nitro.create_all(Order)


def test_migrations_make_them_and_find_nothing_to_do_then(url: str, tmp_path: Path) -> None:
    order_class(url)
    on("order-placed", durable=True)(nothing)
    store, directory = database(url), tmp_path / "migrations"
    migrations.initialise(directory)
    said = migrations.revise(store, "outbox", directory=directory).changes
    assert {"there is no table nitro_outbox", "there is no table nitro_inbox"} <= set(said)
    migrations.upgrade(store, directory=directory)
    assert migrations.check(store, directory=directory) == []
    assert tables_in(url) == BOTH
    assert Relay(url).run_once() == 0
    migrations.downgrade(store, directory=directory)
    assert tables_in(url) == set()


def test_alembic_of_your_own_sees_them(url: str) -> None:
    order_class(url)
    assert not BOTH & plain_metadata().tables.keys()
    on("order-placed", durable=True)(nothing)
    assert plain_metadata().tables.keys() >= BOTH
    assert tables_of(database(url)).keys() >= BOTH
