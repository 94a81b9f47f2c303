"""Message Batches: each is created at one target, stays there, and can be found only by its creator."""
