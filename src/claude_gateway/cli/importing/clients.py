"""The client of an imported configuration: who may call, with which key."""

from typing import Final

from claude_gateway.cli import options
from claude_gateway.cli.importing.draft import Draft
from claude_gateway.cli.importing.secrets import Vault, reference
from claude_gateway.cli.importing.section import Section
from claude_gateway.plan.clients.key_holders import SHORTEST_KEY

NEW_KEY: Final = options.KEY_VARIABLE
"""The variable of a key that the old configuration did not have; ``--secrets`` makes one."""


def master(general: Section, draft: Draft, vault: Vault, *, owner: str | None) -> str | None:
    """Add the client that has LiteLLM's master key; returns its name, None if there is none."""
    return add(general, draft, vault, key="master_key", name="master", variable="LITELLM_MASTER_KEY", owner=owner)


def add(
    section: Section, draft: Draft, vault: Vault, *, key: str, name: str, variable: str, owner: str | None = None
) -> str | None:
    """Add the client whose key is in a section, and return its name.

    Without a key, or with one that is too short, there is a client only where a new key can be made for it, or where
    it is the ``owner`` of a subscription.
    """
    raw = section.text(key)
    known = vault.value(reference(raw) or "") if reference(raw) else raw
    if raw and (len(known) >= SHORTEST_KEY or (reference(raw) and not known)):
        return draft.client(name, vault.variable(raw, instead=variable), owner=owner)
    why = f"the key has fewer than {SHORTEST_KEY} characters" if raw else "clients need a key here, and there is none"
    if vault.makes_keys or owner is not None:
        section.lose(key, why, f"Give the clients the new key, ${NEW_KEY}: --secrets FILE makes one.")
        return draft.client(name, vault.refer(NEW_KEY), owner=owner)
    section.lose(key, why, f"Create one beside the output, such as `claude-gateway key new {name} --dir gateway`.")
    return None
