"""The gateway's identities at Anthropic and at the clouds, each kept for as long as the configuration names it."""

import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from yarl import URL

from claude_gateway.contract.policy import Egress
from claude_gateway.contract.report import CredentialReport
from claude_gateway.contract.target import Federation, Target, Wire
from claude_gateway_proxy.gateway.identities import aws, google
from claude_gateway_proxy.gateway.identities.anthropic import AccessTokens
from claude_gateway_proxy.gateway.identities.kept_tokens import KeptTokens
from claude_gateway_proxy.gateway.identities.renewed import IdentityError, Lease, Renewed, threaded
from claude_gateway_proxy.gateway.identities.role import Roles, Session
from claude_gateway_proxy.gateway.identities.service_account import ServiceAccountTokens
from claude_gateway_proxy.gateway.snapshot import Snapshot
from claude_gateway_proxy.gateway.upstream.http.answer import HttpAnswer
from claude_gateway_proxy.masking import Mask
from claude_gateway_runtime.bounded_dict import BoundedDict
from claude_gateway_runtime.logs import emit

T = TypeVar("T")

_log: Final = logging.getLogger(__name__)

_SIGNED: Final = re.compile(r"(?:Credential|Signature)=([^/, ]+)")


def shown(headers: Mapping[str, str]) -> Sequence[str]:
    """The secrets in the headers of an identity: tokens, key ids and signatures."""
    found = []
    for name, value in headers.items():
        if name.lower() == "x-amz-security-token":
            found.append(value)
        elif name.lower() == "authorization":
            found += _SIGNED.findall(value) or [value.removeprefix("Bearer ")]
    return found


_FEDERATED: Final = 64
"""The most identities at Anthropic that are cached; the oldest is evicted first."""

_SHOWN: Final = 160
"""The most characters of a failure's message in a report."""

_USED: Final = 256
"""The most credentials whose renewal is reported; the oldest is evicted first."""

_SESSIONS: Final = 2048
"""The most cached sessions of assumed roles, one per caller; the least recently used one is evicted first."""

Post = Callable[[str], Awaitable[HttpAnswer]]
"""Sends a request with an access token."""


class Federated:
    """One identity at Anthropic: its access tokens, and the newest of them."""

    def __init__(self, tokens: AccessTokens) -> None:
        self.tokens = tokens
        self.newest: Renewed[str] = Renewed(tokens.lease)

    def reject(self, token: str) -> None:
        """Replace a token that the upstream rejected; one that was issued since then stays."""
        self.tokens.reject(token)
        self.newest.reject(token)


def _note_missing(target: Target, error: IdentityError) -> None:
    """Log why a rejected credential could not be replaced."""
    emit(_log, "identity_missing", level=logging.WARNING, target=target.id, error=str(error))


def _who(headers: Mapping[str, str]) -> str:
    """The part of an identity's headers that is the same in each of its requests."""
    sent = {name.lower(): value for name, value in headers.items()}
    return sent.get("x-amz-security-token") or next(iter(shown(headers)), "")


