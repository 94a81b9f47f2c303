"""The relay lane: the caller's own bytes to the upstream, and the upstream's own bytes back."""

import asyncio
import gzip
import json
from typing import Any

import pytest
from tests.support.builders.bundles import route, target
from tests.support.processes.inprocess import (
    KEY,
    Seen,
    chunk,
    drop,
    events,
    gateway,
    head,
    stream,
    upstream,
    whole,
)
from yarl import URL

from claude_gateway.contract.bundle import secret_entry
from claude_gateway.contract.policy import Egress
from claude_gateway.contract.target import Parameters, Wire

_MESSAGES = (
    b'{"model":"claude-x", "messages" : [{"role":"user","content":"h\\u00e9 \xc3\xa9"}],"max_tokens":9, "odd":[1.0] }\n'
)
_ANSWER = b'{"id":"msg_1", "model":"upstream-model","content":[],"usage":{"input_tokens":5,"output_tokens":7}}'
_ANSWERED = _ANSWER.replace(b"upstream-model", b"claude-x")
_SECRET = b"sk-upstream"
_ENTRY = secret_entry("ns.key", _SECRET)


async def test_only_the_model_name_and_the_credential_change() -> None:
    async with upstream(whole(_ANSWER)) as up:
        there = target(base_url=up.url, secret=_ENTRY)
        async with gateway(route("claude-x", targets=[there]), secrets={_ENTRY: _SECRET}) as gw:
            answer = await gw.post("/v1/messages?beta=true", _MESSAGES)
            assert (answer.status, await answer.read()) == (200, _ANSWERED)
    seen = up.seen[0]
    assert (seen.method, seen.target) == ("POST", "/v1/messages?beta=true")
    assert seen.body == _MESSAGES.replace(b"claude-x", b"upstream-model")
    assert seen.header("x-api-key") == "sk-upstream"
    assert seen.header("authorization") is None
    assert seen.header("host") == up.url.removeprefix("http://")


async def test_a_wildcard_target_gets_the_very_same_bytes() -> None:
    async with upstream(whole(_ANSWER)) as up, gateway(route("*", targets=[target(base_url=up.url, model="*")])) as gw:
        await (await gw.post("/v1/messages", _MESSAGES)).read()
    assert up.seen[0].body == _MESSAGES


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_KNOWN = {
    "anthropic-beta": "a-2026-01-01,b-2026-02-02",
    "anthropic-version": "2099-01-01",
    "anthropic-new-thing": "h\u00e9",
    "anthropic-dangerous-direct-browser-access": "true",
    "user-agent": "claude-cli/2.1.328 (external, sdk-cli)",
    "x-app": "cli",
    "x-claude-code-session-id": "s",
    "x-claude-code-new": "n",
    "x-stainless-os": "Linux",
    "x-stainless-new": "n",
}
_TOKENS = _names(
    "x-claude-code-login "
    "x-api-key api-key x-goog-api-key cookie proxy-authorization x-claude-gateway-target x-gateway-keys openai- "
    "organization openai-project x-litellm-api-key x-auth-token x-access-token x-amz-security-token cf-access-jwt- "
    "assertion cf-access-client-secret cf-access-token x-amzn-oidc-data x-amzn-oidc-accesstoken x-amzn-oidc-identity "
    "x-auth-request-access-token x-auth-request-user x-forwarded-access-token x-forwarded-user x-forwarded-for "
    "forwarded x-real-ip x-goog-iap-jwt-assertion x-goog-authenticated-user-email x-ms-client-principal x-ms-token- "
    "aad-access-token ocp-apim-subscription-key x-tailscale-user tailscale-user-login x-pomerium-claim-email "
    "x-pomerium-jwt-assertion x-vouch-idp-accesstoken x-userinfo x-jwt-assertion remote-user baggage referer origin"
)
_ORDERS = _names(
    "helicone-target-url helicone-openai-api-base x-portkey-custom-host x-portkey-config x-portkey-provider x-target- "
    "url x-base-url x-upstream-host x-original-url x-rewrite-url x-http-method-override x-stainless_host"
)
_OF_ONE_HOP = {"te": "trailers", "connection": "keep-alive, anthropic-one-hop", "anthropic-one-hop": "1"}


