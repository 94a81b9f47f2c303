"""Message batches: Anthropic's own SDK through the gateway, and what nobody but a batch's creator may do with it."""

import asyncio
import io
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, Final

import anthropic
import pytest
from tests.support.builders.bundles import route, target
from tests.support.processes.inprocess import Gateway, chunk, gateway, head, limited, upstream, whole

from claude_gateway.contract.brake import Brake as BrakeOfClient
from claude_gateway.contract.brake import BrakeLimits
from claude_gateway.contract.budget import Action, Budget
from claude_gateway.contract.bundle import secret_entry
from claude_gateway.contract.client import Client
from claude_gateway.contract.limits import Limits
from claude_gateway.contract.money import NANODOLLARS
from claude_gateway.contract.target import OwnPrices, Target, Wire
from claude_gateway_proxy.gateway.admission.admission import Admission
from claude_gateway_proxy.gateway.admission.brake.brake import Brake
from claude_gateway_proxy.gateway.admission.budgets import Budgets
from claude_gateway_proxy.gateway.admission.counters.memory import MemoryCounters
from claude_gateway_proxy.gateway.admission.load import Bounds, Load
from claude_gateway_proxy.gateway.admission.till import Till
from claude_gateway_proxy.gateway.auth.principal import Principal
from claude_gateway_proxy.gateway.batches import seal
from claude_gateway_proxy.gateway.batches.items import MOST
from claude_gateway_scripted import Scripted, digest

KEY, OTHER, SUSPENDED = "cgw_of-the-creator", "cgw_of-somebody-else", "cgw_of-a-suspended-one"
API_KEY, SECOND_KEY = "sk-ant-api03-batches-0123456789", "sk-ant-api03-second-9876543210"
ENTRY, SECOND_ENTRY = (secret_entry(name, key.encode()) for name, key in (("k", API_KEY), ("l", SECOND_KEY)))
SECRETS: Final = {ENTRY: API_KEY.encode(), SECOND_ENTRY: SECOND_KEY.encode()}
PATH: Final = "/v1/messages/batches"
CLIENTS: Final = {
    KEY: Client(name="ns/dev"),
    OTHER: Client(name="ns/other"),
    SUSPENDED: Client(name="ns/gone", suspended=True),
}


def native(url: str, model: str = "claude-sonnet-4-5", **more: Any) -> Target:
    return target(base_url=url, model=model, **{"secret": ENTRY, **more})


def request(ident: str = "a", *, model: str = "c", **params: Any) -> Any:
    messages = [{"role": "user", "content": f"hello {ident}"}]
    return {"custom_id": ident, "params": {"model": model, "max_tokens": 50, "messages": messages, **params}}


@asynccontextmanager
async def serving(*names: str, **more: Any) -> AsyncIterator[tuple[Gateway, Scripted]]:
    """A gateway with a route to an account at the scripted Anthropic; ``names`` are its models."""
    async with Scripted() as up:
        fields = {"clients": CLIENTS, "secrets": SECRETS, **more}
        targets = fields.pop("targets", lambda url: [native(url)])(up.url)
        extra = fields.pop("routes", lambda _: [])(up.url)
        async with gateway(route(*(names or ("c",)), targets=targets), *extra, **fields) as gw:
            yield gw, up


@asynccontextmanager
async def sdk(gw: Gateway, key: str = KEY, **more: Any) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(base_url=gw.url, api_key=key, max_retries=0, **more) as client:
        yield client


async def ask(
    gw: Gateway, method: str, path: str, body: Any = None, *, key: str = KEY, **headers: str
) -> tuple[int, Any]:
    data = None if body is None else io.BytesIO(body if isinstance(body, bytes) else json.dumps(body).encode())
    sent = {"x-api-key": key, "anthropic-version": "2023-06-01", **headers}
    async with gw.client.request(method, f"{gw.url}{path}", data=data, headers=sent) as response:
        text = await response.read()
    try:
        return response.status, json.loads(text)
    except ValueError:
        return response.status, text


async def create(gw: Gateway, *requests: Any, **more: Any) -> tuple[int, Any]:
    return await ask(gw, "POST", PATH, {"requests": list(requests) or [request()]}, **more)


