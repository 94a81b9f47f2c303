"""One request costs one call of Anthropic's API, whatever Claude Code would do by itself."""

import asyncio
import os
from pathlib import Path
from typing import Any, Final

import pytest
from tests.support.processes.backend import LOGIN, Backend
from tests.support.processes.waiting import until, until_async

from claude_gateway_claude_code.command import Command
from claude_gateway_claude_code.request import read
from claude_gateway_claude_code.session import Session
from claude_gateway_claude_code.settings import find_cli
from claude_gateway_claude_code.shim import Pass, Shim
from claude_gateway_claude_code.upstream import Upstream
from claude_gateway_scripted import Scripted

ENDS: Final[dict[str, dict[str, Any]]] = {
    "max_tokens": {"text": "cut off", "stop_reason": "max_tokens"},
    "context": {"text": "cut off", "stop_reason": "model_context_window_exceeded"},
    "refusal": {"text": "no", "stop_reason": "refusal"},
    # Claude Code then writes a line with an empty id of the request.
    "refusal without id": {"text": "no", "stop_reason": "refusal", "headers": {"request-id": ""}},
    "stop_sequence": {"text": "so far", "stop_reason": "stop_sequence"},
    "compaction": {"text": "so far", "stop_reason": "compaction"},
    "unknown reason": {"text": "so far", "stop_reason": "something_new"},
    "tool without call": {"text": "so far", "stop_reason": "tool_use"},
    "call that ends": {"tools": [["nothing_like_it", {}]], "stop_reason": "end_turn"},
    "white space": {"text": "  \n"},
    "pause": {"text": "wait", "stop_reason": "pause_turn"},
    "unknown tool": {"tools": [["Bash", {"command": "true"}], ["nothing_like_it", {}]]},
    "empty": {"text": ""},
}
FAILURES: Final[dict[str, dict[str, Any]]] = {
    "400": {"status": 400, "error_message": "context_management: Extra inputs are not permitted"},
    "401": {"status": 401},
    "404": {"status": 404},
    "429": {"status": 429, "headers": {"retry-after": "1"}},
    "500": {"status": 500},
    "529": {"status": 529},
    "error in the stream": {"text": "a b c d", "midstream": "error"},
    "cut in the stream": {"text": "a b c d", "midstream": "drop"},
    "refused": {"refuse": True},
}


def settled(backend: Backend) -> None:
    """Wait until the process that answered is gone: until then it could ask again."""
    until(lambda: backend.metric("claude_gateway_claude_code_running") == 0, what="the answer to end")


@pytest.mark.parametrize("end", ENDS)
def test_an_answer_costs_one_call(backend: Backend, upstream: Scripted, end: str) -> None:
    upstream.script(ENDS[end])
    answer = backend.ask(stream=len(end) % 2 == 0)
    settled(backend)
    assert answer.status_code == 200, answer.text
    assert len(upstream.requests) == 1
    reason = ENDS[end].get("stop_reason", "")
    assert reason in answer.text


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_costs_one_call(backend: Backend, upstream: Scripted, failure: str) -> None:
    upstream.script({**FAILURES[failure], "times": 9})
    answer = backend.ask()
    settled(backend)
    assert answer.status_code >= 400
    assert len(upstream.requests) == 1


class _Open(Shim):
    """No shim: processes ask the upstream itself."""

    def open(self) -> Pass:
        return Pass(self, "", self.origin)


@pytest.mark.parametrize("end", ["max_tokens", "context", "unknown tool"])
async def test_claude_code_alone_would_ask_again(upstream: Scripted, tmp_path: Path, end: str) -> None:
    named = os.environ.get("CLAUDE_GATEWAY_CLI")
    cli = find_cli(None if named is None else Path(named))
    assert cli is not None
    command = Command(cli, tmp_path, proxy="http://127.0.0.1:9")
    command.prepare()
    there = Upstream(upstream.url, proxy=None, extra_ca=None)
    shim = _Open(there, refused=lambda: None)
    shim.origin = upstream.url
    upstream.script(ENDS[end])
    session = await Session.start(command, shim, login=LOGIN)
    turn = read(b'{"model": "sonnet", "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]}')
    kinds = [kind async for kind, _ in session.ask(turn, "sonnet")]
    assert kinds[-1] == "message_stop"

    async def again() -> bool:
        return len(await asyncio.to_thread(lambda: upstream.requests)) > 1

    await until_async(again, what="the second call")
    await session.end()
    await there.close()
