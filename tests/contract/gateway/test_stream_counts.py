"""Relayed streams of Chat Completions: their counts reach the gateway whether or not the client requests them."""

import json

import pytest
from tests.support.builders.bundles import route, target
from tests.support.processes.inprocess import gateway, stream, upstream, whole

from claude_gateway.contract.target import Target, Wire

_TEXT = b'data: {"id":"c","model":"claude-x","choices":[{"index":0,"delta":{"content":"Hi"}}],"usage":null}\n\n'
_COUNTS = b'data: {"id":"c","model":"claude-x","choices":[],"usage":{"prompt_tokens":11,"completion_tokens":500}}\n\n'
_DONE = b"data: [DONE]\n\n"
_STREAM = stream(_TEXT, _COUNTS[:30], _COUNTS[30:] + _DONE)
_ASKED = b'{"model":"m", "messages":[{"role":"user","content":"hi"}], "stream":true }'
_REQUESTED = _ASKED.replace(b"true ", b'true ,"stream_options":{"include_usage":true}')


def _at(url: str, model: str = "m", **more: object) -> Target:
    return target(base_url=url, wire=Wire.OPENAI, model=model, **more)


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions"])
async def test_the_gateway_requests_the_counts_and_keeps_them_to_itself(path: str) -> None:
    async with upstream(_STREAM) as up, gateway(route("m", targets=[_at(up.url)])) as gw:
        answer = await (await gw.post(path, _ASKED)).read()
        record = (await gw.records())[0]
    assert up.seen[0].body == _REQUESTED
    assert answer == (_TEXT + _DONE).replace(b"claude-x", b"m")
    assert (record["input_tokens"], record["output_tokens"], "cost_estimated" in record) == (11, 500, False)


async def test_a_client_that_requests_them_gets_them() -> None:
    asked = _ASKED.replace(b"true ", b'true, "stream_options":{"include_usage": true}')
    async with upstream(_STREAM) as up, gateway(route("m", targets=[_at(up.url)])) as gw:
        answer = await (await gw.post("/v1/chat/completions", asked)).read()
    assert up.seen[0].body == asked
    assert answer == (_TEXT + _COUNTS + _DONE).replace(b"claude-x", b"m")


async def test_a_verbatim_target_gets_the_clients_bytes() -> None:
    async with upstream(_STREAM) as up:
        there = _at(up.url, model="*", verbatim=True)
        async with gateway(route("*", targets=[there])) as gw:
            answer = await (await gw.post("/v1/chat/completions", _ASKED)).read()
    assert up.seen[0].body == _ASKED
    assert answer == _TEXT + _COUNTS + _DONE


async def test_a_server_that_does_not_know_the_parameter_is_not_asked_again() -> None:
    refusal = whole(b'{"error":{"message":"unexpected field: stream_options"}}', status="422 Unprocessable Entity")
    plain = stream(_TEXT, _DONE)
    async with (
        upstream(refusal, plain, plain) as up,
        gateway(route("m", targets=[_at(up.url)])) as gw,
    ):
        answers = [await (await gw.post("/v1/chat/completions", _ASKED)).read() for _ in range(2)]
        records = await gw.records(2)
    assert [seen.body for seen in up.seen] == [_REQUESTED, _ASKED, _ASKED]
    assert answers == [(_TEXT + _DONE).replace(b"claude-x", b"m")] * 2
    assert [record["attempts"] for record in records] == [1, 1]
    assert [record["cost_estimated"] for record in records] == [True, True]


async def test_another_refusal_is_the_clients_answer() -> None:
    refusal = whole(b'{"error":{"message":"messages: too few"}}', status="400 Bad Request")
    async with upstream(refusal) as up, gateway(route("m", targets=[_at(up.url)])) as gw:
        answer = await gw.post("/v1/chat/completions", _ASKED)
        assert answer.status == 400
        assert json.loads(await answer.read())["error"]["message"] == "messages: too few"
    assert len(up.seen) == 1
