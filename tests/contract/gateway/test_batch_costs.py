"""Message batches: what they take of limits, budgets and the brake."""

import asyncio
import time
from decimal import Decimal
from typing import Any

from tests.support.builders.bundles import route
from tests.support.processes.batching import (
    CLIENTS,
    KEY,
    PATH,
    SECRETS,
    ask,
    create,
    created,
    native,
    request,
    serving,
)
from tests.support.processes.inprocess import gateway, limited, upstream, whole

from claude_gateway.contract.brake import Brake as BrakeOfClient
from claude_gateway.contract.brake import BrakeLimits
from claude_gateway.contract.budget import Action, Budget
from claude_gateway.contract.client import Client
from claude_gateway.contract.limits import Limits
from claude_gateway.contract.money import NANODOLLARS
from claude_gateway.contract.target import OwnPrices
from claude_gateway_proxy.gateway.admission.admission import Admission
from claude_gateway_proxy.gateway.admission.brake.brake import Brake
from claude_gateway_proxy.gateway.admission.budgets import Budgets
from claude_gateway_proxy.gateway.admission.counters.memory import MemoryCounters
from claude_gateway_proxy.gateway.admission.spend_tracker import SpendTracker


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
    tracker = SpendTracker(alone=alone)
    budget = Budget(name="ns/blue", amount=10 * NANODOLLARS, clients=("*",), action=Action.ROUTE, route_to="cheap")
    prices = OwnPrices(input=Decimal(0), output=Decimal(1000))
    fields = {"admission": Admission((Budgets(tracker),), alone=alone), "budgets": [budget]}
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
        "admission": Admission((Budgets(SpendTracker(alone=alone)),), alone=alone),
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
    tracker = SpendTracker(alone=alone)
    prices = OwnPrices(input=Decimal(0), output=Decimal(1000))
    fields = {
        "admission": Admission((Budgets(tracker),), alone=alone),
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
