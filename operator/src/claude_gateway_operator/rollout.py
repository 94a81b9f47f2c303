"""Restarts the proxy Deployment, only for settings that its processes cannot change while they run."""

import hashlib
import logging
from collections.abc import Mapping
from typing import Any, Final

from claude_gateway.names import GROUP
from claude_gateway.plan.litellm_config import SETTINGS, LiteLLMSettings
from claude_gateway.release_names import proxy_name
from claude_gateway_operator.owner import DEPLOYMENTS_API
from claude_gateway_operator.settings import Settings
from claude_gateway_runtime import kube
from claude_gateway_runtime.kube import Kube, Refused
from claude_gateway_runtime.logs import emit

ANNOTATION: Final = f"{GROUP}/restart-checksum"

_log: Final = logging.getLogger(__name__)


def checksum(settings: LiteLLMSettings) -> str:
    """Return a digest of the settings that LiteLLM reads only once, when a worker imports it."""
    return hashlib.sha256(settings.model_dump_json().encode()).hexdigest()[:16]


def due(deployment: Mapping[str, Any] | None, wanted: str) -> bool:
    """Return whether the pods run with other settings.

    A Deployment without the annotation runs with the chart's defaults, so a fresh install is not restarted.
    """
    if deployment is None:
        return False
    template = deployment.get("spec", {}).get("template", {}).get("metadata", {})
    runs = (template.get("annotations") or {}).get(ANNOTATION, checksum(LiteLLMSettings()))
    return bool(runs != wanted)


async def roll(connection: Kube, settings: Settings) -> None:
    """Restart the Deployment if that is due. Raises KubeError."""
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
        # It was deleted in the meantime, and the annotation alone is not a valid Deployment.
        emit(_log, "rollout_refused", level=logging.WARNING, error=str(error))
        return
    emit(_log, "rollout_started", deployment=name, checksum=wanted)
