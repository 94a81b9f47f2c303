"""Plain Messages as requests of OpenAI's formats, and the answers back as Messages: pure functions over JSON values."""
