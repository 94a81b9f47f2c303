"""Rolls the proxy Deployment, but only for what its processes cannot change while they run."""

import hashlib
import logging
from collections.abc import Mapping
from typing import Any, Final

from claude_gateway.contract.litellm import LiteLLMSettings
from claude_gateway.names import GROUP, proxy_name
from claude_gateway.plan import render
from claude_gateway_operator.owner import DEPLOYMENTS_API
from claude_gateway_operator.settings import Settings
from claude_gateway_runtime import kube
from claude_gateway_runtime.kube import Kube, Refused
from claude_gateway_runtime.logs import emit

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
    wanted = checksum(render.SETTINGS)
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
