"""A busy machine costs no marks: waiting for a processor is not held against a submission."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from deepmarks_grader.isolation.stopwatch import Stopwatch

SPIN = "import os, time\nos.sched_setaffinity(0, {%d})\nend = time.monotonic() + 30\nwhile time.monotonic() < end: pass"


def test_sleeping_counts_in_full():
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(30)"])
    try:
        watch = Stopwatch(process.pid)
        time.sleep(1.0)
        assert watch.seconds() == pytest.approx(1.0, abs=0.5)
    finally:
        process.kill()
        process.wait()


@pytest.mark.skipif(not os.path.exists("/proc/self/schedstat"), reason="the kernel keeps no schedstat")
def test_waiting_for_a_processor_does_not_count():
    processor = min(os.sched_getaffinity(0))
    processes = [subprocess.Popen([sys.executable, "-c", SPIN % processor]) for _ in range(4)]
    try:
        time.sleep(0.5)
        watch, started = Stopwatch(processes[0].pid), time.monotonic()
        time.sleep(2.0)
        wall = time.monotonic() - started
        assert wall / 4 <= watch.seconds() < 0.8 * wall
    finally:
        for process in processes:
            process.kill()
            process.wait()


def test_without_a_process_it_is_the_wall_clock():
    watch = Stopwatch(None)
    time.sleep(0.2)
    assert watch.seconds() >= 0.2
