"""The gateway's settings, read once at start."""

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from claude_gateway_proxy.gateway.certificate_settings import CertificateSettings, listed
from claude_gateway_proxy.gateway.cors import checked_origin
from claude_gateway_runtime.settings import Address, LogLevel

Origin = Annotated[str, AfterValidator(checked_origin)]

_HOST_AND_PORT: Final = r"^(\[[0-9a-fA-F:.]+\]|[^\s/:@]+):\d{1,5}$"


class Settings(CertificateSettings):
    """Environment variables with the prefix ``CLAUDE_GATEWAY_``."""

    model_config = SettingsConfigDict(env_prefix="CLAUDE_GATEWAY_", frozen=True, extra="ignore")

    run_dir: Path = Field(
        description="The folder that the pod's processes share, in memory: bundle and sockets. Required."
    )
    listen: Address = Field(
        default="0.0.0.0:4000", description="`host:port` that serves plain HTTP; port 0 takes a free one."
    )
    identity_token_file: Path | None = Field(
        default=None,
        description=(
            "File with the token of the pods' ServiceAccount for Anthropic (`workloadIdentity`), or a folder of "
            "several such files; read again before each exchange."
        ),
    )
    max_body_bytes: int = Field(
        default=32 * 1024 * 1024, ge=1024, description="The largest request body that is accepted, in bytes."
    )
    max_in_flight: int = Field(
        default=2000,
        ge=1,
        description="How many model requests may be in flight; one more is answered 529 with `retry-after`.",
    )
    max_in_flight_per_client: int = Field(
        default=1500, ge=1, description="How many of them may belong to one client, so that others are served, too."
    )
    queue_seconds: float = Field(
        default=10.0,
        ge=0,
        le=600,
        description=(
            "How long a request that finds a limit reached may wait for its turn, in seconds; then, or at once if the "
            "wait would be longer, it is answered 429 with `retry-after`. 0: requests never wait."
        ),
    )
    max_queued_per_client: int = Field(
        default=100, ge=0, description="How many requests of one client may wait for limits at one time."
    )
    valkey_address: str | None = Field(
        default=None,
        pattern=_HOST_AND_PORT,
        description=(
            "`host:port` of the Valkey, or Redis from version 6 on, that counts limits, budgets and callers' usage for "
            "all pods together. Default: each process counts alone."
        ),
    )
    valkey_tls: bool = Field(default=False, description="Whether to use TLS for it; its certificate is verified.")
    valkey_ca_file: Path | None = Field(
        default=None, description="PEM file with the authorities of its certificate. Default: those of the system."
    )
    valkey_username: str | None = Field(default=None, description="The user name for it. Default: the default user.")
    valkey_password_file: Path | None = Field(
        default=None, description="File with the password; read again for each connection. Default: no password."
    )
    valkey_prefix: str = Field(
        default="serve",
        min_length=1,
        max_length=320,
        pattern=r"^[^\s{}]+$",
        description="The name of this installation in its keys; installations that share it need different names.",
    )
    when_valkey_unavailable: Literal["allow", "reject"] = Field(
        default="allow",
        description=(
            "What happens to requests with limits while Valkey does not answer: `allow` lets them pass without limits, "
            "`reject` answers 503."
        ),
    )
    max_buffered_bytes: int = Field(
        default=192 * 1024 * 1024,
        ge=1024,
        description=(
            "How many bytes the bodies of all requests in flight may have together; a request for which there is no "
            "room is answered 529 with `retry-after`. Up to twice as many are in memory while bodies are sent on."
        ),
    )
    max_buffered_bytes_per_client: int = Field(
        default=96 * 1024 * 1024, ge=1024, description="How many of them may belong to one client."
    )
    cache_bytes: int = Field(
        default=32 * 1024 * 1024,
        ge=0,
        description=(
            "How many bytes the answers may have together that are kept for routes with `cache` (0: none are kept). "
            "Beyond it, the least recently used one is evicted."
        ),
    )
    cache_valkey_address: str | None = Field(
        default=None,
        pattern=_HOST_AND_PORT,
        description=(
            "`host:port` of the Valkey, or Redis from version 6 on, that keeps these answers for all pods. Let it "
            "evict keys: not the one that counts. Default: each process keeps its own."
        ),
    )
    cache_valkey_tls: bool = Field(default=False, description="Whether to use TLS for it; its certificate is verified.")
    cache_valkey_ca_file: Path | None = Field(
        default=None, description="PEM file with the authorities of its certificate. Default: those of the system."
    )
    cache_valkey_username: str | None = Field(
        default=None, description="The user name for it. Default: the default user."
    )
    cache_valkey_password_file: Path | None = Field(
        default=None, description="File with the password; read again for each connection. Default: no password."
    )
    cache_valkey_prefix: str = Field(
        default="serve",
        min_length=1,
        max_length=320,
        pattern=r"^[^\s{}]+$",
        description="The name of this installation in its keys; installations that share it need different names.",
    )
    max_connections: int = Field(
        default=4096,
        ge=0,
        description=(
            "How many connections each listener accepts (0: no limit). For one more, the connection is closed that has "
            "waited longest for a request; where none waits, the new one is answered 503 with `retry-after`."
        ),
    )
    max_connections_per_address: int = Field(
        default=3072,
        ge=0,
        description=(
            "How many of them may come from one address, or from one /64 network of IPv6 (0: no limit), so that others "
            "find room; for one more, the same is done among the connections of this address."
        ),
    )
    body_seconds: float = Field(
        default=300.0,
        gt=0,
        description="How long a client may pause in the middle of its request's body, in seconds.",
    )
    shutdown_seconds: float = Field(
        default=600.0, ge=0, description="How long running answers may continue after SIGTERM, in seconds."
    )
    linger_seconds: float = Field(
        default=0.0,
        ge=0,
        description=(
            "How long the process stays after the last answer ended on SIGTERM, in seconds, so that its final metrics "
            "are scraped. It answers no clients then."
        ),
    )
    max_connection_age_seconds: float = Field(
        default=300.0,
        ge=0,
        description=(
            "How old a client's connection may get, in seconds, give or take a tenth (0: no limit). Then its next "
            "answer says `connection: close`, or it is closed while idle: such clients find pods that came later."
        ),
    )
    ping_seconds: float = Field(
        default=15.0,
        ge=0,
        description=(
            "The silence of a streamed answer, in seconds, after which its client gets a ping (0: none), so that "
            "neither the client nor a proxy on the way closes it. It does not extend `timeouts.idle` of the route."
        ),
    )
    sigv4: Literal["verify", "ignore"] = Field(
        default="verify",
        description=(
            "What is done about the AWS signature of clients in Bedrock mode: `verify` checks it, `ignore` takes just "
            "the client key from it, for where a proxy on the way changes the host or the path."
        ),
    )
    cors_origins: Annotated[tuple[Origin, ...], NoDecode] = Field(
        default=(),
        description=(
            "Origins (`https://host[:port]`) of programs in a browser that may call the gateway, separated by commas; "
            "`*` is every origin. Default: none. A client key is needed in any case."
        ),
    )
    sign_in_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s/]+/?$",
        description="Address of the sign-in service, such as http://claude-auth:4200. With it, Claude Code signs in at "
        "the gateway (`/login`, or `forceLoginGatewayUrl` in its managed settings).",
    )
    leases: bool = Field(
        default=False,
        description=(
            "Whether several gateways divide budgets: each then spends only what is leased to it, as the agent writes "
            "it beside the bundle."
        ),
    )
    spend_file: Path | None = Field(
        default=None,
        description=(
            "File that keeps what was spent of budgets, so that a restart does not forget it. Default: "
            "`gateway/spend.json` in the run directory."
        ),
    )
    usage_sink: str | None = Field(
        default=None,
        pattern=r"^(file:///[^?#]+|(otlp\+)?https?://[^\s/@]+(/\S*)?)$",
        description=(
            "Where a usage event of each request goes: `file:///PATH` (JSON lines), `http(s)://…` (posted as JSON "
            "lines) or `otlp+http(s)://…/v1/logs` (OTLP logs over HTTP, as JSON). Default: nowhere."
        ),
    )
    usage_sink_headers_file: Path | None = Field(
        default=None,
        description="File with headers for the sink, one `Name: value` a line, such as a token; read again each time.",
    )
    usage_spool_dir: Path | None = Field(
        default=None,
        description=(
            "Folder that keeps usage events until their sink has acknowledged them; several processes may share it. "
            "Default: `usage` in the run folder."
        ),
    )
    usage_spool_bytes: int = Field(
        default=64 * 1024 * 1024,
        ge=65536,
        description="The most bytes of usage events that a process keeps; events beyond are dropped and counted.",
    )
    log_level: LogLevel = Field(
        default="info", description="The least severe log lines to write; the line of each request is `info`."
    )

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return listed(value)
