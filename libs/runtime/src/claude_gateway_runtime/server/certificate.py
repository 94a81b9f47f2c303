"""The certificate of an HTTPS listener and the authorities of its clients' certificates, renewed without a restart."""

import asyncio
import logging
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from claude_gateway_runtime.logs import emit

_log: Final = logging.getLogger(__name__)
_POLL_SECONDS: Final = 2.0
_Stamp = tuple[tuple[int, int, int], ...]


class _Newest(ssl.SSLContext):
    """The context of a listener, which begins each handshake with the newest files.

    Loading a renewed certificate of another key type into the same context would leave the old one in use, too. And
    each context has its own TLS sessions, so a client whose authority is no longer trusted cannot resume one.
    """

    newest: ssl.SSLContext

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        """Begin a handshake; asyncio and uvloop call this for each connection."""
        return self.newest.wrap_bio(*args, **kwargs)


class Certificate:
    """A certificate and key in two PEM files. New handshakes use the newest files that can be loaded."""

    def __init__(self, cert_file: Path, key_file: Path, *, client_ca_file: Path | None = None) -> None:
        """Load the files. Raises OSError if they cannot be used.

        With a ``client_ca_file``, clients may present a certificate of an authority in it; a handshake with any other
        certificate fails. Revocation lists in the file are checked, too.
        """
        self._files = (cert_file, key_file)
        self._client_ca = client_ca_file
        self._stamp = self._stat(*self._files)
        self._trusted = self._in_use = self._stat_authorities()
        self.context = _Newest(ssl.PROTOCOL_TLS_SERVER)
        self.context.newest = self._load()

    async def run(self, *, distrusted: Callable[[], None]) -> None:
        """Check for changed files until cancelled; call ``distrusted`` when the authorities of clients changed."""
        while True:
            await asyncio.sleep(_POLL_SECONDS)
            if self.check():
                distrusted()

    def check(self) -> bool:
        """Reload the files if they changed; if they cannot be used, log that and keep the old ones in use.

        Returns whether the authorities of clients changed.
        """
        stamp, trusted = self._stat(*self._files), self._stat_authorities()
        if (stamp, trusted) == (self._stamp, self._trusted):
            return False
        self._stamp, self._trusted = stamp, trusted
        try:
            self.context.newest = self._load()
        except OSError as error:
            emit(_log, "certificate_refused", level=logging.ERROR, error=str(error), kept="the one before")
            return False
        emit(_log, "certificate_loaded", file=str(self._files[0]))
        changed, self._in_use = trusted != self._in_use, trusted
        return changed

    def _load(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        cert_file, key_file = self._files
        try:
            context.load_cert_chain(cert_file, key_file)
        except OSError as error:  # ssl.SSLError is an OSError
            raise OSError(f"certificate {cert_file} and key {key_file} cannot be used: {error}") from None
        if self._client_ca is not None:
            _trust(context, self._client_ca)
        return context

    def _stat_authorities(self) -> _Stamp:
        return () if self._client_ca is None else self._stat(self._client_ca)

    @staticmethod
    def _stat(*files: Path) -> _Stamp:
        try:
            stats = [file.stat() for file in files]
        except OSError:
            return ()
        return tuple((stat.st_ino, stat.st_mtime_ns, stat.st_size) for stat in stats)


def _trust(context: ssl.SSLContext, client_ca_file: Path) -> None:
    """Verify the certificates that clients present. Raises OSError if the authorities cannot be used."""
    try:
        context.load_verify_locations(client_ca_file)
    except OSError as error:
        raise OSError(f"the authorities of clients in {client_ca_file} cannot be used: {error}") from None
    stored = context.cert_store_stats()
    if not stored["x509_ca"]:
        raise OSError(f"the authorities of clients in {client_ca_file} cannot be used: there is no CA certificate")
    context.verify_mode = ssl.CERT_OPTIONAL
    # The file may have an intermediate authority alone: whoever lists it trusts it.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if stored["crl"]:
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
