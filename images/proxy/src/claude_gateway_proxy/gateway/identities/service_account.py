"""The tokens of the pod's ServiceAccount, as Kubernetes writes them into files and renews them there."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from claude_gateway_proxy.gateway.identities.renewed import IdentityError, Lack
from claude_gateway_runtime.bounded_dict import BoundedDict

_LIMIT: Final = 16 * 1024
_FILES: Final = 64
_REMEMBERED: Final = 256


@dataclass(frozen=True, slots=True)
class Assertion:
    """One token; ``digest`` names it without revealing it."""

    token: str = field(repr=False)
    digest: str


class ServiceAccountTokens:
    """The tokens in a file, or in the files of a folder, and which of them were exchanged.

    An issuer of access tokens may accept each of them only once. So several identities need several tokens, and a spare
    token is used when an access token is rejected before its end.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._spent: BoundedDict[str, None] = BoundedDict(_REMEMBERED)

    def read(self) -> Sequence[Assertion]:
        """Return the current tokens. Blocks. Raises IdentityError if there are none."""
        if self._path is None:
            raise IdentityError(
                "this gateway has no ServiceAccount token: set `proxy.workloadIdentity.enabled` in the chart's values; "
                "with `serve`, name a file with a token in CLAUDE_GATEWAY_IDENTITY_TOKEN_FILE",
                Lack.REFUSED,
            )
        try:
            files = _files(self._path) if self._path.is_dir() else (self._path,)
            found = [_read(file) for file in files]
        except (OSError, UnicodeDecodeError) as error:
            raise IdentityError(f"the ServiceAccount token cannot be read: {type(error).__name__}") from None
        tokens = [token for token in found if token and len(token) <= _LIMIT]
        if not tokens:
            raise IdentityError(f"{self._path.name} holds no ServiceAccount token")
        return [Assertion(token, hashlib.sha256(token.encode()).hexdigest()) for token in tokens]

    def unspent(self, found: Sequence[Assertion]) -> Assertion | None:
        """Return a token that was not exchanged yet."""
        return next((each for each in found if each.digest not in self._spent), None)

    def spend(self, digest: str) -> None:
        """Mark a token as exchanged or rejected."""
        self._spent[digest] = None


def _files(folder: Path) -> Sequence[Path]:
    """The files of a projected volume, without those that Kubernetes itself uses there."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))[:_FILES]


def _read(file: Path) -> str:
    with file.open(encoding="ascii") as opened:
        return opened.read(_LIMIT + 1).strip()
