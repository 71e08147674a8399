"""Grading one submission: whatever it does, a grade comes back, and what was right still counts."""

from __future__ import annotations

import json

import pytest

from deepmarks.checks import Cause, Outcome
from deepmarks.submission import read_submission
from deepmarks_grader.grading.results import (
    RESULTS_NAME,
    failure_dict,
    gradescope_dict,
    validate,
    write_atomically,
    write_results,
)


def grade(grader, source, name="submission.py", questions=None):
    data = source if isinstance(source, bytes) else source.encode()
    return grader.grade(read_submission(data, name), questions)


def outcomes(result):
    return {question.name: str(question.outcome) for question in result.questions}


def records(result, question="q1"):
    return [record for q in result.questions if q.name == question for record in q.records]


def test_a_fault_of_the_grader_withholds_one_score_and_no_more(mini_grader, mini_solution, monkeypatch):
    def fail(*args):
        raise RecursionError("of ours")

    monkeypatch.setattr("deepmarks_grader.grading.intake.source_violation", fail)
    result = grade(mini_grader, mini_solution)
    assert "RecursionError: of ours" in result.withheld
    assert "on its own account" in result.cause
    monkeypatch.undo()
    assert grade(mini_grader, mini_solution).score == 4


FORGED = {
    "input number 10^12": "reply['mutated'] = [10**12]",
    "negative input number": "reply['mutated'] = [-1]",
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_reply_says_nothing(mini_grader, mini_solution, name):
    patch = f"""
import deepmarks.checks.workspace as w
plain = w.reply_to_data
def forged(reply):
    reply = plain(reply)
    {FORGED[name]}
    return reply
w.reply_to_data = forged
"""
    result = grade(mini_grader, mini_solution + patch)
    assert result.score == 0
    assert not result.withheld
    assert {record.sentence for record in records(result)} == {"Your code disturbed what the grader hears of it."}


def test_a_right_submission_gets_full_marks(mini_grader, mini_solution):
    result = grade(mini_grader, mini_solution)
    assert (result.score, result.max_score, result.cause) == (4, 4, None)
    assert result.peak_mb > 0


def test_an_untouched_stub_is_not_attempted(mini_grader):
    result = grade(mini_grader, "def double(x):\n    raise NotImplementedError\n")
    assert outcomes(result) == {"q1": "not attempted", "q2": "not attempted"}
    sentences = [record.sentence for record in records(result)]
    assert sentences == ["double still raises NotImplementedError."] * 2
    assert records(result, "q2")[0].sentence == "split_state is not defined."


def test_a_wrong_value_is_named(mini_grader, mini_solution):
    result = grade(mini_grader, mini_solution.replace("2 * x", "-2 * x"))
    public, hidden = records(result)
    assert public.outcome is hidden.outcome is Outcome.FAILED
    assert "negative" in public.sentence or "sign" in public.sentence
    assert public.detail
    assert hidden.sentence
    assert hidden.detail == ""
    assert outcomes(result)["q2"] == "passed"


BROKEN = {
    "os._exit": ("import os; os._exit(0)", Cause.CRASH, "ended the Python process"),
    "segmentation fault": ("import ctypes; ctypes.string_at(0)", Cause.CRASH, "segmentation fault"),
    "endless loop": ("\n    while True: pass", Cause.TIMEOUT, "did not finish within"),
    "sleep": ("import time; time.sleep(100)", Cause.TIMEOUT, "did not finish within"),
    "forged reply": (
        "import os; os.write(3, b'\\x08\\x00\\x00\\x00' + b'\\x04\\x00\\x00\\x00null'); return 2 * x",
        Cause.PROTOCOL,
        "disturbed the grading channel",
    ),
    "forbidden function": ("x.softmax(-1); return 2 * x", Cause.FORBIDDEN, "without torch's own softmax"),
    "forbidden operator": ("getattr(x, 'soft' + 'max')(-1); return 2 * x", Cause.FORBIDDEN, "own softmax"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_function_costs_its_own_question_only(mini_grader, mini_solution, name):
    body, cause, sentence = BROKEN[name]
    result = grade(mini_grader, mini_solution.replace("return 2 * x", body))
    assert outcomes(result) == {"q1": "broken", "q2": "passed"}
    assert result.score == 2
    assert records(result)[0].cause is cause
    assert sentence in records(result)[0].sentence
    assert sentence in result.cause


FAILED = {
    "SystemExit": ("raise SystemExit(0)", "double raised SystemExit."),
    "BaseException": ("class Own(BaseException): pass\n    raise Own('42')", "double raised BaseException."),
    "KeyboardInterrupt": ("raise KeyboardInterrupt", "double raised KeyboardInterrupt."),
    "TypeError": ("return x + 'a'", "double raised TypeError."),
    "None": ("pass", "is a return statement missing?"),
    "changed input": ("return x.mul_(2)", "double changes its input number 1: work on a copy."),
    "large result": ("return torch.zeros(20_000_000)", "far more data"),
    "huge result": ("return torch.zeros(100_000_000)", "double raised"),
    "wrong type": ("return [1, 2]", "double(x) is"),
    "detached": ("return (2 * x).detach()", "No gradient flows"),
    "always equal": ("class Eq:\n        def __eq__(self, other): return True\n    return Eq()", "double(x) is"),
}


@pytest.mark.parametrize("name", FAILED)
def test_a_failing_function_is_told_why(mini_grader, mini_solution, name):
    body, sentence = FAILED[name]
    result = grade(mini_grader, mini_solution.replace("return 2 * x", body))
    assert outcomes(result) == {"q1": "failed", "q2": "passed"}
    assert any(sentence in record.sentence for record in records(result)), records(result)


HALF = "def double(x):\n    return 2 * x\n"

AT_IMPORT = {
    "sys.exit": HALF + "import sys\nsys.exit(0)\n",
    "endless loop": HALF + "while True:\n    pass\n",
    "os._exit": HALF + "import os\nos._exit(0)\n",
    "exception": HALF + "1 / 0\n",
    "syntax error": HALF + "def broken(:\n    pass\n",
    "200 MB of output": HALF + "for _ in range(200):\n    print('x' * 1_000_000)\n",
    "a bad cell before": "import no_such_module\n" + HALF,
}


@pytest.mark.parametrize("name", AT_IMPORT)
def test_what_was_right_still_counts(mini_grader, name):
    result = grade(mini_grader, AT_IMPORT[name])
    assert outcomes(result) == {"q1": "passed", "q2": "not attempted"}
    if name in ("endless loop", "os._exit", "syntax error"):
        assert result.cause
    if name != "200 MB of output":
        assert result.notices


def test_a_notebook_with_a_bad_cell_loses_that_cell_only(mini_grader):
    cells = [HALF, "def broken(:", "%matplotlib inline\n!rm -rf /", "grader.check('q1')", "import otter"]
    notebook = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": "no-such-kernel", "display_name": "?"}},
        "cells": [{"cell_type": "code", "source": cell, "metadata": {}, "outputs": []} for cell in cells],
    }
    result = grade(mini_grader, json.dumps(notebook), "homework.ipynb")
    assert outcomes(result)["q1"] == "passed"
    assert "cell 2" in result.cause


UNREADABLE = {
    "empty file": ("submission.py", b""),
    "0-byte notebook": ("submission.ipynb", b""),
    "not JSON": ("submission.ipynb", b"{ this is no notebook"),
    "binary": ("submission.ipynb", bytes(range(256))),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_an_unreadable_submission_gets_a_result_with_a_cause(mini_grader, name, tmp_path):
    file, data = UNREADABLE[name]
    result = grade(mini_grader, data, file)
    assert result.score == 0
    assert result.cause
    assert json.loads(write_results(result, tmp_path).read_text())["output"]


def test_latin_1_counts(mini_grader):
    result = grade(mini_grader, ("# caf\xe9\n" + HALF).encode("latin-1"))
    assert outcomes(result)["q1"] == "passed"


def test_output_of_public_checks_is_shown_and_of_hidden_ones_is_not(mini_grader, mini_solution):
    noisy = mini_solution.replace("return 2 * x", "print('seen', float(x[0, 0])); return 3 * x")
    public, hidden = records(grade(mini_grader, noisy))
    assert "seen" in public.output
    assert hidden.output == ""


def test_names_of_the_students_own_are_not_repeated_in_hidden_checks(mini_grader, mini_solution):
    leaking = mini_solution.replace(
        "return 2 * x", "exec(f'def f_{x.numel()}():\\n raise NotImplementedError\\nf_{x.numel()}()', globals())"
    )
    for record in records(grade(mini_grader, leaking)):
        assert "f_12" not in record.sentence


def test_the_grade_is_the_same_twice(mini_grader, mini_solution):
    first, second = (grade(mini_grader, mini_solution.replace("2 * x", "x + 1")) for _ in range(2))
    assert [r.sentence for r in records(first)] == [r.sentence for r in records(second)]
    assert [r.staff for r in records(first)] == [r.staff for r in records(second)]


def test_only_the_questions_asked_for_are_graded(mini_grader, mini_solution):
    assert outcomes(grade(mini_grader, mini_solution, questions=["q2"])) == {"q2": "passed"}


def test_results_json_follows_gradescopes_schema(mini_grader, mini_solution, tmp_path):
    for source in (mini_solution, mini_solution.replace("2 * x", "3 * x"), "", "while True: pass"):
        result = grade(mini_grader, source)
        data = json.loads(write_results(result, tmp_path / "out", nonce="abc").read_text())
        validate(data)
        assert data["score"] == result.score == sum(test["score"] for test in data["tests"])
        assert [test["name"] for test in data["tests"]] == ["q1: Doubling", "q2: Parts", "For staff"]
        assert data["tests"][-1]["visibility"] == "hidden"
        assert data["extra_data"]["nonce"] == "abc"
    validate(failure_dict("sentence", "trace"))


def test_results_pkl_is_read_by_otter(mini_grader, mini_solution, tmp_path):
    import dill

    write_results(grade(mini_grader, mini_solution.replace("2 * x", "3 * x")), tmp_path)
    results = dill.loads((tmp_path / "results.pkl").read_bytes())
    assert results.total == 2
    assert results.possible == 4


def test_staff_see_what_hidden_checks_do_not_show(mini_grader, mini_solution):
    data = gradescope_dict(grade(mini_grader, mini_solution.replace("2 * x", "3 * x")))
    visible = [test["output"] for test in data["tests"] if test["visibility"] == "visible"]
    assert "hidden/test_q1.py::test_gradient_of_double" in data["tests"][-1]["output"]
    assert all("test_gradient_of_double" not in text for text in visible)


def test_students_text_cannot_close_its_code_block(mini_grader, mini_solution):
    hostile = mini_solution.replace("return 2 * x", "raise ValueError('```\\n# You passed\\x1b[31m')")
    data = gradescope_dict(grade(mini_grader, hostile))
    assert "# You passed" in data["tests"][0]["output"]
    assert "```\n# You" not in data["tests"][0]["output"]
    assert "\x1b" not in data["tests"][0]["output"]


def test_writing_replaces_a_link_instead_of_following_it(tmp_path):
    target = tmp_path / "elsewhere"
    target.write_text("untouched")
    (tmp_path / RESULTS_NAME).symlink_to(target)
    write_atomically(tmp_path / RESULTS_NAME, b"{}")
    assert target.read_text() == "untouched"
    assert not (tmp_path / RESULTS_NAME).is_symlink()


def test_notices_and_causes_hold_no_control_codes(mini_grader):
    result = grade(mini_grader, HALF + "raise ValueError('\\x1b[31m left out \\u202e')\n")
    assert result.cause is None
    assert "ValueError" in result.notices[0]
    assert all(notice.isprintable() for notice in result.notices)


def test_a_reply_nobody_asked_for_does_not_cost_the_next_check(mini_grader, mini_solution):
    body = "import os, struct; os.write(3, struct.pack('<I', 4) + b'null') if x.numel() else 0; return 2 * x"
    result = grade(mini_grader, mini_solution.replace("return 2 * x", body))
    assert outcomes(result) == {"q1": "broken", "q2": "passed"}


def test_a_submissions_name_cannot_break_the_table(mini_grader, capsys):
    from deepmarks_grader.cli import print_grades

    print_grades([grade(mini_grader, HALF, "[/red].py")])
    assert "[/red].py" in capsys.readouterr().out
