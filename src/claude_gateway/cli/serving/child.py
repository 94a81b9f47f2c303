"""One process that ``serve`` starts, and which environment variables it inherits."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from claude_gateway.cli import options
from claude_gateway.names import CLOUD_VARIABLES

PREFIX: Final = "CLAUDE_GATEWAY_"
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
        return (sys.executable, "-m", "claude_gateway.cli.serving.lifeline", self.module, *self.arguments)

    def at(self, address: str) -> "Child":
        """Return the same child with a fixed listen address."""
        if self.listens is None:
            return self
        return replace(self, environment={**self.environment, self.listens: address})


def environment(ambient: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables that a child may inherit."""
    return {
        name: value
        for name, value in ambient.items()
        if name in _ALLOWED
        or name.startswith(("LC_", "MALLOC_"))
        or (name.startswith(PREFIX) and name not in (options.KEY_VARIABLE, options.URL_VARIABLE))
    }


def identity(ambient: Mapping[str, str]) -> dict[str, str]:
    """Return the user's cloud identity for the processes that call models; credentials without a Secret use it."""
    return {name: value for name, value in ambient.items() if name in CLOUD_VARIABLES}


def telemetry(ambient: Mapping[str, str]) -> dict[str, str]:
    """Return OpenTelemetry's own settings for the gateway; its headers hold a key of the collector."""
    return {name: value for name, value in ambient.items() if name.startswith(_TELEMETRY)}
