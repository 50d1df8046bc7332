# Two commands: `make run` shows Callsieve screening calls, `make test` runs everything.
# `make help` lists the rest. Nothing is installed outside .venv, except Debian packages that are missing.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
STAMPS := $(VENV)/stamps

EXTENSION_SOURCES := $(wildcard */*.pyx */*.pxd lookup_core/*.h)

STUBBED := lookup_core.packing lookup_core.snapshot loader.plain_numbers

# Kamailio's app_python3 runs the plugin in the Python that Debian links it to, which need not be PYTHON.
KAMAILIO_PYTHON := /usr/bin/python3
KAMAILIO_VENV := $(VENV)/kamailio

.PHONY: help build run test loadtest bench-kamailio check package clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

build: $(STAMPS)/extensions ## make .venv and compile the extension modules

$(STAMPS)/venv:
	tools/debian-needs "$(PYTHON)"
	$(PYTHON) -m venv $(VENV)
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/requirements: requirements/test.txt $(STAMPS)/venv
	$(PY) -m pip install --quiet --disable-pip-version-check -r requirements/test.txt
	@touch $@

$(STAMPS)/extensions: $(EXTENSION_SOURCES) setup.py pyproject.toml callsieve/__init__.py $(STAMPS)/requirements
	$(PY) -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@

run: build ## screen one leg of every flow on a sample store, then serve until Ctrl-C (ONCE=1: stop after the table)
	@$(VENV)/bin/callsieve demo $(if $(ONCE),--once)

$(STAMPS)/kamailio: $(STAMPS)/extensions
	tools/debian-needs $(KAMAILIO_PYTHON) python3-venv python3-dev kamailio kamailio-python3-modules sip-tester
	$(KAMAILIO_PYTHON) -m venv $(KAMAILIO_VENV)
	PIP_CONSTRAINT=requirements/test.txt $(KAMAILIO_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

test: build $(STAMPS)/kamailio ## run every test
	$(PY) -m pytest $(PYTEST_ARGS)

loadtest: build $(STAMPS)/kamailio ## SIPp calls through Kamailio and FreeSWITCH, with a report (LOAD="--rate 300 --calls 9000")
	@$(PY) -m tests.integration.sipp.load $(LOAD)

bench-kamailio: build $(STAMPS)/kamailio ## what screening costs a Kamailio proxy (BENCH="--numbers 1000000 --rounds 3")
	@$(PY) -m bench.kamailio $(BENCH)

check: build ## ruff, mypy strict, stubs against the compiled modules
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(PY) -m mypy.stubtest --ignore-missing-stub $(STUBBED)

package: build ## sdist, wheel, a fresh environment, the probe
	tools/test-package $(PY)

clean: ## remove what build made
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .sample-store
	rm -f lookup_core/*.so lookup_core/*.c loader/*.so loader/*.c