async def created(gw: Gateway, *requests: Any, **more: Any) -> str:
    status, found = await create(gw, *requests, **more)
    assert status == 200, found
    return str(found["id"])


async def test_the_sdk_creates_a_batch_and_reads_its_results() -> None:
    async with serving() as (gw, up), sdk(gw) as client:
        batch = await client.messages.batches.create(requests=[request("one"), request("two")])
        assert (batch.processing_status, batch.request_counts.processing) == ("in_progress", 2)
        assert batch.id.startswith("msgbatch_")
        assert (await client.messages.batches.retrieve(batch.id)).id == batch.id
        results = {each.custom_id: each.result async for each in await client.messages.batches.results(batch.id)}
        assert {ident: found.type for ident, found in results.items()} == {"one": "succeeded", "two": "succeeded"}
        assert (await client.messages.batches.delete(batch.id)).id == batch.id
        with pytest.raises(anthropic.NotFoundError):
            await client.messages.batches.retrieve(batch.id)
        assert {each.credential for each in up.requests} == {digest(API_KEY)}
        sent = [each["params"]["model"] for each in up.requests[0].json["requests"]]
        assert sent == ["claude-sonnet-4-5"] * 2


async def test_the_sdk_cancels_a_batch() -> None:
    async with serving() as (gw, _), sdk(gw) as client:
        batch = await client.messages.batches.create(requests=[request("one")])
        assert (await client.messages.batches.cancel(batch.id)).processing_status == "canceling"
        results = [each.result.type async for each in await client.messages.batches.results(batch.id)]
        assert results == ["canceled"]


async def test_betas_are_sent_on_and_nothing_else_of_a_query() -> None:
    async with serving("claude-sonnet-4-5") as (gw, up), sdk(gw) as client:
        one = request("one", model="claude-sonnet-4-5[1m]")
        batch = await client.beta.messages.batches.create(requests=[one], betas=["output-300k-2026-03-24"])
        assert (await client.beta.messages.batches.retrieve(batch.id)).id == batch.id
        betas = (up.requests[0].header("anthropic-beta") or "").split(",")
        assert {"output-300k-2026-03-24", "context-1m-2025-08-07"} <= set(betas)
        assert (await ask(gw, "GET", f"{PATH}/{batch.id}?beta=true&api_key=x"))[0] == 200
        assert up.last.query == "beta=true"


async def test_an_address_of_results_leads_to_the_gateway_alone() -> None:
    async with serving() as (gw, up):
        ident = await created(gw)
        _, found = await ask(gw, "GET", f"{PATH}/{ident}")
        assert found["results_url"] == f"{PATH}/{ident}/results"
        assert up.url not in json.dumps(found)
        for path in ("/anthropic/v1/messages/batches", "/v1/v1/messages/batches", "/messages/batches"):
            assert (await ask(gw, "GET", f"{path}/{ident}"))[0] == 200


async def test_parameters_keep_their_bytes() -> None:
    params = (
        b'{ "max_tokens" : 5,"model":"c", "messages":[ {"content":"\\u00e9 \\ud83d\\ude00", "role":"user"}] ,"x":1e2}'
    )
    async with serving() as (gw, up):
        body = b'{"requests": [ {"params": %b , "custom_id":"a"}]}' % params
        assert (await ask(gw, "POST", PATH, body))[0] == 200
        changed = params.replace(b'"c"', b'"claude-sonnet-4-5"')
        assert up.last.body == b'{"requests":[{"custom_id":"a","params":%b}]}' % changed


async def test_a_batch_is_its_creators_alone() -> None:
    async with serving() as (gw, up):
        ident = await created(gw)
        up.forget()
        for key in (OTHER, SUSPENDED, "cgw_nobody"):
            for method, below in (("GET", ""), ("GET", "/results"), ("POST", "/cancel"), ("DELETE", "")):
                status, found = await ask(gw, method, f"{PATH}/{ident}{below}", key=key)
                assert status == {OTHER: 404, SUSPENDED: 429}.get(key, 401), (key, below)
                assert found["type"] == "error"
        assert up.requests == ()
        assert (await ask(gw, "GET", f"{PATH}/{ident}"))[0] == 200


