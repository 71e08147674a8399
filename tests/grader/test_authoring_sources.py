"""What is wrong with a master, its checks or its mutants is reported with its line, all at once."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from deepmarks_grader.authoring import AuthoringError, Master, load_checks, load_master
from deepmarks_grader.bundle import Bundle, BundleError, bundle_from_repo, course_secret

MATERIAL = Path(__file__).parents[1] / "fixtures" / "authoring"
MASTER = MATERIAL / "solutions" / "mini" / "master.py"
CHECKS = MATERIAL / "autograder" / "checks" / "mini"

Reports = list[tuple[str, int, str]]


def edited(path: Path, old: str, new: str) -> int:
    """Replace `old`, which must be there once, in `path`; returns the line where it began."""
    text = path.read_text()
    assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
    path.write_text(text.replace(old, new))
    return text[: text.index(old)].count("\n") + 1


def problems_of(load: Callable[[], object]) -> Reports:
    with pytest.raises(AuthoringError) as caught:
        load()
    return [(problem.file.name, problem.line, problem.message) for problem in caught.value.problems]


def assert_reported(reports: Reports, file: str, line: int, part: str) -> None:
    assert any(r[0] == file and r[1] == line and part in r[2] for r in reports), (
        f"nothing at {file}:{line} says {part!r}; reported were {reports}"
    )


@pytest.fixture
def master_path(tmp_path: Path) -> Path:
    folder = tmp_path / "mini"
    shutil.copytree(MASTER.parent, folder)
    return folder / "master.py"


@pytest.fixture(scope="session")
def master() -> Master:
    return load_master(MASTER)


@pytest.fixture
def checks_path(tmp_path: Path) -> Path:
    return Path(shutil.copytree(CHECKS, tmp_path / "checks"))


# ------------------------------------------------------------------- the master


def test_master_becomes_an_assignment(master: Master) -> None:
    assignment = master.assignment
    assert (assignment.slug, assignment.title, assignment.points) == ("mini", "A small assignment", 20)
    assert assignment.limits.call_seconds == 5
    first, second = assignment.questions
    assert first.names == ("mean", "total")
    assert len(first.hints) == 3
    assert (first.forbid, second.forbid) == (("sklearn",), ("sklearn", "torch"))


def test_solution_source_keeps_the_solution_and_nothing_else(master: Master) -> None:
    assert "secret_sum_in_total = helper_of_the_solution(x)" in master.solution_source
    for dropped in ("NotImplementedError", "PROMPT", "SOLUTION", "deepmarks", "demonstration", "TODO"):
        assert dropped not in master.solution_source


def test_solution_source_runs_as_a_script(master: Master) -> None:
    namespace: dict[str, object] = {}
    exec(compile(master.solution_source, "solution.py", "exec"), namespace)
    assert namespace["mean"](namespace["np"].arange(4.0)) == 1.5  # type: ignore[operator, attr-defined]


def test_skeleton_keeps_prompts_and_no_solution(master: Master) -> None:
    assert master.skeleton_source.count("raise NotImplementedError") == 3
    for dropped in ("secret_sum", "helper_of_the_solution", "self.state + by", "PROMPT", "deepmarks"):
        assert dropped not in master.skeleton_source


def test_magics_are_comments_in_the_sources(master: Master) -> None:
    assert "# %matplotlib inline" in master.solution_source


BAD_MASTERS = {
    "unknown assignment key": ("limits: {call", "limit: {call", "did you mean `limits`"),
    "unknown question key": ("points: 8", "point: 8", "did you mean `points`"),
    "unknown limit": ("{call_seconds: 5}", "{call_second: 5}", "did you mean `call_seconds`"),
    "limit of the wrong type": ("{call_seconds: 5}", "{call_seconds: many}", "must be a number"),
    "wrong slug": ("slug: mini", "slug: other", "the folder is `mini`"),
    "points of the wrong type": ("points: 8", "points: eight", "`points` must be a number above 0"),
    "names that are no list": ("[mean, total]", "mean", "`names` must be a list"),
    "a hint that YAML reads as a mapping": ("  - Add first.", "  - Add: first.", "item 1 of `hints`"),
    "two questions with one name": ("name: q2", "name: q1", "the name of two questions"),
    "a question name of another kind": ("name: q2", "name: second", "q1, q2"),
    "a name that the solution does not define": ("[Counter]", "[Counter2]", "does not define `Counter2`"),
    "unknown policy group": ("forbid: [torch]", "forbid: [toch]", "did you mean `torch`"),
    "misspelt raw marker": ("# # BEGIN QUESTION\n# name: q2", "# # BEGIN QUESTON\n# name: q2", "did you mean"),
    "plain BEGIN SOLUTION": (
        "        # BEGIN SOLUTION NO PROMPT\n        self.state",
        "        # BEGIN SOLUTION\n        self.state",
        "BEGIN SOLUTION NO PROMPT",
    ),
    "marker in lower case": ("        # END SOLUTION", "        # End solution", "is not understood"),
    "Otter's other markers": ("self.state = 0", "self.state = 0  # SOLUTION", "not used here"),
    "grader for another assignment": ('Notebook("mini")', 'Notebook("maxi")', "does not name this assignment"),
    "a second grader": (
        "counted = [Counter()",
        'grader = deepmarks.Notebook("mini")\ncounted = [Counter()',
        "second `deepmarks.Notebook",
    ),
    "a solution that is no Python": ("counted = [Counter()", "counted = = [Counter()", "is not Python here"),
}


@pytest.mark.parametrize("case", BAD_MASTERS)
def test_bad_master_is_reported_at_its_line(case: str, master_path: Path) -> None:
    old, new, part = BAD_MASTERS[case]
    line = edited(master_path, old, new)
    assert_reported(problems_of(lambda: load_master(master_path)), "master.py", line, part)


def test_missing_title_and_wrong_sum_are_reported_at_the_config(master_path: Path) -> None:
    edited(master_path, "# title: A small assignment\n", "")
    edited(master_path, "# points: 12", "# points: 11.5")
    reports = problems_of(lambda: load_master(master_path))
    assert_reported(reports, "master.py", 7, "`title` is missing")
    assert_reported(reports, "master.py", 7, "add up to 19.5")


def test_too_few_hints_are_reported_at_the_hints(master_path: Path) -> None:
    line = edited(master_path, "#   - Then divide.\n", "") - 2
    assert_reported(problems_of(lambda: load_master(master_path)), "master.py", line, "exactly 3 hints; here are 2")


def test_question_without_stub_is_reported_where_it_begins(master_path: Path) -> None:
    prompt = '        """ # BEGIN PROMPT\n        # TODO: change the state\n        raise NotImplementedError\n'
    edited(master_path, prompt + '        """; # END PROMPT\n', "")
    begin = master_path.read_text().split("# # BEGIN QUESTION\n# name: q2")[0].count("\n") + 1
    assert_reported(problems_of(lambda: load_master(master_path)), "master.py", begin, "no stub")


