# The README's commands. `make demo` and `make test` do all the set-up themselves.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet -c constraints.txt
TEST_EXTRAS := train,dev,onnxruntime,tensorrt,int8,xlsx,lsl

.PHONY: demo test lint check bench clean

demo: $(VENV)/.app-installed
	$(BIN)/lanet-live --video assets/demo.mp4 --export csv plot --out demo-output --overwrite
	@echo "Table:    $(CURDIR)/demo-output/demo.csv"
	@echo "Metadata: $(CURDIR)/demo-output/demo.metadata.json"
	@echo "Picture:  $(CURDIR)/demo-output/demo.png"

test: $(VENV)/.test-installed
	@bash scripts/system_libraries.sh
	@$(MAKE) --no-print-directory lint
	$(BIN)/python -m pytest

lint: $(VENV)/.test-installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.test-installed
	$(BIN)/python benchmarks/throughput.py
	$(BIN)/python benchmarks/engine_latency.py

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	  || { echo "LA-Net Live needs Python 3.11 to 3.13; name one with: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.app-installed: $(BIN)/python pyproject.toml constraints.txt
	@echo "Installing the app (about a minute) ..."
	$(PIP) -e .
	@touch $@

$(VENV)/.test-installed: $(BIN)/python pyproject.toml constraints.txt
	@echo "Installing the app, the trainer and the test tools (a few minutes) ..."
	$(PIP) -e '.[$(TEST_EXTRAS)]'
	@touch $@ $(VENV)/.app-installed

clean:
	rm -rf $(VENV) demo-output .pytest_cache .mypy_cache .ruff_cache
