"""The clock on the grader's own work."""

from __future__ import annotations

import signal
import threading
import time
from types import SimpleNamespace

import pytest

from deepmarks.checks import CheckError
from deepmarks.submission import read_submission
from deepmarks_grader.grading.own_time import OwnTime, UncountedChannel

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there is no such timer here")


def work(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def test_work_is_stopped_when_the_time_is_over():
    own_time = OwnTime(0.2)
    started = time.monotonic()
    with pytest.raises(CheckError, match=r"more than 0\.2 seconds"), own_time.running():
        work(5)
    assert time.monotonic() - started < 2


def test_the_time_of_several_checks_adds_up_and_later_ones_do_not_start():
    own_time = OwnTime(0.3)
    with own_time.running():
        work(0.2)
    with pytest.raises(CheckError), own_time.running():
        work(5)
    with pytest.raises(CheckError), own_time.running():
        pytest.fail("a check ran after the time was over")


def test_the_time_of_the_submission_does_not_count():
    own_time = OwnTime(0.2)
    channel = SimpleNamespace(request=lambda request: time.sleep(0.4), renew=lambda: time.sleep(0.4))
    with own_time.running():
        UncountedChannel(channel, own_time).request(None)  # type: ignore[arg-type]
        UncountedChannel(channel, own_time).renew()
    with pytest.raises(CheckError), own_time.running():
        work(5)


def test_somebody_elses_alarm_goes_on():
    rung = []
    previous = signal.signal(signal.SIGALRM, lambda *_: rung.append(time.monotonic()))
    kept = signal.setitimer(signal.ITIMER_REAL, 0.3)
    started = time.monotonic()
    try:
        with OwnTime(10).running():
            time.sleep(0.1)
        assert rung == []
        work(0.4)
    finally:
        signal.setitimer(signal.ITIMER_REAL, *kept)
        signal.signal(signal.SIGALRM, previous)
    assert 0.25 < rung[0] - started < 1


def test_other_threads_are_not_limited():
    done = []

    def run() -> None:
        with OwnTime(0.05).running():
            work(0.2)
        done.append(True)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert done == [True]


def test_a_submission_that_keeps_the_grader_busy_is_withheld_and_the_next_one_graded(
    mini_grader, mini_solution, monkeypatch
):
    submission = read_submission(mini_solution.encode(), "right.py")
    with monkeypatch.context() as patch:
        patch.setattr("deepmarks_grader.grading.grade.OWN_SECONDS", 0.5)
        patch.setattr("deepmarks.checks.student.Vjp", lambda *_: work(60))
        grade = mini_grader.grade(submission)
    assert "of their own" in grade.withheld
    assert mini_grader.grade(submission).score == 4
