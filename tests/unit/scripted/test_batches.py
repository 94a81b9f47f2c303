"""Message batches of the scripted Anthropic, as Anthropic's own SDK sees them: what it keeps, and what it refuses."""

from typing import Any

import anthropic
import pytest

from claude_gateway_scripted import Scripted


def request(ident: str = "a", **params: Any) -> Any:
    asked = {"model": "m", "max_tokens": 50, "messages": [{"role": "user", "content": f"hello {ident}"}], **params}
    return {"custom_id": ident, "params": asked}


def test_a_batch_ends_and_has_results(client: anthropic.Anthropic) -> None:
    batch = client.messages.batches.create(requests=[request("a"), request("b")])
    assert (batch.processing_status, batch.request_counts.processing) == ("in_progress", 2)
    ended = client.messages.batches.retrieve(batch.id)
    assert (ended.processing_status, ended.request_counts.succeeded) == ("ended", 2)
    results = {each.custom_id: each.result for each in client.messages.batches.results(batch.id)}
    found = results["b"]
    assert found.type == "succeeded"
    assert found.message.content[0].type == "text"
    assert found.message.content[0].text == "echo: hello b"
    assert [each.id for each in client.messages.batches.list()] == [batch.id]
    assert client.messages.batches.delete(batch.id).type == "message_batch_deleted"
    assert list(client.messages.batches.list()) == []


def test_a_batch_is_canceled(client: anthropic.Anthropic) -> None:
    batch = client.messages.batches.create(requests=[request()])
    assert client.messages.batches.cancel(batch.id).processing_status == "canceling"
    assert client.messages.batches.retrieve(batch.id).request_counts.canceled == 1
    assert [each.result.type for each in client.messages.batches.results(batch.id)] == ["canceled"]
    with pytest.raises(anthropic.BadRequestError, match="already ended"):
        client.messages.batches.cancel(batch.id)


def test_accounts_are_apart(upstream: Scripted, client: anthropic.Anthropic) -> None:
    batch = client.messages.batches.create(requests=[request()])
    with anthropic.Anthropic(base_url=upstream.url, api_key="secret-2", max_retries=0) as other:
        assert list(other.messages.batches.list()) == []
        with pytest.raises(anthropic.NotFoundError):
            other.messages.batches.retrieve(batch.id)


def test_what_runs_is_neither_deleted_nor_has_results(client: anthropic.Anthropic) -> None:
    batch = client.messages.batches.create(requests=[request()])
    with pytest.raises(anthropic.BadRequestError, match="in progress"):
        client.messages.batches.delete(batch.id)
    with pytest.raises(anthropic.NotFoundError, match="no results"):
        client.get(f"/v1/messages/batches/{batch.id}/results", cast_to=object)


@pytest.mark.parametrize(
    ("requests", "said"),
    [
        ([], "requests: Field required"),
        ([request(), request()], "requests.1.custom_id: Must be unique"),
        ([request("a b")], "requests.0.custom_id: String should match"),
        ([request(stream=True)], "requests.0.params.stream: Extra inputs"),
        ([request(max_tokens=0)], "max_tokens"),
        ([{**request(), "more": 1}], "requests.0.more: Extra inputs"),
        ([{"custom_id": "a"}], "requests.0.params: Field required"),
    ],
)
def test_what_anthropic_refuses_is_refused(client: anthropic.Anthropic, requests: Any, said: str) -> None:
    with pytest.raises(anthropic.BadRequestError, match=said):
        client.messages.batches.create(requests=requests)


def test_only_known_keys_and_methods_are_accepted(upstream: Scripted, client: anthropic.Anthropic) -> None:
    batch = client.messages.batches.create(requests=[request()])
    with pytest.raises(anthropic.APIStatusError, match="Method not allowed"):
        client.put(f"/v1/messages/batches/{batch.id}", cast_to=object)
    upstream.configure(keys=["another"])
    with pytest.raises(anthropic.AuthenticationError):
        client.messages.batches.retrieve(batch.id)
