"""Manifests as users write them, made short: each builder returns a valid object, and keywords change it."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from claude_gateway.contract.policy import Egress
from claude_gateway.names import API_VERSION, FORWARD_HOST, LABEL_CREDENTIAL, Kind
from claude_gateway.plan.decide import Plan, decide
from claude_gateway.plan.manifests import read
from claude_gateway.plan.world import Settings, World

NOW: Final = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
CLIENT_KEY: Final = "cgw_test-key-of-alice-0123456789"
API_KEY: Final = "sk-test-upstream-key-0123456789"

PRIVATE_KEY: Final = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----\n"
"""Looks like a private key, but is not one."""

Manifest = dict[str, Any]


def manifest(kind: str, name: str, spec: object, *, namespace: str = "default", created: str | None = None) -> Manifest:
    """Any of our objects."""
    metadata: Manifest = {"name": name, "namespace": namespace, "generation": 1}
    if created is not None:
        metadata["creationTimestamp"] = created
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}


VICTIM_KEY: Final = "sk-victim-key-0123456789"
"""A key that attacks try to obtain."""


def target(model: str = "anthropic/claude-sonnet-5-5", credential: str | None = "anthropic", **fields: Any) -> Manifest:
    """One target; ``baseURL=`` makes it keyless."""
    if "baseURL" in fields:
        credential = None
    return {"model": model, **({"credential": credential} if credential else {}), **fields}


def route(
    name: str = "sonnet",
    *,
    models: Sequence[str] = ("claude-sonnet-5-5",),
    targets: Sequence[Manifest] | None = None,
    namespace: str = "default",
    created: str | None = None,
    **fields: Any,
) -> Manifest:
    """A ModelRoute, by default to Anthropic with the credential ``anthropic``."""
    spec = {"models": list(models), "targets": [target()] if targets is None else list(targets), **fields}
    return manifest(Kind.MODEL_ROUTE, name, spec, namespace=namespace, created=created)


def credential(
    name: str = "anthropic",
    *,
    provider: str = "anthropic",
    secret: str = "keys",
    key: str = "api",
    namespace: str = "default",
    **fields: Any,
) -> Manifest:
    """A ClaudeCredential whose key is in the Secret ``keys``."""
    api_key = {"provider": provider, "secretRef": {"name": secret, "key": key}, **fields}
    return manifest(Kind.CLAUDE_CREDENTIAL, name, {"apiKey": api_key}, namespace=namespace)


def bedrock(
    name: str = "bedrock", *, secret: str | None = "aws", namespace: str = "default", **fields: Any
) -> Manifest:
    """A ClaudeCredential for Bedrock whose keys are in the Secret ``aws``; None: the identity of the pods."""
    spec = {"region": "us-east-1", **({"secretRef": {"name": secret}} if secret else {}), **fields}
    return manifest(Kind.CLAUDE_CREDENTIAL, name, {"bedrock": spec}, namespace=namespace)


def vertex(
    name: str = "vertex", *, secret: str | None = "google", namespace: str = "default", **fields: Any
) -> Manifest:
    """A ClaudeCredential for Vertex AI whose key file is in the Secret ``google``; None: the identity of the pods."""
    spec = {"project": "my-project", "location": "us-east5", **({"secretRef": {"name": secret}} if secret else {})}
    return manifest(Kind.CLAUDE_CREDENTIAL, name, {"vertex": {**spec, **fields}}, namespace=namespace)


def federated(name: str = "anthropic", *, namespace: str = "default", **fields: Any) -> Manifest:
    """A ClaudeCredential for the pods' identity at Anthropic."""
    ids = {
        "organizationID": "01234567-89ab-4def-8123-456789abcdef",
        "federationRuleID": "fdrl_01",
        "serviceAccountID": "svac_01",
    }
    return manifest(Kind.CLAUDE_CREDENTIAL, name, {"workloadIdentity": {**ids, **fields}}, namespace=namespace)


def budget(
    name: str = "everyone",
    *,
    amount: str = "250.00",
    namespace: str = "default",
    created: str | None = None,
    **fields: Any,
) -> Manifest:
    """A Budget for every client of its namespace."""
    spec = {
        "amount": amount,
        **({} if {"clients", "teams", "groups"} & fields.keys() else {"clients": ["*"]}),
        **fields,
    }
    return manifest(Kind.BUDGET, name, spec, namespace=namespace, created=created)