def test_missing_stub_of_one_name_is_reported(master_path: Path) -> None:
    edited(master_path, "[mean, total]", "[mean, helper_of_the_solution]")
    line = master_path.read_text().split("# names: [mean")[0].count("\n") + 1
    reports = problems_of(lambda: load_master(master_path))
    assert_reported(reports, "master.py", line, "no stub for `helper_of_the_solution`")


def test_solution_left_in_the_skeleton_is_reported(master_path: Path) -> None:
    block = "    # BEGIN SOLUTION NO PROMPT\n    return total(x) / len(x.ravel())\n    # END SOLUTION\n"
    prompt = '    """ # BEGIN PROMPT\n    # TODO: divide the sum\n    raise NotImplementedError\n'
    prompt += '    """; # END PROMPT\n'
    edited(master_path, block + prompt, "    return total(x) / len(x.ravel())\n")
    line = master_path.read_text().split("# names: [mean")[0].count("\n") + 1
    reports = problems_of(lambda: load_master(master_path))
    assert_reported(reports, "master.py", line, "still holds the solution of `mean`")


def test_solution_block_without_end_is_reported_where_it_begins(master_path: Path) -> None:
    edited(master_path, "# %% [raw]\n# # END SOLUTION\n# %%\ncounted", "# %%\ncounted")
    line = master_path.read_text().split("# # BEGIN SOLUTION\n# %%\nclass")[0].count("\n") + 1
    assert_reported(problems_of(lambda: load_master(master_path)), "master.py", line, "solution block never ends")


