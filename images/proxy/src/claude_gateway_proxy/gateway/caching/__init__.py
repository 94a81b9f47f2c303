"""The response cache: repeats answers to the same client for the same request, if a route enables it."""