async def test_the_headers_of_the_contract_go_on_and_no_others() -> None:
    dropped = dict.fromkeys((*_TOKENS, *_ORDERS), "secret-of-another-hop") | _OF_ONE_HOP | {"keep-alive": "timeout=5"}
    async with upstream(whole(_ANSWER)) as up, gateway(route("claude-x", targets=[target(base_url=up.url)])) as gw:
        await (
            await gw.post("/v1/messages", _MESSAGES, headers={**_KNOWN, **dropped, "accept-encoding": "gzip, br"})
        ).read()
    sent = {name.lower(): value for name, value in up.seen[0].headers}
    assert sent.pop("accept-encoding") == "identity"
    assert sent.pop("content-length") == str(len(up.seen[0].body))
    assert sent.pop("content-type") == "application/json"
    assert sent.pop("host")
    assert sent.pop("anthropic-new-thing").encode("latin-1").decode() == _KNOWN["anthropic-new-thing"]
    assert sent == {name: value for name, value in _KNOWN.items() if name != "anthropic-new-thing"}


async def test_an_openai_server_gets_what_openais_clients_send_and_nothing_else() -> None:
    known = {"openai-beta": "x=v1", "user-agent": "OpenAI/Python", "x-stainless-lang": "python", "accept": "*/*"}
    other = {**_KNOWN, **dict.fromkeys((*_TOKENS, *_ORDERS), "x"), "openai-new": "x"}
    async with upstream(whole(_ANSWER)) as up:
        there = target(wire=Wire.OPENAI, base_url=up.url, model="*", secret=_ENTRY)
        async with gateway(route("gpt", targets=[there]), secrets={_ENTRY: _SECRET}) as gw:
            headers = other | known
            await (await gw.post("/v1/chat/completions", {"model": "gpt", "messages": []}, headers=headers)).read()
    ours = {"host", "content-length", "content-type", "accept-encoding", "authorization"}
    sent = {name.lower(): value for name, value in up.seen[0].headers if name.lower() not in ours}
    assert sent == {**known, "x-stainless-os": "Linux", "x-stainless-new": "n"}


@pytest.mark.parametrize(
    ("query", "arrived"),
    [
        ("?beta=true", "?beta=true"),
        ("?beta=true&key=x", "?beta=true"),
        ("?api_key=x&beta=true&x", "?beta=true"),
        ("?key=x", ""),
        ("?beta=%74rue", ""),
        ("?", ""),
    ],
)
async def test_only_the_parameter_that_anthropic_knows_goes_on(query: str, arrived: str) -> None:
    async with upstream(whole(_ANSWER)) as up, gateway(route("claude-x", targets=[target(base_url=up.url)])) as gw:
        url = URL(f"{gw.url}/v1/messages{query}", encoded=True)
        async with gw.client.post(url, data=_MESSAGES, headers={"authorization": f"Bearer {KEY}"}) as answer:
            assert await answer.read() == _ANSWERED
    assert up.seen[0].target == f"/v1/messages{arrived}"


async def test_a_missing_version_and_content_type_are_filled_in() -> None:
    async with upstream(whole(_ANSWER)) as up, gateway(route("claude-x", targets=[target(base_url=up.url)])) as gw:
        await (await gw.post("/v1/messages/count_tokens", _MESSAGES)).read()
    assert up.seen[0].target == "/v1/messages/count_tokens"
    assert up.seen[0].header("anthropic-version") == "2023-06-01"


@pytest.mark.parametrize("path", ["chat/completions", "completions", "responses", "embeddings"])
async def test_openai_formats_go_to_their_own_paths(path: str) -> None:
    body = {"model": "gpt", "input": "x", "messages": []}
    async with upstream(whole(_ANSWER)) as up:
        there = target(wire=Wire.OPENAI, base_url=f"{up.url}/prefix/v1/", model="gpt-upstream", secret=_ENTRY)
        async with gateway(route("gpt", targets=[there]), secrets={_ENTRY: _SECRET}) as gw:
            answer = await gw.post(f"/v1/{path}?api-version=1", body)
            assert await answer.read() == _ANSWER.replace(b"upstream-model", b"gpt")
    seen = up.seen[0]
    assert seen.target == f"/prefix/v1/{path}"
    assert seen.header("authorization") == "Bearer sk-upstream"
    assert seen.header("anthropic-version") is None
    assert json.loads(seen.body) == {**body, "model": "gpt-upstream"}


_RULES = _names(
    "strict-transport-security clear-site-data access-control-allow-origin access-control-allow-credentials access- "
    "control-expose-headers www-authenticate proxy-authenticate refresh link location content-location alt-svc set- "
    "cookie set-cookie2 server keep-alive content-security-policy x-frame-options x-xss-protection nel report-to "
    "reporting-endpoints permissions-policy cross-origin-opener-policy origin-agent-cluster expect-ct public-key-pins "
    "service-worker-allowed sourcemap x-accel-redirect x-sendfile x-accel-expires x-claude-gateway-target accept-ch "
    "x-robots-tag timing-allow-origin via etag vary age x-echo openai-organization"
)


