# `make repro` and `make test` build the environment first; nothing else is needed but Python 3.11+, git and make.
PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: repro test lint types unit format slim-weights open-hand clean

repro: .venv/installed
	dvc repro
	s2hand metrics

test: lint types unit

lint: .venv/installed
	ruff format --check .
	ruff check .

types: .venv/installed
	mypy

unit: .venv/installed
	pytest -n 2

format: .venv/installed
	ruff format .
	ruff check --fix .

# The generated files that the package ships. Both commands are deterministic; docs/assets.md says what they do.
open-hand: .venv/installed
	python -m s2hand.train.openhand --out train/assets/open_hand.npz

.venv/installed: pyproject.toml setup.py constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "s2hand needs Python 3.11 or newer; $(PYTHON) is older. Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	@touch $@

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
