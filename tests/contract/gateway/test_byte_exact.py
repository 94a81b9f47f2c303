"""Whatever a client and an upstream say crosses byte for byte, but for the model's name and credentials."""

import asyncio
import string
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.builders.bundles import route, target
from tests.support.builders.oddjson import requests, values
from tests.support.processes.inprocess import Reply, Seen, chunk, gateway, head, upstream, whole

from claude_gateway.contract.target import Target

_EXAMPLES: Final = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
_TOKEN: Final = string.ascii_letters + string.digits + "-_."
_HERE_ONLY: Final = frozenset({"host", "content-length", "accept-encoding", "authorization", "connection", "accept"})


@_EXAMPLES
@given(requests(model="claude-x"), values(halves=True))
async def test_a_request_and_its_answer_cross_as_they_are(body: bytes, answer: str) -> None:
    async with upstream(whole(answer.encode())) as up:
        there = [route("claude-x", targets=[target(base_url=up.url)]), route("*", targets=[_same(up.url)])]
        async with gateway(*there) as gw:
            first = await (await gw.post("/v1/messages?beta=true", body)).read()
            other = body.replace(b'"claude-x"', b'"claude-y"')
            await (await gw.post("/v1/messages?beta=true", other)).read()
    assert first == answer.encode()
    # The value alone: "model" may stand in keys and texts, too.
    assert up.seen[0].body == body.replace(b'"claude-x"', b'"upstream-model"')
    assert up.seen[1].body == other


def _same(url: str) -> Target:
    return target(base_url=url, model="*", id="ns/any/0.1")


@_EXAMPLES
@given(
    st.lists(st.text(_TOKEN, min_size=1, max_size=12), max_size=6),
    st.dictionaries(
        st.text(string.ascii_lowercase, min_size=1, max_size=9).map(lambda name: f"anthropic-new-{name}"),
        st.text(string.printable[:94], min_size=1, max_size=20),
        max_size=4,
    ),
)
async def test_betas_and_headers_that_nobody_knows_cross(betas: Sequence[str], headers: dict[str, str]) -> None:
    sent = {**headers, "anthropic-beta": ",".join(["known-2023-01-01", *betas])}
    answered = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    reply = whole(b"{}", headers=f"content-type: application/json\r\n{answered}")
    async with upstream(reply) as up, gateway(route("c", targets=[target(base_url=up.url)])) as gw:
        answer = await gw.post("/v1/messages", {"model": "c"}, headers=sent)
        await answer.read()
    seen = {name.lower(): value for name, value in up.seen[0].headers if name.lower() not in _HERE_ONLY}
    assert {name: seen.get(name) for name in sent} == sent
    assert {name: answer.headers.get(name) for name in headers} == headers


_EVENTS: Final = st.sampled_from(
    [
        b'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":1}}}\n\n',
        b"event: something_new\r\ndata: {\r\ndata: }\r\n\r\n",
        b'event: ping\ndata: {"type": "ping"}\n\n',
        b": a comment\n\n",
        b"id: 7\nretry: 1000\n\n",
        b'data: {"no":"event"}\n\n',
        b"event: content_block_delta\ndata:  \xc3\xa9 \xff\n\n",
        b"\n\n\r\r\n\n",
        b'event: error\ndata: {"type":"error","error":{"type":"invalid_request_error","message":"x"}}\n\n',
        b"data: [DONE]\n\n",
        b"half an ev",
    ]
)


def _cut(data: bytes, cuts: Sequence[int]) -> Reply:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]

    async def reply(_: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(head(headers="anthropic-new: 1\r\n"))
        for start, end in pairwise(edges):
            if start != end:
                writer.write(chunk(data[start:end]))
                await writer.drain()
                await asyncio.sleep(0)
        writer.write(chunk(b""))

    return reply


_SAID: Final = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{}}\n\n'


@_EXAMPLES
@given(
    requests(model="c", stream=True),
    st.lists(_EVENTS, min_size=1, max_size=8).map(b"".join),
    st.lists(st.integers(0, 2000), max_size=8),
    st.booleans(),
)
async def test_a_stream_crosses_as_it_is_wherever_it_is_cut(
    body: bytes, data: bytes, cuts: Sequence[int], more: bool
) -> None:
    """Also where the gateway looks on until the model has said something, as there is a further target.

    A stream that ends before the model has said anything is a failure, so that something is said in each.
    """
    data += _SAID
    async with upstream(_cut(data, cuts)) as up, upstream(_cut(b"data: other\n\n", [])) as other:
        targets = [target(base_url=up.url, model="*", id="ns/c/0.1")]
        if more:
            targets.append(target(base_url=other.url, model="*", id="ns/c/1.1", priority=1))
        async with gateway(route("c", targets=targets)) as gw:
            answer = await gw.post("/v1/messages", body)
            assert (answer.status, await answer.read()) == (200, data)
            assert answer.headers["anthropic-new"] == "1"
    assert up.seen[0].body == body
    assert other.seen == []
