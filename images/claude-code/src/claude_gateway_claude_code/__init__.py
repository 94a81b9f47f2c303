"""Claude Code as a model backend: each request is one turn of the genuine CLI."""
