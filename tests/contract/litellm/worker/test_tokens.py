"""OpenAI's clients at a Claude that is called without a key: the gateway brings the access token to the worker."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.builders.bundles import route, target
from tests.support.builders.service_accounts import Cluster
from tests.support.processes.federation import FEDERATION, Anthropic, anthropic
from tests.support.processes.inprocess import Gateway, gateway
from tests.support.processes.worker import KEY, Worker, bundle, deployment, headers

from claude_gateway.names import HEADER_TOKEN
from claude_gateway_scripted.journal import digest
from claude_gateway_scripted.local import Scripted

TOKEN = "sk-ant-oat01-0123456789abcdef"
CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"
ASKED: dict[str, dict[str, Any]] = {
    CHAT: {"messages": [{"role": "user", "content": "hello"}]},
    RESPONSES: {"input": "hello"},
}


@pytest.fixture(autouse=True)
def targets(worker: Worker, upstream: Scripted) -> None:
    """The worker with one target of each sort."""
    keyless = deployment("federated", "anthropic/claude-opus-5-5", api_base=upstream.url, secret=None)
    worker.apply(
        bundle(
            keyless.model_copy(update={"federation": FEDERATION}),
            deployment("keyed", "anthropic/claude-opus-5-5", api_base=upstream.url),
        )
    )


def ask(worker: Worker, target: str, path: str) -> Any:
    return worker.http.post(path, headers={**headers(target, "m"), HEADER_TOKEN: TOKEN}, json=ASKED[path])


@pytest.mark.parametrize("path", ASKED)
def test_the_token_is_sent_as_anthropic_takes_it(worker: Worker, upstream: Scripted, path: str) -> None:
    assert ask(worker, "federated", path).status_code == 200
    sent = {name.lower(): value for name, value in upstream.last.headers}
    assert sent["authorization"] == f"Bearer {digest(TOKEN)}"
    assert "oauth-2025-04-20" in sent["anthropic-beta"].split(",")
    assert "x-api-key" not in sent


def test_a_target_with_a_key_gets_no_token(worker: Worker, upstream: Scripted) -> None:
    assert ask(worker, "keyed", CHAT).status_code == 200
    sent = {name.lower(): value for name, value in upstream.last.headers}
    assert sent["x-api-key"] == digest(KEY)
    assert "authorization" not in sent


def test_a_token_that_the_upstream_repeats_is_masked(worker: Worker, upstream: Scripted) -> None:
    wrong = {"error_type": "authentication_error", "error_message": f"invalid bearer token {TOKEN}"}
    upstream.script({"status": 401, **wrong})
    answer = ask(worker, "federated", CHAT)
    assert answer.status_code == 401
    assert TOKEN not in answer.text


async def _chat(gw: Gateway) -> int:
    answer = await gw.post(CHAT, {"model": "claude", **ASKED[CHAT]})
    await answer.read()
    return answer.status


async def test_a_revoked_token_is_replaced_in_this_lane_too(worker: Worker, tmp_path: Path) -> None:
    cluster = Cluster()
    for number in (1, 2):
        (tmp_path / f"token-{number}").write_text(cluster.token())
    async with anthropic(Anthropic(cluster.jwks())) as vendor:
        given = target(base_url=vendor.url, model="claude-opus-5-5", federation=FEDERATION)
        async with gateway(route("*", targets=[given]), token_file=tmp_path, run=worker.run_dir) as gw:
            assert await asyncio.gather(*(_chat(gw) for _ in range(4))) == [200] * 4
            vendor.revoke()
            assert await asyncio.gather(*(_chat(gw) for _ in range(4))) == [200] * 4
            assert vendor.exchanges == [200, 200]
            answer = await gw.post("/v1/messages", {"model": "claude", "max_tokens": 5, **ASKED[CHAT]})
            assert json.loads(await answer.read())["content"][0]["text"] == "Hello"
            assert vendor.exchanges == [200, 200], "both lanes share the access token"
