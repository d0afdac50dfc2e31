"""What every peer can do. Each is spelled as its users write it where they care about speed."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from .orders import Record
from .places import Place


class Peer(ABC):
    """One way to store orders, in one place.

    Attributes:
        name: What the column is called.
        table: Where its orders are.
    """

    name: ClassVar[str]
    table: ClassVar[str]

    def __init__(self, place: Place) -> None:
        self.place = place

    @abstractmethod
    def prepare(self) -> None:
        """Makes the table, with an index by customer."""

    def given(self, record: Record) -> Any:
        """An order as `insert` and `insert_many` take it; making it is not measured."""
        return record

    @abstractmethod
    def insert(self, given: Any) -> Any:
        """Stores a new order."""

    @abstractmethod
    def get(self, key: str) -> Any:
        """The order with this key."""

    @abstractmethod
    def change(self, asked: tuple[str, float]) -> Any:
        """Gets an order, gives it another total, and stores that."""

    @abstractmethod
    def query(self, customer: str) -> Any:
        """Twenty orders of a customer, the dearest first."""

    @abstractmethod
    def load(self, _: Any) -> Any:
        """Every order."""

    @abstractmethod
    def insert_many(self, given: list[Any]) -> Any:
        """Stores many new orders."""

    @abstractmethod
    async def aget(self, key: str) -> Any:
        """The order with this key, for async code."""

    @abstractmethod
    def close(self) -> None:
        """Ends what is open, but for what belongs to an event loop."""

    @abstractmethod
    async def aclose(self) -> None:
        """Ends what belongs to the event loop."""
