"""One worker and one scripted upstream for all tests of a module: LiteLLM takes seconds to import."""

from collections.abc import Iterator

import pytest
from tests.support.processes.worker import Worker, bundle, deployment

from claude_gateway_scripted.local import Scripted

ENVIRONMENT = {
    **dict.fromkeys(("OPENAI_API_KEY", "HOSTED_VLLM_API_KEY", "ANTHROPIC_API_KEY", "MISTRAL_API_KEY"), "sk-canary"),
    "OPENAI_ORGANIZATION": "canary-of-the-environment",
    "OPENAI_ORG_ID": "canary-of-the-environment",
    "CANARY": "canary-of-the-environment",
}
"""What somebody's shell could hold."""


@pytest.fixture(scope="module")
def upstream() -> Iterator[Scripted]:
    """A scripted upstream; ``fresh`` empties it between tests."""
    with Scripted() as scripted:
        yield scripted


@pytest.fixture(scope="module")
def worker(request: pytest.FixtureRequest, upstream: Scripted) -> Iterator[Worker]:
    """A worker with one target per provider, all at the scripted upstream.

    A module with ``IMPORTS = True`` gets one that imports LiteLLM in the environment.
    """
    with Worker(environment=ENVIRONMENT, forked=not getattr(request.module, "IMPORTS", False)) as running:
        running.apply(
            bundle(
                deployment("vllm", "hosted_vllm/m", api_base=upstream.openai_url),
                deployment("anthropic", "anthropic/m", api_base=upstream.url),
                deployment("openai", "openai/gpt-5", api_base=upstream.openai_url),
                deployment("mistral", "mistral/m", api_base=upstream.openai_url),
                deployment("keyless", "hosted_vllm/m", api_base=upstream.openai_url, secret=None),
                deployment("keyless-openai", "openai/gpt-5", api_base=upstream.openai_url, secret=None),
                deployment("keyless-mistral", "mistral/m", api_base=upstream.openai_url, secret=None),
                deployment("keyless-anthropic", "anthropic/m", api_base=upstream.url, secret=None),
                deployment("any", "hosted_vllm/*", api_base=upstream.openai_url),
            )
        )
        yield running


@pytest.fixture(autouse=True)
def fresh(upstream: Scripted) -> None:
    """Start every test with an empty journal and script."""
    upstream.forget()
