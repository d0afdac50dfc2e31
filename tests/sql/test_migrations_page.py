"""The commands that docs/migrations.md shows print what it says that they print."""

import difflib
import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "migrations.md"
BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_commands_of_the_page(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NITRO_")}
    environment["PYTHONPATH"] = os.pathsep.join(place for place in sys.path if place)
    ran = 0
    for block in BLOCK.finditer(PAGE.read_text(encoding="utf-8")):
        language, text = block["language"], block["text"]
        if language == "toml":
            (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
        elif language == "python" and text.startswith("# models.py\n"):
            (tmp_path / "models.py").write_text(text, encoding="utf-8")
        elif language == "console":
            for step in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
                command, _, expected = step.partition("\n")
                # The command itself is not on the path of everybody who runs the tests.
                script = f'nitro() {{ "{sys.executable}" -m nitro.cli "$@"; }}; {command}'
                done = subprocess.run(
                    ["/bin/sh", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True
                )
                printed = done.stdout + done.stderr
                assert doctest.OutputChecker().check_output(expected, printed, doctest.ELLIPSIS), "".join(
                    difflib.ndiff(expected.splitlines(True), printed.splitlines(True))
                )
                ran += 1
    assert ran == 11
