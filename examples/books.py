"""Kills the shop again and again while customers order, and looks whether its books are right in the end.

    python books.py --kills 100

The app and its relay are processes of their own, and end by SIGKILL. Customers who got no answer ask again, with the
same key. The database is that of NITRO_SQL_URL, which has to be empty; without one, a file of SQLite for the occasion.
"""

import argparse
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path

import httpx
from sqlalchemy import text

from nitro import UnitOfWork
from nitro.outbox import dead_letters

HERE = Path(__file__).parent
#: An order as it is sent.
Wanted = Mapping[str, object]
#: Seconds to wait for what should not take long.
PATIENCE = 60.0
#: What there is in the beginning. The last of each is not enough for all that is wanted.
PRODUCTS = {"tea": ("4.50", 1_000_000), "cup": ("7.25", 1_000_000), "kettle": ("39.90", 100)}
ACCOUNTS = {"ann": "10000000", "bob": "10000000", "chiara": "10000000", "dmitri": "900"}


class Process:
    """A process that can be started anew after it was killed.

    Args:
        arguments: What stands behind `python -m`.
        ready: What it says when it is ready; the group in it is kept as `said`.
    """

    def __init__(self, *arguments: str, ready: str) -> None:
        self._arguments, self._ready = arguments, ready
        self.is_up = threading.Event()
        self.start()

    def start(self) -> None:
        """Starts it, and returns when it is ready."""
        self._log: list[str] = []
        command = [sys.executable, "-u", "-m", *self._arguments]
        self._process = subprocess.Popen(command, cwd=HERE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        lines = self._process.stdout
        assert lines is not None
        too_late = threading.Timer(PATIENCE, self._process.kill)
        too_late.start()
        for line in lines:
            self._log.append(line)
            if found := re.search(self._ready, line):
                self.said = found[1]
                break
        else:
            raise RuntimeError(f"it does not start: {self}")
        too_late.cancel()
        self._reading = threading.Thread(target=self._log.extend, args=(lines,))
        self._reading.start()
        self.is_up.set()

    def kill(self) -> None:
        """Ends it without a word."""
        self.is_up.clear()
        self._process.kill()
        self._process.wait()
        self._reading.join()

    def has_ended(self, within: float) -> bool:
        """Whether it ends by itself within so many seconds."""
        try:
            self._process.wait(within)
        except subprocess.TimeoutExpired:
            return False
        return True

    def __str__(self) -> str:
        return f"{' '.join(self._arguments)}\n{''.join(self._log[-40:])}"


class Customers:
    """Those who order, and what they were told."""

    def __init__(self, app: Process) -> None:
        self._app = app
        self._news = threading.Condition()
        self.are_to_stop = threading.Event()
        #: {id of the order: what was wanted}
        self.placed: dict[str, Wanted] = {}
        self.refused = self.repeated = 0
        self.odd_answers: list[str] = []

    def buy(self, seed: int) -> None:
        """What one customer does: one order after the other, each until there is an answer."""
        chance = random.Random(seed)
        with httpx.Client(trust_env=False, timeout=PATIENCE) as http:
            while not self.are_to_stop.is_set():
                products = chance.choices(list(PRODUCTS), k=chance.randint(1, 3))
                lines = [{"product_id": product, "quantity": chance.randint(1, 3)} for product in products]
                wanted: Wanted = {"account_id": chance.choice(list(ACCOUNTS)), "lines": lines}
                answer = self._answer(http, wanted)
                with self._news:
                    if answer.status_code == 200:
                        self.placed[answer.json()["id"]] = wanted
                    elif answer.status_code == 409:
                        self.refused += 1
                    else:
                        self.odd_answers.append(f"{answer.status_code} {answer.text}")
                    self._news.notify_all()

    def _answer(self, http: httpx.Client, wanted: Wanted) -> httpx.Response:
        key = str(uuid.uuid4())
        while self._app.is_up.wait(PATIENCE):
            try:
                answer = http.post(f"{self._app.said}/orders", json=wanted, headers={"Idempotency-Key": key})
            except httpx.TransportError:
                with self._news:
                    self.repeated += 1
            else:
                if answer.status_code != 503:
                    return answer
        raise RuntimeError("the app is gone for good")

    def wait_for(self, more: int) -> None:
        """Returns when so many more orders are placed."""
        with self._news:
            goal = len(self.placed) + more
            if not self._news.wait_for(lambda: len(self.placed) >= goal, PATIENCE):
                raise RuntimeError(f"nobody gets an order placed any more; {self.odd_answers[-1:]} {self._app}")


# --- The books --------------------------------------------------------------------------------------------------


def what_is_wrong(customers: Customers) -> Iterator[str]:
    """Everything in the database and in the file of mails that is not as it has to be."""
    from shop import MAILS, Account, AuditLog, Order, Parcel, Payment, Product

    orders = {order.id: order for order in Order.all()}
    yield from (f"unexpected answer: {answer}" for answer in customers.odd_answers)
    yield from (f"order {id} was acknowledged and is not there" for id in customers.placed.keys() - orders.keys())
    yield from (f"order {id} is there and nobody was told so" for id in orders.keys() - customers.placed.keys())

    sold: Counter[str] = Counter()
    for id, order in orders.items():
        for line in order.lines:
            sold[line.product_id] += line.quantity
        total = sum(Decimal(PRODUCTS[line.product_id][0]) * line.quantity for line in order.lines)
        if order.total != total or order.status != "placed":
            yield f"order {id} is {order.status} over {order.total}: it has to be placed over {total}"
        wanted = customers.placed.get(id)
        if wanted and wanted != order.model_dump(include={"account_id", "lines"}):
            yield f"order {id} is {order!r}: {wanted} was wanted"
    for id, (_, stock) in PRODUCTS.items():
        if (reduced := stock - Product.get(id).stock) != sold[id]:
            yield f"the stock of {id} is reduced by {reduced}: {sold[id]} are sold"

    payments = Payment.all()
    yield from not_once("payment", (payment.order_id for payment in payments), orders)
    spent = {id: Decimal(balance) - Account.get(id).balance for id, balance in ACCOUNTS.items()}
    for name, money in (
        ("the accounts have paid", sum(spent.values())),
        ("the payments are", sum(payment.amount for payment in payments)),
    ):
        if money != (placed := sum(order.total for order in orders.values())):
            yield f"{name} {money}: the placed orders are {placed}"

    yield from not_once("audit entry", (entry.order_id for entry in AuditLog.where(action="order_placed")), orders)
    yield from not_once("parcel", (parcel.order_id for parcel in Parcel.all()), orders)
    mails = MAILS.read_text() if MAILS.exists() else ""
    yield from not_once("mail", re.findall(r'"order_id": "([^"]*)"}\n', mails), orders)
    yield from (f"{letter.signal} of {letter.sender_key} failed: {letter.error}" for letter in dead_letters())
    for table in ("nitro_outbox", "nitro_inbox"):
        if left := rows(table):
            yield f"{left} rows are left in {table}"


def not_once(what: str, found: Iterable[str], orders: Mapping[str, object]) -> Iterator[str]:
    """The orders for which there is not one of something that there has to be one of."""
    counted = Counter(found)
    for id in counted.keys() | orders.keys():
        if counted[id] != (expected := int(id in orders)):
            yield f"{counted[id]} times the {what} of order {id}: it has to be {expected}"


def rows(table: str) -> int:
    with UnitOfWork() as unit:
        return unit.session().execute(text(f"SELECT count(*) FROM {table}")).scalar_one()


# --- The run ----------------------------------------------------------------------------------------------------


def run(kills: int, count: int, seed: int) -> tuple[Customers, int]:
    """Lets customers order while the shop is killed, and returns when it has done all that it has to."""
    chance = random.Random(seed)
    relays = 0
    with ExitStack() as ends:
        app = Process("uvicorn", "--port", "0", "shop:app", ready=r"running on (http://\S+)")
        ends.callback(app.kill)
        relay = Process("nitro.cli", "relay", "--app", "shop", "--lease", "2", ready=r"(delivering)")
        ends.callback(relay.kill)
        for id, (price, stock) in PRODUCTS.items():
            httpx.post(f"{app.said}/products", json={"id": id, "price": price, "stock": stock}).raise_for_status()
        for id, balance in ACCOUNTS.items():
            httpx.post(f"{app.said}/accounts", json={"id": id, "balance": balance}).raise_for_status()

        customers = Customers(app)
        with ThreadPoolExecutor(count) as threads:
            buying: list[Future[None]] = [threads.submit(customers.buy, seed + number) for number in range(count)]
            try:
                for _ in range(kills):
                    customers.wait_for(chance.randint(1, 30))
                    # Anywhere in what goes on.
                    customers.are_to_stop.wait(chance.uniform(0, 0.02))
                    app.kill()
                    if chance.random() < 0.3:
                        relays += 1
                        relay.kill()
                        relay.start()
                    app.start()
                customers.wait_for(20)
            finally:
                customers.are_to_stop.set()
            for customer in buying:
                customer.result()
        waits = 0.0
        while rows("nitro_outbox") and waits < PATIENCE:
            waits += 0.1
            if relay.has_ended(within=0.1):
                raise RuntimeError(f"it has ended: {relay}")
    return customers, relays


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20, help="how often the app is killed (default: 20)")
    parser.add_argument("--customers", type=int, default=6, help="how many order at the same time (default: 6)")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32), help="repeats what is left to chance")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        os.environ["SHOP_MAILS"] = f"{directory}/mails.jsonl"
        os.environ.setdefault("NITRO_SQL_URL", f"sqlite:///{directory}/shop.db")
        # Makes the tables, in the database that was just named.
        from shop import Order

        if Order.where().count():
            parser.error("NITRO_SQL_URL names a database that has orders: take an empty one")
        customers, relays = run(options.kills, options.customers, options.seed)
        wrong = list(what_is_wrong(customers))
        total = Order.where().sum("total")
    for sentence in wrong:
        print(sentence, file=sys.stderr)
    verdict = f"{len(wrong)} things are wrong (--seed {options.seed})" if wrong else "the books are right"
    print(
        f"The app was killed {options.kills} times, the relay {relays} times. {len(customers.placed)} orders over "
        f"{total} placed, {customers.refused} refused, {customers.repeated} requests without an answer: {verdict}."
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