def test_solution_outside_a_solution_block_is_reported_because_it_would_leak(master_path: Path) -> None:
    edited(master_path, "# %% [raw]\n# # BEGIN SOLUTION\n# %%\nclass", "# %%\nclass")
    text = master_path.read_text()
    line = text.split("        # BEGIN SOLUTION NO PROMPT\n        self.state")[0].count("\n") + 1
    reports = problems_of(lambda: load_master(master_path))
    assert_reported(reports, "master.py", line, "outside a solution block")


def test_last_question_without_end_is_reported_where_it_begins(master_path: Path) -> None:
    text = master_path.read_text()
    master_path.write_text(text[: text.rindex("# %% [raw]\n# # END QUESTION")])
    line = text.split("# # BEGIN QUESTION\n# name: q2")[0].count("\n") + 1
    assert_reported(problems_of(lambda: load_master(master_path)), "master.py", line, "END QUESTION")


def test_missing_grader_cell_is_reported(master_path: Path) -> None:
    edited(master_path, 'grader = deepmarks.Notebook("mini")', "grader = None")
    assert_reported(problems_of(lambda: load_master(master_path)), "master.py", 1, "no cell says")


def test_several_problems_come_in_the_order_of_the_file(master_path: Path) -> None:
    edited(master_path, "# forbid: [sklearn]", "# forbid: [sklern]")
    edited(master_path, "# points: 12", "# points: 13")
    edited(master_path, "        # END SOLUTION", "        # end solution")
    reports = problems_of(lambda: load_master(master_path))
    assert len(reports) >= 3
    assert [line for _, line, _ in reports] == sorted(line for _, line, _ in reports)


# -------------------------------------------------------------------- the checks


def test_checks_are_read_without_running_them(master: Master) -> None:
    found = load_checks(CHECKS, master)
    assert [check.id for check in found.of("q1")] == [
        "public/test_q1.py::test_sum_of_a_short_list",
        "public/test_q1.py::test_mean_of_a_short_list",
        "hidden/test_q1.py::test_mean_of_a_matrix",
        "hidden/test_q1.py::test_sum_is_a_float",
    ]
    assert found.of("q2", hidden=True)[0].title == "Two steps are counted."
    assert [path.name for path in found.accepted] == ["numpy_mean.py"]


def test_mutants_apply_to_the_solution(master: Master) -> None:
    mutants = {mutant.name: mutant for mutant in load_checks(CHECKS, master).mutants}
    assert "self.state = by\n" in mutants["q2_overwrites"].apply(master.solution_source)
    appended = mutants["q1_no_division"].apply(master.solution_source)
    assert appended.startswith(master.solution_source.rstrip())
    assert appended.endswith("# %%\ndef mean(x):\n    return total(x)\n")


