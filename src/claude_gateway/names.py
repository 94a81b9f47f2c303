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
    """Whether the object's own spec is sound."""
    RESOLVED_REFS = "ResolvedRefs"
    """Whether all that the object names is there and fit: credentials, Secrets, keys in them."""
    PROGRAMMED = "Programmed"
    """Whether every ready proxy pod serves the object as it is now. Only in a cluster."""
    READY = "Ready"
    """Whether the answer to all the other questions is yes. Only in a cluster."""


class Reason(StrEnum):
    """Why a condition is what it is, or what kind of Problem was found."""

    ACCEPTED = "Accepted"
    """The spec is sound."""
    RESOLVED = "ResolvedRefs"
    """Everything that the spec names is there."""
    PARTIALLY_ACCEPTED = "PartiallyAccepted"
    """The object serves, but not all of it: the message names the parts that do not."""
    INVALID = "Invalid"
    """A field is missing, unknown or not as its schema says; nothing else of the object was looked at."""
    UNKNOWN_KIND = "UnknownKind"
    """The manifest has a kind or an apiVersion that this version does not know."""
    DUPLICATE_OBJECT = "DuplicateObject"
    """Another object of the kind has the same name and namespace, and is used."""
    MODEL_TAKEN = "ModelTaken"
    """An older route already claims the model name; then the one whose namespace and name sort first."""
    MODEL_NOT_ALLOWED = "ModelNotAllowed"
    """The model name could be read as an address, a path or a reference to a secret."""
    MODEL_NOT_LISTED = "ModelNotListed"
    """A warning: Claude Code's model picker shows none of the route's names, though it has a display name."""
    MODEL_NOT_FOUND = "ModelNotFound"
    """No route serves the model name; the object serves without what it is for."""
    PROVIDER_UNKNOWN = "ProviderUnknown"
    """LiteLLM knows no provider of this name."""
    PROVIDER_NOT_SUPPORTED = "ProviderNotSupported"
    """The provider needs more than a key and a base URL, or does not keep a key to its base URL."""
    KEY_TAKEN = "KeyTaken"
    """The client key already belongs to another GatewayClient."""
    KEY_TOO_SHORT = "KeyTooShort"
    """The client key is short enough to be guessed."""
    KEY_NOT_ALLOWED = "KeyNotAllowed"
    """The client key has a form that Claude Code would send to Anthropic itself."""
    CREDENTIAL_NOT_FOUND = "CredentialNotFound"
    """The namespace has no ClaudeCredential of this name."""
    CREDENTIAL_NOT_USABLE = "CredentialNotUsable"
    """The ClaudeCredential is there but has a problem of its own."""
    CREDENTIAL_MISMATCH = "CredentialMismatch"
    """The ClaudeCredential is for another provider than the target's."""
    SECRET_NOT_FOUND = "SecretNotFound"  # noqa: S105 - a reason, not a secret
    """The namespace has no Secret of this name."""
    SECRET_KEY_NOT_FOUND = "SecretKeyNotFound"  # noqa: S105
    """The Secret has no such key."""
    SECRET_NOT_LABELLED = "SecretNotLabelled"  # noqa: S105
    """The Secret's owner did not label it for use here."""
    SECRET_VALUE_INVALID = "SecretValueInvalid"  # noqa: S105
    """The value in the Secret is empty, no key in plain ASCII, or no key file of the kind that is needed."""
    SECRET_FORBIDDEN = "SecretForbidden"  # noqa: S105
    """The operator has no right to read Secrets in the namespace."""
    IDENTITY_NOT_ALLOWED = "IdentityNotAllowed"
    """The namespace may not spend the pods' own identity in a cloud unless whoever runs the gateway allows it."""
    ADDRESS_NOT_ALLOWED = "AddressNotAllowed"
    """Nothing may be sent to this address unless whoever runs the gateway allows it."""
    TOO_LARGE = "TooLarge"
    """Everything together does not fit into a ConfigMap and a Secret; what served before goes on."""
    PROGRAMMED = "Programmed"
    """Every ready proxy pod serves the object as it is now."""
    READY = "Ready"
    """The object is accepted, all that it names is there, and every ready proxy pod serves it."""
    NOTHING_TO_SERVE = "NothingToServe"
    """The object's problems leave nothing of it that could serve; the other conditions name them."""
    NO_READY_PODS = "NoReadyPods"
    """No proxy pod is ready."""
    PENDING = "Pending"
    """At least one ready proxy pod does not serve the object as it is now yet, or does not say what it serves."""
    REFUSED = "Refused"
    """A proxy pod could not load the newest configuration and serves an older one; the message says why."""


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

