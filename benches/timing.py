"""Time statements in plain inner loops, the peers' rounds interleaved.

A statement is compiled into the body of a `for` loop whose names are all locals, as timeit does,
so that no call of a harness stands between two operations. Nothing is subtracted: the loop itself
costs every peer the same few nanoseconds. Garbage collection stays on, as in a program. The clock
is the processor time of the process: what others do on the machine in between does not count.
"""

import gc
import textwrap
from collections.abc import Callable, Mapping
from itertools import repeat
from statistics import median
from time import process_time_ns
from typing import Any

# Short enough that what disturbs the machine disturbs all peers of a round.
ROUND_NANOSECONDS = 2_000_000


def compile_function(parameters: str, body: str, statement: str, names: Mapping[str, Any]) -> Callable[..., Any]:
    """Compile a function with these parameters, in whose body `STATEMENT` stands for the code.

    Those of the names that the statement speaks of become locals of the function.
    """
    code = compile(statement, "<statement>", "exec", dont_inherit=True)
    wanted = set(code.co_names)
    used = {name: value for name, value in names.items() if name in wanted}
    signature = ", ".join([parameters, *(f"{name}={name}" for name in used)])
    lines = []
    for line in body.splitlines():
        indentation = line[: len(line) - len(line.lstrip())]
        lines.append(textwrap.indent(statement, indentation) if line.strip() == "STATEMENT" else line)
    source = f"def function({signature}):\n" + textwrap.indent("\n".join(lines), "    ")
    scope: dict[str, Any] = {
        "__name__": __name__,
        "_clock": process_time_ns,
        "_repeat": repeat,
        **used,
    }
    exec(compile(source, "<benchmark>", "exec", dont_inherit=True), scope)  # noqa: S102 - our own statements
    return scope["function"]


_LOOP = """
_iterations = _repeat(None, _times)
_started = _clock()
for _ in _iterations:
    STATEMENT
return _clock() - _started
"""


def compile_loop(statement: str, names: Mapping[str, Any]) -> Callable[[int], int]:
    """A function of the number of iterations that gives the nanoseconds they took."""
    return compile_function("_times, _repeat=_repeat, _clock=_clock", _LOOP, statement, names)


def _iterations_for_a_round(loop: Callable[[int], int]) -> int:
    times = 1
    while (taken := loop(times)) < ROUND_NANOSECONDS / 4:
        times *= 2
    return max(1, round(times * ROUND_NANOSECONDS / taken))


def nanoseconds(loops: Mapping[str, Callable[[int], int]], *, rounds: int) -> dict[str, list[float]]:
    """For each peer, the nanoseconds of one iteration in each round."""
    gc.collect()
    times = {peer: _iterations_for_a_round(loop) for peer, loop in loops.items()}
    measured: dict[str, list[float]] = {peer: [] for peer in loops}
    peers = list(loops)
    for number in range(rounds):
        # Everyone follows everyone in turn, so nobody always runs in the same one's wake.
        start = number % len(peers)
        order = peers[start:] + peers[:start]
        for peer in order if number % 2 else reversed(order):
            measured[peer].append(loops[peer](times[peer]) / times[peer])
    return measured


def ratio(ours: list[float], theirs: list[float]) -> float:
    """The median of the rounds' ratios: what slows a whole round down falls out of it."""
    return median(one / other for one, other in zip(ours, theirs, strict=True))
