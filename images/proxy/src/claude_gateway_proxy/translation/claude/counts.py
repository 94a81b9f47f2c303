"""Claude's token counts, and the same in the places where OpenAI's formats have them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class Counts:
    """Tokens of one answer; the first three are disjoint. ``thought`` are those of ``output`` that went to thinking."""

    input: int = 0
    cache_read: int = 0
    cache_written: int = 0
    output: int = 0
    thought: int = 0

    def take(self, usage: object) -> None:
        """Take over the counts of a usage object; what it does not name stays as it was."""
        if not isinstance(usage, Mapping):
            return
        self.input = _count(usage, "input_tokens", self.input)
        self.cache_read = _count(usage, "cache_read_input_tokens", self.cache_read)
        self.cache_written = _count(usage, "cache_creation_input_tokens", self.cache_written)
        self.output = _count(usage, "output_tokens", self.output)
        details = usage.get("output_tokens_details")
        if isinstance(details, Mapping):
            self.thought = _count(details, "thinking_tokens", self.thought)

    @property
    def sent(self) -> int:
        """All tokens of the prompt."""
        return self.input + self.cache_read + self.cache_written

    def of_chat(self) -> dict[str, Any]:
        """Return ``usage`` of Chat Completions."""
        return {
            "prompt_tokens": self.sent,
            "completion_tokens": self.output,
            "total_tokens": self.sent + self.output,
            "prompt_tokens_details": {"cached_tokens": self.cache_read, "cache_write_tokens": self.cache_written},
            "completion_tokens_details": {"reasoning_tokens": self.thought},
        }

    def of_responses(self) -> dict[str, Any]:
        """Return ``usage`` of Responses."""
        return {
            "input_tokens": self.sent,
            "input_tokens_details": {"cached_tokens": self.cache_read, "cache_write_tokens": self.cache_written},
            "output_tokens": self.output,
            "output_tokens_details": {"reasoning_tokens": self.thought},
            "total_tokens": self.sent + self.output,
        }


def _count(usage: Mapping[str, object], key: str, before: int) -> int:
    value = usage.get(key)
    return value if type(value) is int and value >= 0 else before
