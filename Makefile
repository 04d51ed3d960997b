# Two commands: `make demo` shows what spadam does, `make test` runs every check. Both make .venv first if it is not there.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
INSTALLED := .venv/installed

# The tests of Fashion-MNIST want the real files; Debian has them in the package dataset-fashion-mnist.
FASHION_MNIST ?= /usr/share/datasets/fashion-mnist
export SPADAM_FASHION_MNIST := $(FASHION_MNIST)

.PHONY: demo test docs clean

demo: $(INSTALLED)
	$(BIN)/spadam sweep run sweeps/quickstart.yaml

test: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -n 2 $(if $(wildcard $(FASHION_MNIST)),,-m "not fashion")

docs: $(INSTALLED)
	$(BIN)/python -m spadam.diagnostics.metrics > docs/metrics.md

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "spadam needs Python 3.11 or newer")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test]'
	touch $@
