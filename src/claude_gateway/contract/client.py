"""A client: who may call, which model names it may use, and what proves that a caller is it."""

from enum import StrEnum

from pydantic import Field

from claude_gateway.contract.base import Contract
from claude_gateway.contract.brake import Brake
from claude_gateway.contract.certificate_name import CertificateName
from claude_gateway.contract.limits import Limits


class TokenRule(Contract):
    """Signed tokens (JWT) that identify a client: who signs them, and what they must say.

    ``issuer`` is their ``iss``. Its keys are at ``jwks_url``, or where the issuer's discovery document says. ``secret``
    is the entry of the secret part with the secret of HS256, for tokens that are signed with no other keys; then
    ``issuer`` may be None, which is not checked, and ``audiences`` may be empty: such tokens must not have any.
    ``claims`` maps each claim that is required to the values of which it must have one. ``user``, ``team`` and
    ``groups`` name the claims that say who the caller is.
    """

    issuer: str | None = None
    jwks_url: str | None = None
    secret: str | None = None
    audiences: tuple[str, ...] = ()
    claims: dict[str, tuple[str, ...]] = Field(default={})
    user: str = "sub"
    team: str = "team"
    groups: str = "groups"


class ClusterIssuer(Contract):
    """Who signs the tokens of ServiceAccounts: ``keys`` are the cluster's public keys, a JSON Web Key Set.

    ``audience`` is what a token must be for, so that no token for another release or service is of use here.
    """

    issuer: str
    audience: str
    keys: str


class Priority(StrEnum):
    """Which requests come first while requests wait for a limit: interactive ones before batch work."""

    INTERACTIVE = "Interactive"
    BATCH = "Batch"


class Client(Contract):
    """Who may call, and which model names it may use (patterns like a route's).

    ``tokens`` are the signed tokens that identify it, beside its keys, ``service_accounts`` the ServiceAccounts, as
    ``<namespace>/<name>``, and ``certificates`` the names in client certificates. A certificate with names of two
    clients belongs to the one with the lower ``certificate_rank``. ``settings`` are those of Claude Code for its
    people, as canonical JSON; empty without any. ``suspended``: its requests are refused. ``limits`` are those of all
    its requests together, None without any. ``brake`` says how far its sessions may go; None: as far as they like.
    """

    name: str
    models: tuple[str, ...] = ("*",)
    settings: str = ""
    tokens: tuple[TokenRule, ...] = ()
    service_accounts: tuple[str, ...] = ()
    certificates: tuple[CertificateName, ...] = ()
    certificate_rank: int = 0
    suspended: bool = False
    brake: Brake | None = None
    limits: Limits | None = None
    priority: Priority = Priority.INTERACTIVE

    @property
    def entries(self) -> tuple[str, ...]:
        """The entries of the secret part that it needs."""
        return tuple(rule.secret for rule in self.tokens if rule.secret is not None)
