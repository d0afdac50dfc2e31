"""The domain of these tests: orders that are placed, and what follows from it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from blinker import signal

import nitro
from nitro import Entity, SQLModelBackend, on
from nitro.outbox import Relay

placed = signal("order-placed")
shipped = signal("order-shipped")


@dataclass
class Shop:
    """Classes on one database."""

    store: SQLModelBackend
    Order: Any
    Note: Any

    def relay(self, **options: Any) -> Relay:
        """A relay that does not wait before it tries again, unless it is told."""
        return Relay(self.store, **{"backoff": 0, "interval": 0.01, **options})

    def texts(self) -> list[str]:
        """What the handlers have noted."""
        return [note.text for note in self.Note.all()]


def open_shop(url: str, *handlers: Callable[..., Any]) -> Shop:
    """A shop with its tables, and with durable handlers of `placed`."""
    backend = SQLModelBackend(url)

    class Order(Entity, backend=backend):
        customer: str = "Ann"
        total: float = 0.0

    class Note(Entity, backend=backend):
        text: str

    shop = Shop(backend, Order, Note)
    for handler in handlers:
        on(placed, durable=True)(handler)
    on(placed, durable=True)(_nobody)
    nitro.create_all(Order, Note)
    nitro.off(_nobody)
    return shop


def _nobody(order: Any) -> None:
    """Has the outbox made where a test registers its handlers later."""
