# The newest clients and LiteLLM against the tests. Included by the Makefile.

NEWEST := .artifacts/newest

.PHONY: newest
newest: setup ## Take the newest LiteLLM and clients into the pins, test with them, report in .artifacts/newest (needs npm)
	$(BIN)/python -m tools.newest pin
	@$(MAKE) --no-print-directory setup setup-clients
	$(BIN)/python -m tools.newest test

.PHONY: newest-report
newest-report: ## Open an issue with what .artifacts/newest says, and a pull request with its pins (needs gh)
	$(PYTHON) -m tools.newest publish