BAD_CHECKS = {
    "no docstring": ("public/test_q2.py", '    """One step is counted."""\n', "", -1, "no docstring"),
    "no question": (
        "public/test_q2.py",
        '@question("q2", points=2)\ndef test_count_once',
        "def test_count_once",
        0,
        "exactly one",
    ),
    "unknown question": ("hidden/test_q1.py", '"q1", points=3', '"q7", points=3', 0, "unknown question `q7`"),
    "points that are no number": ("hidden/test_q1.py", "points=3)", 'points="3")', 0, "plain number"),
    "reference in a public check": (
        "public/test_q2.py",
        "def test_count_once(student)",
        "def test_count_once(student, reference)",
        0,
        "no reference",
    ),
    "plain assert in a hidden check": (
        "hidden/test_q1.py",
        "    with student_raises",
        "    assert value\n    with student_raises",
        0,
        "plain assert",
    ),
    "f-string sentence": (
        "hidden/test_q1.py",
        '"total does not return a float."',
        'f"total returns {value}."',
        0,
        "one plain string",
    ),
    "joined sentence": (
        "hidden/test_q1.py",
        '"total accepts None."',
        '"total accepts " + str(None)',
        0,
        "one plain string",
    ),
    "no sentence": ("hidden/test_q1.py", ', "total accepts None."', "", 0, "needs a sentence"),
    "unknown probe": ("public/test_q2.py", '"count", [3]', '"cuont", [3]', 0, "does not define `cuont`"),
    "unknown stand-in": (
        "public/test_q2.py",
        '"count", [3]',
        '"count", [3], stand_in={"total": "probes.library_total"}',
        0,
        "does not define `library_total`",
    ),
    "stand-in with another name": (
        "public/test_q2.py",
        '"count", [3]',
        '"count", [3], stand_in={"total": "probes.count"}',
        0,
        "must begin with library",
    ),
    "same name in public and hidden": (
        "public/test_q2.py",
        "def test_count_nothing",
        "def test_count_twice",
        None,
        "two checks",
    ),
}


@pytest.mark.parametrize("case", BAD_CHECKS)
def test_bad_check_is_reported_at_its_line(case: str, checks_path: Path, master: Master) -> None:
    file, old, new, shift, part = BAD_CHECKS[case]
    line = edited(checks_path / file, old, new)
    reports = problems_of(lambda: load_checks(checks_path, master))
    if shift is None:
        assert any(part in message for _, _, message in reports)
    else:
        assert_reported(reports, Path(file).name, line + shift, part)


def test_what_hidden_checks_share_with_public_ones_keeps_to_the_rules_for_hidden_ones(
    checks_path: Path, master: Master
) -> None:
    public = checks_path / "public" / "test_q1.py"
    helper = 'def told(value):\n    expect(value, f"{value} is wrong.")\n'
    public.write_text(f"{public.read_text()}\n\n{helper}\n\ndef shared(value):\n    told(value)\n")
    load_checks(checks_path, master)  # a public check may show values
    hidden = checks_path / "hidden" / "test_q1.py"
    hidden.write_text(f"from public.test_q1 import shared\n{hidden.read_text()}")
    line = public.read_text().split("\n").index('    expect(value, f"{value} is wrong.")') + 1
    assert_reported(problems_of(lambda: load_checks(checks_path, master)), "test_q1.py", line, "one plain string")


def test_a_name_that_hidden_checks_share_must_be_there(checks_path: Path, master: Master) -> None:
    hidden = checks_path / "hidden" / "test_q1.py"
    text = hidden.read_text()
    hidden.write_text(f"from public.test_q1 import shared\n{text}")
    assert_reported(problems_of(lambda: load_checks(checks_path, master)), "test_q1.py", 1, "does not define `shared`")
    hidden.write_text(f"from public.test_q9 import shared\n{text}")
    assert_reported(problems_of(lambda: load_checks(checks_path, master)), "test_q1.py", 1, "no public check")


def test_points_that_do_not_add_up_are_reported_at_the_question(checks_path: Path, master: Master) -> None:
    edited(checks_path / "hidden" / "test_q1.py", "points=3)", "points=2.5)")
    reports = problems_of(lambda: load_checks(checks_path, master))
    assert_reported(reports, "master.py", master.line_of("q1"), "worth 8 points but its checks add up to 7.5")


def test_too_few_checks_are_reported_at_the_question(checks_path: Path, master: Master) -> None:
    (checks_path / "hidden" / "test_q2.py").unlink()
    reports = problems_of(lambda: load_checks(checks_path, master))
    assert_reported(reports, "master.py", master.line_of("q2"), "q2 has 0 hidden checks")


