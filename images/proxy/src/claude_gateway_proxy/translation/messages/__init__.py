"""The Messages format: Claude Code's dialect in, plain requests to read, and answers written event by event."""
