# make demo and make test are all a newcomer needs; both install first, into .venv: the first osbench alone, the second
# also what tests, lint and the documentation need.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEV := $(VENV)/.developer

.PHONY: help install demo test test-processors test-all lint docs release bench bench-generate bench-gpu zoo zoo-all packaged-run new-sources reference scale clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

# torch goes in first and by exact version: a range would pull several gigabytes of another build.
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q "$$(grep '^torch==' constraints.txt)"
	$(BIN)/pip install -q -c constraints.txt --config-settings editable_mode=compat -e .
	@touch $@

$(DEV): $(STAMP)
	$(BIN)/pip install -q -c constraints.txt --config-settings editable_mode=compat -e ".[dev]"
	@touch $@

install: $(DEV)  ## create .venv and install osbench with the tools of a developer

demo: $(STAMP)  ## install, then the whole pipeline on the embedded suite mini-matched; the board is in build/demo/leaderboard
	$(BIN)/osbench run mini-matched --out build/demo

test: $(DEV)  ## the test suite (under 10 minutes on 2 cores)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

# Two settings of oneDNN and of torch's own kernels: what a processor without AVX-512 and AMX computes.
test-processors: $(DEV)  ## the numeric tests once more as an older processor computes them (under 2 minutes)
	OMP_NUM_THREADS=1 ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2 $(BIN)/python -m pytest -n 2 -m "numeric and not slow"

test-all: $(DEV)  ## the test suite and the longer checks
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m ""

lint: $(DEV)  ## ruff, pyright, and what the folders promise about each other
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m tests.layout
	$(BIN)/pyright --pythonpath $(BIN)/python

docs: $(DEV)  ## the documentation, into build/docs/index.html; a broken link is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict
	@echo "build/docs/index.html"

release: $(DEV)  ## check and build a release into build/release; PUSH=1 also makes the tag and pushes it
	PYTHON=$(BIN)/python PUSH=$(PUSH) .ci/release

bench: $(DEV)  ## speed ratios against the public way of doing the same work, into build/bench.json
	OMP_NUM_THREADS=2 $(BIN)/python -m tests.bench

bench-generate: $(DEV)  ## images per second of every family against a straightforward loop, into build/bench-generate.json
	$(BIN)/python -m tests.bench_generate

bench-gpu: $(DEV)  ## throughput of families and of training on a GPU, into build/bench-gpu.json
	$(BIN)/python -m tests.bench_gpu

MODEL ?= stylegan2/landscape
DEVICE ?= auto
JOBS ?= 2
TRAINING = $(BIN)/python -m osbench.generation.training --device $(DEVICE)
zoo: $(STAMP)  ## train one model of the zoo: make zoo MODEL=stylegan2/landscape MINUTES=2 DEVICE=cpu
	$(TRAINING) $(if $(SUITE),--suite $(SUITE)) redo $(MODEL) $(if $(MINUTES),--minutes $(MINUTES))

# The pictures must be packed before (generation/training/README.md). MINUTES: of each model, instead of the plan's.
LARGE = $(or $(SUITE),mini-v2)
zoo-all: $(STAMP)  ## train, export and measure every model of a suite: make zoo-all SUITE=mini-v2 DEVICE=cuda JOBS=7
	$(TRAINING) --suite $(LARGE) all --jobs $(JOBS) $(if $(MINUTES),--minutes $(MINUTES))
	$(TRAINING) --suite $(LARGE) export
	$(TRAINING) --suite $(LARGE) card $(if $(filter mini-v2,$(LARGE)),--previous generation/zoo)

# COUNT images per source, SEEDS seeds, JOBS fits at a time; EPOCHS of every method instead of its own. Its parts resume.
# The folds of protocol rotate, most of the fits, come last.
SCALE := build/scale
COUNT ?= 10000
SEEDS ?= 3
ON = $(or $(filter-out auto,$(DEVICE)),cpu)
FITS = --device $(ON) --seeds $(SEEDS) --jobs $(JOBS) $(if $(EPOCHS),--epochs $(EPOCHS)) --data $(SCALE)/data
scale: $(STAMP)  ## the experiments in the paper's size: make scale SUITE=mini-v2 DEVICE=cuda COUNT=10000 SEEDS=3 JOBS=8
	$(BIN)/osbench generate --suite $(LARGE) --count $(COUNT) --workers $(JOBS) --device $(ON) --out $(SCALE)/data
	for name in reference fang2023-table3 fang2023-table2 rotate; do \
		$(BIN)/osbench run $$name $(FITS) --results $(SCALE) --out $(SCALE)/$$name || exit 1; done

PACKAGED := build/packaged-run
packaged-run: $(STAMP)  ## the run that comes with osbench, fitted anew on 200 pictures of each source of mini-matched
	$(BIN)/osbench generate --suite mini-matched --count 200 --out $(PACKAGED)/data
	$(BIN)/python -m osbench.baselines.packaged_run $(PACKAGED)/data

NEW := build/new-sources
new-sources: $(STAMP)  ## what enroll and discover are worth, on every choice of two unseen generators; into RESULTS.md (about 20 minutes)
	$(BIN)/osbench generate --suite mini --out $(NEW)/data
	$(BIN)/python -m osbench.benchmark.new_sources osbench-1 --data $(NEW)/data --out $(NEW)/parts --results baselines

REFERENCE := --data build/reference/data --results baselines
reference: $(STAMP)  ## hours: all methods with three seeds, the paper's tables, then README's table, RESULTS.md, DATASET_CARD.md
	$(BIN)/osbench generate --suite mini-matched --out build/reference/matched
	$(BIN)/osbench audit build/reference/matched --protocol cross-weights --results baselines
	cp build/reference/matched/README.md DATASET_CARD.md
	$(BIN)/osbench generate --suite mini --out build/reference/data
	$(BIN)/osbench audit build/reference/data --protocol fang2023 --results baselines || true  # its gates fail, see RESULTS.md
	for name in reference fang2023-table3 fang2023-table2; do \
		$(BIN)/osbench run $$name $(REFERENCE) --out build/reference/$$name || exit 1; done
	$(BIN)/python -m osbench.leaderboard.readme build/reference/reference/leaderboard README.md mini

clean:  ## remove what was built (not .venv)
	rm -rf build
