"""Where the warning of a forgotten save points."""

import asyncio
import inspect
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from units_of_work import Order

from nitro import Repository, UnitOfWork, UnsavedChangesWarning, command


class Places:
    """Where a unit of work is entered."""

    def __init__(self, key: str) -> None:
        self.key = key

    def change(self) -> None:
        Order.get(self.key).total += 1

    async def achange(self) -> None:
        (await Order.aget(self.key)).total += 1

    def block(self) -> None:
        with UnitOfWork():  # the place
            self.change()

    @UnitOfWork()
    def decorated(self) -> None:  # the place
        self.change()

    def inner(self) -> None:
        with UnitOfWork():  # the place
            self.decorated()

    async def ablock(self) -> None:
        async with UnitOfWork():  # the place
            await self.achange()

    @UnitOfWork()
    async def adecorated(self) -> None:  # the place
        await self.achange()


def warnings_of(function: Callable[[], Any]) -> list[warnings.WarningMessage]:
    def run() -> None:
        answer = function()
        if inspect.iscoroutine(answer):
            asyncio.run(answer)

    with pytest.warns(UnsavedChangesWarning) as caught:
        run()
    return list(caught)


def assert_it_points_at(function: Callable[..., Any], caught: list[warnings.WarningMessage]) -> None:
    (warning,) = caught
    lines, first = inspect.getsourcelines(function)
    (place,) = [first + number for number, line in enumerate(lines) if "# the place" in line]
    # A function begins at its decorators.
    assert warning.filename == __file__
    assert warning.lineno in (place, first)


@pytest.mark.parametrize("name", ["block", "decorated", "inner", "ablock", "adecorated"])
def test_a_forgotten_save_is_told_where_the_unit_is_entered(repository: Repository, name: str) -> None:
    if repository.capabilities.live:
        return
    places = Places(Order().save().id)
    assert_it_points_at(getattr(Places, name), warnings_of(getattr(places, name)))


class Basket(Order):
    __tablename__ = "basket_of_handles"

    @command
    def fill(self) -> None:  # the place
        self.total += 1

        def change_later() -> None:
            self.total += 1

        # Its own changes a command saves.
        changes_while_saving.append(change_later)

    @command
    async def afill(self) -> None:  # the place
        self.total += 1
        changes_while_saving.append(lambda: None)


changes_while_saving: list[Callable[[], None]] = []
