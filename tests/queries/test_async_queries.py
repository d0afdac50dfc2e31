"""Every verb of a query has an asynchronous twin that answers the same."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from nitro import Entity, EntityNotFound, Field, MemoryRepo, NitroError, UnknownFieldError

store = MemoryRepo()


class Order(Entity, backend=store):
    name: str
    total: int = Field(0, index=True)


@pytest.fixture(autouse=True)
def _orders(_stores_in_step: None) -> None:
    Order.save_all(Order(name=name, total=number % 3) for number, name in enumerate("abcdef"))


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(coroutine)


QUERY = Order.where(Order.total > 0).order_by("-total", "name")


@pytest.mark.parametrize("verb", ["all", "first", "count", "exists"])
def test_reading(verb):
    assert run(getattr(QUERY, "a" + verb)()) == getattr(QUERY, verb)()


def test_one():
    assert run(Order.where(name="c").aone()).name == "c"
    assert run(Order.where(name="c").aone_or_none()).name == "c"
    assert run(Order.where(name="z").aone_or_none()) is None
    with pytest.raises(EntityNotFound):
        run(Order.where(name="z").aone())
    with pytest.raises(NitroError, match="several Order"):
        run(QUERY.aone())
    with pytest.raises(NitroError, match="several Order"):
        run(QUERY.aone_or_none())


def test_a_loop():
    async def loop() -> list[str]:
        return [order.name async for order in QUERY]

    assert run(loop()) == [order.name for order in QUERY] == ["c", "f", "b", "e"]


def test_pages():
    async def walk() -> list[str]:
        page = await QUERY.apage(limit=3, total=True)
        assert page.total == 4
        rest = await QUERY.apage(limit=3, after=page.next_cursor)
        assert rest.next_cursor is None
        return [order.name for order in [*page, *rest]]

    assert run(walk()) == ["c", "f", "b", "e"]
    with pytest.raises(ValueError, match="limit takes a number from 1 on"):
        run(QUERY.apage(limit=0))


def test_sums():
    async def sums() -> tuple[Any, ...]:
        query = Order.where()
        grouped = query.group_by("total")
        return (
            await query.asum("total"),
            await query.aavg("total"),
            await query.amin("name"),
            await query.amax("name"),
            await grouped.acount(),
            await grouped.asum("total"),
            await grouped.aavg("total"),
            await grouped.amin("name"),
            await grouped.amax("name"),
        )

    assert run(sums()) == (
        6,
        1.0,
        "a",
        "f",
        {0: 2, 1: 2, 2: 2},
        {0: 0, 1: 2, 2: 4},
        {0: 0.0, 1: 1.0, 2: 2.0},
        {0: "a", 1: "b", 2: "c"},
        {0: "d", 1: "e", 2: "f"},
    )


def test_changing():
    assert run(Order.where(total=2).aupdate(total=5)) == 2
    assert Order.where(total=5).count() == 2
    assert run(Order.where(total=5).adelete()) == 2
    assert Order.where().count() == 4
    with pytest.raises(UnknownFieldError, match="did you mean 'total'"):
        run(Order.where().aupdate(totl=1))
