"""Calibration: the statistics keep their promises, and the command stores, derives and refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from typer.testing import CliRunner

from deepmarks.calibration import (
    Band,
    CalibrationError,
    accuracy_band,
    bands,
    clopper_pearson,
    load_calibration,
    value_band,
)
from deepmarks_grader.calibration import Metric, Plan, calibrate
from deepmarks_grader.calibration.plot import draw
from deepmarks_grader.calibration.statistics import (
    accuracy_lower_bound,
    best_of_variant,
    least_correct,
    lower_bound,
    seeds_for_any_distribution,
    threshold,
    tolerance_factor,
)
from deepmarks_grader.errors import UserError

# ------------------------------------------------------------ statistics


@pytest.mark.parametrize(
    ("count", "content", "k"),
    [(10, 0.90, 2.355), (20, 0.99, 3.295), (20, 0.95, 2.396)],
)
def test_factors_are_those_of_the_published_tables(count, content, k):
    """Tables of one-sided factors at confidence 0.95."""
    assert tolerance_factor(count, content) == pytest.approx(k, abs=2e-3)


def test_the_handbooks_example():
    assert tolerance_factor(43, 0.90, 0.99) == pytest.approx(1.8740, abs=1e-4)


@pytest.mark.parametrize("count", [5, 20, 60])
def test_the_normal_bound_covers_as_often_as_it_says(count):
    """Over 4,000 calibrations, the bound lies below the true quantile in 95 % of them."""
    rng = np.random.default_rng(1)
    content, quantile = 0.999, stats.norm.ppf(0.001)
    samples = rng.standard_normal((4000, count))
    k = tolerance_factor(count, content)
    covered = (samples.mean(1) - k * samples.std(1, ddof=1) <= quantile).mean()
    assert covered == pytest.approx(0.95, abs=0.012)
    assert lower_bound(samples[0].tolist(), content) == pytest.approx(samples[0].mean() - k * samples[0].std(ddof=1))


def test_with_thousands_of_seeds_no_distribution_is_assumed():
    assert seeds_for_any_distribution(0.99) == 299
    values = np.random.default_rng(0).exponential(size=299).tolist()
    assert lower_bound(values, 0.99) == min(values)
    assert lower_bound(values[:298], 0.99) != min(values[:298])


SHAPES = {
    "narrow": stats.beta(400, 20),
    "near one": stats.beta(60, 1.2),
    "wide": stats.beta(20, 5),
    "always right": stats.uniform(1 - 1e-9, 1e-9),
}


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_right_solution_fails_in_fewer_than_one_of_a_thousand(shape, fresh):
    """Whole calibrations with 20 seeds and 400 test images, simulated: in 95 % of them the promise holds."""
    rng = np.random.default_rng(7)
    size, kept, failures = 400, 0, []
    true = SHAPES[shape].ppf((np.arange(4000) + 0.5) / 4000)
    for _ in range(200):
        seeds = SHAPES[shape].rvs(20, random_state=rng)
        top = threshold((rng.binomial(size, seeds) / size).tolist(), "higher", size, fresh=fresh)
        missed = stats.binom.cdf(round(top * size) - 1, size, true).mean()
        failures.append(missed)
        kept += missed < 1e-3
    assert kept >= 0.95 * 200
    assert np.mean(failures) < 1e-3


def test_a_hundred_percent_in_every_seed_is_no_promise_of_a_hundred_percent():
    top = threshold([1.0] * 20, "higher", 100)
    assert 0.9 < top < 1.0
    assert accuracy_lower_bound([1.0] * 20, 100, 0.9995) <= clopper_pearson(2000, 2000, 0.95)[0]


def test_errors_are_judged_like_accuracies():
    rates = [0.9, 0.92, 0.91, 0.93, 0.9]
    errors = [1 - rate for rate in rates]
    assert threshold(errors, "lower", 200) == pytest.approx(1 - threshold(rates, "higher", 200))


def test_plain_metrics_have_no_binomial_part():
    values = [1.0, 1.1, 0.9, 1.05, 0.95]
    assert threshold(values, "higher", None) == pytest.approx(lower_bound(values, 0.999))
    assert threshold(values, "lower", None) == pytest.approx(-lower_bound([-v for v in values], 0.999))


def test_the_least_number_of_right_answers():
    for accuracy, size in [(0.9, 100), (0.5, 30), (0.999, 1000), (1.0, 50)]:
        count = least_correct(accuracy, size, 5e-4)
        assert stats.binom.cdf(count - 1, size, accuracy) <= 5e-4
        assert stats.binom.cdf(count, size, accuracy) > 5e-4
    assert least_correct(0.0, 10, 5e-4) == 0


def test_the_best_of_a_variant_lies_on_its_good_side():
    values = [0.5, 0.52, 0.48, 0.51]
    assert best_of_variant(values, "higher") > max(values)
    assert best_of_variant(values, "lower") < min(values)


def test_clopper_pearson_is_exact():
    lower, upper = clopper_pearson(17, 20, 0.975)
    assert stats.binom.sf(16, 20, lower) == pytest.approx(0.025)
    assert stats.binom.cdf(17, 20, upper) == pytest.approx(0.025)
    assert clopper_pearson(0, 5, 0.95)[0] == 0
    assert clopper_pearson(5, 5, 0.95)[1] == 1


# ------------------------------------------------------------ the command

CALIBRATE = """
import numpy as np
from deepmarks_grader.calibration import Metric

