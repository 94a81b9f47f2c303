"""One process of Claude Code and its protocol of JSON lines; no other module knows that protocol.

A session is started, waits until a request comes, answers that one, and ends. What crosses the standard input and
output is the protocol of claude-agent-sdk: control requests with an answer each, and messages.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import msgspec

from claude_gateway_claude_code import failures
from claude_gateway_claude_code.command import Child, Command
from claude_gateway_claude_code.content import Json
from claude_gateway_claude_code.request import Turn
from claude_gateway_claude_code.shim import Pass, Shim
from claude_gateway_runtime.failure import Failure
from claude_gateway_runtime.logs import emit

_log: Final = logging.getLogger(__name__)
_REPLY_SECONDS: Final = 30
_SILENCE_SECONDS: Final = 630
"""Longer than Anthropic may be silent, so that the one who waits there ends first."""

_READY: Final = {"subtype": "mcp_status"}
"""Answered as soon as the process can take a request, and changes nothing."""
_HOOKS: Final = {"PreToolUse": [{"matcher": None, "hookCallbackIds": ["never"]}]}
_DEFER: Final = {"hookSpecificOutput": {"hookEventName": "PreToolUse", "permissionDecision": "defer"}}
_TOO_LONG: Final = "Prompt is too long"
_TOO_LARGE: Final = "Image base64 size"
"""How Claude Code begins its refusal of an image in the result of a tool that is larger than the API takes."""
_NO_RAW: Final = msgspec.Raw()

Event = tuple[str, bytes]
"""An event of Anthropic's stream: its type and its JSON."""


class _Line(msgspec.Struct):
    """What is used of one line of output."""

    type: str
    event: msgspec.Raw = _NO_RAW
    request_id: str | None = None  # also null: in messages about an answer that has no id
    request: msgspec.Raw = _NO_RAW
    response: msgspec.Raw = _NO_RAW
    result: msgspec.Raw = _NO_RAW
    is_error: bool = False


class _Kind(msgspec.Struct):
    type: str


class _Reply(msgspec.Struct):
    request_id: str
    subtype: str
    response: Json = {}


class _Request(msgspec.Struct):
    subtype: str


_lines: Final = msgspec.json.Decoder(_Line)
_kinds: Final = msgspec.json.Decoder(_Kind)
_replies: Final = msgspec.json.Decoder(_Reply)
_requests: Final = msgspec.json.Decoder(_Request)


