# Entry points. `make demo` and `make test` are all a newcomer needs; both install what is missing.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory

PYTHON ?= python3
UV_VERSION := 0.13.8
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
export PATH := $(BIN):$(PATH)
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
# Some images set this, so that Python stores no byte code; ansible-playbook then takes twice as long.
unexport PYTHONDONTWRITEBYTECODE

# The tests' own lab; `make up` and `make demo` use another one.
TEST_LAB := test
READY := $(VENV)/.ready

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.PHONY: setup
setup: $(READY) ## Create the virtual environment from the locked requirements

$(READY): requirements.txt pyproject.toml
	@if ! $(PYTHON) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
	    apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q python3 python3-venv
	  else
	    echo 'error: Python 3.11 or newer with venv is needed' >&2
	    echo 'hint: sudo apt-get install python3 python3-venv, or make PYTHON=/path/to/python3' >&2
	    exit 1
	  fi
	fi
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	$(BIN)/python -m compileall -q -j 0 $(VENV)/lib -x 'tests?/|ansible_collections/(?!amazon|ansible/|community/(aws|crypto|docker|general))' || true
	touch $@

.PHONY: lock
lock: ## Renew requirements.txt from pyproject.toml
	uv pip compile --quiet --upgrade --universal --python-version 3.11 --all-extras --generate-hashes \
	  --no-header --no-emit-index-url --no-emit-find-links pyproject.toml -o requirements.txt
	uv pip compile --quiet --upgrade --universal --python-version 3.11 --constraints requirements.txt --generate-hashes \
	  --no-header --no-emit-index-url --no-emit-find-links tests/mutation/requirements.in -o tests/mutation/requirements.txt

.PHONY: doctor
doctor: $(READY) ## Check what the lab needs; as root, install and start what is missing
	@swarmctl lab doctor --fix

.PHONY: up
up: doctor ## Start the lab
	@swarmctl lab up

.PHONY: down
down: $(READY) ## Remove the lab's containers, networks, volumes and processes
	@swarmctl lab down

.PHONY: demo
demo: up ## Build a Swarm in the lab, stop a worker, prove that it recovers (leaves the lab up)
	@eval "$$(swarmctl lab env)"
	ansible-playbook playbooks/site.yml
	swarmctl status
	swarmctl chaos run instance-stop --target swarm_app_wkr2
	echo 'The lab is still up: eval "$$(.venv/bin/swarmctl lab env)" and try .venv/bin/swarmctl status; end it with make down.'

.PHONY: tour
tour: up ## After make demo: three services behind a load balancer, names, a killed worker (docs/tour.md; leaves the lab up)
	@eval "$$(swarmctl lab env)"
	bash -euo pipefail -c "$$(awk -f docs/walk.awk docs/tour.md)"

.PHONY: test
test: lint unit browser-test lab-test molecule ## Run all checks and tests, on a real Swarm too

.PHONY: lint
lint: $(READY) ## Run ruff, mypy, yamllint, ansible-lint, shellcheck
	ruff check .
	ruff format --check .
	mypy
	yamllint --strict .
	ansible-lint --offline --strict
	git ls-files -s | grep -v ^120000 | cut -f2 | xargs awk 'FNR == 1 && /^#!\/(usr\/)?bin\/(env )?(ba|da)?sh/ { print FILENAME } { nextfile }' | xargs -r shellcheck

.PHONY: unit
unit: $(READY) ## Run the tests that need no Engine
	pytest tests/unit -n auto

.PHONY: browser
browser: ## Install a browser for browser-test and screenshots, if there is none (as root, Debian)
	@for name in chromium chromium-browser google-chrome; do
	  if command -v "$$name" >/dev/null; then exit 0; fi
	done
	if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
	  echo 'error: the tests of the page need Chromium or Chrome, and there is none on PATH' >&2
	  echo 'hint: sudo apt-get install --no-install-recommends chromium (Debian), or Chrome; then repeat' >&2
	  exit 1
	fi
	apt-get update -q
	DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends chromium

.PHONY: browser-test
browser-test: $(READY) browser ## Run the tests of the page in a real browser, on a simulated Swarm
	pytest tests/browser

.PHONY: screenshots
screenshots: $(READY) browser ## Renew docs/pictures: the page as it looks, and a failover as it moves
	python -m tests.browser.pictures

.PHONY: lab-test
lab-test: doctor ## Run the tests on a real Swarm, in the tests' own lab
	pytest tests/lab -m 'not long' --durations 20

.PHONY: proof
proof: doctor browser ## Run lab-test with every fault, killed runs, two clusters, 40 random Swarms and 5,000 mutated compose files (over an hour)
	SWARMCTL_PREDICTION_SCENARIOS=$${SWARMCTL_PREDICTION_SCENARIOS:-40} pytest tests/lab
	SWARMCTL_COMPOSE_FUZZ=$${SWARMCTL_COMPOSE_FUZZ:-5000} pytest tests/unit/stack_lint/test_docker_agreement.py

.PHONY: mutation
mutation: $(READY) ## Change the safety core's code in thousands of places: at least 90 % must fail a test (MODULES="lock guards", JOBS=2)
	@uv pip install --quiet --python $(BIN)/python --target build/mutation/tool --require-hashes -r tests/mutation/requirements.txt
	python -m tests.mutation.run --jobs $${JOBS:-$$(nproc)} $${MODULES:-}

.PHONY: molecule
molecule: doctor ## Run the roles' molecule scenarios on lab nodes
	@trap 'swarmctl lab down --name $(TEST_LAB)' EXIT
	swarmctl lab up --name $(TEST_LAB)
	eval "$$(swarmctl lab env --name $(TEST_LAB))"
	for scenario in roles/*/molecule/default; do
	  (cd "$${scenario%/molecule/default}" && molecule test)
	done

.PHONY: bench
bench: doctor browser ## Time every phase beside its lower bound, Swarms of up to 50 nodes, many kills, prefetch, the predictor, the page, a load balancer, discovery (well over an hour)
	python -m bench.run
