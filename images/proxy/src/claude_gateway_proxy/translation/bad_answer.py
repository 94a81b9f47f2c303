"""What is wrong with an upstream's answer that came with a status of success."""

from typing import Any


class BadAnswer(Exception):  # noqa: N818 - a verdict on an answer
    """An upstream's answer that is not a complete answer. Its text is for the user, and never a library's."""


class Broken(BadAnswer):
    """The answer is empty, ends before its end, is too large, or is not an answer at all, such as a web page."""


class Reported(BadAnswer):
    """The upstream reports an error instead of an answer, or in the middle of one.

    ``document`` is the report as it came; ``status`` is the HTTP status that it stands for.
    """

    def __init__(self, message: str, *, status: int, document: Any = None) -> None:
        """Store the upstream's message, which may contain anything, including keys: callers must mask it."""
        super().__init__(message)
        self.status = status
        self.document = document
