"""Bundles of the gateway for tests: written by hand, as the control plane would render them."""

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256

from claude_gateway.contract.budget import Budget
from claude_gateway.contract.bundle import Bundle, secret_entry
from claude_gateway.contract.client import Client
from claude_gateway.contract.policy import Egress, Policy
from claude_gateway.contract.route import Route
from claude_gateway.contract.target import Format, Target, Wire

RELAYED = {
    Wire.ANTHROPIC: (Format.MESSAGES, Format.COUNT_TOKENS),
    Wire.BEDROCK: (Format.MESSAGES, Format.COUNT_TOKENS),
    Wire.VERTEX: (Format.MESSAGES, Format.COUNT_TOKENS),
    Wire.OPENAI: (Format.CHAT, Format.COMPLETIONS, Format.RESPONSES, Format.EMBEDDINGS),
}
PROVIDERS = {Wire.ANTHROPIC: "anthropic", Wire.BEDROCK: "bedrock", Wire.VERTEX: "vertex_ai", Wire.OPENAI: "hosted_vllm"}


def target(*, wire: Wire = Wire.ANTHROPIC, base_url: str, model: str = "upstream-model", **more: object) -> Target:
    """A keyless relay target, with an id named by its content as the control plane gives it."""
    values = {
        "provider": PROVIDERS[wire],
        "formats": RELAYED[wire],
        "wire": wire,
        "base_url": base_url,
        "model": model,
        **more,
    }
    digest = sha256(repr(sorted(values.items())).encode()).hexdigest()
    return Target.model_validate({"id": f"ns/route/0.{digest[:8]}", **values})


def route(*models: str, name: str | None = None, targets: Sequence[Target] = (), **more: object) -> Route:
    """A route of namespace ``ns``, named like its first model."""
    values = {"name": name or f"ns/{models[0]}", "models": models, "targets": targets, **more}
    return Route.model_validate(values)


def bundle(
    routes: Sequence[Route] = (),
    *,
    clients: Sequence[Client] = (Client(name="ns/dev"),),
    keys: Mapping[str, str] | None = None,
    secrets: Mapping[str, bytes] | None = None,
    egress: Egress | None = None,
    namespace: str = "ns",
    budgets: Sequence[Budget] = (),
) -> Bundle:
    """A bundle whose ``keys`` map a client key, in plain, to the name of its client; None: no keys at all.

    ``namespace`` is the release's.
    """
    values = dict(secrets or {})
    entry = None
    if keys is not None:
        table = json.dumps({sha256(key.encode()).hexdigest(): name for key, name in keys.items()}).encode()
        entry = secret_entry("client-keys", table)
        values[entry] = table
    policy = Policy(
        namespace=namespace,
        routes=tuple(routes),
        clients=tuple(clients),
        client_keys=entry,
        budgets=tuple(budgets),
        egress=egress or Egress(loopback=True),
    )
    return Bundle(gateway=policy.model_dump_json(by_alias=True).encode(), litellm=b"model_list: []\n", secrets=values)
