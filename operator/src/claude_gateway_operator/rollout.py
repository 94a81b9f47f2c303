"""Rolls the proxy Deployment, but only for what its processes cannot change while they run."""

import hashlib
import logging
from collections.abc import Mapping
from typing import Any, Final

from claude_gateway.names import GROUP, proxy_name
from claude_gateway.plan.litellm_config import SETTINGS, LiteLLMSettings
from claude_gateway_operator import kube
from claude_gateway_operator.kube import Kube, Refused
from claude_gateway_operator.logs import emit
from claude_gateway_operator.owner import DEPLOYMENTS_API
from claude_gateway_operator.settings import Settings

ANNOTATION: Final = f"{GROUP}/restart-checksum"

_log: Final = logging.getLogger(__name__)


def checksum(settings: LiteLLMSettings) -> str:
    """Digest what LiteLLM reads once, when a worker first imports it."""
    return hashlib.sha256(settings.model_dump_json().encode()).hexdigest()[:16]


def due(deployment: Mapping[str, Any] | None, wanted: str) -> bool:
    """Whether pods run with something else.

    A Deployment without the annotation is as the chart made it, with the defaults: a fresh install is not rolled.
    """
    if deployment is None:
        return False
    template = deployment.get("spec", {}).get("template", {}).get("metadata", {})
    runs = (template.get("annotations") or {}).get(ANNOTATION, checksum(LiteLLMSettings()))
    return bool(runs != wanted)


async def roll(connection: Kube, settings: Settings) -> None:
    """Roll the Deployment if that is due. Raises KubeError."""
    wanted = checksum(SETTINGS)
    name = proxy_name(settings.release)
    url = kube.path("deployments", settings.namespace, name, api=DEPLOYMENTS_API)
    if not due(await connection.get(url), wanted):
        return
    body = {
        "apiVersion": DEPLOYMENTS_API,
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": settings.namespace},
        "spec": {"template": {"metadata": {"annotations": {ANNOTATION: wanted}}}},
    }
    try:
        await connection.apply(url, body)
    except Refused as error:
        # Deleted in between: an apply of only the annotation would have to create it, and is no whole Deployment.
        emit(_log, "rollout_refused", level=logging.WARNING, error=str(error))
        return
    emit(_log, "rollout_started", deployment=name, checksum=wanted)
