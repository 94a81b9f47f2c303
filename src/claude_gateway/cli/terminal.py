"""Text on a terminal."""


def printable(text: str) -> str:
    """Escape control characters, so that text from clients cannot control the terminal."""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)