BAD_MUTANTS = {
    "name used twice": ('name = "q1_rows"', 'name = "q1_no_division"', -1, "two mutants"),
    "unknown question": ('name = "q1_rows"\nquestion = "q1"', 'name = "q1_rows"\nquestion = "q3"', -1, "unknown"),
    "unknown key": ('name = "q1_rows"', 'name = "q1_rows"\nsay = "x"', -1, "did you mean `says`"),
    "text that is not there": ('"len(x.ravel())", "len(x)"', '"len(y)", "len(x)"', -5, "stands 0 times"),
    "text that is there twice": ('"len(x.ravel())", "len(x)"', '"total", "sum"', -5, "it must stand there once"),
    "code that is no Python": ("return 0.0", "return = 0.0", -5, "not Python"),
    "neither code nor replace": ('replace = [["self.state + by", "by"]]', "", -5, "either `code` or `replace`"),
    "not TOML": ('name = "q1_rows"', 'name = "q1_rows', 0, "not TOML"),
}


@pytest.mark.parametrize("case", BAD_MUTANTS)
def test_bad_mutant_is_reported_at_its_line(case: str, checks_path: Path, master: Master) -> None:
    old, new, shift, part = BAD_MUTANTS[case]
    line = edited(checks_path / "mutants.toml", old, new) + shift
    assert_reported(problems_of(lambda: load_checks(checks_path, master)), "mutants.toml", line, part)


def test_too_many_mutants_without_a_sentence_are_reported(checks_path: Path, master: Master) -> None:
    file = checks_path / "mutants.toml"
    file.write_text(file.read_text().replace('says = "count"', 'says = ""', 1))
    assert_reported(problems_of(lambda: load_checks(checks_path, master)), "mutants.toml", 1, "at most a fifth")


def test_accepted_answer_without_a_comment_is_reported(checks_path: Path, master: Master) -> None:
    edited(checks_path / "accepted" / "numpy_mean.py", "# Uses NumPy's own mean.\n", "")
    assert_reported(problems_of(lambda: load_checks(checks_path, master)), "numpy_mean.py", 1, "first line")


def test_problems_of_all_files_come_together(checks_path: Path, master: Master) -> None:
    edited(checks_path / "hidden" / "test_q1.py", '"q1", points=3', '"q7", points=3')
    edited(checks_path / "mutants.toml", 'name = "q1_rows"', 'name = "q1_zero"')
    shutil.rmtree(checks_path / "accepted")
    files = {file for file, _, _ in problems_of(lambda: load_checks(checks_path, master))}
    assert {"test_q1.py", "mutants.toml", "accepted"} <= files


# -------------------------------------------------------------------- the bundle


def test_bundle_comes_straight_from_a_checkout(master: Master) -> None:
    bundle = bundle_from_repo("mini", MATERIAL)
    assert bundle.root is None
    assert bundle.public == CHECKS / "public"
    assert bundle.hidden == CHECKS / "hidden"
    assert bundle.solution == master.solution_source
    assert bundle.skeleton == master.skeleton_source


def test_folder_without_checks_is_no_bundle(tmp_path: Path, master: Master) -> None:
    (tmp_path / "assignment.json").write_text(master.assignment.to_json())
    with pytest.raises(BundleError, match="no public checks"):
        Bundle.load(tmp_path)


def test_course_secret_depends_on_what_students_do_not_see(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEEPMARKS_COURSE_SECRET", raising=False)
    shutil.copytree(MATERIAL, tmp_path / "repo")
    repo = tmp_path / "repo"
    secret = course_secret(bundle_from_repo("mini", MATERIAL))
    assert course_secret(bundle_from_repo("mini", repo)) == secret
    edited(repo / "autograder" / "checks" / "mini" / "hidden" / "test_q2.py", "[173, 219]), 392", "[173, 220]), 393")
    assert course_secret(bundle_from_repo("mini", repo)) != secret
    monkeypatch.setenv("DEEPMARKS_COURSE_SECRET", "chosen")
    assert course_secret(bundle_from_repo("mini", repo)) == b"chosen"
