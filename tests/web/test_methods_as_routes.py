"""Methods that are marked are routes; nothing else of an entity is reachable."""

import subprocess
import sys
from typing import Any
from urllib.parse import quote

import pytest
from asking import Client
from pydantic import BaseModel

import nitro
from nitro import Entity, MemoryRepo, Page, Query
from nitro.errors import ConfigurationError
from nitro.web import Core, Response, current_request
from nitro.web.access import Access

STORE = MemoryRepo()


class Line(BaseModel):
    product: str
    quantity: int = 1


class Wallet(Entity, backend=STORE):
    __tablename__ = "web_wallets"
    owner: str = "Ann"
    balance: int = 0
    notes: list[str] = []

    @nitro.event(method="POST")
    def pay_in(self, amount: int, note: str | None = None) -> None:
        """Money comes in.

        It is there at once.
        """
        self.balance += amount
        if note is not None:
            self.notes.append(note)

    @nitro.event(method="PUT")
    def rename(self, owner: str) -> None:
        self.owner = owner

    @nitro.command
    def pay_out(self, amount: int) -> int:
        self.balance -= amount
        if self.balance < 0:
            raise ValueError("there is not so much")
        return self.balance

    @nitro.command
    async def apay_in(self, amount: int) -> None:
        self.balance += amount

    @nitro.command
    def transfer(self, to: "Wallet", amount: int) -> "Wallet":
        self.balance -= amount
        to.balance += amount
        return to

    @nitro.command
    def spread(self, to: list["Wallet"], amount: int) -> list["Wallet"]:
        for wallet in to:
            wallet.balance += amount
            self.balance -= amount
        return to

    @nitro.command
    def buy(self, lines: list[Line]) -> dict[str, int]:
        return {line.product: line.quantity for line in lines}

    @nitro.command(idempotent=True)
    def pay_in_once(self, amount: int) -> int:
        self.balance += amount
        return self.balance

    @nitro.command
    def fail(self) -> None:
        raise RuntimeError("a mistake in the program")

    @nitro.query
    def is_rich(self, above: int = 100) -> bool:
        return self.balance > above

    @nitro.query
    def tagged(self, tags: list[str]) -> list[str]:
        return tags

    @nitro.query
    @classmethod
    def richest(cls, count: int = 3) -> Query["Wallet"]:
        return cls.where().order_by("-balance").limit(count)

    @nitro.query
    @classmethod
    def some(cls, after: str | None = None) -> Page["Wallet"]:
        return cls.where().page(limit=2, after=after, total=True)

    @nitro.command
    @classmethod
    def open(cls, owner: str) -> Any:
        return cls(owner=owner).save(), 201

    @nitro.command
    @classmethod
    def tidy(cls) -> None:
        return None

    @nitro.query
    def page_of(self) -> Any:
        return Response(202, b"<p>hello</p>", "text/html")

    @nitro.query
    def who_asks(self) -> str:
        request = current_request()
        assert request is not None
        return request.path

    @nitro.command
    @staticmethod
    def apart() -> int:
        return 1

    def secret(self) -> None:
        raise AssertionError("it is not marked")


@pytest.fixture
def client() -> Client:
    STORE.clear()
    return Client(Core(Access(), entities=[Wallet]))


@pytest.fixture
def wallet(client: Client) -> Wallet:
    return Wallet(id="w 1", balance=10).save()


PATH = "/wallets/w%201"


def test_what_is_given_back(client: Client, wallet: Wallet) -> None:
    # The entity, where a method gives nothing.
    assert client.ask("POST", f"{PATH}/pay_in", {"amount": "5"}).json == {
        "id": "w 1", "owner": "Ann", "balance": 15, "notes": [],
    }  # fmt: skip
    assert client.ask("PUT", f"{PATH}/rename", {"owner": "Bob"}).json["owner"] == "Bob"
    assert client.ask("POST", f"{PATH}/pay_out", {"amount": 5}).json == 10
    assert client.ask("POST", f"{PATH}/apay_in", {"amount": 1}).json["balance"] == 11
    assert client.ask("GET", f"{PATH}/is_rich?above=3").json is True
    assert client.ask("GET", f"{PATH}/is_rich").json is False
    answer = client.ask("GET", f"{PATH}/page_of")
    assert (answer.status, answer.text) == (202, "<p>hello</p>")
    assert client.ask("GET", f"{PATH}/who_asks").json == "/wallets/w%201/who_asks"
    assert client.ask("POST", "/wallets/tidy").status == 204
    opened = client.ask("POST", "/wallets/open", {"owner": "Carl"})
    assert (opened.status, opened.json["owner"]) == (201, "Carl")
    assert [one["balance"] for one in client.ask("GET", "/wallets/richest?count=2").json] == [11, 0]
    page = client.ask("GET", "/wallets/some")
    assert (page.headers["x-total-count"], len(page.json)) == ("2", 2)


def test_pages_of_a_method_follow_one_another(client: Client) -> None:
    Wallet.save_all([Wallet(id=str(number)) for number in range(5)])
    found, url = [], "/wallets/some"
    while url:
        answer = client.ask("GET", url)
        found += [one["id"] for one in answer.json]
        url = answer.headers.get("link", "").partition("<")[2].partition(">")[0]
    assert found == list("01234")


