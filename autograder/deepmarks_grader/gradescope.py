"""The entry point in Gradescope's container, or in anything with its layout.

`python -m deepmarks_grader.gradescope --root /autograder` grades `submission/` with `source/bundle/` and always
leaves a `results/results.json`, whatever the submission does and whatever goes wrong here.
"""

from __future__ import annotations

import argparse
import secrets
import signal
import sys
import traceback
from pathlib import Path
from types import FrameType

from deepmarks_grader.bundle import Bundle
from deepmarks_grader.errors import UserError
from deepmarks_grader.grading import Grader
from deepmarks_grader.grading.grade import weak_isolation_allowed
from deepmarks_grader.grading.intake import read
from deepmarks_grader.grading.results import RESULTS_NAME, failure_dict, write_json, write_results
from deepmarks_grader.isolation.leftovers import close_to_others

_SORRY = "The autograder failed on its own account, so no score is given yet; staff have been told."


class _Interrupted(Exception):  # noqa: N818
    """The container asked us to stop."""


def main(arguments: list[str] | None = None) -> int:
    """Grade what lies under the root; returns 0 if a result was written that counts."""
    parser = argparse.ArgumentParser(description="Grade the submission in Gradescope's layout.")
    parser.add_argument("--root", type=Path, default=Path("/autograder"))
    parser.add_argument("--device", default="auto")
    options = parser.parse_args(arguments)
    results = options.root / "results"
    nonce = secrets.token_hex(16)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        results.mkdir(parents=True, exist_ok=True)
        for name in ("source/bundle", "submission", "results"):
            close_to_others(options.root / name)
        bundle = Bundle.load(options.root / "source" / "bundle")
        submission = read(options.root / "submission")
        with Grader(bundle, options.device, allow_weak_isolation=weak_isolation_allowed()) as grader:
            grade = grader.grade(submission)
        # Every process of the submission is dead, and the zygote is too.
        write_results(grade, results, nonce)
    except UserError as error:
        write_json(results / RESULTS_NAME, failure_dict(_SORRY, str(error), nonce))
        return 1
    except BaseException:
        write_json(results / RESULTS_NAME, failure_dict(_SORRY, traceback.format_exc(), nonce))
        return 1
    return 1 if grade.withheld else 0


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise _Interrupted(f"stopped by signal {number}")


if __name__ == "__main__":
    sys.exit(main())
