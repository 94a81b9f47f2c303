"""Searches for leaked secrets: in logs, in the public part of a bundle, in a client's output."""

import base64
import gzip
from collections.abc import Iterable
from pathlib import Path


def forms(secret: str) -> list[bytes]:
    """Return a secret as it may be written: plain, base64, percent-free hex."""
    raw = secret.encode()
    return [raw, base64.b64encode(raw).rstrip(b"="), raw.hex().encode()]


def found(secrets: Iterable[str], data: bytes | str) -> list[str]:
    """Return the first characters of each secret that is in the data, in any form."""
    text = data.encode() if isinstance(data, str) else data
    return [f"{secret[:8]}…" for secret in secrets if any(form in text for form in forms(secret))]


def leaks(secrets: Iterable[str], files: Iterable[Path]) -> list[str]:
    """Return ``file: secret`` for each file that holds one; gzipped files are looked into."""
    wanted = list(secrets)
    places: list[str] = []
    for file in files:
        if not file.is_file():
            continue
        data = file.read_bytes()
        if file.suffix == ".gz":
            data = gzip.decompress(data)
        places += [f"{file.name}: {secret}" for secret in found(wanted, data)]
    return places
