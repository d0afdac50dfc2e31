"""The sessions of SQLAlchemy's ORM and of SQLModel: one for each operation, as for each request of a web application.

Objects do not expire when they are committed, which spares another read.
"""

import datetime as dt
from typing import Any, ClassVar

import sqlalchemy as sa
import sqlmodel
from sqlalchemy import orm
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel.ext.asyncio.session import AsyncSession as AsyncSessionOfSqlmodel

from .engines import async_engine, sync_engine
from .orders import LIMIT
from .peers import Peer
from .places import Place

_JSON = sa.JSON().with_variant(JSONB(), "postgresql")


class Base(orm.DeclarativeBase):
    pass


class MappedOrder(Base):
    __tablename__ = "orm_orders"

    id: orm.Mapped[str] = orm.mapped_column(primary_key=True)
    address: orm.Mapped[dict[str, Any]] = orm.mapped_column(_JSON)
    placed: orm.Mapped[dt.datetime] = orm.mapped_column(sa.DateTime(timezone=True))
    customer: orm.Mapped[str] = orm.mapped_column(index=True)
    total: orm.Mapped[float]
    quantity: orm.Mapped[int] = orm.mapped_column(sa.BigInteger)
    paid: orm.Mapped[bool]
    note: orm.Mapped[str | None]


class SqlmodelOrder(sqlmodel.SQLModel, table=True):
    __tablename__: ClassVar[Any] = "sqlmodel_orders"

    id: str = sqlmodel.Field(primary_key=True)
    address: dict[str, Any] = sqlmodel.Field(sa_type=_JSON)  # type: ignore[call-overload]
    placed: dt.datetime = sqlmodel.Field(sa_type=sa.DateTime(timezone=True))  # type: ignore[call-overload]
    customer: str = sqlmodel.Field(index=True)
    total: float
    quantity: int = sqlmodel.Field(sa_type=sa.BigInteger)
    paid: bool
    note: str | None = None


class Orm(Peer):
    name = "SQLAlchemy ORM"
    table = "orm_orders"
    order: type[Any] = MappedOrder
    session: type[Any] = orm.Session
    async_session: type[Any] = AsyncSession

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        url = place.url(self.table)
        self.engine, self.engine_of_loop = sync_engine(url), async_engine(url)
        order = self.order
        self.every = sa.select(order)
        self.dearest = self.every.order_by(order.total.desc()).limit(LIMIT)

    def prepare(self) -> None:
        self.order.__table__.create(self.engine)

    def opened(self) -> Any:
        return self.session(self.engine, expire_on_commit=False)

    def insert(self, given: Any) -> Any:
        with self.opened() as session:
            session.add(self.order(**given))
            session.commit()

    def get(self, key: str) -> Any:
        with self.opened() as session:
            return session.get(self.order, key)

    def change(self, asked: tuple[str, float]) -> Any:
        key, total = asked
        with self.opened() as session:
            order = session.get(self.order, key)
            order.total = total
            session.commit()

    def query(self, customer: str) -> Any:
        with self.opened() as session:
            return session.scalars(self.dearest.where(self.order.customer == customer)).all()

    def load(self, _: Any) -> Any:
        with self.opened() as session:
            return session.scalars(self.every).all()

    def insert_many(self, given: list[Any]) -> Any:
        with self.opened() as session:
            session.add_all([self.order(**one) for one in given])
            session.commit()

    async def aget(self, key: str) -> Any:
        async with self.async_session(self.engine_of_loop, expire_on_commit=False) as session:
            return await session.get(self.order, key)

    def close(self) -> None:
        self.engine.dispose()

    async def aclose(self) -> None:
        await self.engine_of_loop.dispose()


class Sqlmodel(Orm):
    name = "SQLModel"
    table = "sqlmodel_orders"
    order = SqlmodelOrder
    session = sqlmodel.Session
    async_session = AsyncSessionOfSqlmodel

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.every = sqlmodel.select(SqlmodelOrder)
        self.dearest = self.every.order_by(sqlmodel.col(SqlmodelOrder.total).desc()).limit(LIMIT)

    def query(self, customer: str) -> Any:
        with self.opened() as session:
            return session.exec(self.dearest.where(self.order.customer == customer)).all()

    def load(self, _: Any) -> Any:
        with self.opened() as session:
            return session.exec(self.every).all()
