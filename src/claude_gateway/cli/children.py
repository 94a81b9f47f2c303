"""The processes that ``serve`` starts: their settings, and which environment variables they inherit."""

import hashlib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from claude_gateway.cli import options
from claude_gateway.cli.addresses import Address
from claude_gateway.names import CLOUD_VARIABLES

GATEWAY: Final = "gateway"
LITELLM: Final = "litellm"
AGENT: Final = "agent"
SCRIPTED: Final = "scripted model"

_PREFIX: Final = "CLAUDE_GATEWAY_"
_TELEMETRY: Final = "OTEL_"
# Only what a Python program needs to run and to reach the network: provider keys in the user's environment must not
# reach a process that sends requests.
_ALLOWED: Final = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "PYTHONPATH", "LD_LIBRARY_PATH"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"),
        *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy", "all_proxy"),
    }
)
# As in the image: Python's threads take turns, and a heap for each of them only leaves holes in all of them.
_ALLOCATOR: Final = {"MALLOC_ARENA_MAX": "1"}
_SHUTDOWN_VARIABLE: Final = f"{_PREFIX}SHUTDOWN_SECONDS"
SHUTDOWN_SECONDS: Final = 10.0
"""How long streams may continue after Ctrl-C. It is short because a person waits for it."""


@dataclass(frozen=True, slots=True)
class Child:
    """One process: ``python -m module argument...``.

    ``listens`` is the environment variable with the listen address, so that a restart keeps the port that was chosen
    for port 0. ``grace`` is how many seconds the process may take to stop; short, because once the gateway has ended,
    the others have nothing left to finish.
    """

    name: str
    module: str
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    listens: str | None = None
    grace: float = 0.5

    @property
    def command(self) -> tuple[str, ...]:
        """The command line. The lifeline module ends the child when this process ends for any reason."""
        return (sys.executable, "-m", "claude_gateway.cli.lifeline", self.module, *self.arguments)

    def at(self, address: str) -> "Child":
        """Return the same child with a fixed listen address."""
        if self.listens is None:
            return self
        return replace(self, environment={**self.environment, self.listens: address})


@dataclass(frozen=True, slots=True)
class Certificate:
    """The HTTPS listen address, and the files: of the certificate, of its key, of the authorities of clients."""

    listen: Address
    certificate: Path
    key: Path
    client_ca: Path | None = None


def environment(ambient: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables that a child may inherit."""
    return {
        name: value
        for name, value in ambient.items()
        if name in _ALLOWED
        or name.startswith(("LC_", "MALLOC_"))
        or (name.startswith(_PREFIX) and name not in (options.KEY_VARIABLE, options.URL_VARIABLE))
    }


def identity(ambient: Mapping[str, str]) -> dict[str, str]:
    """Return the user's cloud identity for the processes that call models; credentials without a Secret use it."""
    return {name: value for name, value in ambient.items() if name in CLOUD_VARIABLES}


def telemetry(ambient: Mapping[str, str]) -> dict[str, str]:
    """Return OpenTelemetry's own settings for the gateway; its headers hold a key of the collector."""
    return {name: value for name, value in ambient.items() if name.startswith(_TELEMETRY)}


def children(
    *,
    run_dir: Path,
    source_dir: Path,
    listen: Address,
    metrics: Address,
    certificate: Certificate | None,
    level: str,
    cors_origins: tuple[str, ...] = (),
    spend_file: Path | None = None,
    valkey: Address | None = None,
    state_dir: Path | None = None,
) -> tuple[Child, ...]:
    """Return the processes of one proxy, in the order in which they must be stopped.

    ``state_dir`` is a folder for what outlives them.
    """
    shared = {**_ALLOCATOR, **environment(os.environ), f"{_PREFIX}RUN_DIR": str(run_dir), f"{_PREFIX}LOG_LEVEL": level}
    calling = {**shared, **identity(os.environ)}
    gateway = {**calling, **telemetry(os.environ), f"{_PREFIX}LISTEN": str(listen)}
    gateway.setdefault(_SHUTDOWN_VARIABLE, str(SHUTDOWN_SECONDS))
    if certificate is not None:
        gateway |= _https(certificate)
    if spend_file is not None:
        gateway.setdefault(f"{_PREFIX}SPEND_FILE", str(spend_file))
    sink = gateway.get(f"{_PREFIX}USAGE_SINK")
    if sink and state_dir is not None:
        # One folder for each sink: events that wait for one sink must not go to another.
        spool = state_dir / "usage" / hashlib.sha256(sink.encode()).hexdigest()[:16]
        gateway.setdefault(f"{_PREFIX}USAGE_SPOOL_DIR", str(spool))
    if cors_origins:
        gateway[f"{_PREFIX}CORS_ORIGINS"] = ",".join(cors_origins)
    if valkey is not None:
        gateway[f"{_PREFIX}VALKEY_ADDRESS"] = str(valkey)
    agent = {
        **shared,
        f"{_PREFIX}SOURCE": "folder",
        f"{_PREFIX}SOURCE_DIR": str(source_dir),
        f"{_PREFIX}METRICS_LISTEN": str(metrics),
    }
    return (
        Child(
            name=GATEWAY,
            module="claude_gateway_proxy.gateway",
            environment=gateway,
            listens=f"{_PREFIX}LISTEN",
            grace=_seconds(gateway[_SHUTDOWN_VARIABLE]) + 5.0,
        ),
        Child(name=LITELLM, module="claude_gateway_proxy.litellm", environment=calling),
        Child(
            name=AGENT,
            module="claude_gateway_proxy.agent",
            environment=agent,
            listens=f"{_PREFIX}METRICS_LISTEN",
        ),
    )


def _https(certificate: Certificate) -> dict[str, str]:
    """Return the gateway's variables for HTTPS."""
    files = {"CERT": certificate.certificate, "KEY": certificate.key, "CLIENT_CA": certificate.client_ca}
    named = {f"{_PREFIX}TLS_{name}_FILE": str(file) for name, file in files.items() if file is not None}
    return {f"{_PREFIX}TLS_LISTEN": str(certificate.listen), **named}


def scripted(listen: Address) -> Child:
    """Return the process of the built-in scripted model."""
    return Child(
        name=SCRIPTED,
        module="claude_gateway_scripted",
        arguments=("--listen", str(listen), "--greeting", "quickstart"),
        environment=environment(os.environ),
    )


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        # The gateway itself rejects this setting with a message.
        return SHUTDOWN_SECONDS
