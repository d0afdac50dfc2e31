"""Backends of five methods pass the suite, by what they declare."""

import pytest
from small_backends import JsonRepo, PickleRepo, UndoRepo

from nitro.testing import RepositoryConformance


class TestTheOneOfTheDocuments(RepositoryConformance):
    @pytest.fixture
    def repository(self):
        return JsonRepo()


class TestTheOneOfTheDocumentsThatTakesBack(RepositoryConformance):
    @pytest.fixture
    def repository(self):
        return UndoRepo()


class TestOneThatCanDoLittle(RepositoryConformance):
    @pytest.fixture
    def repository(self):
        return PickleRepo()
