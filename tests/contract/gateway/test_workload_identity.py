"""Anthropic without a key: the pods' ServiceAccount token is exchanged for access tokens, unseen by clients."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support.builders.bundles import route, target
from tests.support.builders.service_accounts import Cluster
from tests.support.processes.federation import ANSWER, FEDERATION, Anthropic, anthropic
from tests.support.processes.inprocess import Gateway, gateway

from claude_gateway.contract.provider import PROVIDERS

_ASK = {"model": "claude", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}


NAMED = {**ANSWER, "model": _ASK["model"]}
"""Anthropic's answer under the name that was asked for."""


@asynccontextmanager
async def federated(
    vendor: Anthropic, token_file: Path | None, *, run: Path | None = None, **more: Any
) -> AsyncIterator[Gateway]:
    """A gateway whose only target is called under the pods' identity."""
    given = target(base_url=vendor.url, federation=FEDERATION, credential="ns/wif.01234567", **more)
    async with gateway(route("*", targets=[given]), token_file=token_file, run=run) as running:
        yield running


async def ask(gw: Gateway, **headers: str) -> tuple[int, dict[str, Any]]:
    answer = await gw.post("/v1/messages", _ASK, headers=headers)
    return answer.status, json.loads(await answer.read())


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def tokens(tmp_path: Path, cluster: Cluster) -> Path:
    """A folder with one ServiceAccount token, as a projected volume has it."""
    folder = tmp_path / "tokens"
    (folder / "..data").mkdir(parents=True)
    (folder / "token-1").write_text(cluster.token())
    return folder


async def test_a_request_goes_under_the_pods_identity(cluster: Cluster, tokens: Path) -> None:
    async with anthropic(Anthropic(cluster.jwks())) as vendor, federated(vendor, tokens / "token-1") as gw:
        assert await ask(gw, **{"anthropic-beta": "context-1m-2025-08-07"}) == (200, NAMED)
        assert await ask(gw) == (200, NAMED)
        assert vendor.exchanges == [200]
        first, second = vendor.asked
    assert first["anthropic-beta"] == "context-1m-2025-08-07,oauth-2025-04-20"
    assert second["Authorization" if "Authorization" in second else "authorization"].startswith("Bearer sk-ant-oat01-")


async def test_requests_at_once_share_one_exchange(cluster: Cluster, tokens: Path) -> None:
    async with anthropic(Anthropic(cluster.jwks())) as vendor, federated(vendor, tokens) as gw:
        answers = await asyncio.gather(*(ask(gw) for _ in range(20)))
        assert [status for status, _ in answers] == [200] * 20
        assert vendor.exchanges == [200]


async def test_a_revoked_token_is_replaced_within_the_request(cluster: Cluster, tokens: Path) -> None:
    (tokens / "token-2").write_text(cluster.token())
    async with anthropic(Anthropic(cluster.jwks())) as vendor, federated(vendor, tokens) as gw:
        assert await ask(gw) == (200, NAMED)
        vendor.revoke()
        answers = await asyncio.gather(*(ask(gw) for _ in range(10)))
        assert [status for status, _ in answers] == [200] * 10
        assert vendor.exchanges == [200, 200]


async def test_tokens_revoked_again_and_again_are_not_exchanged_without_end(cluster: Cluster, tokens: Path) -> None:
    async with anthropic(Anthropic(cluster.jwks(), single_use=False)) as vendor, federated(vendor, tokens) as gw:
        for _ in range(20):
            vendor.revoke()
            await ask(gw)
        assert 2 <= len(vendor.exchanges) <= 7