async def test_no_id_is_believed_that_the_gateway_did_not_seal() -> None:
    async with serving() as (gw, up):
        ident = await created(gw)
        plain, model, mark = ident.split(".")
        principal = seal.sealed(plain, "c", key=SECOND_KEY, principal=_principal("ns/dev"))
        forged = [
            plain,
            f"{plain}.{model}",
            f"{plain}.{model}.0",
            f"{plain}.{model}.{'A' * len(mark)}",
            f"{plain}x.{model}.{mark}",
            f"{plain}.{model}x.{mark}",
            f"{plain}.{model}.{mark}x",
            f"..%2f{plain}.{model}.{mark}",
            f"{plain}%2fresults.{model}.{mark}",
            f"{plain}..{mark}",
            f"{plain}.{'A' * 1300}.{mark}",
            f"{plain}.____.{mark}",
            principal,
        ]
        up.forget()
        for each in forged:
            status, found = await ask(gw, "GET", f"{PATH}/{each}")
            assert (status, found["error"]["type"]) == (404, "not_found_error"), each
        assert up.requests == ()


def _principal(name: str) -> Principal:
    return Principal(Client(name=name))


async def test_an_id_of_one_account_is_none_of_another() -> None:
    async with serving(routes=lambda url: [route("d", targets=[native(url, secret=SECOND_ENTRY)])]) as (gw, up):
        ident = await created(gw)
        plain, _, mark = ident.split(".")
        other = seal.sealed(plain, "d", key=API_KEY, principal=_principal("ns/dev"))
        swapped = f"{plain}.{other.split('.')[1]}.{mark}"
        up.forget()
        for each in (other, swapped):
            assert (await ask(gw, "GET", f"{PATH}/{each}"))[0] == 404
        assert up.requests == ()


async def test_batches_of_another_namespace_are_like_none_at_all() -> None:
    clients = {KEY: Client(name="ns/dev"), OTHER: Client(name="stranger/c")}
    hidden = lambda url: [route("hidden", name="owner/hidden", targets=[native(url)])]  # noqa: E731
    async with serving(clients=clients, routes=hidden) as (gw, up):
        ident = await created(gw, request(model="hidden"))
        up.forget()
        said = [(await create(gw, request(model=model), key=OTHER))[1]["error"] for model in ("hidden", "absent")]
        assert said[0] == {**said[1], "message": said[1]["message"].replace("absent", "hidden")}
        absent = seal.sealed("msgbatch_1", "absent", key=API_KEY, principal=_principal("stranger/c"))
        own = seal.sealed("msgbatch_1", "hidden", key=API_KEY, principal=_principal("stranger/c"))
        answers = [await ask(gw, "GET", f"{PATH}/{each}", key=OTHER) for each in (ident, absent, own)]
        assert {status for status, _ in answers} == {404}
        assert len({found["error"]["message"] for _, found in answers}) == 1
        assert up.requests == ()


async def test_who_may_not_use_the_model_any_more_loses_the_batch() -> None:
    limited_client = {KEY: Client(name="ns/dev", models=("d",))}
    ident = seal.sealed("msgbatch_1", "c", key=API_KEY, principal=_principal("ns/dev"))
    async with serving(clients=limited_client) as (gw, up):
        status, _ = await ask(gw, "GET", f"{PATH}/{ident}")
        assert (status, up.requests) == (404, ())


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


async def test_what_else_is_asked_is_not_found_in_the_envelope() -> None:
    async with serving() as (gw, up):
        ident = await created(gw)
        up.forget()
        for method, path, status in (
            ("GET", PATH, 404),
            ("GET", "/v1/files", 404),
            ("POST", "/v1/files", 404),
            ("GET", "/v1/files/file_1/content", 404),
            ("GET", f"{PATH}/{ident}/other", 404),
            ("PUT", PATH, 405),
            ("POST", f"{PATH}/{ident}", 405),
            ("GET", f"{PATH}/{ident}/cancel", 405),
            ("DELETE", f"{PATH}/{ident}/results", 405),
        ):
            found = await ask(gw, method, path)
            assert found[0] == status, (method, path)
            assert found[1]["type"] == "error", (method, path)
        assert "not listed" in (await ask(gw, "GET", PATH))[1]["error"]["message"]
        assert up.requests == ()


