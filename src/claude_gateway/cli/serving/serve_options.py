"""The options of ``serve``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from claude_gateway.cli.addresses import Address
from claude_gateway.cli.serving.ownlogins import Logins
from claude_gateway.plan.world import Settings

Level = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Certificate:
    """The HTTPS listen address, and the files: of the certificate, of its key, of the authorities of clients."""

    listen: Address
    certificate: Path
    key: Path
    client_ca: Path | None = None


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """The options of ``serve``, as given on the command line."""

    sources: tuple[Path, ...]
    env_file: Path | None
    listen: Address
    metrics: Address
    certificate: Certificate | None
    scripted: Address | None
    cors_origins: tuple[str, ...]
    valkey: Address | None
    rules: Settings
    level: Level
    logins: Logins
