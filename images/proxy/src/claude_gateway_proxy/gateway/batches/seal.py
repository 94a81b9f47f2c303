"""Ids of batches as clients know them: the upstream's own id, the model that leads to its target, and a seal.

All clients of a credential share one account at the upstream, where each could read every batch. The gateway stores
nothing, so the id itself proves who created the batch: its seal is an HMAC over the caller, the model and the
upstream's id, with a key that is derived from the target's API key, which every pod has.
"""

import binascii
import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Final

import msgspec

from claude_gateway_proxy.gateway.auth.principal import Principal

_PURPOSE: Final = b"claude-gateway: ids of batches, 1"
_SEAL_BYTES: Final = 18
UNSEALED: Final = "0"
"""The seal of a batch under the client's own login: there the upstream itself checks who created it."""

PLAIN: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")
"""The form that an upstream's id may have."""
_SEALED: Final = re.compile(r"([A-Za-z0-9_-]{1,128})\.([A-Za-z0-9_-]{2,1366})\.([A-Za-z0-9_-]{1,24})")


@dataclass(frozen=True, slots=True)
class Sealed:
    """A parsed id: the upstream's id, the client's name of the model, and the seal, which is not checked yet."""

    plain: str
    model: str
    seal: str

    @property
    def is_own(self) -> bool:
        """Whether it is of a batch under the client's own login."""
        return self.seal == UNSEALED

    def fits(self, key: str, principal: Principal) -> bool:
        """Whether the seal was made for this caller with this API key."""
        return hmac.compare_digest(self.seal, _seal(self.plain, self.model, key=key, principal=principal))


def sealed(plain: str, model: str, *, key: str | None, principal: Principal) -> str:
    """Return an upstream's id as its creator knows it; ``key`` is the target's API key, None for the client's login."""
    seal = UNSEALED if key is None else _seal(plain, model, key=key, principal=principal)
    return f"{plain}.{_text(model.encode())}.{seal}"


def opened(ident: str) -> Sealed | None:
    """Parse an id; None if it is not the id of a batch of this gateway."""
    found = _SEALED.fullmatch(ident)
    if found is None:
        return None
    try:
        model = urlsafe_b64decode(found[2] + "=" * (-len(found[2]) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    return Sealed(found[1], model, found[3])


def _seal(plain: str, model: str, *, key: str, principal: Principal) -> str:
    derived = hmac.digest(key.encode(), _PURPOSE, "sha256")
    said = msgspec.json.encode([principal.client.name, principal.user, model, plain])
    return _text(hmac.digest(derived, said, "sha256")[:_SEAL_BYTES])


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