async def test_a_login_of_the_clients_own_keeps_its_own_batches() -> None:
    def targets(url: str) -> Sequence[Target]:
        return [native(url, secret=None, forward_client_token=True)]

    async with serving(targets=targets) as (gw, up):
        mine = {"x-gateway-key": KEY, "x-api-key": "sk-ant-api03-of-my-own"}
        ident = await created(gw, request(tools=[{"type": "web_search_20250305", "name": "web_search"}]), **mine)
        assert (await ask(gw, "GET", f"{PATH}/{ident}", **mine))[0] == 200
        other = {"x-gateway-key": OTHER, "x-api-key": "sk-ant-api03-of-somebody"}
        assert (await ask(gw, "GET", f"{PATH}/{ident}", **other))[0] == 404
        status, found = await ask(gw, "GET", f"{PATH}/{ident}")
        assert (status, "use" in found["error"]["message"]) == (401, True)
        assert digest("sk-ant-api03-of-my-own") == up.requests[0].credential


async def test_the_upstreams_rejection_of_our_key_is_not_the_clients() -> None:
    async with serving() as (gw, up):
        up.configure(keys=["another"])
        status, found = await create(gw)
        assert (status, found["error"]["type"]) == (502, "api_error")
        assert (await gw.records())[0]["cost_usd"] == "0"


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


