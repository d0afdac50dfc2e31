"""`import nitro` is cheap, and does not drag in what an application has not asked for."""

import os
import subprocess
import sys
from pathlib import Path
from statistics import median

import pytest

# More than pydantic alone: calls and returns, of Python and of C, and the time of the processor.
CALLS_ALLOWED = 45_000
TIMES_ALLOWED = 1.35
ROUNDS = 15

# What everyone who writes `import pydantic` pays before there is a first model: pydantic imports
# most of itself only when a class is made.
PYDANTIC = "from pydantic import BaseModel, Field; type('First', (BaseModel,), {})"
NITRO = "import nitro; nitro.Entity, nitro.Field"


def in_a_fresh_process(code: str, environment: dict[str, str] | None = None) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment
    ).stdout


@pytest.mark.parametrize("dependency", ["sqlalchemy", "sqlmodel", "alembic", "redis", "fastapi", "starlette", "flask"])
def test_it_does_not_load(dependency: str) -> None:
    loaded = in_a_fresh_process("import sys, nitro; print(*sys.modules)").split()
    assert "nitro" in loaded
    assert dependency not in loaded


def from_byte_code(tmp_path: Path) -> dict[str, str]:
    """The environment of a process that starts from byte code, as an installed package does."""
    environment = os.environ | {"PYTHONPYCACHEPREFIX": str(tmp_path)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    for statement in (PYDANTIC, NITRO):
        in_a_fresh_process(statement, environment)
    return environment


def test_it_runs_few_functions_more_than_pydantic(tmp_path: Path) -> None:
    # What an import does is the same on every machine, however fast that is and whatever else it does.
    environment = from_byte_code(tmp_path)
    count = "calls = [0]\ndef called(*_): calls[0] += 1\n"

    def calls_of(statement: str) -> int:
        code = f"import sys\n{count}sys.setprofile(called)\n{statement}\nsys.setprofile(None)\nprint(calls[0])"
        return int(in_a_fresh_process(code, environment))

    pydantic, with_nitro = calls_of(PYDANTIC), calls_of(NITRO)
    print(f"pydantic {pydantic}, with nitro {with_nitro}")
    assert with_nitro - pydantic <= CALLS_ALLOWED


def test_it_costs_little_more_time_than_pydantic(tmp_path: Path) -> None:
    environment = from_byte_code(tmp_path)

    def milliseconds_of(statement: str) -> float:
        timer = "from time import process_time; before = process_time()"
        result = "print(1000 * (process_time() - before))"
        return float(in_a_fresh_process(f"{timer}\n{statement}\n{result}", environment))

    # Time of the processor, which does not count waiting for one. How fast that is changes from one second to the
    # next where others share it, so a run is compared with the one beside it, and no odd pair decides.
    ratios = [milliseconds_of(NITRO) / milliseconds_of(PYDANTIC) for _ in range(ROUNDS)]
    print(f"{median(ratios):.2f} times pydantic")
    assert median(ratios) <= TIMES_ALLOWED
