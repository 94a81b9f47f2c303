"""Whole answers that are given again to the same client for the same request, where a route asks for it."""
