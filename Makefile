# Two commands do all the set-up: `make run` and `make test`.

HOST ?= 127.0.0.1
PORT ?= 8000
export HOST PORT

PYTHON ?= python3
VENV = .venv
BIN = $(VENV)/bin

.PHONY: setup run serve test test-postgres lint fmt coverage faults soak bench transcripts train-crisis eval-crisis documents

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
	$(BIN)/python -m pytest -m "not faults" --cov --cov-report=
	$(BIN)/coverage report --fail-under=90
	$(BIN)/coverage report --fail-under=100 --include=chat/protocol.py,therapy/crisis/detector.py,privacy/encryption.py

# What the log, turns and sockets rest on, on a PostgreSQL of their own.
test-postgres: setup
	$(BIN)/python -m tests.on_postgres

# What breaks: kills, cuts, stopped services. FAULTS=long for the long form.
faults: setup
	$(BIN)/python -m pytest -m faults tests/faults tests/integration

# A thousand sockets with churn for MINUTES.
soak: setup
	$(BIN)/python -m tests.faults.soak

bench: setup
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.crisis
	$(BIN)/python -m benchmarks.replies
	$(BIN)/python -m benchmarks.recommendations

transcripts: setup
	$(BIN)/python -m tests.transcripts

train-crisis: setup
	$(BIN)/python -m therapy.crisis.training

# CRISIS_SET=file.jsonl measures another labelled set.
eval-crisis: setup
	$(BIN)/python -m therapy.crisis.evaluation

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
