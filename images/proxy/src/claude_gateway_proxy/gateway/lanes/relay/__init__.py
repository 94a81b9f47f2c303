"""The relay lane: an upstream of the caller's format gets the caller's bytes, spliced only where needed."""
