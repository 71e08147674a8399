"""Grades every scenario and asserts that it neither earned, learnt nor left anything."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from .builders import BUILDERS
from .harness import Result, Stage, unavailable
from .scenario import CONFIGURATIONS, GROUPS, Scenario, load_scenarios

_TALLY = re.compile(r"HELD (\d+) ESCAPED \[(.*?)\]")
_MOST_GROWTH_MB = 50
_SECONDS = 15.0
"""For one grading; a scenario that waits for limits says how long it takes."""


@pytest.fixture(scope="module")
def stages() -> Iterator[dict[str, Stage]]:
    """The stages in use, one a configuration, made when first needed."""
    made: dict[str, Stage] = {}
    yield made
    for stage in made.values():
        stage.close()


def _cases() -> list[object]:
    cases = []
    for configuration in CONFIGURATIONS:
        for scenario in load_scenarios():
            if configuration in scenario.configurations:
                slow = scenario.slow or configuration == "container"
                marks = [pytest.mark.slow] if slow else []
                cases.append(
                    pytest.param(configuration, scenario, id=f"{configuration}-{scenario.identity}", marks=marks)
                )
    return cases


@pytest.mark.parametrize(("configuration", "scenario"), _cases())
def test_scenario(configuration: str, scenario: Scenario, stages: dict[str, Stage], tmp_path: Path) -> None:
    stage = _stage(configuration, stages)
    missing = set(scenario.needs) - stage.layers
    if missing:
        pytest.skip(f"dangerous without these layers: {', '.join(sorted(missing))}")
    marker = f"dmx-{secrets.token_hex(6)}"
    stage.restart_if_dead()
    for attempt in range(2 if scenario.spec.get("graded_twice") else 1):
        result = _grade(stage, scenario, marker)
        _judge(stage, scenario, result, marker, f"grading {attempt + 1}")


def _stage(configuration: str, stages: dict[str, Stage]) -> Stage:
    if configuration not in stages:
        reason = unavailable(configuration)
        if reason is not None:
            pytest.skip(reason)
        stages[configuration] = Stage(configuration)
        stages[configuration].start()
    return stages[configuration]


def _grade(stage: Stage, scenario: Scenario, marker: str) -> Result:
    folder = stage.base / "submissions" / marker / secrets.token_hex(4)
    folder.mkdir(parents=True)
    out = stage.base / "results" / folder.name
    out.mkdir()
    if stage.configuration == "user":
        out.chmod(0o777)
    words = {
        "MARKER": marker,
        "BUNDLE": str(stage.bundle),
        "RESULTS": str(out),
        "OTHERS": str(stage.base / "results"),
        "STAGE": str(stage.base),
        "VICTIM": str(stage.base / "victim"),
        "ABSTRACT": stage.abstract,
        "SOCKET": str(stage.path_socket),
        "PORT": str(stage.port),
        "GRADER": str(stage.grader),
        "ZYGOTE": str(stage.zygote),
    }
    source = scenario.source(words) if (scenario.folder / "submission.py").is_file() else ""
    build = BUILDERS[scenario.spec.get("build", "plain")]
    submission = build(folder, source, scenario.variant, stage.bundle / "solution.py")
    seconds = float(scenario.expected("seconds", stage.configuration, _SECONDS))
    settle = float(scenario.spec.get("settle", 0))
    return stage.run(submission, out, marker, seconds, settle)


def _judge(stage: Stage, scenario: Scenario, result: Result, marker: str, which: str) -> None:
    """Every promise that the grader makes, in the order in which a breach would explain the next."""
    configuration = stage.configuration

    def expected(key: str, default: object = None) -> object:
        return scenario.expected(key, configuration, default)

    assert "died" not in result.answer, f"{which}: {result.answer['died']}\n{result.log[-3000:]}"
    grade = result.answer["grade"]
    assert not grade["withheld"], f"{which}: the grader blames itself: {grade['withheld'][-2000:]}"
    _judge_secrets(stage, result, marker)
    _judge_escapes(scenario, configuration, result, which)
    said = {q: result.sentences(q) for q in ("q1", "q2", "notice", "cause")}
    points = {name: result.points(name) for name in ("q1", "q2")}
    wanted = expected("points", {"q1": 2, "q2": 2})
    assert isinstance(wanted, dict)
    for name, number in wanted.items():
        least, most = number if isinstance(number, list) else (number, number)
        assert least <= points[name] <= most, f"{which}: {points} points instead of {wanted}; it said {said}"
    assert result.answer["score"] == sum(points.values())
    sentences = expected("says", {})
    assert isinstance(sentences, dict)
    for where, sentence in sentences.items():
        assert sentence.lower() in said[where].lower(), f"{which}: {where} says {said[where]!r}, not {sentence!r}"
    for where, sentence in dict(scenario.spec.get("never_says", {})).items():
        assert sentence.lower() not in said[where].lower(), f"{which}: {where} says {said[where]!r}"
    for name in ("q1", "q2"):
        checks = [r for r in result.question(name)["records"] if r["outcome"]]
        assert len(checks) == 2, f"{which}: {name} was not graded"
    _judge_remains(stage, scenario, result, which)


def _judge_secrets(stage: Stage, result: Result, marker: str) -> None:
    assert stage.canary not in result.everything, "a secret came out"
    leak = f"LEAK-{marker}"
    shown = result.visible + "".join(result.notices) + str(result.answer["grade"]["cause"])
    assert leak not in shown, f"an input of a hidden check came out: {shown[max(0, shown.find(leak) - 200) :][:400]}"
    assert "\x1b" not in shown
    assert "\\u001b" not in shown
    assert "\\u202e" not in shown


def _judge_escapes(scenario: Scenario, configuration: str, result: Result, which: str) -> None:
    known = scenario.expected("escapes", configuration, [])
    if known:
        assert scenario.spec.get("weakness"), "an escape that is expected must be explained"
    found = [_TALLY.search(notice) for notice in result.notices]
    counts = [match for match in found if match]
    if scenario.tally:
        assert counts, f"{which}: the attempts did not come to their end: {result.notices}"
    for match in counts:
        unexpected = set(match[2].split()) - set(known)
        assert not unexpected, f"{which}: escaped: {sorted(unexpected)}; {result.log[-500:]}"


def _judge_remains(stage: Stage, scenario: Scenario, result: Result, which: str) -> None:
    assert not result.left_processes, f"{which}: processes are left: {result.left_processes}"
    assert not result.left_files, f"{which}: files are left: {result.left_files[:10]}"
    assert not result.answer["signals"], f"{which}: the grader received {result.answer['signals']}"
    assert result.answer["files_limit"] > 100
    most = float(scenario.expected("growth_mb", stage.configuration, _MOST_GROWTH_MB))
    assert result.grown_mb < most, f"{which}: the grader grew by {result.grown_mb:.0f} MiB"
    limit = float(scenario.expected("seconds", stage.configuration, _SECONDS))
    assert result.seconds < limit, f"{which}: took {result.seconds:.1f} s"
    reached = set(stage.take_connections())
    allowed = {str(stage.path_socket)} if scenario.spec.get("reaches") == "path_socket" else set()
    assert reached <= allowed, f"{which}: the submission connected to {reached}"


def test_there_is_a_scenario_for_every_group() -> None:
    scenarios = load_scenarios()
    assert {scenario.spec["group"] for scenario in scenarios} == set(GROUPS)
    assert len({scenario.name for scenario in scenarios}) >= 60
    for scenario in scenarios:
        assert scenario.spec["attempt"].endswith(".")
        assert scenario.name.startswith(f"{scenario.spec['group']:02d}_")
