"""The plugin for pytest, in test runs of their own."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points

import pytest

SHOP = """
    from datetime import UTC, datetime
    import blinker
    import nitro
    from nitro import Entity, Field, SQLModelBackend

    order_placed = blinker.signal("order-placed")

    class Order(Entity, backend=SQLModelBackend("postgresql://nobody@127.0.0.1:1/nowhere")):
        total: float = 0.0
        made_at: datetime = Field(default_factory=nitro.now)

        def place(self):
            self.save()
            order_placed.send(self, total=self.total)
"""


@pytest.fixture
def shop(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(shop=SHOP)
    return pytester


def test_it_comes_with_the_package() -> None:
    assert [found.value for found in entry_points(group="pytest11", name="nitro")] == ["pytest_nitro"]


def test_a_run_that_does_not_use_nitro_does_not_load_it(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nfilterwarnings = error\n")
    pytester.makepyfile(
        """
        import sys, warnings

        def test_nothing_is_loaded():
            warnings.filterwarnings("ignore", category=UserWarning, message="an ordinary one")
            warnings.warn("an ordinary one")
            loaded = {name.partition(".")[0] for name in sys.modules}
            assert "pytest_nitro" in loaded
            assert not loaded & {"nitro", "pydantic", "sqlalchemy", "blinker"}
        """
    )
    pytester.runpytest_subprocess("-p", "no:benchmark", "-p", "no:hypothesispytest").assert_outcomes(passed=1)


def test_importing_it_loads_nothing_of_nitro() -> None:
    code = "import sys, pytest, pytest_nitro; print(*(name for name in sys.modules if name.split('.')[0] == 'nitro'))"
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert printed.split() == []


def test_without_it_there_are_no_fixtures(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(frozen_clock): pass\ndef test_other(): pass")
    result = pytester.runpytest_subprocess("-p", "no:nitro")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*fixture 'frozen_clock' not found*"])


def test_the_fixture_keeps_entities_in_memory(shop: pytest.Pytester) -> None:
    shop.makepyfile(
        """
        from shop import Order

        def test_one(nitro_memory):
            Order(id="1").save()
            assert Order.where().count() == 1

        def test_two(nitro_memory):
            assert Order.where().count() == 0
        """
    )
    shop.runpytest_subprocess("-W", "error").assert_outcomes(passed=2)


def test_the_marker_does_so_too(shop: pytest.Pytester) -> None:
    shop.makepyfile(
        """
        import pytest
        from nitro import BackendUnavailable
        from shop import Order

        @pytest.mark.nitro_memory
        class TestOrders:
            def test_one(self):
                Order(id="1").save()
                assert Order.where().count() == 1

            @pytest.mark.nitro_memory(False)
            def test_not_this_one(self):
                with pytest.raises(BackendUnavailable):
                    Order.all()

        def test_nor_this_one():
            with pytest.raises(BackendUnavailable):
                Order.all()
        """
    )
    shop.runpytest_subprocess("-W", "error", "--strict-markers").assert_outcomes(passed=3)


def test_the_setting_does_so_for_every_test(shop: pytest.Pytester) -> None:
    shop.makeini("[pytest]\nnitro_memory = true\naddopts = --strict-config --strict-markers\n")
    shop.makepyfile(
        """
        import unittest
        import pytest
        from nitro import BackendUnavailable
        from shop import Order

        @pytest.fixture
        def order():
            return Order(id="1").save()

        def test_one(order):
            assert Order.get("1").total == 0

        def test_two():
            assert Order.all() == []

        class TestOld(unittest.TestCase):
            def test_three(self):
                self.assertEqual(Order.all(), [])

        @pytest.mark.nitro_memory(False)
        def test_four():
            with pytest.raises(BackendUnavailable):
                Order.all()
        """
    )
    shop.runpytest_subprocess("-W", "error").assert_outcomes(passed=4)


def test_the_clock_the_ids_and_the_events_are_fixtures(shop: pytest.Pytester) -> None:
    shop.makepyfile(
        """
        from datetime import UTC, datetime, timedelta
        import nitro
        from shop import Order, order_placed

        START = datetime(2025, 1, 1, tzinfo=UTC)
        seen = []

        def test_the_time(frozen_clock):
            assert Order().made_at == START
            frozen_clock.tick(5)
            assert nitro.now() == START + timedelta(seconds=5)

        def test_the_time_goes_on():
            assert nitro.now() > START + timedelta(days=1)

        def test_ids(seeded_ids):
            seen.append(Order().id)

        def test_the_same_ids(seeded_ids):
            assert [Order().id] == seen

        def test_events(nitro_memory, captured_events):
            order = Order(total=3)
            order.place()
            (placed,) = captured_events.of(order_placed)
            assert (placed.sender, placed.keywords) == (order, {"total": 3})
        """
    )
    shop.runpytest_subprocess("-W", "error").assert_outcomes(passed=5)


def test_queries_are_counted(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest
        import nitro
        from nitro import Entity, SQLModelBackend

        @pytest.fixture
        def Item(tmp_path):
            class Item(Entity, backend=SQLModelBackend(f"sqlite:///{tmp_path / 'items.db'}")):
                name: str = ""
            nitro.create_all(Item)
            return Item

        def test_few(Item, assert_max_queries, count_queries):
            with assert_max_queries(2), count_queries() as sent:
                Item.get(Item().save().id)
            assert len(sent) == 2

        def test_many(Item, assert_max_queries):
            with assert_max_queries(1):
                Item.get(Item(name="tea").save().id)
        """
    )
    result = pytester.runpytest_subprocess("-W", "error")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        ["E * 2 statements were sent, at most 1 were expected:", "E * 1. INSERT INTO *tea*", "E * 2. SELECT *"]
    )


FORGETFUL = """
    import nitro
    from nitro import Entity, SQLModelBackend, UnitOfWork

    def test_a_forgotten_save(tmp_path):
        class Item(Entity, backend=SQLModelBackend(f"sqlite:///{tmp_path / 'items.db'}")):
            name: str = ""
        nitro.create_all(Item)
        item = Item().save()
        with UnitOfWork():
            Item.get(item.id).name = "tea"
"""


def test_a_forgotten_save_is_an_error(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(FORGETFUL)
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["E *UnsavedChangesWarning: Item * was changed in a unit of work and not saved (name)*"]
    )


@pytest.mark.parametrize(
    "settings",
    [
        "filterwarnings = ignore::nitro.errors.UnsavedChangesWarning",
        "addopts = -W ignore::nitro.errors.UnsavedChangesWarning",
        "addopts = -p no:nitro",
    ],
)
def test_a_project_has_the_last_word_on_forgotten_saves(pytester: pytest.Pytester, settings: str) -> None:
    pytester.makeini(f"[pytest]\n{settings}\n")
    pytester.makepyfile(FORGETFUL)
    pytester.runpytest_subprocess().assert_outcomes(passed=1, warnings=int("no:nitro" in settings))


def test_other_warnings_stay_warnings(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("import warnings\ndef test_it(): warnings.warn('only this', UserWarning)")
    pytester.runpytest_subprocess().assert_outcomes(passed=1, warnings=1)


def test_doctests_are_tests_too(shop: pytest.Pytester) -> None:
    shop.makeini("[pytest]\nnitro_memory = true\naddopts = --doctest-modules\n")
    shop.makepyfile(
        documented='''
        def orders():
            """
            >>> from shop import Order
            >>> Order.all()
            []
            """
        '''
    )
    shop.runpytest_subprocess("documented.py").assert_outcomes(passed=1)
