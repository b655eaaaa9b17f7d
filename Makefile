# make help says what there is. Everything runs in .venv, which is made when it is needed.

PYTHON ?= python3
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo test test-slurm test-browser test-shells package lint types bench docs clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1	/' | expand -t 20

.venv/lrx: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "lrx needs python 3.11 or newer; give one as make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable .
	@touch $@

.venv/dev: .venv/lrx
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: .venv/lrx  ## train a beta-VAE on dSprites for a few minutes and measure its response matrix
	$(BIN)/lrx train experiment=demo name=demo
	$(BIN)/lrx assay ckpt=outputs/train/demo assay=response_matrix name=demo

test: .venv/dev  ## run the whole test suite
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses auto --dist worksteal

test-slurm: .venv/dev  ## run sweeps on a real Slurm, brought up on this machine (as root; Debian or Ubuntu)
	OMP_NUM_THREADS=1 scripts/slurm/run.sh $(BIN)/pytest tests/slurm

test-browser: .venv/dev  ## open reports in headless Chromium, installed where it is missing (as root; Debian or Ubuntu)
	@command -v chromium >/dev/null || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; }
	OMP_NUM_THREADS=1 $(BIN)/pytest tests/browser

test-shells: .venv/dev  ## complete commands in real shells, installed where they are missing (as root; Debian or Ubuntu)
	@{ command -v zsh && command -v fish; } >/dev/null || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends zsh fish >/dev/null; }
	OMP_NUM_THREADS=1 $(BIN)/pytest tests/shells

package:  ## build the wheel, check it, and try it and each extra in a clean environment
	PYTHON=$(PYTHON) scripts/check_package.sh

lint: .venv/dev  ## check style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/dev  ## check types, strictly
	$(BIN)/mypy

bench: .venv/dev  ## measure speed against plain implementations and write docs/benchmarks.md (15 minutes)
	$(BIN)/python scripts/bench.py

.venv/docs: .venv/lrx
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[docs]'
	@touch $@

docs: .venv/docs  ## build the documentation into site/, to be opened as site/index.html
	NO_MKDOCS_2_WARNING=1 OMP_NUM_THREADS=1 $(BIN)/mkdocs build --strict

clean:  ## remove what was built (not outputs/, not data/)
	rm -rf .venv build dist site *.egg-info .pytest_cache .mypy_cache .ruff_cache
	find lrx tests scripts configs -name __pycache__ -type d -prune -exec rm -rf {} +
