"""What is repeated after a conflict sees what it was given, and is repeated whichever way the conflict comes out."""

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
from bank import Account, Line
from pydantic import BaseModel, PrivateAttr

import nitro
from nitro import StaleEntityError, UnitOfWork, WriteConflict

pytestmark = pytest.mark.usefixtures("repository")


class Basket(nitro.Model):
    lines: list[Line] = []
    words: dict[str, list[str]] = {}
    _seen: set[str] = PrivateAttr(default_factory=set)


class Plain(BaseModel, validate_assignment=True, extra="allow"):
    number: int = 0


@dataclass
class Parcel:
    lines: list[str] = field(default_factory=list)
    weight: int = 0


@dataclass(slots=True)
class Slotted:
    weight: int = 0


def stale() -> StaleEntityError:
    return StaleEntityError(Account, "1", expected_version=1, stored_version=2)


class Conflicts:
    """Raises an error for the first runs of something."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)
        self.runs = 0

    def happen(self) -> None:
        self.runs += 1
        if self.errors:
            raise self.errors.pop(0)


class TestArguments:
    def test_a_list_that_a_run_has_added_to_is_as_it_was_given(self) -> None:
        conflicts, seen = Conflicts(stale(), stale()), []

        @nitro.command(retry=2)
        def note(words: list[str], numbers: dict[str, set[int]]) -> None:
            words.append("more")
            numbers["a"].add(2)
            numbers["b"] = set()
            seen.append((list(words), {key: set(value) for key, value in numbers.items()}))
            conflicts.happen()

        note(["one"], {"a": {1}})
        assert seen == [(["one", "more"], {"a": {1, 2}, "b": set()})] * 3

    def test_so_is_whatever_else_holds_data(self) -> None:
        conflicts, seen = Conflicts(WriteConflict("x")), []
        basket = Basket(lines=[Line(product="tea")], words={"a": ["b"]})
        plain, parcel, slotted = Plain(number=1, more=1), Parcel(["x"]), Slotted(1)
        given: Any = deque([1]), (bytearray(b"a"), [parcel, slotted])

        @nitro.command(retry=1)
        def change(basket: Basket, plain: Plain, *rest: Any) -> None:
            seen.append(repr((basket, basket._seen, plain, rest)))
            basket.lines[0].quantity += 1
            basket.lines.append(Line(product="cup"))
            basket.words["a"].append("c")
            basket._seen.add("x")
            plain.number += 1
            plain.more += 1  # type: ignore[attr-defined]
            rest[0].append(2)
            data, (packed, slot) = rest[1]
            data.extend(b"b")
            packed.lines.append("y")
            packed.weight += 1
            slot.weight += 1
            conflicts.happen()

        change(basket, plain, *given)
        assert seen[0] == seen[1]
        # It is as if it had run once.
        assert (plain.number, parcel, slotted, given[0]) == (2, Parcel(["x", "y"], 1), Slotted(2), deque([1, 2]))
        assert basket.lines == [Line(product="tea", quantity=2), Line(product="cup")]
        assert (basket.words, basket._seen) == ({"a": ["b", "c"]}, {"x"})

    def test_entities_are_the_same_objects_and_other_objects_are_left_alone(self) -> None:
        conflicts, seen = Conflicts(stale()), []
        account, other, log = Account().save(), Account(notes=["a"]).save(), Conflicts()

        @nitro.command(retry=1)
        def note(accounts: list[Account], log: Conflicts) -> None:
            seen.append([(id(one), one.balance, list(one.notes)) for one in accounts])
            log.happen()
            for one in accounts:
                one.balance += 1
                one.notes.append("x")
            conflicts.happen()

        note([account, other], log)
        assert seen == [[(id(account), 0, []), (id(other), 0, ["a"])]] * 2
        assert (account.balance, other.notes, log.runs) == (1, ["a", "x"], 2)

    def test_what_can_be_read_once_is_not_read_twice(self) -> None:
        conflicts, seen = Conflicts(stale()), []

        @nitro.command(retry=1)
        def add_up(numbers: Iterable[int]) -> None:
            seen.append(sum(numbers))
            conflicts.happen()

        with pytest.raises(StaleEntityError):
            add_up(iter([1, 2]))
        assert seen == [3]

    def test_the_digest_of_an_idempotent_call_is_of_what_was_given(self) -> None:
        conflicts = Conflicts(stale())

        class Noting(Account):
            __tablename__ = "bank_noting"

            @nitro.command(retry=1, idempotent=True)
            def note(self, words: list[str]) -> int:
                words.append("more")
                conflicts.happen()
                return len(words)

        if isinstance(Account.__nitro_backend__, nitro.SQLModelBackend):
            nitro.create_all(Noting)
        noting = Noting().save()
        assert noting.note(["a"], idempotency_key="a") == noting.note(["a"], idempotency_key="a") == 2

    def test_an_async_one_does_the_same(self) -> None:
        conflicts, seen = Conflicts(stale()), []

        @nitro.command(retry=1)
        async def note(words: list[str]) -> None:
            words.append("more")
            seen.append(list(words))
            conflicts.happen()

        asyncio.run(note(["one"]))
        assert seen == [["one", "more"]] * 2

    def test_a_function_with_retries_gets_them_as_they_were_too(self) -> None:
        conflicts, seen = Conflicts(stale(), stale()), []

        @UnitOfWork(retries=1)
        def note(words: list[str], *, parcel: Parcel) -> None:
            words.append("more")
            parcel.weight += 1
            seen.append((list(words), parcel.weight))
            conflicts.happen()

        @UnitOfWork(retries=1)
        async def anote(words: list[str], *, parcel: Parcel) -> None:
            note.__wrapped__(words, parcel=parcel)  # type: ignore[attr-defined]

        words, parcel = ["one"], Parcel()
        with pytest.raises(StaleEntityError):
            note(words, parcel=parcel)
        conflicts.errors = [stale()]
        words, parcel = ["one"], Parcel()
        asyncio.run(anote(words, parcel=parcel))
        assert seen == [(["one", "more"], 1)] * 4
        assert (words, parcel.weight) == (["one", "more"], 1)


class TestGroups:
    @pytest.mark.parametrize(
        "error",
        [
            ExceptionGroup("tasks", [stale(), WriteConflict("x")]),
            ExceptionGroup("tasks", [ExceptionGroup("inner", [stale()]), stale()]),
            BaseExceptionGroup("tasks", [stale(), asyncio.CancelledError()]),
        ],
    )
    def test_conflicts_in_a_group_are_repeated(self, error: BaseException) -> None:
        conflicts = Conflicts(error)
        nitro.command(retry=1)(conflicts.happen.__func__)(conflicts)  # type: ignore[attr-defined]
        assert conflicts.runs == 2
        conflicts = Conflicts(error)
        UnitOfWork(retries=1)(conflicts.happen)()
        assert conflicts.runs == 2

    @pytest.mark.parametrize(
        "error",
        [
            ExceptionGroup("tasks", [stale(), ValueError("no")]),
            BaseExceptionGroup("tasks", [asyncio.CancelledError()]),
            BaseExceptionGroup("tasks", [stale(), KeyboardInterrupt()]),
        ],
    )
    def test_other_errors_in_it_go_up(self, error: BaseException) -> None:
        conflicts = Conflicts(error)
        with pytest.raises(BaseExceptionGroup):
            UnitOfWork(retries=1)(conflicts.happen)()
        assert conflicts.runs == 1

    def test_those_of_a_task_group_are_repeated(self) -> None:
        key = Account().save().id
        runs = []

        async def pay_in(runs: list[int]) -> None:
            async def fail() -> None:
                raise stale()

            account = await Account.aget(key)
            account.balance += 1
            await account.asave()
            runs.append(account.balance)
            async with asyncio.TaskGroup() as group:
                if len(runs) == 1:
                    group.create_task(fail())
                    group.create_task(asyncio.sleep(3600))

        asyncio.run(UnitOfWork(retries=1)(lambda_of(pay_in, runs))())
        assert runs == [1, 1]
        runs.clear()
        asyncio.run(nitro.command(retry=1)(lambda_of(pay_in, runs))())
        assert runs == [2, 2]

    def test_who_is_cancelled_meanwhile_is_not_kept_going(self) -> None:
        runs = []

        @UnitOfWork(retries=3)
        async def wait(is_waiting: asyncio.Event) -> None:
            runs.append(1)
            is_waiting.set()
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError as error:
                raise BaseExceptionGroup("tasks", [stale(), error]) from None

        async def run() -> None:
            is_waiting = asyncio.Event()
            task = asyncio.create_task(wait(is_waiting))
            await is_waiting.wait()
            task.cancel()
            with pytest.raises(BaseExceptionGroup):
                await task

        asyncio.run(run())
        assert len(runs) == 1

    def test_what_fails_after_the_commit_is_not_repeated(self) -> None:
        runs = []

        @nitro.on(nitro.events.created, Account)
        def late(account: Account) -> None:
            raise stale()

        def open_one() -> None:
            runs.append(1)
            Account().save()

        async def aopen_one() -> None:
            runs.append(1)
            await Account().asave()

        try:
            for decorate in (UnitOfWork(retries=3), nitro.command(retry=3)):
                with pytest.raises(ExceptionGroup, match="is committed") as caught:
                    decorate(open_one)()
                assert caught.group_contains(StaleEntityError)
                with pytest.raises(ExceptionGroup, match="is committed"):
                    asyncio.run(decorate(aopen_one)())
        finally:
            nitro.off(late)
        assert Account.where().count() == len(runs) == 4

    def test_nor_is_what_holds_such_a_failure(self) -> None:
        """A task has kept a unit of its own, and would keep it once more."""
        runs = []

        async def open_one() -> None:
            async with UnitOfWork() as uow:
                await Account().asave()
                uow.on_commit(Conflicts(stale()).happen)

        @UnitOfWork(retries=3)
        async def open_apart() -> None:
            runs.append(1)
            async with asyncio.TaskGroup() as group:
                group.create_task(open_one())

        with pytest.raises(ExceptionGroup) as caught:
            asyncio.run(open_apart())
        assert caught.group_contains(StaleEntityError)
        assert (len(runs), Account.where().count()) == (1, 1)


def lambda_of(function: Any, *arguments: Any) -> Any:
    """A coroutine function without arguments."""

    async def call() -> None:
        await function(*arguments)

    return call
