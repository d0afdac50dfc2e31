"""Savepoints: some of a transaction is taken back, and the rest is kept."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import nullcontext

import pytest
from wallets import DATABASES, Purse, fail, purses_in

from nitro import EntityNotFound, NitroError, SQLModelBackend, UniqueViolation, changes


@pytest.fixture(params=DATABASES)
def repository(request: pytest.FixtureRequest) -> Iterator[SQLModelBackend]:
    with purses_in(request) as repository:
        yield repository


def owners() -> list[str]:
    return sorted(purse.owner for purse in Purse.all())


def test_what_is_done_inside_is_part_of_the_transaction(repository: SQLModelBackend) -> None:
    with repository.transaction():
        with repository.savepoint():
            Purse(owner="Ann").save()
        Purse(owner="Bob").save()
    assert owners() == ["Ann", "Bob"]
    with pytest.raises(ZeroDivisionError), repository.transaction():
        with repository.savepoint():
            Purse(owner="Cleo").save()
        fail()
    assert owners() == ["Ann", "Bob"]


def test_an_exception_takes_back_what_was_done_inside_and_goes_on(repository: SQLModelBackend) -> None:
    with repository.transaction():
        Purse(owner="before").save()
        with pytest.raises(ZeroDivisionError), repository.savepoint():
            Purse(owner="inside").save()
            Purse.where(owner="before").update(balance=5)
            fail()
        Purse(owner="after").save()
        assert owners() == ["after", "before"]
    assert sorted((purse.owner, purse.balance) for purse in Purse.all()) == [("after", 0), ("before", 0)]


def test_a_statement_that_is_refused_inside_leaves_the_transaction_usable(repository: SQLModelBackend) -> None:
    with repository.transaction():
        first = Purse(owner="Ann", number=1).save()
        with pytest.raises(UniqueViolation, match="number=1"), repository.savepoint():
            Purse(owner="Bob", number=1).save()
        first.balance = 3
        first.save()
        Purse(owner="Cleo", number=2).save()
    assert sorted((purse.owner, purse.balance) for purse in Purse.all()) == [("Ann", 3), ("Cleo", 0)]


def test_entities_know_again_what_they_knew_before(repository: SQLModelBackend) -> None:
    ann, gone = Purse(owner="Ann").save(), Purse(owner="gone").save()
    with repository.transaction():
        ann.balance = 1
        ann.save()
        with pytest.raises(ZeroDivisionError), repository.savepoint():
            ann.balance = 2
            ann.save()
            new = Purse(owner="new").save()
            many = Purse.save_all([Purse(owner="many"), Purse(owner="more")])
            gone.delete()
            fail()
        assert changes.of(ann) == {"balance": (1, 2)}
        assert [changes.version(purse) for purse in (ann, new, *many, gone)] == [2, 0, 0, 0, 1]
        ann.save()
        gone.delete()
        new.save()
    assert sorted((purse.owner, purse.balance, changes.version(purse)) for purse in Purse.all()) == [
        ("Ann", 2, 3),
        ("new", 0, 1),
    ]
    with pytest.raises(ZeroDivisionError), repository.transaction():
        with repository.savepoint():
            ann.balance = 4
            ann.save()
        ann.balance = 5
        ann.save()
        fail()
    # The end of a savepoint is not the end of the transaction.
    assert (changes.of(ann), changes.version(ann)) == ({"balance": (2, 5)}, 3)


def test_one_inside_of_another(repository: SQLModelBackend) -> None:
    with repository.transaction():
        with pytest.raises(ZeroDivisionError), repository.savepoint():
            Purse(owner="outer").save()
            with repository.savepoint():
                Purse(owner="kept by the outer").save()
            fail()
        with repository.savepoint():
            Purse(owner="Ann").save()
            with pytest.raises(UniqueViolation), repository.savepoint():
                Purse(owner="Bob", number=1).save()
                with repository.savepoint():
                    Purse(owner="Cleo", number=1).save()
            Purse(owner="Dan").save()
    assert owners() == ["Ann", "Dan"]


def test_a_transaction_inside_of_a_savepoint_is_part_of_it(repository: SQLModelBackend) -> None:
    with repository.transaction():
        with pytest.raises(ZeroDivisionError), repository.savepoint():
            with repository.transaction():
                Purse(owner="Ann").save()
            Purse.save_all([Purse(owner="Bob"), Purse(owner="Cleo")])
            fail()
        with pytest.raises(EntityNotFound), repository.savepoint(), repository.locked(Purse, "nobody"):
            pass
        Purse(owner="Dan").save()
    assert owners() == ["Dan"]


def test_an_error_that_is_caught_inside_is_not_passed_over_in_silence(repository: SQLModelBackend) -> None:
    Purse(owner="Ann", number=1).save()
    gives_up = repository.database.dialect.name == "postgresql"
    with repository.transaction():
        end = "let the error of the statement end the savepoint"
        with pytest.raises(NitroError, match=end) if gives_up else nullcontext(), repository.savepoint():
            bob = Purse(owner="Bob").save()
            with pytest.raises(UniqueViolation):
                Purse(owner="Cleo", number=1).save()
        assert changes.version(bob) == (0 if gives_up else 1)
        Purse(owner="Dan").save()
    assert owners() == (["Ann", "Dan"] if gives_up else ["Ann", "Bob", "Dan"])


def test_outside_of_a_transaction_there_are_none(repository: SQLModelBackend) -> None:
    with pytest.raises(NitroError, match=r"with \.\.\.transaction\(\)"), repository.savepoint():
        pass

    async def story() -> None:
        with pytest.raises(NitroError, match=r"async with \.\.\.atransaction\(\)"):
            async with repository.asavepoint():
                pass

    asyncio.run(story())


def test_another_thread_is_outside(repository: SQLModelBackend) -> None:
    refused: list[NitroError] = []

    def work() -> None:
        with pytest.raises(NitroError) as error, repository.savepoint():
            pass
        refused.append(error.value)

    with repository.transaction():
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert len(refused) == 1


def test_savepoints_of_async_code(repository: SQLModelBackend) -> None:
    async def story() -> None:
        ann = await Purse(owner="Ann", number=1).asave()
        async with repository.atransaction():
            ann.balance = 1
            await ann.asave()
            with pytest.raises(UniqueViolation):
                async with repository.asavepoint():
                    ann.balance = 2
                    await ann.asave()
                    async with repository.asavepoint():
                        await Purse(owner="Bob", number=1).asave()
            assert (changes.of(ann), changes.version(ann)) == ({"balance": (1, 2)}, 2)
            async with repository.asavepoint():
                await Purse(owner="Cleo").asave()
                with pytest.raises(ZeroDivisionError):
                    async with repository.asavepoint():
                        await Purse(owner="Dan").asave()
                        fail()
            await Purse(owner="Eve").asave()

    asyncio.run(story())
    assert sorted((purse.owner, purse.balance) for purse in Purse.all()) == [("Ann", 1), ("Cleo", 0), ("Eve", 0)]


def test_a_task_that_is_cancelled_inside_takes_back_what_it_did(repository: SQLModelBackend) -> None:
    async def story() -> None:
        async with repository.atransaction():
            await Purse(owner="before").asave()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(None) as limit, repository.asavepoint():
                    inside = await Purse(owner="inside").asave()
                    limit.reschedule(0)
                    await asyncio.Event().wait()
            assert changes.version(inside) == 0
            await Purse(owner="after").asave()

    asyncio.run(story())
    assert owners() == ["after", "before"]


def test_savepoints_of_two_tasks_end_in_any_order(repository: SQLModelBackend) -> None:
    """A task that is started inside of a transaction is part of it; the database has one stack of savepoints for both."""

    async def story(*, early_fails: bool) -> list[BaseException | None]:
        late_is_set, early_has_ended = asyncio.Event(), asyncio.Event()

        async def early() -> None:
            try:
                async with repository.asavepoint():
                    await Purse(owner="early").asave()
                    await late_is_set.wait()
                    if early_fails:
                        fail()
            finally:
                early_has_ended.set()

        async def late() -> None:
            async with repository.asavepoint():
                late_is_set.set()
                await early_has_ended.wait()
                await Purse(owner="late").asave()

        async with repository.atransaction():
            started = asyncio.create_task(early())
            await asyncio.sleep(0)
            ended = await asyncio.gather(started, late(), return_exceptions=True)
            await Purse(owner="after").asave()
        return ended

    assert asyncio.run(story(early_fails=False)) == [None, None]
    assert owners() == ["after", "early", "late"]
    Purse.where().delete()
    failed, lost = asyncio.run(story(early_fails=True))
    assert isinstance(failed, ZeroDivisionError)
    # To the database the later one was part of the earlier one, and ended with it.
    assert isinstance(lost, NitroError)
    assert "a savepoint before it was rolled back" in str(lost)
    assert "early" not in owners()
    assert "after" in owners()


#: As many are inserted, and as many copied, where the database can.
@pytest.mark.parametrize("many", [3, 150])
def test_save_all_inside_of_a_transaction_is_all_or_nothing(repository: SQLModelBackend, many: int) -> None:
    """Whoever catches the error goes on with the transaction, and nothing of it is stored."""

    def refused() -> list[Purse]:
        ann.balance += 1
        # One by one, in one batch, and one by one again.
        return [ann, *(Purse(owner="many") for _ in range(many)), Purse(owner="Bob", number=1)]

    ann = Purse(owner="Ann", number=1).save()
    with repository.transaction():
        with pytest.raises(UniqueViolation):
            Purse.save_all(purses := refused())
        assert (changes.of(ann), changes.version(ann)) == ({"balance": (0, 1)}, 1)
        assert {changes.version(purse) for purse in purses[1:]} == {0}
        Purse(owner="after").save()

    async def story() -> None:
        async with repository.atransaction():
            with pytest.raises(UniqueViolation):
                await Purse.asave_all(refused())
            await Purse(owner="later").asave()

    asyncio.run(story())
    assert owners() == ["Ann", "after", "later"]
    assert Purse.get(ann.id).balance == 0


def test_an_update_in_python_inside_of_a_transaction_is_all_or_nothing(repository: SQLModelBackend) -> None:
    for owner in ("Ann", "Bob"):
        Purse(owner=owner).save()
    with repository.transaction():
        with pytest.raises(UniqueViolation):
            Purse.where().order_by("owner").in_memory().update(number=1)
        Purse(owner="Cleo").save()

    async def story() -> None:
        async with repository.atransaction():
            with pytest.raises(UniqueViolation):
                await Purse.where().in_memory().aupdate(number=2)
            await Purse(owner="Dan").asave()

    asyncio.run(story())
    assert sorted((purse.owner, purse.number) for purse in Purse.all()) == [
        ("Ann", None),
        ("Bob", None),
        ("Cleo", None),
        ("Dan", None),
    ]
