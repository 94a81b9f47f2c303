"""The agent's settings, read once at start."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from claude_gateway_runtime.kube.settings import PodSettings
from claude_gateway_runtime.settings import Address, LogLevel


class Settings(PodSettings):
    """Environment variables with the prefix ``CLAUDE_GATEWAY_``."""

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
    allotment_name: str | None = Field(
        default=None,
        description="Name of the ConfigMap that divides limits and budgets between pods. Default: nothing is divided.",
    )
    pod_name: str = Field(default="", description="Name of the pod, to find its part of the allotment.")
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
