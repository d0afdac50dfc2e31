"""The domain of these tests: accounts that are paid into and out of."""

from __future__ import annotations

import asyncio

from nitro import Entity, Field, Model, command, query


class Line(Model):
    product: str
    quantity: int = Field(1, ge=1)


class Account(Entity):
    __tablename__ = "bank_accounts"
    owner: str = ""
    balance: int = 0
    notes: list[str] = []

    @command
    def pay_in(self, amount: int, *, note: str | None = None) -> int:
        """Money comes in."""
        self.balance += amount
        if note is not None:
            self.notes.append(note)
        return self.balance

    @command
    def pay_out(self, amount: int) -> None:
        self.balance -= amount
        if self.balance < 0:
            raise ValueError("there is not so much")

    @command
    def transfer(self, other: Account, amount: int) -> None:
        self.balance -= amount
        other.balance += amount
        if self.balance < 0:
            raise ValueError("there is not so much")

    @command
    def transfer_to(self, key: str, amount: int) -> None:
        """The other account is loaded inside."""
        other = Account.get(key)
        other.balance += amount
        self.pay_out(amount)

    @command
    async def atransfer_to(self, key: str, amount: int) -> None:
        other = await Account.aget(key)
        other.balance += amount
        self.balance -= amount
        await asyncio.sleep(0)
        if self.balance < 0:
            raise ValueError("there is not so much")

    @command
    @classmethod
    def open(cls, owner: str, balance: int = 0) -> Account:
        return cls(owner=owner, balance=balance).save()

    @query
    def is_rich(self, from_: int = 1000) -> bool:
        return self.balance >= from_

    @query
    def curious(self) -> None:
        self.balance += 1

    @query
    def meddling(self) -> None:
        Account(owner="nobody").save()

    @query
    async def acurious(self, key: str) -> None:
        (await Account.aget(key)).balance += 1

    @command(retry=5)
    def pay_in_again(self, amount: int) -> int:
        self.balance += amount
        return self.balance

    @command(retry=5)
    async def apay_in_again(self, amount: int) -> int:
        before = self.balance
        await asyncio.sleep(0)
        self.balance = before + amount
        return self.balance

    @command(lock=True)
    def pay_in_alone(self, amount: int) -> int:
        self.balance += amount
        return self.balance

    @command(lock=True)
    async def apay_in_alone(self, amount: int) -> int:
        before = self.balance
        await asyncio.sleep(0)
        self.balance = before + amount
        return self.balance

    @command(idempotent=True)
    def pay_in_once(self, amount: int) -> Account:
        self.balance += amount
        return self

    @command(idempotent=True)
    async def apay_in_once(self, amount: int) -> Account:
        self.balance += amount
        await asyncio.sleep(0)
        return self

    @command(idempotent=True)
    @classmethod
    def open_once(cls, owner: str, lines: list[Line] | None = None) -> list[Account]:
        return [cls(owner=owner, balance=len(lines or ())).save()]


CLASSES = (Account,)
