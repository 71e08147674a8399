# make demo   builds, grades sample submissions, prints the gradebook
# make test   lint, types and all tests but the slow ones
# make nightly   all tests, and the decoder fuzzed for ten minutes
# make bench  ours against plain otter run; the cost of isolation
# Both set up everything that they need; neither needs the other first.

# An interpreter that every user can read is preferred: workers that give up root must be able to import.
PYTHON ?= $(shell for p in /usr/bin/python3 python3; do \
	$$p -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
EXTRAS := grader,notebook,transfer,dev
export OMP_NUM_THREADS ?= 1

.PHONY: help setup demo test lint types unit nightly build prove bench clean

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Deepmarks needs Python 3.11 or newer with its venv module (Debian: apt-get install python3-venv)."; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt torch==2.13.0
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(EXTRAS)]'
	# It makes `import otter` four seconds slower, and nothing here needs it.
	$(BIN)/pip uninstall --quiet --yes rfc3987_syntax
	touch $(STAMP)

demo: setup
	$(BIN)/python -m deepmarks_grader.demo

test: setup lint types unit

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

unit: setup
	$(BIN)/python -m pytest -m "not slow"

nightly: setup
	$(BIN)/python -m pytest
	$(BIN)/pip install --quiet --disable-pip-version-check atheris
	$(BIN)/python tests/security/fuzz_wire.py -max_total_time=600

build: setup
	$(BIN)/deepmarks-grader build --out dist

prove: setup
	$(BIN)/deepmarks-grader prove

bench: setup
	$(BIN)/python -m tests.benchmarks.grading
	$(BIN)/python -m tests.benchmarks.isolation
	$(BIN)/python -m tests.benchmarks.references

clean:
	rm -rf dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
