"""Real requests to a route (a prompt, a tool call, an embedding), and what their failures mean."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from claude_gateway.cli.remote import web
from claude_gateway.cli.terminal import printable

_SECONDS: Final = 150.0
# Enough for models that reason before they answer.
_MAX_TOKENS: Final = 2048
_TOOL: Final = {
    "name": "get_weather",
    "description": "Get the weather of a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
_SHOWN: Final = 200
_ADVICE: Final = {
    400: "The model rejects the request: see the message; a setting of the target may not suit the model.",
    401: "The gateway does not know this key: see --client and --key-file.",
    404: "No route has this name; or the provider does not know the target's model; or the baseURL has the wrong "
    "path (OpenAI's wire needs all of it before /chat/completions, mostly /v1).",
    429: "The provider's rate limit is reached: wait, or add a second target.",
    502: "The upstream failed or rejected its key: check the credential's Secret and baseURL; the gateway's log has "
    "the reason in its lines upstream_unreachable and upstream_refused.",
    503: "The route has no usable target (see the findings about the config), or the LiteLLM worker is starting.",
    504: "The upstream is too slow: see spec.timeouts.firstToken.",
}
REASONS: Final = {
    "refused": "Nothing listens there: start the server, or correct host and port of the baseURL.",
    "dns": "Correct the host of the baseURL. Behind a company proxy, set HTTPS_PROXY for the gateway.",
    "certificate": "Set SSL_CERT_FILE for the gateway to a file with the CA of the server, or of the inspecting proxy.",
    "tls": "The port does not speak TLS: begin the baseURL with http://, or correct the port.",
    "plain_http": "The port expects TLS: begin the baseURL with https://.",
    "proxy": "Check HTTP_PROXY and HTTPS_PROXY of the gateway, or list the host in NO_PROXY.",
    "timeout": "A firewall may drop the connection: set HTTPS_PROXY if the company has a proxy.",
    "closed": "If the port expects TLS, begin the baseURL with https://; otherwise see the server's log.",
    "credential": "The upstream rejects the key: renew it in the credential's Secret, or correct the baseURL.",
    "worker": "The LiteLLM worker is starting or restarting: try again; its log says why it ended.",
}
"""How to fix a failed try at a target, by the metric's label ``reason`` or, without one, ``kind``."""


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a probe: ``what`` was sent, what was ``seen``, and the ``fix`` if it is not ``ok``."""

    what: str
    ok: bool
    seen: str
    fix: str = ""


Probe = Callable[[str, str, str], Result]


def headers(key: str) -> dict[str, str]:
    """Return the headers of every probe; the version header requests responses in Anthropic's format."""
    return {
        "authorization": f"Bearer {key}",
        "anthropic-version": "2023-06-01",
        "content-type": "application/json",
    }


def for_model(model: str) -> tuple[Probe, ...]:
    """Return the probes for a model; a model with ``embed`` in its name gets only the embedding probe."""
    return (embedding,) if "embed" in model else (prompt, tool_call)


def prompt(url: str, key: str, model: str) -> Result:
    """Send one streamed prompt."""
    body = {**_message(model, "Answer with the one word: pong"), "stream": True}
    answer = _send(url, key, "/v1/messages", body, what="prompt")
    if isinstance(answer, Result):
        return answer
    events = list(events_of(answer.body))
    text = "".join(str(e.get("delta", {}).get("text", "")) for e in events if e.get("type") == "content_block_delta")
    broken = next((e for e in events if e.get("type") == "error"), None)
    if broken is not None:
        seen = f"the stream broke off: {message_of(json.dumps(broken).encode())}"
        return Result("prompt", ok=False, seen=seen, fix="See the request in the gateway's log.")
    if not text.strip() or not any(e.get("type") == "message_stop" for e in events):
        fix = "A model that reasons for long may need a larger maxOutputTokens; otherwise see the gateway's log."
        return Result("prompt", ok=False, seen="200, but no text came", fix=fix)
    shown = printable(text.strip()[:40])
    return Result("prompt", ok=True, seen=f"{shown!r} after {answer.first_byte * 1000:.0f} ms")


def tool_call(url: str, key: str, model: str) -> Result:
    """Send one prompt that must be answered by a tool call."""
    body = {
        **_message(model, "What is the weather in Paris? Use the tool."),
        "tools": [_TOOL],
        "tool_choice": {"type": "any"},
    }
    answer = _send(url, key, "/v1/messages", body, what="tool call")
    if isinstance(answer, Result):
        return answer
    called = [block for block in _object(answer.body).get("content") or () if block.get("type") == "tool_use"]
    if not called:
        fix = "This model cannot call tools, which Claude Code needs: use another model."
        return Result("tool call", ok=False, seen="200, but no tool was called", fix=fix)
    return Result(
        "tool call", ok=True, seen=printable(f"{called[0].get('name')}({json.dumps(called[0].get('input'))})")
    )


def embedding(url: str, key: str, model: str) -> Result:
    """Request one embedding."""
    answer = _send(url, key, "/v1/embeddings", {"model": model, "input": "pong"}, what="embedding")
    if isinstance(answer, Result):
        return answer
    data = _object(answer.body).get("data")
    if not data:
        return Result(
            "embedding", ok=False, seen="200, but no vector came", fix="Check that this is an embedding model."
        )
    return Result("embedding", ok=True, seen=f"a vector after {answer.first_byte * 1000:.0f} ms")


def message_of(body: bytes) -> str:
    """Return the message of an error body in Anthropic's or OpenAI's format; at most 200 characters."""
    error = _object(body).get("error")
    text = error.get("message") if isinstance(error, dict) else None
    return printable(str(text or body.decode("utf-8", "replace"))[:_SHOWN])


def events_of(body: bytes) -> Iterator[dict[str, Any]]:
    """Yield the JSON values of a stream of server-sent events."""
    for line in body.splitlines():
        if line.startswith(b"data:"):
            value = _object(line.removeprefix(b"data:").strip())
            if value:
                yield value


def _message(model: str, text: str) -> dict[str, Any]:
    return {"model": model, "max_tokens": _MAX_TOKENS, "messages": [{"role": "user", "content": text}]}


def _send(url: str, key: str, path: str, body: dict[str, Any], *, what: str) -> web.Answer | Result:
    try:
        answer = web.fetch(
            f"{url}{path}",
            method="POST",
            headers=headers(key),
            body=json.dumps(body).encode(),
            timeout=_SECONDS,
        )
    except web.UnreachableError as error:
        return Result(what, ok=False, seen=f"no answer: {error}", fix="See the log of the gateway.")
    if answer.status == 200:
        return answer
    fix = _ADVICE.get(answer.status, "See the gateway's log, which has the request with all attempts.")
    return Result(what, ok=False, seen=f"{answer.status} {message_of(answer.body)}", fix=fix)


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
