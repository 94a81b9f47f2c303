"""What callers used at several gateway processes, counted together in a real Valkey: every process answers with all."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest
from tests.support.builders.bundles import bundle, route, target
from tests.support.processes.idp import IdentityProvider, identity_provider
from tests.support.processes.lone_gateway import LoneGateway
from tests.support.processes.valkey import ValkeyServer, valkey
from tests.support.processes.waiting import until

from claude_gateway.contract.bundle import Bundle
from claude_gateway.contract.client import Client, TokenRule
from claude_gateway.contract.limits import Limits
from claude_gateway.contract.spent import Sum
from claude_gateway.contract.target import Format, Wire
from claude_gateway_proxy.gateway.admission.counters.server import Server
from claude_gateway_proxy.gateway.admission.counters.used import SharedUsed
from claude_gateway_proxy.gateway.admission.counters.valkey import ValkeyCounters
from claude_gateway_proxy.gateway.costs.usage import HOUR, KEPT, Found, Used
from claude_gateway_proxy.gateway.telemetry.record import Record
from claude_gateway_scripted import Scripted

KEYS: Final = {"cgw_key-of-dev": "ns/dev", "cgw_key-of-ops": "ns/ops"}
BODY: Final = {"model": "claude-opus-5-5", "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]}
COUNTS: Final = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens")


@pytest.fixture
def there() -> Iterator[ValkeyServer]:
    with valkey() as server:
        yield server


def _bundle(scripted: Scripted, idp: IdentityProvider | None = None) -> Bundle:
    rules = []
    if idp is not None:
        rules = [TokenRule.model_validate({"issuer": idp.issuer, "audiences": ("claude-gateway",)})]
    clients = [Client(name="ns/dev", tokens=tuple(rules)), Client(name="ns/ops")]
    routes = [route("claude-opus-5-5", targets=[target(base_url=scripted.url, model="claude-opus-5-5")])]
    return bundle(routes, clients=clients, keys=KEYS)


def _ask(gateway: LoneGateway, key: str = "cgw_key-of-dev") -> None:
    assert gateway.call("POST", "/v1/messages", body=BODY, headers={"authorization": f"Bearer {key}"}).status == 200


def _usage(gateway: LoneGateway, key: str = "cgw_key-of-dev", path: str = "/v1/usage") -> Any:
    answer = gateway.call("GET", path, headers={"authorization": f"Bearer {key}"})
    assert answer.status == 200, answer.body
    return answer.json


def _counted(gateway: LoneGateway, requests: int, key: str = "cgw_key-of-dev") -> Any:
    """The usage once it has so many requests: another process sends what it has once a second."""
    return until(
        lambda: found if (found := _usage(gateway, key))["total"]["requests"] >= requests else None,
        what=f"{requests} requests",
    )


def test_every_process_answers_with_the_usage_of_all(scripted: Scripted, there: ValkeyServer) -> None:
    with ExitStack() as stack:
        gateways = [stack.enter_context(LoneGateway(_bundle(scripted), valkey_address=there.address)) for _ in range(2)]
        for gateway in (gateways[0], gateways[0], gateways[1]):
            _ask(gateway)
        _ask(gateways[1], "cgw_key-of-ops")
        lines = [*gateways[0].requests(count=2, client="ns/dev"), *gateways[1].requests(count=1, client="ns/dev")]
        answers = [_counted(gateway, 3) for gateway in gateways]
        ops = _counted(gateways[0], 1, "cgw_key-of-ops")
    cost = sum(Decimal(line["cost_usd"]) for line in lines)
    assert cost > 0
    for found in answers:
        assert (found["covers"]["scope"], found["covers"]["what"]) == ("release", "all pods of the release")
        for each in (found["total"], *found["models"]):
            assert each["requests"] == 3
            assert Decimal(each["cost_usd"]) == cost
            assert {name: each[name] for name in COUNTS} == {name: sum(line[name] for line in lines) for name in COUNTS}
        assert [each["model"] for each in found["models"]] == ["claude-opus-5-5"]
    assert ops["total"]["requests"] == 1, "another client's usage is its own"


def test_a_process_counts_its_own_requests_at_once(scripted: Scripted, there: ValkeyServer) -> None:
    with LoneGateway(_bundle(scripted), valkey_address=there.address) as gateway:
        for number in range(1, 4):
            _ask(gateway)
            gateway.requests(count=number)
            assert _usage(gateway)["total"]["requests"] == number


def test_usage_outlives_the_processes(scripted: Scripted, there: ValkeyServer) -> None:
    began = time.time()
    with LoneGateway(_bundle(scripted), valkey_address=there.address) as first:
        _ask(first)
    with LoneGateway(_bundle(scripted), valkey_address=there.address) as second:
        found = _usage(second)
        _ask(second)
        second.requests(count=1)
        _usage(second)
        second.process.send(signal.SIGKILL)
    with LoneGateway(_bundle(scripted), valkey_address=there.address) as third:
        assert _usage(third)["total"]["requests"] == 2
    assert found["total"]["requests"] == 1
    assert found["covers"]["since"] <= time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(began + 60))


def test_without_valkey_an_answer_says_that_it_covers_one_pod(scripted: Scripted, there: ValkeyServer) -> None:
    with ExitStack() as stack:
        alone = stack.enter_context(LoneGateway(_bundle(scripted)))
        shared = stack.enter_context(LoneGateway(_bundle(scripted), valkey_address=there.address))
        for gateway in (alone, shared):
            _ask(gateway)
            gateway.requests(count=1)
        assert _usage(alone)["covers"]["scope"] == "pod"
        assert _usage(shared)["covers"]["scope"] == "release"
        there.stop()
        found = _usage(shared)
        assert (found["covers"]["scope"], found["total"]["requests"]) == ("pod", 1)
        _ask(shared)
        shared.requests(count=2)
        assert shared.event("usage_not_shared")["level"] == "warning"
        there.start()
        # A Valkey that forgot everything begins with what was not sent yet.
        until(lambda: _usage(shared)["covers"]["scope"] == "release", what="the usage of all")
        assert _usage(shared)["total"]["requests"] == 1


def test_claude_code_is_shown_the_same(scripted: Scripted, there: ValkeyServer) -> None:
    with identity_provider() as idp, ExitStack() as stack:
        alice, bob = (idp.token(sub=f"{name}@example.com", aud="claude-gateway") for name in ("alice", "bob"))
        gateways = [
            stack.enter_context(LoneGateway(_bundle(scripted, idp), valkey_address=there.address)) for _ in range(2)
        ]
        for gateway in gateways:
            _ask(gateway, alice)
        _ask(gateways[0], bob)
        found = [_counted(gateway, 2, alice) for gateway in gateways]
        extra = [_usage(gateway, alice, "/api/oauth/usage")["extra_usage"] for gateway in gateways]
        whole = _counted(gateways[0], 3)
    assert [each["total"]["requests"] for each in found] == [2, 2]
    assert extra[0] == extra[1]
    assert extra[0]["used_credits"] == int(Decimal(found[0]["windows"]["month"]["cost_usd"]) * 100)
    assert whole["total"]["requests"] == 3, "a client's key shows all of its people"


# The counters themselves.


@asynccontextmanager
async def _shared(server: ValkeyServer, moment: list[float]) -> AsyncIterator[SharedUsed]:
    counters = ValkeyCounters(Server(server.address), prefix="test", changed=lambda _: None)
    shared = SharedUsed(counters, alone=Used(lambda: moment[0]), prefix="test", clock=lambda: moment[0])
    try:
        yield shared
    finally:
        await shared.close()
        await counters.close()


def _record(model: str = "opus", user: str = "") -> Record:
    record = Record(wire=Wire.ANTHROPIC, format=Format.MESSAGES, started=0.0, client="ns/dev", user=user)
    record.billed_model, record.cost, record.input_tokens = model, 10**9, 10
    return record


def _total(found: Found) -> Sum:
    total = Sum()
    for _, _, each in found.rows:
        total.add(each)
    return total


DAY: Final = 24 * HOUR
NOON: Final = 20_741 * DAY + 12 * HOUR


async def test_hours_of_today_and_earlier_days_are_each_counted_once(there: ValkeyServer) -> None:
    moment = [0.0]
    async with _shared(there, moment) as shared:
        for at in (NOON - 40 * DAY, NOON - 2 * DAY, NOON - 2 * DAY + HOUR, NOON - HOUR, NOON - HOUR, NOON):
            moment[0] = at
            shared.note(_record())
            await shared.flush()
        found = await shared.find("ns/dev", "")
    today = NOON - 12 * HOUR
    assert sorted((begin, each.requests) for begin, _, each in found.rows) == [
        (today - 2 * DAY, 2),
        (NOON - HOUR, 2),
        (NOON, 1),
    ]
    assert found.since == today - KEPT, "what is older is not shown"


async def test_a_batch_that_is_sent_again_counts_once(there: ValkeyServer) -> None:
    moment = [float(NOON)]
    async with _shared(there, moment) as shared:
        shared.note(_record(user="alice"))
        there.pause()
        sending = asyncio.create_task(shared.flush())
        await asyncio.sleep(0.2)
        sending.cancel()
        with suppress(asyncio.CancelledError):
            await sending
        # Valkey reads what was sent before, and then the same batch again.
        there.resume()
        await shared.flush()
        assert _total(await shared.find("ns/dev", "alice")) == Sum(requests=1, cost=10**9, input_tokens=10)
        assert _total(await shared.find("ns/dev", "")).requests == 1
        assert not (await shared.find("ns/dev", "bob")).rows


async def test_many_callers_and_models_add_up(there: ValkeyServer) -> None:
    moment = [float(NOON)]
    async with _shared(there, moment) as one, _shared(there, moment) as other:
        for number in range(600):
            (one, other)[number % 2].note(_record(model=f"model {number % 7}", user=f"user-{number % 300}"))
        await asyncio.gather(one.flush(), other.flush())
        found = await one.find("ns/dev", "")
        assert _total(found).requests == 600
        assert {model for _, model, _ in found.rows} == {f"model {number}" for number in range(7)}
        assert _total(await other.find("ns/dev", "user-7")).requests == 2


def test_a_user_with_rights_for_limits_alone_still_counts_them(scripted: Scripted, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("pa55")
    rights = "limits on >pa55 ~* +@all -hincrby -hgetall -@admin"
    with valkey("--user", *rights.split()) as server:
        limited = Client(name="ns/dev", limits=Limits(requests_per_minute=2))
        routes = [route("claude-opus-5-5", targets=[target(base_url=scripted.url)])]
        made = bundle(routes, clients=[limited], keys={"cgw_key-of-dev": "ns/dev"})
        with LoneGateway(
            made,
            valkey_address=server.address,
            valkey_username="limits",
            valkey_password_file=file,
            when_valkey_unavailable="reject",
            queue_seconds=0,
        ) as gateway:
            _ask(gateway)
            _ask(gateway)
            assert "hincrby" in gateway.event("usage_not_shared")["error"]
            sent = {"authorization": "Bearer cgw_key-of-dev"}
            assert gateway.call("POST", "/v1/messages", body=BODY, headers=sent).status == 429
            assert _usage(gateway)["covers"]["scope"] == "pod"
            assert not gateway.process.lines("valkey_unavailable")


async def test_every_key_expires(there: ValkeyServer) -> None:
    moment = [float(NOON)]
    async with _shared(there, moment) as shared:
        shared.note(_record(user="alice@example.com"))
        await shared.flush()
        client = Server(there.address).client()
        lives = {bytes(key): await client.ttl(key) async for key in client.scan_iter()}
        await client.aclose()
    assert len(lives) == 6, "two marks, and an hour and a day of the person and of the client"
    assert all(0 < life <= KEPT + 2 * DAY for life in lives.values())
    assert not [key for key in lives if b"alice" in key or b"ns/dev" in key]


async def test_what_was_given_up_is_not_claimed_to_be_covered(
    there: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("claude_gateway_proxy.gateway.admission.counters.used._MOST", 4)
    moment = [float(NOON)]
    async with _shared(there, moment) as shared:
        shared.note(_record(user="alice"))
        await shared.flush()
        assert (await shared.find("ns/dev", "")).since == NOON
        moment[0] += 60
        for number in range(5):
            shared.note(_record(user=f"user-{number}"))
        assert (await shared.find("ns/dev", "")).since == NOON + 60
