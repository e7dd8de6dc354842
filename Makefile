# `make` runs everything: format check, linters, types, import rules, tests. `make install` first.
VENV ?= .venv
BIN := $(if $(wildcard $(VENV)/bin/python),$(VENV)/bin/,)
PYTHON ?= python3

.PHONY: all install lint test fast quick docs format latex pictures
all: lint test

install:
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -e '.[dev]'

lint:
	$(BIN)ruff format --check .
	$(BIN)ruff check .
	$(BIN)mypy
	$(BIN)lint-imports
	$(BIN)python scripts/layer_index.py --check
	$(BIN)python scripts/generate.py --check

test:
	$(BIN)python -m pytest -q -n 2 --dist worksteal

fast: # what needs no TensorFlow
	$(BIN)python -m pytest -q -n 2 --dist worksteal -m 'not keras'

quick: # a row of each table: no TensorFlow, no process, under a minute
	$(BIN)python -m pytest -q -n 2 --dist worksteal --quick

docs:
	$(BIN)python scripts/layer_index.py
	$(BIN)python scripts/generate.py

format:
	$(BIN)ruff format .
	$(BIN)ruff check --fix .

latex: # needs pdflatex (texlive-latex-base, texlive-latex-recommended)
	$(BIN)python scripts/compile_latex.py

pictures: # needs npm, Chromium, and rsvg-convert or inkscape
	npm install --no-save --silent --no-audit --no-fund --prefix build mermaid@11
	$(BIN)python scripts/check_pictures.py build/node_modules/mermaid/dist/mermaid.min.js
