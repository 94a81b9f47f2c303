"""The scripted model, and Anthropic's SDK as its client."""

from collections.abc import Iterator

import anthropic
import pytest

from claude_gateway_scripted import Scripted


@pytest.fixture
def upstream() -> Iterator[Scripted]:
    with Scripted() as running:
        yield running


@pytest.fixture
def client(upstream: Scripted) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=upstream.url, api_key="secret-1", max_retries=0) as running:
        yield running
