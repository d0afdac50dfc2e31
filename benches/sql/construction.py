"""Making an instance of a class that has a table: no database is at stake."""

import datetime as dt
import gc
from typing import Any

import nitro

from ..timing import compile_loop, nanoseconds
from .django_orm import Django
from .django_orm import Order as DjangoOrder
from .entities import NITRO, Address
from .measure import Figures
from .operations import CONSTRUCT, CONSTRUCT_UNCHECKED, IN_MEMORY, SQLMODEL
from .orders import NEW, orders
from .sessions import MappedOrder, Orm, SqlmodelOrder


class Order(nitro.SQLEntity, table=True):
    __tablename__ = "nitro_sql_orders"

    id: str = nitro.Field(primary_key=True)
    address: Address
    placed: dt.datetime
    customer: str = nitro.Field(index=True)
    total: float
    quantity: int
    paid: bool
    note: str | None = None


def measure_construction(*, rounds: int) -> Figures:
    """The times of classes with a table, of each peer that has such a thing."""
    (values,) = orders(1, NEW)
    names: dict[str, Any] = {
        "values": values,
        "Entity": Order,
        "Sqlmodel": SqlmodelOrder,
        "Mapped": MappedOrder,
        "DjangoOrder": DjangoOrder,
    }
    # What SQLAlchemy does for the first instance of all.
    SqlmodelOrder(**values), MappedOrder(**values), Order(**values)
    figures = Figures(IN_MEMORY)
    ours = "Entity(**values)"
    for title, statements in {
        CONSTRUCT: {NITRO: ours, SQLMODEL: "Sqlmodel.model_validate(values)"},
        CONSTRUCT_UNCHECKED: {
            NITRO: ours,
            SQLMODEL: "Sqlmodel(**values)",
            Orm.name: "Mapped(**values)",
            Django.name: "DjangoOrder(**values)",
        },
    }.items():
        gc.collect()
        loops = {peer: compile_loop(statement, names) for peer, statement in statements.items()}
        figures.samples[title] = {
            peer: [one * 1e-9 for one in taken] for peer, taken in nanoseconds(loops, rounds=rounds).items()
        }
    return figures
