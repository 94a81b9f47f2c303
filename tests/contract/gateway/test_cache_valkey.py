"""Answers kept in a real Valkey: for all pods of a release and for no other one, and without it nothing is kept."""

from collections.abc import AsyncIterator, Iterator

import pytest
from tests.support.builders.bundles import bundle, route, target
from tests.support.processes.lone_gateway import LoneGateway
from tests.support.processes.valkey import ValkeyServer, valkey
from tests.support.processes.waiting import until

from claude_gateway.contract.route import Cache
from claude_gateway.contract.target import Wire
from claude_gateway_proxy.gateway.admission.counters.server import Server
from claude_gateway_proxy.gateway.caching.store import Kept
from claude_gateway_proxy.gateway.caching.valkey import ValkeyStore
from claude_gateway_scripted.local import Scripted

KEY = "cgw_key-of-dev"
ANSWER = Kept(200, ((b"content-type", b"application/json"),), b'{"a": "\xc3\xa9"}', 1_764_000_000.5)


@pytest.fixture
def server() -> Iterator[ValkeyServer]:
    with valkey() as running:
        yield running


@pytest.fixture
async def stores(server: ValkeyServer) -> AsyncIterator[list[ValkeyStore]]:
    """Those of two pods of one release, and that of another release."""
    found = [ValkeyStore(Server(server.address).client(), prefix=prefix) for prefix in ("ns/a", "ns/a", "ns/b")]
    yield found
    for store in found:
        await store.close()


async def test_the_pods_of_a_release_share_answers_and_no_other_release_has_them(stores: list[ValkeyStore]) -> None:
    first, second, stranger = stores
    assert await first.get(b"k") is None
    await first.put(b"k", ANSWER, ttl=60)
    assert await second.get(b"k") == ANSWER
    assert await stranger.get(b"k") is None


async def test_an_answer_ends_with_its_time(server: ValkeyServer, stores: list[ValkeyStore]) -> None:
    client = Server(server.address).client()
    await stores[0].put(b"k", ANSWER, ttl=90)
    (name,) = await client.keys("*")
    assert 80_000 < await client.pttl(name) <= 90_000
    await client.aclose()


async def test_what_nobody_can_read_is_no_answer(server: ValkeyServer, stores: list[ValkeyStore]) -> None:
    client = Server(server.address).client()
    await stores[0].put(b"k", ANSWER, ttl=90)
    (name,) = await client.keys("*")
    await client.set(name, b"\xc1odd")
    assert await stores[1].get(b"k") is None
    await client.aclose()


async def test_without_valkey_nothing_is_kept_and_it_is_asked_no_more_for_a_while(
    server: ValkeyServer, stores: list[ValkeyStore], caplog: pytest.LogCaptureFixture
) -> None:
    server.stop()
    for _ in range(3):
        assert await stores[0].get(b"k") is None
        await stores[0].put(b"k", ANSWER, ttl=60)
    lines = [record for record in caplog.records if record.getMessage() == "cache_unavailable"]
    assert len(lines) == 1, "one try, and then a pause"


async def test_one_that_hangs_is_as_one_that_is_away(
    server: ValkeyServer, stores: list[ValkeyStore], caplog: pytest.LogCaptureFixture
) -> None:
    await stores[0].put(b"k", ANSWER, ttl=60)
    server.pause()
    assert await stores[0].get(b"k") is None
    server.resume()
    assert await stores[0].get(b"k") is None, "it is left alone for a while"
    assert await stores[1].get(b"k") == ANSWER
    assert [record.getMessage() for record in caplog.records].count("cache_unavailable") == 1


def test_pods_answer_from_what_another_one_keeps_and_serve_without_it(server: ValkeyServer) -> None:
    with Scripted() as scripted:
        embed = target(base_url=scripted.openai_url, wire=Wire.OPENAI)
        kept = bundle([route("embed", targets=[embed], cache=Cache(ttl=600))], keys={KEY: "ns/dev"})
        settings = {"cache_valkey_address": server.address, "cache_valkey_prefix": "ns/a"}
        with LoneGateway(kept, **settings) as first, LoneGateway(kept, **settings) as second:
            assert _ask(first) == (200, "miss")
            # On a busy machine Valkey may take longer than a request waits for it.
            until(lambda: _ask(second) == (200, "hit"), what="the answer that the first one keeps")
            asked = len(scripted.requests)
            server.stop()
            assert _ask(second) == (200, "miss")
            assert len(scripted.requests) == asked + 1
            server.start()


def _ask(gateway: LoneGateway) -> tuple[int, str | None]:
    body = {"model": "embed", "input": "one"}
    reply = gateway.call("POST", "/v1/embeddings", body=body, headers={"authorization": f"Bearer {KEY}"})
    return reply.status, reply.headers.get("x-gateway-cache")
