"""Where there is no outbox, durable handlers run in this process after the commit, and a warning says so once."""

import asyncio
import warnings
from typing import Any

import pytest
from durable_shop import placed

import nitro
from nitro import DurabilityWarning, Entity, MemoryRepo, UnitOfWork, asend, on
from nitro.testing import nitro_memory


def test_they_run_after_the_commit() -> None:
    seen: list[str] = []

    class Order(Entity, backend=MemoryRepo()):
        pass

    on(placed, durable=True)(lambda order: seen.append("ran"))
    order = Order().save()
    unit = UnitOfWork()
    unit.__enter__()
    with pytest.warns(
        DurabilityWarning, match="events of Order are lost if this process ends: MemoryRepo has no outbox"
    ):
        placed.send(order)
    assert seen == []
    unit.__exit__(None, None, None)
    assert seen == ["ran"]
    with pytest.raises(ZeroDivisionError), UnitOfWork():
        placed.send(Order().save())
        1 / 0  # noqa: B018
    assert seen == ["ran"]


def test_the_warning_comes_once_for_each_class() -> None:
    class Order(Entity):
        pass

    class Refund(Entity):
        pass

    on(placed, durable=True)(lambda order: None)
    with warnings.catch_warnings(record=True, action="always", category=DurabilityWarning) as caught:
        for entity in (Order(), Order(), Refund()):
            placed.send(entity)
    assert [str(warning.message).split()[2] for warning in caught] == ["Order", "Refund"]


def test_outside_of_a_unit_of_work_they_run_at_once_all_of_them() -> None:
    seen: list[str] = []

    class Order(Entity):
        pass

    def fails(order: Any) -> None:
        raise ValueError("no stamp")

    def works(order: Any, gift: bool) -> None:
        seen.append(f"ran {gift}")

    on(placed, durable=True)(fails)
    on(placed, durable=True)(works)
    with pytest.warns(DurabilityWarning), pytest.raises(ExceptionGroup) as raised:
        placed.send(Order(), gift=True, other=1)
    assert raised.group_contains(ValueError, match="no stamp")
    assert seen == ["ran True"]


def test_async_code_awaits_them() -> None:
    seen: list[str] = []

    class Order(Entity):
        pass

    async def handle(order: Any) -> None:
        await asyncio.sleep(0)
        seen.append("ran")

    on(placed, durable=True)(handle)

    async def main() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DurabilityWarning)
            await asend(placed, Order())
            assert seen == ["ran"]
            async with UnitOfWork():
                await asend(placed, Order())
                placed.send(Order())
                assert seen == ["ran"]
            assert seen == ["ran", "ran", "ran"]

    asyncio.run(main())


def test_a_test_that_keeps_entities_nitro_memory_is_not_warned() -> None:
    seen: list[str] = []

    class Order(Entity, backend=nitro.SQLModelBackend("sqlite:///nowhere/at/all.db")):
        pass

    on(placed, durable=True)(lambda order: seen.append("ran"))
    with nitro_memory():
        placed.send(Order().save())
    assert seen == ["ran"]
