"""Translation between Anthropic Messages and OpenAI's formats: pure functions, no I/O."""
