# Two commands lead from a fresh checkout to a result: `make demo` and `make test`.
# They need Python 3.11 or newer, a C++ compiler and make. Everything else is installed into .venv.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# Files of tests with clusters and engines at a time.
WORKERS ?= 2
STAMP  := $(VENV)/.installed
# pip's own settings (an index, a folder of wheels, certificates) hold for uv too.
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
export UV_DEFAULT_INDEX ?= $(PIP_INDEX_URL)
export SSL_CERT_FILE ?= $(PIP_CERT)
$(foreach name,UV_FIND_LINKS UV_DEFAULT_INDEX SSL_CERT_FILE,$(if $($(name)),,$(eval unexport $(name))))

.PHONY: demo test test-unit lint lock clean env

demo: $(STAMP)  ## one complete distillation, ten to twenty minutes on two cores
	$(BIN)/agentdistill demo

test: $(STAMP) lint test-unit  ## every test; slow ones included
	$(BIN)/python -m pytest -n auto --dist loadfile -m slow tests/unit
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --durations=12 tests/e2e tests/ray

test-unit: $(STAMP)  ## what needs no Ray and no model, within a minute
	$(BIN)/python -m pytest -n auto --dist loadfile -m "not slow" tests/unit

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy

env: $(STAMP)

$(STAMP): requirements/cpu.txt pyproject.toml requirements/install.sh
	sh requirements/install.sh "$(PYTHON)" "$(VENV)"
	@touch $@

lock: $(STAMP)  ## pin requirements/cpu.in anew
	$(BIN)/uv pip compile requirements/cpu.in --excludes requirements/cpu.excludes --no-annotate --no-header \
		--no-emit-find-links --no-emit-index-url --quiet --upgrade --output-file requirements/cpu.txt
	sed -i 's/+cpu$$//' requirements/cpu.txt

clean:
	rm -rf $(VENV)