class Identities:
    """Provides the gateway's identities. Created once at start; needs a running event loop."""

    def __init__(self, *, token_file: Path | None = None, folder: Path | None = None) -> None:
        """``token_file`` has the ServiceAccount token, or is a folder of several; ``folder`` keeps access tokens."""
        # Threads of its own: a metadata service that does not answer must not block name lookups.
        self._executor = ThreadPoolExecutor(max_workers=4, thread_name_prefix="identity")
        self._own = aws.OwnKeys()
        self._own_keys: Renewed[aws.Keys] = self._renewed(self._own.lease)
        self._own_tokens: Renewed[str] = self._renewed(google.Tokens(None, egress=Egress()).lease)
        self._keys: dict[str, Renewed[aws.Keys]] = {}
        self._tokens: dict[str, Renewed[str]] = {}
        self._roles = Roles()
        self._sessions: BoundedDict[tuple[str | None, Session], Renewed[aws.Keys]] = BoundedDict(_SESSIONS)
        self._accounts = ServiceAccountTokens(token_file)
        self._store = KeptTokens(folder)
        self._federated: BoundedDict[tuple[Federation, str, Egress], Federated] = BoundedDict(_FEDERATED)
        self._used: BoundedDict[str, Renewed[aws.Keys] | Renewed[str] | Federated] = BoundedDict(_USED)

    async def authorized(self, target: Target, *, snapshot: Snapshot, mask: Mask, post: Post) -> HttpAnswer:
        """Send a request under the identity at Anthropic; once more with a new token if the first was rejected.

        The tokens are added to ``mask``. Raises IdentityError if there is none, and what ``post`` raises.
        """
        held = self._at_anthropic(target, snapshot)
        self._use(target, held)
        token = await held.newest.get()
        mask.add((token,))
        response = await post(token)
        if response.status != 401:
            return response
        held.reject(token)
        try:
            newer = await held.newest.get()
        except IdentityError as error:
            # The client gets the upstream's answer; why there is no newer token is for the gateway's owner.
            _note_missing(target, error)
            return response
        except BaseException:
            response.close()
            raise
        response.close()
        mask.add((newer,))
        return await post(newer)

    async def headers(
        self, target: Target, *, url: URL, body: bytes, snapshot: Snapshot, session: Session | None = None
    ) -> dict[str, str]:
        """Return the headers for one POST; ``session`` is that of a target with a role, for the caller.

        Raises IdentityError without an identity.
        """
        if target.wire is Wire.VERTEX:
            tokens = self._google(target, snapshot)
            self._use(target, tokens)
            token = await tokens.get()
            return {"authorization": f"Bearer {token}"}
        if target.aws is None:
            raise IdentityError("the target names no AWS region")
        if session is not None:
            keys = await self.session_keys(target, session, snapshot=snapshot)
        elif target.secret is None:
            self._use(target, self._own_keys)
            keys = await self._own_keys.get()
        else:
            found = aws.secret(snapshot.secrets[target.secret])
            if found.bearer_token:
                return {"authorization": f"Bearer {found.bearer_token}"}
            keys = await self._static(target.secret, found).get()
        return aws.signed(keys, region=target.aws.region, url=str(url), body=body)

    async def session_keys(self, target: Target, session: Session, *, snapshot: Snapshot) -> aws.Keys:
        """Return the keys of a target's role, assumed for one caller. Raises IdentityError."""
        held = self._assumed(target, session, snapshot)
        self._use(target, held)
        return await held.get()

    async def replaced(
        self,
        target: Target,
        rejected: Mapping[str, str],
        *,
        url: URL,
        body: bytes,
        snapshot: Snapshot,
        session: Session | None = None,
    ) -> dict[str, str] | None:
        """Return headers of a newer identity than the one that the cloud rejected; None if there is none."""
        if target.wire is Wire.VERTEX:
            tokens = self._google(target, snapshot)
            if rejected["authorization"] == f"Bearer {tokens.current}":
                tokens.reject(f"{tokens.current}")
        elif session is not None or target.secret is None:
            held = self._own_keys if session is None else self._assumed(target, session, snapshot)
            keys = held.current
            if keys is not None and f"={keys.credentials.access_key}/" in rejected["Authorization"]:
                held.reject(keys)
                self._own.forget()
        else:
            return None
        try:
            newer = await self.headers(target, url=url, body=body, snapshot=snapshot, session=session)
        except IdentityError as error:
            _note_missing(target, error)
            return None
        return None if _who(newer) == _who(rejected) else newer

    def keep(self, secrets: Mapping[str, str]) -> None:
        """Remove the identities that a new secret part no longer has; its entries are named by content."""
        for held in (self._keys, self._tokens):
            for gone in held.keys() - secrets.keys():
                del held[gone]
        for known in [known for known in self._sessions if known[0] is not None and known[0] not in secrets]:
            del self._sessions[known]

    def close(self) -> None:
        """Start no new fetch."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _static(self, entry: str, found: aws.AwsSecret) -> Renewed[aws.Keys]:
        if entry not in self._keys:
            self._keys[entry] = self._renewed(partial(aws.static_keys, found))
        return self._keys[entry]

    def _assumed(self, target: Target, session: Session, snapshot: Snapshot) -> Renewed[aws.Keys]:
        known = (target.secret, session)
        found = self._sessions.used(known)
        if found is None:
            base = self._own.lease
            if target.secret is not None:
                secret = aws.secret(snapshot.secrets[target.secret])
                if secret.bearer_token:
                    raise IdentityError("an API key of Bedrock cannot assume a role")
                base = partial(aws.static_keys, secret)
            assume = partial(self._roles.assume, session, base=lambda: base().value)
            found = self._sessions[known] = self._renewed(assume)
        return found

    def _google(self, target: Target, snapshot: Snapshot) -> Renewed[str]:
        if target.secret is None:
            return self._own_tokens
        if target.secret not in self._tokens:
            tokens = google.Tokens(snapshot.secrets[target.secret], egress=snapshot.egress)
            self._tokens[target.secret] = self._renewed(tokens.lease)
        return self._tokens[target.secret]

    def _at_anthropic(self, target: Target, snapshot: Snapshot) -> Federated:
        if target.federation is None or target.base_url is None:
            raise IdentityError("the target names no identity at Anthropic")
        key = (target.federation, target.base_url, snapshot.egress)
        found = self._federated.used(key)
        if found is None:
            tokens = AccessTokens(
                target.federation,
                base_url=target.base_url,
                egress=snapshot.egress,
                accounts=self._accounts,
                store=self._store,
            )
            found = self._federated[key] = Federated(tokens)
        return found

    def renewals(self) -> Mapping[str, CredentialReport]:
        """Return the state of renewal of each credential that was used, by the credential's name."""
        return {name: _renewal(name, used) for name, used in list(self._used.items())}

    def _use(self, target: Target, held: Renewed[aws.Keys] | Renewed[str] | Federated) -> None:
        if target.credential is not None:
            self._used[target.credential] = held

    def _renewed(self, fetch: Callable[[], Lease[T]]) -> Renewed[T]:
        return Renewed(threaded(fetch, self._executor))


def _renewal(name: str, used: Renewed[aws.Keys] | Renewed[str] | Federated) -> CredentialReport:
    renewed = used.newest if isinstance(used, Federated) else used
    tokens = used.tokens if isinstance(used, Federated) else None
    failing = tokens.failing if tokens is not None else renewed.failure
    return CredentialReport(
        credential=name,
        expires_at=None if tokens is None else tokens.expires_at,
        renewed_at=None if tokens is None else tokens.renewed_at,
        failing="" if failing is None else str(failing)[:_SHOWN],
        failures=renewed.failures if tokens is None else tokens.failures,
    )
