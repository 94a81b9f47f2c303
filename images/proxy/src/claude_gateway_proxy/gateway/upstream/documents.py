"""Small public documents, fetched by GET: the keys of issuers, from addresses that tenants wrote."""

from typing import Final

from multidict import CIMultiDict
from yarl import URL

from claude_gateway.contract import issuers
from claude_gateway.contract.policy import Egress
from claude_gateway_proxy.gateway.upstream.http.resolver import AddressRefused
from claude_gateway_proxy.gateway.upstream.session import Upstreams
from claude_gateway_proxy.unreachable import PHRASES, Unreachable

LIMIT: Final = 512 * 1024
"""The largest document in bytes; a key set has some KB."""

_ALLOW: Final = "allow its host by `egress.allowHosts` of the chart or `--allow-host` of `claude-gateway serve`"


async def fetch(url: str, egress: Egress) -> bytes:
    """Return a document; a redirect is not followed, because it would lead past the check of the address.

    Its address must be public, unless the installation's ``egress`` allows it. Raises OSError or ValueError.
    """
    refusal = issuers.refusal(url, egress)
    if refusal is not None:
        raise ValueError(f"its address is not allowed: {refusal}; {_ALLOW}")
    upstreams = Upstreams(issuers.public(egress))
    try:
        answer = await upstreams.send(
            URL(url), headers=CIMultiDict({"accept": "application/json"}), body=b"", method="GET"
        )
        if answer.status != 200:
            raise ValueError(f"the answer has status {answer.status}")
        parts: list[bytes] = []
        size = 0
        while part := await answer.read():
            parts.append(part)
            size += len(part)
            if size > LIMIT:
                raise ValueError(f"the document has more than {LIMIT} bytes")
        return b"".join(parts)
    except AddressRefused as error:
        raise ValueError(f"its address is not allowed: {error}; {_ALLOW}") from None
    except Unreachable as error:
        raise OSError(f"{PHRASES[error.obstacle]} ({error.detail})") from None
    finally:
        await upstreams.close()
