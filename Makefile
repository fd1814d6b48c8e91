# The commands to know. A fresh machine needs Python 3.11 or later, make and a C compiler; nothing else.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: setup demo test test-slow test-clients test-browser check audit lock

setup: $(STAMP)

# The lock pins every package by version and hash. The stamp makes the second call quick.
$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Gamekeeper needs Python 3.11 or later; set PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $(STAMP)

demo: setup
	$(BIN)/gamekeeper demo $(ARGS)

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check
	$(BIN)/pytest -n 2 --dist loadfile -m "not slow and not clients and not browser" $(ARGS)

test-slow: setup
	$(BIN)/pytest -m slow $(ARGS)

# Against other people's programs: fetches Debian packages and unpacks them into a folder of the tests.
test-clients: setup
	$(BIN)/pytest -v -m clients $(ARGS)

# The console in a real browser, on the whole system.
test-browser: setup
	command -v chromium || apt-get install --yes --no-install-recommends chromium
	$(BIN)/pytest -v -m browser $(ARGS)

# Asks the advisory service about every pinned package; needs the network, so it is no part of `make test`.
# Strict: a package that the service was not asked about is a failure, not silence.
audit: setup
	$(BIN)/pip-audit --strict --disable-pip --require-hashes -r requirements.lock $(ARGS)

# Needs uv; only for whoever changes the dependencies.
lock:
	uv pip compile pyproject.toml --universal --all-extras --group dev --python-version 3.11 \
	  --generate-hashes --no-header --no-annotate --quiet --output-file requirements.lock
