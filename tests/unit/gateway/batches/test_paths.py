"""Paths of requests about batches."""

import pytest

from claude_gateway_proxy.gateway.wire.paths import BatchPath, batch_path, model_path


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        ("/v1/messages/batches", BatchPath()),
        ("/v1/messages/batches/", BatchPath()),
        ("/v1/v1/messages/batches", BatchPath()),
        ("/messages/batches", BatchPath()),
        ("/anthropic/v1/messages/batches/a.b.c", BatchPath("a.b.c")),
        ("/v1/messages/batches/a.b.c/results", BatchPath("a.b.c", "/results")),
        ("/v1/messages/batches/a.b.c/cancel/", BatchPath("a.b.c", "/cancel")),
        ("/v1/messages/batches/a%2Fb", BatchPath("a/b")),
        ("/v1/messages/batches/a/b", None),
        ("/v1/messages/batches//results", None),
        ("/v1/messages/batchesx", None),
        ("/bedrock/v1/messages/batches", None),
        ("/openai/v1/messages/batches", None),
        ("/v1/batches", None),
        ("/v1/messages", None),
    ],
)
def test_a_path_names_a_batch(raw: str, found: BatchPath | None) -> None:
    assert batch_path(raw.encode()) == found
    assert found is None or model_path(raw, raw.encode()) is None
