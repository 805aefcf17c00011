# Two commands are all: `make dashboard` opens the workbench, `make test` runs its tests.
.PHONY: dashboard test test-all families fuzz check bench groundtruth scorecard screenshots model lock

PYTHON ?= python3
PORT ?= 8050
BIN := .venv/bin

dashboard: model
	$(BIN)/interp dashboard --port $(PORT)

# Three processes: two begin with the tests of the browser, which wait more than they work; the third runs beside them.
PYTEST := OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 $(BIN)/python -m pytest --durations 20 \
  -n 3 --no-loadscope-reorder

test: model .venv/.developer
	$(PYTEST)

# Also every family with every engine, and every option with every family.
test-all: model .venv/.developer
	$(PYTEST) -m ""

# What holds on which family, engine by engine: docs/models.md
families: .venv/.developer
	PYTHONPATH=tests $(BIN)/python -m families

# Ten thousand random command lines; more kinds and their counts: make fuzz FUZZ=--help
fuzz: .venv/.developer
	OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 PYTHONPATH=tests $(BIN)/python -m fuzz $(FUZZ)

check: .venv/.developer
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/oxlint --deny-warnings apps
	$(BIN)/oxfmt --check 'apps/**/*.js'
	$(BIN)/lint-imports
	$(BIN)/pyright

bench: model .venv/.developer
	HF_HUB_OFFLINE=1 $(BIN)/python -m analyses.benchmarks

# The compiled programs of known truth, again: the same files, byte by byte; and a trained one: the same accuracies.
groundtruth: .venv/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock --editable '.[groundtruth]'
	$(BIN)/python -m interp.groundtruth.build
	$(BIN)/python -m interp.groundtruth.written
	$(BIN)/interp train siit frac_prevs --out $$(mktemp -d)/frac_prevs

# How well every engine finds what is known: a quarter of an hour; stopped, it goes on. README's table: interp list --format scorecard
scorecard: .venv/.installed
	HF_HUB_OFFLINE=1 $(BIN)/interp run scorecard --resume --out interp/groundtruth/scorecard.nc > data/scorecard.csv.new
	mv data/scorecard.csv.new data/scorecard.csv

# The README's pictures, taken by the end-to-end tests.
screenshots: model .venv/.developer
	HF_HUB_OFFLINE=1 INTERP_SCREENSHOTS=1 $(BIN)/python -m pytest tests/end_to_end

model: .venv/.installed
	@$(BIN)/interp models pull smollm2-135m

.venv/.installed: pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name one with: make $(MAKECMDGOALS) PYTHON=python3.11" >&2; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock --editable .
	@touch $@

.venv/.developer: .venv/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock --editable '.[dev]'
	@touch $@

# Take today's versions: installs afresh without the lock file, then writes it.
lock:
	rm -rf .venv && $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet torch==2.13.0
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	$(BIN)/python -m pip freeze --exclude-editable | sed 's/+cpu$$//' > requirements.lock
