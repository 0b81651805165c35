# Everything runs from .venv; `make demo` and `make test` start from nothing.
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
MEV_FIXTURES ?= $(abspath ../shared/fixtures)
export MEV_FIXTURES

.PHONY: native setup demo test test-alone mutants lint up down parity bench lock devnet-record ui-test clean

setup: $(VENV)/.ready

$(VENV)/.ready: requirements-dev.lock package-lock.json pyproject.toml docker/setup.sh
	@bash docker/setup.sh $(VENV)

demo: setup
	@$(BIN)/mev demo

# Tests run in random order; `make test SEED=N` repeats one.
SEED := $(or $(SEED),$(shell od -An -N4 -tu4 /dev/urandom | tr -d ' '))
test: lint
	@echo "tests in random order; again: make test SEED=$(SEED)"
	@$(BIN)/python -m pytest -n 2 --dist loadfile -m "not long" --randomly-seed=$(SEED)

# Every test file in a process of its own.
test-alone: setup
	@.ci/alone

# Small changes to the core files, by hand and drawn, and whether their tests notice. Ten minutes.
mutants: setup
	@$(BIN)/python tests/mutants/run.py

lint: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

up: setup
	@$(BIN)/mev up

down:
	@$(BIN)/mev down

parity: setup
	@$(BIN)/mev parity $(MEV_FIXTURES)/blocks_prestate

bench: setup
	@$(BIN)/mev bench --check-budget

# The fast engine is optional: everything runs without it.
native: setup
	@command -v cargo >/dev/null || { echo "make native needs cargo, Rust's build tool: https://rustup.rs" >&2; exit 2; }
	@VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/maturin develop -q --release --locked -m native/Cargo.toml

# A browser on one live Dagster, looked at in the order of the file; pictures are left in screenshots/. Skips with the reason where Chromium is absent.
ui-test: setup
	@$(BIN)/python -m pytest tests/ui -m long -p no:randomly

devnet-record: setup
	@$(BIN)/mev demo record

lock:
	@uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links pyproject.toml -o requirements.lock -q
	@uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock -q
	@echo ethereum-execution==2.20.0 | uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links - -o tests/conformance/eels_requirements.txt -q

clean:
	@rm -rf $(VENV) node_modules .mev build dist

# Other people's implementations as judges. The first time it builds geth with Go (or takes it from MEV_GO_BIN)
# and gives the executable specification an environment of its own (or takes MEV_EELS_PYTHON's).
.PHONY: conformance
conformance: setup
	@$(BIN)/python -m pytest tests/conformance -rs

# Minutes of load under churn, and faults on purpose: devp2p peers, node, store and daemon.
.PHONY: soak soak-platform chaos
soak: setup
	@$(BIN)/mev soak p2p

# Half an hour of three-second blocks, a day of history beside the second half of it.
soak-platform: setup
	@$(BIN)/mev soak platform --backfill-day

chaos: setup
	@$(BIN)/mev chaos p2p