@pytest.mark.parametrize(
    "sent",
    [
        {"body": {"amount": 5, "note": "rent"}},
        {"raw": b"amount=5&note=rent", "headers": {"content-type": "application/x-www-form-urlencoded"}},
        {"query": "?amount=5&note=rent"},
        {"query": "?amount=5", "body": {"note": "rent"}},
        {"body": {"amount": 5, "note": "rent", "theme": "dark"}, "headers": {"datastar-request": "true"}},
    ],
)
def test_arguments_come_from_anywhere(client: Client, wallet: Wallet, sent: dict[str, Any]) -> None:
    answer = client.ask("POST", f"{PATH}/pay_in{sent.pop('query', '')}", **sent)
    assert (answer.json["balance"], answer.json["notes"]) == (15, ["rent"])


def test_signals_come_with_a_get(client: Client, wallet: Wallet) -> None:
    signals = quote('{"above": 3, "theme": "dark"}')
    answer = client.ask("GET", f"{PATH}/is_rich?datastar={signals}", headers={"datastar-request": "true"})
    assert answer.json is True
    wrong = client.ask("GET", f"{PATH}/is_rich?datastar=no", headers={"datastar-request": "true"})
    assert wrong.status == 400


def test_one_value_of_a_list(client: Client, wallet: Wallet) -> None:
    assert client.ask("GET", f"{PATH}/tagged?tags=a").json == ["a"]
    assert client.ask("GET", f"{PATH}/tagged?tags=a&tags=b").json == ["a", "b"]
    assert client.ask("POST", f"{PATH}/buy", {"lines": [{"product": "ball", "quantity": "2"}]}).json == {"ball": 2}


def test_entities_are_given_by_their_keys(client: Client, wallet: Wallet) -> None:
    Wallet(id="w2").save()
    assert client.ask("POST", f"{PATH}/transfer", {"to": "w2", "amount": 4}).json["balance"] == 4
    assert wallet.balance == 6
    assert [one["id"] for one in client.ask("POST", f"{PATH}/spread", {"to": ["w2", "w2"], "amount": 1}).json] == [
        "w2"
    ] * 2
    assert client.ask("POST", f"{PATH}/transfer", {"to": "nobody", "amount": 4}).status == 404
    # Nobody makes an entity up.
    made_up = client.ask("POST", f"{PATH}/transfer", {"to": {"id": "w2", "balance": 1000}, "amount": 4})
    assert made_up.wrong == [("key", ("body", "to"))]


def test_what_is_wrong_is_told(client: Client, wallet: Wallet) -> None:
    assert client.ask("POST", f"{PATH}/pay_in", {"amount": "x"}).wrong == [("int_parsing", ("body", "amount"))]
    assert client.ask("POST", f"{PATH}/pay_in", {}).wrong == [("missing_argument", ("body", "amount"))]
    assert client.ask("POST", f"{PATH}/pay_in", {"amount": 1, "x": 1}).wrong == [
        ("unexpected_keyword_argument", ("body", "x"))
    ]
    assert client.ask("GET", f"{PATH}/is_rich?above=x").wrong == [("int_parsing", ("query", "above"))]
    refused = client.ask("POST", f"{PATH}/pay_out", {"amount": 1000})
    assert (refused.status, refused.json) == (409, {"detail": "there is not so much"})
    assert wallet.balance == 10
    assert client.ask("POST", "/wallets/nobody/pay_in", {"amount": 1}).status == 404
    assert client.ask("POST", f"{PATH}/pay_in", [1]).status == 422
    with pytest.raises(RuntimeError, match="a mistake in the program"):
        client.ask("POST", f"{PATH}/fail")


def test_an_idempotency_key_is_a_header(client: Client, wallet: Wallet) -> None:
    key = {"idempotency-key": "one"}
    assert [client.ask("POST", f"{PATH}/pay_in_once", {"amount": 5}, headers=key).json for _ in range(3)] == [15] * 3
    assert client.ask("POST", f"{PATH}/pay_in_once", {"amount": 6}, headers=key).status == 422
    assert client.ask("POST", f"{PATH}/pay_in_once", {"amount": 5}).json == 20
    assert client.ask("POST", f"{PATH}/pay_in", {"amount": 5}, headers=key).json["balance"] == 25


def test_only_what_is_marked_is_reachable(client: Client) -> None:
    names = {route.name.partition(".")[2] for route in Core(Access(), entities=[Wallet]).routes}
    assert names == {
        "pay_in", "rename", "pay_out", "apay_in", "transfer", "spread", "buy", "pay_in_once", "fail", "is_rich", "tagged",
        "richest", "some", "open", "tidy", "page_of", "who_asks",
    }  # fmt: skip


def test_all_classes_where_none_is_named() -> None:
    # In a fresh process, which has no other classes.
    program = """
import nitro
from nitro.web import Core
from nitro.web.access import Access

class Purse(nitro.Entity):
    @nitro.command
    def lose(self) -> None: ...

class Plain(nitro.Entity):
    def lose(self) -> None: ...

print(*(f"{route.method} {route.path}" for route in Core(Access()).routes))
"""
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert finished.stdout.strip() == "POST /purses/{id}/lose"


def test_two_routes_cannot_be_one() -> None:
    class Purse(Entity, backend=STORE):
        @nitro.command
        def lose(self) -> None: ...

    other = type("Purse", (Purse,), {"__module__": "elsewhere"})
    with pytest.raises(ConfigurationError, match="give one of them another path"):
        Core(Access(), entities=[Purse, other])


def test_fixed_segments_come_before_keys(client: Client) -> None:
    Wallet(id="richest", balance=3).save()
    assert isinstance(client.ask("GET", "/wallets/richest").json, list)
