"""Django's ORM: a connection for each thread that stays open, and each statement commits by itself."""

from typing import Any

import django
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import connections, models

from .orders import LIMIT
from .peers import Peer
from .places import POSTGRES, SQLITE, Place

_KEPT_OPEN = {"CONN_MAX_AGE": None}

settings.configure(
    DATABASES={
        # Django wants one of this name; nobody connects to it.
        "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"},
        SQLITE: {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": "",
            "OPTIONS": {"init_command": "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL"},
            **_KEPT_OPEN,
        },
        POSTGRES: {"ENGINE": "django.db.backends.postgresql", "NAME": "", **_KEPT_OPEN},
    },
    USE_TZ=True,
)
django.setup()


class Order(models.Model):
    id = models.TextField(primary_key=True)
    address = models.JSONField()
    placed = models.DateTimeField()
    customer = models.TextField(db_index=True)
    total = models.FloatField()
    quantity = models.BigIntegerField()
    paid = models.BooleanField()
    note = models.TextField(null=True)

    class Meta:
        app_label = "benches"
        db_table = "django_orders"


class Django(Peer):
    name = "Django"
    table = "django_orders"

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        url = place.url(self.table)
        named = {"NAME": url.database, "USER": url.username, "PASSWORD": url.password, "HOST": url.host}
        connections.settings[place.kind].update(
            {name: value for name, value in {**named, "PORT": url.port}.items() if value is not None}
        )
        self.orders = Order.objects.using(place.kind)
        self.database = place.kind

    def prepare(self) -> None:
        with connections[self.database].schema_editor() as editor:
            editor.create_model(Order)

    def insert(self, given: Any) -> Any:
        return self.orders.create(**given)

    def get(self, key: str) -> Any:
        return self.orders.get(pk=key)

    def change(self, asked: tuple[str, float]) -> Any:
        key, total = asked
        order = self.orders.get(pk=key)
        order.total = total
        order.save(update_fields=["total"])

    def query(self, customer: str) -> Any:
        return list(self.orders.filter(customer=customer).order_by("-total")[:LIMIT])

    def load(self, _: Any) -> Any:
        return list(self.orders.all())

    def insert_many(self, given: list[Any]) -> Any:
        return self.orders.bulk_create([Order(**one) for one in given])

    async def aget(self, key: str) -> Any:
        return await self.orders.aget(pk=key)

    def close(self) -> None:
        connections[self.database].close()

    async def aclose(self) -> None:
        # Django's async code runs in a thread of its own, with a connection of its own.
        await sync_to_async(self.close)()
