"""What the whole suite shares: the header says which build of Nitro is under test; the collector sees only a module."""

import gc
import os

import pytest

import nitro

pytest_plugins = ["nitro.testing.fixtures", "pytester"]


def pytest_report_header() -> str:
    return f"nitro: {nitro.__file__} (NITRO_LAYOUT={os.environ.get('NITRO_LAYOUT', '')})"


@pytest.fixture(scope="module", autouse=True)
def _nothing_old_in_sight() -> None:
    """Without this, every collection would walk through all that was imported, and that earlier modules have left."""
    gc.collect()
    gc.freeze()
