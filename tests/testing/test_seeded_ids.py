"""Ids that are the same in every run."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import UTC, datetime
from uuid import UUID

from nitro import Entity
from nitro.testing import frozen_clock, seeded_ids


class Order(Entity):
    total: float = 0.0


def ids(count: int, seed: int = 0) -> list[str]:
    with seeded_ids(seed):
        return [Order().id for _ in range(count)]


def test_they_are_the_same_with_the_same_seed() -> None:
    assert ids(10) == ids(10) == ids(20)[:10]
    assert not set(ids(10)) & set(ids(10, seed=1))


def test_they_are_the_same_in_another_process() -> None:
    program = (
        "from nitro import Entity\n"
        "from nitro.testing import seeded_ids\n"
        "class Order(Entity): pass\n"
        "with seeded_ids(): print(*[Order().id for _ in range(3)])"
    )
    printed = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert printed.split() == ids(3)


def test_they_are_uuids_of_version_7_in_the_order_in_which_they_are_made() -> None:
    made = ids(10_000)
    assert made == sorted(set(made))
    assert {(UUID(key).version, UUID(key).variant, str(UUID(key)) == key) for key in made} == {
        (7, "specified in RFC 4122", True)
    }


def test_every_way_to_make_an_entity_takes_them() -> None:
    expected = ids(4)
    with seeded_ids():
        made = [
            Order(),
            Order.model_validate({}),
            Order.model_validate_json("{}"),
            Order.create(),
        ]
    assert [order.id for order in made] == expected


def test_an_id_that_is_given_stays() -> None:
    with seeded_ids():
        assert Order(id="1").id == "1"
        assert Order().id == ids(1)[0]


def test_they_have_the_time_of_a_frozen_clock() -> None:
    moment = datetime(2026, 3, 1, tzinfo=UTC)

    def with_a_clock() -> list[str]:
        with seeded_ids(), frozen_clock(moment) as clock:
            first = Order().id
            clock.tick(1)
            return [first, Order().id]

    def the_other_way_round() -> list[str]:
        with frozen_clock(moment) as clock, seeded_ids():
            first = Order().id
            clock.tick(1)
            return [first, Order().id]

    first, second = with_a_clock()
    assert [UUID(first).int >> 80, UUID(second).int >> 80] == [
        int(moment.timestamp() * 1000),
        int(moment.timestamp() * 1000) + 1000,
    ]
    assert the_other_way_round() == [first, second] == with_a_clock()


def test_no_two_threads_get_the_same() -> None:
    made: list[str] = []
    with seeded_ids():
        threads = [threading.Thread(target=lambda: made.extend(Order().id for _ in range(500))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(made) == ids(4000)


def test_afterwards_ids_are_what_they_were() -> None:
    with seeded_ids():
        with seeded_ids(1):
            Order()
        assert Order().id == ids(1)[0]
    one, two = Order().id, Order().id
    assert one < two
    assert one[:8] != ids(1)[0][:8]
