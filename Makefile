# Set-up, models and tests. Needs git, make and Python 3.12 to 3.14; `make help` lists the targets.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check install
# What an installation prints goes to a file, of which the end is shown if it fails.
QUIETLY = > $(VENV)/install.log 2>&1 || { tail -n 20 $(VENV)/install.log; exit 1; }
# Installs a lock: wheels only, hashes checked.
LOCKED  = $(PIP) --no-deps --only-binary :all: --require-hashes --no-compile -r
# Byte code, on all cores (pip would use one); some files are for other Pythons.
COMPILED = $(BIN)/python -m compileall -qq -j 0 -x '/tests?/' $(VENV)/lib > /dev/null || true
# The uv release that resolves the locks (needed by `make lock` only).
UV     := uv==0.13.9
COMPILE = build/lock/bin/uv pip compile --quiet --no-config $(LOCK_FLAGS) --universal --python-version 3.12 \
	--generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links \
	--custom-compile-command "make lock"

# Tests start twice as fast where pytest finds its byte code of the last time.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup fit calibrate notebooks bench docs test test-slow test-notebooks test-lowest test-newest \
	golden lint format types check wheel release-check lock clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile
	@echo "Another Python than python3: make PYTHON=python3.13 fit"

setup: $(VENV)/project.stamp  ## create .venv and install everything (the other targets do this when needed)
	@:

fit: $(VENV)/project.stamp  ## fit the studies in data/, two of them in all variants, and write reports/
	@$(BIN)/intlmodels fit rochester norway michigan --variants rochester:all,norway:all

calibrate: $(VENV)/project.stamp  ## calibrate, compare and vary both studies (an hour on two cores, resumes)
	@status=0; for study in rochester norway; do \
		for task in "fit $$study --variants all" "calibrate $$study --sims 500 --wrong all" \
				"compare $$study" "sensitivity $$study" "influence $$study" "multiverse $$study"; do \
			echo "==> intlmodels $$task"; \
			$(BIN)/intlmodels $$task || status=$$?; \
			if [ $$status -gt 1 ]; then exit $$status; fi; \
		done; \
	done; exit $$status

notebooks: $(VENV)/notebooks.stamp  ## open the notebooks in JupyterLab (installs it when needed)
	@$(BIN)/jupyter lab --notebook-dir=notebooks $$([ "$$(id -u)" != 0 ] || echo --allow-root)

docs: $(VENV)/docs.stamp  ## build the documentation in build/docs (NOTEBOOKS=off: without executing notebooks)
	@$(BIN)/python docs/generate.py
	@$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet --builder html docs build/docs
	@echo "written to build/docs/index.html"

bench: $(VENV)/bench.stamp  ## measure speed against other packages (40 minutes on two cores, resumes; SECTIONS="a d", ROWS=1e7)
	@$(BIN)/python -m bench $(if $(ROWS),--rows $(ROWS)) $(if $(RUNS),--runs $(RUNS)) $(if $(SECTIONS),--sections "$(SECTIONS)")

test: $(VENV)/project.stamp  ## run the tests, except those marked slow, on all cores
	@$(BIN)/python -m pytest -q -n auto --dist loadfile --no-loadscope-reorder -m "not slow and not notebooks"

test-slow: $(VENV)/project.stamp  ## run the tests marked slow: real fits, minutes
	@$(BIN)/python -m pytest -q -m slow

test-notebooks: $(VENV)/notebooks.stamp  ## execute all notebooks from a clean state
	@$(BIN)/python -m pytest -q tests/test_notebooks.py

test-lowest:  ## run the tests with the lowest versions that pyproject.toml allows
test-newest:  ## run the tests with the newest versions that pyproject.toml allows
test-lowest: RESOLUTION = lowest-direct
test-newest: RESOLUTION = highest
WHEELS = --quiet --python build/$@/bin/python --only-binary :all:

# Other versions than the locked ones draw other numbers and warn of other things: tests of stored
# draws and of the fits behind reports are left out, and warnings are no failures.
test-lowest test-newest: build/lock/bin/uv
	@$(PYTHON) -m venv --clear build/$@
	@build/lock/bin/uv pip compile $(WHEELS) --resolution $(RESOLUTION) --output-file build/$@/versions.txt \
		--extra cluster --extra register --extra xlsx pyproject.toml
	@build/lock/bin/uv pip install $(WHEELS) --constraint build/$@/versions.txt --requirements pyproject.toml --extra dev
	@build/lock/bin/uv pip install --quiet --python build/$@/bin/python --no-deps --no-build-isolation --editable .
	@build/$@/bin/python -m pytest -q -n auto --dist loadfile --no-loadscope-reorder \
		-m "not slow and not notebooks" -W default --ignore tests/test_golden.py \
		--deselect tests/test_layers.py::test_the_committed_reports_are_current

golden: $(VENV)/project.stamp  ## record the results that tests/test_golden.py expects (after raising a version number)
	@PYTHONPATH=tests $(BIN)/python tests/golden.py