async def test_results_pass_through_without_being_held() -> None:
    line = json.dumps({"custom_id": "a", "result": {"type": "errored"}}).encode() + b"\n"
    results = line * (3 * 2**20 // len(line))
    async with upstream(whole(results, headers="content-type: application/x-jsonl\r\n")) as up:
        ident = seal.sealed("msgbatch_1", "c", key=API_KEY, principal=_principal("ns/dev"))
        async with gateway(route("c", targets=[native(up.url)]), clients=CLIENTS, secrets=SECRETS) as gw:
            url = f"{gw.url}{PATH}/{ident}/results"
            async with gw.client.get(url, headers={"x-api-key": KEY}) as response:
                assert response.headers["content-type"] == "application/x-jsonl"
                assert await response.read() == results
            assert up.seen[0].target == f"{PATH}/msgbatch_1/results"


async def test_keys_that_an_upstream_quotes_about_a_batch_stay_here() -> None:
    error = {"type": "error", "error": {"type": "x", "message": f"bad key {API_KEY}, {API_KEY[:9]}...{API_KEY[-4:]}"}}
    fine = json.dumps({"custom_id": "a", "result": {"type": "succeeded", "message": {}}}).encode()
    line = json.dumps({"custom_id": "b", "result": {"type": "errored", **error}}).encode()
    results = fine + b"\n" + line + b"\n" + line

    async def in_pieces(_: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(head(kind="application/x-jsonl"))
        for at in range(0, len(results), 40):
            writer.write(chunk(results[at : at + 40]))
            await writer.drain()
        writer.write(chunk(b""))

    document = whole(json.dumps({"id": "msgbatch_1", **error}).encode())
    async with upstream(document, in_pieces) as up:
        ident = seal.sealed("msgbatch_1", "c", key=API_KEY, principal=_principal("ns/dev"))
        async with gateway(route("c", targets=[native(up.url)]), clients=CLIENTS, secrets=SECRETS) as gw:
            status, found = await ask(gw, "GET", f"{PATH}/{ident}")
            assert (status, found["error"]["message"]) == (200, "bad key [key], [key]")
            status, text = await ask(gw, "GET", f"{PATH}/{ident}/results")
            assert status == 200
    lines = text.split(b"\n")
    assert lines[0] == fine
    assert [json.loads(line)["result"]["error"]["message"] for line in lines[1:]] == ["bad key [key], [key]"] * 2


async def test_results_that_break_off_are_not_complete() -> None:
    head = "content-type: application/x-jsonl\r\n"

    async def reply(_: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 200 OK\r\n{head}content-length: 3000000\r\n\r\n".encode() + b"x" * 2_000_000)
        await writer.drain()
        writer.close()

    async with upstream(reply) as up:
        ident = seal.sealed("msgbatch_1", "c", key=API_KEY, principal=_principal("ns/dev"))
        async with gateway(route("c", targets=[native(up.url)]), clients=CLIENTS, secrets=SECRETS) as gw:
            async with gw.client.get(f"{gw.url}{PATH}/{ident}/results", headers={"x-api-key": KEY}) as response:
                with pytest.raises(Exception, match="payload"):
                    await response.read()
            line = (await gw.records())[0]
            assert (line["outcome"], line["batch"]) == ("upstream_error", "results")


@pytest.mark.parametrize("body", [b"{}", b'{"id":5}', b"<html>", b'{"id":"a/b"}', b'{"id":"msgbatch_2"}'])
async def test_an_answer_that_is_no_batch_is_an_error(body: bytes) -> None:
    async with upstream(whole(body)) as up:
        ident = seal.sealed("msgbatch_1", "c", key=API_KEY, principal=_principal("ns/dev"))
        async with gateway(route("c", targets=[native(up.url)]), clients=CLIENTS, secrets=SECRETS) as gw:
            status, found = await ask(gw, "GET", f"{PATH}/{ident}")
            assert (status, "message batch" in found["error"]["message"]) == (502, True)


async def test_a_batch_counts_as_its_requests() -> None:
    clients = {KEY: Client(name="ns/dev", limits=Limits(requests_per_minute=10, output_tokens_per_minute=1000))}
    async with serving(clients=clients, admission=limited(seconds=0)) as (gw, up):
        await created(gw, *(request(f"r{index}") for index in range(9)))
        assert (await create(gw))[0] == 200
        status, found = await create(gw)
        assert (status, found["error"]["type"]) == (429, "rate_limit_error")
        assert len(up.requests) == 2


async def test_a_batch_counts_with_the_output_that_it_allows() -> None:
    clients = {KEY: Client(name="ns/dev", limits=Limits(output_tokens_per_minute=1000))}
    async with serving(clients=clients, admission=limited(seconds=0)) as (gw, _):
        ident = await created(gw, request(max_tokens=900))
        assert (await create(gw, request(max_tokens=200)))[0] == 429
        # What generates nothing is not a matter of tokens.
        assert (await ask(gw, "GET", f"{PATH}/{ident}"))[0] == 200


async def test_a_batch_is_charged_when_it_is_created() -> None:
    prices = OwnPrices(input=Decimal(0), output=Decimal(1000))
    async with serving(targets=lambda url: [native(url, prices=prices)]) as (gw, _):
        ident = await created(gw, request("a", max_tokens=1000), request("b", max_tokens=2000))
        await ask(gw, "GET", f"{PATH}/{ident}")
        await ask(gw, "GET", f"{PATH}/{ident}/results")
        lines = await gw.records(3)
        assert [line["batch"] for line in lines] == ["create", "retrieve", "results"]
        assert [line["cost_usd"] for line in lines] == ["3", "0", "0"]
        assert [line["output_tokens"] for line in lines] == [3000, 0, 0]
        assert lines[0]["cost_estimated"] is True


async def test_the_table_of_models_halves_the_price_of_a_batch() -> None:
    async with serving() as (gw, _):
        await created(gw, request(max_tokens=1_000))
        # $15 per million tokens of output, half of it in a batch, and some input.
        assert 0.0075 <= float((await gw.records())[0]["cost_usd"]) < 0.0085


async def test_a_document_elsewhere_counts_as_a_full_context() -> None:
    block = {"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}}
    async with serving() as (gw, _):
        await created(gw, request(messages=[{"role": "user", "content": [block]}]))
        assert (await gw.records())[0]["input_tokens"] == 200_000


async def test_a_batch_that_may_have_been_created_is_charged() -> None:
    async def cut(_: Any, writer: asyncio.StreamWriter) -> None:
        writer.close()

    prices = OwnPrices(input=Decimal(0), output=Decimal(1000))
    replies = (
        (cut, "1"),
        (whole(b"<html>", status="504 Gateway Timeout"), "1"),
        (whole(b'{"error":{}}', status="529 Overloaded"), "0"),
        (whole(b'{"error":{}}', status="400 Bad Request"), "0"),
        (whole(b'{"error":{}}', status="401 Unauthorized"), "0"),
        (whole(b'{"id":""}'), "1"),
    )
    for reply, cost in replies:
        async with upstream(reply) as up:
            served = route("c", targets=[native(up.url, prices=prices)])
            async with gateway(served, clients=CLIENTS, secrets=SECRETS) as gw:
                assert (await create(gw, request(max_tokens=1000)))[0] >= 400
                assert (await gw.records())[0]["cost_usd"] == cost
    async with gateway(
        route("c", targets=[native("http://127.0.0.1:1", prices=prices)]), clients=CLIENTS, secrets=SECRETS
    ) as gw:
        assert (await create(gw, request(max_tokens=1000)))[0] == 502
        assert (await gw.records())[0]["cost_usd"] == "0"


async def test_a_budget_takes_a_batch_only_as_a_whole() -> None:
    alone = MemoryCounters()
    till = Till(alone=alone)
    budget = Budget(name="ns/blue", amount=10 * NANODOLLARS, clients=("*",), action=Action.ROUTE, route_to="cheap")
    prices = OwnPrices(input=Decimal(0), output=Decimal(1000))
    fields = {"admission": Admission((Budgets(till),), alone=alone), "budgets": [budget]}
    async with serving(targets=lambda url: [native(url, prices=prices)], **fields) as (gw, up):
        # Neither is one that is too large let through alone, nor does another model serve it.
        for tokens, status in ((11_000, 429), (6_000, 200), (5_000, 429), (4_000, 200), (1, 429)):
            found = await create(gw, request(max_tokens=tokens))
            assert found[0] == status, tokens
            if tokens == 5_000:
                assert found[1]["error"]["type"] == "billing_error"
                assert "may cost $5.00, and the budget 'blue' has $4.00 left" in found[1]["error"]["message"]
        assert len(up.requests) == 2


async def test_the_answer_says_how_the_caller_stands_and_not_the_account() -> None:
    alone = MemoryCounters()
    fields = {
        "admission": Admission((Budgets(Till(alone=alone)),), alone=alone),
        "budgets": [Budget(name="ns/blue", amount=NANODOLLARS, clients=("*",))],
    }
    async with serving(**fields) as (gw, up):
        up.configure(headers={"anthropic-ratelimit-requests-limit": "9"})
        async with await gw.post(PATH, {"requests": [request()]}, headers={"authorization": f"Bearer {KEY}"}) as found:
            names = {name.lower() for name in found.headers}
        assert "anthropic-ratelimit-unified-status" in names
        assert "anthropic-ratelimit-requests-limit" not in names


async def test_what_is_asked_about_a_batch_needs_no_money() -> None:
    alone = MemoryCounters()
    till = Till(alone=alone)
    prices = OwnPrices(input=Decimal(0), output=Decimal(1000))
    fields = {
        "admission": Admission((Budgets(till),), alone=alone),
        "budgets": [Budget(name="ns/blue", amount=NANODOLLARS, clients=("*",))],
    }
    async with serving(targets=lambda url: [native(url, prices=prices)], **fields) as (gw, _):
        ident = await created(gw, request(max_tokens=1_000))
        assert (await create(gw))[0] == 429
        assert (await ask(gw, "GET", f"{PATH}/{ident}"))[0] == 200
        assert (await ask(gw, "GET", f"{PATH}/{ident}/results"))[0] == 200


async def test_a_brake_counts_every_request_of_a_batch() -> None:
    brake = BrakeOfClient(session=BrakeLimits(requests=20), hard_percent=100)
    clients = {KEY: Client(name="ns/dev", brake=brake)}
    session = {"x-claude-code-session-id": "s"}
    async with serving(clients=clients, admission=Admission((Brake(time.monotonic),))) as (gw, _):
        ident = await created(gw, *(request(f"r{index}") for index in range(20)), **session)
        assert (await create(gw, **session))[0] == 429
        assert (await ask(gw, "GET", f"{PATH}/{ident}", **session))[0] == 200
