# Two commands for everybody: `make demo` and `make test`. Both set up what they need, once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PROCESSES ?= 2
ROOMS := agents brains envs recorders scenarios

.PHONY: demo test check lint types setup bench docs clean

setup: $(VENV)/ready .typecheck/ready

$(VENV)/ready: pyproject.toml Makefile
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "ethospike needs Python 3.11 or later; '$(PYTHON)' is $$($(PYTHON) --version 2>&1). Try: make PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
	  { echo "could not make a virtual environment with $(PYTHON); on Debian: apt install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev,video,analysis,sweep]'
# GeNN is optional and not on the package index, where anybody could register its name: it is taken only
# from a folder of wheels that pip's own configuration names (find-links), never from an index.
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-index --no-deps pygenn 2>/dev/null && echo "GeNN: installed from a local wheel" || \
	  echo "GeNN: no local wheel of pygenn; its tests will be skipped (docs/simulators.md says how to install it)"
	@touch $@

# Type checkers do not see through the folder mapping of an editable install; a folder of links does it. The
# same links are on Python's path here, because the finder of an editable install comes after Python's own: a
# folder named ethospike in the working directory, such as this checkout seen from its parent, would hide the
# package.
.typecheck/ready: Makefile $(VENV)/ready $(wildcard core/*)
	@rm -rf .typecheck && mkdir -p .typecheck/ethospike
	@for file in core/*; do ln -sfn ../../$$file .typecheck/ethospike/; done
	@for room in $(ROOMS); do ln -sfn ../../$$room .typecheck/ethospike/$$room; done
	@echo "$(CURDIR)/.typecheck" > "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/ethospike-links.pth"
	@touch $@

demo: setup
	$(BIN)/ethospike run odor-conditioning --animals 10

test: check

# Tests of a file stay in one process, which builds their fixtures and loads their compiled code once.
check: lint types setup
	$(BIN)/python -m pytest -n $(PROCESSES) --dist loadfile

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	@test -d .typecheck/ethospike/brains/ || { echo "the links in .typecheck are missing: make clean setup"; exit 1; }
	cd .typecheck && ../$(BIN)/mypy --config-file ../pyproject.toml -p ethospike

# The site, in docs/site/_build/index.html. Tutorials run; ETHOSPIKE_DOCS_RUN=0 leaves them out.
docs: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[docs,dev,video,analysis,sweep]'
	$(BIN)/sphinx-build -W --keep-going -q -b html -d docs/site/.doctrees docs/site docs/site/_build

bench: setup
	$(BIN)/ethospike bench

clean:
	rm -rf $(VENV) .typecheck build *.egg-info docs/site/_build docs/site/_generated docs/site/.doctrees
