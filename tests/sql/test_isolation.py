"""Isolation levels: how far transactions that go on at the same time are kept apart."""

import asyncio
import threading
from collections.abc import Callable, Iterator

import pytest
from wallets import DATABASES, Purse, purses_in

from nitro import NitroError, SQLModelBackend, WriteConflict

LEVELS = ["read committed", "repeatable read", "serializable"]


@pytest.fixture(params=DATABASES)
def repository(request: pytest.FixtureRequest) -> Iterator[SQLModelBackend]:
    with purses_in(request) as repository:
        yield repository


@pytest.fixture(params=["postgresql"])
def server(request: pytest.FixtureRequest) -> Iterator[SQLModelBackend]:
    """A database in which several write at the same time."""
    with purses_in(request) as repository:
        yield repository


@pytest.mark.parametrize("level", LEVELS)
def test_a_transaction_has_the_level_that_it_asks_for(repository: SQLModelBackend, level: str) -> None:
    database = repository.database

    async def story() -> None:
        async with repository.atransaction(isolation=level):
            await Purse(owner="Bob").asave()
            if database.dialect.name == "postgresql":
                assert await database.afetch_one("SHOW transaction_isolation", ()) == (level,)

    with repository.transaction(isolation=level):
        Purse(owner="Ann").save()
        if database.dialect.name == "postgresql":
            assert database.fetch_one("SHOW transaction_isolation", ()) == (level,)
    asyncio.run(story())
    assert Purse.where().count() == 2


def test_one_inside_of_another_takes_its_level_or_none(repository: SQLModelBackend) -> None:
    with repository.transaction(isolation="serializable"):
        with repository.transaction(), repository.transaction(isolation="serializable"):
            Purse().save()
        with pytest.raises(NitroError, match=r"'read committed' cannot be part .* begun as 'serializable'"):
            repository.transaction(isolation="read committed").__enter__()
    with repository.transaction():
        with pytest.raises(NitroError, match="begun without a level: ask for the level where the outer one begins"):
            repository.transaction(isolation="serializable").__enter__()
        Purse().save()

    async def story() -> None:
        async with repository.atransaction(isolation="repeatable read"):
            async with repository.atransaction(), repository.atransaction(isolation="repeatable read"):
                await Purse().asave()
            with pytest.raises(NitroError, match="begun as 'repeatable read'"):
                await repository.atransaction(isolation="serializable").__aenter__()

    asyncio.run(story())
    assert Purse.where().count() == 3


def test_a_level_that_nobody_knows_is_refused_with_those_that_are_known(repository: SQLModelBackend) -> None:
    known = r"no isolation level 'SNAPSHOT': the levels are 'read committed', 'repeatable read', 'serializable'"
    with pytest.raises(NitroError, match=known):
        repository.transaction(isolation="SNAPSHOT").__enter__()
    with pytest.raises(NitroError, match=known):
        asyncio.run(repository.atransaction(isolation="SNAPSHOT").__aenter__())


def both_at_once(pay: Callable[[str, threading.Barrier], None]) -> list[BaseException]:
    """What went wrong as two threads paid, each from a purse of its own."""
    both, failed = threading.Barrier(2, timeout=30), list[BaseException]()

    def work(owner: str) -> None:
        try:
            pay(owner, both)
        except NitroError as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=[owner]) for owner in ("Ann", "Bob")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failed


@pytest.mark.parametrize("level", [None, *LEVELS])
def test_write_skew(server: SQLModelBackend, level: str | None) -> None:
    """Two of a household may be in debt together by nothing, and each looks at the sum before paying."""
    for owner in ("Ann", "Bob"):
        Purse(owner=owner, balance=50).save()

    def pay(owner: str, both: threading.Barrier) -> None:
        with server.transaction(isolation=level):
            assert Purse.where().sum("balance") >= 100
            both.wait()
            purse = Purse.where(owner=owner).one()
            purse.balance -= 100
            purse.save()

    failed = both_at_once(pay)
    if level == "serializable":
        (conflict,) = failed
        assert isinstance(conflict, WriteConflict)
        assert "repeat it" in str(conflict)
        assert Purse.where().sum("balance") == 0
    else:
        # What each has seen was true, and what came of it is not what the rule says.
        assert failed == []
        assert Purse.where().sum("balance") == -100


def test_write_skew_of_two_tasks(server: SQLModelBackend) -> None:
    for owner in ("Ann", "Bob"):
        Purse(owner=owner, balance=50).save()

    async def story() -> list[BaseException | None]:
        both = asyncio.Barrier(2)

        async def pay(owner: str) -> None:
            async with server.atransaction(isolation="serializable"):
                assert await Purse.where().asum("balance") >= 100
                await both.wait()
                purse = await Purse.where(owner=owner).aone()
                purse.balance -= 100
                await purse.asave()

        return list(await asyncio.gather(pay("Ann"), pay("Bob"), return_exceptions=True))

    ended = asyncio.run(story())
    assert sorted(type(error).__name__ for error in ended) == ["NoneType", "WriteConflict"]
    assert Purse.where().sum("balance") == 0


@pytest.mark.parametrize(("level", "seen"), [("read committed", [0, 5]), ("repeatable read", [0, 0])])
def test_what_others_commit_meanwhile(server: SQLModelBackend, level: str, seen: list[int]) -> None:
    ann = Purse(owner="Ann").save()
    found: list[int] = []
    with server.transaction(isolation=level):
        for _ in range(2):
            found.append(Purse.get(ann.id).balance)
            other = threading.Thread(target=lambda: Purse.where(owner="Ann").update(balance=5))
            other.start()
            other.join()
    assert found == seen
    assert Purse.get(ann.id).balance == 5
