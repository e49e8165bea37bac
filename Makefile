# `make demo` and `make test` do all their own set-up. What they need: Python 3.11 or newer with venv, and make.

PYTHON ?= python3
CORES ?= $(shell nproc 2>/dev/null || echo 2)
RUN := .venv/bin/python
SNAKEFILES := Snakefile $(wildcard rules/*.smk)
# A wheel of mediapipe 0.10.21 given by path spares the one download of the demo.
WHEEL := $(if $(UNDERSTUDY_WHEEL),wheel=$(UNDERSTUDY_WHEEL))

export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PYTHONPATH := $(CURDIR)/scripts

.PHONY: help demo gallery test lint test-slow bench lock clean

help:
	@echo "make demo       render the demo show into demo/render/demo"
	@echo "make gallery    make the pictures of docs/gallery.md anew from that"
	@echo "make test       lint, types, and the tests that take seconds"
	@echo "make test-slow  the tests that take minutes"
	@echo "make bench      measure cost per frame, and what running a network costs beside it"
	@echo "make lock       resolve the lock files (needs uv); versions that still fit are kept, unless the files are removed"
	@echo "make clean      remove what the demo made"

.venv/.stamp: requirements.lock
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, see PYTHON=" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(RUN) -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	touch $@

demo/plates/.stamp: demo/plates.py demo/make_plates.py .venv/.stamp
	$(RUN) demo/make_plates.py
	touch $@

demo: .venv/.stamp demo/plates/.stamp
	$(RUN) scripts/status.py demo/render/demo -- \
	  snakemake --cores $(CORES) --configfile demo/config/config.yaml $(if $(WHEEL),--config $(WHEEL))

gallery: demo
	$(RUN) demo/gallery.py

lint: .venv/.stamp
	ruff check .
	ruff format --check demo tests/house tests/demo
	mypy
	snakefmt --check $(SNAKEFILES)
	snakemake --lint

test: lint
	$(RUN) -m pytest -n 2

test-slow: .venv/.stamp
	$(RUN) -m pytest -n 2 --dist loadfile -m slow

bench: .venv/.stamp
	$(RUN) tests/bench/cost.py --models models
	$(RUN) tests/bench/runner.py

# The lock files hold all there is to install, so that pip is given --no-deps: insightface asks for a second OpenCV, and beside
# `gpu` for a second onnxruntime, which both are left out.
LOCK := uv pip compile pyproject.toml --universal --python-version 3.11 --fork-strategy fewest \
  --generate-hashes --no-emit-index-url --custom-compile-command 'make lock' --quiet --extra insightface --extra demo

lock:
	$(LOCK) --extra cpu --extra test --output-file requirements.lock
	echo onnxruntime | $(LOCK) --extra gpu --excludes /dev/stdin --output-file requirements-gpu.lock

clean:
	rm -rf demo/render demo/plates demo/talent
