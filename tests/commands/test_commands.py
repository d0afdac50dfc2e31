"""What a command changes is saved, kept together, or taken back; a query changes nothing."""

import asyncio
import warnings

import pytest
from bank import Account

import nitro
from nitro import UnitOfWork, UnitOfWorkError

pytestmark = pytest.mark.usefixtures("repository")


def stored(account: Account) -> int:
    """The balance as everybody else sees it."""
    return Account.where(id=account.id).sum("balance")


def test_what_a_command_changes_is_saved() -> None:
    account = Account().save()
    assert account.pay_in("5", note="rent") == 5
    assert not account.is_changed
    assert stored(account) == 5
    assert Account.get(account.id).notes == ["rent"]


def test_a_new_entity_is_saved_by_its_command() -> None:
    account = Account(owner="Ann")
    account.pay_in(3)
    assert Account.get(account.id).balance == 3


def test_a_command_on_an_entity_that_it_deletes_leaves_it_deleted() -> None:
    class Leaving(Account):
        @nitro.command
        def leave(self) -> None:
            self.delete()

    Leaving.__tablename__ = "bank_leaving"
    repository = Account.__nitro_backend__
    if isinstance(repository, nitro.SQLModelBackend):
        nitro.create_all(Leaving)
    account = Leaving().save()
    account.leave()
    assert Leaving.get_or_none(account.id) is None


def test_an_error_takes_everything_back() -> None:
    account, other = Account(balance=3).save(), Account().save()
    with pytest.raises(ValueError, match="not so much"):
        account.transfer_to(other.id, 5)
    assert (account.balance, stored(account), stored(other)) == (3, 3, 0)
    assert not account.is_changed
    with pytest.raises(ValueError, match="not so much"):
        account.transfer(other, 5)
    assert (account.balance, other.balance, stored(account), stored(other)) == (3, 0, 3, 0)


def test_entities_that_it_loads_or_is_given_are_saved_too() -> None:
    account, other = Account(balance=10).save(), Account().save()
    account.transfer_to(other.id, 4)
    assert (stored(account), stored(other)) == (6, 4)
    other.refresh()
    account.transfer(other=other, amount=1)
    assert (stored(account), stored(other)) == (5, 5)


def test_so_are_those_in_lists_and_dictionaries() -> None:
    accounts = [Account().save() for _ in range(4)]

    @nitro.command
    def pay_in(first: list[Account], *others: dict[str, list[Account]], last: tuple[Account, ...]) -> None:
        for number, account in enumerate([*first, *(one for other in others for one in other["a"]), *last]):
            account.balance = number
        if number == 0:
            raise ValueError("nobody else")

    pay_in(accounts[:1], {"a": accounts[1:3]}, last=(accounts[3],))
    assert [stored(account) for account in accounts] == [0, 1, 2, 3]
    accounts[0].balance = 7
    accounts[0].save()
    with pytest.raises(ValueError, match="nobody else"):
        pay_in([], {"a": accounts[:1]}, last=())
    assert accounts[0].balance == stored(accounts[0]) == 7


def test_an_async_command_does_the_same() -> None:
    async def run() -> None:
        account, other = await Account(balance=10).asave(), await Account().asave()
        await account.atransfer_to(other.id, "4")
        assert [one.balance for one in await Account.where().order_by("balance").aall()] == [4, 6]
        with pytest.raises(ValueError, match="not so much"):
            await account.atransfer_to(other.id, 40)
        assert account.balance == 6
        assert sorted([one.balance for one in await Account.aall()]) == [4, 6]

    asyncio.run(run())


def test_a_command_inside_of_a_unit_of_work_is_part_of_it() -> None:
    account = Account(balance=1).save()
    with pytest.raises(ZeroDivisionError), UnitOfWork():
        account.pay_in(5)
        assert stored(account) == 6
        raise ZeroDivisionError
    assert (account.balance, stored(account)) == (1, 1)


def test_changes_from_before_the_call_stay_when_it_fails() -> None:
    account = Account(balance=1).save()
    account.owner = "Ann"
    with pytest.raises(ValueError, match="not so much"):
        account.pay_out(5)
    assert (account.owner, account.balance, account.changed_fields) == ("Ann", 1, {"owner"})


def test_a_query_gives_its_answer_and_saves_nothing() -> None:
    account = Account(balance=5).save()
    assert account.is_rich("5")
    assert not account.is_rich(from_=6)
    new = Account(balance=5)
    assert new.is_rich(5)
    assert Account.get_or_none(new.id) is None


def test_a_query_leaves_what_was_changed_before_alone_without_a_word() -> None:
    account = Account(balance=5).save()
    account.balance = 7
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert account.is_rich(7)
    assert account.changes == {"balance": (5, 7)}


def test_a_query_that_changes_an_entity_is_an_error_that_names_it() -> None:
    account = Account(balance=5).save()
    with pytest.raises(
        UnitOfWorkError, match=rf"Account.curious is a query, and has changed Account '{account.id}' \(balance\)"
    ):
        account.curious()
    assert (account.balance, stored(account), account.is_changed) == (5, 5, False)

    async def run() -> None:
        with pytest.raises(UnitOfWorkError, match=r"Account.acurious is a query, and has changed Account"):
            await account.acurious(account.id)

    asyncio.run(run())
    assert (account.balance, stored(account)) == (5, 5)


def test_a_query_cannot_save_and_call_a_command() -> None:
    account = Account().save()
    with pytest.raises(UnitOfWorkError, match=r"Account.meddling is a query, which writes nothing"):
        account.meddling()
    assert Account.where().count() == 1


def test_a_query_inside_of_a_command_sees_what_is_not_saved_yet() -> None:
    account = Account(balance=5).save()

    @nitro.command
    def enrich(account: Account) -> bool:
        account.balance += 1000
        return account.is_rich()

    assert enrich(account)
    assert stored(account) == 1005


def test_functions_and_classmethods_are_commands_too() -> None:
    account = Account.open("Ann", balance="3")
    assert (account.owner, stored(account)) == ("Ann", 3)

    @nitro.command
    def close_all(below: int) -> int:
        return Account.where(Account.balance < below).delete()

    assert close_all("4") == 1
    assert Account.where().count() == 0


def test_the_signals_of_what_it_saved_are_sent_after_the_commit() -> None:
    from nitro import events

    account, heard = Account().save(), []

    def hear(sender: Account, changes: dict) -> None:
        heard.append((stored(sender), changes["balance"]))

    with events.updated.connected_to(hear):
        account.pay_in(2)
        account.pay_in(3)
    assert heard == [(2, (0, 2)), (5, (2, 5))]
