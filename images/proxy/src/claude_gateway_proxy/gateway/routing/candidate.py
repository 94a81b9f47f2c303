"""A target that a request can be sent to, and the lane that takes it there."""

from dataclasses import dataclass
from enum import StrEnum

from claude_gateway.contract.policy import Target


class LaneName(StrEnum):
    """The lanes that this gateway has; also the field ``lane`` of a request's log line."""

    RELAY = "relay"
    LITELLM = "litellm"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A target to try, with the name of its lane."""

    target: Target
    lane: str
