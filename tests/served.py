"""The example apps, as processes of their own on a port that the operating system chose."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

SECONDS_TO_START = 60.0


@contextmanager
def served(
    application: str, directory: Path, environment: Mapping[str, str], *, at: Path | None = None
) -> Generator[str]:
    """Gives the address of an app that uvicorn serves.

    Args:
        application: Its module and name, such as "day_one:app".
        directory: Where that module is.
        environment: What is in its environment besides what is in ours.
        at: The directory in which it runs; None stands for ours.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "--app-dir", directory, "--port", "0", application],
        cwd=at,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **environment},
    )
    try:
        yield address_announced_by(process)
    finally:
        process.terminate()
        process.communicate()


def address_announced_by(process: subprocess.Popen[str]) -> str:
    """Read uvicorn's log up to where it says what it listens on; fail with the log otherwise."""
    log = ""
    assert process.stderr is not None
    # Ends the loop below, by closing the log, if the server neither starts nor gives up.
    too_late = threading.Timer(SECONDS_TO_START, process.kill)
    too_late.start()
    try:
        for line in process.stderr:
            log += line
            if running := re.search(r"running on (http://\S+)", line):
                return running[1]
    finally:
        too_late.cancel()
    pytest.fail(f"the example app did not start:\n{log}")
