"""The settings of a pod that calls the API server; the kubelet provides the defaults."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from claude_gateway_runtime.kube.access import ACCOUNT
from claude_gateway_runtime.settings import join_host_port


class PodSettings(BaseSettings):
    """Environment variables with the prefix ``CLAUDE_GATEWAY_``, and those that Kubernetes sets in every pod."""

    model_config = SettingsConfigDict(env_prefix="CLAUDE_GATEWAY_", frozen=True, extra="ignore")

    namespace: str | None = Field(
        default=None, description="The pod's namespace; without it, what `CLAUDE_GATEWAY_NAMESPACE_FILE` says."
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

    @property
    def apiserver_url(self) -> str:
        """The base URL of the API server."""
        return f"https://{join_host_port(self.kubernetes_service_host or '', self.kubernetes_service_port)}"
