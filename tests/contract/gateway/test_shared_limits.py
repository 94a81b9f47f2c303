"""Limits that several gateway processes count together in a real Valkey, and what they do while it is away."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import aiohttp
import pytest
from tests.support.builders.bundles import bundle, route, target
from tests.support.processes.inprocess import Seen, chunk, head, upstream
from tests.support.processes.lone_gateway import LoneGateway, Reply
from tests.support.processes.valkey import ValkeyServer, valkey
from tests.support.processes.waiting import until

from claude_gateway.contract.bundle import Bundle
from claude_gateway.contract.client import Client
from claude_gateway.contract.limits import Limits
from claude_gateway_scripted import Scripted

KEY = "cgw_key-of-dev"


@pytest.fixture
def there() -> Iterator[ValkeyServer]:
    with valkey() as server:
        yield server


def _bundle(scripted: Scripted, **limits: int) -> Bundle:
    client = Client(name="ns/dev", limits=Limits(**limits))
    return bundle([route("c", targets=[target(base_url=scripted.url)])], clients=[client], keys={KEY: "ns/dev"})


_STREAMS = 200
_AT_ONE_TIME = 20
_PER_MINUTE = 150


class _Streams:
    """An upstream's streams, which end before their last bytes are sent: how many ran, and how many at one time."""

    def __init__(self) -> None:
        self.running = self.most = self.asked = 0

    async def __call__(self, _: Seen, writer: asyncio.StreamWriter) -> None:
        self.asked += 1
        self.running += 1
        self.most = max(self.most, self.running)
        writer.write(head() + chunk(b'event: ping\ndata: {"type":"ping"}\n\n'))
        await asyncio.sleep(0.1)
        self.running -= 1
        writer.write(chunk(b'event: message_stop\ndata: {"type":"message_stop"}\n\n') + chunk(b""))


async def _flood(gateways: list[LoneGateway], *, kill: LoneGateway | None = None) -> Counter[int]:
    """Send all requests at once, in turn to these gateways; returns how often each status came, 0 for a broken answer.

    ``kill`` is killed as soon as one request was answered.
    """
    body = {"model": "c", "max_tokens": 9, "stream": True, "messages": [{"role": "user", "content": "hello"}]}
    answered: Counter[int] = Counter()
    connector = aiohttp.TCPConnector(limit=0)

    async def ask(client: aiohttp.ClientSession, url: str) -> None:
        try:
            async with client.post(f"{url}/v1/messages", json=body, headers={"x-api-key": KEY}) as response:
                await response.read()
                answered[response.status] += 1
        except aiohttp.ClientError:
            answered[0] += 1
        if kill is not None and answered[200] == 1:
            kill.process.send(signal.SIGKILL)

    async with aiohttp.ClientSession(connector=connector) as client:
        urls = [gateways[number % len(gateways)].url for number in range(_STREAMS)]
        await asyncio.gather(*(ask(client, url) for url in urls))
    return answered


@pytest.mark.parametrize("killed", [False, True], ids=["all-live", "one-is-killed"])
async def test_streams_of_two_processes_never_exceed_a_limit(there: ValkeyServer, killed: bool) -> None:
    streams = _Streams()
    limits = Limits(concurrent=_AT_ONE_TIME, requests_per_minute=_PER_MINUTE)
    client = Client(name="ns/dev", limits=limits)
    async with upstream(streams) as up:
        config = bundle([route("c", targets=[target(base_url=up.url)])], clients=[client], keys={KEY: "ns/dev"})
        with ExitStack() as stack:
            gateways = [
                stack.enter_context(LoneGateway(config, valkey_address=there.address, queue_seconds=5))
                for _ in range(2)
            ]
            began = time.monotonic()
            answered = await _flood(gateways, kill=gateways[0] if killed else None)
            minutes = (time.monotonic() - began) / 60
    assert answered.total() == _STREAMS
    assert answered.keys() <= ({200, 429, 0} if killed else {200, 429})
    assert 0 < streams.most <= _AT_ONE_TIME
    # A full bucket, and what drained from it meanwhile.
    assert streams.asked <= _PER_MINUTE * (1 + minutes)
    assert answered[200] <= streams.asked


