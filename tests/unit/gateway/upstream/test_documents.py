"""Documents of issuers: addresses that are not public are refused with what allows them."""

import pytest
from tests.unit.gateway.upstream.test_resolver import found

from claude_gateway.contract.policy import Egress
from claude_gateway_proxy.gateway.upstream import documents
from claude_gateway_proxy.gateway.upstream.http.resolver import Resolver


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://10.1.2.3/keys", "it is a private address"),
        ("http://idp.example/keys", "keys are fetched over https"),
        ("https://idp.example/keys", "idp.example resolves to addresses that may not be called"),
    ],
)
async def test_a_refusal_says_what_allows_the_host(monkeypatch: pytest.MonkeyPatch, url: str, reason: str) -> None:
    defaults = Resolver.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "lookup", lambda *_, **__: found("10.1.2.3"))
    with pytest.raises(ValueError, match=f"{reason}; allow its host by `egress.allowHosts` .* or `--allow-host`"):
        await documents.fetch(url, Egress())
