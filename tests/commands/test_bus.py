"""Messages go to the one function that handles their class."""

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

import pytest
from bank import Account

import nitro
from nitro import ConfigurationError, Model, NitroError, PermissionDenied, UnitOfWorkError
from nitro.bus import Bus, authorised, logged, timed


class PayIn(Model):
    account: str
    amount: int


@dataclass
class BalanceOf:
    account: str


class Curious:
    pass


@pytest.fixture
def bus() -> Bus:
    made = Bus()

    @made.handles(PayIn)
    def pay_in(message: PayIn) -> int:
        account = Account.get(message.account)
        account.balance += message.amount
        if message.amount > 1000:
            raise ValueError("so much")
        return account.balance

    @made.handles(BalanceOf)
    def balance_of(message: BalanceOf) -> int:
        return Account.get(message.account).balance

    return made


def test_a_message_is_executed_in_a_unit_of_work(bus: Bus, repository) -> None:
    account = Account().save()
    assert bus.execute(PayIn(account=account.id, amount=3)) == 3
    assert bus.ask(BalanceOf(account.id)) == 3
    with pytest.raises(ValueError, match="so much"):
        bus.execute(PayIn(account=account.id, amount=3000))
    assert bus.ask(BalanceOf(account.id)) == 3


def test_what_is_asked_changes_nothing(bus: Bus, repository) -> None:
    account = Account().save()
    with pytest.raises(UnitOfWorkError, match=r"pay_in is a query, and has changed Account"):
        bus.ask(PayIn(account=account.id, amount=3))
    assert bus.ask(BalanceOf(account.id)) == 0


def test_async_handlers_and_sync_ones_in_async_code(repository) -> None:
    bus = Bus()

    @bus.handles(PayIn)
    async def pay_in(message: PayIn) -> int:
        account = await Account.aget(message.account)
        account.balance += message.amount
        return account.balance

    @bus.handles(Curious)
    def seven(message: Curious) -> int:
        return 7

    async def run() -> None:
        account = await Account().asave()
        assert await bus.aexecute(PayIn(account=account.id, amount=3)) == 3
        assert (await Account.aget(account.id)).balance == 3
        assert (await bus.aask(Curious()), await bus.aexecute(Curious())) == (7, 7)

    asyncio.run(run())
    with pytest.raises(NitroError, match=r"pay_in is async: `await bus.aexecute\(...\)`"):
        bus.execute(PayIn(account="1", amount=1))
    with pytest.raises(NitroError, match=r"`await bus.aask\(...\)`"):
        bus.ask(PayIn(account="1", amount=1))


def test_handlers_that_are_commands_keep_their_options() -> None:
    bus = Bus()

    @bus.handles(PayIn)
    @nitro.command(retry=3)
    def pay_in(message: PayIn) -> int:
        return message.amount

    @bus.handles(Curious)
    @nitro.query
    def look(message: Curious) -> int:
        return 7

    assert bus.execute(PayIn(account="", amount=1)) == 1
    assert bus.ask(Curious()) == 7
    with pytest.raises(NitroError, match="pay_in is a command, which changes something: send its messages by execute"):
        bus.ask(PayIn(account="", amount=1))
    with pytest.raises(NitroError, match="look is a query, which changes nothing: send its messages by ask"):
        bus.execute(Curious())


def test_one_message_has_one_handler(bus: Bus) -> None:
    with pytest.raises(
        ConfigurationError, match=r"PayIn is handled by .*pay_in already, and .*second would be a second"
    ):

        @bus.handles(Curious, PayIn)
        def second(message: Any) -> None: ...

    with pytest.raises(NitroError, match="nobody handles Curious"):
        bus.handler(Curious)
    with pytest.raises(ConfigurationError, match=r"write @handles\(PlaceOrder\)"):
        bus.handles(lambda message: None)  # type: ignore[arg-type]
    assert bus.handler(PayIn).__name__ == "pay_in"


def test_a_message_without_a_handler_names_the_nearest(bus: Bus) -> None:
    class PayInn(Model):
        pass

    class PayInLater(PayIn):
        pass

    with pytest.raises(NitroError, match=r"nobody handles PayInn; PayIn is handled by .*pay_in"):
        bus.execute(PayInn())
    with pytest.raises(NitroError, match=r"nobody handles PayInLater; PayIn is handled by"):
        bus.ask(PayInLater(account="", amount=1))
    with pytest.raises(NitroError, match=r"nobody handles int: write @handles\(int\) above a function"):
        bus.execute(3)


