"""``HOST:PORT`` on the command line, and which process uses a port that is taken."""

import errno
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Final

import click

from claude_gateway.cli.errors import Trouble

_WILDCARDS: Final = frozenset(("", "0.0.0.0", "::"))  # noqa: S104 - what users may write
_LISTEN_STATE: Final = "0A"


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a port; port 0 requests a free one. The host of an IPv6 address is stored without brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def local(self) -> "Address":
        """The address for use on this machine: loopback in place of a wildcard address."""
        return Address({"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host), self.port)  # noqa: S104

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the address."""
        return self.host == "localhost" or self.host.startswith("127.") or self.host == "::1"


def parse(text: str) -> Address:
    """Parse ``HOST:PORT``. Raises ValueError."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{text!r} is not HOST:PORT, such as 127.0.0.1:4000")
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise ValueError(f"{text!r}: write an IPv6 address in brackets, such as [::1]:4000")
    return Address(host.strip("[]"), int(port))


class AddressType(click.ParamType[Address]):
    """The click type of ``HOST:PORT``; ``free`` allows port 0, which requests a free port."""

    name = "HOST:PORT"

    def __init__(self, *, free: bool = True) -> None:
        self._free = free

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Address:
        """Parse the option's text; fails with a usage error if it is invalid."""
        try:
            address = value if isinstance(value, Address) else parse(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if address.port == 0 and not self._free:
            self.fail("port 0 is not allowed here: give a port number", param, ctx)
        return address


def require_free(address: Address, *, option: str) -> None:
    """Check that a server can listen on an address. Raises Trouble, which names the process on the port if known."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address.host, address.port))
    except OSError as error:
        raise Trouble(_why(address, error), fix=_fix(address, error, option=option)) from None


def require_distinct(wanted: Mapping[str, Address]) -> None:
    """Check that no two options ask for one port of one address. Raises Trouble, which names both options."""
    for (one, first), (other, second) in combinations(wanted.items(), 2):
        hosts = {first.host, second.host}
        if first.port and first.port == second.port and (len(hosts) == 1 or hosts & _WILDCARDS):
            raise Trouble(f"{one} and {other} are both port {first.port}", fix="Choose another port for one of them.")


def _why(address: Address, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        owner = holder(address.port)
        return f"{address} is already in use{f' by {owner}' if owner else ''}"
    return f"cannot listen on {address}: {error.strerror}"


def _fix(address: Address, error: OSError, *, option: str) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Stop that process (to see it: lsof -i :{address.port}), or choose another port with {option}."
    if error.errno == errno.EACCES:
        return f"Ports below 1024 need special privileges: choose a higher port with {option}."
    return f"Choose an address of this machine with {option}."


def holder(port: int) -> str | None:
    """Return name and pid of the process that listens on a TCP port; None if /proc does not show it."""
    inodes = {f"socket:[{inode}]" for inode in _listening(port)}
    if not inodes:
        return None
    for fd in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            if str(fd.readlink()) in inodes:
                process = fd.parent.parent
                return f"{(process / 'comm').read_text(encoding='utf-8').strip()} (pid {process.name})"
    return None


def _listening(port: int) -> list[str]:
    inodes = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        if not os.access(table, os.R_OK):
            continue
        for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
            columns = line.split()
            if columns[3] == _LISTEN_STATE and int(columns[1].rpartition(":")[2], 16) == port:
                inodes.append(columns[9])
    return inodes
