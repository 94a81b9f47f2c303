"""The agent: takes the bundle from a source, verifies it, swaps it into the run directory and reports what is live."""
