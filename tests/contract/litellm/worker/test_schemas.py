"""Schemas of tools that unfold without end: every provider's translation stays within bounds, on every format."""

import json
import subprocess
import sys
from typing import Any

import pytest
from tests.support.processes.worker import Worker, bundle, deployment

from claude_gateway_scripted.local import Scripted

HELLO = [{"role": "user", "content": "hello"}]
PROVIDERS = ("gemini", "anthropic", "openai", "mistral", "fireworks_ai", "cohere_chat", "databricks", "ollama_chat")
LEVELS = 40


def bomb(place: str) -> dict[str, Any]:
    """Two references on each level to the next one, all of them in ``place``."""
    prefix = "#/components/schemas" if place == "components" else f"#/{place}"
    level: dict[str, Any] = {
        f"a{at}": {"type": "object", "properties": {name: {"$ref": f"{prefix}/a{at + 1}"} for name in "xy"}}
        for at in range(LEVELS)
    }
    level[f"a{LEVELS}"] = {"type": "string"}
    kept = {"schemas": level} if place == "components" else level
    return {"type": "object", "properties": {"p": {"$ref": f"{prefix}/a0"}}, place: kept}


def requests(schema: dict[str, Any]) -> dict[str, dict[str, Any]]:
    named = {"name": "f", "description": "d"}
    return {
        "/v1/messages": {"max_tokens": 50, "messages": HELLO, "tools": [{**named, "input_schema": schema}]},
        "/v1/chat/completions": {
            "messages": HELLO,
            "tools": [{"type": "function", "function": {**named, "parameters": schema}}],
        },
        "/v1/responses": {"input": "hello", "tools": [{"type": "function", **named, "parameters": schema}]},
    }


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("place", ["$defs", "definitions", "components"])
def test_a_tool_that_unfolds_without_end_is_bounded(
    worker: Worker, upstream: Scripted, provider: str, place: str
) -> None:
    worker.apply(bundle(deployment(f"schema-{provider}", f"{provider}/m", api_base=upstream.openai_url)))
    for path, body in requests(bomb(place)).items():
        answer = worker.post(path, f"schema-{provider}", body)
        assert answer.status_code != 500, answer.text
    assert all(len(each.body) < 250_000 for each in upstream.requests)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_answers_form_that_unfolds_without_end_is_bounded(worker: Worker, upstream: Scripted, provider: str) -> None:
    ident = f"form-{provider}"
    worker.apply(bundle(deployment(ident, f"{provider}/*", api_base=upstream.openai_url)))
    form = {"type": "json_schema", "json_schema": {"name": "f", "schema": bomb("$defs")}}
    for model in ("m", "gemini-1.5-pro", "claude-3-haiku-20240307"):
        answer = worker.post("/v1/chat/completions", ident, {"messages": HELLO, "response_format": form}, model=model)
        assert answer.status_code != 500, answer.text
    assert all(len(each.body) < 250_000 for each in upstream.requests)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_tool_that_is_nested_too_deeply_is_no_bug_of_ours(worker: Worker, upstream: Scripted, provider: str) -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(400):
        schema = {"type": "object", "properties": {"x": schema}}
    ident = f"deep-{provider}"
    worker.apply(bundle(deployment(ident, f"{provider}/m", api_base=upstream.openai_url)))
    for path, body in requests(schema).items():
        answer = worker.post(path, ident, body)
        assert answer.status_code != 500, answer.text


BEDROCK = """
import json, os, sys
from claude_gateway_proxy.litellm import environment, library
environment.reduce(os.environ)
library.import_litellm()
from litellm.litellm_core_utils.prompt_templates.factory import _bedrock_tools_pt
tool = {"type": "function", "function": {"name": "f", "parameters": json.loads(sys.stdin.read())}}
print(len(json.dumps(_bedrock_tools_pt([tool], model="amazon.nova-pro-v1:0"))))
"""


def test_bedrocks_tools_are_bounded() -> None:
    schema = json.dumps(bomb("$defs"))
    command = [sys.executable, "-c", BEDROCK]
    run = subprocess.run(command, input=schema, capture_output=True, text=True, check=True, timeout=120)
    assert 1_000 < int(run.stdout) < 250_000
