"""The plugin: how checks are found, run and recorded."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from deepmarks.checks import (
    Broken,
    Cause,
    CheckError,
    Mismatch,
    NotAttempted,
    Outcome,
    Reference,
    Student,
    StudentError,
    fairly,
)
from deepmarks.checks.author import one_submission
from deepmarks.checks.local import LocalChannel, local_student
from deepmarks.checks.outcomes import worst
from deepmarks.checks.plugin import CheckSession
from deepmarks.checks.run import run_checks
from deepmarks.checks.workspace import Workspace


def run(tmp_path, body, namespace=None, folder="public", **session):
    path = tmp_path / folder
    path.mkdir(parents=True, exist_ok=True)
    head = "import pytest\nfrom deepmarks.checks import *\n"
    (path / "test_q1.py").write_text(head + textwrap.dedent(body))
    student = local_student(namespace or {})
    return run_checks([path], CheckSession(lambda question, seed: student, **session))


def test_each_end_has_its_outcome_and_cause(tmp_path):
    records = run(
        tmp_path,
        '''
        @question("q1", points=1)
        def test_passes(student):
            """It passes."""

        @question("q1", points=2)
        def test_mismatch(student):
            """It differs."""
            assert_matches(1.0, -1.0, what="x", pointer="section 2")

        @question("q1", points=1)
        def test_structure(student):
            """It has no parts."""
            a, b = student.value("one")

        @question("q1", points=1)
        def test_missing(student):
            """It is missing."""
            student.absent()

        @question("q1", points=1)
        def test_internal(student, reference):
            """It asks for the reference."""
        ''',
        {"one": 1},
    )
    ends = [(str(record.outcome), record.cause, record.score) for record in records]
    assert ends == [
        ("passed", None, 1.0),
        ("failed", Cause.MISMATCH, 0.0),
        ("failed", Cause.STRUCTURE, 0.0),
        ("not attempted", Cause.MISSING, 0.0),
        ("broken", Cause.INTERNAL, 0.0),
    ]
    assert records[0].title == "It passes."
    assert records[1].pointer == "section 2"
    assert "reference" in records[4].staff
    assert records[4].check == "public/test_q1.py::test_internal"


def test_a_parametrised_check_passes_when_all_its_cases_do(tmp_path):
    body = '''
        @question("q1", points=3)
        @pytest.mark.parametrize("n", [1, 2, 3])
        def test_cases(student, n):
            """All cases."""
            expect(student.value("limit") > n, "too small")
        '''
    (record,) = run(tmp_path, body, {"limit": 3})
    assert (record.outcome, record.points, record.score) == (Outcome.FAILED, 3, 0)
    (record,) = run(tmp_path, body, {"limit": 4})
    assert record.score == 3


def test_a_hidden_check_shows_sentences_only(tmp_path):
    body = '''
        @question("q1", points=1)
        def test_hidden(student, rng):
            """A hidden check."""
            expect(False, "A sentence.", detail="the value is 42")
        '''
    (record,) = run(tmp_path, body, folder="hidden")
    assert (record.hidden, record.detail, record.output) == (True, "", "")
    assert record.sentence == "A sentence."
    assert "42" in record.staff


def test_generators_differ_between_checks_and_repeat_between_runs(tmp_path):
    body = '''
        @question("q1", points=1)
        def test_one(student, rng):
            """One."""
            expect(False, "s", detail=str(rng.integers(10**9)))

        @question("q1", points=1)
        @pytest.mark.parametrize("n", [1])
        def test_two(student, rng, torch_rng, n):
            """Two."""
            import torch
            expect(False, "s", detail=str(rng.integers(10**9)))
        '''
    first, second = run(tmp_path, body), run(tmp_path, body)
    assert [record.detail for record in first] == [record.detail for record in second]
    assert first[0].detail != first[1].detail


def test_a_file_that_cannot_be_read_is_the_graders_fault(tmp_path):
    with pytest.raises(CheckError, match="SyntaxError"):
        run(tmp_path, "def test_broken(:\n    pass\n")
    with pytest.raises(CheckError, match="not marked with @question"):
        run(tmp_path, "def test_unmarked():\n    pass\n")


def test_a_fault_of_the_engine_is_not_blamed_on_the_student(tmp_path):
    module = {"__name__": "deepmarks_grader.isolation.channel"}
    exec("class Channel:\n    def request(self, request):\n        return undefined_name\n", module)
    path = tmp_path / "public"
    path.mkdir()
    (path / "test_q1.py").write_text(
        "from deepmarks.checks import question\n"
        '@question("q1", points=1)\ndef test_one(student):\n    """One."""\n    student.f()\n'
    )
    (record,) = run_checks([path], CheckSession(lambda question, seed: Student(module["Channel"]())))
    assert record.cause is Cause.INTERNAL
    assert "NameError" in record.staff


def test_worst_outcome():
    passed, failed, not_attempted, broken = Outcome
    assert worst([passed, passed]) is passed
    assert worst([passed, not_attempted]) is failed
    assert worst([not_attempted, not_attempted]) is not_attempted
    assert worst([failed, broken]) is broken
    assert worst([]) is not_attempted


def test_importing_the_package_is_light():
    code = (
        "import sys, deepmarks, deepmarks.checks; "
        "sys.exit(bool({'torch', 'otter', 'IPython', 'matplotlib'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_exception_of_the_students_own_is_what_it_inherits_from(tmp_path):
    class OddSizeError(ValueError):
        pass

    def own(x):
        raise OddSizeError(x)

    def other(x):
        raise KeyError(x)

    body = '''
        @question("q1", points=1)
        def test_own(student):
            """A subclass of ValueError is a ValueError."""
            with student_raises(ValueError, "own must raise ValueError."):
                student.own(3)

        @question("q1", points=1)
        def test_other(student):
            """A KeyError is not."""
            with student_raises(ValueError, "other must raise ValueError."):
                student.other(3)
        '''
    passed, failed = run(tmp_path, body, {"own": own, "other": other})
    assert passed.outcome is Outcome.PASSED
    assert (failed.outcome, failed.sentence) == (Outcome.FAILED, "other raised KeyError.")


def test_a_missing_calibration_is_the_graders_fault(tmp_path):
    body = '''
        from deepmarks.calibration import bands

        @question("q1", points=1)
        def test_bands(student):
            """It reads its bands."""
            bands(__file__, "accuracy")
        '''
    (record,) = run(tmp_path, body)
    assert record.cause is Cause.INTERNAL
    assert "no calibration" in record.staff


def test_hidden_checks_share_code_with_public_ones_and_with_no_other_assignment(tmp_path):
    for name, value in (("first", 1), ("second", 2)):
        body = f"""
        VALUE = {value}

        @question("q1", points=1)
        def test_public(student):
            \"\"\"It is public.\"\"\"
        """
        run(tmp_path / name, body)
        hidden = tmp_path / name / "hidden"
        hidden.mkdir()
        (hidden / "test_q1.py").write_text(
            "from deepmarks.checks import expect, question\n"
            "from public.test_q1 import VALUE\n\n\n"
            '@question("q1", points=1)\ndef test_hidden(student):\n    """It is hidden."""\n'
            f'    expect(VALUE == {value}, "It is another one.")\n'
        )
        session = CheckSession(lambda question, seed: local_student({}))
        records = run_checks([tmp_path / name / "public", hidden], session)
        assert [(record.title, str(record.outcome)) for record in records] == [
            ("It is public.", "passed"),
            ("It is hidden.", "passed"),
        ]
    assert not [name for name in sys.modules if name.partition(".")[0] in ("public", "hidden")]


def test_no_mistake_counts_twice_but_each_counts_once():
    asked: list[object] = []

    def fails_with(*errors: Exception | None):
        queue = list(errors)

        def check(stand_ins):
            asked.append(stand_ins)
            error = queue.pop(0)
            if error is not None:
                raise error

        return check

    earlier = {"softmax": "torch.softmax"}
    slow, wrong, missing = Broken(Cause.TIMEOUT, "slow"), Mismatch("wrong", kind="x"), NotAttempted("missing")
    assert fairly(fails_with(None), earlier) is None
    assert asked == [None]
    for error in (slow, wrong, missing, StudentError("f", "ValueError", "", "")):
        assert fairly(fails_with(error, None), earlier) is earlier
    # What is wrong with right parts is told; where they do not lead to a result, what was wrong before.
    with pytest.raises(Mismatch, match="wrong"):
        fairly(fails_with(slow, wrong), earlier)
    with pytest.raises(Mismatch, match="wrong"):
        fairly(fails_with(wrong, slow), earlier)
    with pytest.raises(CheckError):
        fairly(fails_with(CheckError("of the check")), earlier)


def test_stand_ins_that_helped_before_come_first_within_one_submission():
    earlier, asked = {"softmax": "torch.softmax"}, []

    def run(own_works, library_works):
        def check(stand_ins):
            asked.append("own" if stand_ins is None else "library")
            if not (own_works if stand_ins is None else library_works):
                raise Mismatch("wrong", kind="x")

        asked.clear()
        try:
            fairly(check, earlier)
        except Mismatch:
            return "".join(name[0] for name in asked) + "!"
        return "".join(name[0] for name in asked)

    with one_submission():
        assert [run(True, True), run(False, False), run(True, True)] == ["o", "ol!", "o"]
        assert [run(False, True), run(False, True), run(True, False), run(False, False)] == ["ol", "l", "lo", "lol!"]
    with one_submission():
        assert run(True, True) == "o"


REFERENCE = "def total(x):\n    return float(sum(x))\n"
UNSURE = '''
    @question("q1", points=1)
    def test_total_of_the_rest(student, reference, rng):
        """The rest adds up."""
        first, rest = student.split([1.0, 2.0])
        assert_matches(reference.total(rest), 2.0)

    @question("q1", points=1)
    def test_reference_is_at_fault(student, reference):
        """The reference has no such name."""
        student.split([1.0, 2.0])
        reference.absent()
'''


@pytest.mark.parametrize("rest", ["'ab'", "x[1:]"])
def test_what_a_submission_returned_and_not_the_grader_is_blamed_where_the_reference_gets_by(tmp_path, rest):
    split = f"def split(x):\n    return x[0], {rest}\n"
    namespaces = []
    for source in (split, REFERENCE + "def split(x):\n    return x[0], x[1:]\n"):
        exec(source, namespace := {"__name__": "submission"})
        namespaces.append(namespace)
    reference = Reference(LocalChannel(Workspace(namespaces[1])))
    of_data, of_its_own = run(tmp_path, UNSURE, namespaces[0], "hidden", reference=lambda seed: reference)
    if rest == "x[1:]":
        assert of_data.outcome is Outcome.PASSED
    else:
        assert (of_data.outcome, of_data.cause) == (Outcome.FAILED, Cause.STRUCTURE)
        assert "the reference fails" in of_data.staff
        assert not of_data.detail
    assert (of_its_own.outcome, of_its_own.cause) == (Outcome.BROKEN, Cause.INTERNAL)
