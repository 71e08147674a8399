#!/usr/bin/env bash
# Grades the one submission in $ROOT/submission and writes $ROOT/results/results.json.
#
#   DEEPMARKS_AUTOGRADER_ROOT   where setup.sh put the environment (default /autograder)
#   DEEPMARKS_PYTHON            another interpreter that has deepmarks_grader
set -euo pipefail
ROOT="${DEEPMARKS_AUTOGRADER_ROOT:-/autograder}"
exec "${DEEPMARKS_PYTHON:-$ROOT/venv/bin/python}" -I -m deepmarks_grader.gradescope --root "$ROOT"
