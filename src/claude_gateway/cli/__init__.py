"""The command line: ``claude-gateway`` and its commands; the only part of this package that does I/O."""
