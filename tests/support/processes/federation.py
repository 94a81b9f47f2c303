"""A stand-in for Anthropic's API with workload identity federation: it refuses what the vendor would refuse.

The rules are those of the Claude Platform's WIF reference: the token's signature, issuer, audience, subject and times
are verified with the cluster's own keys, each token id is taken once, and access tokens end.
"""

import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import jwt
from aiohttp import web
from tests.support.builders.service_accounts import AUDIENCE, ISSUER, SUBJECT
from tests.support.processes.served import served

from claude_gateway.contract.target import Federation

FEDERATION: Final = Federation(
    organization_id="00000000-0000-4000-8000-000000000000",
    federation_rule_id="fdrl_01",
    service_account_id="svac_01",
    workspace_id="wrkspc_01",
)
ANSWER: Final = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-5-5",
    "content": [{"type": "text", "text": "Hello"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 5, "output_tokens": 7},
}
_GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_EXCHANGE_BETAS: Final = {"oauth-2025-04-20", "oidc-federation-2026-04-01"}
_LONGEST: Final = 3600


class Refused(Exception):  # noqa: N818 - an answer
    """A request that the vendor refuses: status, type and message."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.answer = web.json_response({"type": "error", "error": {"type": kind, "message": message}}, status=status)


@dataclass
class Anthropic:
    """The vendor: ``jwks`` are the keys of the registered issuer.

    ``lifetime`` is the rule's for access tokens, ``exchanges`` the answers to exchanges so far by status. ``down`` is
    a status that every exchange gets. ``asked`` are the headers of the requests for Messages that were admitted.
    """

    jwks: Mapping[str, Any]
    issuer: str = ISSUER
    subject: str = SUBJECT
    lifetime: int = 3600
    single_use: bool = True
    federation: Federation = FEDERATION
    down: int = 0
    url: str = ""
    exchanges: list[int] = field(default_factory=list)
    asked: list[Mapping[str, str]] = field(default_factory=list)
    refused: int = 0
    issued: dict[str, float] = field(default_factory=dict)
    _used: set[str] = field(default_factory=set)

    def revoke(self) -> None:
        """Reject every access token that was issued so far."""
        self.issued.clear()

    async def exchange(self, request: web.Request) -> web.Response:
        """``POST /v1/oauth/token``."""
        try:
            token = self._issue(await request.json(), request.headers.get("anthropic-beta", ""))
        except Refused as error:
            self.exchanges.append(error.answer.status)
            return error.answer
        self.exchanges.append(200)
        return web.json_response(token)

    def _issue(self, body: Mapping[str, Any], betas: str) -> Mapping[str, Any]:
        if self.down:
            raise Refused(self.down, "overloaded_error", "Overloaded")
        if not set(betas.split(",")) >= _EXCHANGE_BETAS:
            raise Refused(400, "invalid_request_error", "anthropic-beta: oidc-federation-2026-04-01 is needed")
        expected = {name: value for name, value in self.federation.model_dump().items() if value is not None}
        if body.get("grant_type") != _GRANT or body.keys() != {"grant_type", "assertion", *expected}:
            raise Refused(400, "invalid_request_error", "Invalid request")
        if any(body[name] != value for name, value in expected.items()):
            raise Refused(401, "authentication_error", "Authentication failed")
        claims = self._verified(body["assertion"])
        if self.single_use and claims["jti"] in self._used:
            raise Refused(401, "authentication_error", "Authentication failed")
        self._used.add(claims["jti"])
        left = claims["exp"] - time.time()
        lifetime = max(60, min(self.lifetime, int(2 * left)))
        token = f"sk-ant-oat01-{uuid.uuid4().hex}"
        self.issued[token] = time.monotonic() + lifetime
        return {"access_token": token, "token_type": "Bearer", "expires_in": lifetime, "scope": "workspace:inference"}

    def _verified(self, assertion: str) -> Mapping[str, Any]:
        try:
            kid = jwt.get_unverified_header(assertion)["kid"]
            key = next(key for key in jwt.PyJWKSet.from_dict(dict(self.jwks)).keys if key.key_id == kid)
            claims: Mapping[str, Any] = jwt.decode(
                assertion,
                key,
                algorithms=["RS256", "ES256"],
                audience=AUDIENCE,
                issuer=self.issuer,
                options={"require": ["iat", "exp", "sub", "jti"]},
            )
        except (jwt.PyJWTError, StopIteration, KeyError):
            raise Refused(401, "authentication_error", "Authentication failed") from None
        if claims["sub"] != self.subject or claims["exp"] - claims["iat"] > _LONGEST:
            raise Refused(401, "authentication_error", "Authentication failed")
        return claims

    async def messages(self, request: web.Request) -> web.Response:
        """``POST /v1/messages``."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        betas = {beta.strip() for beta in request.headers.get("anthropic-beta", "").split(",")}
        known = scheme == "Bearer" and time.monotonic() < self.issued.get(token, 0.0)
        if not known or "oauth-2025-04-20" not in betas or "x-api-key" in request.headers:
            self.refused += 1
            return Refused(401, "authentication_error", f"invalid bearer token {token}").answer
        self.asked.append(dict(request.headers))
        return web.json_response(ANSWER)


@contextlib.asynccontextmanager
async def anthropic(vendor: Anthropic) -> AsyncIterator[Anthropic]:
    """Serve a vendor on a free port."""
    app = web.Application()
    app.router.add_post("/v1/oauth/token", vendor.exchange)
    app.router.add_post("/v1/messages", vendor.messages)
    async with served(app) as vendor.url:
        yield vendor
