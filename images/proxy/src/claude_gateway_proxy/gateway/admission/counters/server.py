"""The connections to Valkey: bounded in number and in time, encrypted if configured."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from valkey.asyncio import Valkey
from valkey.asyncio.connection import AbstractConnection, BlockingConnectionPool, Connection, SSLConnection
from valkey.credentials import CredentialProvider

from claude_gateway_runtime.settings import host_and_port

SECONDS: Final = 1.0
"""How long to wait for an answer, a new or free connection included; callers count it by ``RunningTimeout``."""

_LOST_SECONDS: Final = 10.0
"""When the client library gives up by itself, so that no connection is waited for without end."""

_CONNECTIONS: Final = 8


@dataclass(frozen=True, slots=True)
class Server:
    """A Valkey, or a Redis from version 6 on: ``address`` is ``host:port``.

    ``password_file`` is read for each connection, so that a new password needs no restart. ``ca_file`` has the
    authorities of the server's certificate; by default, those that the system trusts.
    """

    address: str
    tls: bool = False
    ca_file: Path | None = None
    username: str | None = None
    password_file: Path | None = field(default=None, repr=False)

    def client(self) -> Valkey:
        """Return a client that connects when it is first used."""
        host, port = host_and_port(self.address)
        more: dict[str, Any] = {}
        kind: type[AbstractConnection] = Connection
        if self.tls:
            kind = SSLConnection
            more = {"ssl_check_hostname": True}
            if self.ca_file is not None:
                more["ssl_ca_certs"] = str(self.ca_file)
        if self.password_file is not None:
            more["credential_provider"] = _Password(self.username, self.password_file)
        pool = BlockingConnectionPool(
            max_connections=_CONNECTIONS,
            timeout=_LOST_SECONDS,  # type: ignore[arg-type]  # seconds, of which the library also takes parts
            connection_class=kind,
            host=host,
            port=port,
            socket_timeout=_LOST_SECONDS,
            socket_connect_timeout=_LOST_SECONDS,
            socket_keepalive=True,
            client_name="claude-gateway",
            **more,
        )
        return Valkey.from_pool(pool)


class _Password(CredentialProvider):
    """The user and the password, as they are in the file now. Raises OSError if it cannot be read."""

    def __init__(self, username: str | None, file: Path) -> None:
        self._username = username
        self._file = file

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        password = self._file.read_text().strip()
        return (password,) if self._username is None else (self._username, password)
