"""Messages as Chat Completions, and the answers back."""
