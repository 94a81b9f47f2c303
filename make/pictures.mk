# The README's pictures. Included by the Makefile. `make generate` draws them of what is recorded.

.PHONY: recording
recording: setup .clients/claude-code-newest/.ready ## Record the README's terminal again, and draw it (docs/images)
	$(BIN)/python -m tests.support.clients.recording
	@$(MAKE) --no-print-directory generate
