"""Names that several places must agree on: API group, labels, headers, reasons, file names."""

from enum import StrEnum
from typing import Final

GROUP: Final = "claudegateway.io"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"

LABEL_CREDENTIAL: Final = f"{GROUP}/credential"
"""A Secret is used only if its owner set this label to ``"true"``."""

FIELD_MANAGER: Final = "claude-gateway"
AUTH_MANAGER: Final = "claude-gateway-auth"
"""The field manager of the sign-in service, the only writer of logins that are refreshed."""


class Kind(StrEnum):
    """The kinds of objects that users write."""

    MODEL_ROUTE = "ModelRoute"
    CLAUDE_CREDENTIAL = "ClaudeCredential"
    GATEWAY_CLIENT = "GatewayClient"
    BUDGET = "Budget"
    SECRET = "Secret"  # noqa: S105 - the kind's name


class ConditionType(StrEnum):
    """The types of the conditions in an object's status."""

    ACCEPTED = "Accepted"
    """Whether the object's own spec is valid."""
    RESOLVED_REFS = "ResolvedRefs"
    """Whether everything that the object refers to exists and can be used: credentials, Secrets, keys in them."""
    PROGRAMMED = "Programmed"
    """Whether the object, as it is now, is live on every ready proxy pod. Only in a cluster."""
    READY = "Ready"
    """Whether all other conditions are true, or not known to be false. Only in a cluster."""
    VALID = "Valid"
    """Whether the upstream accepts the credential, by its last answer. Only in a cluster, of ClaudeCredentials."""
    EXPIRING_SOON = "ExpiringSoon"
    """Whether the credential ends soon and nothing renews it. Only of ClaudeCredentials whose end is known."""
    TARGETS_EJECTED = "TargetsEjected"
    """Whether proxy pods try a target of the route last, because it failed. Only present if it is true."""
    SPENT = "Spent"
    """Whether the amount of a Budget is spent for this period. Only present if it is true."""
    SUSPENDED = "Suspended"
    """Whether `spec.suspend` takes the object out of service. Only present if it is true."""
    WARNINGS = "Warnings"
    """Whether something works, but probably not as intended. Only present if it is true."""


