# The two commands to know: `make lab` opens the course, `make test` runs every test.
# Both set up .venv first where it is missing, half-finished or older than pyproject.toml.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
LESSON_FILES = $(wildcard solutions/*/*.ipynb)
# nbval runs the solutions and compares the outputs of the cells that ask for it.
NBVAL = --nbval-lax --nbval-current-env --nbval-cell-timeout=600
# One process a core, each with one thread; a file's tests stay together, as a notebook's must.
PYTEST = OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses=logical --dist=loadfile --no-loadscope-reorder $(NBVAL)
# No notebook, browser, nbgrader or other package; of the lessons, one's answers are graded.
QUICK = -m 'not slow and not whole and not nbgrader and not browser' --ignore=tests/peers \
  -k 'not test_soundness or 02_error_measures'

.DEFAULT_GOAL := help
.PHONY: help lab test test-quick test-all lint lessons notebooks grade-demo digits peers bench clean

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

# A stamp is written last, so an interrupted set-up is done again by the next command.
$(VENV)/.ready-%: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo 'Python 3.11 or newer is needed: install it, or name it as in `make lab PYTHON=python3.12`.'; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	  { echo 'Python'"'"'s venv module is missing: install it (on Debian and Ubuntu: sudo apt install python3-venv).'; exit 1; }
	@echo 'Setting up $(VENV): this takes a few minutes the first time.'
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$*]' || \
	  { echo 'The set-up did not finish: check the network connection and run the same command again.'; exit 1; }
	@touch $@

lab: $(VENV)/.ready-course  ## open JupyterLab at the course (LAB_FLAGS="--no-browser" passes flags on)
	@$(BIN)/gqlib lab $(LAB_FLAGS)

test: $(VENV)/.ready-dev  ## run every test, as the project's own checks do
	$(PYTEST) -m 'not whole' solutions tests $(TEST_FLAGS)

test-quick: $(VENV)/.ready-dev  ## a little of every room, in about three minutes
	$(PYTEST) $(QUICK) tests $(TEST_FLAGS)

test-all: $(VENV)/.ready-dev  ## the same, and every mutant and variant through the real nbgrader
	$(PYTEST) solutions tests $(TEST_FLAGS)

lint: $(VENV)/.ready-dev  ## style, formatting and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

notebooks: $(VENV)/.ready-dev  ## execute the solutions and write them in their normal form
	$(BIN)/python -m gqlib.grading.authoring $(LESSON_FILES)

lessons: $(VENV)/.ready-dev  ## generate lessons/ from solutions/
	$(BIN)/python -m gqlib.grading.release

grade-demo: $(VENV)/.ready-dev  ## grade a small class of synthetic students from end to end
	$(BIN)/python -m gqlib.grading.demo

digits: $(VENV)/.ready-dev  ## train the digit network again (about a minute)
	$(BIN)/python -m gqlib.features.digits --output gqlib/features/digits.npz

peers: $(VENV)/.ready-bench  ## the metrics' answers beside those of other packages
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses=logical tests/peers $(TEST_FLAGS)

bench: $(VENV)/.ready-bench  ## seconds, memory and quality beside other packages (an hour and a quarter)
	$(BIN)/python benchmarks/vae_race.py
	$(BIN)/python benchmarks/gan_quality.py
	$(BIN)/python benchmarks/training_race.py
	$(BIN)/python benchmarks/features_race.py
	$(BIN)/python benchmarks/metrics_race.py
	$(BIN)/python benchmarks/grading_race.py

clean:  ## remove what the commands above made, but no work of yours
	rm -rf $(VENV) build dist *.egg-info artefacts .pytest_cache .mypy_cache .ruff_cache
