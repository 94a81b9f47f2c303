"""Adds verdicts to an answer: reads its events on their way, and delays only the last one."""

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import msgspec

from claude_gateway.contract.target import Format
from claude_gateway.contract.tenancy import namespace_of
from claude_gateway_proxy.gateway.answer import Answer
from claude_gateway_proxy.gateway.call import Call
from claude_gateway_proxy.gateway.safeguards.calls import ToolCall, of_message
from claude_gateway_proxy.gateway.safeguards.judge import Ask, ask_judge
from claude_gateway_proxy.gateway.safeguards.request import SafeguardsRequest, runs_unchecked, safeguards_request
from claude_gateway_proxy.gateway.safeguards.results import Json, judged, results, unavailable, unsupported
from claude_gateway_proxy.gateway.safeguards.stream import Guarded
from claude_gateway_runtime.logs import unexpected

_log: Final = logging.getLogger(__name__)

_MEMBER: Final = "safeguard_results"


async def guard(answer: Answer, *, call: Call, upstream_done: Callable[[], None], ask: Ask) -> Answer:
    """Return the answer with verdicts on its tool calls, if the request asks for them.

    It is for lanes that do not support safeguards themselves. ``upstream_done`` is called when the upstream's answer
    is complete, and ``ask`` answers the judge's request.
    """
    wanted = safeguards_request(call.body) if call.format is Format.MESSAGES else None
    if wanted is None or not answer.plain:
        return answer

    async def verdicts(calls: Sequence[ToolCall]) -> list[Json]:
        upstream_done()
        return results(wanted.kinds, await _status(calls, call=call, wanted=wanted, ask=ask))

    if answer.events:
        guarded = Guarded(answer.read, answer.head, member=_MEMBER, verdicts=verdicts)
        return msgspec.structs.replace(answer, head=guarded.ready(), read=guarded.read, pipe=None)
    if answer.complete:
        return msgspec.structs.replace(answer, head=await _message(answer.head, verdicts))
    return answer


async def _message(body: bytes, verdicts: Callable[[Sequence[ToolCall]], Awaitable[list[Json]]]) -> bytes:
    """Return a whole message with its verdicts; anything else unchanged."""
    try:
        message = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return body
    if not isinstance(message, dict) or message.get("type") != "message":
        return body
    message[_MEMBER] = await verdicts(of_message(message))
    return msgspec.json.encode(message)


async def _status(calls: Sequence[ToolCall], *, call: Call, wanted: SafeguardsRequest, ask: Ask) -> dict[str, Any]:
    """Judge the tool calls of one answer, record the outcome, and return the status for the client."""
    record, model = call.record, call.route.safeguards_model
    # Only what clients of the route's own namespace may use: its owner can spend no other namespace's credential.
    namespace = namespace_of(call.route.name)
    route = None if model is None else call.snapshot.routing.route(model, namespace=namespace)
    if route is None:
        record.verdicts += ["unsupported"] * len(calls)
        return unsupported()
    # Two calls with one id cannot be distinguished: a verdict on one would be applied to the other.
    ids = Counter(each.id for each in calls)
    to_judge = [
        each
        for each in calls
        if each.input is not None and ids[each.id] == 1 and not runs_unchecked(each, wanted.context)
    ]
    if not to_judge:
        return judged((), {})
    try:
        verdicts = await ask_judge(to_judge, call=call, route=route, context=wanted.context, ask=ask)
    except Exception as error:
        unexpected(_log, "judging_failed", error, request_id=record.request_id)
        verdicts = "error"
    if isinstance(verdicts, str):
        record.verdicts += ["unavailable"] * len(to_judge)
        return unavailable(to_judge, verdicts)
    for number in range(1, len(to_judge) + 1):
        verdict = verdicts.get(number)
        record.verdicts.append("undecided" if verdict is None else "flagged" if verdict.flagged else "not_flagged")
    return judged(to_judge, verdicts)
