"""A thin Kubernetes client on aiohttp: requests by path, objects as plain values, errors by what to do about them."""

from claude_gateway_runtime.kube.access import ACCOUNT, Access, Cluster
from claude_gateway_runtime.kube.client import REQUEST_SECONDS, WATCH_SECONDS, Kube
from claude_gateway_runtime.kube.errors import (
    Conflict,
    Expired,
    Forbidden,
    KubeError,
    NotFound,
    Refused,
    Retryable,
    Unreachable,
)
from claude_gateway_runtime.kube.objects import Manifest, encoded, entries, path
from claude_gateway_runtime.kube.watch import BOOKMARK, DELETED, Event

__all__ = (
    "ACCOUNT",
    "BOOKMARK",
    "DELETED",
    "REQUEST_SECONDS",
    "WATCH_SECONDS",
    "Access",
    "Cluster",
    "Conflict",
    "Event",
    "Expired",
    "Forbidden",
    "Kube",
    "KubeError",
    "Manifest",
    "NotFound",
    "Refused",
    "Retryable",
    "Unreachable",
    "encoded",
    "entries",
    "path",
)
