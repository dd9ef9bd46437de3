# Two commands do all set-up: `make play` and `make test`. uv is used where it is installed, venv and pip otherwise.
PYTHON ?= python3
BIN := .venv/bin
SHELL := /bin/bash

.PHONY: help install play test test-docker test-train test-web serve push check bench clean

help:  ## Show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

install: .venv/installed  ## Install everything that play, test and check need into .venv

.venv/installed: pyproject.toml
	@if command -v uv >/dev/null; then \
	  uv venv --quiet --allow-existing --python '>=3.11' .venv && \
	  uv pip install --quiet --python $(BIN)/python -e '.[eval]' --group dev; \
	else \
	  $(PYTHON) -m venv .venv && \
	  $(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1' && \
	  PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet -e '.[eval]' --group dev; \
	fi
	@touch $@

play: install  ## Play one oracle episode and one random one on a server of their own
	@$(BIN)/python scripts/play.py

serve: install  ## Serve on http://127.0.0.1:8000 (HOST and PORT change it)
	@$(BIN)/python -m sql_env.server.app

# The client is tested on OpenEnv's older name too, which cannot be installed beside the present one.
.cache/openenv-core-0.3.0: | install
	@if command -v uv >/dev/null; then PIP='uv pip install --python $(BIN)/python'; else PIP='$(BIN)/python -m pip install'; fi; \
	  $$PIP --quiet --no-deps --target $@ openenv-core==0.3.0 || { rm -rf $@; echo "openenv-core 0.3.0 could not be fetched"; }

test: install .cache/openenv-core-0.3.0  ## Run every test that needs neither torch, nor a container, nor a browser
	@$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test-docker: install  ## Build the image and run the tests that need a Docker engine
	@$(BIN)/python -m pytest -m docker tests/docker

# torch comes first and by its version: any other request for it brings gigabytes of CUDA. pip fetches it in either case.
.venv/installed-torch: .venv/installed
	@if command -v uv >/dev/null; then uv pip install --quiet --python $(BIN)/python pip; fi
	@$(BIN)/python -m pip install --quiet torch==2.13.0
	@touch $@

.venv/installed-train: .venv/installed-torch pyproject.toml
	@if command -v uv >/dev/null; then PIP='uv pip install --python $(BIN)/python'; else PIP='$(BIN)/python -m pip install'; fi; \
	  PYTHONWARNINGS=ignore $$PIP --quiet -e '.[train]'
	@touch $@

test-train: .venv/installed-train  ## Run the tests that need torch: a tiny model behind a real server
	@$(BIN)/python -m pytest -m train tests/train

.venv/installed-web: .venv/installed
	@if command -v uv >/dev/null; then PIP='uv pip install --python $(BIN)/python'; else PIP='$(BIN)/python -m pip install'; fi; \
	  $$PIP --quiet --group web
	@touch $@

test-web: .venv/installed-web  ## Run the tests that need a browser: Chromium plays on the page
	@$(BIN)/python -m pytest -m web tests/web

push: install  ## Push to a Hugging Face Space: docs/deployment.md (PUSH='--repo-id me/name' adds options)
	@$(BIN)/openenv push --exclude .spaceignore $(PUSH)

check: install  ## Lint, types, layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@rm -rf build && $(BIN)/python scripts/install_copy.py build/types
	@MYPYPATH=build/types $(BIN)/mypy -p sql_env
	@PYTHONPATH=build/types $(BIN)/lint-imports --no-cache

bench: install  ## Measure the speed that is promised beside OpenEnv's echo environments
	@$(BIN)/python scripts/load_test.py

clean:  ## Remove what was built
	@rm -rf build dist .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache *.egg-info
