"""What the token endpoint answers: the device grant of RFC 8628, and renewal, at which the provider has a say."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from claude_gateway_auth.devices.codes import Answer, Devices
from claude_gateway_auth.devices.tokens import Issuer, Session, new_session
from claude_gateway_auth.oidc import Oidc, OidcError, RemovedError
from claude_gateway_runtime.bounded_dict import BoundedDict
from claude_gateway_runtime.logs import emit

_audit: Final = logging.getLogger("claude_gateway_auth.audit")
_DEVICE: Final = "urn:ietf:params:oauth:grant-type:device_code"
_RENEWAL: Final = "refresh_token"
GRANTS: Final = (_DEVICE, _RENEWAL)
_MOST_ENDED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Granted:
    """An answer of the token endpoint."""

    status: int
    document: Mapping[str, Any]


class Grants:
    """Answers for one issuer and one provider."""

    def __init__(self, *, devices: Devices, issuer: Issuer, provider: Oidc) -> None:
        self._devices = devices
        self._issuer = issuer
        self._provider = provider
        self._ended: BoundedDict[str, None] = BoundedDict(_MOST_ENDED)

    async def token(self, form: Mapping[str, str]) -> Granted:
        """Answer a request for tokens."""
        kind = form.get("grant_type", "")
        if kind == _DEVICE:
            return self._device(form.get("device_code", ""))
        if kind == _RENEWAL:
            return await self._renewed(form.get("refresh_token", ""))
        return refusal(400, "unsupported_grant_type", f"grant_type must be {' or '.join(GRANTS)}")

    async def revoke(self, token: str) -> None:
        """End the session of a renewal token; other tokens end by themselves soon."""
        session = self._issuer.unseal(token)
        if session is None:
            return
        self._end(session)
        emit(_audit, "audit", action="device_signed_out", by=session.identity.email, outcome="ok")
        try:
            await self._provider.revoke(session.identity)
        except OidcError:
            emit(_audit, "audit", level=logging.WARNING, action="device_signed_out", outcome="provider_unavailable")

    def _device(self, device_code: str) -> Granted:
        answer = self._devices.poll(device_code)
        if isinstance(answer, Answer):
            return refusal(400, answer.value)
        emit(_audit, "audit", action="device_signed_in", by=answer.email, outcome="ok")
        return self._granted(new_session(answer))

    async def _renewed(self, token: str) -> Granted:
        session = self._issuer.unseal(token)
        if session is None or session.id in self._ended:
            return refusal(401, "invalid_grant", "this sign-in has ended: sign in again")
        try:
            identity = await self._provider.renew(session.identity)
        except RemovedError as error:
            emit(_audit, "audit", action="device_renewed", by=session.identity.email, outcome="removed")
            return refusal(401, "invalid_grant", str(error))
        except OidcError as error:
            return refusal(503, "temporarily_unavailable", str(error))
        return self._granted(replace(session, identity=identity))

    def _granted(self, session: Session) -> Granted:
        document = {
            "access_token": self._issuer.access(session, now=int(time.time())),
            "token_type": "Bearer",
            "expires_in": self._issuer.seconds,
            "email": session.identity.email,
        }
        if session.identity.renewal is not None:
            document["refresh_token"] = self._issuer.seal(session)
        return Granted(200, document)

    def _end(self, session: Session) -> None:
        self._ended[session.id] = None


def refusal(status: int, error: str, description: str = "") -> Granted:
    """Return an error as RFC 6749, 5.2 has it."""
    return Granted(status, {"error": error, **({"error_description": description} if description else {})})