async def test_only_what_belongs_to_the_answer_goes_back() -> None:
    known = {
        "content-type": "application/json",
        "cache-control": "no-cache",
        "anthropic-ratelimit-requests-remaining": "9",
        "anthropic-new": "n",
        "openai-processing-ms": "1",
        "x-ratelimit-remaining-tokens": "5",
        "retry-after": "1",
        "x-should-retry": "true",
    }
    rules = "".join(f"{name.title()}: rule-of-another-host\r\n" for name in _RULES)
    headers = "".join(f"{name.title()}: {value}\r\n" for name, value in known.items())
    reply = whole(_ANSWER, headers=f"{headers}request-id: req_up\r\nAnthropic-Two: a\r\nanthropic-two: b\r\n{rules}")
    async with upstream(reply) as up, gateway(route("claude-x", targets=[target(base_url=up.url)])) as gw:
        answer = await gw.post("/v1/messages", _MESSAGES)
        await answer.read()
        (record,) = await gw.records()
    assert answer.headers.getall("anthropic-two") == ["a", "b"]
    assert {name: answer.headers.get(name) for name in known} == known
    assert answer.headers["request-id"] == answer.headers["x-request-id"] == record["request_id"] == "req_up"
    assert answer.headers["content-length"] == str(len(_ANSWERED))
    assert "rule-of-another-host" not in str(answer.headers)


async def test_an_answer_is_metered_and_recorded() -> None:
    async with upstream(whole(_ANSWER)) as up, gateway(route("claude-x", targets=[target(base_url=up.url)])) as gw:
        await (await gw.post("/v1/messages", _MESSAGES)).read()
        (record,) = await gw.records()
    expected = {
        "status": 200,
        "outcome": "ok",
        "lane": "relay",
        "attempts": 1,
        "input_tokens": 5,
        "output_tokens": 7,
        "provider": "anthropic",
        "bytes_out": len(_ANSWERED),
    }
    assert {key: record[key] for key in expected} == expected
    assert record["ttft_ms"] is not None


