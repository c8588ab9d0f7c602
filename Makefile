# Everything runs in .venv, made on first use with the versions of constraints.txt.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
PIP = $(BIN)/python -m pip install --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help demo dev test test-all lint format bench torture

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile

demo: $(READY) ## a Snowflake, an S3 and a Planhat on this machine, all syncs twice, and what came of it
	@$(BIN)/planhat-pipelines demo

dev: $(READY) ## Dagster's own pages over the demo's servers
	@$(BIN)/planhat-pipelines dev

test: $(READY) ## the tests, without what is only worth its time now and then
	@missing="$$(.ci/missing)"; test -z "$$missing" || { \
	  echo "The tests need Debian packages that are not here: apt-get install $$missing" >&2; exit 1; }
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(CASES)

test-all: CASES := --every-case
test-all: test ## all tests, with every case of each matrix

lint: $(READY) ## ruff and pyright
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/pyright --threads 2 --pythonpath $(BIN)/python

format: $(READY) ## write the code as lint wants it
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

bench: $(READY) ## the figures of benchmarks/
	@$(BIN)/python -m benchmarks

torture: $(READY) ## a hundred rounds of random kills and faults, and what held; ROUNDS=1000 MINUTES=30 SEED=17/3 for others
	@$(BIN)/python -m torture $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(MINUTES),--minutes $(MINUTES)) \
	  $(if $(SEED),--seed $(SEED))

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit(f"Python 3.11 or newer is needed, and $(PYTHON) is {v.major}.{v.minor}: make PYTHON=python3.12 ...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing into .venv, once; it takes a minute or a few ..."
	@$(PIP) -q 'pip>=25' > .venv/install.log 2>&1 || true  # older ones take twice as long, and do as well
	@$(PIP) --no-compile -c constraints.txt -e '.[sandbox,postgres,dev]' \
	  > .venv/install.log 2>&1 || { tail -n 20 .venv/install.log >&2; exit 1; }
	@$(BIN)/python -m compileall -q -j 0 -x '/(tests|sympy|networkx|mpmath|pip|setuptools|pygments|cfnlint)/' .venv/lib \
	  > /dev/null || true  # on all processors, as pip does not, and without what is hardly ever imported
	@echo "$$($(BIN)/python -m pip list --disable-pip-version-check 2>/dev/null | tail -n +3 | wc -l) packages are in .venv"
	@touch $@
