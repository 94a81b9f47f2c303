"""Workload identity federation: whether a credential may use the pods' identity at Anthropic, and which identity."""

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from claude_gateway.api.claude_credential import WorkloadIdentity
from claude_gateway.contract.nearby import is_near
from claude_gateway.contract.target import Federation
from claude_gateway.names import Reason
from claude_gateway.plan.problem import ObjectRef, Problem
from claude_gateway.plan.world import World

PROVIDER: Final = "anthropic"
"""The only provider whose targets can use such a credential."""


def of(kind: WorkloadIdentity) -> Federation:
    """Return what the data plane sends with the token of its ServiceAccount."""
    return Federation(
        organization_id=kind.organization_id,
        federation_rule_id=kind.federation_rule_id,
        service_account_id=kind.service_account_id,
        workspace_id=kind.workspace_id,
    )


def problems(owner: ObjectRef, kind: WorkloadIdentity, world: World, *, at: str) -> Iterator[Problem]:
    """Yield what is wrong with a credential beyond its address, which is checked like every other."""
    if not world.settings.identity_token:
        message = "the proxy pods have no ServiceAccount token for Anthropic"
        fix = "Ask the operators of the gateway to set `proxy.workloadIdentity.enabled` in the chart's values."
        yield Problem(owner, at, Reason.IDENTITY_NOT_ALLOWED, message, fix)
    if kind.base_url is not None and _sends_in_the_clear(kind.base_url):
        message = "the pods' token would be sent to the address without encryption"
        fix = "Write an address that begins with `https://`."
        yield Problem(owner, f"{at}.baseURL", Reason.ADDRESS_NOT_ALLOWED, message, fix)


def _sends_in_the_clear(base_url: str) -> bool:
    url = urlsplit(base_url)
    return url.scheme == "http" and not is_near(url.hostname or "")
