# `make run` and `make test` are all one needs; `make help` lists the rest.
#   DATASET=path   your tables instead of the demo      PRESET=conf/paper.yaml   other settings
#   SET="train.steps=200 walk.budget=4096"            single settings
#   PYTHON=python3.12   PINSAGE_HOME=path   PINSAGE_AIRFLOW_PORT=8081   PINSAGE_MLFLOW_PORT=5001

SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup run stop test check lint audit clean docker-up docker-run docker-down

help:  ## what can be made
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 13

setup: $(STAMP)  ## create the virtual environment, or bring it up to date

$(STAMP): requirements.txt requirements-dev.txt requirements-s3.txt requirements-monitoring.txt constraints.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "There is no $(PYTHON). Install Python 3.11 or newer, or name yours: make PYTHON=..." >&2; exit 2; }
	@$(PYTHON) tasks/standalone/environment.py $(VENV)
	@touch $(STAMP)

run: $(STAMP)  ## start Airflow and MLflow, run the DAG, print what came out
	@$(BIN)/python -m tasks.standalone run --dataset "$(DATASET)" --preset "$(PRESET)" $(foreach pair,$(SET),--set '$(pair)')

stop:  ## end what `make run` started
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m tasks.standalone stop; else echo "nothing of ours is running"; fi

# A file of tests stays in one process: its fixtures are made once. Files begin in the order of their names: xdist would
# begin those with few and long tests last, and one process would wait for the other. Bytecode is kept whatever the shell
# says: hundreds of stages start as processes, and without it each compiles for four seconds what it imports.
test: $(STAMP)  ## run the tests, on up to four processes
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest --numprocesses=auto --maxprocesses=4 --dist=loadfile \
	    --no-loadscope-reorder

# A vulnerability that became known today is no fault of the change that is checked: it is shown and fails nothing.
check: lint test  ## format, lint, types, tests: what has to pass; and known vulnerabilities
	-@$(MAKE) --no-print-directory audit

lint: $(STAMP)  ## format, lint and types alone
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

# The database is asked over the network; where it cannot be reached nothing is known, and that is said.
audit: $(STAMP)  ## look up the pinned packages among known vulnerabilities
	@said=$$($(BIN)/python -m pip_audit --requirement constraints.txt --no-deps --disable-pip --progress-spinner=off \
	    --vulnerability-service=osv 2>&1); code=$$?; \
	if [ $$code -eq 0 ] || grep -qE "^Found [0-9]+ known vulnerabilit" <<< "$$said"; then echo "$$said"; exit $$code; fi; \
	echo "Nothing was audited: the database of known vulnerabilities, api.osv.dev, did not answer."; tail -1 <<< "$$said"

clean: stop  ## stop the servers, remove the virtual environment and all data of the pipeline in var/
	rm -rf $(VENV) var

# The deployment in docker/. GPU=1 gives worker-gpu a GPU; COMPOSE="docker-compose" for the old client;
# OBJECT_STORE= (empty) where docker/secrets/store.env names an object store of yours.
COMPOSE ?= docker compose
OBJECT_STORE ?= --profile object-store
export PINSAGE_WORKER_CPUS ?= $(shell nproc)
export PINSAGE_WORKER_GPU_CPUS ?= $(shell nproc)
DOCKER := $(COMPOSE) --project-name pinsage --file docker/compose.yaml $(if $(GPU),--file docker/compose.gpu.yaml)

docker-up:  ## build the image, start the whole deployment, wait until it is healthy
	@docker/make-secrets.sh
	@mkdir -p docker/data
	$(DOCKER) build airflow-init
	$(DOCKER) $(OBJECT_STORE) up --detach
	@docker/wait.sh $(DOCKER)

docker-run:  ## run the DAG there over DATASET (a folder in docker/data or a URL; none: the demo)
	@docker/run.sh "$(DATASET)" "$(PRESET)" $(foreach pair,$(SET),'$(pair)') -- $(DOCKER)

docker-down:  ## stop the deployment; its data stays in Docker's volumes
	$(DOCKER) --profile object-store --profile client down