async def test_a_stream_passes_event_by_event() -> None:
    """Each event must be with the client before the upstream sends the next one."""
    go = asyncio.Queue[bytes]()

    async def reply(_: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(head())
        while part := await go.get():
            writer.write(chunk(part))
        writer.write(chunk(b""))

    parts = events("message_start", "content_block_start", "content_block_delta", "message_delta", "message_stop")
    async with upstream(reply) as up, gateway(route("claude-x", targets=[target(base_url=up.url)])) as gw:
        go.put_nowait(parts[0])
        answer = await gw.post("/v1/messages", {"model": "claude-x", "stream": True})
        assert answer.headers["content-type"] == "text/event-stream"
        assert "content-length" not in answer.headers
        assert await answer.content.readany() == parts[0]
        for part in parts[1:]:
            go.put_nowait(part)
            assert await answer.content.readany() == part
        go.put_nowait(b"")
        assert await answer.content.read() == b""
        (record,) = await gw.records()
    assert (record["input_tokens"], record["output_tokens"], record["outcome"]) == (11, 22, "ok")
    assert record["bytes_out"] == sum(map(len, parts))


async def test_a_body_of_unknown_length_gets_one() -> None:
    async def reply(_: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(head(kind="application/json") + chunk(_ANSWER[:20]) + chunk(_ANSWER[20:]) + chunk(b""))

    async with upstream(reply) as up, gateway(route("claude-x", targets=[target(base_url=up.url)])) as gw:
        answer = await gw.post("/v1/messages", _MESSAGES)
        assert await answer.read() == _ANSWERED
        assert answer.headers["content-length"] == str(len(_ANSWERED))


@pytest.mark.parametrize("declared", [True, False])
async def test_large_bodies_pass_whole_both_ways(declared: bool) -> None:
    answer_body = b'{"data":"' + b"0123456789" * 400_000 + b'","usage":{"prompt_tokens":3}}'
    prompt = b'{"model":"gpt","input":"' + b"x" * 3_000_000 + b'"}'

    async def chunked(_: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(head(kind="application/json") + chunk(answer_body) + chunk(b""))

    async with upstream(whole(answer_body) if declared else chunked) as up:
        there = target(wire=Wire.OPENAI, base_url=up.url, model="*")
        async with gateway(route("gpt", targets=[there])) as gw:
            answer = await gw.post("/v1/completions", prompt)
            assert await answer.read() == answer_body
            (record,) = await gw.records()
    assert up.seen[0].body == prompt
    assert record["input_tokens"] == 3
    assert ("content-length" in answer.headers) is declared


async def test_an_answer_that_is_compressed_all_the_same_passes_unread() -> None:
    packed = gzip.compress(_ANSWER)
    headers = "content-type: application/json\r\ncontent-encoding: gzip\r\n"
    reply = whole(packed, headers=headers)
    async with upstream(reply) as up, gateway(route("claude-x", targets=[target(base_url=up.url)])) as gw:
        answer = await gw.post("/v1/messages", _MESSAGES)
        assert await answer.read() == packed
        assert answer.headers["content-encoding"] == "gzip"
        (record,) = await gw.records()
    # Nobody read what it says of tokens, so that what it cost is an estimate.
    assert record["cost_estimated"] is True


async def test_the_route_lowers_limits_and_fills_in_settings() -> None:
    async with upstream(whole(_ANSWER)) as up:
        there = target(base_url=up.url, max_output_tokens=5, parameters=Parameters(temperature=0.25))
        async with gateway(route("claude-x", targets=[there])) as gw:
            await (await gw.post("/v1/messages", _MESSAGES)).read()
    sent = json.loads(up.seen[0].body)
    assert (sent["max_tokens"], sent["temperature"], sent["odd"]) == (5, 0.25, [1.0])


async def test_an_error_event_within_a_stream_passes_and_is_recorded() -> None:
    failing = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"x"}}\n\n'
    start = events("message_start")[0]
    async with upstream(stream(start, failing)) as up, gateway(route("c", targets=[target(base_url=up.url)])) as gw:
        answer = await gw.post("/v1/messages", {"model": "c", "stream": True})
        assert await answer.read() == start + failing
        (record,) = await gw.records()
    assert record["outcome"] == "upstream_error"


async def test_a_kept_connection_that_the_upstream_closed_is_no_failure() -> None:
    replies = (whole(_ANSWER), drop, whole(_ANSWER))
    async with upstream(*replies) as up, gateway(route("claude-x", targets=[target(base_url=up.url)])) as gw:
        for _ in range(2):
            answer = await gw.post("/v1/messages", _MESSAGES)
            assert (answer.status, await answer.read()) == (200, _ANSWERED)
        first, second = await gw.records(2)
    assert len(up.seen) == 3
    assert (first["outcome"], second["outcome"]) == ("ok", "ok")


async def test_many_answers_wait_side_by_side() -> None:
    count = 150
    together = asyncio.Event()

    async def reply(_: Seen, writer: asyncio.StreamWriter) -> None:
        if len(up.seen) == count:
            together.set()
        await together.wait()
        writer.write(head() + chunk(b"data: {}\n\n") + chunk(b""))

    async def ask(gw: Any) -> int:
        answer = await gw.post("/v1/messages", {"model": "c", "stream": True})
        return len(await answer.read())

    async with upstream(reply) as up, gateway(route("c", targets=[target(base_url=up.url)])) as gw:
        assert await asyncio.gather(*(ask(gw) for _ in range(count))) == [10] * count


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "127.1",
        "2130706433",
        "0177.0.0.1",
        "0.0.0.0",
        "[::ffff:127.0.0.1]",
        "[64:ff9b:1::7f00:1]",
    ],
)
async def test_a_refused_address_is_never_called(host: str) -> None:
    async with upstream(whole(_ANSWER)) as up:
        there = target(base_url=up.url.replace("127.0.0.1", host))
        async with gateway(route("claude-x", targets=[there]), egress=Egress()) as gw:
            answer = await gw.post("/v1/messages", _MESSAGES)
            assert answer.status == 502
            assert (await answer.json())["error"]["type"] == "api_error"
            (record,) = await gw.records()
    assert up.seen == []
    assert record["outcome"] == "upstream_error"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_host_that_the_installation_allows_is_called(host: str) -> None:
    async with upstream(whole(_ANSWER)) as up:
        there = target(base_url=up.url.replace("127.0.0.1", host))
        async with gateway(route("claude-x", targets=[there]), egress=Egress(hosts=(host,))) as gw:
            assert await (await gw.post("/v1/messages", _MESSAGES)).read() == _ANSWERED


@pytest.mark.parametrize("host", ["localhost", "nobody.invalid"])
async def test_a_proxy_of_the_environment_is_used_but_not_for_this_machine(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("no_proxy", "NO_PROXY", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    async with upstream(whole(_ANSWER)) as up, upstream(whole(_ANSWER)) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.replace("http://", "http://user:pass@"))
        there = target(base_url=up.url.replace("127.0.0.1", host))
        async with gateway(route("claude-x", targets=[there])) as gw:
            answer = await gw.post("/v1/messages", _MESSAGES)
            assert (answer.status, await answer.read()) == (200, _ANSWERED)
    if host == "localhost":
        assert (len(up.seen), len(proxy.seen)) == (1, 0)
    else:
        assert proxy.seen[0].target == f"{there.base_url}/v1/messages"
        assert proxy.seen[0].header("proxy-authorization") == "Basic dXNlcjpwYXNz"
