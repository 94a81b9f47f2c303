"""What Claude Code says of its agents for a gateway goes on to Anthropic itself, and to nobody else."""

import pytest

from claude_gateway.contract.target import Format, Target, Wire
from claude_gateway_proxy.gateway.lanes.endpoint import endpoint
from claude_gateway_proxy.gateway.wire.headers import request_headers

_SENT = [
    (b"x-claude-code-session-id", b"s"),
    (b"x-claude-code-agent-id", b"a"),
    (b"x-claude-code-request-class", b"subagent"),
    (b"x-claude-code-agent-type", b"Explore"),
    (b"x-claude-1p-request-class", b"main"),
    (b"x-claude-code-new", b"n"),
]


@pytest.mark.parametrize(
    ("base_url", "wire", "hints"),
    [
        ("https://api.anthropic.com", Wire.ANTHROPIC, True),
        ("https://API.anthropic.com/", Wire.ANTHROPIC, True),
        ("https://api.anthropic.com.evil.example", Wire.ANTHROPIC, False),
        ("https://api-anthropic.com", Wire.ANTHROPIC, False),
        ("https://models.example/anthropic", Wire.ANTHROPIC, False),
        ("http://127.0.0.1:1", Wire.ANTHROPIC, False),
        ("https://api.anthropic.com/v1", Wire.OPENAI, False),
    ],
)
def test_only_anthropics_own_host_gets_them(base_url: str, wire: Wire, hints: bool) -> None:
    there = Target(id="t", provider="p", model="m", wire=wire, base_url=base_url)
    format = Format.MESSAGES if wire is Wire.ANTHROPIC else Format.CHAT
    assert endpoint(there, format=format, secrets={}).hints is hints


@pytest.mark.parametrize(
    ("wire", "hints", "arriving"),
    [
        (Wire.ANTHROPIC, True, {name.decode() for name, _ in _SENT}),
        (Wire.ANTHROPIC, False, {"x-claude-code-session-id", "x-claude-code-agent-id", "x-claude-code-new"}),
        (Wire.BEDROCK, False, {"x-claude-code-session-id", "x-claude-code-new"}),
        (Wire.VERTEX, False, {"x-claude-code-session-id", "x-claude-code-new"}),
        (Wire.OPENAI, False, set()),
    ],
)
def test_which_headers_of_claude_code_arrive(wire: Wire, hints: bool, arriving: set[str]) -> None:
    found = request_headers(_SENT, wire=wire, withheld=lambda _: False, always=(), missing=(), hints=hints)
    assert set(found) == arriving
