"""pyright and mypy infer from a query what it gives, and refuse what is wrong."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ACCEPTED = HERE / "accepted.py"
ACCEPTED_SQLENTITIES = HERE / "accepted_sqlentities.py"
REFUSED = HERE / "refused.py"


def pyright(file: Path, strict: bool, where: Path) -> dict[int, str]:
    """{line: error}"""
    # Only what is below its settings is looked at.
    copied = Path(shutil.copy(file, where / "program.py"))
    settings = where / "pyrightconfig.json"
    settings.write_text(
        json.dumps(
            {
                "include": [copied.name],
                "typeCheckingMode": "strict" if strict else "standard",
                "pythonVersion": "3.11",
            }
        )
    )
    command = [
        sys.executable,
        "-m",
        "pyright",
        "--project",
        str(settings),
        "--pythonpath",
        sys.executable,
        "--outputjson",
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    report = json.loads(done.stdout)
    assert report["summary"]["filesAnalyzed"] == 1, done.stdout
    return {
        found["range"]["start"]["line"] + 1: found["message"]
        for found in report["generalDiagnostics"]
        if found["severity"] == "error"
    }


def mypy(file: Path, strict: bool, where: Path) -> dict[int, str]:
    """{line: error}"""
    command = [sys.executable, "-m", "mypy", "--config-file=", "--cache-dir", str(where), "--no-error-summary"]
    command += ["--python-version", "3.11", "--strict"] if strict else ["--python-version", "3.11"]
    done = subprocess.run([*command, str(file)], capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return {int(line): text for line, text in re.findall(r"^\S+:(\d+): error: (.*)$", done.stdout, re.MULTILINE)}


checkers = pytest.mark.parametrize("checker", [pyright, mypy])


@checkers
@pytest.mark.parametrize("strict", [False, True], ids=["usual", "strict"])
@pytest.mark.parametrize("program", [ACCEPTED, ACCEPTED_SQLENTITIES], ids=lambda program: program.stem)
def test_what_is_right_is_accepted_and_has_the_right_types(checker, strict, program, tmp_path):
    assert checker(program, strict, tmp_path) == {}


@checkers
def test_a_planted_wrong_type_is_found(checker, tmp_path):
    planted = tmp_path / "planted.py"
    code = ACCEPTED.read_text("utf-8")
    right = 'order_by("-total").first(), Order | None)'
    assert code.count(right) == 1
    planted.write_text(code.replace(right, right.replace("Order | None", "Order")), "utf-8")
    line = 1 + code[: code.index(right)].count("\n")
    assert list(checker(planted, False, tmp_path)) == [line]


@checkers
def test_what_is_wrong_is_refused(checker, tmp_path):
    lines = REFUSED.read_text("utf-8").splitlines()
    wrong = [number for number, text in enumerate(lines, 1) if text.endswith("# refused")]
    assert sorted(checker(REFUSED, False, tmp_path)) == wrong
