"""SQLAlchemy Core: statements made once, a connection of the engine's pool for each operation; rows, decoded."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from .engines import async_engine, sync_engine
from .orders import LIMIT
from .peers import Peer
from .places import Place

_ORDERS = sa.Table(
    "core_orders",
    sa.MetaData(),
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("address", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
    sa.Column("placed", sa.DateTime(timezone=True), nullable=False),
    sa.Column("customer", sa.String, nullable=False, index=True),
    sa.Column("total", sa.Float, nullable=False),
    sa.Column("quantity", sa.BigInteger, nullable=False),
    sa.Column("paid", sa.Boolean, nullable=False),
    sa.Column("note", sa.String),
)
_INSERT = sa.insert(_ORDERS)
_EVERY = sa.select(_ORDERS)
_GET = _EVERY.where(_ORDERS.c.id == sa.bindparam("key"))
_CHANGE = sa.update(_ORDERS).where(_ORDERS.c.id == sa.bindparam("key")).values(total=sa.bindparam("given"))
_QUERY = _EVERY.where(_ORDERS.c.customer == sa.bindparam("asked")).order_by(_ORDERS.c.total.desc()).limit(LIMIT)


class Core(Peer):
    name = "SQLAlchemy Core"
    table = _ORDERS.name

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        url = place.url(self.table)
        self.engine, self.engine_of_loop = sync_engine(url), async_engine(url)

    def prepare(self) -> None:
        _ORDERS.metadata.create_all(self.engine)

    def insert(self, given: Any) -> Any:
        with self.engine.begin() as connection:
            return connection.execute(_INSERT, given).rowcount

    def get(self, key: str) -> Any:
        with self.engine.connect() as connection:
            return connection.execute(_GET, {"key": key}).one()

    def change(self, asked: tuple[str, float]) -> Any:
        key, total = asked
        with self.engine.begin() as connection:
            connection.execute(_GET, {"key": key}).one()
            return connection.execute(_CHANGE, {"key": key, "given": total}).rowcount

    def query(self, customer: str) -> Any:
        with self.engine.connect() as connection:
            return connection.execute(_QUERY, {"asked": customer}).all()

    def load(self, _: Any) -> Any:
        with self.engine.connect() as connection:
            return connection.execute(_EVERY).all()

    def insert_many(self, given: list[Any]) -> Any:
        with self.engine.begin() as connection:
            connection.execute(_INSERT, given)

    async def aget(self, key: str) -> Any:
        async with self.engine_of_loop.connect() as connection:
            return (await connection.execute(_GET, {"key": key})).one()

    def close(self) -> None:
        self.engine.dispose()

    async def aclose(self) -> None:
        await self.engine_of_loop.dispose()
