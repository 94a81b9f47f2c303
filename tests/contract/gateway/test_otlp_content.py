"""Content in spans: only if it is enabled, without keys, bounded, and with the same answer for the client."""

import json
from typing import Any, Final

import pytest
from tests.support.builders.bundles import bundle, route, target
from tests.support.processes.collector import Collector, Span
from tests.support.processes.lone_gateway import LoneGateway, Reply

from claude_gateway.contract.bundle import secret_entry
from claude_gateway.contract.target import Format, Translation, Wire
from claude_gateway_scripted.local import Scripted

KEY: Final = "cgw_key-of-dev-0123456789"
PROVIDER_KEY: Final = "sk-the-providers-own-key-0123456789"
CAPTURE: Final = "INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
MODELS: Final = ("claude-a", "gpt-a")
CONTENT: Final = ("gen_ai.system_instructions", "gen_ai.input.messages", "gen_ai.output.messages")
CUT: Final = "claude_gateway.content.cut"


def serving(scripted: Scripted, **environment: str) -> LoneGateway:
    codec = Translation(codec=(Format.MESSAGES,))
    entry = secret_entry("target", PROVIDER_KEY.encode())
    chat = target(base_url=scripted.openai_url, wire=Wire.OPENAI, provider="openai", translation=codec, secret=entry)
    routes = [
        route("claude-a", targets=[target(base_url=scripted.url, provider="anthropic", secret=entry)]),
        route("gpt-a", targets=[chat]),
    ]
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        return LoneGateway(bundle(routes, keys={KEY: "ns/dev"}, secrets={entry: PROVIDER_KEY.encode()}))


def ask(gateway: LoneGateway, model: str = "claude-a", said: str = "hello there", **more: Any) -> Reply:
    body = {"model": model, "max_tokens": 64, "system": "be brief", "messages": [{"role": "user", "content": said}]}
    headers = {"authorization": f"Bearer {KEY}"}
    return gateway.call("POST", "/v1/messages", body={**body, **more}, headers=headers)


def content(span: Span) -> dict[str, Any]:
    """What a span holds of the conversation."""
    return {name: json.loads(span.attributes[name]) for name in CONTENT if name in span.attributes}


@pytest.mark.parametrize("stream", [False, True])
def test_a_span_has_the_conversation_where_that_is_wanted(
    scripted: Scripted, collector: Collector, stream: bool
) -> None:
    scripted.script(*[{"text": "hello yourself"}] * 2)
    with serving(scripted, **collector.environment(**{CAPTURE: "SPAN_ONLY"})) as gateway:
        assert gateway.event("content_captured")["level"] == "warning"
        for number, model in enumerate(MODELS, start=1):
            assert ask(gateway, model, stream=stream).status == 200
            span = collector.wait(number)[-1]
            assert content(span) == {
                "gen_ai.system_instructions": [{"type": "text", "content": "be brief"}],
                "gen_ai.input.messages": [{"role": "user", "parts": [{"type": "text", "content": "hello there"}]}],
                "gen_ai.output.messages": [
                    {
                        "role": "assistant",
                        "parts": [{"type": "text", "content": "hello yourself"}],
                        "finish_reason": "stop",
                    }
                ],
            }
            assert CUT not in span.attributes
            assert span.end > span.start
        assert "hello" not in json.dumps(gateway.requests(count=2)), "the log has no content"


@pytest.mark.parametrize("word", ["", "NO_CONTENT", "false", "EVENT_ONLY", "please"])
def test_nothing_of_a_conversation_is_sent_unless_it_is_asked_for(
    scripted: Scripted, collector: Collector, word: str
) -> None:
    with serving(scripted, **collector.environment(**{CAPTURE: word})) as gateway:
        assert ask(gateway).status == 200
        assert content(collector.wait(1)[0]) == {}
        refused = gateway.process.lines("content_not_captured")
    assert b"hello" not in collector.raw
    assert len(refused) == (word in ("EVENT_ONLY", "please"))
    assert all("must be SPAN_ONLY or NO_CONTENT" in line["error"] for line in refused)


def test_a_trace_that_is_not_sampled_has_no_content(scripted: Scripted, collector: Collector) -> None:
    more = {CAPTURE: "true", "TRACES_SAMPLER": "always_off"}
    with serving(scripted, **collector.environment(**more)) as gateway:
        assert ask(gateway).status == 200
        gateway.requests(count=1)
    assert collector.raw == b"" or b"hello" not in collector.raw


def test_no_key_is_in_a_span(scripted: Scripted, collector: Collector) -> None:
    scripted.script({"text": f"your key is {KEY} and mine {PROVIDER_KEY}"})
    with serving(scripted, **collector.environment(**{CAPTURE: "true"})) as gateway:
        answer = ask(gateway, said=f"is {PROVIDER_KEY} or {KEY[:20]} a key?", system=f"the key is {KEY}")
        assert answer.status == 200
        found = content(collector.wait(1)[0])
    assert found["gen_ai.input.messages"][0]["parts"][0]["content"].endswith("a key?")
    assert "your key is [key] and mine" in json.dumps(found["gen_ai.output.messages"])
    for secret in (KEY, PROVIDER_KEY, KEY[:20]):
        assert secret.encode() not in collector.raw


def test_long_content_is_cut_and_the_span_says_so(scripted: Scripted, collector: Collector) -> None:
    with serving(scripted, **collector.environment(**{CAPTURE: "true"})) as gateway:
        assert ask(gateway, said="many words " * 100_000).status == 200
        span = collector.wait(1)[0]
        assert span.attributes[CUT] is True
        (text,) = content(span)["gen_ai.input.messages"][0]["parts"]
        assert 60_000 < len(text["content"]) < 66_000
        assert text["content"].endswith("characters cut]")


def test_an_error_and_a_request_without_a_conversation_have_no_output(scripted: Scripted, collector: Collector) -> None:
    scripted.script({"status": 400, "error_message": "words of the upstream"})
    with serving(scripted, **collector.environment(**{CAPTURE: "true"})) as gateway:
        assert ask(gateway).status == 400
        assert "gen_ai.output.messages" not in content(collector.wait(1)[0])
        counted = gateway.call(
            "POST",
            "/v1/messages/count_tokens",
            body={"model": "claude-a", "messages": [{"role": "user", "content": "hello"}]},
            headers={"authorization": f"Bearer {KEY}"},
        )
        assert counted.status == 200
        assert content(collector.wait(2)[-1]) == {}


def test_a_stopped_gateway_sends_what_it_has(scripted: Scripted, collector: Collector) -> None:
    slow = {"BSP_SCHEDULE_DELAY": "60000", CAPTURE: "true"}
    with serving(scripted, **collector.environment(**slow)) as gateway:
        for _ in range(5):
            assert ask(gateway, said="many words " * 20_000).status == 200
    assert [CONTENT[1] in span.attributes for span in collector.spans] == [True] * 5
