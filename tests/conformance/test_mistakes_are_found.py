"""The suite fails for a backend with a mistake in it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FILE = HERE / "planted_bugs.py"
PLANTED = dict(
    re.findall(
        r'^class (Test\w+)\(Planted\):\n(?:    """.*?"""\n\n)?    found_by = "(\w+)"', FILE.read_text("utf-8"), re.M
    )
)


@pytest.fixture(scope="module")
def failures() -> dict[str, set[str]]:
    """{class: names of the tests that failed}"""
    tests = [f"{FILE}::{name}::{test}" for name, test in PLANTED.items()]
    command = [sys.executable, "-m", "pytest", "-q", "--tb=no", "-rfE", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(command, capture_output=True, text=True, cwd=HERE, env=os.environ | {"COLUMNS": "500"})
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    failed: dict[str, set[str]] = {}
    for name, test in re.findall(r"^(?:FAILED|ERROR) \S*planted_bugs\.py::(\w+)::(\w+)", done.stdout, re.MULTILINE):
        failed.setdefault(name, set()).add(test)
    return failed


def test_there_are_mistakes_to_find():
    assert len(PLANTED) >= 28


@pytest.mark.parametrize("planted", PLANTED)
def test_a_mistake_is_found(planted: str, failures: dict[str, set[str]]):
    assert PLANTED[planted] in failures.get(planted, set())
