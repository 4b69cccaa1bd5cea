# The front door. `make demo` and `make test` are all a newcomer needs; both set up what is missing.
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
# Some images forbid Python to keep its byte code; an ansible-playbook run then takes twice as long.
unexport PYTHONDONTWRITEBYTECODE

# The lab of the tests: not the one you may be working in.
TEST_LAB := test
READY := $(VENV)/.ready

.PHONY: help
help: ## Show what there is to make
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.PHONY: setup
setup: $(READY) ## Make the virtual environment from the locked requirements

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

.PHONY: doctor
doctor: $(READY) ## Check what the lab needs; as root, install and start what is missing
	@swarmctl lab doctor --fix

.PHONY: up
up: doctor ## Bring the lab up
	@swarmctl lab up

.PHONY: down
down: $(READY) ## Take the lab down: no container, network, volume or process of ours stays
	@swarmctl lab down

.PHONY: demo
demo: up ## A Swarm in the lab loses a worker, recovers, and proves it (leaves the lab up)
	@eval "$$(swarmctl lab env)"
	ansible-playbook playbooks/site.yml
	swarmctl status
	swarmctl chaos run instance-stop --target swarm_app_wkr2
	echo 'The lab is still up: eval "$$(.venv/bin/swarmctl lab env)" and try .venv/bin/swarmctl status; end it with make down.'

.PHONY: test
test: lint unit lab-test molecule ## Every test, the real Swarm included

.PHONY: lint
lint: $(READY) ## ruff, mypy, yamllint, ansible-lint, shellcheck
	ruff check .
	ruff format --check .
	mypy
	yamllint --strict .
	ansible-lint --offline --strict
	git ls-files | xargs -r grep -lE '^#!/(usr/)?bin/(env )?(ba|da)?sh' | xargs -r shellcheck

.PHONY: unit
unit: $(READY) ## Tests that need no Engine
	pytest tests/unit -n auto

.PHONY: lab-test
lab-test: doctor ## Tests against a real Swarm in a lab of their own
	pytest tests/lab -m 'not long'

.PHONY: proof
proof: doctor ## The same and more: every fault, random Swarms against the predictor (about an hour)
	SWARMCTL_PREDICTION_SCENARIOS=$${SWARMCTL_PREDICTION_SCENARIOS:-40} pytest tests/lab
	SWARMCTL_COMPOSE_FUZZ=$${SWARMCTL_COMPOSE_FUZZ:-5000} pytest tests/unit/stack_lint/test_docker_agreement.py

.PHONY: molecule
molecule: doctor ## The roles' molecule scenarios, on lab nodes
	@trap 'swarmctl lab down --name $(TEST_LAB)' EXIT
	swarmctl lab up --name $(TEST_LAB)
	eval "$$(swarmctl lab env --name $(TEST_LAB))"
	for scenario in roles/*/molecule/default; do
	  (cd "$${scenario%/molecule/default}" && molecule test)
	done

.PHONY: bench
bench: doctor ## Time every phase beside its floor, many kills, and the predictor (about 40 minutes)
	python -m bench.run