def test_every_message_passes_the_middleware_in_order(bus: Bus, repository) -> None:
    account, seen = Account().save(), []

    @bus.use
    def outer(message: Any, proceed: Any) -> Any:
        seen.append("in")
        answer = proceed(message)
        # What is outside of the unit of work sees what it has kept.
        seen.append(Account.where(id=account.id).sum("balance"))
        return answer

    @bus.use
    def doubled(message: Any, proceed: Any) -> Any:
        return proceed(PayIn(account=message.account, amount=2 * message.amount))

    assert bus.execute(PayIn(account=account.id, amount=3)) == 6
    assert seen == ["in", 6]


def test_async_middleware_is_for_async_code(bus: Bus) -> None:
    @bus.handles(Curious)
    def seven(message: Curious) -> int:
        return 7

    @bus.use
    async def plus_one(message: Any, proceed: Any) -> int:
        return await proceed(message) + 1

    @bus.use
    def passing(message: Any, proceed: Any) -> Any:
        return proceed(message)

    assert asyncio.run(bus.aask(Curious())) == 8
    with pytest.raises(NitroError, match=r"plus_one is an async middleware.*Curious by aexecute or aask"):
        bus.ask(Curious())


@pytest.fixture
def seven() -> Bus:
    made = Bus()

    @made.handles(Curious)
    def look(message: Curious) -> int:
        return 7

    @made.handles(PayIn)
    def fail(message: PayIn) -> int:
        raise ZeroDivisionError

    return made


def both(bus: Bus, message: Any) -> list[Any]:
    return [bus.execute(message), asyncio.run(bus.aexecute(message))]


def test_logged(seven: Bus, caplog: pytest.LogCaptureFixture) -> None:
    seven.use(logged())
    with caplog.at_level(logging.INFO, "nitro.bus"):
        assert both(seven, Curious()) == [7, 7]
        with pytest.raises(ZeroDivisionError):
            seven.execute(PayIn(account="secret", amount=1))
        with pytest.raises(ZeroDivisionError):
            asyncio.run(seven.aexecute(PayIn(account="secret", amount=1)))
    levels = [(record.levelname, record.message.partition(" ")[0]) for record in caplog.records]
    assert levels == [("INFO", "Curious")] * 2 + [("ERROR", "PayIn")] * 2
    assert "with ZeroDivisionError" in caplog.text
    assert "secret" not in caplog.text


def test_timed(seven: Bus) -> None:
    times: list[tuple[str, float]] = []
    seven.use(timed(lambda message, seconds: times.append((type(message).__name__, seconds))))
    both(seven, Curious())
    with pytest.raises(ZeroDivisionError):
        seven.execute(PayIn(account="", amount=1))
    assert [name for name, _ in times] == ["Curious", "Curious", "PayIn"]
    assert all(0 < seconds < 10 for _, seconds in times)


def test_authorised(seven: Bus) -> None:
    seven.use(authorised(lambda message: not isinstance(message, PayIn)))
    assert both(seven, Curious()) == [7, 7]
    message = PayIn(account="", amount=1)
    with pytest.raises(PermissionError, match="PayIn is not allowed") as caught:
        seven.execute(message)
    assert isinstance(caught.value, PermissionDenied)
    assert caught.value.message is message
    with pytest.raises(PermissionDenied):
        asyncio.run(seven.aexecute(message))


def test_a_predicate_that_is_async_lets_nothing_pass_in_sync_code(seven: Bus) -> None:
    async def allows(message: Any) -> bool:
        return isinstance(message, Curious)

    seven.use(authorised(allows))
    assert asyncio.run(seven.aask(Curious())) == 7
    with pytest.raises(PermissionDenied):
        asyncio.run(seven.aask(PayIn(account="", amount=1)))
    with pytest.raises(NitroError, match="allows is async: send Curious by aexecute or aask"):
        seven.ask(Curious())


def test_the_bus_of_the_program() -> None:
    class Once(Model):
        pass

    @nitro.handles(Once)
    def once(message: Once) -> str:
        return "once"

    from nitro import bus

    assert bus.ask(Once()) == nitro.bus.execute(Once()) == asyncio.run(bus.aask(Once())) == "once"