def _ask(gateway: LoneGateway) -> Reply:
    body = {"model": "c", "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]}
    return gateway.call("POST", "/v1/messages", body=body, headers={"x-api-key": KEY})


def test_processes_share_one_limit(scripted: Scripted, there: ValkeyServer) -> None:
    with ExitStack() as stack:
        gateways = [
            stack.enter_context(
                LoneGateway(_bundle(scripted, requests_per_minute=5), valkey_address=there.address, queue_seconds=0)
            )
            for _ in range(2)
        ]
        answers = [_ask(gateway) for gateway in gateways * 4]
    assert [answer.status for answer in answers] == [200] * 5 + [429] * 3
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 12


def test_a_slot_that_another_process_frees_is_found(scripted: Scripted, there: ValkeyServer) -> None:
    with ExitStack() as stack:
        gateways = [
            stack.enter_context(LoneGateway(_bundle(scripted, concurrent=1), valkey_address=there.address))
            for _ in range(2)
        ]
        assert [_ask(gateway).status for gateway in gateways * 3] == [200] * 6


@pytest.mark.parametrize(("policy", "status"), [("allow", 200), ("reject", 503)])
def test_a_setting_says_what_happens_while_valkey_is_away(
    scripted: Scripted, there: ValkeyServer, policy: str, status: int
) -> None:
    with LoneGateway(
        _bundle(scripted, requests_per_minute=1),
        valkey_address=there.address,
        queue_seconds=0,
        when_valkey_unavailable=policy,
    ) as gateway:
        assert [_ask(gateway).status for _ in range(2)] == [200, 429]
        there.stop()
        answers = [_ask(gateway) for _ in range(3)]
        assert [answer.status for answer in answers] == [status] * 3
        lost = gateway.event("valkey_unavailable")
        assert f'claude_gateway_valkey_up{{address="{there.address}"}} 0.0' in gateway.internal("/metrics").decode()
        there.start()
        gateway.event("valkey_available")
        assert [_ask(gateway).status for _ in range(2)] == [200, 429]
        assert f'claude_gateway_valkey_up{{address="{there.address}"}} 1.0' in gateway.internal("/metrics").decode()
        assert len(gateway.process.lines("valkey_unavailable")) == 1
    assert (lost["level"], lost["limited_requests"]) == ("warning", policy)
    if status == 503:
        assert answers[0].headers["retry-after"] == "5"
        assert answers[0].json["error"]["type"] == "api_error"


def test_a_valkey_that_was_never_there_is_named_in_the_log_and_delays_nothing_without_limits(
    scripted: Scripted,
) -> None:
    free = bundle([route("c", targets=[target(base_url=scripted.url)])], keys={KEY: "ns/dev"})
    with LoneGateway(free, valkey_address="127.0.0.1:1", when_valkey_unavailable="reject") as gateway:
        gateway.event("valkey_unavailable")
        assert _ask(gateway).status == 200


def test_what_ended_is_settled_before_the_process_ends(scripted: Scripted, there: ValkeyServer) -> None:
    with LoneGateway(_bundle(scripted, concurrent=1), valkey_address=there.address) as gateway:
        assert _ask(gateway).status == 200
        gateway.process.stop()
    with LoneGateway(_bundle(scripted, concurrent=1), valkey_address=there.address, queue_seconds=0) as gateway:
        assert _ask(gateway).status == 200


def test_no_password_is_in_the_log(scripted: Scripted, there: ValkeyServer, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("pa55-of-valkey")
    with LoneGateway(
        _bundle(scripted, concurrent=1), valkey_address=there.address, valkey_password_file=file, log_level="debug"
    ) as gateway:
        until(lambda: gateway.process.lines("valkey_unavailable"), what="the wrong password to be noticed")
        assert _ask(gateway).status == 200
        assert "pa55" not in gateway.process.output
