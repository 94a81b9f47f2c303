"""The content of a usage event: caller, target, usage and outcome; never the conversation or a secret."""

from typing import Final

from claude_gateway.contract.money import exact
from claude_gateway_proxy.gateway.telemetry.record import Record
from claude_gateway_runtime.clock import utc

Event = dict[str, object]

_TEXT: Final = 128
"""The most characters of a client's own text in an event."""


def begun(record: Record, *, ident: str, unix: float) -> Event:
    """Return what is known of a request at its beginning; it becomes the event if the process ends first."""
    return {
        "id": ident,
        "started_at": utc(unix),
        "request_id": record.request_id,
        "client": record.client,
        "user": record.user,
        "team": record.team,
        "route": record.route,
        "format": record.format.value,
        "model": record.model[:_TEXT],
        "session": record.session[:_TEXT],
        "batch": record.batch,
        "outcome": "interrupted",
    }


def ended(record: Record, *, ident: str, unix: float, now: float) -> Event:
    """Return the event of a request that ended at ``unix`` (Unix time), which is ``now`` on the record's clock."""
    return {
        **begun(record, ident=ident, unix=unix - (now - record.started)),
        "ended_at": utc(unix),
        "duration_ms": round((now - record.started) * 1000, 1),
        "ttft_ms": None if record.first_byte is None else round((record.first_byte - record.started) * 1000, 1),
        "target": record.target,
        "provider": record.provider,
        "billed_model": record.billed_model[:_TEXT],
        "agent": record.agent[:_TEXT],
        "agent_type": record.agent_type[:_TEXT],
        "request_class": record.request_class[:_TEXT],
        "stream": record.stream,
        "status": record.status,
        "outcome": record.outcome,
        "attempts": record.attempts,
        "input_tokens": record.input_tokens,
        "output_tokens": record.output_tokens,
        "cache_read_tokens": record.cache_read_tokens,
        "cache_creation_tokens": record.cache_creation_tokens,
        "cache_creation_1h_tokens": record.cache_creation_1h_tokens,
        "reasoning_tokens": record.reasoning_tokens,
        "web_searches": record.web_searches,
        "cost_usd": exact(record.cost),
        "cost_estimated": not record.cost_certain,
        "judges": "" if record.judges is None else record.judges.request_id,
        "mirrors": "" if record.mirrors is None else record.mirrors.request_id,
    }
