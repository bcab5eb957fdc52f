# Two commands do all the set-up: `make run` and `make test`.

HOST ?= 127.0.0.1
PORT ?= 8000
export HOST PORT

PYTHON ?= python3
VENV = .venv
BIN = $(VENV)/bin

.PHONY: setup run serve test lint fmt coverage faults soak bench transcripts train-crisis eval-crisis documents

setup: $(VENV)/.installed

$(VENV)/.installed: requirements.txt requirements-dev.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

run: setup
	$(BIN)/python manage.py migrate --verbosity 0
	$(BIN)/python manage.py demo
	$(BIN)/python manage.py serve

serve: setup
	DEBUG=0 $(BIN)/python manage.py migrate --verbosity 0 --check
	DEBUG=0 $(BIN)/python manage.py serve

test: setup lint
	$(BIN)/python -m pytest --cov --cov-report=term --cov-fail-under=90
	$(BIN)/python -m tests.coverage_floors

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fmt: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

documents: setup
	$(BIN)/python manage.py write_documents
