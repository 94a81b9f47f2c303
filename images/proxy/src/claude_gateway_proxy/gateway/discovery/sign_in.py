"""Signing in at the gateway: Claude Code expects OAuth's endpoints at the gateway's own address.

The sign-in service answers them; here they are forwarded to it. Source: the protocol that Claude Code's own gateway
documents at ``GET /protocol``, which follows RFC 8414 and RFC 8628.
"""

import asyncio
import logging
from typing import Final

import msgspec
from multidict import CIMultiDict
from yarl import URL

from claude_gateway.contract.policy import Egress
from claude_gateway_proxy.gateway.upstream.http.resolver import AddressRefused
from claude_gateway_proxy.gateway.upstream.session import Upstreams
from claude_gateway_proxy.unreachable import Unreachable
from claude_gateway_runtime.asgi import (
    JSON,
    BodyTooLarge,
    BodyTooSlow,
    ClientGone,
    Receive,
    Scope,
    Send,
    read_body,
    send_document,
)
from claude_gateway_runtime.logs import emit

_log: Final = logging.getLogger(__name__)

METADATA: Final = "/.well-known/oauth-authorization-server"
_DEVICE: Final = "/oauth/device_authorization"
_TOKEN: Final = "/oauth/token"  # noqa: S105 - a path
_REVOKE: Final = "/oauth/revoke"
PATHS: Final = frozenset({METADATA, _DEVICE, _TOKEN, _REVOKE})

_LONGEST: Final = 32 * 1024
_LONGEST_ANSWER: Final = 64 * 1024
_SECONDS: Final = 20.0
_GRANTS: Final = ("urn:ietf:params:oauth:grant-type:device_code", "refresh_token")
_NO_STORE: Final = ((b"cache-control", b"no-store"),)


class SignIn:
    """Forwards to the sign-in service at ``url``, an address of the installation's own."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._upstreams: Upstreams | None = None

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request for one of ``PATHS``; errors are those of RFC 6749, 5.2."""
        path, method = scope["path"], scope["method"]
        if path == METADATA:
            await _send(send, 200, _metadata(scope))
        elif method != "POST":
            await _send(send, 405, _error("invalid_request", "use POST"))
        else:
            try:
                body = await read_body(receive, limit=_LONGEST, seconds=_SECONDS)
            except (BodyTooLarge, BodyTooSlow):
                await _send(send, 413, _error("invalid_request", "the form is too large or came too slowly"))
                return
            except ClientGone:
                return
            status, answer = await self._forwarded(path, scope, body)
            await _send(send, status, answer)

    async def close(self) -> None:
        """Close every connection."""
        if self._upstreams is not None:
            await self._upstreams.close()

    async def _forwarded(self, path: str, scope: Scope, body: bytes) -> tuple[int, bytes]:
        """Return the service's answer; 503 if there is none, so that the client retries."""
        if self._upstreams is None:
            self._upstreams = Upstreams(Egress(loopback=True))
        kind = dict(scope["headers"]).get(b"content-type", b"application/x-www-form-urlencoded")
        headers = CIMultiDict({"content-type": kind.decode("latin-1"), "accept": "application/json"})
        try:
            async with asyncio.timeout(_SECONDS):
                answer = await self._upstreams.send(URL(f"{self._url}{path}"), headers=headers, body=body)
                try:
                    found = b""
                    while len(found) <= _LONGEST_ANSWER and (part := await answer.read()):
                        found += part
                finally:
                    answer.close()
        except (AddressRefused, Unreachable, OSError, ValueError) as error:
            emit(_log, "sign_in_unreachable", level=logging.WARNING, error=f"{type(error).__name__}: {error}")
            return 503, _error("temporarily_unavailable", "the sign-in service gave no answer: try again in a minute")
        return answer.status, found


def _metadata(scope: Scope) -> bytes:
    """Return RFC 8414's document, with addresses of the host in the client's request.

    A client whose address is another one behind a proxy uses the usual paths below it instead.
    """
    headers = dict(scope["headers"])
    scheme = headers.get(b"x-forwarded-proto", scope["scheme"].encode()).decode("latin-1")
    base = f"{scheme}://{headers.get(b'host', b'').decode('latin-1')}"
    return msgspec.json.encode(
        {
            "issuer": base,
            "device_authorization_endpoint": f"{base}{_DEVICE}",
            "token_endpoint": f"{base}{_TOKEN}",
            "revocation_endpoint": f"{base}{_REVOKE}",
            "grant_types_supported": _GRANTS,
        }
    )


def _error(error: str, description: str) -> bytes:
    return msgspec.json.encode({"error": error, "error_description": description})


async def _send(send: Send, status: int, body: bytes) -> None:
    await send_document(send, status=status, kind=JSON, body=body, headers=_NO_STORE)