class Reason(StrEnum):
    """Why a condition has its status, or which kind of Problem was found."""

    ACCEPTED = "Accepted"
    """The spec is valid."""
    RESOLVED = "ResolvedRefs"
    """Everything that the spec refers to exists and can be used."""
    PARTIALLY_ACCEPTED = "PartiallyAccepted"
    """The object serves only in part; the message names the parts that do not."""
    INVALID = "Invalid"
    """A field is missing, unknown or violates its schema; the rest of the object was not checked."""
    UNKNOWN_KIND = "UnknownKind"
    """This version does not know the kind or apiVersion of the manifest."""
    DUPLICATE_OBJECT = "DuplicateObject"
    """Another object of this kind has the same name and namespace; that one is used."""
    MODEL_TAKEN = "ModelTaken"
    """The model name already belongs to an older route (of equal age: the first by namespace and name), or an older
    route of another namespace covers it."""
    MODEL_CONTESTED = "ModelContested"
    """A warning: routes of other namespaces claim names that this older route holds or covers; it keeps them."""
    MODEL_NOT_ALLOWED = "ModelNotAllowed"
    """The model name could be read as an address, a path or a reference to a secret."""
    MODEL_NOT_LISTED = "ModelNotListed"
    """A warning: the route has a display name, but Claude Code's model picker shows none of its model names."""
    MODEL_RETIRING = "ModelRetiring"
    """A warning: the provider retired the model, or announced the day on which it will."""
    PRICE_UNKNOWN = "PriceUnknown"
    """A warning: no price of the target's model is known, so that its tokens count at a safe price."""
    MODEL_NOT_FOUND = "ModelNotFound"
    """No route serves the model name to the namespace; the object serves without the feature that needs it."""
    PROVIDER_UNKNOWN = "ProviderUnknown"
    """LiteLLM does not know a provider of this name."""
    PROVIDER_NOT_SUPPORTED = "ProviderNotSupported"
    """The provider needs more than a key and a base URL, or sends the key to other addresses."""
    KEY_TAKEN = "KeyTaken"
    """The client key already belongs to another GatewayClient."""
    KEY_TOO_SHORT = "KeyTooShort"
    """The client key is short enough to be guessed."""
    KEY_NOT_ALLOWED = "KeyNotAllowed"
    """The client key has a form that Claude Code also sends to Anthropic."""
    KEY_EXPIRING = "KeyExpiring"
    """A warning: a client key ends soon, or has ended."""
    HASHES_INVALID = "HashesInvalid"
    """A list of people and hashes of keys has lines that are not in its form."""
    ISSUER_TAKEN = "IssuerTaken"
    """The issuer of tokens already belongs to the clients of another namespace."""
    ISSUER_UNKNOWN = "IssuerUnknown"
    """Tokens of ServiceAccounts cannot be verified, because the keys of the cluster's issuer are not known."""
    SERVICE_ACCOUNT_TAKEN = "ServiceAccountTaken"
    """The ServiceAccount already belongs to another GatewayClient."""
    SERVICE_ACCOUNT_NOT_ALLOWED = "ServiceAccountNotAllowed"
    """Clients may name ServiceAccounts of their own namespace only, unless they are in the release's."""
    CERTIFICATE_TAKEN = "CertificateTaken"
    """All certificates with the name identify another GatewayClient already."""
    CERTIFICATE_NOT_ALLOWED = "CertificateNotAllowed"
    """The name in certificates is, or may be, that of another namespace's pods."""
    CERTIFICATES_UNVERIFIED = "CertificatesUnverified"
    """A warning: the client lists certificates, but nothing in the installation verifies any."""
    TOO_MANY_SECRETS = "TooManySecrets"
    """More secrets of HS256 are in use than a token can be tried with."""
    TOO_MANY_BUDGETS = "TooManyBudgets"
    """More Budgets of a namespace name the same client, team or group than one request can ask for money."""
    CREDENTIAL_NOT_FOUND = "CredentialNotFound"
    """No ClaudeCredential of this name exists in the namespace."""
    CREDENTIAL_NOT_USABLE = "CredentialNotUsable"
    """The ClaudeCredential exists but has problems of its own."""
    CREDENTIAL_SUSPENDED = "CredentialSuspended"
    """The ClaudeCredential of the target is suspended. A warning where other targets serve the same requests."""
    CREDENTIAL_MISMATCH = "CredentialMismatch"
    """The ClaudeCredential is for a different provider than the target."""
    SECRET_NOT_FOUND = "SecretNotFound"  # noqa: S105 - a reason, not a secret
    """No Secret of this name exists in the namespace."""
    SECRET_KEY_NOT_FOUND = "SecretKeyNotFound"  # noqa: S105
    """The Secret has no such key."""
    SECRET_NOT_LABELLED = "SecretNotLabelled"  # noqa: S105
    """The Secret does not have the label that allows its use."""
    SECRET_VALUE_INVALID = "SecretValueInvalid"  # noqa: S105
    """The value in the Secret is empty, not a key in printable ASCII, or not a key file of the required kind."""
    SECRET_FORBIDDEN = "SecretForbidden"  # noqa: S105
    """The operator may not read Secrets in the namespace."""
    IDENTITY_NOT_ALLOWED = "IdentityNotAllowed"
    """Credentials in the namespace may not use the pods' own cloud identity unless the installation allows it."""
    SUBSCRIPTIONS_OFF = "SubscriptionsOff"
    """The installation does not run Claude Code, so no subscription can be used."""
    SUBSCRIPTION_SHARED = "SubscriptionShared"
    """A subscription would serve others than its one owner, or several logins would stand in for each other."""
    NOT_SIGNED_IN = "NotSignedIn"
    """The owner of the subscription has not signed in yet: the Secret holds no login."""
    SECRET_HAS_OTHER_WRITER = "SecretHasOtherWriter"  # noqa: S105
    """The login is refreshed, so the sign-in service must be the only writer of its Secret, and it is not."""
    CLIENT_NOT_FOUND = "ClientNotFound"
    """A warning: the route or Budget lists a GatewayClient that does not exist in its namespace."""
    CLIENT_NOT_ALLOWED = "ClientNotAllowed"
    """Budgets pay for clients of their own namespace only, unless they are in the release's."""
    PARENT_NOT_FOUND = "ParentNotFound"
    """No usable Budget of this name exists in the namespace; the Budget counts without its parent."""
    PARENTS_INVALID = "ParentsInvalid"
    """The Budget is its own ancestor, or has too many; it counts without its parent."""
    NO_MATCHING_REQUESTS = "NoMatchingRequests"
    """A warning: the Budget, or one of the names in it, pays for no requests."""
    SPENT = "Spent"
    """The amount of the Budget is spent until the period ends."""
    RULE_UNREACHABLE = "RuleUnreachable"
    """A warning: the rules before it match all requests that the rule matches, so none reaches it."""
    RULE_CONFLICTING = "RuleConflicting"
    """A warning: the rule has the conditions of an earlier one, or conditions that never hold, alone or together."""
    BASE_URL_UNUSUAL = "BaseURLUnusual"
    """A warning: the path of the base URL is probably wrong: it ends in an endpoint, or `/v1` is missing."""
    ADDRESS_NOT_ALLOWED = "AddressNotAllowed"
    """Requests may not be sent to this address unless the installation allows it."""
    TOO_LARGE = "TooLarge"
    """The namespace needs more room than its share, or has too many patterns or lines; the newest are left out."""
    PROGRAMMED = "Programmed"
    """The object, as it is now, is live on every ready proxy pod."""
    READY = "Ready"
    """The object is accepted, resolved, and live on every ready proxy pod."""
    NOTHING_TO_SERVE = "NothingToServe"
    """Because of its problems no part of the object can serve; the other conditions name them."""
    SUSPENDED = "Suspended"
    """`spec.suspend` of the object is true: it serves nothing until the field is removed."""
    NO_READY_PODS = "NoReadyPods"
    """No proxy pod is ready."""
    NOT_SERVED = "NotServed"
    """No release serves the object: it was uninstalled, does not watch the namespace, or `gatewayRef` is wrong."""
    VALID = "Valid"
    """The upstream accepted the credential when it was last used."""
    REJECTED = "Rejected"
    """The upstream, or who issues the tokens, said no to the credential; the message has the answer."""
    EJECTED = "Ejected"
    """Proxy pods try a target last, because it failed; the message says until when and why."""
    UNAVAILABLE = "Unavailable"
    """The credential could not be renewed or checked, because there was no answer about it."""
    NOT_USED = "NotUsed"
    """No request used the credential since it, or the proxy pods, came."""
    EXPIRING = "Expiring"
    """The credential ends soon and nothing renews it."""
    NOT_EXPIRING = "NotExpiring"
    """The end of the credential is far away, or it is renewed before."""
    PENDING = "Pending"
    """The object, as it is now, is not live on every ready proxy pod yet, or no release has looked at it yet."""
    REFUSED = "Refused"
    """A proxy pod could not load the newest configuration and keeps an older one; the message says why."""


