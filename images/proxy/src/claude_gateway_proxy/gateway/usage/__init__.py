"""Usage events: one record per request, kept on disk until its sink has acknowledged it."""
