# Every command of the project. `make run` and `make test` are all a newcomer needs: a Python of 3.11 or later does the rest.
SHELL := /bin/bash
VENV ?= .venv
BIN := $(VENV)/bin
ENV ?= default
# Processes that share the tests; 0 runs them all in one.
WORKERS ?= 3
# What `sam local` can run here; the architecture of a deployment is its own parameter, in samconfig.toml.
MACHINE := $(if $(filter arm64 aarch64,$(shell uname -m)),arm64,x86_64)
export PYTHONPATH := $(CURDIR):$(CURDIR)/cli:$(CURDIR)/functions:$(CURDIR)/layers/accounts:$(CURDIR)/layers/pool:$(CURDIR)/layers/streaming_runtime
export SAM_CLI_TELEMETRY ?= 0
# Modules are compiled once, not by every process that loads them.
unexport PYTHONDONTWRITEBYTECODE
# With PEERS=1 the bench also measures other people's gateways, which live in environments of their own.
LITELLM_VENV := build/bench/litellm
PORTKEY_FOLDER := build/bench/portkey
PEERS_INSTALLED := $(LITELLM_VENV)/.installed $(PORTKEY_FOLDER)/.installed
MUTATION_VENV := build/mutation/venv
# The makefiles of the artefacts use pip through this one.
export BUILD_PYTHON := $(abspath $(BIN))/python
PACKAGES := lazy_dataclasses http_connections reverse accounts pool gateway refresh_points streaming_runtime local poegw

.PHONY: simulate fuzz soak help run test check fix docs docs-test bench conformance console-test console-pictures vendor mutation runtime runtime-soak build deploy sam-local sam-test clean lock sam-cli
.DEFAULT_GOAL := help

help: ## Show the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'

run: $(VENV)/.run ## Start the gateway here: PORT= HOST= UPSTREAM=simulator|live SANDBOXES= STORE_FAULTS=
	@exec $(BIN)/python -m local run

test: $(VENV)/.test ## Run the tests (loopback only, no engine): WORKERS= ARGS=
	@$(BIN)/python -m pytest -m "not sam and not console" -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(VENV)/.test ## Check format, lint, types, import rules, the template
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy $(addprefix -p ,$(PACKAGES))
	@$(BIN)/lint-imports
	@$(BIN)/cfn-lint template.yaml
	@$(BIN)/python scripts/scan_template.py
	@$(BIN)/python scripts/console_packages.py types

fix: $(VENV)/.test ## Apply formatting and safe lint fixes
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

docs: $(VENV)/.test ## Write the generated tables of the documentation from the code
	@$(BIN)/python scripts/configuration.py
	@$(BIN)/python scripts/retries.py
	@$(BIN)/python scripts/error_codes.py
	@$(BIN)/python scripts/admin_routes.py
	@$(BIN)/python scripts/deployment_page.py
	@$(BIN)/python scripts/original_names_page.py

docs-test: $(VENV)/.test ## Try every command and request of the documentation: ARGS=
	@$(BIN)/python -m pytest tests/docs tests/e2e/test_documentation.py tests/e2e/test_documented_commands.py \
	    tests/scripts/test_generated_pages.py \
	    tests/scripts/test_error_codes.py tests/scripts/test_configuration.py $(ARGS)

bench: $(VENV)/.test $(if $(PEERS),$(PEERS_INSTALLED)) ## Measure side by side, print the tables: PEERS=1 ARGS= PYTHON= VENV=
	@$(BIN)/python -m local bench $(if $(PEERS),--peers) $(ARGS)

build: sam-cli $(VENV)/.created ## Build what is deployed: ENV=default|dev|prod
	@sam build --config-env $(ENV)

deploy: sam-cli $(VENV)/.run ## Check, build, deploy to your AWS account: ENV=default|dev|prod ARGS="NAME=VALUE --yes"
	@exec $(BIN)/poegw deploy --env $(ENV) $(ARGS)

