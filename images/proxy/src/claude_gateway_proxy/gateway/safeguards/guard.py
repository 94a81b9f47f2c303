"""Puts verdicts into an answer: reads it as it passes by, and holds back only what closes it."""

import dataclasses
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import msgspec

from claude_gateway.contract.policy import Format
from claude_gateway_proxy.gateway.attempt import Answer
from claude_gateway_proxy.gateway.call import Call
from claude_gateway_proxy.gateway.safeguards.asked import Asked, asked, unchecked
from claude_gateway_proxy.gateway.safeguards.calls import ToolCall, of_message
from claude_gateway_proxy.gateway.safeguards.judge import Ask, judge
from claude_gateway_proxy.gateway.safeguards.results import Json, judged, results, unavailable, unsupported
from claude_gateway_proxy.gateway.safeguards.stream import Guarded
from claude_gateway_runtime.logs import unexpected

_log: Final = logging.getLogger(__name__)

_MEMBER: Final = "safeguard_results"


async def guard(answer: Answer, *, call: Call, heard: Callable[[], None], ask: Ask) -> Answer:
    """Give the answer with verdicts, where the request asks for them and the target cannot give them by itself.

    ``heard`` is called when the upstream has said its last word, ``ask`` answers the judge's request. Answers of the
    relay lane are left as they are: what is behind it speaks for itself.
    """
    wanted = asked(call.body) if call.format is Format.MESSAGES and call.record.lane == "litellm" else None
    if wanted is None or not answer.plain:
        return answer

    async def verdicts(calls: Sequence[ToolCall]) -> list[Json]:
        heard()
        return results(wanted.kinds, await _status(calls, call=call, wanted=wanted, ask=ask))

    if answer.events:
        guarded = Guarded(answer.read, answer.head, member=_MEMBER, verdicts=verdicts)
        return dataclasses.replace(answer, head=guarded.ready(), read=guarded.read)
    if answer.complete:
        return dataclasses.replace(answer, head=await _message(answer.head, verdicts))
    return answer


async def _message(body: bytes, verdicts: Callable[[Sequence[ToolCall]], Awaitable[list[Json]]]) -> bytes:
    """A whole message with its verdicts; anything else as it is."""
    try:
        message = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return body
    if not isinstance(message, dict) or message.get("type") != "message":
        return body
    message[_MEMBER] = await verdicts(of_message(message))
    return msgspec.json.encode(message)


async def _status(calls: Sequence[ToolCall], *, call: Call, wanted: Asked, ask: Ask) -> dict[str, Any]:
    """What is known about the tool calls of one answer, and a note of it in the record."""
    record, model = call.record, call.route.safeguards_model
    route = None if model is None else call.snapshot.routing.route(model)
    if route is None:
        record.verdicts += ["unsupported"] * len(calls)
        return unsupported()
    # Two calls with one id cannot be told apart: a verdict on the one would be taken for the other.
    ids = [each.id for each in calls]
    open_ = [
        each
        for each in calls
        if each.input is not None and ids.count(each.id) == 1 and not unchecked(each, wanted.context)
    ]
    if not open_:
        return judged((), {})
    try:
        said = await judge(open_, call=call, route=route, context=wanted.context, ask=ask)
    except Exception as error:
        unexpected(_log, "judging_failed", error, request_id=record.request_id)
        said = "error"
    if isinstance(said, str):
        record.verdicts += ["unavailable"] * len(open_)
        return unavailable(open_, said)
    for number in range(1, len(open_) + 1):
        verdict = said.get(number)
        record.verdicts.append("undecided" if verdict is None else "flagged" if verdict.flagged else "not_flagged")
    return judged(open_, said)
