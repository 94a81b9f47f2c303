"""The backend's settings, read once at start."""

import shutil
import sysconfig
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import AliasChoices, Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from claude_gateway_runtime.settings import Address, LogLevel

ANTHROPIC: Final = "https://api.anthropic.com"
_MEBIBYTE: Final = 1024 * 1024


class Settings(BaseSettings):
    """Environment variables with the prefix ``CLAUDE_GATEWAY_``."""

    model_config = SettingsConfigDict(env_prefix="CLAUDE_GATEWAY_", frozen=True, extra="ignore")

    listen: Address = Field(
        default="127.0.0.1:4100", description="`host:port` that serves the API; port 0 takes a free one."
    )
    metrics_listen: Address = Field(
        default="0.0.0.0:9090", description="`host:port` that serves `/metrics`; port 0 takes a free one."
    )
    run_dir: Path = Field(
        default=Path("/run/claude-code"),
        description="A folder in memory, for the private home of each Claude Code process.",
    )
    cli: Path | None = Field(
        default=None,
        description="The Claude Code CLI. By default the one that claude-agent-sdk bundles, else `claude` on the PATH.",
    )
    backend_key_file: Path | None = Field(
        default=None,
        description=(
            "File with the key of the gateway, which brings a login with each request; read again when it changes. "
            "This or `CLAUDE_GATEWAY_CALLERS_FILE` is required."
        ),
    )
    callers_file: Path | None = Field(
        default=None,
        description=(
            'JSON file of the other callers, `{"<SHA-256 of the key, hex>": {"name": …, "login": <access token>}}`; '
            "read again when it changes. Each key opens one login."
        ),
    )
    pool_size: int = Field(default=2, ge=0, le=64, description="Processes kept ready for each login.")
    logins: int = Field(
        default=4, ge=1, le=1024, description="Logins that have ready processes; the least recently used goes first."
    )
    concurrency: int = Field(
        default=8, ge=1, le=1024, description="Requests answered at the same time, each by a process of about 160 MiB."
    )
    queue: int = Field(
        default=32, ge=0, le=10_000, description="Requests that may wait; one more is answered 529 with `retry-after`."
    )
    queue_seconds: float = Field(
        default=60.0, gt=0, description="How long a request may wait before it is answered 529, in seconds."
    )
    spawns: int = Field(
        default=2,
        ge=1,
        le=64,
        description="Processes that may start at the same time; each start takes 0.35 CPU-seconds.",
    )
    idle_seconds: float = Field(
        default=900.0, gt=0, description="How long a login keeps its ready processes without a request, in seconds."
    )
    upstream_url: str = Field(
        default=ANTHROPIC,
        pattern=r"^https?://[^\s/?#]+(/[^\s?#]*)?$",
        description="Where Anthropic's API is, without `/v1`.",
    )
    upstream_proxy: str | None = Field(
        default=None,
        repr=False,
        pattern=r"^http://\S+$",
        validation_alias=AliasChoices("CLAUDE_GATEWAY_UPSTREAM_PROXY", "HTTPS_PROXY", "https_proxy"),
        description="`http://[user:password@]host:port` of the proxy on the way to Anthropic; also `HTTPS_PROXY`.",
    )
    extra_ca_file: Path | None = Field(
        default=None,
        validation_alias="NODE_EXTRA_CA_CERTS",
        description="PEM file with authorities to trust besides the system's, such as that of a company proxy.",
    )
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Hosts that Claude Code may reach besides Anthropic's, separated by commas: `host` or `host:port`.",
    )
    max_body_bytes: int = Field(
        default=32 * _MEBIBYTE, ge=1024, description="The largest request body that is taken, in bytes."
    )
    body_seconds: float = Field(
        default=60.0, gt=0, description="How long a client may send nothing in the middle of a body, in seconds."
    )
    ping_seconds: float = Field(
        default=15.0,
        gt=0,
        description="The silence of a streamed answer after which its client gets a ping, in seconds.",
    )
    shutdown_seconds: float = Field(
        default=600.0, ge=0, description="How long running answers may go on after SIGTERM, in seconds."
    )
    log_level: LogLevel = Field(default="info", description="The least severe log lines to write.")

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _somebody_may_call(self) -> Self:
        if self.backend_key_file is None and self.callers_file is None:
            raise ValueError(
                "no caller is configured: set CLAUDE_GATEWAY_BACKEND_KEY_FILE or CLAUDE_GATEWAY_CALLERS_FILE, or both"
            )
        return self


def find_cli(wanted: Path | None) -> Path | None:
    """Return the Claude Code CLI: the wanted one, the one that claude-agent-sdk bundles, or the one on the PATH."""
    if wanted is not None:
        return wanted if wanted.is_file() else None
    # Not imported: the package would load the whole SDK for one path.
    for place in _site_packages():
        bundled = place / "claude_agent_sdk" / "_bundled" / "claude"
        if bundled.is_file():
            return bundled
    found = shutil.which("claude")
    return None if found is None else Path(found)


def _site_packages() -> tuple[Path, ...]:
    return tuple(dict.fromkeys(Path(sysconfig.get_path(name)) for name in ("purelib", "platlib")))
