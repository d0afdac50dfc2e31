# The same commands at the desk and in CI. A machine needs a CPython from 3.11 on and cargo; `make` alone lists the rest.

# The interpreter that the environment is made with; the first suitable one if empty.
PYTHON ?=
VENV ?= .venv
HOST ?= 127.0.0.1
PORT ?= 8000
# Arguments for pytest: make test PYTEST='tests/test_day_one.py -x'
PYTEST ?=
# Processes that tests run in. All in one, as a debugger wants it: make test PYTEST='tests/test_day_one.py -p no:xdist'
WORKERS ?= 2
# Arguments for the benches: make bench BENCH="--only assign"
BENCH ?=
# Arguments for the books: make books BOOKS="--kills 100"
BOOKS ?=
# The interpreters of `make test-all-pythons`.
PYTHONS = $(shell scripts/find-python --all)

BIN := $(VENV)/bin
VENV_PYTHON := $(abspath $(BIN)/python)
# pyo3 builds against the interpreter that this names, and maturin installs into that environment.
export PYO3_PYTHON := $(VENV_PYTHON)
export VIRTUAL_ENV := $(abspath $(VENV))
# A test that needs a PostgreSQL fails where none is found: the environment has one from the registry.
export NITRO_REQUIRE_SERVERS ?= 1
# What is tested is what is installed.
unexport PYTHONPATH
unexport PYTHONHOME
# Hundreds of processes import the same: they compile it once.
unexport PYTHONDONTWRITEBYTECODE

INSTALLED := $(VENV)/.installed
BUILT := $(VENV)/.built
RUST := Cargo.toml $(wildcard Cargo.lock build.rs) $(shell find rust -name '*.rs' 2>/dev/null)
# The tests of a file stay together, as they share what is made for all of them.
IN_PARALLEL = $(if $(findstring no:xdist,$(PYTEST)),,-n $(WORKERS) --dist loadfile --no-loadscope-reorder)
TARGET = $(shell rustc -vV 2>/dev/null | sed -n 's/^host: //p')
WHEELS := target/wheels

.PHONY: help run books test test-public test-all-pythons bench bench-store bench-sql bench-work wheel check check-python check-rust asan soak format clean

help: ## List the commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1 @\2/p' Makefile | column -t -s @

# --- The environment and the extension ----------------------------------------------------------------------------

$(VENV_PYTHON):
	python=$$(scripts/find-python $(PYTHON)) && "$$python" -m venv $(VENV)

# A fresh Python brings a pip that knows no dependency groups.
$(INSTALLED): $(VENV_PYTHON) pyproject.toml
	$(VENV_PYTHON) -m pip install --quiet --upgrade pip
	$(VENV_PYTHON) -m pip install --quiet --group dev
	touch $@

$(BUILT): $(INSTALLED) $(RUST)
	$(BIN)/maturin develop --release
	touch $@

# --- Daily work ---------------------------------------------------------------------------------------------------

run: $(BUILT) ## Serve the example app on 127.0.0.1:8000
	@echo
	@echo "The example app is at http://$(HOST):$(PORT) and its pages of documentation at http://$(HOST):$(PORT)/docs"
	@echo "Try, in another terminal:"
	@echo
	@echo "  curl -X PUT http://$(HOST):$(PORT)/counter/visits"
	@echo "  curl -X POST http://$(HOST):$(PORT)/counter/visits/increment"
	@echo "  curl -X POST 'http://$(HOST):$(PORT)/orders?customer_name=Alice'"
	@echo
	@exec $(BIN)/uvicorn --app-dir examples --host $(HOST) --port $(PORT) day_one:app

books: $(BUILT) ## Kill the example shop again and again, and look whether its books are right
	$(VENV_PYTHON) examples/books.py $(BOOKS)

test: $(BUILT) ## Run every test, of Rust and of Python
	cargo test --no-default-features
	$(VENV_PYTHON) -m pytest $(IN_PARALLEL) $(PYTEST)

