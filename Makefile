# make demo   the live view on a real model, in the browser       make demo ARGS="--export why.html"   the same as one file
# make test   everything that must pass                            make check   style, types, architecture, front end
# make bench  whyglass beside its peers -> bench/RESULTS.md        make front   bundle the front end when it is stale
# make clean  forget the environment and what was built

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# one thread in each of two workers: the machine's cores are used once, and the numbers do not depend on how many there are
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1
WORKERS ?= 2

.DELETE_ON_ERROR:
.PHONY: demo test check bench measured front absent clean

# --- environments: a stamp for each set of extras, made again when what they depend on changes

$(VENV)/made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "whyglass needs Python 3.11 or newer, and $(PYTHON) is `$(PYTHON) --version`. Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "Making $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

# installing builds the front end too (hatch_build.py), so its sources are among what a stamp depends on
FRONT := $(shell find frontend/src frontend/build.mjs frontend/package.json frontend/package-lock.json -type f 2>/dev/null)
BUNDLE := src/whyglass/views/static/workbench.js

$(VENV)/ready-%: $(VENV)/made pyproject.toml hatch_build.py $(FRONT) $(if $(wildcard $(BUNDLE)),,absent)
	@echo "Installing whyglass[$*] into $(VENV)"
	@$(PIP) install --quiet --no-compile -e '.[$*]'
	@touch $@

absent:

# --- the two commands

demo: $(VENV)/ready-demo
	@exec $(BIN)/whyglass demo $(ARGS)

test: $(VENV)/ready-test
	@.ci/chromium
	$(ONE_THREAD) WHYGLASS_NO_SKIPS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup --cov --cov-report= $(ARGS)
	$(ONE_THREAD) NUMBA_DISABLE_JIT=1 $(BIN)/python -m pytest tests/kernels -m uncompiled -q --no-header -p no:randomly --cov --cov-append --cov-report=
	$(BIN)/python -m coverage report --fail-under=90

check: $(VENV)/ready-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(ONE_THREAD) $(BIN)/python -m pytest tests/arrows -q --no-header
	$(BIN)/python hatch_build.py npm run --silent check
	$(BIN)/python hatch_build.py npm test --silent

# the peers bring hundreds of packages: they get an environment of their own
bench:
	@$(MAKE) --no-print-directory VENV=.venv-bench measured

measured: $(VENV)/ready-bench
	@.ci/chromium
	@$(PIP) install --quiet --no-deps NICEx==0.2.3 anchor-exp==0.0.2.0 # what they say they need keeps old numpy and pandas
	$(ONE_THREAD) $(BIN)/python bench/run.py $(ARGS)

front:
	@$(PYTHON) hatch_build.py

clean:
	rm -rf $(VENV) .venv-bench build dist .coverage .coverage.* .pytest_cache .ruff_cache .mypy_cache .hypothesis frontend/node_modules
	rm -f src/whyglass/views/static/*.js src/whyglass/views/static/*.css
