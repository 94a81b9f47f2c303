"""The agent's settings, read once at start."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from claude_gateway_runtime.kube.access import ACCOUNT
from claude_gateway_runtime.settings import Address, LogLevel, join_host_port


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
    namespace_file: Path = Field(default=ACCOUNT / "namespace", description="File with the pod's namespace.")
    token_file: Path = Field(
        default=ACCOUNT / "token", description="File with the ServiceAccount's token; read again for each connection."
    )
    ca_file: Path = Field(
        default=ACCOUNT / "ca.crt", description="PEM file with the authority of the API server's certificate."
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
    log_level: LogLevel = Field(default="info", description="The least severe log lines to write.")

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
    def apiserver_url(self) -> str:
        """The base URL of the API server."""
        return f"https://{join_host_port(self.kubernetes_service_host or '', self.kubernetes_service_port)}"
