# The two commands to know: `make lab` opens the course, `make test` runs every test.
# Both set up .venv first where it is missing, half-finished or older than pyproject.toml.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# Two environments with other versions of the packages, which uv makes.
OLDEST := .venv-oldest
COLAB  := .venv-colab
COLAB_PACKAGES := tests/packaging/colab-constraints.txt
LESSON_FILES = $(wildcard solutions/*/*.ipynb)
# nbval runs the solutions and compares the outputs of the cells that ask for it.
NBVAL = --nbval-lax --nbval-current-env --nbval-cell-timeout=600
# One process a core, each with one thread; a file's tests stay together, as a notebook's must.
PYTEST_IN = OMP_NUM_THREADS=1 $1/python -m pytest --numprocesses=logical --dist=loadfile --no-loadscope-reorder $(NBVAL)
PYTEST = $(call PYTEST_IN,$(BIN))
# No notebook, browser, nbgrader or other package; of the lessons, one's answers are graded.
QUICK = -m 'not slow and not whole and not nbgrader and not browser' --ignore=tests/peers \
  -k 'not test_soundness or 02_error_measures'

.DEFAULT_GOAL := help
.PHONY: help lab test test-quick test-all test-oldest test-colab lint lessons notebooks grade-demo digits peers bench clean

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

# Empties the target's folder and installs there: $(call environment,version of Python,uv's options).
define environment
@echo 'Setting up $(@D): a few gigabytes are downloaded the first time.'
@$(BIN)/uv venv --quiet --clear --python $1 $(@D) 2>/dev/null || \
  $(BIN)/uv venv --quiet --clear --python $(PYTHON) $(@D)
@$(BIN)/uv pip install --quiet --python $(@D) $2 --editable '.[dev]'
@touch $@
endef

$(OLDEST)/.ready: pyproject.toml | $(VENV)/.ready-dev
	$(call environment,3.11,--resolution=lowest-direct)

# Colab has Python 3.13. Where uv can neither find nor download it, it is this machine's.
$(COLAB)/.ready: pyproject.toml $(COLAB_PACKAGES) | $(VENV)/.ready-dev
	$(call environment,3.13,--constraints=$(COLAB_PACKAGES))

# What is quick, two lessons, and a class of one lesson. The tests of answers are many, and of the
# wheel need pip.
define tests_elsewhere
$(call PYTEST_IN,$1/bin) -m 'not slow and not nbgrader and not browser and not whole' $(TEST_FLAGS) $2 \
  solutions/00_* solutions/02_* tests $(addprefix --ignore=tests/,notebooks packaging peers)
$(call PYTEST_IN,$1/bin) $(TEST_FLAGS) \
  tests/grading/test_grade.py::test_the_command_says_what_became_of_the_class \
  'tests/notebooks/test_nbgrader.py::test_solution_blank_and_a_mutant_of_each_exercise[02_error_measures]'
endef

lab: $(VENV)/.ready-course  ## open JupyterLab at the course (LAB_FLAGS="--no-browser" passes flags on)
	@$(BIN)/gqlib lab $(LAB_FLAGS)

test: $(VENV)/.ready-dev  ## run every test, as the project's own checks do
	$(PYTEST) -m 'not whole' solutions tests $(TEST_FLAGS)

test-quick: $(VENV)/.ready-dev  ## a little of every room, in about three minutes
	$(PYTEST) $(QUICK) tests $(TEST_FLAGS)

test-all: $(VENV)/.ready-dev  ## the same, and every mutant and variant through the real nbgrader
	$(PYTEST) solutions tests $(TEST_FLAGS)

# Fails on the sets that the oldest hypothesis draws: authenticity depends on the order under ties.
TIES = tests/metrics/test_properties.py::test_order_of_rows

test-oldest: $(OLDEST)/.ready  ## quick tests with the oldest packages that pyproject.toml allows
	$(call tests_elsewhere,$(OLDEST),--deselect=$(TIES))

test-colab: $(COLAB)/.ready  ## quick tests with the packages that Colab has
	$(call tests_elsewhere,$(COLAB))

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
	rm -rf $(VENV) $(OLDEST) $(COLAB) build dist *.egg-info artefacts .pytest_cache .mypy_cache .ruff_cache
