"""The agent's settings, read once at start."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints
from pydantic_settings import BaseSettings, SettingsConfigDict

Address = Annotated[str, StringConstraints(pattern=r"^(\[[0-9A-Fa-f:.%a-z]+\]|[^\s:\[\]]*):[0-9]{1,5}$")]


class Settings(BaseSettings):
    """Environment variables with the prefix ``CLAUDE_GATEWAY_``."""

    model_config = SettingsConfigDict(env_prefix="CLAUDE_GATEWAY_", frozen=True, extra="ignore")

    run_dir: Path = Field(
        description="The folder that the pod's processes share, in memory: bundle and sockets. Required."
    )
    source_dir: Path = Field(description="The folder to watch for bundles. Required.")
    metrics_listen: Address = Field(
        default="0.0.0.0:9090",
        description="`host:port` that serves `/metrics`, `/status` and `/healthz`; port 0 takes a free one.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least severe log lines to write."
    )

    @property
    def metrics_address(self) -> tuple[str, int]:
        """``metrics_listen`` as host and port; an empty host is every address."""
        host, _, port = self.metrics_listen.rpartition(":")
        return host.strip("[]"), int(port)
