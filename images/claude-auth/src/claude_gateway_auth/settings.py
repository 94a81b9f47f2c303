"""The settings of the sign-in service, read once at start."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from claude_gateway_runtime.kube.settings import PodSettings
from claude_gateway_runtime.settings import Address, LogLevel


class Settings(PodSettings):
    """Environment variables with the prefix ``CLAUDE_GATEWAY_``; the CLI also gets the usual proxy variables."""

    listen: Address = Field(default="127.0.0.1:4200", description="`host:port` of the page and the JSON API.")
    metrics_listen: Address = Field(
        default="127.0.0.1:0", description="`host:port` that serves `/metrics` and `/healthz`; port 0 takes a free one."
    )
    public_url: str | None = Field(
        default=None,
        description="The address by which browsers reach the page, such as https://auth.example.com; it is needed "
        "behind an Ingress, for `Secure` cookies and for the way back from an OIDC provider.",
    )
    source: Literal["folder", "kubernetes"] = Field(
        default="folder", description="Where logins are stored: files in a folder, or Secrets in a cluster."
    )
    state_dir: Path | None = Field(default=None, description="Folder of the logins; required for the source `folder`.")
    credentials_file: Path | None = Field(
        default=None, description="JSON list of the credentials; required for the source `folder`."
    )
    watch_namespaces: str = Field(
        default="", description="Namespaces of the credentials, separated by commas; default: the pod's own."
    )
    run_dir: Path = Field(
        default=Path("/run/claude-auth"),
        description="Folder of Claude Code's private homes, in memory. It must outlive this process: what a killed "
        "process left there is stored at the next start.",
    )
    cli: Path | None = Field(
        default=None, description="Path of the Claude Code CLI; default: the one bundled with claude-agent-sdk."
    )
    auth_key_file: Path | None = Field(
        default=None, description="File with the key that opens the page and the JSON API. This or OIDC is required."
    )
    oidc_issuer: str | None = Field(default=None, description="Issuer of the OpenID Connect provider.")
    oidc_client_id: str | None = Field(default=None, description="Client id at the OpenID Connect provider.")
    oidc_client_secret_file: Path | None = Field(
        default=None, description="File with the client secret, if there is one."
    )
    oidc_allowed: str = Field(
        default="",
        description="Email addresses that may use the page, separated by commas; each sees its own credentials.",
    )
    groups_claim: str = Field(default="groups", description="The provider's claim with the groups of a person.")
    signing_key_file: Path | None = Field(
        default=None,
        description="PEM file with a private key on the curve P-256, or several: the first one signs. With it, Claude "
        "Code signs in at the gateway by OpenID Connect.",
    )
    token_issuer: str | None = Field(
        default=None,
        description="The `iss` of the tokens that are issued; default: `CLAUDE_GATEWAY_PUBLIC_URL` and `/auth`.",
    )
    token_audience: str = Field(default="claude-gateway", description="The `aud` of the tokens that are issued.")
    token_seconds: int = Field(
        default=3600,
        ge=300,
        le=86_400,
        description="How long a token is valid. Whoever is removed at the provider can call that long.",
    )
    device_scope: str = Field(
        default="openid email profile offline_access",
        description="What the provider is asked for when a device signs in. Without a refresh token of the provider's, "
        "people sign in again when their token ends.",
    )
    refresh_before_seconds: int = Field(
        default=3600, ge=60, description="How long before its end an access token is refreshed."
    )
    probe_seconds: int = Field(
        default=0,
        ge=0,
        description="Seconds between two checks of each login by one count of tokens; 0 turns them off.",
    )
    shutdown_seconds: float = Field(default=40.0, ge=1, description="How long a running refresh may take at the end.")
    log_level: LogLevel = Field(default="info", description="The least severe log lines to write.")

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        needed: dict[str, dict[str, object]] = {
            "folder": {
                "CLAUDE_GATEWAY_STATE_DIR": self.state_dir,
                "CLAUDE_GATEWAY_CREDENTIALS_FILE": self.credentials_file,
            },
            "kubernetes": {"KUBERNETES_SERVICE_HOST": self.kubernetes_service_host},
        }
        missing = [name for name, value in needed[self.source].items() if not value]
        if missing:
            raise ValueError(f"the source {self.source} needs {' and '.join(missing)}")
        if self.auth_key_file is None and self.oidc_issuer is None:
            raise ValueError(
                "CLAUDE_GATEWAY_AUTH_KEY_FILE or CLAUDE_GATEWAY_OIDC_ISSUER is needed: the page is never open"
            )
        if self.oidc_issuer is not None and not (self.oidc_client_id and (self.emails or self.signing_key_file)):
            raise ValueError(
                "CLAUDE_GATEWAY_OIDC_ISSUER needs CLAUDE_GATEWAY_OIDC_CLIENT_ID, and CLAUDE_GATEWAY_OIDC_ALLOWED or "
                "CLAUDE_GATEWAY_SIGNING_KEY_FILE"
            )
        if self.signing_key_file is not None and not (self.oidc_issuer and self.public_url):
            raise ValueError(
                "CLAUDE_GATEWAY_SIGNING_KEY_FILE needs CLAUDE_GATEWAY_OIDC_ISSUER and CLAUDE_GATEWAY_PUBLIC_URL"
            )
        if self.oidc_issuer is not None and not self.oidc_issuer.startswith("https://"):
            raise ValueError("CLAUDE_GATEWAY_OIDC_ISSUER must begin with https://")
        return self

    @property
    def emails(self) -> frozenset[str]:
        """The addresses that may use the page."""
        return frozenset(filter(None, (part.strip().casefold() for part in self.oidc_allowed.split(","))))

    @property
    def namespaces(self) -> tuple[str, ...]:
        """The namespaces of the credentials, as far as they are named."""
        return tuple(filter(None, (part.strip() for part in self.watch_namespaces.split(","))))
