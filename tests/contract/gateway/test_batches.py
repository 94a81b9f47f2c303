"""Message batches: Anthropic's own SDK through the gateway, and whose a batch is."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anthropic
import pytest
from tests.support.builders.bundles import route
from tests.support.processes.batching import (
    API_KEY,
    CLIENTS,
    KEY,
    OTHER,
    PATH,
    SECOND_ENTRY,
    SECOND_KEY,
    SECRETS,
    SUSPENDED,
    ask,
    create,
    created,
    native,
    request,
    serving,
)
from tests.support.processes.inprocess import Gateway, chunk, gateway, head, upstream, whole

from claude_gateway.contract.client import Client
from claude_gateway.contract.target import Target
from claude_gateway_proxy.gateway.auth.principal import Principal
from claude_gateway_proxy.gateway.batches import seal
from claude_gateway_scripted import digest


@asynccontextmanager
async def sdk(gw: Gateway, key: str = KEY, **more: Any) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(base_url=gw.url, api_key=key, max_retries=0, **more) as client:
        yield client


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


_NO_BATCH = "message batch"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        *((body, _NO_BATCH) for body in (b"{}", b'{"id":5}', b'{"id":"a/b"}', b'{"id":"msgbatch_2"}')),
        (b"<html>", "web page"),
    ],
)
async def test_an_answer_that_is_no_batch_is_an_error(body: bytes, words: str) -> None:
    async with upstream(whole(body)) as up:
        ident = seal.sealed("msgbatch_1", "c", key=API_KEY, principal=_principal("ns/dev"))
        async with gateway(route("c", targets=[native(up.url)]), clients=CLIENTS, secrets=SECRETS) as gw:
            status, found = await ask(gw, "GET", f"{PATH}/{ident}")
            assert (status, words in found["error"]["message"]) == (502, True)
