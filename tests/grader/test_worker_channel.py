"""The channel to workers: when a fresh one is due, what it may know, and what that costs a submission."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import pytest

from deepmarks.checks import Broken, CheckError, Student
from deepmarks.checks.probes import Probes
from deepmarks.manifest import Limits
from deepmarks.submission import read_submission
from deepmarks_grader.isolation.channel import WorkerChannel
from deepmarks_grader.isolation.supervisor import Zygote

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers are confined on Linux only")

_LIMITS = Limits(cell_seconds=20, call_seconds=20, memory_mb=300)
PROBES = Probes("""
def library_double(x):
    return x + x

def library_triple(x):
    return library_double(x) + x

def remember(student, value):
    student.kept["value"] = value

def remembered(student):
    return student.kept.get("value")
""")
SPY = """
import gc, os, types

print("executed")
calls = 0

def in_sight():
    return sorted(f.__name__ for f in gc.get_objects()
                  if type(f) is types.FunctionType and f.__name__.startswith("library"))

def use(x):
    return double(x), in_sight()

def look():
    return in_sight()

def count():
    global calls
    calls += 1
    return calls

def make():
    return look

def call(function):
    return function()

def end():
    os._exit(0)
"""


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    with Zygote(["numpy"]) as zygote:
        yield zygote


@pytest.fixture
def start(zygote: Zygote) -> Iterator[Callable[..., tuple[Student, WorkerChannel]]]:
    channels = []

    def begin(code: str = SPY, limits: Limits = _LIMITS) -> tuple[Student, WorkerChannel]:
        channel = WorkerChannel(zygote, read_submission(code.encode(), "code.py"), PROBES, limits)
        channels.append(channel)
        return Student(channel), channel

    yield begin
    for channel in channels:
        channel.close()


DOUBLE = {"double": "probes.library_double"}
TRIPLE = {"double": "probes.library_triple"}


def test_a_stand_in_is_there_while_it_is_needed_and_never_elsewhere(start):
    student, channel = start()
    assert student.look() == []
    assert student.call("use", 2, stand_in=DOUBLE) == (4, ["library_double"])
    assert student.look() == []
    assert len(channel.exits) == 1


def test_a_worker_goes_on_where_a_request_brings_all_that_it_has_seen(start):
    student, channel = start()
    student.count()
    student.call("count", stand_in=DOUBLE)
    assert student.call("count", stand_in=DOUBLE) == 3
    # What rests on another stand-in brings that one along.
    assert student.call("count", stand_in=TRIPLE) == 4
    assert channel.exits == []
    assert student.call("count", stand_in=DOUBLE) == 1
    assert len(channel.exits) == 1


def test_library_functions_as_stand_ins_ask_for_no_fresh_worker(start):
    student, channel = start()
    student.call("count", stand_in={"double": "math.sqrt"})
    assert student.count() == 2
    assert channel.exits == []


def test_an_object_does_not_survive_a_fresh_worker_of_the_graders_choice(start):
    student, _ = start()
    function = student.call("make", stand_in=DOUBLE)
    assert set(student.call("call", function, stand_in=DOUBLE)) == {"library_double"}
    with pytest.raises(CheckError, match="object"):
        student.call("call", function)


def test_an_object_that_ended_with_its_process_is_the_submissions_loss(start):
    student, _ = start()
    function = student.make()
    with pytest.raises(Broken):
        student.end()
    with pytest.raises(Broken, match="was lost when a later call ended its process"):
        student.call("call", [function])


def test_what_probes_keep_is_there_until_the_worker_is_fresh(start):
    student, _ = start()
    student.probe("remember", 7)
    assert student.probe("remembered") == 7
    student.restart()
    assert student.probe("remembered") is None


def test_a_fresh_worker_costs_the_submission_neither_time_nor_output(start):
    slow = "import time; time.sleep(0.4)\n" + SPY
    student, channel = start(slow, Limits(cell_seconds=5, call_seconds=5, total_seconds=2, memory_mb=300))
    assert student.count() == 1
    assert channel.take_output() == "executed\n"
    for _ in range(6):
        student.restart()
        assert student.count() == 1
    assert channel.take_output() == ""


def test_stand_ins_end_where_executing_again_takes_as_long_as_grading_may(start):
    slow = "import time; time.sleep(0.4)\n" + SPY
    student, channel = start(slow, Limits(cell_seconds=5, call_seconds=5, total_seconds=1, memory_mb=300))
    for _ in range(3):
        assert student.call("use", 2, stand_in=DOUBLE) == (4, ["library_double"])
        assert student.look() == []
    with pytest.raises(Broken, match="too long to be executed once more"):
        student.call("use", 2, stand_in=DOUBLE)
    assert student.look() == []
    assert channel.notices == []


def test_a_function_that_was_too_slow_on_its_own_gets_its_time_with_stand_ins(start):
    slow = "import time\ndef double(x):\n    time.sleep(60)\ndef use(x):\n    return double(x)\n"
    student, _ = start(slow, Limits(cell_seconds=5, call_seconds=0.5, memory_mb=300))
    for _ in range(2):
        with pytest.raises(Broken, match="did not finish within"):
            student.use(2)
    with pytest.raises(Broken, match="was not called again"):
        student.use(2)
    assert student.call("use", 2, stand_in=DOUBLE) == 4


def test_a_fresh_worker_for_each_question_on_request(zygote):
    submission = read_submission(SPY.encode(), "code.py")
    channel = WorkerChannel(zygote, submission, PROBES, _LIMITS, fresh_per_question=True)
    student, counts = Student(channel), []
    try:
        for question in ("q1", "q1", "q2", "q2", "q1"):
            channel.begin(question, "a check")
            counts.append(student.count())
    finally:
        channel.close()
    assert counts == [1, 2, 1, 2, 1]
    assert len(channel.exits) == 3
