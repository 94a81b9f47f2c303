"""Message batches: which are created, and which are rejected with the reason."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest
from tests.support.builders.bundles import route, target
from tests.support.processes.batching import (
    ENTRY,
    KEY,
    PATH,
    SECOND_ENTRY,
    ask,
    create,
    created,
    native,
    request,
    serving,
)

from claude_gateway.contract.client import Client
from claude_gateway.contract.target import Target, Wire
from claude_gateway_proxy.gateway.admission.load import Bounds, Load
from claude_gateway_proxy.gateway.batches.items import MOST


async def test_parameters_keep_their_bytes() -> None:
    params = (
        b'{ "max_tokens" : 5,"model":"c", "messages":[ {"content":"\\u00e9 \\ud83d\\ude00", "role":"user"}] ,"x":1e2}'
    )
    async with serving() as (gw, up):
        body = b'{"requests": [ {"params": %b , "custom_id":"a"}]}' % params
        assert (await ask(gw, "POST", PATH, body))[0] == 200
        changed = params.replace(b'"c"', b'"claude-sonnet-4-5"')
        assert up.last.body == b'{"requests":[{"custom_id":"a","params":%b}]}' % changed


@pytest.mark.parametrize(
    ("spoiled", "said"),
    [
        ({"model": "forbidden"}, "may not use the model 'forbidden'"),
        ({"Model": "c"}, "differs from 'model' only by case"),
        ({"fallbacks": ["forbidden"]}, "fallbacks: this client may not use the model 'forbidden'"),
        ({"tools": [{"type": "advisor_20260301", "model": "forbidden"}]}, "tools: this client may not use the model"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "'web_search_20250305' is run by the"),
        ({"mcp_servers": [{"type": "url", "url": "https://x", "name": "x"}]}, "mcp_servers: the upstream calls"),
        ({"fallbacks": ["c"]}, "fallbacks: 'c' may answer instead"),
        (
            {"context_management": {"edits": [{"type": "compact_20260112"}]}},
            "context_management: the upstream compacts",
        ),
        ({"stream": True}, "are not streamed"),
        ({"max_tokens": "many"}, "max_tokens: must be a whole number"),
        ({"model": "elsewhere"}, "is served elsewhere"),
        ({"model": "on-openai"}, "takes no batches"),
    ],
)
async def test_one_request_at_fault_is_named(spoiled: dict[str, Any], said: str) -> None:
    clients = {KEY: Client(name="ns/dev", models=("c", "elsewhere", "on-openai"))}

    def more(url: str) -> Sequence[Any]:
        openai = target(wire=Wire.OPENAI, base_url=url)
        return [route("elsewhere", targets=[native(url, secret=SECOND_ENTRY)]), route("on-openai", targets=[openai])]

    async with serving(clients=clients, routes=more) as (gw, up):
        requests = [request(f"r{index}") for index in range(60)]
        requests[57]["params"] |= spoiled
        status, found = await create(gw, *requests)
        assert status == (404 if "takes no" in said else 400)
        assert found["error"]["message"].startswith("requests.57.params: ")
        assert said in found["error"]["message"]
        assert up.requests == ()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "at least one request"),
        ({"requests": []}, "at least one request"),
        ({"requests": {}}, "requests: Expected `array`"),
        ({"requests": [1]}, "Expected `object`"),
        ({"requests": [{"custom_id": "a"}]}, "missing required field `params`"),
        ({"requests": [{"custom_id": 5, "params": {}}]}, "Expected `str`"),
        ({"requests": [{**request(), "Params": {}}]}, "unknown field `Params`"),
        ({"requests": [request("a"), request("b"), request("a")]}, "requests.2.custom_id: 'a' is the id of another"),
        ({"requests": [request("no spaces")]}, "requests.0.custom_id: must be 1 to 64"),
        ({"requests": [{"custom_id": "a", "params": []}]}, "requests.0.params: the body must be a JSON object"),
        ({"requests": [request()], "model": "c"}, "model: unknown field"),
        ({"requests": [request()], "Requests": []}, "only by case"),
        (b'{"requests": [{"custom_id":"a","params":{"model":"c","model":"d"}}]}', "top-level key twice"),
        (b'{"requests": [', "not valid JSON"),
        (b'{"requests": [{"custom_id":"\xff","params":{}}]}', "not valid JSON"),
        (b'{"requests": [{"custom_id":"\\ud83d","params":{}}]}', "requests.0.custom_id: must be 1 to 64"),
        (b'{"requests": [{"custom_id":"a","\xff":1,"params":{}}]}', "not valid JSON"),
        (b"[]", "must be a JSON object"),
    ],
)
async def test_what_is_no_batch_is_rejected(body: Any, said: str) -> None:
    async with serving() as (gw, up):
        status, found = await ask(gw, "POST", PATH, body)
        assert (status, found["error"]["type"]) == (400, "invalid_request_error")
        assert said in found["error"]["message"]
        assert up.requests == ()


async def test_of_two_parameters_only_those_that_were_checked_are_sent() -> None:
    twice = b'{"requests":[{"custom_id":"a","params":{"model":"x"},"params":%b}]}'
    async with serving() as (gw, up):
        assert (await ask(gw, "POST", PATH, twice % json.dumps(request()["params"]).encode()))[0] == 200
        assert b'"x"' not in up.last.body


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        (lambda url: [target(base_url=url, wire=Wire.BEDROCK, secret=ENTRY)], "takes no batches: that needs"),
        (lambda url: [target(base_url=url, wire=Wire.OPENAI, secret=ENTRY)], "takes no batches: that needs"),
        (lambda url: [target(base_url=url)], "takes no batches: that needs"),
        (lambda url: [native(url, provider="zai")], "takes no batches: that needs"),
        (lambda url: [native(url), native(url, secret=SECOND_ENTRY)], "several credentials"),
    ],
    ids=["bedrock", "openai", "keyless", "another vendor", "two credentials"],
)
async def test_other_routes_have_no_batches(targets: Any, said: str) -> None:
    async with serving(targets=targets) as (gw, up):
        status, found = await create(gw)
        assert (status, found["error"]["type"]) == (404, "not_found_error")
        assert said in found["error"]["message"]
        assert up.requests == ()


async def test_targets_of_other_kinds_beside_it_change_nothing() -> None:
    def targets(url: str) -> Sequence[Target]:
        return [target(base_url=url, wire=Wire.BEDROCK, secret=ENTRY), native(url, priority=1), native(url, priority=2)]

    async with serving(targets=targets) as (gw, up):
        ident = await created(gw)
        assert (await ask(gw, "GET", f"{PATH}/{ident}"))[0] == 200
        assert {each.path for each in up.requests} == {PATH, f"{PATH}/{ident.split('.')[0]}"}


async def test_ten_thousand_requests_are_created_while_others_are_served() -> None:
    async with serving() as (gw, up):
        big = asyncio.create_task(create(gw, *(request(f"r{index}") for index in range(10_000))))
        turns = 0
        while not big.done():
            assert (await ask(gw, "GET", "/healthz"))[0] == 200
            turns += 1
        status, found = await big
        assert (status, found["request_counts"]["processing"]) == (200, 10_000)
        assert turns > 10
        assert len(up.last.json["requests"]) == 10_000


async def test_too_many_requests_are_rejected() -> None:
    async with serving() as (gw, up):
        one = b'{"custom_id":"%d","params":{}}'
        body = b'{"requests":[%b]}' % b",".join(one % index for index in range(MOST + 1))
        status, found = await ask(gw, "POST", PATH, body)
        assert (status, up.requests) == (400, ())
        assert f"at most {MOST} requests" in found["error"]["message"]


async def test_a_body_that_is_too_large_is_rejected() -> None:
    async with serving() as (gw, _):
        assert (await ask(gw, "POST", PATH, b" " * (33 * 2**20)))[0] == 413
    small = Load(pod=Bounds(requests=9, bytes=2**20), client=Bounds(requests=9, bytes=2**20))
    async with serving(load=small) as (gw, _):
        # It is held three times: as it came, in parts, and as it is sent on.
        assert (await create(gw, request(metadata={"user_id": "x" * 400_000})))[0] == 529
        assert (await create(gw))[0] == 200
