"""Which requests a target takes as they are."""

import pytest

from claude_gateway.contract.target import Format, Target, Wire
from claude_gateway_proxy.gateway.routing.choice import LaneName, lane_of

OPENAI = "https://api.openai.com/v1"
ELSEWHERE = "https://models.example/v1"


@pytest.mark.parametrize(
    ("model", "base_url", "format_", "asked", "relayed"),
    [
        ("*", OPENAI, Format.CHAT, "gpt-5", True),
        ("*", OPENAI, Format.CHAT, "gpt-5-codex", False),
        ("*", OPENAI, Format.RESPONSES, "gpt-5-codex", True),
        ("*", OPENAI, Format.EMBEDDINGS, "gpt-5-codex", False),
        ("*", ELSEWHERE, Format.CHAT, "gpt-5-codex", True),
        ("gpt-5", OPENAI, Format.CHAT, "gpt-5-codex", True),
    ],
)
def test_chat_with_a_model_that_speaks_responses_only_is_translated(
    model: str, base_url: str, format_: Format, asked: str, relayed: bool
) -> None:
    formats = (Format.CHAT, Format.RESPONSES)
    target = Target(id="t", provider="openai", model=model, wire=Wire.OPENAI, formats=formats, base_url=base_url)
    assert (lane_of(target, format_, asked) is LaneName.RELAY) is relayed
