"""Message Batches: created at one target that keeps them, and found again there by their creator alone."""
