"""pyright and mypy infer from a query what it gives, and refuse what is wrong."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ACCEPTED = ["accepted.py", "accepted_sqlentities.py"]
REFUSED = "refused.py"
PLANTED = "planted.py"
#: A line of what is accepted, and the wrong type that is planted in it.
RIGHT, WRONG = (f'order_by("-total").first(), Order{rest})' for rest in (" | None", ""))

#: {program: {line: error}}
Errors = dict[str, dict[int, str]]


def pyright(directory: Path, names: list[str], strict: bool) -> Errors:
    # Only what is below its settings is looked at.
    settings = directory / "pyrightconfig.json"
    mode = "strict" if strict else "standard"
    settings.write_text(json.dumps({"include": names, "typeCheckingMode": mode, "pythonVersion": "3.11"}))
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable]
    done = subprocess.run([*command, "--project", str(settings)], capture_output=True, text=True)
    report = json.loads(done.stdout)
    assert report["summary"]["filesAnalyzed"] == len(names), done.stdout
    errors: Errors = {name: {} for name in names}
    for found in report["generalDiagnostics"]:
        if found["severity"] == "error":
            errors[Path(found["file"]).name][found["range"]["start"]["line"] + 1] = found["message"]
    return errors


def mypy(directory: Path, names: list[str], strict: bool) -> Errors:
    command = [sys.executable, "-m", "mypy", "--config-file=", "--cache-dir", ".cache", "--no-error-summary"]
    command += ["--python-version", "3.11", *(["--strict"] if strict else []), *names]
    done = subprocess.run(command, capture_output=True, text=True, cwd=directory)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    errors: Errors = {name: {} for name in names}
    for name, line, text in re.findall(r"^(\S+):(\d+): error: (.*)$", done.stdout, re.MULTILINE):
        errors[name][int(line)] = text
    return errors


@pytest.fixture(scope="module")
def errors_by(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Callable[..., Errors], bool], Errors]:
    """What a checker finds in all programs: most of its time goes into the libraries that they use."""
    directory = tmp_path_factory.mktemp("programs")
    for name in (*ACCEPTED, REFUSED):
        shutil.copy(HERE / name, directory)
    code = (HERE / ACCEPTED[0]).read_text("utf-8")
    assert code.count(RIGHT) == 1
    (directory / PLANTED).write_text(code.replace(RIGHT, WRONG), "utf-8")

    @cache
    def errors(checker: Callable[..., Errors], strict: bool) -> Errors:
        return checker(directory, ACCEPTED if strict else [*ACCEPTED, REFUSED, PLANTED], strict)

    return errors


checkers = pytest.mark.parametrize("checker", [pyright, mypy])


@checkers
@pytest.mark.parametrize("strict", [False, True], ids=["usual", "strict"])
@pytest.mark.parametrize("program", ACCEPTED)
def test_what_is_right_is_accepted_and_has_the_right_types(checker, strict, program, errors_by):
    assert errors_by(checker, strict)[program] == {}


@checkers
def test_a_planted_wrong_type_is_found(checker, errors_by):
    code = (HERE / ACCEPTED[0]).read_text("utf-8")
    line = 1 + code[: code.index(RIGHT)].count("\n")
    assert list(errors_by(checker, False)[PLANTED]) == [line]


@checkers
def test_what_is_wrong_is_refused(checker, errors_by):
    lines = (HERE / REFUSED).read_text("utf-8").splitlines()
    wrong = [number for number, text in enumerate(lines, 1) if text.endswith("# refused")]
    assert sorted(errors_by(checker, False)[REFUSED]) == wrong
