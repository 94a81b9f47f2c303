"""The client's own login: to the targets that forward it as it was sent, and nowhere else."""

import json
from urllib.parse import quote

import pytest
from aiohttp import ClientResponse
from prometheus_client.parser import text_string_to_metric_families
from tests.support.builders.bundles import route, target
from tests.support.processes.inprocess import KEY, Gateway, Upstream, drop, gateway, stream, upstream, whole

from claude_gateway.contract.bundle import secret_entry
from claude_gateway.contract.target import Target
from claude_gateway.names import LITELLM_SOCKET

_BODY = {"model": "c", "max_tokens": 9, "messages": []}
_ANSWER = b'{"id":"msg_1","content":[],"usage":{"input_tokens":5,"output_tokens":7}}'
_REFUSED = b'{"type":"error", "error":{"type":"authentication_error","message":"OAuth token has expired"}}'
_TOKEN = "sk-ant-oat01-very-private"
_LOGIN = {
    "x-gateway-key": KEY,
    "authorization": f"Bearer {_TOKEN}",
    "x-api-key": "sk-ant-api03-private",
    "anthropic-beta": "oauth-2025-04-20,claude-code-20250219",
}
_SECRET = b"sk-of-the-gateway"
_ENTRY = secret_entry("ns.key", _SECRET)


def _forwarding(up: Upstream, priority: int = 0) -> Target:
    return target(base_url=up.url, id=f"ns/c/{priority}.0", priority=priority, forward_client_token=True)


def _ours(up: Upstream, priority: int = 0) -> Target:
    return target(base_url=up.url, id=f"ns/c/{priority}.0", priority=priority, secret=_ENTRY)


async def _ask(gw: Gateway, **headers: str) -> ClientResponse:
    answer = await gw.post("/v1/messages?beta=true", _BODY, headers={**_LOGIN, **headers})
    await answer.read()
    return answer


async def test_a_forwarding_target_gets_the_login_as_it_was_sent() -> None:
    async with upstream(whole(_ANSWER)) as up, gateway(route("c", targets=[_forwarding(up)])) as gw:
        answer = await gw.post("/v1/messages", _BODY, headers={**_LOGIN, "cookie": "a=b", "proxy-authorization": "x"})
        assert (answer.status, await answer.read()) == (200, _ANSWER)
    seen = up.seen[0]
    assert seen.header("authorization") == f"Bearer {_TOKEN}"
    assert seen.header("x-api-key") == "sk-ant-api03-private"
    assert seen.header("anthropic-beta") == _LOGIN["anthropic-beta"]
    for dropped in ("x-gateway-key", "cookie", "proxy-authorization"):
        assert seen.header(dropped) is None
    assert KEY not in str(seen.headers)


async def test_no_other_target_gets_it() -> None:
    """Not the one with a key of ours, not a keyless one, not the translator; also not after a failover."""
    async with upstream(drop) as first, upstream(whole(_ANSWER)) as second:
        pair = route("c", targets=[_forwarding(first), _ours(second, 1)])
        async with gateway(pair, secrets={_ENTRY: _SECRET}) as gw:
            assert (await _ask(gw)).status == 200
    assert first.seen[0].header("authorization") == f"Bearer {_TOKEN}"
    assert second.seen[0].header("x-api-key") == _SECRET.decode()
    assert second.seen[0].header("authorization") is None
    async with upstream(whole(_ANSWER)) as keyless, gateway(route("c", targets=[target(base_url=keyless.url)])) as gw:
        assert (await _ask(gw)).status == 200
    assert _TOKEN not in str(keyless.seen)
    assert "private" not in str(keyless.seen[0].headers)
    translated = target(base_url="http://127.0.0.1:1", formats=(), id="ns/c/0.1")
    async with (
        gateway(route("c", targets=[translated])) as gw,
        upstream(whole(_ANSWER), path=gw.run_dir / LITELLM_SOCKET) as worker,
    ):
        assert (await _ask(gw)).status == 200
    assert "private" not in str(worker.seen[0].headers)


async def test_the_gateways_key_is_never_forwarded_in_place_of_a_login() -> None:
    async with upstream(whole(_ANSWER)) as up, gateway(route("c", targets=[_forwarding(up)])) as gw:
        answer = await gw.post("/v1/messages", _BODY)
        assert answer.status == 401
        assert "x-gateway-key" in (await answer.json())["error"]["message"]
        assert answer.headers["x-should-retry"] == "false"
    assert up.seen == []


