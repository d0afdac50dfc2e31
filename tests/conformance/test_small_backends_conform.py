"""Backends of five methods pass the suite, by what they declare."""

import pytest
from small_backends import JsonRepo, PickleRepo

from nitro.testing import RepositoryConformance


class TestTheOneOfTheDocuments(RepositoryConformance):
    @pytest.fixture
    def repository(self):
        return JsonRepo()


class TestOneThatCanDoLittle(RepositoryConformance):
    @pytest.fixture
    def repository(self):
        return PickleRepo()
