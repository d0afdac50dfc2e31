"""A test says what time it is."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest

import nitro
from nitro import Entity, Field, clock
from nitro.testing import frozen_clock

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Payment(Entity):
    made_at: datetime = Field(default_factory=nitro.now)


class Session(Entity, ttl=60):
    user: str = ""


def time_in(key: str) -> datetime:
    return datetime.fromtimestamp((UUID(key).int >> 80) / 1000, UTC)


def test_now_is_this_moment_in_utc() -> None:
    before = datetime.now(UTC)
    now = nitro.now()
    assert before <= now <= datetime.now(UTC)
    assert now.tzinfo is UTC


def test_a_frozen_clock_stands_still_until_it_is_moved() -> None:
    with frozen_clock(NOON) as frozen:
        assert nitro.now() == Payment().made_at == NOON
        assert frozen.tick(1.5) == nitro.now() == NOON + timedelta(seconds=1.5)
        assert frozen.move_to(NOON) == nitro.now() == NOON
    assert nitro.now() > NOON.replace(year=2000)
    assert nitro.now() != NOON


def test_without_a_moment_each_run_begins_at_the_same() -> None:
    with frozen_clock():
        first = nitro.now()
    with frozen_clock():
        assert nitro.now() == first


def test_moments_are_told_in_utc() -> None:
    east = timezone(timedelta(hours=5))
    with frozen_clock(datetime(2026, 3, 1, 12, tzinfo=east)):
        assert nitro.now().isoformat() == "2026-03-01T07:00:00+00:00"


def test_a_moment_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="has no time zone: write datetime"), frozen_clock(datetime(2026, 3, 1)):
        pass
    with frozen_clock() as frozen, pytest.raises(ValueError, match="has no time zone"):
        frozen.move_to(datetime(2026, 3, 1))


def test_time_does_not_tick_backwards() -> None:
    with frozen_clock() as frozen, pytest.raises(ValueError, match="move_to goes back"):
        frozen.tick(-1)


@pytest.mark.parametrize("isolated", [False, True])
def test_what_has_a_time_to_live_follows_it(isolated: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Session, "__nitro_backend__", nitro.MemoryRepo(isolated=isolated))
    with frozen_clock(NOON) as frozen:
        session = Session().save()
        frozen.tick(59.9)
        assert Session.get_or_none(session.id) is not None
        frozen.tick(0.1)
        assert Session.get_or_none(session.id) is None
        later = Session().save()
        frozen.move_to(frozen.now() + timedelta(minutes=2))
        assert Session.where().count() == 0
        frozen.move_to(NOON)
        assert Session.get_or_none(later.id) is None


def test_what_has_passed_is_what_was_ticked(monkeypatch: pytest.MonkeyPatch) -> None:
    # Added to this, half a day twice would be a day and a rest.
    monkeypatch.setattr("time.monotonic", lambda: 12422.1166)
    with frozen_clock() as clock:
        before = clock.monotonic()
        clock.tick(43_200)
        clock.tick(43_200)
        assert clock.monotonic() - before == 86_400


def test_monotonic_seconds_follow_it_and_never_go_back() -> None:
    with frozen_clock(NOON) as frozen:
        before = clock.monotonic()
        frozen.tick(3)
        frozen.move_to(NOON - timedelta(days=1))
        assert clock.monotonic() == before + 3
        frozen.move_to(NOON)
        assert clock.monotonic() == before + 3 + 86_400


def test_ids_have_its_time_and_stay_in_order() -> None:
    with frozen_clock(NOON) as frozen:
        first, second = Session().id, Session().id
        frozen.tick(60)
        third = Session().id
        frozen.move_to(NOON)
        fourth = Session().id
    assert [time_in(first), time_in(second), time_in(third)] == [NOON, NOON, NOON + timedelta(seconds=60)]
    assert first < second < third < fourth
    assert len({key[-12:] for key in (first, second, third, fourth)}) == 4
    assert abs(time_in(Session().id) - datetime.now(UTC)) < timedelta(seconds=10)


def test_threads_and_tasks_see_it() -> None:
    seen: list[datetime] = []

    async def look() -> None:
        seen.append(nitro.now())

    async def look_from_tasks() -> None:
        await asyncio.gather(look(), asyncio.to_thread(lambda: seen.append(nitro.now())))

    # A thread that was there before sees it too.
    go, done = threading.Event(), threading.Event()

    def wait_and_look() -> None:
        go.wait(10)
        seen.append(nitro.now())
        done.set()

    early = threading.Thread(target=wait_and_look)
    early.start()
    with frozen_clock(NOON):
        go.set()
        assert done.wait(10)
        asyncio.run(look_from_tasks())
    early.join()
    assert seen == [NOON] * 3


def test_clocks_are_nested() -> None:
    with frozen_clock(NOON):
        with frozen_clock(NOON + timedelta(days=1)) as inner:
            inner.tick(1)
        assert nitro.now() == NOON
