# Every target works alone in a fresh clone: it makes $(VENV) first where that is missing, moved, or older than
# pyproject.toml.
# Overridable: PYTHON (the interpreter $(VENV) is made from), VENV, PYTEST_ARGS, and MUTANTS: which files or rooms are
# changed, and how often (make mutants MUTANTS='array --sample 0'), INTERRUPTIONS likewise (--signals 10 train) and
# COSIMULATION (--cases 1000 --seed 1), and WHEEL: on which Python the wheel is tried (--python PATH).

VENV ?= .venv
PYTEST_ARGS ?=
MUTANTS ?=
INTERRUPTIONS ?=
COSIMULATION ?=
WHEEL ?=
WORKS = -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))'
# A candidate must run and not only be found: a version manager's shim may stand for nothing.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	if $$python $(WORKS) >/dev/null 2>&1; then echo $$python; break; fi; done)
BIN = $(VENV)/bin
STAMP = $(VENV)/.installed
FIELD = $(VENV)/.field-installed
DOCS = $(VENV)/.docs-installed
RTL = $(VENV)/.rtl-installed
# A folder that was moved or copied: the commands in it name the interpreter of where it was.
STAYED = head -n 3 "$(BIN)/pip" 2>/dev/null | grep -qF '$(abspath $(VENV))/bin/'
MOVED = $(if $(wildcard $(STAMP)),$(shell $(STAYED) || echo moved))

.PHONY: moved setup demo test field docs schemas lint format wheel bench mutants interruptions cosimulation clean

setup: $(STAMP)

$(STAMP): pyproject.toml $(MOVED)
	@if [ -z "$(PYTHON)" ] || ! "$(PYTHON)" $(WORKS) >/dev/null 2>&1; then \
		echo "make: PYTHON: got '$(PYTHON)'; install Python 3.11 or newer with its venv module, or give PYTHON=/path/to/python3" >&2; \
		exit 2; \
	fi
	@if ! "$(BIN)/python" -m pip --version >/dev/null 2>&1 || ! { $(STAYED); }; then \
		echo "making $(VENV) from $$("$(PYTHON)" --version)"; \
		"$(PYTHON)" -m venv --clear "$(VENV)"; \
	fi
	@echo "installing jaxgrad and what it needs into $(VENV) (a few hundred MB the first time)"
	@"$(BIN)/python" -m pip install --quiet --disable-pip-version-check --editable '.[test,dev,browser]'
	@touch "$@"

$(FIELD): $(STAMP)
	@"$(BIN)/python" -m pip install --quiet --disable-pip-version-check --editable '.[test,field]'
	@touch "$@"

$(DOCS): $(STAMP)
	@"$(BIN)/python" -m pip install --quiet --disable-pip-version-check --editable '.[test,docs]'
	@touch "$@"

$(RTL): $(STAMP)
	@"$(BIN)/python" -m pip install --quiet --disable-pip-version-check --editable '.[test,rtl]'
	@touch "$@"

demo: setup
	$(BIN)/jaxgrad train

test: setup
	$(BIN)/python -m pytest -n 2 --dist worksteal $(PYTEST_ARGS)

field: $(FIELD)
	$(BIN)/python -m pytest -n 2 --dist worksteal tests/field $(PYTEST_ARGS)

docs: $(DOCS)
	$(BIN)/python -m sphinx -W --keep-going -q docs docs/_build/html

schemas: setup
	$(BIN)/python -m jaxgrad.cli.schemas

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.citation-file-format CITATION.cff

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

wheel: setup
	$(BIN)/python -m tests.fresh $(WHEEL)

bench: setup
	$(BIN)/python -m benchmarks

mutants: setup
	$(BIN)/python -m tests.mutants $(MUTANTS)

interruptions: setup
	$(BIN)/python -m tests.interruptions $(INTERRUPTIONS)

cosimulation: $(RTL)
	$(BIN)/python -m tests.cosimulation $(COSIMULATION)

clean:
	rm -rf .venv .venv-* .cache .hypothesis .pytest_cache .ruff_cache build dist docs/_build docs/reference/generated
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
