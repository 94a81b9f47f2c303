"""The agent at a real API server, under a ServiceAccount that may get and watch two named objects and nothing else."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.builders.bundled import ACCOUNT, NAME, POD, REPORT, Bundled
from tests.support.kube.apiserver import ApiServer
from tests.support.processes.agent import SECONDS, Agent, bundle
from tests.support.processes.relay import Relay
from tests.support.processes.waiting import closed, until_async

from claude_gateway.contract import folder
from claude_gateway.contract.allotment import ALLOTMENT_JSON, Allotments, read_part
from claude_gateway.contract.bundle import SCHEMA, secret_entry, unpack
from claude_gateway_proxy.agent.kubernetes import KubernetesSource
from claude_gateway_proxy.agent.source import Offer

FIRST, SECOND = b"sk-first-secret-value", b"sk-second-secret-value"


@pytest.fixture
def release(api: ApiServer, home: str, tmp_path: Path) -> Bundled:
    """A release whose objects are not there yet."""
    made = Bundled(api=api, namespace=home, home=tmp_path)
    (tmp_path / "namespace").write_text(home)
    made.token_file.write_text(made.account())
    return made


async def _live(agent: Agent, revision: str) -> None:
    await until_async(lambda: _answers(agent, 200), what="the report to be open")
    await agent.until(lambda report: report.wanted == revision and report.error is None)


def _says(text: str) -> Any:
    return lambda report: text in (report.error or "")


async def test_it_needs_to_read_two_objects_and_may_do_nothing_else(release: Bundled) -> None:
    verbs = ("get", "watch", "list", "create", "update", "patch", "delete")
    may = {
        (verb, resource, name)
        for verb in verbs
        for resource in ("configmaps", "secrets", "pods")
        for name in (NAME, "other", "")
        if _may(release, verb=verb, resource=resource, name=name)
    }
    assert may == {(verb, resource, NAME) for verb in ("get", "watch") for resource in ("configmaps", "secrets")}

    revision = release.publish(bundle("a", key=FIRST))
    async with release.agent() as agent:
        await _live(agent, revision)
    assert release.kept() == revision


async def test_the_pods_part_of_budgets_is_kept_beside_the_bundle(release: Bundled) -> None:
    path = release.home / "run" / "bundle" / ALLOTMENT_JSON

    async def has(lease: int) -> None:
        async def ask() -> bool:
            part = read_part(path.read_bytes()) if path.exists() else None
            return part is not None and part.leases == {"ns/all": {"w": lease}}

        await until_async(ask, what="the lease")

    def leases(lease: int) -> Allotments:
        others = {"cg-proxy-2": {"ns/all": {"w": 1}}}
        return Allotments(pods=2, leases={POD: {"ns/all": {"w": lease}}, **others})

    revision = release.publish(bundle("a", key=FIRST))
    async with release.agent() as agent:
        await _live(agent, revision)
        assert not path.exists(), "without the ConfigMap there is no lease"
        release.allot(leases(5))
        await has(5)
        await _live(agent, release.publish(bundle("b", key=FIRST)))
        release.allot(leases(7), packed=True)
        await has(7)
    assert path.stat().st_mode & 0o777 == 0o600


def _may(release: Bundled, **asked: str) -> bool:
    spec = {
        "user": f"system:serviceaccount:{release.namespace}:{ACCOUNT}",
        "resourceAttributes": {"namespace": release.namespace, **asked},
    }
    answer = release.api.create("/apis/authorization.k8s.io/v1/subjectaccessreviews", {"spec": spec})
    return bool(answer["status"]["allowed"])


async def test_every_edit_is_swapped_in_also_a_rotated_key(release: Bundled) -> None:
    async with release.agent() as agent:
        edits = (bundle("a", key=FIRST), bundle("b", key=FIRST), bundle("b", key=SECOND))
        for wanted in edits:
            await _live(agent, release.publish(wanted))
            assert release.kept() == wanted.meta.revision
        assert [line["revision"] for line in agent.events("bundle_swapped")] == [edit.meta.revision for edit in edits]
        assert not agent.events("bundle_refused")
    log = json.dumps(agent.log)
    assert not [value for value in (FIRST.decode(), SECOND.decode(), REPORT) if value in log]


async def test_a_bundle_as_large_as_they_get_travels(release: Bundled) -> None:
    noise = random.Random(1).randbytes(600_000)
    large = bundle("a", key=FIRST)
    large = replace(large, litellm=noise, secrets={**large.secrets, secret_entry("default.large", noise): noise})
    async with release.agent() as agent:
        await _live(agent, release.publish(bundle("a", key=FIRST)))
        await _live(agent, release.publish(large))
    assert unpack(folder.read(release.home / "run" / "bundle", large.meta.revision)) == large


async def test_halves_in_the_wrong_order_are_no_trouble_and_a_lasting_tear_is_told(release: Bundled) -> None:
    first, second = bundle("a", key=FIRST), bundle("a", key=SECOND)
    async with release.agent() as agent:
        await _live(agent, release.publish(first))
        release.config(second)
        release.secret(second)
        await _live(agent, second.meta.revision)
        assert not agent.events("bundle_refused")

        release.config(first)
        report = await agent.until(_says("of the secret part is missing"))
        assert report.wanted == first.meta.revision
        assert release.kept() == second.meta.revision
        release.secret(first)
        await _live(agent, first.meta.revision)


async def test_a_schema_that_is_too_new_is_refused_and_the_one_before_is_taken(release: Bundled) -> None:
    schema = SCHEMA + 1
    ours = bundle("a", key=FIRST)
    async with release.agent() as agent:
        await _live(agent, release.publish(ours))
        newer = release.publish(replace(bundle("b", key=FIRST), schema_version=schema))
        report = await agent.until(_says(f"schema version {schema} is not supported"))
        assert (report.wanted, release.kept()) == (newer, ours.meta.revision)
        await _live(agent, release.publish(replace(bundle("b", key=FIRST), schema_version=SCHEMA - 1)))


@pytest.mark.parametrize("resource", ["configmaps", "secrets"])
async def test_a_deleted_object_leaves_the_last_good_bundle(release: Bundled, resource: str) -> None:
    wanted = bundle("a", key=FIRST)
    async with release.agent() as agent:
        await _live(agent, release.publish(wanted))
        release.delete(resource)
        if resource == "secrets":
            # The token was in it: nobody may read until there is another one.
            await until_async(lambda: _answers(agent, 401), what="the report to be closed")
        else:
            await agent.until(_says(f"there is no ConfigMap {release.namespace}/{NAME}"))
        assert release.kept() == wanted.meta.revision
        await agent.event("bundle_missing")
        release.publish(wanted)
        await _live(agent, wanted.meta.revision)
        await _live(agent, release.publish(bundle("b", key=FIRST)))


async def _answers(agent: Agent, code: int) -> bool:
    return await agent.code("/status", authorization=f"Bearer {agent.token}") == code


async def test_an_api_server_that_goes_and_comes_back_is_followed_again(release: Bundled) -> None:
    wanted = bundle("a", key=FIRST)
    async with release.agent() as agent:
        await _live(agent, release.publish(wanted))
        await asyncio.to_thread(release.api.stop)
        try:
            report = await agent.until(_says("the API server cannot be reached"))
            assert report.wanted == release.kept() == wanted.meta.revision
        finally:
            await asyncio.to_thread(release.api.start)
        await _live(agent, wanted.meta.revision)
        await _live(agent, release.publish(bundle("b", key=FIRST)))
        assert {line["object"].split()[0] for line in agent.events("watch_resumed")} == {"ConfigMap", "Secret"}


async def test_an_agent_that_starts_while_the_api_server_is_away_keeps_what_it_had(release: Bundled) -> None:
    wanted = bundle("a", key=FIRST)
    async with Relay(release.api.port) as relay:
        async with release.agent(port=relay.port) as agent:
            await _live(agent, release.publish(wanted))
        await relay.cut()
        async with release.agent(port=relay.port) as agent:
            await agent.event("bundle_missing")
            assert release.kept() == wanted.meta.revision
            assert await agent.code("/status", authorization=f"Bearer {REPORT}") == 401
            await relay.mend()
            await _live(agent, wanted.meta.revision)
            await _live(agent, release.publish(bundle("b", key=FIRST)))


async def test_a_token_that_was_replaced_is_read_again(release: Bundled) -> None:
    async with Relay(release.api.port) as relay, release.agent(port=relay.port) as agent:
        await _live(agent, release.publish(bundle("a", key=FIRST)))
        token = release.renew_account()
        # The API server remembers for ten seconds that a token was good; one that was restarted does not.
        await asyncio.to_thread(release.api.stop)
        await asyncio.to_thread(release.api.start)
        await agent.until(_says("401 Unauthorized"))
        release.token_file.write_text(token)
        await _live(agent, release.publish(bundle("b", key=FIRST)))


async def test_a_version_that_expired_meanwhile_is_left_behind(release: Bundled) -> None:
    async with Relay(release.api.port) as relay, release.agent(port=relay.port, log_level="debug") as agent:
        await _live(agent, release.publish(bundle("a", key=FIRST)))
        await relay.cut()
        wanted = release.publish(bundle("b", key=FIRST))
        # What a new API server remembers of changes begins with its start.
        await asyncio.to_thread(release.api.stop)
        await asyncio.to_thread(release.api.start)
        await relay.mend()
        await _live(agent, wanted)
        assert [line for line in agent.events("watch_lost") if "too old resource version" in line["error"]]
        await _live(agent, release.publish(bundle("c", key=FIRST)))


async def test_connections_that_are_reset_lose_no_edit(release: Bundled) -> None:
    async with Relay(release.api.port) as relay, release.agent(port=relay.port) as agent:
        await _live(agent, release.publish(bundle("a", key=FIRST)))
        for route in ("b", "c", "d"):
            await relay.cut()
            wanted = release.publish(bundle(route, key=FIRST))
            await relay.mend()
            await _live(agent, wanted)


async def test_the_report_is_for_who_shows_the_token_and_a_new_token_counts_at_once(release: Bundled) -> None:
    wanted = bundle("a", key=FIRST)
    async with release.agent() as agent:
        assert await agent.code("/status", authorization=f"Bearer {REPORT}") == 401
        await _live(agent, release.publish(wanted))
        for shown in ("", "Bearer", "Bearer ", f"Basic {REPORT}", f"Bearer {REPORT}x", "Bearer x", REPORT):
            assert await agent.code("/status", authorization=shown) == 401
            assert await agent.code("/status?revision=x", authorization=shown) == 401
        for page in ("/healthz", "/metrics"):
            assert await agent.code(page) == 200

        release.secret(wanted, report_token="another-one")
        await until_async(lambda: _answers(replace(agent, token="another-one"), 200), what="the new token")
        assert await agent.code("/status", authorization=f"Bearer {REPORT}") == 401


@asynccontextmanager
async def _offers(release: Bundled, *, port: int, watch_seconds: int) -> AsyncIterator[asyncio.Queue[Offer]]:
    cluster = release.cluster(port=port)
    source = KubernetesSource(cluster, namespace=release.namespace, name=NAME, watch_seconds=watch_seconds)
    offers: asyncio.Queue[Offer] = asyncio.Queue()
    task = asyncio.create_task(source.run(offers.put_nowait))
    try:
        yield offers
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await closed()


async def _offered(offers: asyncio.Queue[Offer], revision: str) -> None:
    async with asyncio.timeout(SECONDS):
        while (await offers.get()).revision != revision:
            pass


async def _left(relay: Relay) -> bool:
    return relay.hushed == 0


async def test_a_watch_that_falls_silent_is_given_up(release: Bundled) -> None:
    async with Relay(release.api.port) as relay:
        first = release.publish(bundle("a", key=FIRST))
        async with _offers(release, port=relay.port, watch_seconds=2) as offers:
            await _offered(offers, first)
            relay.hush()
            await _offered(offers, release.publish(bundle("b", key=FIRST)))
            # Nobody answers a goodbye there; one that was waited for would take half a minute.
            async with asyncio.timeout(SECONDS / 3):
                await until_async(lambda: _left(relay), what="the silent connections to go")


async def test_a_watch_that_the_server_ends_in_time_goes_on(release: Bundled) -> None:
    first = release.publish(bundle("a", key=FIRST))
    async with Relay(release.api.port) as relay, _offers(release, port=relay.port, watch_seconds=1) as offers:
        await _offered(offers, first)
        for route in ("b", "c"):
            await asyncio.sleep(2)
            await _offered(offers, release.publish(bundle(route, key=FIRST)))
        assert offers.empty()
