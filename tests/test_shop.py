"""The example shop: over HTTP, as the README shows it, and its books, which have to be right, or called wrong."""

import argparse
import doctest
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from served import served

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"


@contextmanager
def database(kind: str, request: pytest.FixtureRequest, directory: Path) -> Generator[str]:
    """The URL of an empty database."""
    if kind == "sqlite":
        yield f"sqlite:///{directory}/shop.db"
    else:
        with request.getfixturevalue("postgres_server").database() as url:
            yield url


class Shop:
    """A running shop, and what is in the environment of whatever belongs to it."""

    def __init__(self, address: str, environment: dict[str, str], directory: Path) -> None:
        self.web = httpx.Client(base_url=address, timeout=30, trust_env=False)
        self.environment, self.directory = environment, directory

    def product(self, *, price: str = "4.50", stock: int = 10) -> str:
        return self._made("/products", id=f"product-{uuid4()}", price=price, stock=stock)

    def account(self, *, balance: str = "100.00") -> str:
        return self._made("/accounts", id=f"account-{uuid4()}", balance=balance)

    def _made(self, path: str, **values: Any) -> str:
        response = self.web.post(path, json=values)
        assert response.status_code == 200, response.text
        assert response.json() == values
        return values["id"]

    def order(self, account: str, *lines: tuple[str, int], key: str | None = None) -> httpx.Response:
        wanted = [{"product_id": product, "quantity": quantity} for product, quantity in lines]
        headers = {} if key is None else {"Idempotency-Key": key}
        return self.web.post("/orders", json={"account_id": account, "lines": wanted}, headers=headers)

    def stock(self, product: str) -> int:
        return self.web.get(f"/products/{product}").json()["stock"]

    def paid(self, account: str) -> list[str]:
        return [payment["amount"] for payment in self.web.get(f"/accounts/{account}/payments").json()]

    def python(self, *arguments: str) -> str:
        """What a process of Python says that has the shop at hand."""
        environment = {**os.environ, **self.environment}
        command = [sys.executable, *arguments]
        done = subprocess.run(
            command, cwd=EXAMPLES, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def mails(self) -> str:
        return (self.directory / "mails.jsonl").read_text()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    directory = tmp_path_factory.mktemp("shop")
    with database(request.param, request, directory) as url:
        environment = {"NITRO_SQL_URL": url, "SHOP_MAILS": str(directory / "mails.jsonl")}
        with served("shop:app", EXAMPLES, environment) as address:
            running = Shop(address, environment, directory)
            with running.web:
                yield running


# --- Over HTTP --------------------------------------------------------------------------------------------------


def test_an_order_reduces_the_stock_and_is_paid(shop: Shop) -> None:
    tea, cup, ann = shop.product(price="4.50"), shop.product(price="7.25"), shop.account()

    placed = shop.order(ann, (tea, 3), (cup, 1)).json()

    assert (placed["status"], placed["total"], placed["account_id"]) == ("placed", "20.75", ann)
    assert shop.web.get(f"/orders/{placed['id']}").json() == placed
    assert (shop.stock(tea), shop.stock(cup), shop.paid(ann)) == (7, 9, ["20.75"])


def test_the_same_product_twice_is_taken_twice(shop: Shop) -> None:
    tea, ann = shop.product(stock=5), shop.account()
    assert shop.order(ann, (tea, 3), (tea, 3)).status_code == 409
    assert shop.order(ann, (tea, 3), (tea, 2)).status_code == 200
    assert shop.stock(tea) == 0


def test_nothing_is_taken_for_an_order_of_which_a_part_is_sold_out(shop: Shop) -> None:
    tea, cup, ann = shop.product(stock=10), shop.product(stock=1), shop.account()

    response = shop.order(ann, (tea, 3), (cup, 2))

    assert (response.status_code, response.json()) == (409, {"detail": f"1 of {cup} are left, 2 are wanted"})
    assert (shop.stock(tea), shop.stock(cup), shop.paid(ann)) == (10, 1, [])


def test_nothing_is_taken_for_an_order_that_nobody_can_pay(shop: Shop) -> None:
    tea, ann = shop.product(price="4.50"), shop.account(balance="10.00")

    response = shop.order(ann, (tea, 3))

    assert (response.status_code, response.json()) == (409, {"detail": f"{ann} has 10.00 and is to pay 13.50"})
    assert (shop.stock(tea), shop.paid(ann)) == (10, [])


def test_who_asks_again_with_the_same_key_has_one_order(shop: Shop) -> None:
    tea, ann = shop.product(), shop.account()

    first, second = (shop.order(ann, (tea, 2), key="a key") for _ in range(2))

    assert first.json() == second.json()
    assert (shop.stock(tea), shop.paid(ann)) == (8, ["9.00"])
    assert shop.order(ann, (tea, 1), key="a key").status_code == 422


def test_many_who_want_the_last_ones_get_what_is_there(shop: Shop) -> None:
    tea, ann = shop.product(stock=3), shop.account()
    with ThreadPoolExecutor(8) as threads:
        orders = [threads.submit(shop.order, ann, (tea, 1)) for _ in range(8)]
    statuses = [order.result().status_code for order in orders]
    assert sorted(statuses) == [200] * 3 + [409] * 5
    assert (shop.stock(tea), shop.paid(ann)) == (0, ["4.50"] * 3)


def test_more_can_be_had_after_a_restock(shop: Shop) -> None:
    tea, ann = shop.product(stock=0), shop.account()
    assert shop.order(ann, (tea, 1)).status_code == 409
    assert shop.web.post(f"/products/{tea}/restock", params={"quantity": 5}).json()["stock"] == 5
    assert shop.order(ann, (tea, 1)).status_code == 200
    assert shop.stock(tea) == 4


def test_what_is_not_there_is_not_found(shop: Shop) -> None:
    tea, ann = shop.product(), shop.account()
    for response in (
        shop.order("nobody", (tea, 1)),
        shop.order(ann, ("nobody", 1)),
        shop.web.get("/orders/nobody"),
        shop.web.get("/products/nobody"),
        shop.web.get("/accounts/nobody/payments"),
        shop.web.post("/products/nobody/restock", params={"quantity": 1}),
    ):
        assert response.status_code == 404, response.text
        assert "nobody" in response.json()["detail"]
    assert shop.stock(tea) == 10


def test_what_makes_no_sense_is_refused(shop: Shop) -> None:
    tea, ann = shop.product(), shop.account()
    assert shop.order(ann).status_code == 422
    assert shop.order(ann, (tea, 0)).status_code == 422
    assert shop.web.post("/products", json={"id": "odd", "price": "-1"}).status_code == 422
    assert shop.web.post("/products", json={"id": tea, "price": "1"}).status_code == 409
    assert (shop.stock(tea), shop.paid(ann)) == (10, [])


# --- What is to follow from an order ----------------------------------------------------------------------------

ENTRIES = """
import sys
from shop import AuditLog, Parcel
for kind in AuditLog, Parcel:
    print(kind.__name__, [entry.order_id for entry in kind.where(order_id=sys.argv[1])])
"""
MAIL_AGAIN = """
import sys
from shop import MAILS, Order, send_confirmation_mail
order = Order.get(sys.argv[1])
send_confirmation_mail(order)
# As a process leaves it that is killed as it writes.
MAILS.write_text(MAILS.read_text()[:-20])
for _ in range(2):
    send_confirmation_mail(order)
"""


def test_the_log_is_written_at_once_and_parcel_and_mail_follow_once(shop: Shop) -> None:
    placed = shop.order(shop.account(), (shop.product(), 1)).json()["id"]
    mail = f'"order_id": "{placed}"}}\n'
    assert shop.python("-c", ENTRIES, placed) == f"AuditLog ['{placed}']\nParcel []\n"

    shop.python("-m", "nitro.cli", "relay", "--app", "shop", "--once", "--lease", "5")

    assert shop.python("-c", ENTRIES, placed) == f"AuditLog ['{placed}']\nParcel ['{placed}']\n"
    assert shop.mails().count(mail) == 1
    assert shop.python("-m", "nitro.cli", "relay", "--app", "shop", "--once").endswith("delivered 0\n")


def test_a_mail_that_is_tried_again_is_in_the_file_once_and_whole(shop: Shop) -> None:
    placed = shop.order(shop.account(), (shop.product(), 1)).json()["id"]
    shop.python("-c", MAIL_AGAIN, placed)
    assert shop.mails().count(f'"order_id": "{placed}"}}\n') == 1


# --- As the README shows it -------------------------------------------------------------------------------------

CONSOLE = re.compile(r"^```console\n((?:\$ curl).*?)^```$", re.MULTILINE | re.DOTALL)
CURL = argparse.ArgumentParser("curl", exit_on_error=False)
CURL.add_argument("url")
CURL.add_argument("--json")


def answered(command: str, address: str, directory: Path) -> str:
    """What a line of the README prints."""
    program, *arguments = shlex.split(command)
    if program == "cat":
        return "".join((directory / name).read_text() for name in arguments)
    assert program == "curl", command
    given = CURL.parse_args(arguments)
    url = httpx.URL(given.url)
    assert (url.host, url.port) == ("127.0.0.1", 8000)
    with httpx.Client(base_url=address, trust_env=False, timeout=30) as client:
        if given.json is None:
            return client.get(url.path).text
        return client.post(url.path, content=given.json, headers={"Content-Type": "application/json"}).text


def test_the_shop_answers_as_the_readme_says(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert "$ uvicorn shop:app\n$ nitro relay --app shop\n" in text
    shutil.copy(EXAMPLES / "shop.py", tmp_path)
    [session] = CONSOLE.findall(text)
    steps = re.findall(r"^\$ (.*)\n((?:[^$].*\n)*)", session, re.MULTILINE)
    assert len(steps) > 5
    environment = {"NITRO_SQL_URL": "", "SHOP_MAILS": "mails.jsonl"}
    here = {name: value for name, value in os.environ.items() if name not in environment}
    with served("shop:app", tmp_path, environment, at=tmp_path) as address:
        for command, expected in steps:
            if command.startswith("cat"):
                relay = [sys.executable, "-m", "nitro.cli", "relay", "--app", "shop", "--once"]
                subprocess.run(relay, cwd=tmp_path, env=here, check=True, stdout=subprocess.DEVNULL)
            said = answered(command, address, tmp_path).rstrip("\n") + "\n"
            assert doctest.OutputChecker().check_output(expected, said, doctest.ELLIPSIS), f"{command}\n{said}"
    assert (tmp_path / "nitro.db").exists()


# --- Its books --------------------------------------------------------------------------------------------------


def books(*arguments: str, directory: Path = EXAMPLES, url: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "NITRO_SQL_URL"}
    if url is not None:
        environment["NITRO_SQL_URL"] = url
    command = [sys.executable, "books.py", *arguments]
    return subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_the_books_are_right_however_often_the_shop_is_killed(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    with database(kind, request, tmp_path) as url:
        done = books("--kills", "3", "--customers", "4", url=url)
        assert done.returncode == 0, done.stdout + done.stderr
        assert re.match(r"The app was killed 3 times, the relay \d+ times\. \d\d+ orders over \d+\.\d+ ", done.stdout)
        assert done.stdout.endswith(": the books are right.\n")
        # They are those of a whole shop: what was ordered before would be missing in them.
        assert "take an empty one" in books(url=url).stderr


#: {what is in the shop: (what is in its place, what is said of the books then)}
MISTAKES = {
    "self.stock -= quantity": ("self.stock -= quantity - 1", r"the stock of tea is reduced by \d+: \d+ are sold"),
    "self.balance -= amount": ("self.balance -= amount - 1", r"the accounts have paid \S+: the placed orders are \S+"),
    "order_id=order_id, amount=amount": ("order_id=order_id, amount=1", r"the payments are \d+: the placed orders are"),
    "total += product.price * line.quantity": ("total += product.price", r"order \S+ is placed over \S+: it has to be"),
    "    AuditLog(": (
        "    AuditLog(action='order_placed', order_id=order.id).save(); AuditLog(",
        "2 times the audit entry",
    ),
    "mails.write(mail)": ("pass", "0 times the mail of order"),
    "Parcel(order_id=order.id": ("Parcel(order_id='of nobody'", "0 times the parcel of order"),
}


def test_books_that_are_wrong_are_called_wrong(tmp_path: Path) -> None:
    done = books_of_a_shop(tmp_path, {right: wrong for right, (wrong, _) in MISTAKES.items()})
    for _, said in MISTAKES.values():
        assert re.search(said, done.stderr), f"{said} is not said:\n{done.stderr}"


def test_an_order_that_is_lost_is_called_lost(tmp_path: Path) -> None:
    done = books_of_a_shop(tmp_path, {"order_placed.send(order.save())": "order_placed.send(order)"})
    assert re.search(r"order \S+ was acknowledged and is not there", done.stderr), done.stderr


def books_of_a_shop(directory: Path, mistakes: dict[str, str]) -> subprocess.CompletedProcess[str]:
    source = (EXAMPLES / "shop.py").read_text("utf-8")
    for right, wrong in mistakes.items():
        assert source.count(right) == 1, right
        source = source.replace(right, wrong)
    (directory / "shop.py").write_text(source, "utf-8")
    shutil.copy(EXAMPLES / "books.py", directory)
    done = books("--kills", "0", "--customers", "4", directory=directory)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "things are wrong" in done.stdout
    return done
