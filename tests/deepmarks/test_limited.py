"""Time limits and kept output for checks in the student's own process."""

from __future__ import annotations

import signal
import threading

import pytest

from deepmarks.checks.limited import PrintedOutput, TimeUp, time_limit

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no interval timers")


def spin() -> None:
    while True:
        pass


def test_a_block_that_takes_too_long_is_interrupted() -> None:
    with pytest.raises(TimeUp), time_limit(0.05):
        spin()


def test_code_that_catches_the_alarm_gets_another() -> None:
    caught = []

    def stubborn() -> None:
        try:
            spin()
        except BaseException as error:
            caught.append(error)
        spin()

    with pytest.raises(TimeUp), time_limit(0.05):
        stubborn()
    assert len(caught) == 1


def test_somebody_elses_alarm_goes_on_afterwards() -> None:
    before = signal.getsignal(signal.SIGALRM)
    outer = signal.setitimer(signal.ITIMER_REAL, 50.0)
    try:
        with time_limit(10.0):
            pass
        remaining, _ = signal.getitimer(signal.ITIMER_REAL)
        assert 40.0 < remaining <= 50.0
        assert signal.getsignal(signal.SIGALRM) is before
    finally:
        signal.setitimer(signal.ITIMER_REAL, *outer)


def test_outside_the_main_thread_there_is_no_limit() -> None:
    done = []

    def work() -> None:
        with time_limit(0.001):
            done.append(sum(range(100_000)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert len(done) == 1


def test_printed_output_is_kept_up_to_its_limit() -> None:
    output = PrintedOutput(limit_kb=1)
    with output.kept():
        print("a" * 3000)

    text = output.take()
    assert text.startswith("a" * 1024 + "\n(more output was cut off)")
    assert output.take() == ""
