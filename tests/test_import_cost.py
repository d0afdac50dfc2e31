"""`import nitro` is cheap, and does not drag in what an application has not asked for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

MILLISECONDS_ALLOWED = 30
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


def test_it_costs_little_more_than_pydantic(tmp_path: Path) -> None:
    # Both start from byte code, as an installed package does, even where Python is told to write none.
    environment = os.environ | {"PYTHONPYCACHEPREFIX": str(tmp_path)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)

    def milliseconds_of(statement: str) -> float:
        timer = "from time import process_time; before = process_time()"
        result = "print(1000 * (process_time() - before))"
        return float(in_a_fresh_process(f"{timer}\n{statement}\n{result}", environment))

    milliseconds_of(PYDANTIC)
    milliseconds_of(NITRO)
    # Time of the processor, which does not count waiting for one. Noise only ever adds to it, so the
    # fastest run of each is the nearest to its cost. Taking turns spreads a slow spell over both.
    rounds = [(milliseconds_of(PYDANTIC), milliseconds_of(NITRO)) for _ in range(ROUNDS)]
    pydantic, with_nitro = map(min, zip(*rounds, strict=True))
    print(f"pydantic {pydantic:.1f} ms, with nitro {with_nitro:.1f} ms")
    assert with_nitro - pydantic <= MILLISECONDS_ALLOWED
