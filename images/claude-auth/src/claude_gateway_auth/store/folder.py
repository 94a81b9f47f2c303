"""A folder of Secrets as JSON manifests, one file each: for this user alone, and each replaced as a whole."""

import asyncio
import base64
import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from claude_gateway.names import LABEL_CREDENTIAL
from claude_gateway_auth.credential import LIST, Credential
from claude_gateway_auth.store.store import ConflictError, Stored, StoreError

_LOCK: Final = ".lock"
_LARGEST: Final = 1 << 20


class FolderStore:
    """Logins in a folder. The credentials come from a file that another process writes."""

    def __init__(self, folder: Path, credentials: Path) -> None:
        """Make the folder, and lock it for this process. Raises StoreError if another process has it, and OSError."""
        self._folder = folder
        self._credentials = credentials
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        self._lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise StoreError(f"another process writes the logins in {folder}: a login has one writer") from None

    def close(self) -> None:
        """Release the folder for another process."""
        os.close(self._lock)

    async def credentials(self) -> tuple[Credential, ...]:
        """Read the list again each time: an edit of the configuration changes it."""
        try:
            found = LIST.validate_json(self._credentials.read_bytes())
        except FileNotFoundError:
            return ()
        except (OSError, ValidationError) as error:
            raise StoreError(f"{self._credentials} cannot be read: {type(error).__name__}") from None
        return tuple(sorted(found, key=lambda credential: credential.ref))

    async def read(self, credential: Credential) -> Stored:
        """Read one file."""
        return await asyncio.to_thread(self._read, credential)

    async def write(self, credential: Credential, entries: Mapping[str, bytes], *, version: str | None) -> None:
        """Replace one file."""
        await asyncio.to_thread(self._write, credential, entries, version)

    def _path(self, credential: Credential) -> Path:
        return self._folder / f"{credential.namespace}.{credential.secret_name}.json"

    def _read(self, credential: Credential) -> Stored:
        path = self._path(credential)
        try:
            with path.open("rb") as file:
                content = file.read(_LARGEST)
            data = json.loads(content)["data"]
            entries = {str(key): base64.b64decode(value, validate=True) for key, value in data.items()}
        except FileNotFoundError:
            return Stored()
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise StoreError(f"{path} is not the manifest of a Secret; repair or remove it") from None
        return Stored(entries, hashlib.sha256(content).hexdigest())

    def _write(self, credential: Credential, entries: Mapping[str, bytes], version: str | None) -> None:
        if self._read(credential).version != version:
            raise ConflictError("the login was changed meanwhile")
        content = json.dumps(manifest(credential, entries), indent=2).encode() + b"\n"
        try:
            _replace(self._path(credential), content)
        except OSError as error:
            raise StoreError(f"{self._path(credential)} cannot be written: {error.strerror}") from None


def manifest(credential: Credential, entries: Mapping[str, bytes]) -> dict[str, Any]:
    """Return the Secret of a login. It has no owner, so that nothing can remove it with its credential."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": credential.secret_name,
            "namespace": credential.namespace,
            "labels": {LABEL_CREDENTIAL: "true"},
        },
        "type": "Opaque",
        "data": {key: base64.b64encode(value).decode() for key, value in sorted(entries.items())},
    }


def _replace(path: Path, content: bytes) -> None:
    """Replace a file so that a crash at any moment leaves the old or the new content. Raises OSError."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