lint: $(VENV)/project.stamp  ## check style, formatting (ruff) and the layers of packages (import-linter)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-logo --no-cache

format: $(VENV)/project.stamp  ## format the code and fix what ruff can fix
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

types: $(VENV)/project.stamp  ## check the types (mypy)
	@$(BIN)/mypy

check: lint types test  ## lint, types and test

wheel: $(VENV)/project.stamp  ## build dist/intlmodels-*.whl
	@rm -rf dist
	@$(BIN)/python -m hatchling build --target wheel

release-check: $(VENV)/project.stamp  ## build wheel and sdist, check their metadata, install each in an empty environment
	@rm -rf dist build/release
	@$(BIN)/python -m hatchling build
	@$(PYTHON) -m venv build/release/tools
	@build/release/tools/bin/python -m pip --disable-pip-version-check install --quiet "twine>=6" "check-jsonschema>=0.39"
	@build/release/tools/bin/python -m twine check --strict dist/*
	@build/release/tools/bin/check-jsonschema --builtin-schema vendor.citation-file-format CITATION.cff
	@for file in dist/*.whl dist/*.tar.gz; do \
		$(PYTHON) -m venv --clear build/release/empty && \
		build/release/empty/bin/python -m pip --disable-pip-version-check install --quiet $$file && \
		build/release/empty/bin/python -m pip check && \
		(cd build/release && empty/bin/intlmodels --version && empty/bin/intlmodels check rochester > /dev/null) && \
		echo "$$file: installs and runs" || exit 1; \
	done

lock: build/lock/bin/uv  ## resolve the locks again (LOCK_FLAGS=--upgrade: to the newest releases)
	@$(COMPILE) --extra dev --output-file requirements.lock pyproject.toml
	@$(COMPILE) --group notebooks --constraint requirements.lock --output-file requirements-notebooks.lock
	@$(COMPILE) --group bench --constraint requirements.lock --output-file requirements-bench.lock
	@$(COMPILE) --group docs --constraint requirements.lock --output-file requirements-docs.lock

build/lock/bin/uv: Makefile
	@$(CHECK_PYTHON)
	@$(PYTHON) -m venv --clear build/lock
	@build/lock/bin/python -m pip --disable-pip-version-check install --quiet $(UV)

clean:  ## remove .venv, caches and what was built; reports stay
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src tests bench -name __pycache__ -type d -prune -exec rm -rf {} +

# Stamps, each written last, so that a broken-off set-up is done again. The first follows the
# lock (and the interpreter, which is missing when .venv is, or when its Python was removed), the
# second the project's own metadata, which is quick to install again. A checkout that was moved or
# copied took a .venv along that still runs the code of the old place: the first stamp says where.
ifneq ($(shell cat $(VENV)/locked.stamp 2>/dev/null),$(CURDIR))
.PHONY: $(VENV)/locked.stamp
endif

$(VENV)/locked.stamp: requirements.lock $(BIN)/python
	@$(CHECK_PYTHON)
	@echo "==> $(VENV): new virtual environment, $$($(PYTHON) --version)"
	@$(PYTHON) -m venv --clear $(VENV)
	@echo "==> $(VENV): $$(grep -c == requirements.lock) packages from requirements.lock, about half a minute ($(VENV)/install.log)"
	@$(LOCKED) requirements.lock $(QUIETLY)
	@$(COMPILED)
	@pwd -P > $@

$(VENV)/project.stamp: pyproject.toml $(VENV)/locked.stamp
	@rm -f $@
	@echo "==> $(VENV): intlmodels itself, editable"
	@$(PIP) --quiet --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -qq src/intlmodels
	@touch $@

# Jupyter, what `make bench` measures against, and what `make docs` builds with, beside the rest:
# versions of what several need are the same, and are not installed again.
$(VENV)/notebooks.stamp $(VENV)/bench.stamp $(VENV)/docs.stamp: $(VENV)/%.stamp: requirements-%.lock $(VENV)/project.stamp
	@rm -f $@
	@echo "==> $(VENV): packages from requirements-$*.lock"
	@$(LOCKED) requirements-$*.lock $(QUIETLY)
	@$(COMPILED)
	@touch $@

$(BIN)/python: ;

# Prints what $(PYTHON) is; plain enough to run on whatever Python that may be.
define PROBE
import sys
if not (3, 12) <= sys.version_info[:2] <= (3, 14):
    print("is Python %d.%d" % sys.version_info[:2])
else:
    try:
        import ensurepip, venv
        print("good")
    except ImportError:
        print("lacks venv")
endef
export PROBE

CHECK_PYTHON = found=$$($(PYTHON) -c "$$PROBE") || found="does not run here"; \
	case "$$found" in \
	good) exit 0 ;; \
	"lacks venv") mend="On Debian and Ubuntu: apt install python3-venv" ;; \
	*) mend="intlmodels needs Python 3.12, 3.13 or 3.14; name one that is installed, for example: make PYTHON=python3.13 $(or $(firstword $(MAKECMDGOALS)),setup)" ;; \
	esac; \
	echo "error: $(PYTHON) $$found. $$mend" >&2; exit 1
