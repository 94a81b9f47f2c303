"""Requests that an upstream refuses, over real sockets: said once more, remembered for one model, reworded."""

import json
from typing import Any

import pytest
from tests.support.builders.bundles import route, target
from tests.support.processes.inprocess import Gateway, Reply, gateway, upstream, whole

from claude_gateway.contract.target import Format, Target, Translation, Wire

_CHAT = Translation(codec=(Format.MESSAGES,))
_ASKED: dict[str, Any] = {
    "model": "claude-x",
    "max_tokens": 99,
    "temperature": 0.5,
    "messages": [{"role": "user", "content": "hi"}],
}
_GOOD = whole(b'{"choices":[{"message":{"content":"Hello"},"finish_reason":"stop"}]}')


def _refusal(message: str, status: str = "400 Bad Request") -> Reply:
    return whole(json.dumps({"error": {"message": message}}).encode(), status=status)


def _target(url: str, wire: Wire = Wire.OPENAI, **more: Any) -> Target:
    address = f"{url}/v1" if wire is Wire.OPENAI else url
    formats = () if wire is Wire.OPENAI else (Format.MESSAGES,)
    return target(wire=wire, base_url=address, formats=formats, translation=_CHAT, **more)


async def _ask(gw: Gateway, **more: Any) -> tuple[int, Any]:
    answer = await gw.post("/v1/messages", {**_ASKED, **more})
    return answer.status, await answer.json()


async def test_a_refused_field_is_left_out_now_and_for_the_same_model() -> None:
    refused = _refusal("Unsupported parameter: 'temperature' is not supported with this model.")
    async with upstream(refused, _GOOD, _GOOD) as up, gateway(route("claude-x", targets=[_target(up.url)])) as gw:
        answers = [await _ask(gw), await _ask(gw)]
        records = await gw.records(2)
        sent = [json.loads(seen.body) for seen in up.seen]
    assert [status for status, _ in answers] == [200, 200]
    assert ["temperature" in each for each in sent] == [True, False, False]
    assert [record["repairs"] for record in records] == [["temperature"]] * 2


async def test_what_a_refusal_quotes_of_a_prompt_is_not_remembered() -> None:
    prompt = "max_tokens is too large: 99. This model supports at most 10 completion tokens."
    refused = _refusal(f"Invalid content: '{prompt}'")
    async with upstream(refused, _GOOD, _GOOD) as up, gateway(route("claude-x", targets=[_target(up.url)])) as gw:
        await _ask(gw, messages=[{"role": "user", "content": prompt}])
        await _ask(gw)
        assert [json.loads(seen.body)["max_tokens"] for seen in up.seen] == [99, 10, 99]


async def test_a_prompt_that_does_not_fit_is_said_in_claudes_words() -> None:
    words = "This model's maximum prompt length is 131072 but the request contains 537812 tokens."
    async with upstream(_refusal(words)) as up, gateway(route("claude-x", targets=[_target(up.url)])) as gw:
        status, document = await _ask(gw)
    assert (status, document["error"]["message"]) == (400, "prompt is too long: 537812 tokens > 131072 maximum")


async def test_less_output_is_asked_for_where_the_prompt_fits() -> None:
    refused = _refusal(
        "'max_tokens' is too large: 99. This model's maximum context length is 50 tokens and your request has 10 input "
        "tokens (99 > 50 - 10)."
    )
    async with upstream(refused, _GOOD) as up, gateway(route("claude-x", targets=[_target(up.url)])) as gw:
        status, _ = await _ask(gw)
        assert [json.loads(seen.body)["max_tokens"] for seen in up.seen] == [99, 40]
    assert status == 200


async def test_what_cannot_be_repaired_keeps_its_words() -> None:
    reply = whole(b'{"detail":[{"loc":["body","messages"],"msg":"too few"}]}', status="422 Unprocessable")
    async with upstream(reply) as up, gateway(route("claude-x", targets=[_target(up.url)])) as gw:
        status, document = await _ask(gw)
        assert len(up.seen) == 1
    assert (status, document["error"]["message"]) == (422, "messages: too few")


@pytest.mark.parametrize("wire", [Wire.OPENAI, Wire.ANTHROPIC])
async def test_flagged_content_is_not_a_refused_key(wire: Wire) -> None:
    refused = _refusal("Your input was flagged by moderation.", "403 Forbidden")
    async with upstream(refused) as up, gateway(route("claude-x", targets=[_target(up.url, wire)])) as gw:
        status, document = await _ask(gw)
    assert (status, document["error"]["message"]) == (400, "Your input was flagged by moderation.")


async def test_an_image_that_a_server_reports_as_its_own_failure() -> None:
    """llama.cpp answers 500. Claude's clients get an answer without the image; a relay refuses the request."""
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
    messages = [{"role": "user", "content": [image, {"type": "text", "text": "What is this?"}]}]
    words = "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj"
    refused = _refusal(words, "500 Internal Server Error")
    async with (
        upstream(refused, _GOOD) as repaired,
        upstream(refused) as relayed,
        gateway(
            route("claude-x", targets=[_target(repaired.url)]),
            route("claude-y", targets=[_target(relayed.url, Wire.ANTHROPIC)]),
        ) as gw,
    ):
        answered, _ = await _ask(gw, messages=messages)
        status, document = await _ask(gw, model="claude-y", messages=messages)
        records = await gw.records(2)
        assert [len(repaired.seen), len(relayed.seen)] == [2, 1]
    assert answered == 200
    assert records[0]["repairs"] == ["images"]
    assert (status, document["error"]["type"]) == (400, "invalid_request_error")
    assert document["error"]["message"] == words
    assert (records[1]["outcome"], records[1].get("upstream_errors", [])) == ("client_error", [])


async def test_claude_goes_on_with_a_conversation_that_another_vendor_began() -> None:
    refused = _refusal("messages.1.content.0: Invalid `signature` in `thinking` block")
    answer = whole(b'{"type":"message","content":[]}')
    said = [{"type": "thinking", "thinking": "hm", "signature": "3f1c"}, {"type": "text", "text": "x"}]
    messages = [*_ASKED["messages"], {"role": "assistant", "content": said}, {"role": "user", "content": "more"}]
    async with (
        upstream(refused, answer, _refusal("another reason, in thinking")) as up,
        gateway(route("claude-x", targets=[_target(up.url, Wire.ANTHROPIC)])) as gw,
    ):
        status, _ = await _ask(gw, messages=messages)
        other, document = await _ask(gw, messages=messages)
        record = (await gw.records())[0]
        sent = [json.loads(seen.body)["messages"] for seen in up.seen]
    assert status == 200
    assert [len(each[1]["content"]) for each in sent] == [2, 1, 2]
    assert record["repairs"] == ["signatures"]
    assert (other, document["error"]["message"]) == (400, "another reason, in thinking")


async def test_a_context_in_brackets_is_not_a_part_of_the_name() -> None:
    async with upstream(_GOOD) as up, gateway(route("claude-x", targets=[_target(up.url, model="*")])) as gw:
        status, _ = await _ask(gw, model="claude-x[1m]")
        assert json.loads(up.seen[0].body)["model"] == "claude-x"
    assert status == 200
