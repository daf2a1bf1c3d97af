# `make demo` and `make test` need Python 3.11 or newer, make and a package index; the rest they bring.
PYTHON ?= $(firstword $(foreach name,python3.11 python3 python,$(shell command -v $(name) 2>/dev/null)))
BIN := .venv/bin
DEMO := .venv/.installed-demo
DEV := .venv/.installed-dev
PIP := $(BIN)/python -m pip --disable-pip-version-check
# Tests wait for brokers and workers, so there are more of them than cores.
PROCESSES = $(shell $(BIN)/python -c 'import os; print(os.cpu_count() + 1)')

.PHONY: help setup demo test bench faults lint audit lock clean

help:  ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(DEV)  ## install everything, for development and tests, into .venv

demo: $(DEMO)  ## real alerts from real shopping data; ARGS="--headless --report F"
	@$(BIN)/streamer demo $(ARGS)

test: $(DEV)  ## all tests, on a real Kafka that they start themselves; ARGS="-k name", or "-n 0 -s" to look on
	$(BIN)/python -m pytest -n $(PROCESSES) --dist loadscope $(ARGS)

bench: $(DEV)  ## speed beside the peers; ARGS="--quick --report F"
	@$(BIN)/streamer bench $(ARGS)

faults: $(DEV)  ## faults from outside under load, judged by a checker; ARGS="--seed 7 --report F"
	@$(BIN)/python -m tests.faults $(ARGS)

lint: $(DEV)  ## linter, formatter, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

audit: $(DEV)  ## vulnerable dependencies, unsafe code, secrets in the repository
	$(BIN)/python .ci/audit_dependencies.py
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml schemas streamer models
	git ls-files -z | xargs -0 $(BIN)/detect-secrets-hook --baseline .secrets.baseline

lock: $(DEV)  ## pin the newest versions that pyproject.toml allows
	$(PIP) install --quiet uv
	$(BIN)/uv pip compile --upgrade $(LOCK) --extra dev pyproject.toml requirements/build.in -o requirements/dev.lock
	for extra in demo gpu cpu; do $(BIN)/uv pip compile $(LOCK) --extra $$extra -c requirements/dev.lock \
	  pyproject.toml requirements/build.in -o requirements/$$extra.lock; done
LOCK := --quiet --no-header --generate-hashes --universal --python-version 3.11 --no-emit-package churn-streamer

clean:  ## remove the environment and all that was built
	rm -rf .venv build dist *.egg-info .pytest_cache .ruff_cache .hypothesis

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: install it, or say make PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed, $(PYTHON) is older: say make PYTHON=/path/to/python"; exit 1; }
	$(PYTHON) -m venv .venv

$(DEMO): requirements/demo.lock pyproject.toml | $(BIN)/python
	$(PIP) install --quiet --require-hashes -r requirements/demo.lock
	$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(DEV): requirements/dev.lock pyproject.toml | $(BIN)/python
	$(PIP) install --quiet --require-hashes -r requirements/dev.lock
	$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@touch $@ $(DEMO)
