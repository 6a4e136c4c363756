# Everything runs in .venv, made from constraints.txt; only python3, pip, venv and make are needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test lint bench clean

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("seglift needs Python >= 3.11, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: $(VENV)/.installed  ## labels a street video by every method and writes seglift-demo/report.html
	$(BIN)/seglift demo

test: $(VENV)/.installed  ## the whole test suite, on CPU, without network
	$(BIN)/python -m pytest $(ARGS)

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.installed  ## needs SEGLIFT_DATA, see benchmarks/RESULTS.md
	$(BIN)/python benchmarks/label_quality.py
	$(BIN)/python benchmarks/label_speed.py
	$(BIN)/python benchmarks/flow_error.py
	$(BIN)/python benchmarks/motion_quality.py
	$(BIN)/python benchmarks/loss_speed.py
	$(BIN)/python benchmarks/loop_overhead.py
	$(BIN)/python benchmarks/confusion_speed.py
	$(BIN)/python benchmarks/class_index_speed.py
	$(BIN)/python benchmarks/view_speed.py
	$(BIN)/python benchmarks/synthesis_speed.py
	$(BIN)/python benchmarks/panoptic_inference_speed.py

clean:
	rm -rf $(VENV) build src/*.egg-info seglift-demo .mypy_cache .ruff_cache .import_linter_cache
