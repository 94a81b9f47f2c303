"""Messages as OpenAI's Responses, and the answers back."""
