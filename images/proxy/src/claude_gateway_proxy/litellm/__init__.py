"""The LiteLLM worker: format translation behind a Unix socket, by LiteLLM's public functions."""
