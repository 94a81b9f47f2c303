# What only hours, harm and measurements show: the soak, the chaos tests, what everything costs. Not in CI.

.PHONY: chaos
chaos: chaos-images ## Harm to the product in a kind cluster of its own; writes docs/reliability.md; KEEP=1, API_MINUTES=10
	CLAUDE_GATEWAY_SUITE=chaos E2E_KEEP=$(KEEP) CHAOS_API_MINUTES=$(or $(API_MINUTES),10) \
	  $(BIN)/python -m pytest -s -o timeout=2400 $(or $(TESTS),tests/chaos); \
	  code=$$?; $(MAKE) --no-print-directory generate && exit $$code

.PHONY: chaos-down
chaos-down: setup ## Delete the cluster of the chaos tests
	@CLAUDE_GATEWAY_SUITE=chaos $(E2E_CLUSTER) down

.PHONY: chaos-images
chaos-images: setup
	@CLAUDE_GATEWAY_SUITE=chaos $(E2E_CLUSTER) check
	@$(MAKE) --no-print-directory images image-e2e-clients TAG=chaos REVISION=chaos

.PHONY: costs
costs: setup ## Measure what routes, clients and pods cost into docs/capacity.json; writes docs/capacity.md
	$(BIN)/python -m tests.bench.costs
	@$(MAKE) --no-print-directory generate

MINUTES ?= 120
STREAMS ?= 1000

.PHONY: soak
soak: setup ## serve under STREAMS open streams, edits and faults for MINUTES; writes docs/soak.md (2 hours by default)
	$(BIN)/python -m tests.soak --minutes $(MINUTES) --streams $(STREAMS) $(if $(NOTE),--note '$(NOTE)'); \
	  code=$$?; $(MAKE) --no-print-directory generate && exit $$code
