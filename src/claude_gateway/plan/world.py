"""The World: everything that a decision depends on, as frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from claude_gateway.api.base import Metadata, Spec
from claude_gateway.api.budget import BudgetSpec
from claude_gateway.api.claude_credential import ClaudeCredentialSpec
from claude_gateway.api.gateway_client import GatewayClientSpec
from claude_gateway.api.model_route import ModelRouteSpec
from claude_gateway.contract.budget import Spending
from claude_gateway.contract.policy import Egress
from claude_gateway.names import FORWARD_HOST
from claude_gateway.plan.problem import ObjectRef, Problem
from claude_gateway.plan.secret import Secret
from claude_gateway.plan.status.programmed import PodState
from claude_gateway.plan.status.stored_status import Release, StoredStatus

SpecT = TypeVar("SpecT", bound=Spec)

DEFAULT_NAMESPACE: Final = "default"


@dataclass(frozen=True, slots=True)
class Settings:
    """What the installation allows, and how manifests are read.

    ``namespace``: the release's own, whose clients may use every route; objects in files are in it unless they name
    another.
    ``egress``: addresses that are rejected by default and allowed here. ``forward_hosts``: hosts that may receive
    the clients' own logins. ``identity_namespaces``: namespaces whose credentials may use the pods' own identity
    (None: all). ``identity_token``: the proxy pods have a ServiceAccount token for Anthropic. ``strict``: unknown
    fields and kinds are Problems, as for files; in a live cluster, where the CRDs may be newer, they are ignored.
    ``release``: the full name of the release that decides; objects whose ``gatewayRef`` names another one are ignored
    (None: no object is). ``claude_code_url`` is where the installation runs Claude Code
    for people's own subscriptions (None: it does not, and every subscription is rejected), ``claude_code_key`` the key
    that this backend accepts. ``claude_auth_url`` is where people sign in (None: wherever the command says).
    ``caller_secrets`` are the Secrets, as ``<namespace>/<name>``, that the operator may create for programs that ask
    the backend directly. ``audience`` is what tokens of ServiceAccounts must be for (None: not in a cluster).
    ``client_certificates``: certificates of clients are verified, by the gateway or by a proxy that it trusts.
    ``scope``: the namespaces that the release serves (None: all); objects in others are ignored.
    """

    namespace: str = DEFAULT_NAMESPACE
    egress: Egress = field(default_factory=Egress)
    forward_hosts: tuple[str, ...] = (FORWARD_HOST,)
    identity_namespaces: frozenset[str] | None = None
    identity_token: bool = True
    strict: bool = True
    release: str | None = None
    claude_code_url: str | None = None
    claude_code_key: bytes = field(default=b"", repr=False)
    claude_auth_url: str | None = None
    caller_secrets: frozenset[str] = frozenset()
    audience: str | None = None
    client_certificates: bool = True
    scope: frozenset[str] | None = None

    @property
    def identity(self) -> Release | None:
        """The release that decides."""
        return None if self.release is None else Release(self.namespace, self.release)


@dataclass(frozen=True, slots=True)
class Foreign:
    """An object that this release does not serve, with its status.

    ``release`` is the one that it names; None if this release no longer serves its namespace.
    """

    release: str | None
    generation: int
    status: StoredStatus


@dataclass(frozen=True, slots=True)
class Item(Generic[SpecT]):
    """One object. ``spec`` is None if it is invalid; the World's problems say why.

    ``claims`` are the model names of a route; of a route with an invalid spec, those that could be read.
    ``status`` is the object's current status.
    """

    ref: ObjectRef
    metadata: Metadata
    spec: SpecT | None
    claims: tuple[str, ...] = ()
    status: StoredStatus = field(default_factory=StoredStatus)

    @property
    def age(self) -> tuple[float, str, str]:
        """Sort key that settles conflicting claims: the smallest wins."""
        return (self.metadata.creation_timestamp.timestamp(), self.ref.namespace, self.ref.name)


@dataclass(frozen=True, slots=True)
class ClusterKeys:
    """The issuer of the cluster's ServiceAccount tokens; ``keys`` is the JSON Web Key Set of the API server."""

    issuer: str
    keys: str


@dataclass(frozen=True, slots=True)
class World:
    """What users wrote, parsed; ``problems`` are the mistakes found while reading.

    ``foreign`` are objects that this release does not serve, ``unreadable`` the namespaces whose Secrets may not be
    read. ``pods`` is the current state of the proxy pods; None outside of a cluster, where no ``Programmed`` condition
    is written. ``slices`` are the slices of each revision that a pod may serve. ``cluster`` is None where the keys of
    the cluster's issuer are not known. ``spending`` is what was spent of budgets, by their full names.
    """

    settings: Settings = field(default_factory=Settings)
    routes: tuple[Item[ModelRouteSpec], ...] = ()
    credentials: tuple[Item[ClaudeCredentialSpec], ...] = ()
    clients: tuple[Item[GatewayClientSpec], ...] = ()
    budgets: tuple[Item[BudgetSpec], ...] = ()
    secrets: Mapping[ObjectRef, Secret] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    foreign: Mapping[ObjectRef, Foreign] = field(default_factory=dict)
    unreadable: frozenset[str] = frozenset()
    pods: tuple[PodState, ...] | None = None
    slices: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    cluster: ClusterKeys | None = None
    spending: Mapping[str, Spending] = field(default_factory=dict)
