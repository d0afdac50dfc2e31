"""`RepositoryConformance`: every test that a backend must pass, by what it declares."""

from __future__ import annotations

from collections.abc import Iterator

try:
    import pytest
except ImportError as error:
    raise ImportError("the suite for backends is for tests that pytest runs: pip install pytest") from error

from nitro import Repository

# Before they are imported, so that a failed assertion shows its values.
pytest.register_assert_rewrite(
    *(
        f"nitro.testing.{part}"
        for part in ("verbs", "tracking", "queries", "uniqueness", "values", "undoing", "threads")
    )
)

from .domain import CLASSES  # noqa: E402
from .queries import Queries  # noqa: E402
from .threads import Threads  # noqa: E402
from .tracking import Tracking  # noqa: E402
from .undoing import Undoing  # noqa: E402
from .uniqueness import Expiry, Uniqueness  # noqa: E402
from .values import Values  # noqa: E402
from .verbs import Verbs  # noqa: E402


class RepositoryConformance(Verbs, Tracking, Queries, Uniqueness, Expiry, Values, Undoing, Threads):
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
