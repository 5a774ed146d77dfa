# Two commands do all the set-up on a fresh machine with Python 3.11+ and make: `make demo` and `make test`.
PYTHON ?= python3
PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin
# As they come: by number of tests, the dear files of few tests would all run in the end, on one worker.
SIDE_BY_SIDE := -n 2 --dist loadfile --no-loadscope-reorder
DEMO := SITE_URL=http://127.0.0.1:$(PORT) DJANGO_SETTINGS_MODULE=serviceflow.settings.demo $(BIN)/python manage.py

.PHONY: help demo setup setup-dev lint test test-all patterns full-import bench clean

help:
	@echo "make demo      a running demonstration on http://127.0.0.1:$(PORT)/ (PORT=...)"
	@echo "make test      linters, types, import contracts and the tests (at most 15 minutes)"
	@echo "make test-all  the long tests on top"
	@echo "make lint      only linters, types and import contracts"
	@echo "make patterns  the workflow patterns in every order of events (some ten minutes)"
	@echo "make full-import  the real logs at full size, where they are there (some ten minutes)"
	@echo "make bench     the benchmarks; they print figures and never fail on a stopwatch"
	@echo "make setup     only the environment in $(VENV)"

demo: setup
	@mkdir -p var
	@echo "· preparing the database var/demo.sqlite3"
	@$(DEMO) migrate --verbosity 0
	@$(DEMO) seed_demo --history 150
	@test -e var/walked || (echo "· walking one request through, from submission to archive" && $(DEMO) walkthrough && touch var/walked)
	@echo "· starting web, socket, worker and beat in one process"
	@exec env $(DEMO) serve_demo --port $(PORT)

setup: $(VENV)/.runtime
setup-dev: $(VENV)/.development

$(VENV)/.runtime: requirements.txt
	@PYTHON="$(PYTHON)" sh scripts/install.sh requirements.txt
	@touch $@

$(VENV)/.development: requirements.txt requirements-dev.txt
	@PYTHON="$(PYTHON)" sh scripts/install.sh requirements-dev.txt
	@touch $@ $(VENV)/.runtime

lint: setup-dev
	@echo "· ruff" && $(BIN)/ruff check . && $(BIN)/ruff format --check .
	@echo "· mypy" && DJANGO_SETTINGS_MODULE=serviceflow.settings.demo $(BIN)/mypy
	@echo "· import contracts" && $(BIN)/lint-imports
	@echo "· migrations" && DJANGO_SETTINGS_MODULE=serviceflow.settings.demo $(BIN)/python manage.py makemigrations --check --dry-run

test: lint
	@echo "· tests on PostgreSQL" && $(BIN)/python -m pytest $(SIDE_BY_SIDE) -m "not long"
	@echo "· the smaller part on SQLite" && TEST_DATABASE_URL=sqlite:///var/test.sqlite3 $(BIN)/python -m pytest $(SIDE_BY_SIDE) -m "sqlite and not postgres and not browser and not long"

test-all: setup-dev
	@echo "· the long tests" && $(BIN)/python -m pytest $(SIDE_BY_SIDE) -m long --timeout=1800

patterns: setup-dev
	@EVERY_ORDER=1 $(BIN)/python -m pytest -n 2 tests/engine/test_patterns.py tests/requests/test_patterns.py --timeout=1800

full-import: setup-dev
	@FULL_SIZE=1 $(BIN)/python -m pytest -s -m long tests/requests/importing/test_whole_logs.py --timeout=3600

bench: setup-dev
	@$(BIN)/python -m tests.benchmarks
	@$(BIN)/python -m tests.benchmarks.importing
	@$(BIN)/python -m tests.benchmarks.soundness
	@$(BIN)/python -m tests.benchmarks.sweeping
	@$(BIN)/python -m tests.benchmarks.reports
	@$(BIN)/python -m tests.benchmarks.carrying
	@$(BIN)/python -m tests.benchmarks.lateness
	@$(BIN)/python -m tests.benchmarks.business_time

clean:
	rm -rf $(VENV) var .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