LOGIN_TOKEN: Final = "sk-ant-oat01-" + "a1" * 20
"""The access token of a login that belongs to nobody."""


def subscription(
    name: str = "mine",
    *,
    owner: str = "alice@example.com",
    method: str = "SetupToken",
    secret: str = "login",
    namespace: str = "default",
    created: str | None = None,
    **fields: Any,
) -> Manifest:
    """A ClaudeCredential for a person's subscription, whose token is in the Secret ``login``."""
    spec = {"owner": owner, "method": method, "secretName": secret, **fields}
    return manifest(Kind.CLAUDE_CREDENTIAL, name, {"subscription": spec}, namespace=namespace, created=created)


def setup_token(name: str = "login", token: str = LOGIN_TOKEN, **more: Any) -> Manifest:
    """A Secret with a token of ``claude setup-token``."""
    return secret(name, {"token": token}, **more)


def login_file(name: str = "login", *, metadata: Mapping[str, Any] | None = None, **fields: Any) -> Manifest:
    """A Secret with Claude Code's own file, with these changes of the login in it."""
    login = {"accessToken": LOGIN_TOKEN, "refreshToken": "sk-ant-ort01-" + "b2" * 20, **fields}
    kept = {key: value for key, value in login.items() if value is not None}
    written = secret(name, {".credentials.json": json.dumps({"claudeAiOauth": kept})})
    written["metadata"].update(metadata or {})
    return written


def aws_keys(name: str = "aws", **values: str) -> Manifest:
    """A Secret with an AWS identity, or with these values."""
    return secret(name, values or {"AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "aws-secret-0123456789"})


def key_file(name: str = "google", *, key: str = "key", **fields: Any) -> Manifest:
    """A Secret with a Google service account's key file, with these changes."""
    written = {
        "type": "service_account",
        "project_id": "other-project",
        "private_key_id": "0123456789abcdef",
        "private_key": PRIVATE_KEY,
        "client_email": "gateway@other-project.iam.gserviceaccount.com",
        "client_id": "1234567890",
        "auth_uri": "https://accounts.google.com/o/oauth2/auth",
        "token_uri": "https://oauth2.googleapis.com/token",
        "universe_domain": "googleapis.com",
    }
    return secret(name, {key: json.dumps({**written, **fields}, indent=2)})


def client(
    name: str = "alice",
    *,
    secret: str = "keys",
    keys: Sequence[str] = ("client",),
    namespace: str = "default",
    created: str | None = None,
    **fields: Any,
) -> Manifest:
    """A GatewayClient whose keys are in the Secret ``keys``."""
    refs = [{"secretRef": {"name": secret, "key": key}} for key in keys]
    return manifest(Kind.GATEWAY_CLIENT, name, {"keys": refs, **fields}, namespace=namespace, created=created)


def secret(
    name: str = "keys",
    values: Mapping[str, str] | None = None,
    *,
    namespace: str = "default",
    labels: Mapping[str, str] | None = None,
) -> Manifest:
    """A labelled Secret with an API key in ``api`` and a client's key in ``client``."""
    return {
        "apiVersion": "v1",
        "kind": Kind.SECRET.value,
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": dict({LABEL_CREDENTIAL: "true"} if labels is None else labels),
        },
        "stringData": dict({"api": API_KEY, "client": CLIENT_KEY} if values is None else values),
    }


def sound() -> list[Manifest]:
    """One valid object of each kind."""
    return [secret(), credential(), client(), route()]


def world(
    *manifests: object, strict: bool = True, egress: Egress | None = None, forward_to: Sequence[str] = (FORWARD_HOST,)
) -> World:
    """Read manifests into a World."""
    rules = Settings(egress=egress or Egress(), forward_hosts=tuple(forward_to), strict=strict)
    return read(manifests, rules)


def plan(
    *manifests: object, strict: bool = True, egress: Egress | None = None, forward_to: Sequence[str] = (FORWARD_HOST,)
) -> Plan:
    """Decide on manifests."""
    return decide(world(*manifests, strict=strict, egress=egress, forward_to=forward_to), NOW)


def served(decided: Plan, name: str = "default/attack") -> list[Any]:
    """The targets that a route really has in a plan."""
    return [target for entry in decided.policy.routes if entry.name == name for target in entry.targets]
