"""What requests used and cost together."""

from dataclasses import dataclass


@dataclass(slots=True)
class Sum:
    """A sum of requests; ``cost`` is in nanodollars, ``estimated`` the part of it that is an estimate."""

    requests: int = 0
    cost: int = 0
    estimated: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_creation_tokens: int = 0

    def add(self, other: "Sum") -> None:
        """Add another sum."""
        self.requests += other.requests
        self.cost += other.cost
        self.estimated += other.estimated
        self.input_tokens += other.input_tokens
        self.output_tokens += other.output_tokens
        self.cache_read_tokens += other.cache_read_tokens
        self.cache_creation_tokens += other.cache_creation_tokens