METRICS = {"accuracy": Metric("higher", test_size=200, floor=0.1), "loss": Metric("lower", floor=2.0)}
VARIANTS = {"q1_sum_for_mean": "def mean(x):\\n    return %s"}
SOURCES = {"offline": "made-up numbers", "official": "other numbers"}

def run(solution, seed, device, source):
    rng = np.random.default_rng(seed)
    right = solution.mean(np.array([1.0, 3.0])) == 2.0
    share = (0.9 if right else 0.5) + 0.02 * rng.standard_normal()
    return {"accuracy": round(200 * share) / 200, "loss": (0.3 if right else 1.5) + 0.01 * rng.standard_normal()}
"""


@pytest.fixture
def repo(tmp_path: Path, repository: Path) -> Path:
    """A small checkout whose assignment has a calibration."""
    shutil.copytree(repository / "tests" / "fixtures" / "authoring", tmp_path / "repo")
    write_calibrate(tmp_path / "repo", "total(x)")
    return tmp_path / "repo"


def write_calibrate(repo: Path, override: str) -> None:
    file = repo / "autograder" / "checks" / "mini" / "calibrate.py"
    file.write_text(CALIBRATE.replace("%s", override), encoding="utf-8")


def public(repo: Path) -> Path:
    return repo / "autograder" / "checks" / "mini" / "public"


def test_bands_are_derived_stored_and_read_by_checks_and_notebook(repo):
    result = calibrate("mini", repo, Plan(seeds=8, date="2026-02-03"))
    assert result.complete
    assert not result.overlaps
    stored = json.loads((repo / "autograder/checks/mini/calibration.json").read_text())
    runs = stored["sources"]["made-up numbers"]["cases"]["reference"]["runs"]
    assert len(runs) == 8
    assert {"accuracy", "loss", "seconds"} == runs["0"].keys()
    assert stored["sources"]["made-up numbers"]["about"]["date"] == "2026-02-03"
    assert "torch" in stored["sources"]["made-up numbers"]["about"]["versions"]
    check = public(repo).parent / "hidden" / "test_q1.py"
    for where in (str(check), public(repo), public(repo) / "test_q1.py", public(repo) / "calibration.json"):
        scale = bands(where, "accuracy")
        assert [band.name for band in scale] == ["full", "good", "basic"]
        assert 0.5 < scale[0].threshold < 0.85
        assert scale[0].threshold > scale[1].threshold > scale[2].threshold > 0.1
        assert all((band.threshold * 200) == round(band.threshold * 200) for band in scale)
    loss = bands(public(repo), "loss", source="made-up numbers")
    assert 0.3 < loss[0].threshold < loss[1].threshold < loss[2].threshold < 2.0
    metric = load_calibration(public(repo)).metric("accuracy")
    assert metric.reference.mean == pytest.approx(0.9, abs=0.03)
    assert metric.variants["q1_sum_for_mean"].high < metric.bands[0].threshold
    assert "runs" not in (public(repo) / "calibration.json").read_text()


def test_runs_are_kept_and_only_what_is_missing_is_run(repo):
    heard: list[tuple[str, int]] = []

    def note(case, seed, metrics):
        heard.append((case, seed))

    calibrate("mini", repo, Plan(seeds=4), note)
    calibrate("mini", repo, Plan(seeds=5), note)
    assert heard[8:] == [("reference", 4), ("q1_sum_for_mean", 4)]
    heard.clear()
    calibrate("mini", repo, Plan(seeds=5, only=["q1_sum_for_mean"], fresh=True), note)
    assert heard == [("q1_sum_for_mean", seed) for seed in range(5)]
    heard.clear()
    write_calibrate(repo, "2 * total(x)")
    calibrate("mini", repo, Plan(seeds=5, keep=True), note)
    assert heard == []
    write_calibrate(repo, "3 * total(x)")
    calibrate("mini", repo, Plan(seeds=3), note)
    assert len(heard) == 6


def test_two_sources_have_bands_of_their_own(repo):
    calibrate("mini", repo, Plan(seeds=4))
    calibrate("mini", repo, Plan(seeds=4, source="official"))
    with pytest.raises(CalibrationError, match="name one source"):
        bands(public(repo), "accuracy")
    assert bands(public(repo), "accuracy", source="other numbers")
    with pytest.raises(CalibrationError, match="not calibrated for third"):
        bands(public(repo), "accuracy", source="third")


def test_a_variant_as_good_as_the_reference_is_an_error(repo):
    write_calibrate(repo, "total(x) / len(x)")
    result = calibrate("mini", repo, Plan(seeds=6))
    assert result.overlaps == ("q1_sum_for_mean",)
    assert not (public(repo) / "calibration.json").exists()


def test_bands_wait_for_every_case(repo):
    result = calibrate("mini", repo, Plan(seeds=4, only=["reference"]))
    assert not result.complete
    assert not (public(repo) / "calibration.json").exists()


def test_variants_may_have_fewer_seeds(repo):
    heard = []
    plan = Plan(seeds=8, variant_seeds=4)
    assert calibrate("mini", repo, plan, lambda case, seed, metrics: heard.append(case)).complete
    assert (heard.count("reference"), heard.count("q1_sum_for_mean")) == (8, 4)
    assert load_calibration(public(repo)).metric("accuracy").variants["q1_sum_for_mean"].count == 4


def test_an_interrupted_variant_is_gone_on_with(repo):
    def stop(case, seed, metrics):
        if case != "reference" and seed == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        calibrate("mini", repo, Plan(seeds=4), stop)
    result = calibrate("mini", repo, Plan(seeds=4, only=["reference"]))
    assert not result.complete
    assert not result.overlaps
    assert calibrate("mini", repo, Plan(seeds=4)).complete


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (Plan(seeds=2), "at least 3 seeds"),
        (Plan(only=["q9"]), "has no case q9; it has reference, q1_sum_for_mean"),
        (Plan(source="moon"), "has no source moon; it has offline, official"),
    ],
)
def test_what_cannot_be_run_is_said(repo, plan, words):
    with pytest.raises(UserError, match=words):
        calibrate("mini", repo, plan)


def test_an_assignment_without_calibration_is_named(repo):
    (repo / "autograder/checks/mini/calibrate.py").unlink()
    with pytest.raises(UserError, match=r"calibrate\.py is missing"):
        calibrate("mini", repo, Plan())


def test_the_picture_is_drawn(repo, tmp_path):
    path = draw(calibrate("mini", repo, Plan(seeds=5)), tmp_path / "images" / "calibration-mini.png")
    assert path.stat().st_size > 10_000


def test_the_command_prints_and_exits(repo, monkeypatch):
    from deepmarks_grader import authoring
    from deepmarks_grader.cli import app

    monkeypatch.setattr(authoring, "find_repo", lambda start=None: repo)
    run = CliRunner().invoke(app, ["calibrate", "mini", "--seeds", "4", "--json", "--date", "2026-01-01"])
    assert run.exit_code == 0, run.output
    summary = json.loads(run.stdout)
    assert summary["overlaps"] == []
    assert summary["metrics"]["accuracy"]["bands"][0]["name"] == "full"
    assert (repo / "docs/images/calibration-mini.png").is_file()
    write_calibrate(repo, "total(x) / len(x)")
    run = CliRunner().invoke(app, ["calibrate", "mini", "--seeds", "4"])
    assert run.exit_code == 1
    assert "may pass the top band" in run.output


# ------------------------------------------------------------ bands in checks


def test_bands_tell_where_an_accuracy_lies():
    scale = (Band("full", 0.9), Band("good", 0.8), Band("basic", 0.5))
    result = accuracy_band(85, 100, scale)
    assert (result.band, result.accuracy) == ("good", 0.85)
    assert not result.reaches("full")
    assert result.reaches("basic")
    assert result.lower < 0.85 < result.upper
    assert "85 of 100" in result.text
    assert accuracy_band(90, 100, scale).band == "full"
    assert accuracy_band(3, 100, scale).band is None
    with pytest.raises(CalibrationError, match="no band top"):
        result.reaches("top")
    with pytest.raises(ValueError, match="no accuracy"):
        accuracy_band(5, 4, scale)


def test_nan_reaches_no_band():
    for direction in ("higher", "lower"):
        assert value_band(float("nan"), [Band("full", 0.5, direction)]).band is None
    assert value_band(0.4, [Band("full", 0.5, "lower")]).band == "full"


def test_a_missing_or_damaged_file_is_named(tmp_path):
    with pytest.raises(CalibrationError, match="deepmarks-grader calibrate"):
        bands(tmp_path, "accuracy")
    (tmp_path / "calibration.json").write_text("{}")
    with pytest.raises(CalibrationError, match="damaged"):
        bands(tmp_path, "accuracy")


def test_metrics_have_defaults():
    assert Metric() == Metric("higher", None, fresh=False, floor=0.0)
