"""A suspended client or route: a clear refusal that logs nobody out, live with the next bundle."""

import json
from collections.abc import Iterator
from contextlib import closing

import pytest
from tests.contract.gateway.test_safeguards import BETA, SAFEGUARDS, calling
from tests.support.builders.bundles import bundle, route, target
from tests.support.processes.inprocess import gateway as inprocess
from tests.support.processes.inprocess import stream, upstream
from tests.support.processes.lone_gateway import LoneGateway, Reply, reply

from claude_gateway.contract.bundle import Bundle
from claude_gateway.contract.client import Client
from claude_gateway.contract.target import Wire
from claude_gateway.names import HEADER_GATEWAY_CLIENT, LITELLM_SOCKET
from claude_gateway_scripted.local import Scripted

KEY, FREE = "cgw_key-of-the-suspended", "cgw_key-of-another"
TURN = {"max_tokens": 64, "messages": [{"role": "user", "content": "x"}]}


def policy(scripted: Scripted, *, client: bool = False, closed: bool = False) -> Bundle:
    """Two clients and two routes, of which one each may be suspended."""
    targets = [target(base_url=scripted.url)]
    routes = [
        route("claude-a", targets=() if closed else targets, suspended=closed),
        route("claude-b", targets=targets),
    ]
    settings = '{"env":{}}'
    clients = [Client(name="ns/dev", suspended=client, settings=settings), Client(name="ns/free")]
    return bundle(routes, clients=clients, keys={KEY: "ns/dev", FREE: "ns/free"})


def ask(gateway: LoneGateway, path: str = "/v1/messages", *, key: str = KEY, model: str = "claude-a") -> Reply:
    headers = {"authorization": f"Bearer {key}"}
    return gateway.call("POST", path, body={"model": model, **TURN}, headers=headers)


def get(gateway: LoneGateway, path: str, *, key: str = KEY) -> Reply:
    return gateway.call("GET", path, headers={"authorization": f"Bearer {key}"})


def test_a_suspended_client_is_refused_until_it_is_resumed(scripted: Scripted) -> None:
    with LoneGateway(policy(scripted)) as gateway:
        assert ask(gateway).status == 200
        gateway.apply(policy(scripted, client=True))
        refused = ask(gateway)
        assert (refused.status, refused.headers["x-should-retry"]) == (429, "false")
        assert "suspended" in refused.json["error"]["message"]
        assert "retry-after" not in refused.headers
        assert refused.headers[HEADER_GATEWAY_CLIENT] == "ns/dev"
        assert gateway.requests(count=1, client="ns/dev", status=429)[0]["outcome"] == "refused"
        assert ask(gateway, key=FREE).status == 200
        gateway.apply(policy(scripted))
        assert ask(gateway).status == 200


@pytest.fixture(scope="module")
def suspended() -> Iterator[tuple[LoneGateway, Scripted]]:
    """A gateway whose client is suspended, and its upstream."""
    with Scripted() as scripted, LoneGateway(policy(scripted, client=True)) as gateway:
        yield gateway, scripted


@pytest.mark.parametrize(
    "path",
    [
        "/v1/messages",
        "/v1/messages/count_tokens",
        "/v1/chat/completions",
        "/v1/responses",
        "/v1/embeddings",
        "/model/us.anthropic.claude-a-v1%3A0/invoke",
        "/v1/projects/p/locations/us-east5/publishers/anthropic/models/claude-a:rawPredict",
    ],
)
def test_a_suspended_client_is_refused_on_every_path_and_no_upstream_hears_of_it(
    suspended: tuple[LoneGateway, Scripted], path: str
) -> None:
    gateway, scripted = suspended
    refused = ask(gateway, path)
    assert refused.status == 429
    assert b"suspended" in refused.body
    assert scripted.requests == ()


def test_a_suspended_client_sees_no_models_but_still_gets_the_settings_that_bind_it(scripted: Scripted) -> None:
    with LoneGateway(policy(scripted, client=True)) as gateway:
        assert get(gateway, "/v1/models").status == 429
        assert get(gateway, "/v1/models/claude-a").status == 429
        assert get(gateway, "/inference-profiles").status == 429
        assert get(gateway, "/managed/settings").json["settings"] == {"env": {}}
        assert get(gateway, "/v1/models", key=FREE).status == 200


def test_a_suspended_route_keeps_its_names_and_answers_503(scripted: Scripted) -> None:
    with LoneGateway(policy(scripted, closed=True)) as gateway:
        refused = ask(gateway)
        assert (refused.status, refused.headers["x-should-retry"]) == (503, "false")
        assert "'ns/claude-a' is suspended" in refused.json["error"]["message"]
        assert ask(gateway, model="claude-b").status == 200
        assert {each["id"] for each in get(gateway, "/v1/models").json["data"]} == {"claude-a", "claude-b"}
        gateway.apply(policy(scripted))
        assert ask(gateway).status == 200


@pytest.mark.parametrize("change", [{"client": True}, {"closed": True}])
def test_an_answer_that_has_begun_goes_on_to_its_end(scripted: Scripted, change: dict[str, bool]) -> None:
    scripted.script({"text": "one two three four five six", "chunk_delay": 0.05})
    with LoneGateway(policy(scripted)) as gateway:
        body = json.dumps({"model": "claude-a", **TURN, "stream": True})
        with closing(gateway.connect()) as connection:
            connection.request("POST", "/v1/messages", body=body, headers={"authorization": f"Bearer {KEY}"})
            response = connection.getresponse()
            gateway.apply(policy(scripted, **change))
            assert ask(gateway).status in (429, 503)
            assert b"message_stop" in reply(response).body


async def test_a_judge_whose_route_is_suspended_is_not_asked() -> None:
    """Its owner said that it serves nobody: the tool call is then not judged, which Claude Code takes for unsafe."""
    routes = [
        route("gpt", targets=[target(base_url="http://127.0.0.1:1", wire=Wire.OPENAI)], safeguards_model="judge"),
        route("judge", suspended=True),
    ]
    async with (
        inprocess(*routes) as gateway,
        upstream(stream(*calling("rm -rf /")), path=gateway.run_dir / LITELLM_SOCKET),
    ):
        body = {"model": "gpt", "stream": True, "messages": [], "safeguards": SAFEGUARDS}
        answer = await gateway.post("/v1/messages", body, headers=BETA)
        assert answer.status == 200
        assert b"tool_use" in await answer.read()
        asked, line = await gateway.records(2)
        assert (asked["route"], asked["status"], asked["attempts"]) == ("ns/judge", 503, 0)
        assert line["safeguards"] == {"unavailable": 1}
