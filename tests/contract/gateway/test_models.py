"""The list of models as the vendors' own SDKs read it."""

from collections.abc import Iterator

import anthropic
import openai
import pytest
from tests.support.builders.bundles import bundle, route, target
from tests.support.processes.inprocess import gateway as inprocess
from tests.support.processes.inprocess import upstream, whole
from tests.support.processes.lone_gateway import LoneGateway

from claude_gateway.contract.client import Client
from claude_gateway.contract.target import Wire
from claude_gateway.names import LITELLM_SOCKET

KEY, FEW = "cgw_key-of-dev", "cgw_key-of-few"
NAMES = sorted(f"model-{number}" for number in range(45))


@pytest.fixture(scope="module")
def gateway() -> Iterator[LoneGateway]:
    routes = [route(*NAMES, name="ns/all", display_name="All of them"), route("claude-*", "team/claude-1")]
    clients = [Client(name="ns/dev"), Client(name="ns/few", models=("model-1*",))]
    with LoneGateway(bundle(routes, clients=clients, keys={KEY: "ns/dev", FEW: "ns/few"})) as running:
        yield running


def test_the_anthropic_sdk_walks_the_pages(gateway: LoneGateway) -> None:
    with anthropic.Anthropic(base_url=gateway.url, auth_token=KEY, api_key=None) as client:
        models = list(client.models.list(limit=20))
        assert [model.id for model in models] == [*NAMES, "team/claude-1"]
        assert {model.display_name for model in models} == {"All of them", "team/claude-1"}
        assert client.models.retrieve("claude-any").id == "claude-any"
        with pytest.raises(anthropic.NotFoundError):
            client.models.retrieve("gpt")


def test_the_openai_sdk_gets_all_at_once(gateway: LoneGateway) -> None:
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=KEY) as client:
        assert [model.id for model in client.models.list()] == [*NAMES, "team/claude-1"]
        assert client.models.retrieve("team/claude-1").owned_by == "claude-gateway"


def test_a_client_sees_its_own_models_and_nobody_without_a_key_any(gateway: LoneGateway) -> None:
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=FEW) as client:
        assert [model.id for model in client.models.list()] == [name for name in NAMES if name.startswith("model-1")]
    with (
        openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="wrong") as client,
        pytest.raises(openai.AuthenticationError),
    ):
        client.models.list()
    assert gateway.call("GET", "/v1/models/model-1", headers={"anthropic-version": "x"}).status == 401


def test_a_page_of_a_thousand_is_what_claude_code_asks_for(gateway: LoneGateway) -> None:
    headers = {"authorization": f"Bearer {KEY}", "anthropic-version": "2023-06-01"}
    answer = gateway.call("GET", "/v1/models?limit=1000", headers=headers)
    assert len(answer.json["data"]) == 46
    assert answer.json["has_more"] is False


@pytest.mark.parametrize(("model", "sent"), [("*", b"gpt-5"), ("other", b"other")])
@pytest.mark.parametrize("lane", ["relay", "litellm"])
async def test_an_alias_reaches_the_target_as_the_name_that_it_stands_for(model: str, sent: bytes, lane: str) -> None:
    body = b'{"model": "claude-gpt-5", "input": "x"}'
    async with upstream(whole(b"{}")) as up:
        formats = {} if lane == "relay" else {"formats": ()}
        there = target(wire=Wire.OPENAI, base_url=up.url, model=model, id="ns/gpt-5/0.1", **formats)
        async with (
            inprocess(route("gpt-5", targets=[there], alias="claude-gpt-5")) as gw,
            upstream(whole(b"{}"), path=gw.run_dir / LITELLM_SOCKET) as worker,
        ):
            assert await (await gw.post("/v1/embeddings", body)).read() == b"{}"
            (record,) = await gw.records()
    assert (record["model"], record["route"], record["lane"]) == ("claude-gpt-5", "ns/gpt-5", lane)
    if lane == "relay":
        assert up.seen[0].body == body.replace(b"claude-gpt-5", sent)
    else:
        assert worker.seen[0].header("x-claude-gateway-model") == sent.decode()


async def test_the_log_line_of_an_unknown_model_names_similar_ones() -> None:
    """Claude Code shows its own words for a 404, so that the developer finds the gateway's in the log alone."""
    async with inprocess(route("claude-sonnet-5-5")) as gw:
        async with await gw.post("/v1/messages", {"model": "claude-sonet-5-5"}) as response:
            assert response.status == 404
        (line,) = await gw.records()
    assert "claude-sonnet-5-5" in line["error"]


async def test_thousands_of_models_are_listed_without_holding_up_others() -> None:
    """In a thread, and again from memory: for the same client the list is the same."""
    names = [f"us.anthropic.claude-{number:04}-v1:0" for number in range(1200)]
    routes = [route(*names[at : at + 32], name=f"ns/r{at}") for at in range(0, len(names), 32)]
    clients = {KEY: Client(name="ns/dev"), FEW: Client(name="ns/few", models=("*claude-00*",))}
    async with inprocess(*routes, clients=clients) as gw:
        for key, expected in ((KEY, names), (FEW, names[:100]), (FEW, names[:100])):
            sent = {"authorization": f"Bearer {key}"}
            async with gw.client.get(f"{gw.url}/v1/models", headers=sent) as response:
                assert [model["id"] for model in (await response.json())["data"]] == expected
            async with gw.client.get(f"{gw.url}/bedrock/inference-profiles", headers=sent) as response:
                found = (await response.json())["inferenceProfileSummaries"]
                assert [profile["inferenceProfileId"] for profile in found] == expected
