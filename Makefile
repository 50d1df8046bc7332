# Two commands: `make run` shows Callsieve screening calls, `make test` runs everything.
# `make help` lists the rest. Nothing is installed outside .venv, except Debian packages that are missing.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
STAMPS := $(VENV)/stamps

EXTENSION_SOURCES := $(wildcard */*.pyx */*.pxd */*.pxi lookup_core/*.h) $(wildcard $(patsubst %.pxd,%.py,$(wildcard */*.pxd)))

STUBBED := lookup_core.packing lookup_core.snapshot loader.edit_table loader.key_table \
	loader.plain_numbers loader.plain_rows loader.present_keys loader.registry_rows loader.row_file esl_service.connection \
	esl_service.headers

# These run under the sanitizers too; the sources that they need are compiled once more for it.
CORE_TESTS := tests/unit/test_packing.py $(wildcard tests/property/test_snapshot*.py) \
	$(wildcard tests/property/test_catalog*.py) tests/hostile/test_snapshot_files.py \
	tests/hostile/test_delta_files.py tests/hostile/test_chosen_numbers.py

FUZZ := .build/fuzz
FUZZ_SECONDS ?= 60

# Kamailio's app_python3 runs the plugin in the Python that Debian links it to, which need not be PYTHON.
KAMAILIO_PYTHON := /usr/bin/python3
KAMAILIO_VENV := $(VENV)/kamailio

.PHONY: help build run test sanitized check package fuzz-core fuzz soak bench-lookup bench-lists bench-esl bench-freeswitch bench-kamailio loadtest clean

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

$(STAMPS)/installed: setup.py pyproject.toml callsieve/__init__.py $(STAMPS)/requirements
	$(PY) -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@

# For what has changed since: the editable install has compiled everything, or taken it from here.
$(STAMPS)/extensions: $(EXTENSION_SOURCES) $(STAMPS)/installed
	$(PY) setup.py --quiet build_ext --inplace
	@touch $@

run: build ## screen one leg of every flow on a sample store, then serve until Ctrl-C (ONCE=1: stop after the table)
	@$(VENV)/bin/callsieve demo $(if $(ONCE),--once)

$(STAMPS)/kamailio: $(STAMPS)/extensions
	tools/debian-needs $(KAMAILIO_PYTHON) python3-venv python3-dev kamailio kamailio-python3-modules sip-tester
	$(KAMAILIO_PYTHON) -m venv $(KAMAILIO_VENV)
	PIP_CONSTRAINT=requirements/test.txt $(KAMAILIO_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

test: build $(STAMPS)/sanitized $(STAMPS)/kamailio ## run every test, those of the lookup core also under the sanitizers
	$(PY) -m pytest $(PYTEST_ARGS)
	@$(MAKE) --no-print-directory sanitized

sanitized: build $(STAMPS)/sanitized ## the lookup core's tests under AddressSanitizer and UBSan (gcc)
	tools/sanitized run $(PY) -m pytest -o pythonpath=.build/sanitized -p no:cacheprovider \
		--hypothesis-profile=sanitized $(CORE_TESTS)

$(STAMPS)/sanitized: $(STAMPS)/extensions tools/sanitized $(wildcard lookup_core/*.py)
	tools/sanitized build $(PY)
	@touch $@

fuzz-core: build ## libFuzzer over number_set.h (clang) for FUZZ_SECONDS=60; what it finds is in .build/fuzz
	tools/debian-needs "$(PYTHON)" clang libclang-rt-dev
	$(PY) -m tests.fuzz.make_seeds $(FUZZ)/seeds
	@mkdir -p $(FUZZ)/corpus
	clang -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -I. \
		tests/fuzz/fuzz_number_set.c -o $(FUZZ)/fuzz
	$(FUZZ)/fuzz -max_total_time=$(FUZZ_SECONDS) -max_len=8192 -timeout=10 -use_value_profile=1 \
		-artifact_prefix=$(FUZZ)/ $(FUZZ)/corpus $(FUZZ)/seeds

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

$(STAMPS)/bench: requirements/bench.txt $(STAMPS)/requirements
	tools/debian-needs "$(PYTHON)" g++ pkg-config libabsl-dev
	$(PY) -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

.build/absl_set: bench/absl_set.cc $(STAMPS)/bench
	@mkdir -p $(@D)
	c++ -O3 -DNDEBUG -std=c++17 -Wall -Wextra -o $@ $< $$(pkg-config --cflags --libs absl_flat_hash_set)

bench-lookup: build .build/absl_set ## measure lookups against other sets (BENCH_ARGS="--quick" or any option; see bench/README.md)
	@$(PY) -m bench.lookup --absl-program .build/absl_set $(BENCH_ARGS)

.build/%: bench/%.c
	@mkdir -p .build
	$(CC) -O2 -Wall -Wextra -Werror -o $@ $<

fuzz: build ## a leg from any bytes, a million times (RUNS=1000000)
	@mkdir -p .build/corpus && cp -n tests/wire/transcripts/*.bin .build/corpus
	PYTHONPATH=. $(PY) tests/hostile/fuzz_conversation.py -runs=$(or $(RUNS),1000000) -max_len=20000 \
		-timeout=10 -rss_limit_mb=1024 -artifact_prefix=.build/ .build/corpus

soak: build ## legs with random faults, changes and reloads against a model, half on CSV and half on Redis (LEGS=1000000)
	PYTHONPATH=. $(PY) tests/hostile/soak.py $(or $(LEGS),1000000)

bench-esl: build .build/esl_generator .build/esl_epoll ## the FreeSWITCH service alone, against peers (ROUNDS=3 SECONDS=3)
	@$(PY) bench/esl.py

bench-freeswitch: build .build/esl_epoll ## a real FreeSWITCH that refuses listed callers, screened in several ways (ROUNDS=5)
	tools/debian-needs "$(PYTHON)" sip-tester
	@$(PY) bench/freeswitch.py

bench-lists: build ## stop to block, imports against phonenumbers alone, workbooks, lists in Redis, how fast nodes follow (see bench/lists.md)
	@$(PY) -m bench.live_changes
	@$(PY) -m bench.lists $(BENCH_ARGS)
	@$(PY) -m bench.workbooks $(WORKBOOK_BENCH_ARGS)
	@$(PY) -m bench.redis_lists $(REDIS_BENCH_ARGS)

clean: ## remove what build made
	rm -rf $(VENV) .build build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .sample-store
	rm -f callsieve/*.so callsieve/*.c lookup_core/*.so lookup_core/*.c loader/*.so loader/*.c esl_service/*.so esl_service/*.c
