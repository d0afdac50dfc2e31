"""Idempotency keys are forgotten when nobody would repeat a call with them any more."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from bank import Account

import nitro
from nitro import MemoryRepo, Repository, SQLModelBackend, UnitOfWork, UnsupportedQuery
from nitro.backends.sql import statements
from nitro.commands import aforget_keys, forget_keys
from nitro.repository import substitute
from nitro.testing import frozen_clock
from nitro.testing.clock import FrozenClock

DAY = 24 * 3600


@pytest.fixture
def clock() -> Iterator[FrozenClock]:
    with frozen_clock() as clock:
        yield clock


def balance_of(key: str) -> int:
    return Account.where(id=key).sum("balance")


@pytest.mark.usefixtures("repository")
class TestForgetting:
    def test_a_day_is_how_long_they_are_kept(self, clock: FrozenClock) -> None:
        account = Account().save()
        account.pay_in_once(5, idempotency_key="old")
        clock.tick(DAY / 2)
        account.pay_in_once(5, idempotency_key="young")
        clock.tick(DAY / 2)
        assert forget_keys(Account) == 0
        clock.tick(1)
        assert forget_keys(Account) == 1
        assert forget_keys(Account) == 0
        account.pay_in_once(5, idempotency_key="young")
        assert balance_of(account.id) == 10
        # It runs anew, also with other arguments.
        account.pay_in_once(7, idempotency_key="old")
        assert balance_of(account.id) == 17

    def test_a_repetition_makes_none_younger(self, clock: FrozenClock) -> None:
        account = Account().save()
        account.pay_in_once(5, idempotency_key="a")
        clock.tick(DAY)
        account.pay_in_once(5, idempotency_key="a")
        clock.tick(1)
        assert forget_keys(Account) == 1

    def test_any_age_can_be_said(self, clock: FrozenClock) -> None:
        account = Account().save()
        account.pay_in_once(5, idempotency_key="a")
        clock.tick(61)
        assert forget_keys(Account, older_than=timedelta(hours=1)) == 0
        assert forget_keys(Account, older_than=timedelta(minutes=1)) == 1

    def test_async_code_forgets_them_too(self, clock: FrozenClock) -> None:
        async def run() -> None:
            account = await Account().asave()
            await account.apay_in_once(5, idempotency_key="a")
            clock.tick(DAY + 1)
            assert await aforget_keys(Account) == 1
            await account.apay_in_once(5, idempotency_key="a")
            assert (await Account.aget(account.id)).balance == 10
            assert await aforget_keys(Account, older_than=timedelta(hours=1)) == 0

        asyncio.run(run())

    def test_the_machines_own_clock_counts_where_no_test_says_what_time_it_is(self) -> None:
        account = Account().save()
        account.pay_in_once(5, idempotency_key="a")
        assert forget_keys(Account, older_than=timedelta(seconds=60)) == 0
        assert forget_keys(Account, older_than=timedelta(0)) == 1

    def test_one_that_is_forgotten_in_the_midst_of_a_repetition_is_harmless(self, clock: FrozenClock) -> None:
        account = Account().save()
        account.pay_in_once(5, idempotency_key="a")
        clock.tick(DAY + 1)
        with UnitOfWork():
            assert account.pay_in_once(5, idempotency_key="a").balance == 5
            assert forget_keys(Account) == 1
        account.pay_in_once(5, idempotency_key="a")
        assert balance_of(account.id) == 10

    def test_what_is_no_age_is_an_error(self) -> None:
        with pytest.raises(ValueError, match="older_than takes a timedelta from 0 on, got -1 day"):
            forget_keys(Account, older_than=timedelta(days=-1))
        with pytest.raises(ValueError, match="older_than takes a timedelta from 0 on, got 3600"):
            forget_keys(Account, older_than=3600)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="older_than takes a timedelta"):
            asyncio.run(aforget_keys(Account, older_than=timedelta(days=-1)))


def test_without_a_class_it_is_those_of_all_that_have_such_commands() -> None:
    forgotten: list[Any] = []

    class Noting(MemoryRepo):
        def forget_command_keys(self, older_than: timedelta) -> int:
            forgotten.append(older_than)
            return super().forget_command_keys(older_than)

    store = Noting()
    before = substitute(lambda entity_class: store)
    try:
        assert forget_keys() == 0
    finally:
        substitute(before)
    # Each store once, however many classes live there.
    assert forgotten == [timedelta(days=1)]


def test_a_class_without_such_commands_has_none() -> None:
    class Plain(nitro.Entity):
        pass

    assert forget_keys(Plain) == 0
    with pytest.raises(TypeError, match="forget_keys takes classes of entities, got 3"):
        forget_keys(3)  # type: ignore[arg-type]


def test_a_database_without_the_table_has_none(tmp_path: Any) -> None:
    class Till(nitro.Entity, backend=SQLModelBackend(f"sqlite:///{tmp_path}/none.db")):
        __tablename__ = "keys_tills_without"

        @nitro.command(idempotent=True)
        def add(self) -> None: ...

    assert forget_keys(Till) == 0
    assert asyncio.run(aforget_keys(Till)) == 0


def test_a_backend_that_keeps_none_says_so() -> None:
    class Five(Repository):
        def get(self, entity_class: Any, key: Any) -> Any: ...
        def select(self, query: Any) -> Any: ...
        def save(self, entity: Any, *, ttl: Any = ...) -> None: ...
        def delete(self, entity: Any) -> None: ...
        def refresh(self, entity: Any) -> None: ...

    class Till(nitro.Entity, backend=Five()):
        @nitro.command(idempotent=True)
        def add(self) -> None: ...

    with pytest.raises(UnsupportedQuery, match="Five keeps no idempotency keys"):
        forget_keys(Till)
    with pytest.raises(UnsupportedQuery, match=r"Five keeps no keys, which .*add with idempotent=True needs"):
        Till().add(idempotency_key="a")


@pytest.mark.parametrize("repository", ["sqlite", "postgresql"], indirect=True)
def test_a_key_that_goes_between_two_statements_is_claimed_again(repository: Any) -> None:
    """Somebody forgets it after this call has found it taken, and before it has read what was recorded."""
    account = Account().save()
    account.pay_in_once(5, idempotency_key="a")

    def forget(store: Any, sql: str, *_: Any) -> None:
        if sql.startswith("SELECT") and "nitro_command_keys" in sql:
            statements.remove(forget)
            assert forget_keys(Account, older_than=timedelta(0)) == 1

    statements.add(forget)
    account.pay_in_once(5, idempotency_key="a")
    assert forget not in statements.listeners
    account.pay_in_once(5, idempotency_key="a")
    assert balance_of(account.id) == 10
