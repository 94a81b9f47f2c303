"""The relay lane: an upstream that speaks the caller's format gets the caller's bytes, spliced only where needed."""
