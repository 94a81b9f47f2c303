"""The configuration for testing Claude Gateway: a client, and routes to the scripted model over every wire."""

import json
from collections.abc import Iterator
from typing import Any, Final

import yaml

from claude_gateway.conformance.options import Options
from claude_gateway.conformance.rsa import private_key
from claude_gateway.names import API_VERSION, LABEL_CREDENTIAL, Kind

NAME: Final = "conformance"
KEY_VARIABLE: Final = "CLAUDE_GATEWAY_KEY"
UPSTREAM_KEY: Final = "sk-conformance-upstream-0000"
"""The key that the gateway sends to the scripted model, which accepts any key."""

_HEAD: Final = """\
# For `claude-gateway conformance` only: routes to the scripted model at {upstream} over every wire, and a client.
# The upstream keys are placeholders. Set ${variable} for the process that serves this file (in a cluster, replace it
# in the Secret by your own key).
"""

Json = dict[str, Any]


def text(options: Options, *, upstream: str) -> str:
    """Return the YAML; ``upstream`` is the address at which the gateway reaches the scripted model."""
    head = _HEAD.format(upstream=upstream, variable=KEY_VARIABLE)
    return head + str(yaml.safe_dump_all(list(_objects(options, upstream.rstrip("/"))), sort_keys=False, width=1000))


def _objects(options: Options, upstream: str) -> Iterator[Json]:
    models = options.models
    yield _secret(upstream)
    yield _object(Kind.GATEWAY_CLIENT, NAME, {"keys": [{"secretRef": _ref("client")}], "models": _allowed(options)})
    yield from _credentials(upstream)
    server = {"model": "hosted_vllm/scripted-gpt", "credential": "conformance-vllm"}
    limited = {**server, "maxOutputTokens": options.max_output_tokens}
    claude = {"model": "anthropic/claude-opus-4-5-20251101", "credential": "conformance-anthropic"}
    openai = {"model": f"openai/{models.embedding}", "credential": "conformance-openai"}
    codex = {"model": f"openai/{models.responses}", "credential": "conformance-openai", "formats": ["Responses"]}
    forward = {"model": "anthropic/claude-opus-4-5-20251101", "baseURL": upstream, "forwardClientToken": True}
    bedrock = {"model": f"bedrock/{models.bedrock_id}", "credential": "conformance-bedrock"}
    vertex = {"model": f"vertex_ai/{models.vertex_id}", "credential": "conformance-vertex"}
    gemini = {"model": f"gemini/{models.gemini}", "credential": "conformance-gemini"}
    yield _route("claude", [models.claude, models.bedrock_arn], claude)
    yield _route("denied", [models.denied], claude)
    yield _route("other", [models.other], limited)
    yield _route("estimate", [models.estimate], server, tokenCounts="Estimate")
    yield _route("judged", [models.judged], server, safeguardsModel=models.claude)
    yield _route("responses", [models.responses], codex)
    yield _route("embedding", [models.embedding], openai)
    yield _route("gemini", [models.gemini], gemini)
    yield _route("bedrock", [models.bedrock], bedrock)
    yield _route("vertex", [models.vertex], vertex)
    yield _route("forward", [models.forward], forward)


def _credentials(upstream: str) -> Iterator[Json]:
    for provider, base in (("anthropic", ""), ("hosted_vllm", "/v1"), ("openai", "/v1"), ("gemini", "/v1beta")):
        key = {"provider": provider, "secretRef": _ref("upstream"), "baseURL": upstream + base}
        yield _object(Kind.CLAUDE_CREDENTIAL, f"{NAME}-{provider.removeprefix('hosted_')}", {"apiKey": key})
    bedrock = {"region": "us-east-1", "secretRef": {"name": f"{NAME}-bedrock"}, "baseURL": upstream}
    yield _object(Kind.CLAUDE_CREDENTIAL, f"{NAME}-bedrock", {"bedrock": bedrock})
    vertex = {"project": NAME, "location": "us-east5", "secretRef": _ref("google"), "baseURL": upstream}
    yield _object(Kind.CLAUDE_CREDENTIAL, f"{NAME}-vertex", {"vertex": vertex})
    aws = {
        "AWS_ACCESS_KEY_ID": "AKIACONFORMANCE00000",
        "AWS_SECRET_ACCESS_KEY": "conformance-secret-0000000000000000000000",
    }
    yield _labelled(f"{NAME}-bedrock", aws)


def _secret(upstream: str) -> Json:
    google = {
        "type": "service_account",
        "project_id": NAME,
        "private_key_id": NAME,
        "private_key": private_key(),
        "client_email": "conformance@conformance.iam.gserviceaccount.com",
        "client_id": "1",
        "token_uri": f"{upstream}/token",
    }
    values = {"client": f"${KEY_VARIABLE}", "upstream": UPSTREAM_KEY, "google": json.dumps(google)}
    return _labelled(NAME, values)


def _allowed(options: Options) -> list[str]:
    """Return every model except the denied one, by its name and by its alias for Claude Code's model picker.

    The names of the checks for unknown models are among them: a name that the key may not use is rejected as such,
    whether it exists or not.
    """
    models = options.models
    named = (models.other, models.gemini, models.responses, models.embedding, models.estimate, models.judged)
    claude = (models.claude, models.bedrock_arn, models.bedrock, models.vertex, models.forward)
    unknown = ("*no-such-model*", models.claude[:-1])
    return [*claude, *named, *(f"claude-{name}" for name in named), *unknown]


def _route(name: str, models: list[str], target: Json, **fields: Any) -> Json:
    spec = {"models": models, "displayName": f"Conformance {name}", "targets": [target], **fields}
    return _object(Kind.MODEL_ROUTE, f"{NAME}-{name}", spec)


def _object(kind: Kind, name: str, spec: Json) -> Json:
    return {"apiVersion": API_VERSION, "kind": kind.value, "metadata": {"name": name}, "spec": spec}


def _labelled(name: str, values: Json) -> Json:
    metadata = {"name": name, "labels": {LABEL_CREDENTIAL: "true"}}
    return {"apiVersion": "v1", "kind": Kind.SECRET.value, "metadata": metadata, "stringData": values}


def _ref(key: str) -> Json:
    return {"name": NAME, "key": key}
