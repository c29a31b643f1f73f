# Every command of the project. `make run` and `make test` are all a newcomer needs.
SHELL := /bin/bash
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
export PYTHONPATH := $(CURDIR):$(CURDIR)/functions:$(CURDIR)/layers/accounts:$(CURDIR)/layers/streaming_runtime
PACKAGES := reverse accounts gateway refresh_points streaming_runtime local

.PHONY: help run test check fix bench build clean lock

help: ## Show the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

run: $(VENV)/.run ## Start the gateway here: PORT= HOST= UPSTREAM=simulator|live SANDBOXES=
	@exec $(BIN)/python -m local run

test: $(VENV)/.test ## Run the tests (loopback only, no engine)
	@$(BIN)/python -m pytest -m "not sam" $(ARGS)

check: $(VENV)/.test ## Format, lint, types, import rules
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy $(addprefix -p ,$(PACKAGES))
	@$(BIN)/lint-imports

fix: $(VENV)/.test ## Apply formatting and safe lint fixes
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

bench: $(VENV)/.test ## Measure side by side, print the table (3 minutes at most)
	@$(BIN)/python -m local bench

lock: ## Lock requirements/*.in with hashes, for Python 3.11 and later
	@for set in run test; do uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header requirements/$$set.in -o requirements/$$set.txt; done

clean: ## Remove what the other commands made, but not the local state
	@rm -rf .venv .aws-sam build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/.created:
	@scripts/create-venv $(PYTHON) $(VENV)

$(VENV)/.run: $(VENV)/.created requirements/run.txt
	@echo "Installing what the gateway needs into $(VENV) ..."
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/run.txt
	@touch $@

$(VENV)/.test: $(VENV)/.created requirements/test.txt
	@echo "Installing what the tests need into $(VENV) ..."
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/test.txt
	@touch $@ $(VENV)/.run
