# Two commands: `make demo` shows what spadam does, `make test` checks it. Both make .venv first if it is not there.
# `make test-slow` runs the tests that `make test` leaves out, because they start, stop and kill whole programs for minutes.
# `make test-chaos` kills, stops and damages small sweeps for some minutes, `make chaos-long` as long as KILLS kills take.
# `make test-nodes` trains on real Ray clusters for two minutes.
# `make calibrate` counts how often verdicts are wrong, in simulated and in real sweeps, for most of an hour.
# `make image` builds the image of docker/, `make image-cpu` one without CUDA; `make lock` resolves anew what they install,
# `make audit` looks up what of that is known to be weak.
# `make test-docker` runs a sweep in containers, and as root installs and starts an engine where none answers.
# `make site` builds the documents as pages, `make docs` writes anew those of them that are made from the code.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
INSTALLED := .venv/installed
SAELENS := .venv/saelens/installed

# Some tests want the real Fashion-MNIST files, some a browser; Debian has them as dataset-fashion-mnist and chromium.
FASHION_MNIST ?= /usr/share/datasets/fashion-mnist
CHROMIUM ?= $(shell command -v chromium)
export SPADAM_FASHION_MNIST := $(FASHION_MNIST)
# Three tests at once keep two cores busy, for many wait for a process or a browser; threads that wait must not spin.
test test-slow test-chaos test-nodes chaos-long: export OMP_WAIT_POLICY := PASSIVE
# The tests start some hundred processes: none is to compile every module again, as in images where this is set.
test test-slow test-chaos test-nodes chaos-long: export PYTHONDONTWRITEBYTECODE :=
LEFT_OUT := $(if $(wildcard $(FASHION_MNIST)),, and not fashion)$(if $(CHROMIUM),, and not browser)
PYTEST := $(BIN)/pytest -n 3 --dist worksteal

KILLS ?= 500
# Most of their time these sweeps wait for what was killed to begin again: four at once keep two cores busy.
CHAOS := -n 4 --dist worksteal tests/chaos

IMAGE ?= spadam:latest
# More words for `docker build`: --build-arg PYTHON_IMAGE=…@sha256:…, --secret id=pip,src=pip.conf.
BUILD_OPTIONS ?=
BUILD = docker build --file docker/Dockerfile --tag $(IMAGE) \
	--build-arg VERSION=$(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' spadam/__init__.py) \
	--build-arg REVISION=$(shell git describe --always --dirty 2>/dev/null) $(BUILD_OPTIONS)
LOCK = $(BIN)/uv pip compile --quiet --generate-hashes --no-annotate --constraints constraints.txt --python-version 3.11 \
	--python-platform x86_64-manylinux_2_28 --custom-compile-command 'make lock'

.PHONY: demo test test-slow test-chaos test-nodes test-docker chaos-long calibrate image image-cpu lock audit site docs clean

demo: $(INSTALLED)
	$(BIN)/spadam sweep run sweeps/quickstart.yaml

test: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python tests/support/compile_loops.py & compiling=$$!; $(BIN)/mypy && wait $$compiling
	$(PYTEST) -m "not slow$(LEFT_OUT)"

test-slow: $(INSTALLED) $(SAELENS)
	$(BIN)/python tests/support/compile_loops.py
	$(PYTEST) -m "slow$(LEFT_OUT)"

test-chaos: $(INSTALLED)
	$(BIN)/python tests/support/compile_loops.py
	$(BIN)/pytest $(CHAOS)

test-nodes: $(INSTALLED)
	$(BIN)/python tests/support/compile_loops.py
	$(BIN)/pytest tests/nodes

test-docker: $(INSTALLED)
	$(BIN)/pytest -rs tests/docker

chaos-long: $(INSTALLED)
	$(BIN)/python tests/support/compile_loops.py
	SPADAM_CHAOS_KILLS=$(KILLS) $(BIN)/pytest $(CHAOS) --junitxml=chaos.xml

calibrate: $(INSTALLED)
	$(BIN)/python benchmarks/calibrate.py --times 1000 --real 30

image:
	$(BUILD) .

image-cpu:
	$(BUILD) --build-arg TORCH=cpu .

lock: $(INSTALLED)
	$(LOCK) --extra cluster --extra postgres --output-file docker/requirements.lock pyproject.toml
	$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"])' \
		| $(LOCK) --output-file docker/build.lock -

# Wants a way to pypi.org, which knows what is weak.
audit: $(INSTALLED)
	$(BIN)/uv tool run pip-audit --disable-pip --require-hashes --requirement docker/requirements.lock

# Strict: a link into nothing, or a page that would load anything from another host, is an error.
site: $(INSTALLED)
	$(BIN)/python -m sphinx --builder html --fail-on-warning --quiet --fresh-env docs site
	PYTHONPATH=docs $(BIN)/python -m make.offline site

docs: $(INSTALLED)
	PYTHONPATH=docs $(BIN)/python -m make.metrics > docs/metrics.md
	PYTHONPATH=docs $(BIN)/python -m make.sweeps > docs/sweeps.md
	$(BIN)/spadam schema run > docs/schema/run.json
	$(BIN)/spadam schema sweep > docs/schema/sweep.json

clean:
	rm -rf .venv site chaos.xml .mypy_cache .pytest_cache .ruff_cache

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "spadam needs Python 3.11 or newer")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test,site]'
	touch $@

$(SAELENS): tests/formats/saelens.txt $(INSTALLED)
	rm -rf $(dir $@)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --target $(dir $@) --requirement $<
	touch $@
