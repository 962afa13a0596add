# `make demo`, `make test` and `make page` are complete: each sets up what it needs.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
RUN := $(VENV)/bin/python

GRADIO ?= 4

.PHONY: setup demo page test lint bench soak mutants clean

setup: $(VENV)/ready-test .venv-gradio3/ready-gradio3 .venv-gradio4/ready-gradio4 .venv-mediapipe/ready-mediapipe

.venv-gradio3/ready-gradio3: requirements/gradio3.txt
	@$(PYTHON) tools/set_up.py $(@D) --for gradio3

.venv-gradio4/ready-gradio4: requirements/gradio4.txt
	@$(PYTHON) tools/set_up.py $(@D) --for gradio4

.venv-mediapipe/ready-mediapipe: requirements/mediapipe.txt
	@$(PYTHON) tools/set_up.py $(@D) --for mediapipe

$(VENV)/ready-demo: requirements/core.txt requirements/torch.txt requirements/torch-no-deps.txt tools/set_up.py
	@$(PYTHON) tools/set_up.py $(VENV) --for demo || test $$? -eq 1

$(VENV)/ready-test: requirements/core.txt requirements/torch.txt requirements/torch-no-deps.txt requirements/test.txt requirements/lint.txt requirements/browser.txt requirements/onnx.txt tools/set_up.py tools/fetch_weights.py
	@$(PYTHON) tools/set_up.py $(VENV) --for test

demo: $(VENV)/ready-demo
	@$(RUN) tools/demo.py $(if $(ONCE),--once)

# The accordion in a stand-in web UI, on the gradio of Forge (4) or of A1111 (GRADIO=3).
page: .venv-gradio$(GRADIO)/ready-gradio$(GRADIO)
	@.venv-gradio$(GRADIO)/bin/python tools/page.py

# The environments two at a time: each waits for its downloads half of the while.
test:
	@$(MAKE) --no-print-directory -j2 setup
	@$(MAKE) --no-print-directory lint
	@$(PYTHON) tools/run_tests.py

lint: setup
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@$(RUN) -m mypy
	@$(VENV)/bin/lint-imports

bench: setup
	@$(RUN) bench/pipeline.py $(if $(JSON),--json)

soak: setup
	@$(RUN) bench/soak.py
	@$(RUN) bench/kills.py
	@FINISHER_FUZZ_EXAMPLES=$(or $(FUZZ),5000) $(RUN) -m pytest tests/fuzz
	@$(RUN) -m tests.faults.fault_matrix
	@$(RUN) -m tests.faults.random_recipes

# Faults in a room's code and how many its tests let live: ROOM=store, COUNT=200, SEED=0, MINUTES=60.
mutants: setup .venv-mutants/ready
	@.venv-mutants/bin/python bench/mutants.py $(or $(ROOM),store) --count $(or $(COUNT),200) --seed $(or $(SEED),0) \
	  --minutes $(or $(MINUTES),60)

.venv-mutants/ready: requirements/mutants.txt
	@$(PYTHON) -m venv $(@D) && $(@D)/bin/pip install --quiet -r $< && touch $@

clean:
	rm -rf $(VENV) .venv-* out .cache .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
