"""What the core says of LiteLLM's providers, asked of the real one."""

import json
import os
import subprocess
import sys
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.support.processes import litellm_probe

from claude_gateway.contract.provider import CLAUDE_CODE, PROVIDERS, UNSUPPORTED
from claude_gateway.contract.target import Wire

KEYED = {name: row for name, row in PROVIDERS.items() if row.credential is None}
"""Providers that take a key, which must not go astray."""

KEEPS_TO_ITSELF = {"ollama": {"localhost"}, "ollama_chat": {"localhost"}}
"""Hosts asked for other than the given one: Ollama's model list, without the key, where nothing listens in a pod."""


@pytest.fixture(scope="module")
def measured() -> dict[str, Any]:
    environment = {name: value for name, value in os.environ.items() if not name.endswith(("_KEY", "_TOKEN", "_BASE"))}
    run = subprocess.run(
        [sys.executable, "-m", litellm_probe.__name__, "providers", *sorted(KEYED)],
        capture_output=True,
        check=True,
        env=environment,
        timeout=110,
    )
    found: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return found


def test_every_provider_of_litellm_is_either_supported_or_told_why_not(measured: dict[str, Any]) -> None:
    assert sorted({*PROVIDERS, *UNSUPPORTED} - {CLAUDE_CODE}) == measured["known"]
    assert not PROVIDERS.keys() & UNSUPPORTED.keys()


@pytest.mark.parametrize("provider", sorted(KEYED))
def test_a_key_goes_to_its_base_url_and_nowhere_else(measured: dict[str, Any], provider: str) -> None:
    sent = measured["sent"][provider]
    assert sent["arrived"]
    assert set(sent["elsewhere"]) <= KEEPS_TO_ITSELF.get(provider, set())


OWN_ADDRESS = sorted(name for name, known in KEYED.items() if not known.needs_base_url and known.base_url is None)


@pytest.mark.parametrize("provider", OWN_ADDRESS)
def test_without_base_url_a_key_goes_to_the_providers_own_host(measured: dict[str, Any], provider: str) -> None:
    hosts = measured["sent"][provider]["without_address"]
    assert len(hosts) == 1
    assert hosts[0] not in ("localhost", "api.openai.com", "api.anthropic.com", "huggingface.co")


KNOWN_ADDRESS = sorted(name for name, row in KEYED.items() if row.wire is Wire.OPENAI and row.base_url is not None)


@pytest.mark.parametrize("provider", KNOWN_ADDRESS)
def test_an_address_that_is_known_is_the_one_that_litellm_knows(measured: dict[str, Any], provider: str) -> None:
    host = urlsplit(str(PROVIDERS[provider].base_url)).hostname
    assert measured["sent"][provider]["without_address"] == [host]
