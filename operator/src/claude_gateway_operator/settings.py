"""The operator's settings, read once at start."""

from typing import Annotated, Final

from pydantic import BeforeValidator, Field, StringConstraints
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from claude_gateway.names import FORWARD_HOST
from claude_gateway_runtime.settings import Address, LogLevel

_NAME: Final = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"
Name = Annotated[str, StringConstraints(pattern=_NAME, max_length=253)]


def _split(value: object) -> object:
    if not isinstance(value, str):
        return value
    return tuple(part for part in (part.strip() for part in value.split(",")) if part)


Names = Annotated[tuple[Name, ...], NoDecode, BeforeValidator(_split)]
Audience = Annotated[str, StringConstraints(pattern=r"^[!-~]+$", max_length=512)]
Url = Annotated[str, StringConstraints(pattern=r"^https?://[!-~]+$", max_length=2048)]
Texts = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]


class Settings(BaseSettings):
    """Environment variables with the prefix ``CLAUDE_GATEWAY_OPERATOR_``, and ``POD_NAMESPACE``."""

    model_config = SettingsConfigDict(
        env_prefix="CLAUDE_GATEWAY_OPERATOR_", frozen=True, extra="ignore", validate_by_name=True
    )

    namespace: Name = Field(
        validation_alias="POD_NAMESPACE", description="The namespace that the release lives in. Required."
    )
    release: Name = Field(
        description="Full name of the release; the names of everything that it owns begin with it. Required."
    )
    watch_namespaces: Names = Field(
        default=(), description="Additional namespaces whose objects are served, separated by commas."
    )
    all_namespaces: bool = Field(
        default=False,
        description="Whether to serve the objects of all namespaces; needs rights in the whole cluster.",
    )
    namespace_selector: str = Field(
        default="",
        description="Labels of further namespaces whose objects are served, as a selector such as `ai=enabled`; needs "
        "rights in the whole cluster.",
    )
    egress_loopback: bool = Field(default=False, description="Whether targets may use loopback addresses.")
    egress_hosts: Texts = Field(
        default=(), description="Hosts that are rejected by default and allowed here, separated by commas."
    )
    forward_hosts: Texts = Field(
        default=(FORWARD_HOST,),
        description="Hosts that may receive the clients' own logins (`forwardClientToken`), separated by commas.",
    )
    identity_namespaces: Names = Field(
        default=(),
        description="Namespaces besides the release's own whose credentials may use the pods' own cloud identity, "
        "separated by commas.",
    )
    identity_token: bool = Field(
        default=False,
        description="Whether the proxy pods have a ServiceAccount token for Anthropic (`workloadIdentity`).",
    )
    service_account_audience: Audience | None = Field(
        default=None,
        description="What tokens of ServiceAccounts must be for, if they are to identify a client. Default: "
        "`claude-gateway/NAMESPACE/RELEASE`.",
    )
    client_certificates: bool = Field(
        default=False,
        description="Whether certificates of clients are verified, by the gateway or by a proxy that it trusts. "
        "Default: a warning about GatewayClients that list `certificates`.",
    )
    claude_code_url: Url | None = Field(
        default=None,
        description="Address of the Claude Code backend, for people's own subscriptions. Default: none, and every "
        "subscription is rejected.",
    )
    claude_auth_enabled: bool = Field(
        default=False, description="Whether to keep the Roles of the sign-in service, one in each watched namespace."
    )
    claude_auth_url: Url | None = Field(
        default=None, description="Where people sign in, for messages. Default: the messages name the command."
    )
    caller_secrets: Texts = Field(
        default=(),
        description="Secrets, as `NAMESPACE/NAME`, that may be created for programs that ask the Claude Code backend "
        "directly, separated by commas.",
    )
    bootstrap_enabled: bool = Field(default=False, description="Whether to create the first client and its key.")
    bootstrap_secret_name: Name | None = Field(
        default=None,
        description="An existing, labelled Secret that holds the first client's key. Default: a new one is created.",
    )
    bootstrap_secret_key: str = Field(default="key", description="The key inside the existing Secret.")
    agent_port: int = Field(default=9090, ge=1, le=65535, description="Port of the agents in the proxy pods.")
    health_listen: Address = Field(default="0.0.0.0:8080", description="`host:port` that serves `/healthz`.")
    metrics_listen: Address = Field(default="0.0.0.0:9090", description="`host:port` that serves `/metrics`.")
    resync_seconds: float = Field(
        default=120.0, gt=0, description="Seconds after which to reconcile even if nothing changed."
    )
    unhealthy_after_seconds: float = Field(
        default=300.0,
        gt=0,
        description="Seconds without a completed reconciliation after which `/healthz` answers 500.",
    )
    log_level: LogLevel = Field(default="info", description="The least severe log lines to write.")

    @property
    def audience(self) -> str:
        """What tokens of ServiceAccounts must be for."""
        return self.service_account_audience or f"claude-gateway/{self.namespace}/{self.release}"

    @property
    def namespaces(self) -> tuple[str, ...]:
        """The namespaces that are served in any case; the release's own comes first."""
        return tuple(dict.fromkeys((self.namespace, *self.watch_namespaces)))

    @property
    def clusterwide(self) -> bool:
        """Whether namespaces are served that no setting names."""
        return self.all_namespaces or bool(self.namespace_selector)