async def test_a_rejected_token_with_no_other_to_be_had_is_an_error_of_the_gateway(
    cluster: Cluster, tokens: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The client gets Anthropic's answer, and the gateway's log says why there is no newer token."""
    async with anthropic(Anthropic(cluster.jwks())) as vendor, federated(vendor, tokens) as gw:
        await ask(gw)
        issued = next(iter(vendor.issued))
        vendor.revoke()
        status, body = await ask(gw)
    assert (status, vendor.exchanges) == (502, [200, 401])
    assert "refused the gateway's credential" in body["error"]["message"]
    assert issued not in json.dumps(body)
    (logged,) = _missing(caplog)
    assert "this ServiceAccount token was exchanged before" in logged
    assert issued not in logged


async def test_a_new_token_of_kubernetes_is_exchanged_before_the_old_access_token_ends(
    cluster: Cluster, tokens: Path
) -> None:
    """Anthropic takes each ServiceAccount token once, so the new one is used as soon as it is there."""
    async with anthropic(Anthropic(cluster.jwks(), lifetime=60)) as vendor, federated(vendor, tokens) as gw:
        for _ in range(3):
            assert await ask(gw) == (200, NAMED)
        (tokens / "token-1").write_text(cluster.token())
        vendor.revoke()
        assert await ask(gw) == (200, NAMED)
        assert vendor.exchanges == [200, 200]


async def test_a_restart_goes_on_with_the_access_token_that_it_had(
    cluster: Cluster, tokens: Path, tmp_path: Path
) -> None:
    (run := tmp_path / "run").mkdir()
    async with anthropic(Anthropic(cluster.jwks())) as vendor:
        for _ in range(3):
            async with federated(vendor, tokens, run=run) as gw:
                assert await ask(gw) == (200, NAMED)
        assert vendor.exchanges == [200]
    (kept,) = (run / "access-tokens").iterdir()
    assert (kept.stat().st_mode & 0o777, kept.parent.stat().st_mode & 0o777) == (0o600, 0o700)


async def test_two_identities_need_a_token_each(cluster: Cluster, tokens: Path) -> None:
    (tokens / "token-2").write_text(cluster.token())
    other = Anthropic(cluster.jwks(), federation=FEDERATION.model_copy(update={"workspace_id": None}))
    async with anthropic(Anthropic(cluster.jwks())) as one, anthropic(other) as two:
        two._used = one._used  # one vendor: a token id is taken once for both
        targets = {
            "a": target(base_url=one.url, federation=one.federation),
            "b": target(base_url=two.url, federation=two.federation),
        }
        routes = [route(model, targets=[each]) for model, each in targets.items()]
        async with gateway(*routes, token_file=tokens) as gw:
            for model in ("a", "b", "a", "b"):
                answer = await gw.post("/v1/messages", {**_ASK, "model": model})
                assert (answer.status, json.loads(await answer.read())) == (200, {**ANSWER, "model": model})
        assert (one.exchanges, two.exchanges) == ([200], [200])


_WRONG: dict[str, dict[str, Any]] = {
    "another audience": {"audience": "https://kubernetes.default.svc"},
    "expired": {"age": 7200},
    "longer than the issuer allows": {"lifetime": 7200},
    "another ServiceAccount": {"sub": "system:serviceaccount:other:default"},
    "another issuer": {"iss": "https://evil.example"},
}


@pytest.mark.parametrize("wrong", _WRONG)
async def test_what_the_vendor_refuses_is_reported_without_the_token(
    cluster: Cluster, tokens: Path, wrong: str, caplog: pytest.LogCaptureFixture
) -> None:
    token = cluster.token(**_WRONG[wrong])
    (tokens / "token-1").write_text(token)
    async with anthropic(Anthropic(cluster.jwks())) as vendor, federated(vendor, tokens) as gw:
        status, body = await ask(gw)
        assert (status, vendor.exchanges) == (502, [401])
    assert body["error"]["type"] == "api_error"
    assert "no usable identity" in body["error"]["message"]
    (logged,) = _missing(caplog)
    assert "401 Authentication failed" in logged
    assert token not in logged


async def test_a_token_of_another_cluster_is_refused(cluster: Cluster, tokens: Path) -> None:
    async with anthropic(Anthropic(Cluster().jwks())) as vendor, federated(vendor, tokens) as gw:
        assert (await ask(gw))[0] == 502
        assert vendor.exchanges == [401]


async def test_a_token_endpoint_that_is_down_does_not_fail_requests_that_have_a_token(
    cluster: Cluster, tokens: Path
) -> None:
    async with anthropic(Anthropic(cluster.jwks())) as vendor, federated(vendor, tokens) as gw:
        assert (await ask(gw))[0] == 200
        vendor.down = 529
        (tokens / "token-1").write_text(cluster.token())
        for _ in range(3):
            assert (await ask(gw))[0] == 200


@pytest.mark.parametrize("status", [429, 503, 529])
async def test_a_token_endpoint_that_is_down_is_worth_another_try(cluster: Cluster, tokens: Path, status: int) -> None:
    async with anthropic(Anthropic(cluster.jwks())) as vendor, federated(vendor, tokens) as gw:
        vendor.down = status
        answer = await gw.post("/v1/messages", _ASK)
        assert (answer.status, answer.headers["retry-after"]) == (503, "2")
        assert "its issuer does not answer" in (await answer.json())["error"]["message"]


async def test_without_a_token_file_the_error_names_the_value(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    async with anthropic(Anthropic(cluster.jwks())) as vendor, federated(vendor, None) as gw:
        assert (await ask(gw))[0] == 502
        assert vendor.exchanges == []
    (logged,) = _missing(caplog)
    assert "proxy.workloadIdentity.enabled" in logged
    assert "CLAUDE_GATEWAY_IDENTITY_TOKEN_FILE" in logged


@pytest.mark.parametrize("content", ["", "x" * 20_000, "\u00e9"])
async def test_a_file_that_is_no_token_is_not_sent(cluster: Cluster, tokens: Path, content: str) -> None:
    (tokens / "token-1").write_text(content)
    async with anthropic(Anthropic(cluster.jwks())) as vendor, federated(vendor, tokens) as gw:
        assert (await ask(gw))[0] == 502
        assert vendor.exchanges == []


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses"])
async def test_openais_clients_use_the_same_access_token(cluster: Cluster, tokens: Path, path: str) -> None:
    (tokens / "token-2").write_text(cluster.token())
    asked = {"model": "claude", "input": "hi"} if path.endswith("responses") else {**_ASK, "max_tokens": 99}
    row = PROVIDERS["anthropic"].translation
    async with anthropic(Anthropic(cluster.jwks())) as vendor, federated(vendor, tokens, translation=row) as gw:
        for _ in range(2):
            answer = await gw.post(path, asked)
            assert answer.status == 200, await answer.read()
            await answer.read()
            vendor.revoke()
        assert (await ask(gw))[0] == 502, "both ServiceAccount tokens are spent"
        assert vendor.exchanges[:2] == [200, 200]
        assert {record["lane"] for record in (await gw.records(3))[:2]} == {"codec"}


def _missing(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The log's lines about a credential that is not there."""
    return [str(record.__dict__) for record in caplog.records if "identity_missing" in str(record.__dict__)]
