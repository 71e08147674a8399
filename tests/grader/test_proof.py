"""`prove` notices when the checks are not as good as they must be."""

from __future__ import annotations

import shutil

import pytest
from tests.conftest import FIXTURES

from deepmarks_grader.proof import prove
from deepmarks_grader.proof.cases import CaseKind

MUTANT = """
[[mutant]]
name = "{name}"
question = "{question}"
mistake = "For the test."
says = "{says}"
code = '''
{code}
'''
"""


@pytest.fixture
def repo(tmp_path):
    return shutil.copytree(FIXTURES / "authoring", tmp_path / "repo")


def shortfalls(repo, only=None):
    return prove("mini", repo, only=only).shortfalls


def test_sound_checks_have_no_shortfall(repo):
    report = prove("mini", repo)
    assert report.shortfalls == []
    assert report.killed == len(report.of(CaseKind.MUTANT)) > 0
    assert report.summary()["killed"] == report.killed


def test_a_mutant_that_loses_nothing_is_a_shortfall(repo):
    mutants = repo / "autograder" / "checks" / "mini" / "mutants.toml"
    mutants.write_text(
        mutants.read_text() + MUTANT.format(name="harmless", question="q1", says="never said", code="unused = 1")
    )
    assert any("harmless: it loses nothing in q1" in text for text in shortfalls(repo, ["harmless"]))


def test_a_variant_that_is_wrong_is_a_shortfall(repo):
    accepted = repo / "autograder" / "checks" / "mini" / "accepted" / "wrong.py"
    accepted.write_text("# Wrong on purpose.\nimport os\nos._exit(1)\n\ndef mean(*args):\n    return 0\n")
    assert any(text.startswith("accepted wrong") for text in shortfalls(repo, ["wrong"]))
