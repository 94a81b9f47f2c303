"""Detects broken prompt caches: a conversation continued, and its cached tokens were paid for again."""

from typing import Final, NamedTuple

from claude_gateway_proxy.gateway.telemetry.record import Record
from claude_gateway_runtime.bounded_dict import BoundedDict

_MOST: Final = 10_000
"""The most conversations that are remembered: the latest."""
_LEAST: Final = 4096
"""The fewest cached tokens that count: vendors do not cache the shortest prompts."""
_SECONDS: Final = 300.0
"""The shortest time for which a vendor keeps a cache (platform.claude.com, prompt caching)."""


class _Cached(NamedTuple):
    tokens: int
    at: float


class PromptCaches:
    """The memory of one process, by client, session, agent and model."""

    def __init__(self) -> None:
        self._last: BoundedDict[tuple[str, str, str, str], _Cached] = BoundedDict(_MOST)

    def broke(self, record: Record, *, now: float) -> bool:
        """Record a request at its end, and return whether less than half of its conversation's cache was read.

        ``now`` is on the record's clock. A conversation that became shorter, as by compaction, did not break.
        """
        cached = record.cache_read_tokens + record.cache_creation_tokens
        if not record.session or not cached:
            return False
        key = (record.client, record.session[:128], record.agent[:128], record.billed_model)
        before = self._last.get(key)
        self._last[key] = _Cached(cached, now)
        if before is None or before.tokens < _LEAST or now - before.at > _SECONDS:
            return False
        return record.cache_read_tokens * 2 < before.tokens <= cached + record.input_tokens
