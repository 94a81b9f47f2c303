"""The agent's settings, read once at start."""

from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import Field, StringConstraints, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

Address = Annotated[str, StringConstraints(pattern=r"^(\[[0-9A-Fa-f:.%a-z]+\]|[^\s:\[\]]*):[0-9]{1,5}$")]

_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod finds what its ServiceAccount was given."""


class Settings(BaseSettings):
    """Environment variables with the prefix ``CLAUDE_GATEWAY_``."""

    model_config = SettingsConfigDict(env_prefix="CLAUDE_GATEWAY_", frozen=True, extra="ignore")

    run_dir: Path = Field(
        description="The folder that the pod's processes share, in memory: bundle and sockets. Required."
    )
    source: Literal["folder", "kubernetes"] = Field(
        default="folder", description="Where bundles come from: a folder, or a ConfigMap and a Secret in a cluster."
    )
    source_dir: Path | None = Field(default=None, description="The folder to watch; required for the source `folder`.")
    bundle_name: str | None = Field(
        default=None, description="Name of the ConfigMap and of the Secret; required for the source `kubernetes`."
    )
    namespace: str | None = Field(
        default=None, description="Namespace of both objects; without it, what `CLAUDE_GATEWAY_NAMESPACE_FILE` says."
    )
    namespace_file: Path = Field(default=_ACCOUNT / "namespace", description="File with the pod's namespace.")
    token_file: Path = Field(
        default=_ACCOUNT / "token", description="File with the ServiceAccount's token; read anew for each connection."
    )
    ca_file: Path = Field(
        default=_ACCOUNT / "ca.crt", description="PEM file with the authority of the API server's certificate."
    )
    kubernetes_service_host: str | None = Field(
        default=None,
        validation_alias="KUBERNETES_SERVICE_HOST",
        description="Host of the API server; set in every pod. Required for the source `kubernetes`.",
    )
    kubernetes_service_port: int = Field(
        default=443,
        ge=1,
        le=65535,
        validation_alias="KUBERNETES_SERVICE_PORT",
        description="Port of the API server; set in every pod.",
    )
    metrics_listen: Address = Field(
        default="0.0.0.0:9090",
        description="`host:port` that serves `/metrics`, `/status` and `/healthz`; port 0 takes a free one.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least severe log lines to write."
    )

    @model_validator(mode="after")
    def _source_is_whole(self) -> Self:
        needed: dict[str, dict[str, Path | str | None]] = {
            "folder": {"CLAUDE_GATEWAY_SOURCE_DIR": self.source_dir},
            "kubernetes": {
                "CLAUDE_GATEWAY_BUNDLE_NAME": self.bundle_name,
                "KUBERNETES_SERVICE_HOST": self.kubernetes_service_host,
            },
        }
        missing = [name for name, value in needed[self.source].items() if not value]
        if missing:
            raise ValueError(f"the source {self.source} needs {' and '.join(missing)}")
        return self

    @property
    def metrics_address(self) -> tuple[str, int]:
        """``metrics_listen`` as host and port; an empty host is every address."""
        host, _, port = self.metrics_listen.rpartition(":")
        return host.strip("[]"), int(port)

    @property
    def apiserver_url(self) -> str:
        """The base URL of the API server."""
        host = self.kubernetes_service_host or ""
        return f"https://{f'[{host}]' if ':' in host else host}:{self.kubernetes_service_port}"
