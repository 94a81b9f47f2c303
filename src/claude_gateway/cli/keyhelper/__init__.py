"""``key-helper``: prints a fresh key for Claude Code's ``apiKeyHelper``."""