@pytest.mark.parametrize("login", [{"authorization": f"Bearer {KEY}"}, {"x-api-key": KEY}])
async def test_the_gateways_key_is_no_login_beside_itself(login: dict[str, str]) -> None:
    async with upstream(whole(_ANSWER)) as up, gateway(route("c", targets=[_forwarding(up)])) as gw:
        sent = {**dict.fromkeys(("authorization", "x-api-key"), ""), **login, "x-gateway-key": KEY}
        answer = await gw.post("/v1/messages", _BODY, headers=sent)
        assert (answer.status, answer.headers["x-should-retry"]) == (401, "false")
    assert up.seen == []


async def test_only_the_login_of_two_goes_on_if_the_other_is_the_gateways_key() -> None:
    encoded = quote(KEY.replace("_", "%5F"))
    async with upstream(whole(_ANSWER)) as up, gateway(route("c", targets=[_forwarding(up)])) as gw:
        assert (await _ask(gw, **{"x-api-key": encoded, "x-gateway-key": KEY})).status == 200
    assert up.seen[0].header("authorization") == f"Bearer {_TOKEN}"
    assert up.seen[0].header("x-api-key") is None


@pytest.mark.parametrize("name", ["anthropic-auth", "X-Stainless-Key", "x-claude-code-key", "x-claude-remote-key"])
async def test_no_header_that_nobody_knows_carries_the_gateways_key(name: str) -> None:
    async with upstream(whole(_ANSWER)) as up:
        pair = route("c", targets=[_forwarding(up)]), route("d", targets=[target(base_url=up.url)])
        async with gateway(*pair) as gw:
            assert (await _ask(gw, **{name: f"Bearer {KEY}"})).status == 200
            answer = await gw.post("/v1/messages", {**_BODY, "model": "d"}, headers={name: KEY})
            assert await answer.read() == _ANSWER
    assert [seen.header(name) for seen in up.seen] == [None, None]


async def test_a_client_without_a_login_is_served_by_the_other_targets() -> None:
    async with upstream(whole(_ANSWER)) as own, upstream(whole(_ANSWER)) as other:
        pair = route("c", targets=[_forwarding(own), _ours(other, 1)])
        async with gateway(pair, secrets={_ENTRY: _SECRET}) as gw:
            assert await (await gw.post("/v1/messages", _BODY)).read() == _ANSWER
            (record,) = await gw.records()
    assert own.seen == []
    assert record["attempts"] == 1


async def test_a_login_refused_within_a_stream_goes_back_to_its_owner() -> None:
    refused = b"event: error\ndata: " + _REFUSED + b"\n\n"
    async with upstream(stream(refused)) as up, upstream(whole(_ANSWER)) as other:
        pair = route("c", targets=[_forwarding(up), _ours(other, 1)])
        async with gateway(pair, secrets={_ENTRY: _SECRET}) as gw:
            answer = await gw.post("/v1/messages", {**_BODY, "stream": True}, headers=_LOGIN)
            assert (answer.status, await answer.read()) == (200, refused)
    assert other.seen == []


@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden"])
@pytest.mark.parametrize("retry", ["true", "false", None])
async def test_a_refused_login_goes_back_to_its_owner(status: str, retry: str | None) -> None:
    more = "" if retry is None else f"x-should-retry: {retry}\r\n"
    refused = whole(_REFUSED, status=status, headers=f"content-type: application/json\r\nrequest-id: req_up\r\n{more}")
    async with upstream(refused) as up, upstream(whole(_ANSWER)) as other:
        pair = route("c", targets=[_forwarding(up), _ours(other, 1)])
        async with gateway(pair, secrets={_ENTRY: _SECRET}) as gw:
            answer = await _ask(gw)
            assert (answer.status, await answer.read()) == (int(status[:3]), _REFUSED)
            (record,) = await gw.records()
    assert (answer.headers.get("x-should-retry"), answer.headers["request-id"]) == (retry, "req_up")
    assert other.seen == []
    assert (record["outcome"], record["attempts"]) == ("client_error", 1)


async def test_a_login_is_in_no_log_line_and_no_metric() -> None:
    async with upstream(drop) as up, gateway(route("c", targets=[_forwarding(up)])) as gw:
        assert (await _ask(gw)).status == 502
        assert (await _ask(gw, **{"x-gateway-key": "cgw_wrong"})).status == 401
        records = await gw.records(2)
        metrics = gw.metrics.text().decode()
    assert any(family.samples for family in text_string_to_metric_families(metrics))
    for private in ("private", "cgw_"):
        assert private not in json.dumps(records)
        assert private not in metrics
