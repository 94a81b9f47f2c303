"""A rendered ``litellm.yaml`` is one that LiteLLM itself takes."""

import json
import subprocess
import sys
from pathlib import Path

from tests.support.builders.objects import (
    aws_keys,
    bedrock,
    credential,
    key_file,
    plan,
    route,
    secret,
    target,
    vertex,
)
from tests.support.processes import litellm_probe


def test_litellm_takes_every_target(tmp_path: Path) -> None:
    decided = plan(
        secret(),
        credential(),
        credential("google", provider="gemini"),
        route(models=["claude-a", "on"], targets=[target("anthropic/*", maxOutputTokens=10), target(weight=3)]),
        route(
            "others",
            models=["gpt-5", "gpt-*"],
            targets=[
                target("openai/x", baseURL="http://vllm:8000/v1", parameters={"temperature": 0.00001}),
                target("gemini/gemini-2.5-pro", credential="google"),
                target("ollama/llama3:8b", baseURL="http://ollama:11434"),
                target("openai/y", baseURL="http://relay:8000/v1", formats=["Responses"]),
            ],
        ),
        aws_keys(),
        aws_keys("bearer", AWS_BEARER_TOKEN_BEDROCK="b"),
        key_file(),
        bedrock(),
        bedrock("pods", secret=None),
        bedrock("bearer", secret="bearer", baseURL="https://vpce.example"),
        vertex(),
        vertex("own", secret=None, location="global", baseURL="https://psc.example"),
        route(
            "clouds",
            models=["cloud"],
            targets=[
                target("bedrock/*", "bedrock"),
                target("bedrock/amazon.nova-pro-v1:0", "pods"),
                target("bedrock/amazon.nova-lite-v1:0", "bearer"),
                target("vertex_ai/claude-sonnet-4-5@20250929", "vertex"),
                target("vertex_ai/gemini-2.5-pro", "own"),
            ],
        ),
        route("own", models=["own"], targets=[{"model": "anthropic/*", "forwardClientToken": True}]),
    )
    assert decided.problems == ()
    path = tmp_path / "litellm.yaml"
    path.write_bytes(decided.bundle.litellm)
    run = subprocess.run(
        [sys.executable, "-m", litellm_probe.__name__, "config", str(path)], capture_output=True, check=True, timeout=60
    )
    found = json.loads(run.stdout.splitlines()[-1])
    assert found["ids"] == sorted(target.id for entry in decided.policy.routes for target in entry.targets)
    assert {"claude-a", "on", "gpt-5", "default/sonnet", "default/others"} <= set(found["names"])
    assert {"anthropic/*", "hosted_vllm/x", "gemini/gemini-2.5-pro", "ollama/llama3:8b"} <= set(found["models"])
    assert {"openai/y", "bedrock/*", "bedrock/amazon.nova-pro-v1:0", "vertex_ai/gemini-2.5-pro"} <= set(found["models"])
