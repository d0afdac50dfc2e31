"""The memory repository passes the suite that it ships, in both of its modes."""

from collections.abc import Iterator

import pytest

from nitro import MemoryRepo, Repository
from nitro.testing import RepositoryConformance


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class OfMemory(RepositoryConformance):
    isolated: bool

    @pytest.fixture
    def clock(self) -> Clock:
        return Clock()

    @pytest.fixture
    def repository(self, clock: Clock) -> Iterator[MemoryRepo]:
        repository = MemoryRepo(isolated=self.isolated, clock=clock)
        yield repository
        assert repository.check() == []

    def advance(self, repository: Repository, seconds: float) -> None:
        repository._clock.now += seconds


class TestLive(OfMemory):
    isolated = False


class TestIsolated(OfMemory):
    isolated = True
