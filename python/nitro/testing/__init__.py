"""What a backend must do, as tests: subclass `RepositoryConformance` in the tests of yours.

Example:
    >>> import pytest
    >>> class TestMyBackend(nitro.testing.RepositoryConformance):
    ...     @pytest.fixture
    ...     def repository(self):
    ...         return nitro.MemoryRepo()

`nitro.testing.servers` starts a real PostgreSQL for tests, and `nitro.testing.fixtures` has fixtures with it.
"""

try:
    import pytest
except ImportError as error:
    raise ImportError("nitro.testing is for tests that pytest runs: pip install pytest") from error

# Before they are imported, so that a failed assertion shows its values.
pytest.register_assert_rewrite(
    *(f"{__name__}.{part}" for part in ("verbs", "tracking", "queries", "uniqueness", "values", "threads"))
)

from .conformance import RepositoryConformance  # noqa: E402

__all__ = ["RepositoryConformance"]
