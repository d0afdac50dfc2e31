"""A command that stores nothing but one entity needs no transaction, and yet keeps all of it or nothing."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from bank import Account
from pydantic import ValidationError

import nitro
from nitro import MemoryRepo, Repository
from nitro.backends.sql.statements import heard_by
from nitro.events import off, on, updated


class Careless(Account):
    __tablename__ = "bank_careless"

    @nitro.command
    def spoil(self) -> None:
        self.balance += 1
        self.notes.append(5)  # type: ignore[arg-type]

    @nitro.command
    async def aspoil(self) -> None:
        self.balance += 1
        self.notes.append(5)  # type: ignore[arg-type]

    @nitro.command
    async def apay_in(self, amount: int) -> None:
        self.balance += amount


@pytest.fixture
def careless(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> Careless:
    monkeypatch.setattr(Careless, "__nitro_backend__", repository)
    if not isinstance(repository, MemoryRepo):
        nitro.create_all(Careless)
    return Careless(owner="Ann", balance=1).save()


def sent_by(statements: list[str]) -> Any:
    def hear(_: Any, sql: str, __: Sequence[Any]) -> None:
        statements.append(sql.split()[0])

    return heard_by(hear)


def test_one_statement_is_sent(repository: Repository, careless: Careless) -> None:
    statements: list[str] = []
    with sent_by(statements):
        careless.pay_in(2)
    assert statements == ([] if isinstance(repository, MemoryRepo) else ["UPDATE"])
    assert Careless.get(careless.id).balance == 3


def test_one_statement_is_sent_by_async_code(repository: Repository, careless: Careless) -> None:
    statements: list[str] = []
    with sent_by(statements):
        asyncio.run(careless.apay_in(2))
    assert statements == ([] if isinstance(repository, MemoryRepo) else ["UPDATE"])
    assert Careless.get(careless.id).balance == 3


def test_a_new_entity_is_one_statement_too(repository: Repository, careless: Careless) -> None:
    statements: list[str] = []
    new = Careless(owner="Bob")
    with sent_by(statements):
        new.pay_in(2)
    assert statements == ([] if isinstance(repository, MemoryRepo) else ["INSERT"])
    assert Careless.get(new.id).balance == 2


def test_what_is_not_valid_any_more_is_taken_back(careless: Careless) -> None:
    careless.balance = 7
    with pytest.raises(ValidationError, match=r"notes"):
        careless.spoil()
    # What was assigned before the command is as it was before it.
    assert (careless.balance, careless.notes) == (7, [])
    careless.revert_changes()
    assert careless.balance == 1


def test_what_is_not_valid_any_more_is_taken_back_by_async_code(careless: Careless) -> None:
    with pytest.raises(ValidationError, match=r"notes"):
        asyncio.run(careless.aspoil())
    assert (careless.balance, careless.notes, careless.is_changed) == (1, [], False)


def test_handlers_hear_of_it(careless: Careless) -> None:
    heard: list[Any] = []

    @on(updated, Careless)
    def hear(account: Careless, changes: dict[str, Any]) -> None:
        heard.append((account.balance, changes))

    try:
        careless.pay_in(2)
    finally:
        off(hear)
    assert heard == [(3, {"balance": (1, 3)})]


def test_an_entity_with_a_save_of_its_own_is_saved_by_that() -> None:
    saved: list[int] = []

    class Counting(Account, backend=MemoryRepo()):
        def save(self, **options: Any) -> Any:
            saved.append(self.balance)
            return super().save(**options)

    Counting().pay_in(4)
    assert saved == [4]
