"""Every verb has a twin for async code."""

import asyncio
import inspect
from typing import Any

import pytest
from pydantic import ValidationError

from nitro import Entity, EntityNotFound, MemoryRepo, NitroError, Query


def define() -> Any:
    class Order(Entity, backend=MemoryRepo()):
        name: str = "a"
        total: float = 0.0

    return Order


def test_every_verb_has_its_twin():
    for name in ("get", "get_or_none", "get_many", "all", "create", "save_all", "save", "delete", "refresh"):
        twin = getattr(Entity, f"a{name}")
        assert inspect.iscoroutinefunction(inspect.unwrap(getattr(twin, "__func__", twin)))
        plain, other = inspect.signature(getattr(Entity, name)), inspect.signature(twin)
        assert list(plain.parameters) == list(other.parameters)


def test_the_twins_do_the_same():
    order_class = define()

    async def session() -> None:
        order = await order_class(name="a").asave()
        assert await order_class.aget(order.id) is order
        assert await order_class.aget_or_none(order.id) is order
        assert await order_class.aget_or_none("nothing") is None
        assert await order_class.aget_many([order.id, "nothing"]) == [order]
        made = await order_class.acreate(name="b")
        assert await order_class.aall() == [order, made]
        third = order_class(name="c")
        assert await order_class.asave_all([third]) == [third]
        copied = third.model_copy(deep=True)
        third.total = 5.0
        await third.asave()
        assert await copied.arefresh() is copied
        assert copied.total == 5.0
        assert await third.adelete() is None
        assert await order_class.aall() == [order, made]

    asyncio.run(session())
    assert len(order_class.all()) == 2


def test_the_twins_fail_the_same():
    order_class = define()

    async def session() -> None:
        with pytest.raises(EntityNotFound):
            await order_class.aget("nothing")
        with pytest.raises(EntityNotFound):
            await order_class().adelete()
        with pytest.raises(EntityNotFound):
            await order_class().arefresh()
        with pytest.raises(ValidationError):
            await order_class.acreate(name=5)
        with pytest.raises(TypeError, match="save_all"):
            await order_class.asave_all([5])

    asyncio.run(session())


def test_queries_in_async_code():
    order_class = define()

    async def session() -> None:
        for name in "aab":
            await order_class.acreate(name=name)
        query: Query[Any] = order_class.where(name="a")
        assert len(await query.aall()) == await query.acount() == 2
        assert [order.name async for order in query] == ["a", "a"]
        assert (await query.afirst()).name == "a"
        assert await query.aexists()
        assert (await order_class.where(name="b").aone()).name == "b"
        assert await order_class.where(name="z").aone_or_none() is None
        with pytest.raises(NitroError):
            await query.aone()
        assert await query.adelete() == 2
        assert len(await order_class.aall()) == 1

    asyncio.run(session())


def test_an_overridden_verb_is_what_its_twin_does():
    class Order(Entity, backend=MemoryRepo()):
        name: str = "a"

        def save(self, **options: Any) -> Any:
            self.name = self.name.upper()
            return super().save(**options)

    async def session() -> None:
        assert (await Order(name="b").asave()).name == "B"
        assert Order.create(name="c").name == "C"
        assert (await Order.acreate(name="d")).name == "D"

    asyncio.run(session())


def test_many_tasks_at_once():
    order_class = define()

    async def work(number: int) -> None:
        order = await order_class(id=str(number)).asave()
        order.total += 1
        await asyncio.sleep(0)
        await order.asave()

    async def session() -> None:
        await asyncio.gather(*(work(number) for number in range(200)))

    asyncio.run(session())
    assert all(order.total == 1.0 for order in order_class.all())
    assert len(order_class.all()) == 200
