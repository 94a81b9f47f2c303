"""A person's login goes to the Claude Code backend alone, and only requests of the clients that the route lists."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.support.builders.bundles import bundle, route, target
from tests.support.processes.inprocess import Gateway, Reply, Upstream, gateway, upstream, whole

from claude_gateway.contract.bundle import BundleError, secret_entry
from claude_gateway.contract.target import Wire
from claude_gateway_proxy.gateway.snapshot import build

BACKEND_KEY, LOGIN = "cgb_key-of-the-backend-0123456789", "sk-ant-oat01-" + "a1B2" * 10
SECRET, ENTRY = (secret_entry(ref, value.encode()) for ref, value in (("claude-code", BACKEND_KEY), ("l", LOGIN)))
SECRETS = {SECRET: BACKEND_KEY.encode(), ENTRY: LOGIN.encode()}
BODY = {"model": "sonnet", "max_tokens": 9, "messages": []}
ANSWER = json.dumps({"type": "message", "content": []}).encode()


@asynccontextmanager
async def serving(
    reply: Reply, *, clients: tuple[str, ...] | None = ("ns/dev",)
) -> AsyncIterator[tuple[Gateway, Upstream]]:
    """A gateway with one route to the backend with a login, and one to Anthropic, both at one upstream."""
    async with upstream(reply) as up:
        mine = target(base_url=up.url, provider="claude-code", model="sonnet", secret=SECRET, login=ENTRY)
        routes = (
            route("sonnet", targets=[mine], only_clients=clients),
            route("other", targets=[target(base_url=up.url)]),
            route("cloud", targets=[target(base_url=up.url, wire=Wire.OPENAI)]),
        )
        async with gateway(*routes, secrets=SECRETS) as gw:
            yield gw, up


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens"])
async def test_the_backend_gets_its_key_and_the_login(path: str) -> None:
    async with serving(whole(ANSWER)) as (gw, up):
        answer = await gw.post(path, BODY, headers={"x-claude-code-login": "sk-ant-oat01-of-somebody-else"})
        assert answer.status == 200
        (seen,) = up.seen
        assert seen.header("x-api-key") == BACKEND_KEY
        assert seen.header("x-claude-code-login") == LOGIN


@pytest.mark.parametrize(("path", "model"), [("/v1/messages", "other"), ("/v1/chat/completions", "cloud")])
async def test_no_other_target_gets_a_login_whatever_the_client_sends(path: str, model: str) -> None:
    async with serving(whole(ANSWER)) as (gw, up):
        sent = {"X-Claude-Code-Login": LOGIN, "x-claude-code-session-id": "s"}
        assert (await gw.post(path, {**BODY, "model": model}, headers=sent)).status == 200
        assert up.seen[0].header("x-claude-code-login") is None


async def test_to_a_client_that_is_not_listed_the_route_does_not_exist() -> None:
    async with serving(whole(ANSWER), clients=("ns/alice",)) as (gw, up):
        answer = await gw.post("/v1/messages", BODY)
        assert answer.status == 404
        listed = await gw.client.get(
            f"{gw.url}/v1/models", headers={"authorization": answer.request_info.headers["authorization"]}
        )
        assert "sonnet" not in await listed.text()
        assert up.seen == []


@pytest.mark.parametrize("status", ["400 Bad Request", "502 Bad Gateway", "529 Busy", "401 Unauthorized"])
async def test_an_error_shows_neither_the_key_nor_the_login(status: str) -> None:
    message = f"bad {LOGIN} and {BACKEND_KEY}"
    said = json.dumps({"type": "error", "error": {"type": "api_error", "message": message}}).encode()
    async with serving(whole(said, status=status)) as (gw, _):
        answer = await gw.post("/v1/messages", BODY)
        shown = f"{answer.headers} {await answer.text()} {await gw.records()} {gw.log.read_text()}"
        assert answer.status >= 400
        assert LOGIN not in shown
        assert BACKEND_KEY not in shown


def test_a_bundle_without_the_login_is_refused() -> None:
    mine = target(base_url="http://claude", provider="claude-code", secret=SECRET, login=ENTRY)
    with pytest.raises(BundleError, match=ENTRY):
        build(bundle([route("sonnet", targets=[mine])], secrets={SECRET: BACKEND_KEY.encode()}))
