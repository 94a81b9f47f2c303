"""Every name that two places must agree on: API group, labels, headers, reasons, metrics, file names."""

from enum import StrEnum
from typing import Final

GROUP: Final = "claudegateway.io"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"

LABEL_CREDENTIAL: Final = f"{GROUP}/credential"
"""A Secret may be used only if its owner set this label to ``"true"``."""

FIELD_MANAGER: Final = "claude-gateway"


class Kind(StrEnum):
    """The kinds of objects that users write."""

    MODEL_ROUTE = "ModelRoute"
    CLAUDE_CREDENTIAL = "ClaudeCredential"
    GATEWAY_CLIENT = "GatewayClient"
    SECRET = "Secret"  # noqa: S105 - the kind's name


class ConditionType(StrEnum):
    """The questions that an object's status answers."""

    ACCEPTED = "Accepted"
    RESOLVED_REFS = "ResolvedRefs"


class Reason(StrEnum):
    """Why a condition is what it is, or what kind of Problem was found."""

    ACCEPTED = "Accepted"
    RESOLVED = "ResolvedRefs"
    PARTIALLY_ACCEPTED = "PartiallyAccepted"
    INVALID = "Invalid"
    UNKNOWN_KIND = "UnknownKind"
    DUPLICATE_OBJECT = "DuplicateObject"
    MODEL_TAKEN = "ModelTaken"
    MODEL_NOT_ALLOWED = "ModelNotAllowed"
    MODEL_NOT_LISTED = "ModelNotListed"
    PROVIDER_UNKNOWN = "ProviderUnknown"
    PROVIDER_NOT_SUPPORTED = "ProviderNotSupported"
    KEY_TAKEN = "KeyTaken"
    KEY_TOO_SHORT = "KeyTooShort"
    KEY_NOT_ALLOWED = "KeyNotAllowed"
    CREDENTIAL_NOT_FOUND = "CredentialNotFound"
    CREDENTIAL_NOT_USABLE = "CredentialNotUsable"
    CREDENTIAL_MISMATCH = "CredentialMismatch"
    SECRET_NOT_FOUND = "SecretNotFound"  # noqa: S105 - a reason, not a secret
    SECRET_KEY_NOT_FOUND = "SecretKeyNotFound"  # noqa: S105
    SECRET_NOT_LABELLED = "SecretNotLabelled"  # noqa: S105
    SECRET_VALUE_INVALID = "SecretValueInvalid"  # noqa: S105
    ADDRESS_NOT_ALLOWED = "AddressNotAllowed"
    TOO_LARGE = "TooLarge"


# The bundle: what crosses from control plane to data plane.
GATEWAY_JSON: Final = "gateway.json"
LITELLM_YAML: Final = "litellm.yaml"
META_JSON: Final = "meta.json"
CURRENT: Final = "current"
"""The symlink in a bundle folder that names the revision in force."""

# The run directory that the processes of one pod share (a memory-backed folder).
BUNDLE_DIR: Final = "bundle"
GATEWAY_SOCKET: Final = "gateway.sock"
"""Serves ``GET /status`` and ``GET /metrics`` of the gateway to the agent."""
LITELLM_SOCKET: Final = "litellm.sock"
"""Serves the LiteLLM lane to the gateway, and ``/status`` and ``/metrics`` to the agent."""

# Headers between gateway and LiteLLM worker; a client's own are dropped.
INTERNAL_HEADER_PREFIX: Final = "x-claude-gateway-"
HEADER_TARGET: Final = "x-claude-gateway-target"
HEADER_MODEL: Final = "x-claude-gateway-model"

# Metrics. OTel GenAI names where they exist (dots as underscores), our own prefix elsewhere.
METRIC_REQUESTS: Final = "claude_gateway_requests"
METRIC_TOKENS: Final = "claude_gateway_tokens"
METRIC_DURATION: Final = "gen_ai_server_request_duration_seconds"
METRIC_TTFT: Final = "gen_ai_server_time_to_first_token_seconds"
METRIC_IN_FLIGHT: Final = "claude_gateway_requests_in_flight"
METRIC_UPSTREAM_ERRORS: Final = "claude_gateway_upstream_errors"
METRIC_FAILOVERS: Final = "claude_gateway_failovers"
METRIC_CONFIG_INFO: Final = "claude_gateway_config_info"
METRIC_CONFIG_LOADED: Final = "claude_gateway_config_loaded_timestamp_seconds"
METRIC_CONFIG_ERRORS: Final = "claude_gateway_config_errors"
METRIC_CONFIG_SWAPS: Final = "claude_gateway_config_swaps"
METRIC_CONFIG_IN_SYNC: Final = "claude_gateway_config_in_sync"
METRIC_PROCESS_UP: Final = "claude_gateway_process_up"
