# One virtual environment, .venv, from the project's own files; every target makes it first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
DEMO := build/demo
PORT ?= 8050
ONLY ?=
# A process for every core, each with one thread
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile

.PHONY: help venv demo test test-all lint bench clean

help:
	@echo "make demo      train on the bundled cells, precompute, open the dashboard"
	@echo "make test      lint and the default tests"
	@echo "make test-all  lint and every test, the slow ones too"
	@echo "make lint      ruff, mypy, import contracts"
	@echo "make bench     benchmarks; ONLY=name runs one; results in build/bench/"
	@echo "make venv      only the virtual environment"
	@echo "make clean     remove build/ and caches (.venv stays)"

venv: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "error: $(PYTHON) is older than Python 3.11; try: make $(MAKECMDGOALS) PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: venv
	$(BIN)/bi2scope demo --folder $(DEMO) --port $(PORT)

test: lint
	$(PYTEST) -m "not slow"

test-all: lint
	$(PYTEST)

lint: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: venv
	$(BIN)/python tests/benchmarks/run.py $(ONLY)

clean:
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
