"""Has a route's judge judge tool calls: one request of the gateway's own, on the judge's route and lanes.

It runs as the client whose answer is judged, so that its cost counts for that client. The client needs no
permission for the judge's model, because the owner of the route chose it.
"""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from claude_gateway.contract.route import Route
from claude_gateway.contract.target import Format, Wire
from claude_gateway_proxy.gateway.body.document import parse
from claude_gateway_proxy.gateway.body.facts import Facts
from claude_gateway_proxy.gateway.call import Call
from claude_gateway_proxy.gateway.errors import Failure
from claude_gateway_proxy.gateway.safeguards import prompt
from claude_gateway_proxy.gateway.safeguards.calls import ToolCall
from claude_gateway_proxy.gateway.safeguards.request import document
from claude_gateway_proxy.gateway.safeguards.results import Reason
from claude_gateway_proxy.gateway.telemetry.outcome import By, outcome
from claude_gateway_proxy.gateway.telemetry.record import CLIENT_GONE, Record
from claude_gateway_runtime.asgi import Message, Receive, Send

SECONDS: Final = 60.0
"""How long a judge may take."""

ANSWER_LIMIT: Final = 256 * 1024
"""The most bytes of a judge's answer that are read."""

_HEADERS: Final = ((b"content-type", b"application/json"), (b"anthropic-version", b"2023-06-01"))
_PASSING: Final = frozenset({408, 409, 425, 429})

Ask = Callable[[Call, Receive, Send], Awaitable[None]]
"""Answers a routed request: ``Exchange.answer``."""

ToolVerdicts = dict[int, prompt.ToolVerdict]


@dataclass(slots=True)
class _CapturedAnswer:
    """An answer as it is sent to us."""

    status: int = 0
    parts: list[bytes] = field(default_factory=list)
    size: int = 0
    complete: bool = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            return
        part = message.get("body", b"")
        self.size += len(part)
        if self.size <= ANSWER_LIMIT:
            self.parts.append(part)
        self.complete = not message.get("more_body", False)


async def ask_judge(
    calls: Sequence[ToolCall], *, call: Call, route: Route, context: Mapping[str, Any], ask: Ask
) -> ToolVerdicts | Reason:
    """Return verdicts by call number from 1, or why there are none; a call without a usable verdict is left out.

    ``call`` is the request whose answer has these calls, ``route`` the judge's.
    """
    text = document(call.body, context=context, calls=calls)
    if len(text) > prompt.DOCUMENT_LIMIT:
        return {}
    token = secrets.token_hex(12)
    model = call.route.safeguards_model or ""
    captured = _CapturedAnswer()
    inner = _call(prompt.request(model, text, token=token), call=call, route=route)
    # Half of the silence that the answer itself may have, so that a judge cannot make it fail.
    limit = min(SECONDS, call.route.timeouts.idle / 2)
    failure = await _answered(inner, captured, ask=ask, limit=limit)
    if failure is not None:
        return failure
    if captured.status != 200:
        return "error" if captured.status in _PASSING or captured.status >= 500 else {}
    if not captured.complete:
        return "error"
    if captured.size > ANSWER_LIMIT:
        return {}
    return prompt.verdicts(b"".join(captured.parts), token=token, count=len(calls))


def _call(raw: bytes, *, call: Call, route: Route) -> Call:
    body = parse(raw)
    record = Record(
        wire=Wire.ANTHROPIC,
        format=Format.MESSAGES,
        started=time.monotonic(),
        client=call.client.name,
        user=call.record.user,
        team=call.record.team,
        proof=call.record.proof,
        route=route.name,
        model=body.model,
        session=call.record.session,
        judges=call.record,
        bytes_in=len(raw),
    )
    call.record.asides.append(record)
    # Without the client's own login at an upstream, which was not sent for this purpose.
    return msgspec.structs.replace(
        call,
        wire=Wire.ANTHROPIC,
        format=Format.MESSAGES,
        path="/v1/messages",
        query=b"",
        headers=_HEADERS,
        login=(),
        raw=raw,
        facts=Facts(body, _HEADERS),
        frames=None,
        # Without its rules, which are about requests of clients.
        route=route.model_copy(update={"rules": ()}) if route.rules else route,
        record=record,
        origin=call,
    )


async def _answered(inner: Call, captured: _CapturedAnswer, *, ask: Ask, limit: float) -> Reason | None:
    """Run the request to its end, and return why there is no answer."""
    record = inner.record
    try:
        async with asyncio.timeout(limit):
            await ask(inner, _nobody_leaves, captured.send)
    except TimeoutError:
        record.status, record.outcome = record.status or 504, outcome(By.JUDGE, status=504)
        return "timeout"
    except Failure as failure:
        record.status = failure.status
        if record.outcome == "ok":
            record.outcome = outcome(By.JUDGE, status=failure.status)
        return "timeout" if failure.status == 504 else "error"
    except asyncio.CancelledError:
        record.status, record.outcome = record.status or CLIENT_GONE, outcome(By.CLIENT)
        raise
    return None


async def _nobody_leaves() -> Message:
    await asyncio.Event().wait()
    raise AssertionError("the event is never set")
