"""The certificate of an HTTPS listener, renewed without a restart."""

import asyncio
import logging
import ssl
from pathlib import Path
from typing import Final

from claude_gateway_runtime.logs import emit

_log: Final = logging.getLogger(__name__)
_POLL_SECONDS: Final = 2.0
_Stamp = tuple[tuple[int, int, int], ...]


class Certificate:
    """A certificate and key in two PEM files. New handshakes use the newest pair that can be loaded."""

    def __init__(self, cert_file: Path, key_file: Path) -> None:
        """Load the files. Raises OSError if they cannot be used."""
        self._files = (cert_file, key_file)
        self._stamp = self._stat()
        self._current = self._load()
        # One context for the listener, which hands each handshake to the current one: loading a renewed
        # certificate of another key type into the same context would leave the old one in use beside it.
        self.context = self._load()
        self.context.sni_callback = self._choose

    async def run(self) -> None:
        """Check for changed files until cancelled."""
        while True:
            await asyncio.sleep(_POLL_SECONDS)
            self.check()

    def check(self) -> None:
        """Reload the files if they changed; if they cannot be used, log that and keep the pair in use."""
        stamp = self._stat()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._current = self._load()
        except OSError as error:
            emit(_log, "certificate_refused", level=logging.ERROR, error=str(error), kept="the one before")
            return
        emit(_log, "certificate_loaded", file=str(self._files[0]))

    def _choose(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = self._current

    def _load(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        cert_file, key_file = self._files
        try:
            context.load_cert_chain(cert_file, key_file)
        except OSError as error:  # ssl.SSLError is an OSError
            raise OSError(f"certificate {cert_file} and key {key_file} cannot be used: {error}") from None
        return context

    def _stat(self) -> _Stamp:
        try:
            stats = [file.stat() for file in self._files]
        except OSError:
            return ()
        return tuple((stat.st_ino, stat.st_mtime_ns, stat.st_size) for stat in stats)
