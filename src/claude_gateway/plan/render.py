"""Renders accepted objects to a bundle: the same input gives the same bytes."""

import json
from collections.abc import Mapping
from typing import Final

from claude_gateway.contract import client_keys
from claude_gateway.contract.bundle import Bundle, secret_entry
from claude_gateway.contract.client_keys import Holder
from claude_gateway.contract.policy import Policy
from claude_gateway.plan.litellm_config import litellm_config, yaml

_CLIENTS: Final = "clients"


def key_table(holders: Mapping[str, Holder]) -> dict[str, bytes]:
    """Return the entry of the secret part that maps client keys to their holders; no entry without keys."""
    if not holders:
        return {}
    value = client_keys.table(holders)
    return {secret_entry(_CLIENTS, value): value}


def bundle(policy: Policy, secrets: Mapping[str, bytes], *, view: bool = True) -> Bundle:
    """Render a policy, and the secrets that it names, to a bundle; with the ``view`` for people, ``litellm.yaml``."""
    document = policy.model_dump(mode="json", by_alias=True, exclude_none=True)
    gateway = json.dumps(document, sort_keys=True, separators=(",", ":")) + "\n"
    litellm = yaml(litellm_config(policy, secrets)) if view else b""
    return Bundle(gateway=gateway.encode(), litellm=litellm, secrets=dict(sorted(secrets.items())))