class Session:
    """A process that waits for its one request. Made by ``start``; ``end`` it in any case."""

    def __init__(self, child: Child, allowed: Pass) -> None:
        """Speak with ``child``, which asks through ``allowed``."""
        self._child = child
        self._pass = allowed
        self._asked = 0
        # Once the answer is settled, the process is killed, and its output ends behind what it said before.
        allowed.on_settled(child.kill)

    @classmethod
    async def start(cls, command: Command, shim: Shim, *, login: str) -> "Session":
        """Start a process for this login and wait until it is ready. Raises Failure."""
        allowed = shim.open()
        try:
            child = await command.start(login=login, base_url=allowed.base_url)
        except OSError as error:
            allowed.close()
            emit(_log, "process_not_started", level=logging.ERROR, error=str(error))
            raise failures.not_started() from None
        except BaseException:
            allowed.close()
            raise
        session = cls(child, allowed)
        try:
            await session._control(_READY)
        except Failure:
            await session.end()
            raise failures.not_started() from None
        except BaseException:
            await session.end()
            raise
        return session

    @property
    def ready(self) -> bool:
        """Whether the process still waits."""
        return self._child.running

    @property
    def facts(self) -> Mapping[bytes, bytes]:
        """Anthropic's headers of an answer: the request's id and the limits of the login."""
        return self._pass.facts

    async def ask(self, turn: Turn, model: str) -> AsyncIterator[Event]:
        """Yield the events of the one call, from ``message_start`` to ``message_stop``. Raises Failure."""
        await self._prepare(turn, model, limit=turn.body)
        self._pass.allow("messages")
        await self._say(turn.messages[-1], now=True)
        while True:
            line = await self._next(_SILENCE_SECONDS)
            if line is None:
                raise self._pass.failure or failures.ended()
            if line.type == "result":
                raise self._pass.failure or _said(line)
            if line.type == "stream_event":
                kind = _kinds.decode(line.event).type
                yield kind, bytes(line.event)
                if kind == "message_stop":
                    return

    async def count(self, turn: Turn, model: str) -> int:
        """Return the tokens of the request, as Claude Code counts them: with Anthropic's count. Raises Failure."""
        # The tools are counted as text: Claude Code does not know what goes into its request as it is.
        tools = msgspec.json.encode(turn.body["tools"]).decode() if "tools" in turn.body else ""
        self._pass.allow("messages/count_tokens")
        await self._prepare(turn, model, more=tools)
        await self._say(turn.messages[-1], now=False)
        found = await self._control({"subtype": "get_context_usage"})
        total = found.get("totalTokens")
        if not isinstance(total, int):
            raise self._pass.failure or failures.ended()
        return total

    async def end(self) -> None:
        """Kill the process and remove what it left."""
        self._pass.close()
        await self._child.remove()

    async def _prepare(self, turn: Turn, model: str, *, limit: Json | None = None, more: str = "") -> None:
        """Send everything that comes before the last message."""
        system = [text for text in (turn.system, more) if text]
        begun = await self._control({"subtype": "initialize", "systemPrompt": system, "hooks": _HOOKS})
        environment = {"CLAUDE_CODE_EFFORT_LEVEL": "unset", "ANTHROPIC_BETAS": ",".join(turn.betas)}
        if limit:
            environment["CLAUDE_CODE_EXTRA_BODY"] = msgspec.json.encode(limit).decode()
        if not turn.thinks:
            environment["CLAUDE_CODE_DISABLE_THINKING"] = "1"
        # Not ``set_model``: it would try an unknown name with a call of its own.
        await self._control({"subtype": "apply_flag_settings", "settings": {"model": model, "env": environment}})
        resolved = _resolved(begun, model)
        for message in turn.messages[:-1]:
            if message["role"] == "user":
                await self._say(message, now=False)
            else:
                # Thinking is kept only if it is from the requested model.
                await self._send(
                    {"type": "assistant", "parent_tool_use_id": None, "message": {**message, "model": resolved}}
                )

    async def _say(self, message: Json, *, now: bool) -> None:
        """Send the user's turn; without ``now``, ask no answer, and wait until the CLI has taken it in."""
        # ``client_composed``: without it, `@path` would read a file and `/name` run a command.
        said = {"type": "user", "parent_tool_use_id": None, "client_composed": True, "message": message}
        await self._send(said if now else {**said, "shouldQuery": False})
        while not now:
            line = await self._next(_REPLY_SECONDS)
            if line is None:
                raise self._pass.failure or failures.ended()
            if line.type == "result":
                if line.is_error:
                    raise _said(line)
                return

    async def _control(self, request: Mapping[str, Any]) -> Json:
        """Send a control request and return its response. Raises Failure where the CLI refuses it."""
        self._asked += 1
        ident = str(self._asked)
        await self._send({"type": "control_request", "request_id": ident, "request": request})
        while True:
            line = await self._next(_REPLY_SECONDS)
            if line is None:
                raise self._pass.failure or failures.ended()
            if line.type != "control_response":
                continue
            reply = _replies.decode(line.response)
            if reply.request_id == ident:
                if reply.subtype != "success":
                    raise failures.refused_by_cli(f"it does not know {request['subtype']}")
                return reply.response

    async def _next(self, seconds: float) -> _Line | None:
        """Return the next line that is not a request to us; None at the end of the output. Raises Failure."""
        output = self._child.process.stdout
        assert output is not None  # noqa: S101 - it is a pipe
        try:
            async with asyncio.timeout(seconds):
                while data := await output.readline():
                    line = _lines.decode(data)
                    if line.type != "control_request":
                        return line
                    await self._answer(line)
        except TimeoutError:
            raise failures.silent() from None
        except ValueError:  # a line that is too long or not JSON
            raise failures.ended() from None
        return None

    async def _answer(self, line: _Line) -> None:
        """Answer what the CLI asks: a tool is never run, and nothing is allowed."""
        kind = _requests.decode(line.request).subtype
        answer: Json = _DEFER if kind == "hook_callback" else {"behavior": "deny", "message": "not allowed"}
        response = {"subtype": "success", "request_id": line.request_id, "response": answer}
        await self._send({"type": "control_response", "response": response})

    async def _send(self, message: Mapping[str, Any]) -> None:
        sink = self._child.process.stdin
        assert sink is not None  # noqa: S101 - it is a pipe
        try:
            sink.write(msgspec.json.encode(message) + b"\n")
            await sink.drain()
        except ConnectionError:
            raise self._pass.failure or failures.ended() from None


def _resolved(begun: Json, model: str) -> str:
    """Return the full name of a short model name, as the CLI says it."""
    models = begun.get("models")
    for known in models if isinstance(models, list) else ():
        if isinstance(known, dict) and known.get("value") == model:
            return str(known.get("resolvedModel", model))
    return model


def _said(line: _Line) -> Failure:
    """Return the failure of a result without a call: the CLI's own message."""
    try:
        said = msgspec.json.decode(line.result, type=str) if bytes(line.result) else ""
    except msgspec.DecodeError:
        said = ""
    if said.startswith(_TOO_LONG):
        return failures.too_long()
    return failures.invalid("messages", said) if said.startswith(_TOO_LARGE) else failures.refused_by_cli(said)
