# `make repro` and `make test` build the environment first; nothing else is needed but Python 3.11+, git and make.
PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: install repro test lint types docs unit coverage format slim-weights slim-boxes open-hand clean

install: .venv/installed
	@echo "installed in .venv; now: source .venv/bin/activate"

repro: .venv/installed
	dvc repro
	s2hand metrics
	@echo "outputs/report.html: all of it to look at, in any browser"

test: lint types docs unit

lint: .venv/installed
	ruff format --check .
	ruff check .

types: .venv/installed
	mypy

# Some seconds: any link or reference that leads nowhere is an error.
docs: .venv/installed
	NO_MKDOCS_2_WARNING=1 mkdocs build --quiet --strict
	@echo "site/index.html: the documentation, in any browser"

unit: .venv/installed
	pytest -n 2 --dist loadfile

coverage: .venv/installed
	pytest -n 2 --dist loadfile --cov --cov-report=term --cov-report=html:outputs/coverage

format: .venv/installed
	ruff format .
	ruff check --fix .

# The files that the package ships are made by these three; docs/assets.md says more.
open-hand: .venv/installed
	python -m s2hand.train.openhand --out train/assets/open_hand.npz

slim-weights: .venv/installed
	s2hand synthetic --out data/slim-1 --train 9000 --evaluation 800 --size 128 --seed 1
	detect fit --data data/slim-1 --params presets/slim-1.yaml --out outputs/slim-1
	s2hand synthetic --out data/slim-2 --train 6000 --evaluation 400 --size 128 --seed 2
	detect fit --data data/slim-2 --params presets/slim-2.yaml --out outputs/slim-2 --start outputs/slim-1/slim.safetensors
	s2hand synthetic --out data/slim-3 --train 10000 --versions 2 --evaluation 600 --size 128 --difficulty 0.5 --seed 3
	detect fit --data data/slim-3 --params presets/slim-3.yaml --out outputs/slim-3 --start outputs/slim-2/slim.safetensors
	s2hand synthetic --out data/slim-4 --train 12000 --versions 2 --evaluation 600 --size 128 --difficulty 0.5 --seed 4
	detect fit --data data/slim-4 --params presets/slim-4.yaml --out outputs/slim-4 --start outputs/slim-3/slim.safetensors
	cp outputs/slim-4/slim.safetensors detect/assets/slim.safetensors

slim-boxes: .venv/installed
	s2hand scenes --out data/slim-boxes --hands 9000 --people 2000 --backgrounds 4000
	detect fit-boxes --data data/slim-boxes --params presets/slim-boxes.yaml --start slim --out outputs/slim-boxes
	cp outputs/slim-boxes/slim_boxes.safetensors detect/assets/slim_boxes.safetensors

.venv/installed: pyproject.toml setup.py constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "s2hand needs Python 3.11 or newer; $(PYTHON) is older. Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv
	@echo "installing into .venv: one to four minutes, once"
	@# Not compiled ahead, which takes longer than all the rest; Python compiles what it imports.
	$(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt --editable ".[dev]"
	@touch $@

clean:
	rm -rf .venv build dist site *.egg-info .mypy_cache .ruff_cache .pytest_cache