test-public: $(BUILT) ## Run the differential suite with the private-layout optimisation off
	NITRO_LAYOUT=public $(VENV_PYTHON) -m pytest $(IN_PARALLEL) tests/differential $(PYTEST)

bench: $(BUILT) ## Measure Nitro beside its peers, in one table
	$(VENV_PYTHON) -m benches $(BENCH)

bench-store: $(BUILT) ## Measure the memory store beside its peers, up to a million entities
	$(VENV_PYTHON) -m benches.store $(BENCH)

bench-sql: $(BUILT) ## Measure entities in SQLite and PostgreSQL beside raw drivers and other mappers
	$(VENV_PYTHON) -m benches.sql $(BENCH)

bench-work: $(BUILT) ## Measure events, units of work and commands beside the same without them
	$(VENV_PYTHON) -m benches.work $(BENCH)

check: check-python check-rust ## Lint, format check, types, layers and the stub of the extension

check-python: $(BUILT)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright --pythonpath $(VENV_PYTHON)
	$(BIN)/lint-imports
	$(VENV_PYTHON) -m mypy.stubtest nitro._core

check-rust: $(BUILT)
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings

format: $(INSTALLED) ## Put every file in its standard format
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	cargo fmt

# --- Releases and long runs ---------------------------------------------------------------------------------------

wheel: $(INSTALLED) ## Build the wheel into dist/
	$(BIN)/maturin build --release --out dist --interpreter $(VENV_PYTHON)

# Each interpreter gets a wheel and an environment of its own, so no build disturbs that of another.
test-all-pythons: $(INSTALLED) ## Run the tests on each CPython from 3.11 to 3.14 that is on the machine
	set -eu; for python in $(PYTHONS); do \
	    minor=$$($$python -c 'import sys; print("3.%d" % sys.version_info.minor)'); \
	    rm -rf $(WHEELS)/$$minor; \
	    $(BIN)/maturin build --release --out $(WHEELS)/$$minor --interpreter $$python; \
	    scripts/test-wheel $(WHEELS)/$$minor/*.whl $$python .venv-$$minor $(PYTEST); \
	done

# Debug assertions are on too: they check alignment, null and overlap wherever the standard library relies on them.
# How long an import takes says nothing under a sanitizer, and only Python's own allocator, which would hide errors from
# it, counts blocks.
asan: $(INSTALLED) ## Run the tests under AddressSanitizer
	rm -rf $(WHEELS)/asan
	RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address \
	    CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS=true \
	    $(BIN)/maturin build --release --target $(TARGET) --target-dir target/asan --auditwheel skip \
	    --out $(WHEELS)/asan --interpreter $(VENV_PYTHON)
	TEST_WITH="env LD_PRELOAD=$$(gcc -print-file-name=libasan.so) PYTHONMALLOC=malloc \
	    ASAN_OPTIONS=detect_leaks=0:abort_on_error=1" \
	    scripts/test-wheel $(WHEELS)/asan/*.whl $(VENV_PYTHON) .venv-asan \
	    --deselect tests/test_import_cost.py::test_it_costs_little_more_time_than_pydantic \
	    --ignore tests/memory/test_no_block_is_kept.py $(PYTEST)

soak: $(BUILT) ## Run a million operations of each kind, the reliability tests at length, and the long differential run
	$(VENV_PYTHON) -m pytest soak $(PYTEST)
	NITRO_RELIABILITY=long $(VENV_PYTHON) -m pytest tests/sql/reliability tests/outbox/test_killed_processes.py -s $(PYTEST)
	NITRO_DIFFERENTIAL_CLASSES=2000 NITRO_DIFFERENTIAL_EXAMPLES=1000000 \
	    $(VENV_PYTHON) -m pytest tests/differential $(PYTEST)

clean: ## Remove what was built, but not the environments
	rm -rf dist target build python/nitro/*.so $(VENV)/.built
