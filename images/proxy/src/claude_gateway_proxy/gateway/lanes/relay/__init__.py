"""The relay lane: an upstream that speaks the caller's own format gets the caller's own bytes."""
