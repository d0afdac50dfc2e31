"""Real processes at the price of a fork: one process imports Nitro once, and has a child for each job."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self


class Nursery:
    """A process whose children do jobs: functions of a module, by their names.

    Args:
        directory: Where the jobs' tracebacks go.
        workers: The file of the module.
    """

    def __init__(self, directory: Path, workers: Path = Path(__file__).parent / "workers.py") -> None:
        self._errors = directory / "errors.txt"
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(workers)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def start(self, *jobs: tuple[Any, ...]) -> None:
        """Starts a process for each job: the function's name, and its arguments."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(jobs) + "\n")
        self._process.stdin.flush()

    def ended(self) -> list[int]:
        """Waits for the processes to end; their exit codes, negative for the signal that killed one."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the nursery broke: {self.errors}"
        return json.loads(line)

    def run(self, *jobs: tuple[Any, ...]) -> list[int]:
        """Starts them and waits for them."""
        self.start(*jobs)
        return self.ended()

    @property
    def errors(self) -> str:
        """The tracebacks of jobs that failed."""
        return self._errors.read_text("utf-8", "replace")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()


def _serve() -> None:
    place = Path(sys.argv[1])
    sys.path.insert(0, str(place.parent))
    workers = importlib.import_module(place.stem)

    for line in sys.stdin:
        children: list[int] = []
        for name, *arguments in json.loads(line):
            child = os.fork()
            if not child:
                _work(getattr(workers, name), arguments)
            children.append(child)
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        print(json.dumps(codes), flush=True)


def _work(function: Any, arguments: list[Any]) -> None:
    """Ends the process, so that nothing of the nursery is done twice."""
    code = 1
    try:
        function(*arguments)
        code = 0
    except BaseException:
        import traceback

        traceback.print_exc()
        raise
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve()
