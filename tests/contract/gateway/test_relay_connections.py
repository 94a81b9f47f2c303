"""Which connections are kept, and for whom."""

import logging

import pytest
from multidict import CIMultiDict
from tests.support.builders.bundles import route, target
from tests.support.processes.inprocess import gateway, upstream, whole
from tests.support.processes.waiting import until_async
from yarl import URL

from claude_gateway.contract.policy import Egress
from claude_gateway_proxy.gateway.upstream.http.resolver import AddressRefused, Resolver
from claude_gateway_proxy.gateway.upstream.pool import UpstreamPool
from claude_gateway_proxy.gateway.upstream.session import Upstreams

_OPEN = Egress(loopback=True)


async def _ask(upstreams: Upstreams, url: str) -> bytes:
    response = await upstreams.send(URL(url), headers=CIMultiDict(), body=b"{}")
    return await response.read()


async def _is(count: int, wanted: int) -> bool:
    return count == wanted


async def test_a_connection_that_a_new_rule_forbids_is_not_used_again() -> None:
    pool = UpstreamPool()
    async with upstream(whole(b"{}")) as up:
        running = pool.lease(_OPEN)
        assert await _ask(running, up.url) == b"{}"
        strict = pool.lease(Egress())
        for url in (up.url, up.url.replace("127.0.0.1", "localhost")):
            with pytest.raises(AddressRefused):
                await _ask(strict, url)
        # The request that began under the old rule ends under it, and takes its connections along.
        assert await _ask(running, up.url) == b"{}"
        assert (up.open, len(up.seen)) == (1, 2)
        pool.release(running)
        await until_async(lambda: _is(up.open, 0), what="the old connection to be closed")
        pool.release(strict)
    await pool.close()


async def test_an_equal_rule_of_a_new_revision_keeps_the_connections() -> None:
    pool = UpstreamPool()
    async with upstream(whole(b"{}")) as up:
        for _ in range(3):
            lease = pool.lease(Egress(loopback=True))
            assert await _ask(lease, up.url) == b"{}"
            pool.release(lease)
        assert (up.open, up.ended) == (1, 0)
        await pool.close()


async def test_of_several_addresses_the_allowed_ones_stay() -> None:
    found = await Resolver(Egress(hosts=("127.0.0.1",))).resolve("localhost", 80)
    assert {address[0] for *_, address in found} == {"127.0.0.1"}
    with pytest.raises(AddressRefused):
        await Resolver(Egress()).resolve("localhost", 80)


@pytest.mark.parametrize("host", ["metadata.google.internal", "0xa9fea9fe", "169.254.43518", "[fd00:ec2::23]"])
async def test_no_proxy_is_asked_for_a_metadata_service(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with upstream(whole(b"{}")) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        upstreams = Upstreams(_OPEN)
        with pytest.raises(AddressRefused):
            await _ask(upstreams, f"http://{host}/v1/messages")
        await upstreams.close()
    assert proxy.seen == []


@pytest.mark.parametrize(
    ("base", "reason", "words"),
    [
        ("http://127.0.0.1:1", "refused", "Connect call failed"),
        ("http://nobody.invalid", "dns", "gaierror"),
    ],
)
async def test_the_log_says_why_there_is_no_connection(
    base: str, reason: str, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    there = target(base_url=base)
    async with gateway(route("c", targets=[there])) as gw:
        with caplog.at_level(logging.WARNING, "claude_gateway_proxy"):
            answer = await gw.post("/v1/messages", {"model": "c"})
            assert answer.status == 502
            await answer.read()
    (entry,) = [record for record in caplog.records if record.getMessage() == "upstream_unreachable"]
    fields = entry.__dict__["fields"]
    assert fields["target"] == there.id
    assert (fields["reason"], words in fields["error"]) == (reason, True)
