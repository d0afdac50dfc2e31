"""`RepositoryConformance`: every test that a backend must pass, by what it declares."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nitro import Repository

from .domain import CLASSES
from .queries import Queries
from .threads import Threads
from .tracking import Tracking
from .uniqueness import Expiry, Uniqueness
from .values import Values
from .verbs import Verbs


class RepositoryConformance(Verbs, Tracking, Queries, Uniqueness, Expiry, Values, Threads):
    """A backend's tests, for its author to subclass.

    The subclass has a fixture `repository`: a fresh and empty repository for each test. Where the backend declares
    `ttl`, it has a method `advance(repository, seconds)` too, which lets time pass.

    `repository.capabilities` decides what is asked: what is declared must work, and what is not must be refused with
    an error that names the backend.

    Example:
        >>> import pytest
        >>> class TestMyBackend(nitro.testing.RepositoryConformance):
        ...     @pytest.fixture
        ...     def repository(self):
        ...         return nitro.MemoryRepo()
    """

    @pytest.fixture
    def repository(self) -> Iterator[Repository]:
        """A fresh and empty repository."""
        raise NotImplementedError(
            f"{type(self).__name__} needs a fixture `repository`: it gives a fresh and empty repository of your backend"
        )

    @pytest.fixture(autouse=True)
    def _entities_live_in_the_repository(self, repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
        for entity_class in CLASSES:
            monkeypatch.setattr(entity_class, "__nitro_backend__", repository)
