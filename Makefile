# Two commands matter on a fresh machine: `make demo` and `make test`. Each sets all up by itself.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
ASSETS := src/inkwire/pages/static/vendor/icons.svg

.PHONY: help demo test check fix docs docs-check assets toy wheel crash bench lock system-tools clean

help: ## Lists these commands.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

$(STAMP): pyproject.toml requirements.lock
	$(PYTHON) tools/check_python.py
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

$(ASSETS): $(STAMP) tools/assets.py assets/package-lock.json assets/icons.txt
	$(BIN)/python tools/assets.py
	touch $@

assets: $(ASSETS) ## Fetches the console's scripts and icons by their lock file.

demo: $(STAMP) $(ASSETS) ## Sets all up, starts a hub and sends it every sample; stays up.
	$(BIN)/inkwire demo $(DEMO)

system-tools: # Chromium and strace, which the tests drive; by apt when root, else it says what to run.
	@bash tools/system_tools.sh

# In two processes, but for what kills processes, times a browser, or itself takes every core.
test: $(STAMP) $(ASSETS) system-tools ## Sets all up and passes the tests; PYTEST=… for some.
ifdef PYTEST
	$(BIN)/pytest $(PYTEST)
else
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not crash and not browser"
	$(BIN)/pytest -m "crash or browser"
endif

check: $(STAMP) $(ASSETS) docs-check ## Lint, types, import direction, docs in step.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/sizes.py

fix: $(STAMP) ## Formats, and mends what the linter can.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(STAMP) ## Writes docs/reference from the code.
	$(BIN)/python tools/docs.py

docs-check: $(STAMP)
	$(BIN)/python tools/docs.py --check

toy: $(STAMP) ## Drops a toy provider in and runs the contract suite, with no other edit.
	$(BIN)/python tools/toy_provider.py

wheel: $(STAMP) $(ASSETS) ## Builds the wheel and tests it in a clean environment.
	$(BIN)/python tools/test_wheel.py

crash: $(STAMP) system-tools ## The long crash runs: 100 kills per store, all orders, full disks, traces.
	INKWIRE_CRASH_KILLS=100 $(BIN)/pytest tests/crash $(PYTEST)

bench: $(STAMP) ## The benchmarks of docs/explanation/performance.md; takes minutes.
	$(BIN)/python -m bench.ingest
	$(BIN)/python -m bench.delivery
	$(BIN)/python -m bench.workflows
	$(BIN)/python -m bench.crm
	$(BIN)/python -m bench.start

lock: ## Renews requirements.lock from pyproject.toml.
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url \
	  --no-annotate --extra test --extra dev --output-file requirements.lock pyproject.toml

clean: ## Removes everything that these commands made.
	rm -rf $(VENV) dist build src/inkwire/pages/static/vendor tests/console/vendor inkwire-demo
