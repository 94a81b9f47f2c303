"""The LiteLLM worker's settings, read once at start."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from claude_gateway_runtime.settings import LogLevel


class Settings(BaseSettings):
    """Environment variables with the prefix ``CLAUDE_GATEWAY_``."""

    model_config = SettingsConfigDict(env_prefix="CLAUDE_GATEWAY_", frozen=True, extra="ignore")

    run_dir: Path = Field(
        description="The folder that the pod's processes share, in memory: bundle and sockets. Required."
    )
    shutdown_seconds: float = Field(
        default=600.0, ge=0, description="How long running answers may go on after SIGTERM, in seconds."
    )
    log_level: LogLevel = Field(default="info", description="The least severe log lines to write.")
