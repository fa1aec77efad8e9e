# Each target sets up all it needs: from a fresh clone, `make demo` and `make test` just work.
# A stamp in each environment remembers that it was built from the present pyproject.toml.

PYTHON ?= python3

VENV         := .venv
INTEROP_VENV := .venv-interop
BENCH_VENV   := .venv-bench

RUN     := $(VENV)/bin/python
INTEROP := $(INTEROP_VENV)/bin/python
BENCH   := $(BENCH_VENV)/bin/python

PIP_INSTALL  := -m pip install --quiet --disable-pip-version-check
TORCH        := torch==2.13.0
PYTEST_FLAGS ?= -q
ULP_FLAGS    ?=
BENCH_FLAGS  ?=

.PHONY: help demo test lint interop bench ulp clean

help:
	@echo "make demo     script an LSTM, look inside it, run it over a text"
	@echo "make test     the test suite"
	@echo "make lint     ruff and mypy"
	@echo "make interop  the same programs through real torch (downloads $(TORCH))"
	@echo "make ulp      measure the elementary functions (an hour; goes on where it stopped)"
	@echo "make bench    against torch, JAX, numba (downloads them); BENCH_FLAGS='--quick --only lstm'"
	@echo "make clean    remove the environments"

demo: $(VENV)/run.stamp
	$(RUN) -m demo

test: $(VENV)/dev.stamp
	$(RUN) -m pytest -n 2 $(PYTEST_FLAGS)

lint: $(VENV)/dev.stamp
	$(RUN) -m ruff check .
	$(RUN) -m mypy

interop: $(INTEROP_VENV)/run.stamp
	$(INTEROP) -m pytest -m interop $(PYTEST_FLAGS) tests/interop

ulp: $(VENV)/dev.stamp
	PYTHONPATH=tests $(RUN) -m accuracy $(ULP_FLAGS)

bench: $(BENCH_VENV)/run.stamp
	$(BENCH) -m benchmarks $(BENCH_FLAGS)

clean:
	rm -rf $(VENV) $(INTEROP_VENV) $(BENCH_VENV)

# An interrupted set-up leaves no stamp, so that the next one starts afresh.
define create_venv
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "jitlang needs Python 3.11 or newer; choose one with PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv --clear $(@D)
endef

$(VENV)/run.stamp: pyproject.toml
	$(create_venv)
	$(RUN) $(PIP_INSTALL) -e .
	@touch $@

$(VENV)/dev.stamp: $(VENV)/run.stamp
	$(RUN) $(PIP_INSTALL) -e '.[test,lint]'
	@touch $@

$(INTEROP_VENV)/run.stamp: pyproject.toml
	$(create_venv)
	$(INTEROP) $(PIP_INSTALL) $(TORCH)
	$(INTEROP) $(PIP_INSTALL) -e '.[test]'
	@touch $@

# A peer that cannot be installed here is left out.
$(BENCH_VENV)/run.stamp: pyproject.toml benchmarks/requirements.txt
	$(create_venv)
	$(BENCH) $(PIP_INSTALL) -e .
	@grep -v '^#' benchmarks/requirements.txt | while read -r peer; do \
	  $(BENCH) $(PIP_INSTALL) "$$peer" || echo "not installed: $$peer" >&2; \
	done
	@touch $@
