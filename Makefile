# Everything one needs to know is printed by `make`.
#
# pip makes the environment as this machine is configured. uv only makes that quicker: it does not
# read pip's configuration, so it stays out where an index or a proxy of one's own is set.

PYTHON ?= python3
ARGS ?=
# Processes that share the tests; one more than cores, because many a test waits for others' work.
PROCESSES ?= $(shell expr $$(nproc) + 1)
BIN := .venv/bin
INSTALLED := .venv/.installed
COMPILE := $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --quiet

# A copied tree or a removed Python leaves an environment that cannot run: it is made anew.
$(shell $(BIN)/python -c '' 2>/dev/null || rm -f $(INSTALLED))

.PHONY: help setup demo test soak stop lock

help:
	@echo 'make demo    run the whole thing with sample briefs (ARGS=--exit ends by itself)'
	@echo 'make test    lint, types, import rules, migrations, tests (ARGS goes to pytest)'
	@echo 'make soak    10,000 random histories against the engine; prints its seed (SEED=… repeats one)'
	@echo 'make stop    end the embedded Postgres of DATA_DIR'
	@echo 'make setup   only make .venv (PYTHON=python3.12 picks another Python)'
	@echo 'make lock    resolve the dependencies of pyproject.toml anew'

setup: $(INSTALLED)

$(INSTALLED): requirements-dev.txt
	umask 022 && $(PYTHON) -m venv --clear .venv
	@umask 022 && export PIP_DISABLE_PIP_VERSION_CHECK=1 && \
	if $(BIN)/pip config list | grep -E '[.](index-url|no-index|proxy)=' >/dev/null || \
	   ! { sed -n '/^uv==/,/# via/p' $< > .venv/uv.txt && \
	       $(BIN)/pip install --quiet --require-hashes -r .venv/uv.txt && \
	       UV_HTTP_RETRIES=1 $(BIN)/uv pip install --quiet --python $(BIN)/python \
	           --require-hashes -r $<; }; \
	then echo 'Installing with pip; this takes a minute.' && \
	     $(BIN)/pip install --quiet --require-hashes -r $<; fi
	@touch $@

demo: setup
	@$(BIN)/python manage.py demo $(ARGS)

# Each process has a folder and a server of its own, ended whatever happens, also by Ctrl-C.
test: export DATA_DIR := $(or $(TEST_DATA_DIR),$(CURDIR)/var/test)
test: export DJANGO_SETTINGS_MODULE := tests.settings
test: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@trap 'for dir in "$$DATA_DIR" "$$DATA_DIR"-gw*; do \
	    DATA_DIR=$$dir $(BIN)/python manage.py stop_postgres --verbosity 0; done' EXIT; \
	trap 'exit 130' INT TERM; set -e; \
	$(BIN)/python manage.py makemigrations --check --dry-run; \
	$(BIN)/pytest -n $(PROCESSES) $(ARGS)

soak: export DATA_DIR := $(or $(TEST_DATA_DIR),$(CURDIR)/var/test)
soak: export SEED := $(or $(SEED),$(shell od -An -N4 -tu4 /dev/urandom | tr -d ' '))
soak: export EXAMPLES ?= 10000
soak: setup
	@echo SEED=$(SEED)
	$(BIN)/pytest -s --timeout 0 tests/workflows/model/test_model.py

stop: setup
	@DEBUG=1 $(BIN)/python manage.py stop_postgres

lock: setup
	$(COMPILE) --output-file requirements.txt pyproject.toml
	$(COMPILE) --group dev --output-file requirements-dev.txt pyproject.toml