FORWARD_HOST: Final = "api.anthropic.com"
"""The one host that clients' own logins may be sent to, where the installation allows no other."""

CLOUD_VARIABLES: Final = frozenset(
    {
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"),
        *("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_REGION", "AWS_DEFAULT_REGION"),
        *("AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_STS_REGIONAL_ENDPOINTS"),
        *("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
        *("AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
        *("AWS_EC2_METADATA_DISABLED", "AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_CA_BUNDLE"),
        *("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "CLOUDSDK_CONFIG"),
        *("GCE_METADATA_HOST", "GCE_METADATA_IP", "GCE_METADATA_ROOT", "NO_GCE_CHECK"),
    }
)
"""Where botocore and google-auth find a machine's or a person's own identity in a cloud, and nothing for others."""

# Headers of clients.
HEADER_GATEWAY_KEY: Final = "x-gateway-key"
"""Carries the gateway's own key where ``authorization`` is the client's login at the upstream."""

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
METRIC_VERDICTS: Final = "claude_gateway_safeguard_verdicts"
METRIC_CONFIG_INFO: Final = "claude_gateway_config_info"
METRIC_CONFIG_LOADED: Final = "claude_gateway_config_loaded_timestamp_seconds"
METRIC_CONFIG_ERRORS: Final = "claude_gateway_config_errors"
METRIC_CONFIG_SWAPS: Final = "claude_gateway_config_swaps"
METRIC_CONFIG_IN_SYNC: Final = "claude_gateway_config_in_sync"
METRIC_PROCESS_UP: Final = "claude_gateway_process_up"
METRIC_LOOKS: Final = "claude_gateway_operator_looks"
METRIC_LOOK_DURATION: Final = "claude_gateway_operator_look_duration_seconds"
METRIC_LOOK_COMPLETED: Final = "claude_gateway_operator_look_completed_timestamp_seconds"
METRIC_WRITES: Final = "claude_gateway_operator_writes"
METRIC_OBJECTS: Final = "claude_gateway_operator_conditions"
METRIC_PROBLEMS: Final = "claude_gateway_operator_problems"
METRIC_BUNDLE_BYTES: Final = "claude_gateway_operator_bundle_bytes"
METRIC_PODS: Final = "claude_gateway_operator_pods"

# What a release owns in its namespace; ``release`` is the full name that every one of them begins with.
REPORT_TOKEN: Final = "report-token"  # noqa: S105 - the entry's name
"""Entry of the bundle Secret that agents ask of who wants to read their report; not part of the bundle."""


def bundle_name(release: str) -> str:
    """Name the ConfigMap and the Secret that hold the bundle."""
    return f"{release}-bundle"


def bootstrap_name(release: str) -> str:
    """Name the GatewayClient and the Secret of the first client."""
    return f"{release}-bootstrap"


def operator_name(release: str) -> str:
    """Name the operator's Deployment, which owns everything that the operator makes."""
    return f"{release}-operator"


def proxy_name(release: str) -> str:
    """Name the data plane's Deployment."""
    return f"{release}-proxy"


def agent_name(release: str) -> str:
    """Name the headless Service before the agents."""
    return f"{release}-agent"
