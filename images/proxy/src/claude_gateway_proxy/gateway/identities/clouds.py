"""The gateway's identities at the clouds, each kept for as long as the configuration names it."""

import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

from yarl import URL

from claude_gateway.contract.policy import Egress, Target, Wire
from claude_gateway_proxy.gateway.identities import aws, google
from claude_gateway_proxy.gateway.identities.renewed import IdentityError, Renewed
from claude_gateway_proxy.gateway.snapshot import Snapshot

_SIGNED: Final = re.compile(r"(?:Credential|Signature)=([^/, ]+)")


def shown(headers: Mapping[str, str]) -> Sequence[str]:
    """The secrets in the headers of an identity: tokens, and what a signature names and is."""
    found = []
    for name, value in headers.items():
        if name.lower() == "x-amz-security-token":
            found.append(value)
        elif name.lower() == "authorization":
            found += _SIGNED.findall(value) or [value.removeprefix("Bearer ")]
    return found


class Identities:
    """Provides the headers by which a cloud knows this gateway. Made once at start; needs a running event loop."""

    def __init__(self) -> None:
        # Threads of its own: a metadata service that does not answer must not block name lookups.
        self._executor = ThreadPoolExecutor(max_workers=4, thread_name_prefix="identity")
        self._own_keys: Renewed[aws.Keys] = Renewed(aws.OwnKeys().lease, executor=self._executor)
        self._own_tokens: Renewed[str] = Renewed(google.Tokens(None, egress=Egress()).lease, executor=self._executor)
        self._keys: dict[str, Renewed[aws.Keys]] = {}
        self._tokens: dict[str, Renewed[str]] = {}

    async def headers(self, target: Target, *, url: URL, body: bytes, snapshot: Snapshot) -> dict[str, str]:
        """Return the headers for one POST. Raises IdentityError where there is no identity."""
        if target.wire is Wire.VERTEX:
            token = await self._google(target, snapshot).get()
            return {"authorization": f"Bearer {token}"}
        if target.aws is None:
            raise IdentityError("the target names no AWS region")
        if target.secret is None:
            keys = await self._own_keys.get()
        else:
            found = aws.secret(snapshot.secrets[target.secret])
            if found.bearer_token:
                return {"authorization": f"Bearer {found.bearer_token}"}
            keys = await self._static(target.secret, found).get()
        return aws.signed(keys, region=target.aws.region, url=str(url), body=body)

    def keep(self, secrets: Mapping[str, str]) -> None:
        """Forget the identities that a new secret part no longer has; its entries are named by content."""
        for held in (self._keys, self._tokens):
            for gone in held.keys() - secrets.keys():
                del held[gone]

    def close(self) -> None:
        """Start no new fetch."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _static(self, entry: str, found: aws.AwsSecret) -> Renewed[aws.Keys]:
        if entry not in self._keys:
            self._keys[entry] = Renewed(partial(aws.static_keys, found), executor=self._executor)
        return self._keys[entry]

    def _google(self, target: Target, snapshot: Snapshot) -> Renewed[str]:
        if target.secret is None:
            return self._own_tokens
        if target.secret not in self._tokens:
            tokens = google.Tokens(snapshot.secrets[target.secret], egress=snapshot.egress)
            self._tokens[target.secret] = Renewed(tokens.lease, executor=self._executor)
        return self._tokens[target.secret]
