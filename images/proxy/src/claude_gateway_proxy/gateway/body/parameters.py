"""What a route changes in a request: a lower output limit, and model settings that the client did not set.

The result is top-level changes for ``document.splice``, the same for every lane.
"""

from typing import Final

import msgspec

from claude_gateway.contract.target import CLAUDE_WIRES, Format, Target
from claude_gateway_proxy.gateway.body.document import Body
from claude_gateway_proxy.gateway.body.facts import Facts
from claude_gateway_proxy.operations import OPERATIONS

_LEAST_BUDGET: Final = 1024
"""The smallest thinking budget that Claude accepts (platform.claude.com, extended thinking)."""


def changes(target: Target, *, format: Format, facts: Facts) -> dict[str, bytes]:
    """Return the top-level values to set in a body for ``target``, as JSON texts; empty for most requests."""
    body = facts.body
    operation = OPERATIONS[format]
    if not operation.generates:
        return {}
    limits = operation.output_limits
    found: dict[str, bytes] = {}
    if target.max_output_tokens is not None:
        for key in limits:
            asked = body.limit(key)
            if asked is not None and asked > target.max_output_tokens:
                found[key] = b"%d" % target.max_output_tokens
                found |= _budget(facts, asked=asked, most=target.max_output_tokens)
        open_ended = format is not Format.MESSAGES and all(body.limit(key) is None for key in limits)
        if open_ended and target.wire in CLAUDE_WIRES:
            # Claude's APIs require a limit, which OpenAI clients need not send; LiteLLM would use the model's own.
            found[limits[0]] = b"%d" % target.max_output_tokens
    wanted = target.parameters
    if wanted.temperature is not None or wanted.top_p is not None:
        found |= _sampling(target, format=format, facts=facts)
    if wanted.reasoning_effort is not None:
        found |= _effort(wanted.reasoning_effort, format=format, body=body)
    return found


def _budget(facts: Facts, *, asked: int, most: int) -> dict[str, bytes]:
    """Lower the thinking budget with the output limit, which includes it, so that the answer keeps the same room.

    Claude rejects a budget that is not below the output limit, except for thinking between tool calls.
    """
    budget = facts.thinking.budget
    if budget is None or not most <= budget < asked or most <= _LEAST_BUDGET:
        return {}
    thinking = msgspec.json.decode(facts.body.value("thinking") or b"{}")
    lowered = max(_LEAST_BUDGET, most - (asked - budget))
    return {"thinking": msgspec.json.encode({**thinking, "budget_tokens": lowered})}


def _sampling(target: Target, *, format: Format, facts: Facts) -> dict[str, bytes]:
    body = facts.body
    if format is Format.MESSAGES and ({"temperature", "top_p"} & body.members.keys() or facts.thinking.enabled):
        return {}  # Anthropic rejects a temperature with thinking, and its newer models reject the two together
    settings = {"temperature": target.parameters.temperature, "top_p": target.parameters.top_p}
    return {
        key: msgspec.json.encode(value)
        for key, value in settings.items()
        if value is not None and key not in body.members
    }


def _effort(effort: str, *, format: Format, body: Body) -> dict[str, bytes]:
    text = msgspec.json.encode(effort)
    if format is Format.CHAT and "reasoning_effort" not in body.members:
        return {"reasoning_effort": text}
    if format is Format.RESPONSES and "reasoning" not in body.members:
        return {"reasoning": b'{"effort":%s}' % text}
    if format is Format.MESSAGES and not {"thinking", "output_config"} & body.members.keys():
        return {"output_config": b'{"effort":%s}' % text}
    return {}
