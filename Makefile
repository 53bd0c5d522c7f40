# The one task runner. `make help` lists the targets; `make check` is what every change must pass.
.DEFAULT_GOAL := help
T ?= tests
# Without a lock file, which would name download addresses; package.json has every version.
NPM_INSTALL := npm install --no-package-lock --ignore-scripts --no-audit --no-fund --loglevel=error --prefix

# With compiled modules kept, every process that a test starts is quicker.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup check format-check lint types static imports requirements docs-check fast fix test test-one unit contract architecture e2e laws fuzz docs lock upgrade bench run

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install the pinned environment into .venv, and the packages of Node.js that tests use
	uv sync
	@command -v npm >/dev/null || echo "no npm here: the tests of tests/e2e/node and agents will be skipped"
	@! command -v npm >/dev/null || { $(NPM_INSTALL) tests/e2e/node && $(NPM_INSTALL) tests/e2e/agents; }

check: ## all that a change must pass: format, lint, types, requirements, every test but e2e and slow
	@$(MAKE) --no-print-directory -j 2 --output-sync=target static fast

static: format-check lint types requirements ## the checks that run nothing

fix: ## format and apply the safe lint fixes
	uv run ruff format
	uv run ruff check --fix

format-check: ## fail on code that `make fix` would reformat
	uv run ruff format --check

lint: ## ruff's rules
	uv run ruff check

types: ## mypy, strict
	uv run mypy

requirements: ## requirements that are missing, unused or only there by accident
	uv run deptry .

fast: ## every test but e2e and slow
	uv run pytest tests/architecture tests/contract tests/unit -m "not e2e and not slow" -n 4

test: ## every test
	uv run pytest

test-one: ## the tests of one path or node: make test-one T=tests/unit/domain
	uv run pytest $(T)

unit: ## tests of one module each
	uv run pytest tests/unit

contract: ## tests of the dialects, ports and real clients
	uv run pytest tests/contract -m "not e2e"

architecture: ## tests of the repository itself: imports, sizes, words, documents, pins
	uv run pytest tests/architecture -m "not e2e"

e2e: ## tests that start the real process, and the built package
	uv run pytest -m e2e

laws: ## the Hypothesis laws with at least 200 examples each
	RELAY_LAWS_PROFILE=laws uv run pytest -m "hypothesis or law" --timeout 900 -n 2

fuzz: ## break real bodies at random and put them to every decoder: make fuzz ARGS="--seconds 60 --seed 7"
	uv run python -m tools.fuzz $(ARGS)

docs: ## write the generated parts of the documents
	uv run python -m tools.dialects
	uv run python -m tools.conformance
	uv run python -m tools.tree

docs-check: ## fail when a generated part is out of date
	uv run python -m tools.dialects --check
	uv run python -m tools.conformance --check
	uv run python -m tools.tree --check

lock: ## write exact versions of all requirements, keeping the present ones where they still fit
	uv run --no-project python tools/lock.py

upgrade: ## the same with the newest versions that fit
	uv run --no-project python tools/lock.py --upgrade

bench: ## what the relay costs beside other gateways: make bench ROUNDS=3 ONLY=requests,streams
	uv run python -m benchmarks --rounds $(or $(ROUNDS),3) --only "$(ONLY)" $(ARGS)

run: ## serve from this clone
	uv run relay serve
