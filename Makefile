# The two commands: `make demo` runs the main job, `make test` runs every test. Each sets up what it needs.
PYTHON ?= python3
UV_VERSION := 0.13.8
DEMO_ARGS ?=
TEST_ARGS ?=

# A package index that pip was told about serves uv as well.
PIP_INDEX := $(shell $(PYTHON) -m pip config get global.index-url 2>/dev/null)
ifneq ($(PIP_INDEX),)
export UV_DEFAULT_INDEX ?= $(PIP_INDEX)
endif
export UV_PYTHON_DOWNLOADS := never
# Certificates of the system: a company's own index is trusted as everything else on the machine trusts it.
export UV_SYSTEM_CERTS := 1
UV := .tools/bin/uv

.PHONY: install demo test check bench lock browser clean

install: .venv/.runtime

.tools/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Meshscope needs Python 3.11 or newer; set PYTHON=…")'
	$(PYTHON) -m venv .tools
	.tools/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

.venv/bin/python: | $(UV)
	$(UV) venv --quiet --python $(PYTHON) .venv

.venv/.runtime: requirements.lock pyproject.toml | .venv/bin/python
	$(UV) pip install --quiet --python .venv --require-hashes -r requirements.lock
	$(UV) pip install --quiet --python .venv --no-deps -e .
	@PYTHONDONTWRITEBYTECODE= .venv/bin/python -c 'import web.main' # compiled once: every start takes a third of the time
	@touch $@

.venv/.dev: requirements-dev.lock .venv/.runtime
	$(UV) pip install --quiet --python .venv --require-hashes -r requirements-dev.lock
	@touch $@

demo: install
	.venv/bin/meshscope demo $(DEMO_ARGS)

browser: .venv/.dev
	@.venv/bin/python -m tests.browser

# Three processes, for many tests wait for other programs; file by file in their order. TEST_ARGS="-n 0 …": in one.
test: .venv/.dev browser
	.venv/bin/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(TEST_ARGS)

check: .venv/.dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

bench: .venv/.dev
	.venv/bin/python -m bench

# Resolve anew, for every platform and Python from 3.11 on. Hashes, but no addresses: any index will do.
lock: | $(UV)
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --upgrade pyproject.toml -o requirements.lock
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header -c requirements.lock --group dev -o requirements-dev.lock

clean:
	rm -rf .venv .tools .mypy_cache .ruff_cache .pytest_cache artefacts dist
