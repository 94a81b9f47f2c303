"""A client of another namespace: on no path does it reach a route that its namespace may not use, or learn of it."""

import json
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import pytest
from tests.contract.gateway.test_safeguards import SAFEGUARDS, calling, sensible
from tests.support.builders.bundles import bundle, route, target
from tests.support.processes.inprocess import gateway as inprocess
from tests.support.processes.inprocess import stream, upstream
from tests.support.processes.lone_gateway import LoneGateway, Reply

from claude_gateway.contract.client import Client
from claude_gateway.contract.target import Target, Wire
from claude_gateway.names import LITELLM_SOCKET

OWNER, STRANGER = "cgw_key-of-the-owner", "cgw_key-of-a-stranger"
_CLOSED = "http://127.0.0.1:1"
_HIDDEN, _ABSENT = "claude-hidden-4", "claude-absent-4"
_TURN = {"max_tokens": 5, "messages": [{"role": "user", "content": "x"}]}
_PROJECT = "/v1/projects/p/locations/us-east5/publishers/anthropic/models"


def _body(model: str) -> dict[str, Any]:
    return {"model": model, "input": "x", "prompt": "x", **_TURN}


def _cloud(_: str) -> dict[str, Any]:
    return {"anthropic_version": "x", **_TURN}


def _count(_: str) -> dict[str, Any]:
    return {"input": {"invokeModel": {"body": b64encode(json.dumps(_cloud("")).encode()).decode()}}}


PATHS = {
    "messages": ("POST", "/v1/messages", _body),
    "count_tokens": ("POST", "/v1/messages/count_tokens", _body),
    "chat": ("POST", "/v1/chat/completions", _body),
    "completions": ("POST", "/v1/completions", _body),
    "responses": ("POST", "/v1/responses", _body),
    "embeddings": ("POST", "/v1/embeddings", _body),
    "foundry": ("POST", "/anthropic/v1/messages", _body),
    "foundry count_tokens": ("POST", "/anthropic/v1/messages/count_tokens", _body),
    "bedrock": ("POST", "/model/us.anthropic.{}-v1%3A0/invoke", _cloud),
    "bedrock stream": ("POST", "/model/us.anthropic.{}-v1%3A0/invoke-with-response-stream", _cloud),
    "bedrock count-tokens": ("POST", "/model/us.anthropic.{}-v1%3A0/count-tokens", _count),
    "vertex": ("POST", _PROJECT + "/{}@default:rawPredict", _cloud),
    "vertex stream": ("POST", _PROJECT + "/{}@default:streamRawPredict", _cloud),
    "vertex count_tokens": ("POST", _PROJECT + "/count-tokens:rawPredict", _body),
    "one model": ("GET", "/v1/models/{}", None),
    "one profile": ("GET", "/inference-profiles/us.anthropic.{}-v1:0", None),
}


@pytest.fixture(scope="module")
def gateway() -> Iterator[LoneGateway]:
    everything = [target(base_url=_CLOSED), target(base_url=_CLOSED, wire=Wire.OPENAI)]
    routes = [
        route(_HIDDEN, name="owner/hidden", targets=everything, display_name="Hidden"),
        route("claude-open-4", name="stranger/open", targets=everything),
    ]
    clients = [Client(name="owner/c"), Client(name="stranger/c")]
    keys = {OWNER: "owner/c", STRANGER: "stranger/c"}
    with LoneGateway(bundle(routes, clients=clients, keys=keys, namespace="release")) as running:
        yield running


def ask(gateway: LoneGateway, path: str, *, key: str, model: str) -> Reply:
    method, template, body = PATHS[path]
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json", "anthropic-version": "2023-06-01"}
    return gateway.call(method, template.format(model), body=body and body(model), headers=headers)


def words(reply: Reply) -> str:
    """All that an answer says, without its own id."""
    return reply.body.decode().replace(reply.headers.get("request-id", "-"), "ID")


@pytest.mark.parametrize("path", PATHS)
def test_a_model_of_another_namespace_is_like_one_that_does_not_exist(gateway: LoneGateway, path: str) -> None:
    hidden = ask(gateway, path, key=STRANGER, model=_HIDDEN)
    absent = ask(gateway, path, key=STRANGER, model=_ABSENT)
    assert hidden.status == absent.status == 404
    assert words(hidden).replace(_HIDDEN, "MODEL") == words(absent).replace(_ABSENT, "MODEL")
    assert "owner" not in words(hidden)
    near = ask(gateway, path, key=STRANGER, model=f"{_HIDDEN}5")
    assert _HIDDEN not in words(near).replace(f"{_HIDDEN}5", "MODEL")
    own = ask(gateway, path, key=OWNER, model=_HIDDEN)
    assert own.status == 200 if PATHS[path][0] == "GET" else own.status >= 500


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models?limit=1000", "/inference-profiles"])
def test_no_list_names_it(gateway: LoneGateway, path: str) -> None:
    for version in ({}, {"anthropic-version": "2023-06-01"}):
        seen = gateway.call("GET", path, headers={"authorization": f"Bearer {STRANGER}", **version})
        assert seen.status == 200
        assert "hidden" not in seen.body.decode().lower()


@pytest.mark.parametrize(("shared", "asked"), [((), 0), (("smart",), 1), (("other",), 0)])
async def test_a_judge_is_asked_only_where_the_routes_namespace_may_ask(shared: tuple[str, ...], asked: int) -> None:
    translated = Target(id="smart/c/0.0", provider="openai", model="gpt-5")
    body = {"model": "c", "messages": [], "stream": True, "safeguards": SAFEGUARDS}
    async with upstream(sensible) as judge:
        routes = (
            route("c", name="smart/c", targets=[translated], safeguards_model="j", clients_from=("*",)),
            route("j", name="judging/j", targets=[target(base_url=judge.url)], clients_from=shared),
        )
        async with (
            inprocess(*routes) as gw,
            upstream(stream(*calling("rm x")), path=gw.run_dir / LITELLM_SOCKET),
            await gw.post("/v1/messages", json.dumps(body).encode()) as response,
        ):
            answer = await response.read()
        assert len(judge.seen) == asked
    assert (b'"unsupported"' in answer) is (asked == 0)
