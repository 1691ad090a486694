# All set-up is done by the targets themselves. `make help` lists them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv pip
COMPILE := $(UV) compile -q --universal --python-version 3.11 --no-header --no-annotate \
	--no-emit-index-url --no-emit-find-links

# Each command is a process of its own and starts three times as fast from compiled modules. They are
# kept beside what is installed, also where the environment asks Python to leave none in the tree.
unexport PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX := $(CURDIR)/$(VENV)/bytecode

# Settings of `make run`, from the command line or the environment. See .env.example.
export PORT HOST DATA_DIR BACKEND ARCHIVE REPOS SERVE

# Settings of `make deploy` and `make teardown`. See docs/deployment.md.
export PROJECT REGION BIGQUERY_LOCATION FIRESTORE_LOCATION PUBLIC DRY_RUN CONFIRM DATA

.DEFAULT_GOAL := help
.PHONY: help run test fuzz lint format bench sample screenshots scan package deploy teardown lock clean

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  make run takes ARCHIVE='path, glob or dates' REPOS='owner/name ...' SERVE=0"
	@echo "  and PORT, HOST, DATA_DIR, BACKEND. The rest is in .env.example."

run: $(VENV)/run.stamp ## Show a board made from sample events (or ARCHIVE) and keep serving
	@$(BIN)/python -m infra.cli run

test: $(VENV)/dev.stamp ## Run every test
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

fuzz: $(VENV)/dev.stamp ## Ask the API anything its description allows, for about an hour
	@SCHEMATHESIS_EXAMPLES=300 $(BIN)/python -m pytest -q -n 2 tests/functions/test_api_fuzzed.py

lint: $(VENV)/dev.stamp ## Check format, style and types
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

format: $(VENV)/dev.stamp ## Format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(VENV)/dev.stamp ## Measure ingest and publishing beside the alternatives
	@$(BIN)/python -m tests.benchmarks

sample: $(VENV)/run.stamp ## Make the sample events anew (the result is the same)
	@$(BIN)/python -m infra.sample.generate

screenshots: $(VENV)/dev.stamp ## Take the pictures of docs/ from the sample, in Chromium
	@$(BIN)/python -m tests.browser.screenshots docs/pictures

scan: $(VENV)-scan/stamp $(VENV)-checkov/stamp ## Look for secrets, carelessness and open doors
	@$(VENV)-scan/bin/bandit -q -r -c pyproject.toml main.py functions infra shared
	@infra/rollout/find_secrets.sh $(VENV)-scan/bin
	@$(VENV)-checkov/bin/checkov --config-file terraform/checkov.yaml

package: ## Pack the source that functions are made from
	@$(PYTHON) -m infra.package

deploy: ## Deploy with gcloud to PROJECT (DRY_RUN=1 only prints)
	@infra/gcloud/deploy.sh

teardown: ## Remove what deploy made from PROJECT; data too with DATA=1
	@infra/gcloud/teardown.sh

lock: $(VENV)/uv.stamp ## Pin the newest versions of what requirements*.in name
	@$(COMPILE) --upgrade requirements.in -o requirements.txt
	@$(COMPILE) --upgrade requirements-dev.in -o requirements-dev.txt
	@$(COMPILE) --upgrade requirements-scan.in -o requirements-scan.txt
	@$(COMPILE) --upgrade requirements-checkov.in -o requirements-checkov.txt

clean: ## Remove what was installed and made here, not the data
	@rm -rf $(VENV) $(VENV)-scan $(VENV)-checkov build .mypy_cache .ruff_cache .pytest_cache .hypothesis tests/.cache

$(VENV)/uv.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; set PYTHON=python3.x"; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check uv==0.13.9
	@touch $@

$(VENV)/run.stamp: requirements.txt | $(VENV)/uv.stamp
	@echo "Installing what is needed into $(VENV) ..." >&2
	@$(UV) install -q --python $(BIN)/python -r requirements.txt
	@touch $@

$(VENV)/dev.stamp: requirements-dev.txt $(VENV)/run.stamp
	@$(UV) install -q --python $(BIN)/python -r requirements-dev.txt
	@touch $@

$(VENV)-%/stamp: requirements-%.txt | $(VENV)/uv.stamp
	@$(PYTHON) -m venv $(VENV)-$*
	@$(UV) install -q --python $(VENV)-$*/bin/python -r requirements-$*.txt
	@touch $@
