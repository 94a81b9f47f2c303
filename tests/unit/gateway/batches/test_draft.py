"""The requests of a batch, whatever JSON they are: each is checked, and sent as it came but for its model."""

import asyncio
import json
import time
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.support.builders import bundles, oddjson

from claude_gateway.contract.bundle import secret_entry
from claude_gateway.contract.client import Client
from claude_gateway.contract.target import Format, Wire
from claude_gateway_proxy.gateway.auth.principal import Principal
from claude_gateway_proxy.gateway.batches.asking import Asking
from claude_gateway_proxy.gateway.batches.draft import Draft, draft
from claude_gateway_proxy.gateway.body.document import parse
from claude_gateway_proxy.gateway.body.models import further_models
from claude_gateway_proxy.gateway.errors import Failure
from claude_gateway_proxy.gateway.snapshot import Snapshot, build
from claude_gateway_proxy.gateway.telemetry.record import Record

ENTRY = secret_entry("k", b"sk-ant-api03-a")
CLIENT = Client(name="ns/dev")


def snapshot() -> Snapshot:
    target = bundles.target(base_url="http://127.0.0.1:1", model="upstream-model", secret=ENTRY)
    return build(bundles.bundle([bundles.route("m", targets=[target])], secrets={ENTRY: b"sk-ant-api03-a"}))


SNAPSHOT = snapshot()


def drafted(raw: bytes) -> Draft:
    asking = Asking(
        path="/v1/messages/batches",
        query=b"",
        headers=(),
        login=(),
        raw=raw,
        snapshot=SNAPSHOT,
        principal=Principal(CLIENT),
        record=Record(wire=Wire.ANTHROPIC, format=Format.MESSAGES, started=time.monotonic()),
    )
    return asyncio.run(draft(asking))


def batch(*params: bytes) -> bytes:
    return b'{"requests":[%b]}' % b",".join(
        b'{"custom_id":"r%d","params":%b}' % (index, each) for index, each in enumerate(params)
    )


@given(st.lists(oddjson.requests(model="m", halves=False), min_size=1, max_size=4))
def test_every_request_keeps_what_it_says(params: list[bytes]) -> None:
    assume(not any(list(further_models(parse(each))) for each in params))
    found = drafted(batch(*params))
    assert found.call.batch is not None
    assert found.call.batch.requests == len(params)
    sent = json.loads(found.body)["requests"]
    assert [each["custom_id"] for each in sent] == [f"r{index}" for index in range(len(params))]
    for each, part in zip(params, found.parts, strict=True):
        # Only the model's name is another one.
        assert part.count(b"upstream-model") == 1
        assert len(part) - len(each.strip()) == len(b'{"custom_id":"r0","params":}') + len(b"upstream-model") - len(
            b"m"
        )


def status(raw: bytes) -> int:
    try:
        drafted(raw)
    except Failure as failure:
        return failure.status
    return 200


@settings(max_examples=50)
@given(oddjson.values(halves=True) | st.just("[]"))
def test_whatever_is_no_batch_is_rejected(value: str) -> None:
    text = value.encode()
    named = b'{"model":%b}' % text
    for raw in (text, b'{"requests":%b}' % text, b'{"requests":[%b]}' % text, batch(text), batch(named)):
        assert status(raw) in (400, 404)


@settings(max_examples=50)
@given(st.binary(max_size=60))
def test_bytes_that_are_no_json_are_no_bug(data: bytes) -> None:
    for raw in (data, batch(b'{"model":"m","x":"%b"}' % data), b'{"requests":[{"custom_id":"%b","params":{}}]}' % data):
        assert status(raw) in (200, 400)


def test_the_longest_context_that_is_asked_for_counts() -> None:
    def context(*models: str) -> Any:
        return drafted(batch(*(json.dumps({"model": model}).encode() for model in models))).context

    assert (context("m"), context("m", "m[1m]", "m")) == (0, 1_000_000)


def test_an_output_limit_of_the_target_holds_in_each_request() -> None:
    target = bundles.target(base_url="http://127.0.0.1:1", model="m", secret=ENTRY, max_output_tokens=10)
    here = build(bundles.bundle([bundles.route("m", targets=[target])], secrets={ENTRY: b"sk-ant-api03-a"}))
    asking = Asking(
        path="",
        query=b"",
        headers=(),
        login=(),
        raw=batch(b'{"model":"m","max_tokens":500}', b'{"model":"m","max_tokens":5}'),
        snapshot=here,
        principal=Principal(CLIENT),
        record=Record(wire=Wire.ANTHROPIC, format=Format.MESSAGES, started=time.monotonic()),
    )
    found = asyncio.run(draft(asking))
    assert [each["params"]["max_tokens"] for each in json.loads(found.body)["requests"]] == [10, 5]
    assert found.call.batch is not None
    assert found.call.batch.output_tokens == 15
