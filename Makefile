# Every target does its own set-up in .venv; nothing is installed outside this folder.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --disable-pip-version-check -q --no-compile -c constraints.txt
# on all cores, where pip takes one; where Python may not write bytecode, each start would compile anew
COMPILED := $(BIN)/python -m compileall -qq -j 0 sim hw_models workloads dashboard $(VENV)/lib

.PHONY: simulate test check-long relations validate dashboard bench pages breadth breadth-vision networks traces docs lint clean
.DEFAULT_GOAL := simulate

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "andesim needs Python 3.11 or newer; set PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.core: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing into $(VENV): about 700 MB, some minutes the first time" >&2
	$(PIP) -e .
	@$(COMPILED) || true  # some packages ship files for other versions of Python
	@touch $@

# torch first and pinned: an unpinned torch brings gigabytes of CUDA libraries
$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing into $(VENV) with PyTorch: about 2.3 GB, some minutes the first time" >&2
	$(PIP) torch==2.13.0
	$(PIP) -e '.[dev]'
	@$(COMPILED) || true  # some packages ship files for other versions of Python
	@touch $@ $(VENV)/.core

simulate: $(VENV)/.core  ## the default scenario: AndesVL-4B on a Dimensity 9500
	@$(BIN)/andesim simulate $(ARGS)

test: $(VENV)/.dev  ## lint, types, layers, and the whole test suite
	@$(MAKE) --no-print-directory lint
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

check-long: $(VENV)/.dev  ## the checks that the suite takes a sample of
	$(BIN)/python -m pytest -n auto -m long $(ARGS)

relations: $(VENV)/.dev  ## relations between two answers on 500 random scenarios each, about an hour
	$(BIN)/python -m tests.relations $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

dashboard: $(VENV)/.core
	@$(BIN)/andesim dashboard $(ARGS)

bench: $(VENV)/.dev  ## prints figures, judges nothing
	@$(BIN)/python -m benchmarks
	@$(BIN)/python -m benchmarks.importers
	@$(BIN)/python -m benchmarks.sweeps $(ARGS)
	@$(BIN)/python -m benchmarks.dashboard $(ARGS) || echo 'dashboard not measured: it needs Chromium'

validate: $(VENV)/.dev  ## measure this machine, calibrate, and judge on other data
	@missed=0; \
	$(BIN)/python -m sim.validation.this_machine $(ARGS) || missed=1; \
	$(BIN)/andesim validate || missed=1; \
	exit $$missed

pages: $(VENV)/.dev  ## write the tables that the documentation takes from the code
	$(BIN)/python docs/code_map.py
	$(BIN)/python docs/write_metrics.py
	$(BIN)/python docs/models.py
	$(BIN)/python docs/models_vision.py
	ANDESIM_REFRESH_DOCS=1 $(BIN)/python -m pytest -q -p no:cacheprovider tests/docs/test_schema_pages.py

breadth: $(VENV)/.dev  ## every language-model type of transformers, half an hour; goes on where it was stopped
	$(BIN)/python docs/breadth.py $(ARGS)
	ANDESIM_ALL_FAMILIES=1 $(BIN)/python -m pytest -q -p no:cacheprovider tests/theory/test_families.py

breadth-vision: $(VENV)/.dev  ## every image-text type of transformers; goes on where it was stopped
	$(BIN)/python docs/breadth_vision.py $(ARGS)
	$(BIN)/python docs/breadth_classifiers.py

networks: $(VENV)/.core  ## every shipped network on each stack of each device, an hour; ARGS="--sample 40" asks some
	$(BIN)/python docs/breadth_networks.py $(ARGS)

traces: $(VENV)/.dev  ## capture the shipped traces anew, with timm; the same PyTorch gives the same bytes
	$(PIP) -e '.[timm]'
	$(BIN)/python -c 'from workloads.catalogue import regenerate; regenerate()'
	$(BIN)/python docs/models.py
	$(BIN)/python docs/models_vision.py
	git diff --stat -- workloads/traces

docs: $(VENV)/.dev  ## the documentation as a site, in site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