# The bundle: everything that the control plane passes to the data plane.
GATEWAY_JSON: Final = "gateway.json"
LITELLM_YAML: Final = "litellm.yaml"
META_JSON: Final = "meta.json"
CURRENT: Final = "current"
"""The symlink in a bundle folder that points to the current revision."""

# The run directory that the processes of one pod share (memory-backed). Each of its folders has one writer.
BUNDLE_DIR: Final = "bundle"
ACCESS_TOKENS_DIR: Final = "access-tokens"
"""Access tokens that the gateway was issued, so that it has them again after a restart of its container."""
USAGE_DIR: Final = "usage"
"""Usage events that their sink has not acknowledged, unless the settings name another folder."""
GATEWAY_SOCKET: Final = "gateway/sock"
"""Serves ``GET /status`` and ``GET /metrics`` of the gateway to the agent."""
LITELLM_SOCKET: Final = "litellm/sock"
SPEND_JSON: Final = "gateway/spend.json"
"""Serves the LiteLLM lane to the gateway, and ``/status`` and ``/metrics`` to the agent."""

FORWARD_HOST: Final = "api.anthropic.com"
"""The only host that clients' own logins may be sent to, unless the installation allows others."""

CLOUD_VARIABLES: Final = frozenset(
    {
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"),
        *("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_REGION", "AWS_DEFAULT_REGION"),
        *("AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_STS_REGIONAL_ENDPOINTS"),
        *("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
        *("AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
        *("AWS_EC2_METADATA_DISABLED", "AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_CA_BUNDLE", "AWS_ENDPOINT_URL_STS"),
        *("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "CLOUDSDK_CONFIG"),
        *("GCE_METADATA_HOST", "GCE_METADATA_IP", "GCE_METADATA_ROOT", "NO_GCE_CHECK"),
    }
)
"""Variables with which botocore and google-auth find the cloud identity of the machine or user.

No other provider's keys are among them.
"""

# Headers of clients.
HEADER_GATEWAY_KEY: Final = "x-gateway-key"
"""Carries the client's gateway key if ``authorization`` holds the client's login at the upstream."""
HEADER_PROXY_SECRET: Final = "x-gateway-proxy-secret"  # noqa: S105 - the name of a header
"""Where a proxy in front shows the secret that proves who passes the client's certificate."""
CERTIFICATE_KEY: Final = "certificate"
"""What a client with a certificate sends if it must send some key; too short to be a key."""

HEADER_GATEWAY_CLIENT: Final = "x-gateway-client"
"""Says in every answer as which client, ``<namespace>/<name>``, its caller was recognized."""

HEADER_GATEWAY_CACHE: Final = "x-gateway-cache"
"""Says in an answer of a route with `cache` whether it came from the cache (`hit`) or is new (`miss`)."""

TRACE_HEADERS: Final = ("traceparent", "tracestate")
"""Headers that say which trace a request is part of. Source: W3C Trace Context."""

# Headers between the gateway and the LiteLLM worker; the gateway drops those that clients send.
INTERNAL_HEADER_PREFIX: Final = "x-claude-gateway-"
HEADER_TARGET: Final = "x-claude-gateway-target"
HEADER_MODEL: Final = "x-claude-gateway-model"
HEADER_OBSTACLE: Final = "x-claude-gateway-obstacle"
"""Set by the worker if the upstream did not answer: the reason, as one word."""
HEADER_DETAIL: Final = "x-claude-gateway-detail"
HEADER_TOKEN: Final = "x-claude-gateway-token"  # noqa: S105 - the header's name
"""Carries the access token that the worker sends for a target that has neither key nor identity of its own."""

# Headers between the gateway and the Claude Code backend.
HEADER_LOGIN: Final = "x-claude-code-login"
"""The access token of the login that answers. Only the gateway sets it, and only for targets with a login."""
HEADER_LOGIN_STATE: Final = "x-claude-gateway-login"
"""Set by the backend to ``rejected`` if Anthropic rejected the login, so that it is not mistaken for our own key."""
LOGIN_REJECTED: Final = "rejected"
