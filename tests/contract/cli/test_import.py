"""Imported YAML serves the prompts that the old configuration served: import, serve, ask, and look at the upstream."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest
from tests.support.processes.command import call
from tests.support.processes.serve import LONG, Serve, Starter

from claude_gateway_scripted.journal import digest
from claude_gateway_scripted.local import Scripted

KEY = "sk-client-0123456789abcdef"
UPSTREAM_KEY = "sk-upstream-0123456789abcdef"
LITELLM = """\
model_list:
  - model_name: claude-sonnet
    litellm_params: {{model: anthropic/claude-sonnet-5-5, api_key: os.environ/TEST_KEY, api_base: "{url}"}}
  - model_name: gpt
    litellm_params: {{model: openai/gpt-5.5, api_key: os.environ/TEST_KEY, api_base: "{url}/v1"}}
  - model_name: broken
    litellm_params: {{model: openai/gone, api_key: os.environ/TEST_KEY, api_base: "http://127.0.0.1:9/v1"}}
router_settings:
  model_group_alias: {{claude-smart: claude-sonnet}}
  fallbacks: [{{broken: [claude-sonnet]}}]
general_settings: {{master_key: os.environ/TEST_CLIENT}}
"""
ENV = """\
OPENAI_API_KEY={key}
OPENAI_BASE_URL={url}/v1
ANTHROPIC_API_KEY={client}
BIG_MODEL=gpt-5.5
SMALL_MODEL=gpt-5.4-mini
THINKER_MODEL=gpt-5.5-pro
"""
CCR = """\
{{
  "APIKEY": "$TEST_CLIENT",
  "Providers": [
    {{"name": "mine", "api_base_url": "{url}/v1/chat/completions", "api_key": "$TEST_KEY", "models": ["big"]}},
    // native
    {{"name": "claude", "api_base_url": "{url}/v1/messages", "api_key": "$TEST_KEY", "models": ["claude-opus-5-5"]}},
  ],
  "Router": {{
    "default": "mine,big", "background": "mine,small", "think": "mine,deep", "image": "mine,eyes",
    "longContext": "claude,claude-opus-5-5", "longContextThreshold": 3000, "webSearch": "mine,web",
  }},
}}
"""
THINKING = {"type": "enabled", "budget_tokens": 2000}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
IMAGE = [
    {
        "role": "user",
        "content": [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}],
    }
]
LONG_TEXT = [{"role": "user", "content": "many words " * 3000}]
VARIABLES = {"TEST_KEY": UPSTREAM_KEY, "TEST_CLIENT": KEY}


@pytest.fixture
def upstream() -> Iterator[Scripted]:
    with Scripted(keys=(UPSTREAM_KEY,)) as scripted:
        yield scripted


def served(tmp_path: Path, start: Starter, command: str, text: str, environment: Mapping[str, str]) -> Serve:
    """Import a configuration and serve what comes out."""
    source = tmp_path / "old" / "config"
    source.parent.mkdir()
    source.write_text(text)
    outcome = call("import", command, source, environment=environment)
    assert outcome.code == 0, outcome.stderr
    output = tmp_path / "imported" / "imported.yaml"
    output.parent.mkdir()
    output.write_text(outcome.stdout)
    options = ["--env-file", str(source)] if command == "env" else []
    return start(*options, sources=(output.parent,), **environment)


def asked(
    serve: Serve, upstream: Scripted, model: str, *, openai: bool = False, **more: object
) -> tuple[str, str, str]:
    """Ask for a model; return the path, the model and the digest of the key that arrived upstream."""
    upstream.forget()
    body = {"model": model, "max_tokens": 5000, "messages": [{"role": "user", "content": "hello there"}], **more}
    path = "/v1/chat/completions" if openai else "/v1/messages"
    headers = {"authorization": f"Bearer {KEY}", "anthropic-version": "2023-06-01"}
    answer = httpx.post(f"{serve.url}{path}", json=body, headers=headers, timeout=LONG)
    assert answer.status_code == 200, answer.text
    last = upstream.last
    sent = {name.lower(): value for name, value in last.headers}
    return last.path, last.json["model"], sent.get("x-api-key") or sent["authorization"]


def test_litellm(tmp_path: Path, start: Starter, upstream: Scripted) -> None:
    serve = served(tmp_path, start, "litellm", LITELLM.format(url=upstream.url), VARIABLES)
    for name in ("claude-sonnet", "claude-smart", "broken"):
        assert asked(serve, upstream, name) == ("/v1/messages", "claude-sonnet-5-5", digest(UPSTREAM_KEY))
    assert asked(serve, upstream, "gpt", openai=True)[:2] == ("/v1/chat/completions", "gpt-5.5")
    assert asked(serve, upstream, "gpt")[1] == "gpt-5.5"


def test_env(tmp_path: Path, start: Starter, upstream: Scripted) -> None:
    text = ENV.format(url=upstream.url, key=UPSTREAM_KEY, client=KEY)
    serve = served(tmp_path, start, "env", text, {})
    assert asked(serve, upstream, "claude-opus-5-5")[:2] == ("/v1/chat/completions", "gpt-5.5")
    assert asked(serve, upstream, "sonnet")[1] == "gpt-5.5"
    assert asked(serve, upstream, "claude-haiku-5-5-20260101")[1] == "gpt-5.4-mini"
    assert asked(serve, upstream, "claude-opus-5-5", thinking=THINKING)[1] == "gpt-5.5-pro"
    assert asked(serve, upstream, "claude-haiku-5-5", thinking=THINKING)[1] == "gpt-5.4-mini"


def test_ccr(tmp_path: Path, start: Starter, upstream: Scripted) -> None:
    serve = served(tmp_path, start, "ccr", CCR.format(url=upstream.url), VARIABLES)
    assert asked(serve, upstream, "claude-sonnet-5-5")[:2] == ("/v1/chat/completions", "big")
    assert asked(serve, upstream, "claude-haiku-5-5")[1] == "small"
    assert asked(serve, upstream, "mine/big")[1] == "big"
    assert asked(serve, upstream, "claude-sonnet-5-5", thinking=THINKING)[1] == "deep"
    assert asked(serve, upstream, "claude-sonnet-5-5", messages=IMAGE)[1] == "eyes"
    for model in ("claude-sonnet-5-5", "claude-haiku-5-5"):
        assert asked(serve, upstream, model, messages=LONG_TEXT)[1] == "claude-opus-5-5"
    assert asked(serve, upstream, "claude/claude-opus-5-5")[:2] == ("/v1/messages", "claude-opus-5-5")
