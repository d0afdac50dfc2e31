"""What the whole suite shares: the header says which build of Nitro is under test."""

import os

import nitro

pytest_plugins = ["nitro.testing.fixtures", "pytester"]


def pytest_report_header() -> str:
    return f"nitro: {nitro.__file__} (NITRO_LAYOUT={os.environ.get('NITRO_LAYOUT', '')})"
