"""What Flux, Helm and kpt make of an object: the rules of ``kstatus``, written down again.

From ``checkGenericProperties`` and ``checkReadyCondition`` of sigs.k8s.io/cli-utils/pkg/kstatus v0.37.2, for kinds that
kstatus does not know by name. Their order counts: deletion, generation, ``Reconciling`` and ``Stalled``, ``Ready``;
what has none of these is ``Current``.
"""

from typing import Any


def kstatus(manifest: dict[str, Any]) -> tuple[str, str]:
    """Return the status of an object, such as ``Current`` or ``InProgress``, and the message beside it."""
    metadata, status = manifest["metadata"], manifest.get("status") or {}
    if metadata.get("deletionTimestamp"):
        return "Terminating", "Resource scheduled for deletion"
    generation, observed = metadata.get("generation"), status.get("observedGeneration")
    if generation is not None and observed is not None and generation != observed:
        kind = manifest["kind"]
        return "InProgress", f"{kind} generation is {generation}, but latest observed generation is {observed}"
    conditions = {condition["type"]: condition for condition in status.get("conditions") or ()}
    for kind, found in (("Reconciling", "InProgress"), ("Stalled", "Failed")):
        if conditions.get(kind, {}).get("status") == "True":
            return found, conditions[kind]["message"]
    ready = conditions.get("Ready")
    if ready is None:
        return "Current", "Resource is current"
    return ("Current", "Resource is Ready") if ready["status"] == "True" else ("InProgress", ready["message"])
