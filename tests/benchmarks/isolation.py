"""What isolation costs: from fork to the first torch operation, the share of each layer, and a worker's own memory.

python -m tests.benchmarks.isolation [ROUNDS]
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from deepmarks.checks.probes import Probes
from deepmarks.manifest import Limits
from deepmarks.submission import read_submission
from deepmarks_grader.isolation import confine, landlock, limits, linux, paths, seccomp, users
from deepmarks_grader.isolation.channel import WorkerChannel
from deepmarks_grader.isolation.plan import WorkerPlan
from deepmarks_grader.isolation.supervisor import Zygote

ROUNDS = 50
_FIRST_OPERATION = r"""
import torch
torch.ones(3).sum()
import re
print(sum(map(int, re.findall(r"Private_\w+: +(\d+) kB", open("/proc/self/smaps_rollup").read()))))
"""


def main(rounds: int = ROUNDS) -> None:
    whole, memory, end, report = measure_workers(rounds)
    print(report.line())
    print(f"self-check:                                   {report.milliseconds:.0f} ms")
    print(f"request to first torch operation, all layers: {_figures(whole)}")
    print(f"end of a worker, with everything removed:     {_figures(end)}")
    print(f"private memory of a fresh worker after it:    median {statistics.median(memory):.1f} MB")
    print("\nlayers, each in a fork of a process that has imported torch:")
    for name, times in measure_layers(rounds).items():
        print(f"  {name:<28} {_figures(times)}")


def measure_workers(rounds: int) -> tuple[list[float], list[float], list[float], object]:
    """Milliseconds from the request to the first operation's reply, MB of private memory, and ms to end it."""
    submission = read_submission(_FIRST_OPERATION.encode(), "first.py")
    whole, memory, ends = [], [], []
    with Zygote(["numpy", "torch"]) as zygote:
        for index in range(rounds + 3):
            channel = WorkerChannel(zygote, submission, Probes(), Limits())
            started = time.perf_counter()
            channel.load()
            took = time.perf_counter() - started
            printed = channel.take_output()
            started = time.perf_counter()
            channel.close()
            if index >= 3:
                whole.append(took * 1000)
                memory.append(int(printed) / 1000)
                ends.append((time.perf_counter() - started) * 1000)
        return whole, memory, ends, zygote.report


def measure_layers(rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each layer by name. The filter is put around the zygote once; its share is for comparison."""
    import torch

    torch.set_num_threads(1)
    torch.nn.Linear(2, 2)(torch.ones(1, 2)).sum().backward()
    times: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            for name, milliseconds in _one_round(Path(folder)).items():
                times.setdefault(name, []).append(milliseconds)
    return times


def _one_round(folder: Path) -> dict[str, float]:
    root = os.geteuid() == 0
    plan = WorkerPlan(str(folder), 1024, False, 100, users.choose() if root else None, paths.readable(), True)
    program = seccomp.build_filter(linux.ARCHITECTURE)
    read, write = os.pipe()
    forked = time.perf_counter()
    child = os.fork()
    if child == 0:
        try:
            lines = [f"fork {(time.perf_counter() - forked) * 1000}"]
            steps: list[tuple[str, Callable[[], object]]] = [
                ("setsid and close_range", lambda: (os.setsid(), confine.rearrange(write, os.dup(write)))),
                ("limits", lambda: limits.limit(plan)),
                ("own user", lambda: users.switch(plan.uid) if plan.uid is not None else None),
                ("PDEATHSIG", lambda: linux.prctl(linux.PR_SET_PDEATHSIG, 9)),
                ("no_new_privs (zygote)", lambda: linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)),
                ("Landlock", lambda: landlock.restrict(confine.rules(plan))),
                ("system-call filter (zygote)", lambda: seccomp.install(program)),
                ("first torch operation", _operate),
            ]
            for name, step in steps:
                started = time.perf_counter()
                step()
                lines.append(f"{name} {(time.perf_counter() - started) * 1000}")
            os.write(3, "\n".join(lines).encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        lines = answer.read().splitlines()
    os.waitpid(child, 0)
    return {name: float(number) for name, _, number in (line.rpartition(" ") for line in lines)}


def _operate() -> None:
    import torch

    torch.ones(3).sum()


def _figures(times: list[float]) -> str:
    ordered = sorted(times)
    return f"median {statistics.median(ordered):6.2f} ms, p95 {ordered[int(0.95 * (len(ordered) - 1))]:6.2f} ms"


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