sam-local: sam-cli $(VENV)/.run ## Serve the functions in containers, beside a running `make run`: PORT=
	@sam build --build-dir .aws-sam/local --parameter-overrides Architecture=$(MACHINE)
	@exec $(BIN)/python scripts/sam_local.py --port $(or $(PORT),3000)

simulate: $(VENV)/.test ## Run histories of the store, Poe and the job in virtual time: SEEDS=0-2000
	@$(BIN)/python -m tests.simulation $(or $(SEEDS),0-500)

fuzz: $(VENV)/.test ## Send changed bodies against a hostile upstream, and say which seeds fail: COUNT=9000 or COUNT=17-18
	@$(BIN)/python -m tests.fuzz $(or $(COUNT),3000)

soak: $(VENV)/.test ## Run requests through real processes that are killed, then check the books: ARGS="--requests 2000 --seed 1"
	@$(BIN)/python -m tests.soak $(ARGS)

growth: $(VENV)/.test ## Search for inputs that take long, and keep the worst for the tests: ARGS=500
	@$(BIN)/python -m tests.bounds.search $(ARGS)

conformance: $(VENV)/.test ## Run other people's clients, unmodified, against the gateway: ARGS="--only llm"
	@$(BIN)/python tests/conformance/run.py $(ARGS)

console-test: $(VENV)/.test ## Test the console's pages in Chromium (skipped where there is none): ARGS=
	@$(BIN)/python -m pytest -m console tests/console $(ARGS)

console-pictures: $(VENV)/.test ## Take the pictures of docs/console from sample data
	@$(BIN)/python -m tests.console.pictures

vendor: $(VENV)/.created ## Write what the console carries of other people's code, from its lock
	@$(BIN)/python scripts/console_packages.py vendor

mutation: $(MUTATION_VENV)/.installed ## Change pure modules in small ways and see whether a test notices: ARGS=
	@$(MUTATION_VENV)/bin/python scripts/mutation.py $(ARGS)

sam-test: sam-cli $(VENV)/.test ## Test what is deployed in containers and under the emulator (needs an engine): ARGS=
	@$(BIN)/python -m pytest -m "sam or rie" $(ARGS)

runtime: $(VENV)/.created ## Build the streaming runtime's wheel and layer, and test them alone: ARGS=
	@$(BIN)/python scripts/runtime_package.py $(ARGS)

runtime-soak: $(VENV)/.test ## Soak the streaming runtime: 2,000 invocations, most of which go wrong: ARGS="--seed 2"
	@$(BIN)/python scripts/runtime_soak.py $(ARGS)

lock: ## Lock every requirements.in with hashes (needs uv)
	@scripts/lock

clean: ## Remove what the other commands made, but not the local state
	@rm -rf .venv .aws-sam build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

sam-cli:
	@command -v sam >/dev/null || { echo "This needs the SAM CLI: https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/install-sam-cli.html" >&2; exit 1; }
	@case "$(CURDIR)" in *" "*) echo "SAM's builds need a folder without a space in its path; this one is $(CURDIR)." >&2; exit 1;; esac

$(VENV)/.created:
	@scripts/create-venv $(VENV) $(PYTHON)

$(VENV)/.run: requirements/run.txt | $(VENV)/.created
	@scripts/install $(VENV) $<
	@scripts/launcher $(VENV)
	@touch $@

$(VENV)/.test: requirements/test.txt | $(VENV)/.created
	@scripts/install $(VENV) $<
	@scripts/launcher $(VENV)
	@touch $@ $(VENV)/.run

$(MUTATION_VENV)/.installed: requirements/mutation.txt
	@scripts/create-venv $(@D) $(PYTHON)
	@scripts/install $(@D) $<
	@touch $@

$(PORTKEY_FOLDER)/.installed: requirements/bench-portkey/package-lock.json
	@mkdir -p $(@D) && cp requirements/bench-portkey/package.json $< $(@D)
	@npm ci --prefix $(@D) --ignore-scripts --no-audit --no-fund
	@touch $@

$(LITELLM_VENV)/.installed: requirements/bench-litellm.txt
	@scripts/create-venv $(@D) $(PYTHON)
	@scripts/install $(@D) $<
	@touch $@
