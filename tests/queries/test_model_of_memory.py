"""A memory repository and a naive model of it never differ, whatever is done to them."""

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from model_of_memory import Random, Twins, drive

from nitro import MemoryRepo

#: Steps of the seeded drive, for each mode.
STEPS = int(os.environ.get("NITRO_MODEL_STEPS", "4000"))


class Drawn(Random):
    def __init__(self, data: Any) -> None:
        self.data = data

    def below(self, limit: int) -> int:
        return self.data.draw(st.integers(0, limit - 1))


@pytest.mark.parametrize("isolated", [False, True], ids=["live", "isolated"])
def test_random_steps(isolated):
    drive(int(os.environ.get("NITRO_MODEL_SEED", "1")), STEPS, isolated=isolated)


class Machine(RuleBasedStateMachine):
    isolated = False

    @initialize(data=st.data())
    def begin(self, data: Any) -> None:
        self.twins = Twins(Drawn(data), isolated=self.isolated)

    @rule(data=st.data())
    def create(self, data: Any) -> None:
        self.twins.random = Drawn(data)
        self.twins.create()

    @rule(data=st.data(), action=st.sampled_from(sorted(set(Twins.ACTIONS), key=lambda action: action.__name__)))
    def act(self, data: Any, action: Any) -> None:
        self.twins.random = Drawn(data)
        action(self.twins)

    @rule(data=st.data())
    def find(self, data: Any) -> None:
        self.twins.random = Drawn(data)
        self.twins.find()

    def teardown(self) -> None:
        if hasattr(self, "twins"):
            assert self.twins.repository.check() == []


class IsolatedMachine(Machine):
    isolated = True


FEW = settings(
    max_examples=int(os.environ.get("NITRO_MODEL_EXAMPLES", "25")),
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestLive = Machine.TestCase
TestLive.settings = FEW
TestIsolated = IsolatedMachine.TestCase
TestIsolated.settings = FEW


def test_the_model_finds_a_planted_difference(monkeypatch: pytest.MonkeyPatch):
    """A store that forgets one condition in a hundred is found out."""
    count = MemoryRepo.count
    calls = iter(range(10**9))

    def forgetful(self: MemoryRepo, query: Any) -> int:
        return count(self, query) + (next(calls) % 100 == 99)

    monkeypatch.setattr(MemoryRepo, "count", forgetful)
    with pytest.raises(AssertionError):
        drive(1, 2000, isolated=False)
