# `make demo` and `make test` need Python >= 3.11 and make, nothing else; both build .venv on first use.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON  ?=
WORKERS ?= 2
ARGS    ?=

# Containers often set it. Tests start the command hundreds of times: each would compile all modules anew.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
BIN  := $(VENV)/bin
PIP  := $(BIN)/python -m pip --disable-pip-version-check --quiet

# A command of that name may exist without working (pyenv shims, Debian without python3-venv): each candidate must prove itself.
FIND_PYTHON = for p in $(PYTHON) python3.13 python3.12 python3.11 python3 python; do \
	  $$p -c 'import ensurepip, sys, venv; assert sys.version_info >= (3, 11)' >/dev/null 2>&1 && echo $$p && exit 0; \
	done; \
	echo "streamcheck needs Python >= 3.11 with venv (Debian, Ubuntu: apt install python3-venv), or: make PYTHON=/path/to/python" >&2; \
	exit 1

.PHONY: help demo test faults lint chromium prometheus bench bench-hostile evaluate kafka demo-kafka docs release clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.run ## simulated payments stream with incidents, no broker, about a minute (ARGS=--serve keeps it up)
	@$(BIN)/streamcheck demo $(ARGS)

test: lint chromium prometheus ## lint, types, all tests (ARGS='-k word' narrows them, WORKERS=n sets the processes)
	@echo "pytest, $(WORKERS) processes"
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup --durations=10 $(ARGS)

faults: $(VENV)/.dev ## kill, freeze and starve it for half an hour, and print what came of it (ARGS=sigkill narrows)
	@$(BIN)/python -m pytest tests/faults --long --durations=0 $(if $(ARGS),-k '$(ARGS)')

lint: $(VENV)/.dev ## ruff and mypy
	@echo "ruff"
	@$(BIN)/ruff check --quiet .
	@echo "mypy"
	@$(BIN)/mypy

# Pages are opened in a real browser, rules and gauges read by the real Prometheus. CI, as root on Debian, gets its own;
# elsewhere the tests say loudly that they were skipped.
define INSTALL_IN_CI
@for p in $(1); do command -v $$p >/dev/null && exit 0; done; \
	{ [ "$$CI" = true ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; } || exit 0; \
	echo "installing $(2)"; \
	{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $(2); } \
	  >/dev/null || echo "$(2) could not be installed: the tests that need it are skipped" >&2
endef

chromium: ## install Chromium for the tests of pages, where CI runs as root with apt
	$(call INSTALL_IN_CI,chromium chromium-browser google-chrome google-chrome-stable,chromium fonts-dejavu-core)

prometheus: ## install Prometheus and Alertmanager for the tests, where CI runs as root with apt
	$(call INSTALL_IN_CI,prometheus,prometheus prometheus-alertmanager)

bench: $(VENV)/.run ## events per second beside loops and peers, same broker, same run (ARGS='files' …: bench/README.md)
	@$(BIN)/python -m bench $(ARGS)

evaluate: $(VENV)/.run ## is the false-alarm budget kept, how soon is a change seen: hours, in pieces (ARGS='null --minutes 20' …: evaluate/README.md)
	@$(BIN)/python -m evaluate $(if $(ARGS),run $(ARGS))

bench-hostile: $(VENV)/.run ## what one malformed event in ten costs, and whether it changes anything
	@$(BIN)/python -m bench hostile $(ARGS)

kafka: $(VENV)/.run ## start a local broker for trying things out (needs Java 17 and Maven)
	@$(BIN)/python tools/kafka_cluster.py $(ARGS)

demo-kafka: $(VENV)/.run ## the demo through a real broker
	@$(BIN)/python tools/demo_kafka.py $(ARGS)

docs: $(VENV)/.run ## regenerate the reference pages of docs/ from the code
	@$(BIN)/python tools/gen_docs.py

release: $(VENV)/.dev ## wheel, source archive, SBOM and checksums into dist/, each checked (ARGS=--final: only what is committed)
	@$(BIN)/python tools/release.py $(ARGS)

clean: ## remove what the targets above made
	rm -rf $(VENV) .peers build dist var .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Stamps inside the environment vanish with it; each is touched last, so an interrupted installation starts again.
$(VENV)/.run: pyproject.toml
	@python=$$($(FIND_PYTHON)) && \
	{ $(BIN)/python -m pip --version >/dev/null 2>&1 || \
	  { echo "making $(VENV) with $$($$python --version)" && $$python -m venv --clear $(VENV); }; }
	@echo "installing streamcheck (once; repeated when pyproject.toml changes)"
	@$(PIP) install --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	@echo "installing test tools"
	@$(PIP) install --editable '.[dev]'
	@touch $@
